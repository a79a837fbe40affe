"""What must hold for every history: probabilities behave, time does not leak, nothing open is dropped."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.analytics.payment_date import delays
from saldo.analytics.payment_date.empirical_bayes import fit, forecast, paid_within, payment_forecast

AS_OF = date(2026, 3, 31)
SCHEMA = {
    "account_id": pl.Int64, "segment": pl.Utf8, "document_date": pl.Date, "due_date": pl.Date,
    "paid_date": pl.Date, "closed_unknown": pl.Boolean,
}  # fmt: skip

invoices = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["A", "B", None]),
        st.integers(-60, 900),  # age: days past due at AS_OF
        st.integers(0, 120),  # terms
        st.one_of(st.none(), st.integers(-150, 900)),  # delay
    ),
    min_size=1,
    max_size=80,
)


def facts(rows: list[tuple[int, str | None, int, int, int | None]]) -> pl.DataFrame:
    records = []
    for account, segment, age, terms, delay in rows:
        due = AS_OF - timedelta(days=age)
        paid = None if delay is None else due + timedelta(days=delay)
        records.append((account, segment, due - timedelta(days=terms), due, paid, False))
    return pl.DataFrame(records, schema=SCHEMA, orient="row")


def cut(frame: pl.DataFrame, as_of: date) -> pl.DataFrame:
    paid = pl.when(pl.col("paid_date") <= as_of).then("paid_date").alias("paid_date")
    return frame.filter(pl.col("document_date") <= as_of).with_columns(paid)


@settings(max_examples=40, deadline=None)
@given(invoices)
def test_probabilities_are_shares_and_grow_with_the_horizon(rows: list[tuple]) -> None:  # type: ignore[type-arg]
    book = cut(facts(rows), AS_OF)
    asked = facts(rows).drop("paid_date", "closed_unknown")
    model = fit(book, AS_OF)
    shares = paid_within(model, asked, [0, 1, 7, 30, 60, 90, 400, 3000])
    assert np.all(shares[:, 0] == 0) and np.all(shares <= 1) and np.all(np.isfinite(shares))
    assert np.all(np.diff(shares, axis=1) >= 0)
    result = forecast(model, asked)
    assert result.filter(~pl.col("p_over_90").is_between(0, 1)).is_empty()
    assert result.filter(~pl.col("p30").is_between("p30_low", "p30_high")).is_empty()
    assert result.filter(pl.col("low_date") > pl.col("expected_date")).is_empty()
    assert result.filter(pl.col("expected_date") > pl.col("high_date")).is_empty()
    assert result.filter(pl.col("low_date") <= AS_OF).is_empty()
    assert len(result) == len(asked)


@settings(max_examples=25, deadline=None)
@given(invoices, st.integers(30, 300))
def test_facts_after_the_date_change_nothing(rows: list[tuple], back: int) -> None:  # type: ignore[type-arg]
    """Later payments and later invoices, cut away by the caller, leave the forecast as it was."""
    day = AS_OF - timedelta(days=back)
    whole = facts(rows)
    earlier = whole.filter(pl.col("document_date") <= day)
    asked = earlier.drop("paid_date", "closed_unknown")
    shuffled = cut(whole, day).sample(fraction=1.0, shuffle=True, seed=1)
    first, second = payment_forecast(cut(earlier, day), asked, day), payment_forecast(shuffled, asked, day)
    for name in ("p7", "p30", "p90", "p_over_90"):
        assert np.allclose(first[name], second[name], atol=1e-9)
    assert first["rung"].equals(second["rung"])


@settings(max_examples=50, deadline=None)
@given(invoices)
def test_every_installment_counts(rows: list[tuple]) -> None:  # type: ignore[type-arg]
    """Exposure is exactly the days observed on the grid, of paid and open installments alike."""
    entry = np.array([-terms for _, _, _, terms, _ in rows])
    paid = np.array([delay is not None and delay <= age for _, _, age, _, delay in rows])
    leave = np.array([d if p else age for (_, _, age, _, d), p in zip(rows, paid, strict=True)])
    ones, same = np.ones(len(rows)), np.zeros(len(rows), dtype=np.int64)
    counts = delays.count(same, entry, leave, np.zeros(len(rows), bool), ones, 1)
    days_seen = float((counts.at_risk[0] * delays.WIDTHS).sum())
    begin = np.clip(np.minimum(entry, leave) - 1, delays.FIRST_DAY, delays.LAST_DAY)
    end = np.clip(leave, delays.FIRST_DAY, delays.LAST_DAY)
    assert abs(days_seen - float((end - begin).sum())) < 1e-6
    events = delays.count(same, entry, leave, paid, ones, 1)
    assert events.paid.sum() == sum(p and d <= delays.LAST_DAY for p, d in zip(paid, leave, strict=True))
