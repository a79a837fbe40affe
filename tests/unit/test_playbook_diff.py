"""What differs between two versions of a playbook."""

from __future__ import annotations

from dataclasses import replace

from saldo.core.playbook import When
from saldo.core.playbook_diff import ADDED, CHANGED, REMOVED, changes
from saldo.core.playbook_text import parse, shipped

STANDARD = parse(shipped()["standard"])


def test_nothing_differs_from_itself() -> None:
    assert changes(STANDARD, STANDARD) == []


def test_steps_added_removed_and_changed_with_their_fields() -> None:
    first, second, *rest = STANDARD.steps
    later = replace(second, day=-1, min_amount_mills=1_250_000, when=When(classes=("A",)), fallback=("sms",))
    new = replace(first, code="nuova")
    found = changes(STANDARD, replace(STANDARD, steps=(later, *rest, new)))
    assert [(change.step, change.kind) for change in found] == [
        ("scade-oggi", CHANGED), ("nuova", ADDED), ("cortesia", REMOVED),
    ]  # fmt: skip
    assert {(f.name, f.before, f.after) for f in found[0].fields} == {
        ("day", "0", "-1"), ("min_amount", "500.00", "1250.00"), ("fallback", "", "sms"),
        ("when.classes", "", "A"),
    }  # fmt: skip


def test_the_head_comes_first_with_the_order_of_the_steps_that_stay() -> None:
    first, second, *rest = STANDARD.steps
    segment = replace(STANDARD.segment, when=When(min_open_mills=5_000))
    other = replace(STANDARD, order=80, segment=segment, steps=(second, first, *rest))
    (head,) = changes(STANDARD, other)
    assert (head.step, head.kind) == ("", CHANGED)
    assert [(f.name, f.before, f.after) for f in head.fields[:2]] == [
        ("order", "90", "80"), ("segment.when.min_open", "", "5.00"),
    ]  # fmt: skip
    assert head.fields[2].name == "steps" and head.fields[2].after.startswith("scade-oggi, cortesia")
