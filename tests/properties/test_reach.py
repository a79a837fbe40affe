"""Which documents a batch of lines may name: the quick test on a whole frame leaves none of them out."""

from __future__ import annotations

import random
from datetime import date

import polars as pl
import pytest

from saldo.cash.reach import may_be_named
from saldo.core.matching.references import document_keys, mentions

FORMS = (
    "{n}", "{n}/{y}", "{n}/{s}", "{y}/{z}", "{s}/{z}", "FT {n}/{y}", "A{n}-{s}", "{y}", "{s}", "{s}/{s}",
    "{y}-{n}/{m}", "{z}", "FT{z}{y}", "{n}/{m}/{s}", "NC {n}/{y}", "{m}/{n}",
)  # fmt: skip


def number(draw: random.Random) -> str:
    return draw.choice(FORMS).format(
        n=draw.choice([7, 26, 117, 2026, 12345, 9260000807, draw.randrange(10**6)]),
        y=draw.choice([2025, 2026, 2027]),
        s=draw.choice(["25", "26", "05"]),
        z=f"{draw.randrange(10**5):0{draw.choice([4, 6, 10])}d}",
        m=draw.randrange(1, 13),
    )


@pytest.mark.parametrize("seed", range(4))
def test_no_document_that_a_text_names_is_left_out(seed: int) -> None:
    draw = random.Random(seed)
    rows = [
        (n, number(draw), date(draw.choice([2025, 2026]), draw.randrange(1, 13), 5), "") for n in range(1500)
    ]
    items = pl.DataFrame(rows, schema=["item_id", "number", "document_date", "order_ref"], orient="row")
    for _ in range(20):
        text = " ".join(number(draw) for _ in range(3))
        keys = {key for mention in mentions(text) for key in mention.keys}
        found = set(may_be_named(items, keys)["item_id"])
        needed = {n for n, told, day, _ in rows if keys & set(document_keys(told, day))}
        assert needed <= found, (text, [rows[n] for n in sorted(needed - found)][:3])
        assert len(found) < len(rows) or len(needed) == len(rows)
