"""The prescription clock of what is open, and the receipts that restart it. docs/rules/prescription.md.

prescription            a row per open debit: when it expires, and what restarted the term last
record_return_receipt   the card of a registered letter that came back
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

import polars as pl
from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import LETTER
from saldo.core.prescription import ACKNOWLEDGEMENT, FORMAL_NOTICE, Interruption, clock, years_of
from saldo.core.sending import DELIVERED, LEFT
from saldo.identity.models import Grant
from saldo.identity.operations import record_event, stamped
from saldo.identity.queries import companies
from saldo.intake.operations import keep_document
from saldo.ledger.owed import document_names, open_debits
from saldo.outreach import deliveries
from saldo.outreach.notices import delivered_notices, notice
from saldo.outreach.settings import rules_of
from saldo.promises.queries import acknowledgements

MAY_RECORD_RECEIPT = frozenset(
    {Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR, Grant.Role.CUSTOMER_CARE}
)
CLOCKS = {
    "item_id": pl.Int64,
    "account_id": pl.Int64,
    "kind": pl.String,
    "currency": pl.String,
    "balance_mills": pl.Int64,
    "due_date": pl.Date,
    "years": pl.Int64,
    "starts_date": pl.Date,
    "expires_date": pl.Date,
    "days_left": pl.Int64,
    "is_expired": pl.Boolean,
    "is_alert": pl.Boolean,
    "interrupted_date": pl.Date,
    "proof": pl.String,
    "ref": pl.Int64,
    "document_id": pl.Int64,
}
NAMED = {**CLOCKS, "code": pl.String, "name": pl.String, "number": pl.String, "installment_no": pl.Int64}


def prescription(
    ctx: Context, account_ids: Sequence[int] | None = None, alerts_only: bool = False
) -> pl.DataFrame:
    """NAMED: the clocks of all open debits of the context's company (or of some accounts), what expires first
    in front. is_alert: it expires within the company's alert days, or has expired. alerts_only: those alone.

    interrupted_date, proof, ref, document_id: what restarted the term last ("pec_receipt" and
    "letter_receipt": a message and its receipt; "promise", "plan": given in writing, and the document).
    """
    each = [_of_company(ctx.within(company.id), account_ids) for company in companies(ctx)]
    found = pl.concat(each) if each else pl.DataFrame(schema=CLOCKS)
    if alerts_only:
        found = found.filter("is_alert")
    names = document_names(found["item_id"].to_list())
    return (
        found.join(names, on="item_id", how="left")
        .sort("expires_date", "account_id", "item_id")
        .select(*NAMED)
    )


def _of_company(ctx: Context, account_ids: Sequence[int] | None) -> pl.DataFrame:
    assert ctx.company_id is not None
    rules = rules_of(ctx.company_id, ctx.known_at)
    own = dict(rules.prescription_years)
    debits = open_debits(ctx, account_ids)
    told = _interruptions(ctx, account_ids)
    restarted = debits.filter(pl.col("item_id").is_in(list(told)))
    others = debits.filter(~pl.col("item_id").is_in(list(told)))
    found = pl.concat([_undisturbed(ctx, others, own), _restarted(ctx, restarted, told, own)])
    left = (pl.col("expires_date") - ctx.as_of).dt.total_days()
    return found.with_columns(
        days_left=left, is_expired=left < 0, is_alert=left <= rules.prescription_alert_days
    ).select(*CLOCKS)


_TOLD = tuple(name for name in CLOCKS if name not in ("days_left", "is_expired", "is_alert"))


def _undisturbed(ctx: Context, debits: pl.DataFrame, own: dict[str, int]) -> pl.DataFrame:
    """Clocks that run from the due date: as many as there are days and kinds, however many items."""
    cases = debits.select("kind", "due_date").unique()
    rows = []
    for kind, due_date in cases.iter_rows():
        years = years_of(kind, own)
        now = clock(due_date, years, (), ctx.as_of)
        rows.append((kind, due_date, years, now.starts_date, now.expires_date))
    names = ("kind", "due_date", "years", "starts_date", "expires_date")
    clocks = pl.DataFrame(rows, schema={name: CLOCKS[name] for name in names}, orient="row")
    none = [pl.lit(None, CLOCKS[name]).alias(name) for name in _TOLD[-4:]]
    return debits.join(clocks, on=["kind", "due_date"]).with_columns(none).select(*_TOLD)


def _restarted(
    ctx: Context,
    debits: pl.DataFrame,
    told: dict[int, dict[Interruption, int | None]],
    own: dict[str, int],
) -> pl.DataFrame:
    """Clocks of items about which something was said that may restart them."""
    rows = []
    for row in debits.iter_rows(named=True):
        years = years_of(row["kind"], own)
        events = told[row["item_id"]]
        now = clock(row["due_date"], years, events, ctx.as_of)
        last = now.last
        rows.append(
            (
                row["item_id"], row["account_id"], row["kind"], row["currency"], row["balance_mills"],
                row["due_date"], years, now.starts_date, now.expires_date, last and last.day,
                last and last.proof, last and last.ref, last and events[last],
            )
        )  # fmt: skip
    return pl.DataFrame(rows, schema={name: CLOCKS[name] for name in _TOLD}, orient="row")


def _interruptions(
    ctx: Context, account_ids: Sequence[int] | None
) -> dict[int, dict[Interruption, int | None]]:
    """{item id: {interruption: id of the document that proves it}}."""
    found: dict[int, dict[Interruption, int | None]] = {}
    sources = (
        (FORMAL_NOTICE, delivered_notices(ctx, account_ids)),
        (ACKNOWLEDGEMENT, acknowledgements(ctx, account_ids)),
    )
    for kind, frame in sources:
        for item_id, day, proof, ref, document_id in frame.iter_rows():
            found.setdefault(item_id, {})[Interruption(day, kind, proof, ref)] = document_id
    return found


def record_return_receipt(
    ctx: Context,
    message_id: int,
    delivered_date: date,
    name: str = "",
    data: bytes | None = None,
    note: str = "",
) -> int:
    """The card of a registered letter came back: the letter was delivered on that day. Returns the delivery's
    id. name, data: the scanned card, kept as it is.

    Raises SaldoError: message_unknown, receipt_not_for_letter, receipt_date_invalid (before the letter, or in
    the future), receipt_of_unsent (nothing says that the letter left).
    """
    row = notice(message_id)
    if row is None or ctx.company_id not in (None, row.company_id):
        raise SaldoError("message_unknown", message_id=message_id)
    if row.channel != LETTER:
        raise SaldoError("receipt_not_for_letter", channel=row.channel)
    if not row.as_of <= delivered_date <= ctx.as_of:
        raise SaldoError("receipt_date_invalid", date=delivered_date, first=row.as_of, last=ctx.as_of)
    if deliveries.state_of(message_id) not in LEFT:
        raise SaldoError("receipt_of_unsent", message=message_id)
    with transaction.atomic():
        inner = stamped(ctx, row.company_id)
        document_id = keep_document(inner, name or "receipt", data) if data else None
        delivery_id = deliveries.add(
            inner, message_id, DELIVERED, code="return_receipt", detail=note, document_id=document_id,
            occurred_at=datetime.combine(delivered_date, time(12), UTC),
        )  # fmt: skip
        told = {"message": message_id, "date": delivered_date.isoformat(), "document": document_id}
        record_event(inner, "message.return_receipt", "account", row.account_id, told)
    return int(delivery_id)
