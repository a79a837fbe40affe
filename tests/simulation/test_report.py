"""Figures from a truth made by hand, and the statistics of the report."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from saldo.simulation.trial import report
from saldo.simulation.trial.figures import Figures, figures
from saldo.simulation.trial.report import Estimate, t_quantile
from saldo.simulation.world import tables
from saldo.simulation.world.tables import Tables
from tests.simulation.hand_world import frame

FIRST = date(2026, 1, 1)
LAST = date(2026, 12, 31)


def _tables(lines: list[dict[str, Any]], **others: Any) -> Tables:
    """lines: date, due, cents, account and the postings [(day, cents, kind)] of each."""
    made: dict[str, pl.DataFrame] = {
        name: pl.DataFrame(schema=getattr(tables, name.upper())) for name in Tables.__slots__
    }
    invoices, installments, postings = [], [], []
    for number, line in enumerate(lines):
        account, cents = line.get("account", 0), line["cents"]
        kind = "invoice" if cents > 0 else "credit_note"
        invoices.append(
            {"invoice_id": number, "account_id": account, "kind": kind, "date": line["date"],
             "total_cents": abs(cents) + line.get("split", 0), "split_vat_cents": line.get("split", 0)}
        )  # fmt: skip
        installments.append(
            {"installment_id": number, "invoice_id": number, "account_id": account, "no": 1,
             "due_date": line.get("due", line["date"]), "amount_cents": cents + line.get("split", 0),
             "cash_cents": cents}
        )  # fmt: skip
        for day, amount, kind in line.get("postings", []):
            postings.append(
                {"installment_id": number, "posted_date": day + timedelta(days=3), "effective_date": day,
                 "amount_cents": amount, "kind": kind}
            )  # fmt: skip
    made["invoices"] = frame(tables.INVOICES, *invoices)
    made["installments"] = frame(tables.INSTALLMENTS, *installments)
    made["postings"] = frame(tables.POSTINGS, *postings) if postings else made["postings"]
    made["customers"] = frame(
        tables.CUSTOMERS, {"customer_id": 0}, {"customer_id": 1, "insolvency_date": others.get("insolvent")}
    )
    made["accounts"] = frame(
        tables.ACCOUNTS,
        {"account_id": 0, "company_id": 0, "customer_id": 0},
        {"account_id": 1, "company_id": 0, "customer_id": 1},
    )
    for name in ("payments", "messages", "replies"):
        if name in others:
            made[name] = frame(getattr(tables, name.upper()), *others[name])
    return Tables(**made)


def test_dso_and_overdue_of_a_steady_company() -> None:
    # 1,000 a day, due after 30 days, paid on day 60: 60 days of sales stand open, half of them overdue.
    days = [FIRST - timedelta(days=200) + timedelta(days=n) for n in range(565)]
    lines = [
        {"date": day, "due": day + timedelta(days=30), "cents": 100_000,
         "postings": [(day + timedelta(days=60), 100_000, "payment")]}
        for day in days
    ]  # fmt: skip
    found = figures(_tables(lines), FIRST, LAST)
    assert found.dso_days == pytest.approx(60)
    assert found.overdue_share == pytest.approx(29 / 60)
    assert found.roll_over_90_share == 0
    assert found.bad_debt_share == 0


def test_split_vat_is_neither_open_nor_sold_and_credit_notes_lower_sales() -> None:
    lines = [
        {"date": LAST, "due": LAST, "cents": 60_000, "split": 13_200},
        {"date": LAST, "cents": -10_000},
    ]
    # On one day of the last ninety, 60,000 are open against net sales of 50,000.
    assert figures(_tables(lines), LAST, LAST).dso_days == pytest.approx(60 / 50 * 90)


@pytest.mark.parametrize(("paid_after_days", "rolled"), [(90, 0.0), (91, 0.0), (92, 0.25)])
def test_roll_over_90_is_what_stands_open_on_the_91st_day(paid_after_days: int, rolled: float) -> None:
    due = date(2026, 3, 1)
    late = {"date": due, "due": due, "cents": 25_00,
            "postings": [(due + timedelta(days=paid_after_days), 25_00, "payment")]}  # fmt: skip
    prompt = {"date": due, "due": due, "cents": 75_00, "postings": [(due, 75_00, "payment")]}
    too_young = {"date": LAST, "due": LAST - timedelta(days=90), "cents": 99_00}
    assert figures(_tables([late, prompt, too_young]), FIRST, LAST).roll_over_90_share == rolled


def test_a_payment_that_came_back_is_open_again() -> None:
    due = date(2026, 3, 1)
    came_back = [(due, 10_00, "payment"), (due + timedelta(days=5), -10_00, "return")]
    bounced = {"date": due, "due": due, "cents": 10_00, "postings": came_back}
    assert figures(_tables([bounced]), FIRST, LAST).roll_over_90_share == 1.0


def test_bad_debt_is_of_the_insolvent_and_of_what_is_very_late() -> None:
    lines = [
        {"date": date(2026, 12, 1), "due": date(2027, 1, 1), "cents": 10_00, "account": 1},
        {"date": date(2026, 5, 1), "due": LAST - timedelta(days=181), "cents": 20_00},
        {"date": date(2026, 5, 1), "due": LAST - timedelta(days=180), "cents": 30_00},
        {"date": date(2026, 2, 1), "due": date(2026, 2, 1), "cents": 40_00,
         "postings": [(date(2026, 2, 1), 40_00, "payment")]},
    ]  # fmt: skip
    found = figures(_tables(lines, insolvent=date(2026, 12, 20)), FIRST, LAST)
    assert found.bad_debt_share == pytest.approx(30 / 100)
    assert figures(_tables(lines), FIRST, LAST).bad_debt_share == pytest.approx(20 / 100)


def test_cash_contacts_and_complaints() -> None:
    payments = [
        {"payment_id": 0, "kind": "transfer", "booking_date": FIRST, "amount_cents": 100_00},
        {
            "payment_id": 1,
            "kind": "riba_return",
            "booking_date": FIRST + timedelta(7),
            "amount_cents": -30_00,
        },
        {"payment_id": 2, "kind": "fee", "booking_date": FIRST, "amount_cents": -5_00},
        {"payment_id": 3, "kind": "sdd", "booking_date": FIRST - timedelta(1), "amount_cents": 7_00},
    ]
    messages = [
        {"message_id": 0, "sent_date": FIRST, "channel": "call"},
        {"message_id": 1, "sent_date": FIRST, "channel": "email"},
    ]
    replies = [
        {"reply_id": 0, "reply_date": FIRST, "kind": "angry"},
        {"reply_id": 1, "reply_date": FIRST, "kind": "promise"},
    ]
    t = _tables([], payments=payments, messages=messages, replies=replies)
    found = figures(t, FIRST, FIRST + timedelta(days=8))
    assert found.cash_by_week == (100_00, -30_00) and found.cash_cents == 70_00
    assert (found.contacts, found.minutes, found.complaints) == (2, 9.0, 1)
    assert (found.dso_days, found.overdue_share, found.bad_debt_share) == (None, None, None)


# -- statistics -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (30, 2.0423)]
)
def test_quantiles_of_students_t(freedom: int, value: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(value, abs=5e-5)


def test_an_interval_needs_two_seeds() -> None:
    assert Estimate.of([]) == Estimate(None, None, None, 0)
    assert Estimate.of([3.0]) == Estimate(3.0, None, None, 1)


def _run(dso: float | None, cash: int = 0) -> Figures:
    return Figures(dso, 0.5, 0.1, 0.01, cash, (cash,), 10, 20.0, 1)


RESULTS = {
    "none": {1: _run(66.0), 2: _run(70.0), 3: _run(62.0)},
    "saldo": {1: _run(63.0, 100_00), 2: _run(68.0, 100_00), 3: _run(58.0, 100_00)},
}


def test_differences_are_taken_seed_by_seed() -> None:
    """The worked example of docs/rules/policy-trial.md."""
    dso = report.SHOWN[0]
    found = report.difference(RESULTS, "saldo", "none", dso)
    half = 4.302653 / math.sqrt(3)
    assert found.mean == pytest.approx(-3.0)
    assert (found.low, found.high) == (pytest.approx(-3.0 - half), pytest.approx(-3.0 + half))
    alone = report.estimate(RESULTS, "none", dso)
    assert alone.high is not None and alone.high - 66.0 == pytest.approx(4.302653 * 4.0 / math.sqrt(3))


def test_a_change_is_a_ratio_of_means() -> None:
    """x = 63, 68, 58 against y = 66, 70, 62: r = 189/198; residuals x - r y = 0, 1.18, -1.18."""
    found = report.change(RESULTS, "saldo", "none", report.SHOWN[0])
    residual = 68 - 189 / 198 * 70
    half = 4.302653 * residual / math.sqrt(3) / 66
    assert found.mean == pytest.approx(189 / 198 - 1)
    assert (found.low, found.high) == (
        pytest.approx(189 / 198 - 1 - half, abs=1e-6),
        pytest.approx(189 / 198 - 1 + half, abs=1e-6),
    )
    nothing = {"none": {1: _run(0.0)}, "saldo": {1: _run(1.0)}}
    assert report.change(nothing, "saldo", "none", report.SHOWN[0]).mean is None


def test_an_offer_of_a_plan_is_prepared_once() -> None:
    days = (FIRST, FIRST + timedelta(days=59), FIRST + timedelta(days=120))
    messages = [
        {"message_id": n, "sent_date": day, "channel": "email", "purpose": "plan"}
        for n, day in enumerate(days)
    ]
    # Three e-mails, and twice the minutes of an offer: the second one repeats it.
    assert figures(_tables([], messages=messages), FIRST, LAST).minutes == 3.0 + 2 * 5.0


def test_a_figure_that_a_run_could_not_tell_is_left_out() -> None:
    results = {"none": {1: _run(None), 2: _run(70.0)}, "saldo": {1: _run(1.0), 2: _run(68.0)}}
    found = report.difference(results, "saldo", "none", report.SHOWN[0])
    assert (found.mean, found.seeds) == (-2.0, 1)


def test_the_report_tells_both_tables() -> None:
    text = report.as_text(RESULTS, "small", 365)
    lines = text.splitlines()
    assert lines[0] == "365 days of a small world, 3 seeds; mean [95% interval]"
    assert "Difference against none, seed by seed" in lines
    assert "Change against none, of its mean" in lines
    assert [line for line in lines if line.startswith("DSO")][1].split()[2] == "-3.0"
    assert "calendar" not in text
    told = report.as_json(RESULTS, "small", 7, FIRST)
    assert [policy["policy"] for policy in told["policies"]] == ["none", "saldo"]
    assert "against_none" not in told["policies"][0]
    assert told["policies"][1]["against_none"]["cash_eur"]["mean"] == 100.0
    assert told["policies"][1]["cash_by_week"] == [
        {"week_start": "2026-01-01", "mean": 100.0, "low": 100.0, "high": 100.0, "seeds": 3}
    ]
