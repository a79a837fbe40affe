"""The cash of the demo: our bank accounts, what banks and payers send, and a cash specialist of the past.

The specialist knows nothing that is not in Saldo: what a proposal is likely enough for, and older than the
last days, is confirmed; the rest waits on the cash desk for whoever looks at the demo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Any

from django.db import connection

from saldo.cash.plans import Planned
from saldo.cash.postings import post
from saldo.cash.statements import add_bank_account
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.flows.apply_cash import apply_cash
from saldo.simulation.draws import Draws
from saldo.simulation.files.folder import sent_bank_files
from saldo.simulation.files.remittance_files import remittances
from saldo.simulation.files.riba_files import bank_riba_presented
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

# Proposals at least this likely were confirmed, of lines older than so many days.
CONFIRMED_FROM = 0.9
LEFT_DAYS = 3
# Receipts are presented so long before the bank tells what became of them, at most.
SLIP_DAYS = 150
FOLDERS = frozenset({"bank", "mail"})

_LIKELY = """
SELECT t.id, m.id, m.account_id, m.shares, m.differences
  FROM cash_banktransaction t
  JOIN LATERAL (SELECT m.* FROM cash_matchproposal m WHERE m.transaction_id = t.id
                 ORDER BY m.run DESC, m.rank LIMIT 1) m ON true
 WHERE t.company_id = %s AND t.kind = 'booked' AND t.booking_date <= %s AND m.kind = 'match'
   AND m.probability >= %s AND m.account_id IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM cash_posting p WHERE p.transaction_id = t.id)
 ORDER BY t.booking_date, t.id
"""


def files_of_cash(t: Tables, draws: Draws, first: date, last: date, share: float) -> Iterator[WorldFile]:
    """Bank files, damaged ones too, and advices of payment that arrive from ``first`` to ``last``; on the
    first day also the slips of receipts that are still on their way."""
    for slip in bank_riba_presented(t, first - timedelta(days=SLIP_DAYS), first - timedelta(days=1)):
        yield replace(slip, day=first)
    for file in sent_bank_files(t, draws, first, last):
        if first <= file.day <= last:
            yield file
    yield from remittances(t, draws, first, last, share)


def is_cash(file: WorldFile) -> bool:
    return bool(FOLDERS & set(PurePosixPath(file.path).parts))


def ensure_bank_accounts(ctx: Context, t: Tables, companies: dict[str, int]) -> None:
    owners = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
    for bank in t.banks.iter_rows(named=True):
        owner = owners[bank["company_id"]]
        add_bank_account(
            ctx, companies[owner["code"]], name=bank["name"], iban=bank["iban"], bic=bank["bic"],
            abi=bank["abi"], cab=bank["cab"], number=bank["account"], currency="EUR", sia=owner["sia"],
            creditor_id=owner["creditor_id"],
        )  # fmt: skip


def apply_and_confirm(ctx: Context, company_id: int) -> None:
    """Apply what is open as of the context's day; then the specialist confirms what is old and likely."""
    apply_cash(ctx, company_id)
    until = ctx.as_of - timedelta(days=LEFT_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_LIKELY, [company_id, until, CONFIRMED_FROM])
        likely = cursor.fetchall()
    for line, proposal, account, shares, differences in likely:
        planned = Planned(
            line, account, _shares(shares), _differences(differences), mode="confirmed", proposal_id=proposal
        )
        try:
            post(ctx, planned)
        except SaldoError:
            # Another line took what this one was proposed for: it waits for a person.
            continue


def _shares(told: Any) -> tuple[Share, ...]:
    return tuple(Share(each["item"], each["mills"]) for each in _json(told))


def _differences(told: Any) -> tuple[Difference, ...]:
    return tuple(Difference(each["kind"], each["item"], each["mills"]) for each in _json(told))


def _json(told: Any) -> list[dict[str, Any]]:
    """A driver's raw cursor gives JSON as text."""
    return json.loads(told) if isinstance(told, str) else told
