"""Credit notes and money on account: how they come about and how the office uses them up."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws
from saldo.simulation.world import days
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.state import Credit, State

# The office looks for something to set a credit against this often, this many days apart; then it refunds.
TRIES = 4
DAYS_BETWEEN_TRIES = 20
USED_AFTER_DAYS = (10, 40)
REFUNDED_AFTER_DAYS = (20, 60)


def schedule_notes(
    p: Parameters, draws: Draws, invoices: pl.DataFrame, special: NDArray[np.bool_]
) -> list[tuple[int, int, int]]:
    """(day, invoice, cents) of the ordinary credit notes; public bodies and condominiums get none."""
    ids = invoices["invoice_id"].cast(pl.Int64).to_numpy()
    chosen = ids[draws.happens("notes/invoice", p.credit_notes.share, ids) & ~special]
    issued = invoices["date"].cast(pl.Int32).cast(pl.Int64).to_numpy()[chosen]
    day = days.next_business(issued + draws.whole("notes/day", *p.credit_notes.days, chosen))
    part = draws.between("notes/part", *p.credit_notes.part, chosen)
    cents = np.maximum(100, np.round(invoices["total_cents"].to_numpy()[chosen] * part)).astype(np.int64)
    return sorted(zip(day.tolist(), chosen.tolist(), cents.tolist(), strict=True))


def issue_note(state: State, day: int, invoice: int, cents: int) -> None:
    account = int(state.invoice_account[invoice])
    credit = state.credit("credit_note", account, cents, day, invoice, "")
    wait = state.draws.whole("notes/used", *USED_AFTER_DAYS, invoice)
    state.agenda.put(int(days.next_business(day + int(wait))), "use credit", credit)


def use_credit(state: State, credit: Credit) -> None:
    """Set a credit against the invoice it is about, else the oldest line; in the end refund it."""
    if not credit.cents:
        return
    for line in _targets(state, credit):
        settle(state, credit, int(line), min(credit.cents, int(state.remaining[line])))
        if not credit.cents:
            return
    credit.tries += 1
    again = int(days.next_business(state.today + DAYS_BETWEEN_TRIES))
    state.agenda.put(again, "use credit" if credit.tries < TRIES else "refund", credit)


def _targets(state: State, credit: Credit) -> NDArray[np.int64]:
    lines = state.lines_of_account(credit.account)
    lines = lines[(state.lines.issued[lines] <= state.today) & (state.remaining[lines] > 0)]
    lines = lines[state.is_payable(lines)]
    is_other = state.lines.invoice[lines] != (-1 if credit.related is None else credit.related)
    return lines[np.lexsort((lines, state.lines.due[lines], is_other))]


def settle(state: State, credit: Credit, line: int, cents: int) -> None:
    """Set ``cents`` of a credit against a line, today, in the customer's mind and in the ERP."""
    cents = min(cents, int(state.remaining[line]), int(state.erp_open[line]), credit.cents)
    if cents <= 0:
        return
    state.remaining[line] -= cents
    credit.cents -= cents
    state.post(line, state.today, cents, "credit", None)
    state.post(credit.line, state.today, -cents, "credit", None)


def open_notes(state: State, account: int) -> list[Credit]:
    """Credit notes of the account that are not used up; what is used up is forgotten."""
    left = [credit for credit in state.credits.get(account, ()) if credit.cents]
    state.credits[account] = left
    return [credit for credit in left if credit.is_note]
