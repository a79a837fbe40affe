"""Remittance advices of a world: every medium reads back to the cent, and twice gives the same bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hand_world import frame, hand_tables

from saldo.formats.detect import read_bytes
from saldo.simulation.draws import Draws
from saldo.simulation.files.remittance_files import Advice, advices, remittances
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables

DAY = date(2026, 3, 2)
PARENT, CHARGED, REDUCED = 0, 6, 100
MEDIA = ("mail", "pdf", "xlsx", "iso20022")
# Enough ids for every greeting, layout and encoding to be drawn.
ADVICES_EACH = 12


def _world() -> Tables:
    """Three payments, advised on every medium: less a credit note; less bank charges; with a discount and a
    rounding, by the customer that writes English."""
    t = hand_tables()
    english = t.payments.filter(pl.col("payment_id") == PARENT).with_columns(
        payment_id=pl.lit(REDUCED, pl.Int32), payer_id=pl.lit(4, pl.Int32)
    )
    taken = ((3, "paid", 1_195_60), (3, "discount", 24_40), (4, "paid", 244_00), (4, "rounding", 1),
             (9, "credit", -122_00))  # fmt: skip
    lines = [
        {"payment_id": REDUCED, "installment_id": item, "kind": kind, "amount_cents": cents}
        for item, kind, cents in taken
    ]
    sent = [
        {"payment_id": payment, "medium": medium, "sent_date": DAY}
        for payment in (PARENT, CHARGED, REDUCED)
        for medium in MEDIA
        for _ in range(ADVICES_EACH)
    ]
    numbered = [row | {"remittance_id": ix} for ix, row in enumerate(sent)]
    return replace(
        t,
        payments=pl.concat([t.payments, english]),
        payment_lines=pl.concat([t.payment_lines, frame(tables.PAYMENT_LINES, *lines)]),
        remittances=frame(tables.REMITTANCES, *numbered),
    )


@pytest.fixture(scope="module")
def told() -> list[tuple[Advice, WorldFile]]:
    t, draws = _world(), Draws(1)
    return list(zip(advices(t, draws, DAY, DAY), remittances(t, draws, DAY, DAY), strict=True))


def test_every_advice_reads_back_to_the_cent(told: list[tuple[Advice, WorldFile]]) -> None:
    assert {advice.medium for advice, _ in told} == set(MEDIA)
    expected = {
        # (number, paid, kept back) in mills, as the tables say.
        PARENT: [("2/26", 1_220_000, 0), ("3/26", 244_010, 0), ("NC 1/26", -122_000, 0)],
        # The customer ordered the whole; what its bank kept it does not know.
        CHARGED: [("9000002", 2_500_000, 0)],
        REDUCED: [("2/26", 1_195_600, 24_400), ("3/26", 244_000, 10), ("NC 1/26", -122_000, 0)],
    }
    for advice, file in told:
        results = [result for _, result in read_bytes(file.data, file.path)]
        assert not [rejection for result in results for rejection in result.rejections], file.path
        [record] = [one for result in results for one in result.records if one.kind == "remittance"]
        lines = [(line.number, line.paid_mills, line.discount_mills) for line in record.lines]
        wanted = expected[advice.payment["payment_id"]]
        assert [line[1:] for line in lines] == [line[1:] for line in wanted], file.path
        assert all(number.removeprefix("NC ") == want[0].removeprefix("NC ")
                   for (number, *_), want in zip(lines, wanted, strict=True))  # fmt: skip
        assert (record.total_mills, record.adds_up) == (sum(line[1] for line in wanted), True)
        assert record.payment_date == advice.payment["booking_date"]


def test_some_come_bare_and_some_with_a_mail(told: list[tuple[Advice, WorldFile]]) -> None:
    ends = {medium: {file.path.rpartition(".")[2] for advice, file in told if advice.medium == medium}
            for medium in MEDIA}  # fmt: skip
    assert ends == {"mail": {"eml"}, "pdf": {"pdf", "eml"}, "xlsx": {"eml"}, "iso20022": {"xml", "eml"}}
    assert len({file.path for _, file in told}) == len(told)


def test_the_same_tables_and_seed_give_the_same_bytes(told: list[tuple[Advice, WorldFile]]) -> None:
    again = list(remittances(_world(), Draws(1), DAY, DAY))
    assert [file.data for file in again] == [file.data for _, file in told]
    other = list(remittances(_world(), Draws(2), DAY, DAY))
    assert [file.data for file in other] != [file.data for file in again]


def test_a_share_is_a_part_of_the_whole(told: list[tuple[Advice, WorldFile]]) -> None:
    part = list(remittances(_world(), Draws(1), DAY, DAY, share=0.3))
    assert 0 < len(part) < len(told)
    assert {file.path for file in part} < {file.path for _, file in told}
