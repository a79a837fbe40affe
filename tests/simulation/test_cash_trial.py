"""What the trial of cash application takes for right, what its perfect reader knows, and how it counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import combinations

import pytest
from hand_world import hand_tables
from hypothesis import given
from hypothesis import strategies as st

from saldo.simulation.cash_trial.books import Books, OpenLine
from saldo.simulation.cash_trial.ceiling import Reader, Record, Seen
from saldo.simulation.cash_trial.combinations import MANY, count_sums
from saldo.simulation.cash_trial.readings import readings
from saldo.simulation.cash_trial.report import Outcome, figures, lower_bound
from saldo.simulation.cash_trial.truth import (
    DUPLICATE,
    LEFT,
    RIGHT,
    WRONG,
    Truth,
    fault_kinds,
    truths,
    verdict,
)

DAY = date(2026, 3, 10)
# 1,000 and 250 named together; the bank kept 3.20.
SHORT = Truth(1, 0, 0, DAY, 124_680, paid={7: 99_680, 8: 25_000}, meant={7: 320}, meant_kind="charges")
PART = Truth(2, 0, 0, DAY, 40_000, paid={7: 40_000})
NETTED = Truth(3, 0, 0, DAY, 97_000, paid={7: 100_000}, credits={9: 3_000})
AGAIN = Truth(4, 0, 0, DAY, 100_000, kind=DUPLICATE)


@pytest.mark.parametrize(
    "truth, shares, written, said",
    [
        (SHORT, {7: 99_680, 8: 25_000}, {7: 320}, RIGHT),
        (SHORT, {7: 99_680, 8: 25_000}, {}, RIGHT),
        (SHORT, {7: 100_000, 8: 24_680}, {8: 320}, RIGHT),
        (SHORT, {7: 100_000, 8: 24_680}, {}, RIGHT),
        (SHORT, {7: 100_000, 6: 24_680}, {}, WRONG),
        (SHORT, {7: 99_680}, {}, WRONG),
        (SHORT, {}, {}, LEFT),
        (PART, {7: 40_000}, {}, RIGHT),
        (PART, {7: 40_000}, {7: 60_000}, WRONG),
        (PART, {8: 40_000}, {}, WRONG),
        (NETTED, {7: 100_000, 9: -3_000}, {}, RIGHT),
        (NETTED, {7: 97_000}, {}, WRONG),
        (NETTED, {7: 100_000, 5: -3_000}, {}, WRONG),
        (AGAIN, {}, {}, RIGHT),
        (AGAIN, {7: 100_000}, {}, WRONG),
    ],
)
def test_what_is_right(truth: Truth, shares: dict[int, int], written: dict[int, int], said: str) -> None:
    assert verdict(truth, shares, written) == said


@given(
    st.lists(st.integers(-20, 30), max_size=7),
    st.integers(1, 60),
    st.integers(0, 3),
)
def test_sums_are_counted_exactly(amounts: list[int], low: int, width: int) -> None:
    sets = [
        chosen
        for size in range(1, len(amounts) + 1)
        for chosen in combinations([at for at, amount in enumerate(amounts) if amount], size)
        if low <= sum(amounts[at] for at in chosen) <= low + width
    ]
    ways = count_sums(amounts, low, low + width)
    assert ways.count == min(MANY, len(sets))
    assert not ways.is_bounded
    if len(sets) == 1:
        assert ways.chosen == sets[0]


def test_a_sum_too_large_is_not_searched() -> None:
    assert count_sums([10**9, 10**9 + 1], 10**9).is_bounded


def test_the_truth_of_a_world_adds_up_and_the_books_hold_what_is_paid() -> None:
    t = hand_tables()
    first, last = t.payments["booking_date"].min(), t.payments["booking_date"].max()
    known = truths(t, first, last)
    assert known and {kind for truth in known.values() for kind in fault_kinds(truth)}
    books = Books(t, first, known)
    for truth in known.values():
        books.advance(truth.booking_date)
        for item in truth.paid:
            assert truth.cleared(item) <= books.line(item).balance
        books.apply(truth.payment_id)
    assert all(line.balance * line.cents >= 0 for line in books.open())


def test_the_reader_reads_the_hand_made_world() -> None:
    t = hand_tables()
    first, last = t.payments["booking_date"].min(), t.payments["booking_date"].max()
    read = readings(t, first, first, last)
    assert set(read) == set(truths(t, first, last))
    assert WRONG not in {each.verdict for each in read.values()}
    assert RIGHT in {each.verdict for each in read.values()}


class _Shelf:
    """The open lines of one account, for a reader."""

    def __init__(self, *lines: OpenLine) -> None:
        self._lines = list(lines)

    def of_account(self, account: int) -> list[OpenLine]:
        return self._lines if account == 1 else []

    def open(self) -> list[OpenLine]:
        return self._lines


def _open(item: int, number: str, cents: int, **more: object) -> OpenLine:
    kind = "invoice" if cents > 0 else "credit_note"
    return OpenLine(item, 0, 1, 1, item, kind, number, DAY, DAY, 1, "ODA 77", cents, cents, **more)


SEEN = Seen(1, 0, DAY, 100_000, "", "", "ACME SRL", "IT00X")
SHELF = (
    _open(1, "4112/26", 100_000),
    _open(2, "4115/26", 25_000),
    _open(3, "4290/26", 33_300),
    _open(4, "NC 8/26", -5_000),
    _open(5, "4300/26", 77_700, is_collected=True),
)


@pytest.mark.parametrize(
    "cents, text, shares",
    [
        (100_000, "SALDO FT 4112/26", {1: 100_000}),
        (100_000, "FT 4112", {1: 100_000}),
        (100_000, "FT 4121/26", {1: 100_000}),  # a slip that makes the amount
        (125_000, "FT 4112/26, 4151/26", {1: 100_000, 2: 25_000}),
        (99_700, "FT 4112/26", {1: 99_700}),
        (40_000, "FT 4112/26", {1: 40_000}),
        (40_000, "FT 4112/26, 4115/26", None),  # a part of several
        (20_000, "FT 4115/26 - NC 8/26", {2: 25_000, 4: -5_000}),
        (58_300, "SALDO FATTURE", {2: 25_000, 3: 33_300}),
        (58_299, "SALDO FATTURE", None),  # several items, nearly
        (33_299, "SALDO FATTURE", {3: 33_299}),
        (77_700, "SALDO FATTURE", None),  # collected by the bank
        (50_000, "ACCONTO", None),
    ],
)
def test_the_reader_knows_what_has_one_answer(cents: int, text: str, shares: dict[int, int] | None) -> None:
    record = Record()
    record.name(0, "Acme s.r.l.", 1)
    record.learn(replace(SEEN, text="EARLIER"), [1])
    reader = Reader(_Shelf(*SHELF), record)
    assert reader.read(replace(SEEN, cents=cents, text=text)).shares == shares


def test_the_reader_does_not_guess_who_pays_or_which_of_two() -> None:
    record = Record()
    record.learn(replace(SEEN, text="EARLIER"), [1])
    twins = _Shelf(_open(1, "4112/26", 100_000), _open(2, "5115/26", 100_000))
    assert Reader(twins, record).read(SEEN).why == "several sums"
    stranger = replace(SEEN, payer_iban="IT00Y", payer_name="NOBODY")
    reader = Reader(_Shelf(*SHELF), record)
    assert reader.read(stranger).shares is None
    assert reader.read(replace(stranger, text="FT 4112/26")).shares == {1: 100_000}
    advised = replace(SEEN, cents=60_000, advice=(("4112/26", 40_000), ("4115/26", 20_000)))
    assert reader.read(advised).shares == {1: 40_000, 2: 20_000}
    record.learn(replace(SEEN, text="FT 4115/26", cents=25_000), [1])
    again = reader.read(replace(SEEN, text="FT 4115/26", cents=25_000))
    assert (again.shares, again.why) == ({}, "paid again")


def _outcome(zone: str, said: str, reader: str = RIGHT, cents: int = 100, p: float = 0.999) -> Outcome:
    return Outcome(1, 0, DAY, cents, "pays", zone, said, reader, "", ("no fault",), p)


def test_figures_count_lines_and_value() -> None:
    told = figures(
        [
            *[_outcome("auto", RIGHT)] * 8,
            _outcome("auto", WRONG, reader="none", cents=1_100),
            _outcome("propose", RIGHT, p=0.9),
        ]
    )
    whole = told["all"]
    assert (whole["lines"], whole["auto"], whole["auto_wrong"]) == (10, 9, 1)
    assert whole["rate"] == 0.9 and whole["ceiling"] == 0.9
    # Of nine known lines eight were posted: the wrong one was not known.
    assert whole["rate_of_ceiling"] == round(8 / 9, 5)
    assert whole["precision"] == round(8 / 9, 5)
    assert whole["precision_by_value"] == round(800 / 1900, 5)
    assert [(b["lines"], b["right"]) for b in told["by_probability"]] == [(1, 1.0), (9, round(8 / 9, 4))]


def test_the_interval_is_that_of_clopper_and_pearson() -> None:
    # Without a failure the lower end is the n-th root of the miss; the other is from a published table.
    assert lower_bound(1000, 1000) == pytest.approx(0.025 ** (1 / 1000), abs=1e-4)
    assert lower_bound(8, 10) == pytest.approx(0.4439, abs=1e-4)
    assert lower_bound(0, 5) == 0.0 and lower_bound(0, 0) is None
