"""The credit office of the past: whom it wrote to before Saldo did, and how disputes end."""

from __future__ import annotations

import numpy as np
import polars as pl

from saldo.simulation.world import days, tables
from saldo.simulation.world.credits import settle, use_credit
from saldo.simulation.world.state import State

MONDAY = 0
SOFT_UNTIL_DAYS = 30


def messages_of_the_past(state: State) -> pl.DataFrame | None:
    """MESSAGES of today: on Mondays, a share of the overdue accounts that nobody asked lately."""
    p, day = state.p.office, state.today
    if days.weekday(day) != MONDAY:
        return None
    lines = np.flatnonzero((state.erp_open > 0) & (state.lines.due <= day - p.overdue_days))
    lines = lines[state.is_payable(lines) & (state.lines.issued[lines] <= day)]
    if not len(lines):
        return None
    lines = lines[np.lexsort((lines, state.lines.account[lines]))]
    account = state.lines.account[lines]
    starts = np.flatnonzero(np.append(True, account[1:] != account[:-1]))
    accounts = account[starts]
    oldest = np.maximum.reduceat(day - state.lines.due[lines], starts)
    rested = np.array([_rested(state, account, day, p.pause_days) for account in accounts.tolist()])
    asked = rested & state.draws.happens("office/asks", p.contacted_share, accounts, day)
    calls = state.draws.happens("office/calls", p.call_share, accounts, day)
    plans = state.draws.happens("office/plans", p.plan_share, accounts, day)
    stops = np.append(starts[1:], len(lines))
    rows = []
    for at in np.flatnonzero(asked).tolist():
        formal = oldest[at] >= p.pec_days
        written = "pec" if formal else "email"
        if not state.has_address(written, int(state.account_customer[accounts[at]])):
            written = "letter"
        channel = "call" if calls[at] else written
        tone = "formal" if formal else "soft" if oldest[at] < SOFT_UNTIL_DAYS else "firm"
        purpose = "plan" if plans[at] else "reminder"
        own = lines[starts[at] : stops[at]].tolist()
        rows.append((None, int(accounts[at]), days.day_of(day), channel, tone, purpose, own))
    return pl.DataFrame(rows, schema=tables.MESSAGES, orient="row") if rows else None


def _rested(state: State, account: int, day: int, pause_days: int) -> bool:
    log = state.contacts.get(int(state.account_customer[account]), [])
    return not log or day - log[-1] >= pause_days


def write_off(state: State) -> None:
    """Give up what insolvent customers owe, and what nobody paid for long after its due date."""
    day = state.today
    if not days.is_business(day):
        return
    # What is on its way through the bank (remaining is less than erp_open), or in its hands, is not given up.
    lines = np.flatnonzero((state.given_up <= day) & (state.remaining > 0) & (state.erp_open > 0))
    for line in lines[state.is_payable(lines) & (state.lines.issued[lines] <= day)].tolist():
        cents = int(min(state.erp_open[line], state.remaining[line]))
        state.lines.plan[line] = state.lines.part_day[line] = days.NEVER
        state.remaining[line] -= cents
        state.post(line, day, cents, "write_off", None)


def resolve(state: State, invoice: int, credit_cents: int, reason: str) -> None:
    """A dispute ends: with a credit note if the customer was right, and the rest is paid soon (not before
    it is due)."""
    lines = state.lines_of_invoice(invoice)
    lines = lines[state.is_payable(lines)]
    owed = int(state.remaining[lines].sum())
    cents = min(credit_cents, owed)
    if cents > 0:
        account = int(state.invoice_account[invoice])
        note = state.credit("credit_note", account, cents, state.today, invoice, reason)
        for line in lines.tolist():
            settle(state, note, line, note.cents)
        # What the ERP does not show yet (a receipt came back today) is set off another day.
        use_credit(state, note)
    wait = int(state.draws.whole("disputes/paid after", *state.p.disputes.paid_after_days, invoice))
    paid = int(days.next_business(state.today + wait))
    when = np.maximum(paid, days.next_business(state.lines.due[lines]))
    fails = state.customers.insolvency[state.lines.customer[lines]] <= when
    state.lines.plan[lines] = np.where(fails, days.NEVER, when)
