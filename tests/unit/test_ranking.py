"""Priority: the plain formulas, the frame that mirrors them, and the reasons it gives."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.analytics.ranking import RANKING_SCHEMA, rank
from saldo.core import priority
from saldo.core.desk_prior import default_desk_prior
from saldo.core.priority import ItemOutlook
from saldo.core.priors import default_priors, parse_priors
from saldo.core.reasons import WORDINGS, render

AS_OF = date(2026, 3, 31)
PRIOR = default_priors().priority
DESK = default_desk_prior()
CALL = next(a for a in PRIOR.actions if a.action == "call")


def item(
    account: int, units: int, days: int, p30: float = 0.4, roll: float = 0.5, **more: object
) -> dict[str, object]:
    return {
        "account_id": account, "due_date": AS_OF - timedelta(days=days), "balance_mills": units * 1000,
        "currency": "EUR", "p30": p30, "p_over_90": roll, "rung": "account", "mean_delay_days": 22.0,
        "n_history": 12, **more,
    }  # fmt: skip


def ranked(items: list[dict[str, object]], **options: object) -> list[dict[str, object]]:
    return rank(pl.DataFrame(items), AS_OF, **options).to_dicts()  # type: ignore[arg-type]


def words(row: dict[str, object], language: str = "it") -> list[str]:
    texts = [render(r["code"], r["params"], language) for r in row["reasons"]]  # type: ignore[attr-defined]
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts]


def test_worked_example_of_the_documentation() -> None:
    """10,000 EUR, p30 40%, chance of passing 90 days 50%, a call of +0.60 log-odds."""
    outlook = [ItemOutlook(10_000_000, 0.40, 0.50)]
    assert priority.uplifted(0.40, 0.60) == pytest.approx(0.54848, abs=1e-5)
    assert priority.urgency(0.50, PRIOR) == pytest.approx(0.08 * 60 / 365 + 0.10 * 0.5)
    assert priority.action_cost_mills(CALL, PRIOR) == 8 * 600 + 100 + 1000
    assert priority.action_value_mills(outlook, CALL, PRIOR) == pytest.approx(87_866.7, abs=0.1)
    assert priority.best_action(outlook, PRIOR)[0] is CALL


def test_doing_nothing_is_best_for_a_small_sum_that_comes_anyway() -> None:
    action, value = priority.best_action([ItemOutlook(40_000, 0.97, 0.01)], PRIOR)
    assert (action.action, value) == ("none", 0.0)


outlooks = st.tuples(
    st.integers(1, 10**10), st.floats(0, 1), st.floats(0, 1), st.integers(1, 400)
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), outlooks), min_size=1, max_size=20))
def test_frame_and_plain_formulas_agree(rows: list[tuple[int, tuple[int, float, float, int]]]) -> None:
    everything = replace(PRIOR, minimum_overdue_mills=0)
    records = [item(a, 0, days, p, roll) | {"balance_mills": mills} for a, (mills, p, roll, days) in rows]
    for row in ranked(records, prior=everything):
        own = [ItemOutlook(mills, p, roll) for a, (mills, p, roll, _) in rows if a == row["account_id"]]
        action, value = priority.best_action(own, PRIOR, DESK)
        assert row["action"] == action.action
        assert row["value_mills"] == pytest.approx(value, abs=0.51)
        minutes = priority.action_minutes(action, len(own), DESK)
        assert row["minutes"] == minutes
        per_minute = priority.value_per_minute_mills(value, action, minutes)
        assert row["value_per_minute_mills"] == pytest.approx(per_minute, abs=0.51)
        assert row["overdue_mills"] == sum(i.balance_mills for i in own)


@given(st.integers(1, 10**9), st.integers(1, 1000), st.floats(0.01, 0.99), st.floats(0, 1))
def test_gain_is_linear_in_the_balance(mills: int, times: int, p: float, roll: float) -> None:
    one = priority.gross_gain_mills(ItemOutlook(mills, p, roll), CALL, PRIOR)
    many = priority.gross_gain_mills(ItemOutlook(mills * times, p, roll), CALL, PRIOR)
    assert many == pytest.approx(one * times) and one > 0


def test_order_is_by_value_per_minute_and_dated_comes_first() -> None:
    items = [item(1, 5_000, 10), item(2, 50_000, 10), item(3, 100, 40), item(4, 900, 40)]
    dated = pl.DataFrame(
        {"account_id": [3, 4, 4], "code": ["review_due", "callback", "review_due"],
         "date": [date(2026, 3, 20), date(2026, 3, 25), date(2026, 3, 10)]}
    )  # fmt: skip
    rows = ranked(items, dated=dated)
    blocks = [(r["account_id"], r["block"]) for r in rows]
    assert blocks == [(4, "dated"), (3, "dated"), (2, "value"), (1, "value")]
    assert [r["rank"] for r in rows] == [1, 2, 3, 4]
    assert rows[-1]["cumulative_minutes"] == sum(r["minutes"] for r in rows)  # type: ignore[misc]
    assert words(rows[0])[0] == "da rivedere: nessun contatto dal 10 marzo 2026"
    assert all(len(r["reasons"]) <= 4 for r in rows)  # type: ignore[arg-type]


def test_the_payment_said_to_lower_an_account_does_lower_it() -> None:
    items = [item(1, 52_000, 10), item(2, 50_000, 10)]
    before = ranked(items)
    assert before[0]["account_id"] == 1
    reason = before[0]["reasons"][2]  # type: ignore[index]
    assert reason["code"] == "payment_would_lower"
    paid = json.loads(reason["params"])["amount_mills"]
    assert paid == pytest.approx(2_000_000, rel=0.01)
    items[0]["balance_mills"] -= paid + 1000  # type: ignore[operator]
    assert ranked(items)[0]["account_id"] == 2


def test_insufficient_history_orders_by_amount_times_age_and_says_so() -> None:
    guess = {"rung": "insufficient", "mean_delay_days": None, "n_history": 0}
    items = [item(1, 9_000, 5, **guess), item(2, 3_000, 60, **guess), item(3, 200, 10, 0.9, **guess)]
    rows = ranked(items)
    assert [r["account_id"] for r in rows] == [2, 1, 3]
    assert words(rows[0]) == [
        "storico insufficiente: in ordine di importo per anzianità (3.000 €, una fattura oltre 30 giorni)",
        "viene prima del successivo perché importo per giorni di ritardo è 180.000 contro 45.000",
        "con le partite chiuse degli ultimi 24 mesi si potrebbe stimare quando paga",
    ]


def test_known_accounts_keep_their_places_among_unknown_ones() -> None:
    guess = {"rung": "insufficient", "mean_delay_days": None, "n_history": 0}
    items = [item(1, 90_000, 1, **guess), item(2, 20_000, 5), item(3, 5_000, 80, **guess)]
    assert [r["account_id"] for r in ranked(items)] == [3, 2, 1]


def test_what_does_not_pay_off_waits_at_the_end() -> None:
    rows = ranked([item(1, 60, 3, 0.97, 0.0), item(2, 9_000, 3)])
    last = rows[1]
    assert (last["account_id"], last["block"], last["action"], last["value_mills"]) == (1, "wait", "none", 0)
    assert words(rows[1])[1].endswith("meglio attendere")


def test_not_yet_due_enters_only_for_a_large_courtesy_check() -> None:
    due_soon = [item(1, 30_000, -5), item(2, 20_000, -5), item(3, 30_000, -20), item(4, 30_000, -5)]
    items = [*due_soon, item(4, 1_000, 2)]
    rows = {r["account_id"]: r for r in ranked(items)}
    assert set(rows) == {1, 4}
    assert words(rows[1])[0] == "30.000 € in scadenza a giorni e nulla di scaduto: verifica di cortesia"
    assert rows[4]["overdue_mills"] == 1_000_000 and rows[1]["overdue_mills"] == 0


def test_currencies_without_a_rate_are_ranked_apart() -> None:
    items = [item(1, 10_000, 20), item(2, 99_000, 20, currency="USD"), item(2, 4_000, 20)]
    apart = ranked(items)
    assert {(r["currency"], r["rank"], r["account_id"]) for r in apart} == {
        ("EUR", 1, 1), ("EUR", 2, 2), ("USD", 1, 2),
    }  # fmt: skip
    together = ranked(items, rates={"USD": 0.9})
    assert [(r["account_id"], r["overdue_mills"]) for r in together] == [(2, 93_100_000), (1, 10_000_000)]


def test_same_input_in_any_order_gives_the_same_list() -> None:
    items = [item(a, 1_000, 10) for a in range(30)]
    assert ranked(items) == ranked(items[::-1])


def test_no_items_give_an_empty_list() -> None:
    frame = pl.DataFrame([item(1, 1, 1)]).clear()
    assert rank(frame, AS_OF).schema == {"account_id": pl.Int64(), **RANKING_SCHEMA}


def test_reasons_read_like_a_credit_manager() -> None:
    facts = {
        "mean_delay_days": 22.0, "n_history": 40, "rung": "account", "overdue_items": 7, "over_30_items": 5,
        "oldest_days": 71, "p30": 0.38, "amount_mills": 1_234_567_890, "currency": "EUR",
    }  # fmt: skip
    assert render("situation", facts) == (
        "paga in media 22 giorni dopo la scadenza; cinque fatture oltre 30 giorni; "
        "38% di probabilità di incasso in 30 giorni"
    )
    assert render("situation", facts, "en") == (
        "pays on average 22 days after the due date; five invoices more than 30 days late; "
        "38% chance of payment within 30 days"
    )
    early = facts | {"mean_delay_days": -3.0, "over_30_items": 0, "overdue_items": 1}
    early |= {"oldest_days": 1, "p30": 0.001}
    assert render("situation", early) == (
        "paga in media 3 giorni prima della scadenza; una fattura scaduta da un giorno; "
        "meno dell'1% di probabilità di incasso in 30 giorni"
    )
    assert render("courtesy_check", facts, "en").startswith("€1,234,568 falls due")
    assert render("review_due", {"since": "2026-03-08"}).endswith("dall'8 marzo 2026")


def test_every_reason_exists_in_both_languages() -> None:
    assert set(WORDINGS["it"]) == set(WORDINGS["en"])


def test_review_is_due_from_the_later_of_contact_and_overdue() -> None:
    day = date(2026, 3, 1)
    assert priority.review_due(day, None, day + timedelta(days=30), 30)
    assert not priority.review_due(day, None, day + timedelta(days=29), 30)
    assert not priority.review_due(day, day + timedelta(days=10), day + timedelta(days=35), 30)
    assert not priority.review_due(None, None, day, 30)


def test_payment_that_lowers() -> None:
    assert priority.payment_that_lowers_mills(1000, 90.0, 10.0, 40.0) == 500
    assert priority.payment_that_lowers_mills(1000, 90.0, 10.0, 95.0) == 0
    assert math.isclose(priority.payment_that_lowers_mills(1000, 90.0, 10.0, 0.0), 900)
    assert priority.amount_times_age([(100, 3), (50, -4)]) == 300


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("minutes = 8.0", "minutes = 0.0"),
        ("[0.0, 0.003", "[0.0, 0.5"),
        ("[priority.actions.none]", "[priority.actions.no]"),
    ],
)
def test_wrong_priors_are_refused(old: str, new: str) -> None:
    text = files("saldo.core").joinpath("priors.toml").read_text(encoding="utf-8")
    assert parse_priors(text) == default_priors()
    with pytest.raises(ValueError, match="priors:"):
        parse_priors(text.replace(old, new))
