"""What must hold of expected cash for every portfolio."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.analytics.cash_forecast import CASH_SCHEMA, cash_forecast
from saldo.analytics.cash_simulation import Dependence
from saldo.analytics.curves import WEEKLY, Curves

AS_OF = date(2026, 3, 31)
SCHEMA = {"item_id": pl.Int64, "customer_id": pl.Int64, "currency": pl.String, "balance_mills": pl.Int64}

portfolios = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["EUR", "USD"]),
        st.one_of(st.integers(-5, 10**6), st.integers(1, 10**15)),  # twelve orders of magnitude
        st.floats(0, 1),
        st.floats(0.5, 200),
    ),
    max_size=40,
)
dependences = st.sampled_from([Dependence(0.0, 0.0), Dependence(0.02, 0.2), Dependence(0.3, 0.0)])


def asked(rows: list[tuple[int, str, int, float, float]]) -> tuple[Curves, pl.DataFrame]:
    items = [(n, customer, currency, mills) for n, (customer, currency, mills, _, _) in enumerate(rows)]
    paid = [limit * (1 - np.exp(-WEEKLY / days)) for _, _, _, limit, days in rows]
    shares = np.array(paid, dtype=np.float32).reshape(len(rows), len(WEEKLY))
    return Curves(WEEKLY, shares), pl.DataFrame(items, schema=SCHEMA, orient="row")


@settings(max_examples=25, deadline=None)
@given(portfolios, dependences)
def test_weeks_add_up_and_quantiles_are_in_order(
    rows: list[tuple[int, str, int, float, float]], dependence: Dependence
) -> None:
    curves, items = asked(rows)
    result = cash_forecast(curves, items, AS_OF, dependence=dependence, seed=3)
    assert result.schema == CASH_SCHEMA
    debits = items.filter(pl.col("balance_mills") > 0)
    assert set(result["currency"]) == set(debits["currency"])
    for (currency,), weeks in result.group_by("currency"):
        balance = debits.filter(pl.col("currency") == currency)["balance_mills"].sum()
        assert weeks["week"].to_list() == list(range(1, 14))
        assert weeks["expected_mills"].cum_sum().to_list() == weeks["cumulative_mills"].to_list()
        assert weeks["expected_mills"].min() >= 0 and weeks["cumulative_mills"][-1] <= balance
        for name in ("", "cumulative_"):
            low, middle, high = (weeks[f"{name}{q}_mills"] for q in ("low", "middle", "high"))
            assert (low >= 0).all() and (low <= middle).all() and (middle <= high).all()
        # Sums so far only grow, and never pass what is open (but for the rounding of a float).
        assert (weeks["cumulative_high_mills"].diff().drop_nulls() >= 0).all()
        assert weeks["cumulative_high_mills"][-1] <= balance * (1 + 1e-12) + 1


@settings(max_examples=20, deadline=None)
@given(portfolios, st.randoms(use_true_random=False))
def test_the_order_of_items_and_other_currencies_change_nothing(
    rows: list[tuple[int, str, int, float, float]], chance: object
) -> None:
    curves, items = asked(rows)
    result = cash_forecast(curves, items, AS_OF, seed=3)
    order = np.arange(len(rows))
    chance.shuffle(order)  # type: ignore[attr-defined]
    assert cash_forecast(curves.rows(order), items[order.tolist()], AS_OF, seed=3).equals(result)
    euro = items.with_row_index().filter(pl.col("currency") == "EUR")
    alone = cash_forecast(
        curves.rows(euro["index"].to_numpy().astype(np.int64)), euro.drop("index"), AS_OF, seed=3
    )
    assert alone.equals(result.filter(pl.col("currency") == "EUR"))
    other = cash_forecast(curves, items, AS_OF, seed=4)
    assert other["expected_mills"].equals(result["expected_mills"])
