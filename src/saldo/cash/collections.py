"""Receipts and direct debits that were presented: what became of each, mandates, domiciles and rules.

    orders, batches         what was presented, with its state at (as_of, known_at)
    in_flight, at_risk      items that must not be dunned; money counted as paid that may come back
    returned_receipts       what came back, for the worklist
    mandates, rules_of, domiciles_of    and their changes: add_mandate, end_mandate, set_rules, set_domicile

``cash.collecting`` records what becomes of orders; the stages are in docs/rules/collections.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import IntegrityError, connection, transaction

from saldo.cash.models import CollectionPolicy, CollectionTie, Domicile, Mandate, MandateEnd
from saldo.core import collecting
from saldo.core.collecting import CollectionRules
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.formats.riba_slip import is_bank_code
from saldo.formats.sepa_debit import is_bic, is_iban, is_mandate_id
from saldo.identity.operations import record_event, stamped
from saldo.ledger.queries import ALL_BALANCES, clocks
from saldo.parties.models import CustomerAccount
from saldo.storage.frames import copy_out

# Each order with what its results say of it. A later result never takes back an end.
STATES = """
SELECT o.id, b.id AS batch_id, b.bank_account_id, k.company_id, b.kind, b.number, b.presented_date, b.origin,
       o.receipt, coalesce(i.account_id, o.account_id) AS account_id,
       coalesce(o.item_id, t.item_id) AS item_id, (o.amount * 1000)::bigint AS mills, b.currency, o.due_date,
       o.scheme, o.mandate_id, o.debtor_name, o.debtor_code, o.debtor_tax_code, o.debt_reference,
       r.credited_date, r.provisional_date, r.paid_date, r.end_date, r.end_outcome, r.cause, r.payment_id,
       coalesce(r.is_unclear, false) AS is_unclear
  FROM cash_collectionorder o
  JOIN cash_collectionbatch b ON b.id = o.batch_id
  JOIN cash_bankaccount k ON k.id = b.bank_account_id
  LEFT JOIN cash_collectiontie t ON t.order_id = o.id AND t.recorded_at <= %(known_at)s
  LEFT JOIN ledger_item i ON i.id = coalesce(o.item_id, t.item_id)
  LEFT JOIN LATERAL (
       SELECT min(effective_date) FILTER (WHERE outcome = 'credited') AS credited_date,
              min(effective_date) FILTER (WHERE outcome = 'provisional') AS provisional_date,
              min(effective_date) FILTER (WHERE outcome = 'paid') AS paid_date,
              min(effective_date) FILTER (WHERE outcome IN ('unpaid', 'refunded', 'withdrawn')) AS end_date,
              min(outcome) FILTER (WHERE outcome IN ('unpaid', 'refunded', 'withdrawn')) AS end_outcome,
              min(cause) FILTER (WHERE outcome IN ('unpaid', 'refunded', 'withdrawn')) AS cause,
              max(payment_id) AS payment_id, bool_or(outcome = 'unknown') AS is_unclear
         FROM cash_collectionresult r
        WHERE r.order_id = o.id AND r.recorded_at <= %(known_at)s AND r.effective_date <= %(as_of)s) r ON true
 WHERE o.recorded_at <= %(known_at)s AND b.presented_date <= %(as_of)s
"""


@dataclass(frozen=True, slots=True)
class Order:
    """A receipt or direct debit, and what its results say up to a day."""

    id: int
    batch_id: int
    bank_account_id: int
    company_id: int
    kind: str
    number: str
    presented_date: date
    origin: str
    receipt: str
    account_id: int | None
    item_id: int | None
    mills: int
    currency: str
    due_date: date
    scheme: str
    mandate_id: int | None
    debtor_name: str
    debtor_code: str
    debtor_tax_code: str
    debt_reference: str
    credited_date: date | None
    provisional_date: date | None
    paid_date: date | None
    end_date: date | None
    end_outcome: str | None
    cause: str | None
    payment_id: int | None
    is_unclear: bool

    @property
    def state(self) -> str:
        if self.end_date:
            return collecting.RETURNED
        if self.paid_date:
            return collecting.PAID
        if self.provisional_date:
            return collecting.PROVISIONAL
        return collecting.CREDITED if self.credited_date else collecting.PRESENTED

    @property
    def is_live(self) -> bool:
        """Presented, and neither paid for good nor returned."""
        return self.state not in (collecting.RETURNED, collecting.PAID)

    @property
    def value_date(self) -> date:
        """The day its money counts from: the due date, or the bank's credit where that is later."""
        return max(self.due_date, self.credited_date or self.due_date)

    @property
    def retry(self) -> str:
        """Of a returned order: whether it may be presented again."""
        return collecting.retry_advice(self.cause or "")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A slip or batch of debits with how many of its orders are in each state."""

    id: int
    bank_account_id: int
    bank_name: str
    company_id: int
    kind: str
    number: str
    presented_date: date
    total: Decimal
    currency: str
    orders: int
    origin: str
    credited: int
    provisional: int
    paid: int
    returned: int
    untied: int
    unclear: int
    first_due: date | None
    last_due: date | None


@dataclass(frozen=True, slots=True)
class MandateRow:
    id: int
    account_id: int
    account_code: str
    customer: str
    mandate_id: str
    scheme: str
    signed_date: date
    iban: str
    bic: str
    holder: str
    end_date: date | None


# --- queries ----------------------------------------------------------------------------------------


def orders(ctx: Context, where: str = "", all_days: bool = False, **params: Any) -> list[Order]:
    """Orders of the context's company (or of all) with their state at (as_of, known_at).

    where: more SQL on o, b, k, r with parameters by name. all_days: results of later days count too, which is
    what a change must look at.
    """
    told = {**clocks(ctx), "company_id": ctx.company_id, **params}
    if all_days:
        told |= {"as_of": "infinity", "known_at": "infinity"}
    company = " AND (%(company_id)s::int IS NULL OR k.company_id = %(company_id)s)"
    with connection.cursor() as cursor:
        cursor.execute(f"{STATES}{company} {where} ORDER BY b.id, o.id", told)
        return [Order(*row) for row in cursor.fetchall()]


def orders_by_id(ctx: Context, order_ids: Iterable[int]) -> list[Order]:
    """Whatever the day."""
    return orders(ctx, "AND o.id = ANY(%(ids)s)", all_days=True, ids=list(order_ids))


def batches(ctx: Context, limit: int = 500) -> list[BatchRow]:
    """Newest first."""
    sql = f"""
    WITH s AS ({STATES} AND (%(company_id)s::int IS NULL OR k.company_id = %(company_id)s))
    SELECT b.id, b.bank_account_id, a.name, a.company_id, b.kind, b.number, b.presented_date, b.total,
           b.currency, b.orders_count, b.origin, count(s.credited_date),
           count(*) FILTER (WHERE s.provisional_date IS NOT NULL AND s.paid_date IS NULL
                                  AND s.end_date IS NULL),
           count(*) FILTER (WHERE s.paid_date IS NOT NULL AND s.end_date IS NULL), count(s.end_date),
           count(*) FILTER (WHERE s.item_id IS NULL), count(*) FILTER (WHERE s.is_unclear),
           min(s.due_date), max(s.due_date)
      FROM s JOIN cash_collectionbatch b ON b.id = s.batch_id
      JOIN cash_bankaccount a ON a.id = b.bank_account_id
     GROUP BY b.id, a.id ORDER BY b.presented_date DESC, b.id DESC LIMIT %(limit)s
    """
    with connection.cursor() as cursor:
        cursor.execute(sql, {**clocks(ctx), "company_id": ctx.company_id, "limit": limit})
        return [BatchRow(*row) for row in cursor.fetchall()]


IN_FLIGHT_SCHEMA = {"item_id": pl.Int64, "account_id": pl.Int64, "mills": pl.Int64, "due_date": pl.Date,
                    "is_credited": pl.Boolean, "is_provisional": pl.Boolean, "company_id": pl.Int64,
                    "currency": pl.String}  # fmt: skip


def _live(ctx: Context, item_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """IN_FLIGHT_SCHEMA: items whose order is presented and neither paid for good nor returned."""
    of_items = " AND (o.item_id = ANY(%(items)s::bigint[]) OR t.item_id = ANY(%(items)s::bigint[]))"
    sql = f"""
    SELECT s.item_id, s.account_id, s.mills, s.due_date, s.credited_date IS NOT NULL,
           s.provisional_date IS NOT NULL, s.company_id, s.currency
      FROM ({STATES}{"" if item_ids is None else of_items}) s
     WHERE s.paid_date IS NULL AND s.end_date IS NULL
       AND (%(company_id)s::int IS NULL OR s.company_id = %(company_id)s)
    """
    params = {**clocks(ctx), "company_id": ctx.company_id, "items": list(item_ids or ())}
    return copy_out(sql, params, IN_FLIGHT_SCHEMA)


def in_flight(ctx: Context, item_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """item_id (once): what (of these items) is on its way through the bank and must not be dunned.

    An order past its due date by the rules' silent days, without credit and outcome, is not held to be on its
    way any more: somebody must ask the bank.
    """
    live = _live(ctx, item_ids).filter(pl.col("item_id").is_not_null())
    silent = live.filter(
        ~pl.col("is_credited") & ~pl.col("is_provisional") & (pl.col("due_date") < ctx.as_of)
    )
    if silent.height:
        rules = {company: rules_of(company, ctx) for company in silent["company_id"].unique()}
        lost = [
            row["item_id"]
            for row in silent.iter_rows(named=True)
            if rules[row["company_id"]].silent_date(row["due_date"]) < ctx.as_of
        ]
        live = live.filter(~(pl.col("item_id").is_in(lost) & ~pl.col("is_credited")))
    return live.select("item_id").unique().sort("item_id")


def at_risk(ctx: Context) -> pl.DataFrame:
    """account_id, currency, at_risk_mills: counted as paid and may come back; it stays in the exposure."""
    return (
        _live(ctx).filter(pl.col("is_provisional") & pl.col("account_id").is_not_null())
        .group_by("account_id", "currency").agg(pl.col("mills").sum().alias("at_risk_mills"))
        .sort("account_id", "currency")
    )  # fmt: skip


RETURNED_SCHEMA = {"account_id": pl.Int64, "item_id": pl.Int64, "date": pl.Date, "cause": pl.String}


def returned_receipts(ctx: Context) -> pl.DataFrame:
    """RETURNED_SCHEMA: items whose last order came back, with the day; not those presented again since."""
    sql = f"""
    SELECT account_id, item_id, end_date, cause FROM (
        SELECT DISTINCT ON (s.item_id) s.* FROM ({STATES}) s
         WHERE s.item_id IS NOT NULL AND (%(company_id)s::int IS NULL OR s.company_id = %(company_id)s)
         ORDER BY s.item_id, s.presented_date DESC, s.id DESC) last
     WHERE end_outcome IN ('unpaid', 'refunded') ORDER BY account_id, end_date, item_id
    """
    return copy_out(sql, {**clocks(ctx), "company_id": ctx.company_id}, RETURNED_SCHEMA)


def rules_of(company_id: int, ctx: Context | None = None) -> CollectionRules:
    """The company's rules as known at the context's instant; the stated defaults if it never set any."""
    found = CollectionPolicy.objects.filter(company_id=company_id)
    if ctx is not None and ctx.known_at is not None:
        found = found.filter(recorded_at__lte=ctx.known_at)
    newest = found.order_by("-recorded_at", "-id").first()
    return CollectionRules.of(newest.data) if newest else CollectionRules()


def domiciles_of(account_ids: Iterable[int]) -> dict[int, tuple[str, str, str]]:
    """account id -> (ABI, CAB, bank's name), the newest of each."""
    found = Domicile.objects.filter(account_id__in=list(account_ids)).order_by("recorded_at", "id")
    return {one.account_id: (one.abi, one.cab, one.bank_name) for one in found}


def mandates(ctx: Context, account_ids: Sequence[int] | None = None) -> list[MandateRow]:
    """Mandates with the day they end, by account; of the context's company."""
    found = Mandate.objects.select_related("account__customer", "end").order_by("account__code", "id")
    if ctx.company_id is not None:
        found = found.filter(account__company_id=ctx.company_id)
    if account_ids is not None:
        found = found.filter(account_id__in=account_ids)
    return [
        MandateRow(
            one.id, one.account_id, one.account.code, one.account.customer.name, one.mandate_id, one.scheme,
            one.signed_date, one.iban, one.bic, one.holder,
            one.end.effective_date if hasattr(one, "end") else None,
        )
        for one in found
    ]  # fmt: skip


def mandates_in_force(ctx: Context, account_ids: Sequence[int]) -> dict[int, MandateRow]:
    """account id -> the newest mandate that is in force on the context's day."""
    return {
        one.account_id: one
        for one in mandates(ctx, account_ids)
        if one.signed_date <= ctx.as_of and (one.end_date is None or one.end_date > ctx.as_of)
    }


_PRESENTABLE = f"""
SELECT b.id AS item_id, b.account_id, v.number, v.document_date, b.installment_no, b.due_date,
       (b.balance * 1000)::bigint AS mills, b.payment_method, a.code, c.name, c.vat_number, c.tax_code,
       c.address, c.zip_code, c.city, c.province
  FROM ({ALL_BALANCES}) b
  JOIN ledger_invoice v ON v.id = b.invoice_id
  JOIN parties_customeraccount a ON a.id = b.account_id
  JOIN parties_customer c ON c.id = a.customer_id
 WHERE b.company_id = %(company_id)s AND b.kind = 'installment' AND b.balance > 0 AND b.currency = 'EUR'
   AND (%(items)s::bigint[] IS NULL OR b.id = ANY(%(items)s))
   AND (%(first)s::date IS NULL OR b.due_date >= %(first)s)
   AND (%(last)s::date IS NULL OR b.due_date <= %(last)s)
 ORDER BY b.due_date, a.code, b.id
"""


def presentable(
    ctx: Context,
    item_ids: Sequence[int] | None = None,
    due_from: date | None = None,
    due_to: date | None = None,
) -> list[dict[str, Any]]:
    """Open installments in euro of the context's company with what a file says of debtor and debt."""
    params = {
        **clocks(ctx), "company_id": ctx.company_id, "first": due_from, "last": due_to,
        "items": None if item_ids is None else list(item_ids),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_PRESENTABLE, params)
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


# --- operations -------------------------------------------------------------------------------------


def _account(ctx: Context, account_id: int) -> CustomerAccount:
    found = CustomerAccount.objects.filter(id=account_id).first()
    if found is None or ctx.company_id not in (None, found.company_id):
        raise SaldoError("account_unknown", account=account_id)
    return found


def account_of_code(ctx: Context, code: str) -> int:
    """The account of the context's company with this code. Raises SaldoError("account_unknown")."""
    found = CustomerAccount.objects.filter(company_id=ctx.company_id, code__iexact=code).first()
    if found is None:
        raise SaldoError("account_unknown", account=code)
    return int(found.id)


def add_mandate(
    ctx: Context,
    account_id: int,
    mandate_id: str,
    scheme: str,
    signed_date: date,
    iban: str,
    holder: str,
    bic: str = "",
) -> int:
    """A signed mandate; returns its id. SaldoError: account_unknown, mandate_invalid, mandate_exists."""
    iban, bic = "".join(iban.split()).upper(), "".join(bic.split()).upper()
    for what, value, is_good in (
        ("mandato/mandate", mandate_id, is_mandate_id(mandate_id)),
        ("CORE/B2B", scheme, scheme in (collecting.CORE, collecting.B2B)),
        ("IBAN", iban, is_iban(iban)),
        ("BIC", bic, not bic or is_bic(bic)),
        ("intestatario/holder", holder, bool(holder.strip())),
        ("firma/signature", signed_date.isoformat(), signed_date <= ctx.as_of),
    ):
        if not is_good:
            raise SaldoError("mandate_invalid", what=what, value=value)
    account = _account(ctx, account_id)
    try:
        with transaction.atomic():
            ctx = stamped(ctx, account.company_id)
            made = Mandate.objects.create(
                account=account, mandate_id=mandate_id, scheme=scheme, signed_date=signed_date, iban=iban,
                bic=bic, holder=holder.strip()[:140], actor=ctx.actor, recorded_at=ctx.recorded_at,
            )  # fmt: skip
            data = {"mandate": mandate_id, "scheme": scheme, "signed": signed_date.isoformat()}
            record_event(ctx, "cash.mandate", "account", account_id, data)
    except IntegrityError as error:
        raise SaldoError("mandate_exists", mandate=mandate_id) from error
    return made.id


def end_mandate(
    ctx: Context, account_id: int, mandate_id: str, effective_date: date, reason: str = ""
) -> None:
    """The mandate counts no more from a day. Raises SaldoError("collection_mandate_unknown")."""
    account = _account(ctx, account_id)
    found = Mandate.objects.filter(account=account, mandate_id=mandate_id, end=None).first()
    if found is None:
        raise SaldoError("collection_mandate_unknown", account=account.code, mandate=mandate_id)
    with transaction.atomic():
        ctx = stamped(ctx, account.company_id)
        MandateEnd.objects.create(
            mandate=found, effective_date=effective_date, reason=reason[:60], actor=ctx.actor,
            recorded_at=ctx.recorded_at,
        )  # fmt: skip
        data = {"mandate": mandate_id, "from": effective_date.isoformat(), "reason": reason}
        record_event(ctx, "cash.mandate_end", "account", account_id, data)


@transaction.atomic
def set_domicile(ctx: Context, account_id: int, abi: str, cab: str, bank_name: str = "") -> None:
    """Where the customer's receipts are payable from now on. SaldoError: collection_domicile_invalid."""
    if not (is_bank_code(abi) and is_bank_code(cab)):
        raise SaldoError("collection_domicile_invalid", abi=abi, cab=cab)
    account = _account(ctx, account_id)
    ctx = stamped(ctx, account.company_id)
    Domicile.objects.create(
        account=account, abi=abi, cab=cab, bank_name=bank_name[:80], actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip
    record_event(ctx, "cash.domicile", "account", account_id, {"abi": abi, "cab": cab})


@transaction.atomic
def set_rules(ctx: Context, company_id: int, **changes: Any) -> CollectionRules:
    """The company's rules with these changes, from now on."""
    rules = CollectionRules.of({**asdict(rules_of(company_id)), **changes})
    ctx = stamped(ctx, company_id)
    CollectionPolicy.objects.create(
        company_id=company_id, data=asdict(rules), actor=ctx.actor, recorded_at=ctx.recorded_at
    )
    record_event(ctx, "cash.collection_rules", "company", company_id, asdict(rules))
    return rules


def tie_order(ctx: Context, order_id: int, item_id: int) -> None:
    """A person or a run says which installment an order collects, in the caller's transaction or its own.

    ctx is of the order's company. Raises SaldoError("item_unknown") for an item of another company.
    """
    (order,) = orders_by_id(ctx, [order_id])
    with connection.cursor() as cursor, transaction.atomic():
        cursor.execute("SELECT account_id, company_id FROM ledger_item WHERE id = %s", [item_id])
        row = cursor.fetchone()
        if row is None or row[1] != order.company_id:
            raise SaldoError("item_unknown", item=item_id)
        ctx = stamped(ctx, order.company_id)
        CollectionTie.objects.get_or_create(
            order_id=order_id,
            defaults={"item_id": item_id, "actor": ctx.actor, "recorded_at": ctx.recorded_at},
        )
        record_event(ctx, "cash.collection_tied", "account", row[0], {"order": order_id, "item": item_id})
