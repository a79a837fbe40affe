"""Playbooks of a company: versions, the second person, what was in force when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from saldo.collection.models import PlaybookVersion
from saldo.collection.playbook_changes import activate, install_shipped, retire, save
from saldo.collection.playbooks import activations, in_force, playbooks, version_row, versions
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook_text import shipped
from saldo.identity.models import Event
from saldo.identity.operations import ensure_company

pytestmark = pytest.mark.django_db
STANDARD = shipped()["standard"]


def ctx(actor: str, day: int = 2, hour: int = 9) -> Context:
    instant = datetime(2026, 3, day, hour, tzinfo=UTC)
    return Context(actor, instant.date(), lambda: instant, language="en")


@pytest.fixture
def company(db: None) -> int:
    return ensure_company(ctx("system:test"), "BRENTA").id


def test_the_same_content_makes_no_new_version(company: int) -> None:
    first = save(ctx("anna"), company, STANDARD)
    again = save(ctx("bruno"), company, STANDARD.replace("\n", "\r\n").encode() + b"\r\n")
    assert (first.version, first.is_new) == (1, True)
    assert (again.id, again.is_new) == (first.id, False)
    other = save(ctx("anna"), company, STANDARD.replace("day = 5", "day = 6"), note="un giorno dopo")
    assert other.version == 2
    # Going back is a version too: the history is not rewritten.
    assert save(ctx("anna"), company, STANDARD).version == 3
    assert [(row.version, row.actor, row.note) for row in versions(company, "standard")] == [
        (3, "anna", ""), (2, "anna", "un giorno dopo"), (1, "anna", ""),
    ]  # fmt: skip


def test_mistakes_and_unknown_templates_refuse_the_save(company: int) -> None:
    with pytest.raises(SaldoError) as refused:
        save(ctx("anna"), company, STANDARD.replace('"email"', '"emial"', 1))
    assert refused.value.code == "playbook_invalid"
    assert [problem.step for problem in refused.value.params["problems"]] == ["cortesia"]
    with pytest.raises(SaldoError, match="step “cortesia”: There is no template courtesy for email"):
        save(ctx("anna"), company, STANDARD, templates={("reminder_1", "email")})
    assert not versions(company)


def test_a_second_person_puts_it_in_force(company: int) -> None:
    saved = save(ctx("anna"), company, STANDARD)
    for author in ("anna", "cli:anna", "cli:Anna"):
        with pytest.raises(SaldoError) as refused:
            activate(ctx(author), company, saved.id)
        assert refused.value.code == "four_eyes"
    assert in_force(company) == []
    assert activate(ctx("bruno"), company, saved.id, note="visto")
    assert not activate(ctx("carla"), company, saved.id)
    assert [(i, p.code) for i, p in in_force(company)] == [(saved.id, "standard")]
    (row,) = activations(company, "standard")
    assert (row.version, row.actor, row.note) == (1, "bruno", "visto")
    kinds = list(Event.objects.filter(subject_kind="playbook").order_by("id").values_list("kind", "actor"))
    assert kinds == [("playbook.saved", "anna"), ("playbook.activated", "bruno")]


def test_what_was_in_force_at_an_instant(company: int) -> None:
    first = save(ctx("anna", 2), company, STANDARD)
    activate(ctx("bruno", 3), company, first.id)
    second = save(ctx("anna", 4), company, STANDARD.replace("day = 5", "day = 6"))
    (row,) = playbooks(company)
    assert (row.active and row.active.version, row.newest.version, row.has_draft) == (1, 2, True)
    activate(ctx("bruno", 6), company, second.id)
    retire(ctx("anna", 8), company, "standard", note="stagione chiusa")
    days = {day: in_force(company, datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (2, 3, 5, 6, 7, 8)}
    assert {day: [i for i, _ in found] for day, found in days.items()} == {
        2: [], 3: [first.id], 5: [first.id], 6: [second.id], 7: [second.id], 8: [],
    }  # fmt: skip
    assert not retire(ctx("anna", 9), company, "standard")
    (row,) = playbooks(company)
    assert row.active is None and row.activation and not row.activation.is_active
    # Back in force, and again the other way round.
    assert activate(ctx("bruno", 10), company, first.id)
    assert [i for i, _ in in_force(company)] == [first.id]


def test_the_shipped_ones_are_installed_once_and_anyone_may_activate_them(company: int) -> None:
    assert len(install_shipped(ctx("anna"), company)) == 4
    assert install_shipped(ctx("bruno"), company) == []
    assert {row.actor for row in versions(company)} == {"system:saldo"}
    for row in versions(company):
        assert activate(ctx("anna"), company, row.id)
    assert [p.code for _, p in in_force(company)] == list(shipped())
    # One's own changes stay, and nothing is put in their place.
    own = save(ctx("anna"), company, STANDARD.replace("day = 5", "day = 8"))
    assert install_shipped(ctx("anna"), company) == []
    assert version_row(company, "standard").id == own.id


def test_companies_have_their_own(company: int) -> None:
    other = ensure_company(ctx("system:test"), "ADDA").id
    saved = save(ctx("anna"), company, STANDARD)
    with pytest.raises(SaldoError) as refused:
        activate(ctx("bruno"), other, saved.id)
    assert refused.value.code == "playbook_version_unknown"
    with pytest.raises(SaldoError) as unknown:
        retire(ctx("bruno"), other, "standard")
    assert unknown.value.code == "playbook_unknown"
    with pytest.raises(SaldoError) as never:
        retire(ctx("bruno"), company, "standard")
    assert never.value.code == "playbook_not_in_force"
    with pytest.raises(SaldoError) as missing:
        version_row(company, "standard", 7)
    assert missing.value.params["known"] == "1"


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unseen(company: int) -> None:
    first = save(ctx("anna"), company, STANDARD)
    save(ctx("bruno"), company, STANDARD.replace("day = 5", "day = 7"), based_on=first.version)
    with pytest.raises(SaldoError) as refused:
        save(ctx("anna"), company, STANDARD.replace("day = 5", "day = 9"), based_on=first.version)
    assert (refused.value.code, refused.value.params["author"]) == ("playbook_changed_meanwhile", "bruno")
    assert PlaybookVersion.objects.count() == 2


def test_the_cache_of_playbooks_knows_only_what_is_stored(company: int) -> None:
    saved = save(replace(ctx("anna"), language="it"), company, STANDARD)
    activate(ctx("bruno"), company, saved.id)
    ((_, first),) = in_force(company)
    ((_, again),) = in_force(company)
    assert first is again and first == version_row(company, "standard").playbook
