"""What the matching engine reads, from the database: lines to do, items, payers, experience.

    lines_to_do       booked lines that nothing was done with, in the order in which they were booked
    open_items        the items with a balance, and those settled lately
    told_by_exports   what exports told as taken from items, which a bank line may yet explain
    payer_accounts, payer_aliases
    confirmed_counts  by pattern, how often the first proposal was right

A company's million items pass through one COPY and one frame; records are made of them one at a time, so that
the caller decides what is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache

import polars as pl

from saldo.cash.aliases import aliases
from saldo.cash.facts import LAST_POSTING
from saldo.core.context import Context
from saldo.core.matching.candidates import ADVANCE_ITEM
from saldo.core.matching.payers import PayerAccount, PayerAlias
from saldo.core.matching.records import Line, OpenItem
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.core.normalize import folded
from saldo.core.terms_clauses import take_discount
from saldo.core.terms_model import EarlyPayment
from saldo.ledger.provisional import LEAD_DAYS, explainable, last_cause_day
from saldo.ledger.queries import OPEN_BALANCES, clocks
from saldo.storage.frames import copy_out

# Balances whatever the day: what later days already used cannot be used again.
EVER = date(9999, 12, 31)
EVIDENCE_DAYS = 730
_SEPARATOR = "\x1f"

LINES_SCHEMA = {
    "line_id": pl.Int64, "bank_account_id": pl.Int64, "booking_date": pl.Date, "ordinal": pl.Int64,
    "amount_mills": pl.Int64, "currency": pl.String, "text": pl.String, "payer_name": pl.String,
    "payer_iban": pl.String, "payer_tax_code": pl.String, "ultimate_name": pl.String,
    "creditor_reference": pl.String, "end_to_end_id": pl.String, "document_refs": pl.String,
    "charges_mills": pl.Int64, "original_mills": pl.Int64, "original_currency": pl.String,
}  # fmt: skip
_LINES = f"""
SELECT t.id, t.bank_account_id, t.booking_date, t.ordinal, (t.amount * 1000)::bigint, t.currency, t.text,
       t.payer_name, t.payer_iban, t.payer_tax_code, t.ultimate_name, t.creditor_reference, t.end_to_end_id,
       t.document_refs::text, (t.charges * 1000)::bigint, (t.original_amount * 1000)::bigint,
       t.original_currency
  FROM cash_banktransaction t
  JOIN cash_statement s ON s.id = t.statement_id
  LEFT JOIN cash_statementrelease r ON r.statement_id = s.id
  {LAST_POSTING}
 WHERE t.company_id = %(company)s AND t.kind = 'booked' AND t.status = 'BOOK' AND t.amount > 0
   AND (last.kind IS NULL OR last.kind = 'undo') AND (NOT s.is_quarantined OR r.id IS NOT NULL)
   AND (%(account)s::bigint IS NULL OR t.bank_account_id = %(account)s)
   AND (%(lines)s::bigint[] IS NULL OR t.id = ANY(%(lines)s::bigint[]))
   AND t.recorded_at <= %(known_at)s
 ORDER BY t.booking_date, t.bank_account_id, t.ordinal, t.id
"""


def lines_to_do(
    ctx: Context,
    company_id: int,
    bank_account_id: int | None = None,
    transaction_ids: Sequence[int] | None = None,
) -> pl.DataFrame:
    """LINES_SCHEMA: booked lines that came in and have no posting that stands, in booking order."""
    params = {
        "company": company_id,
        "account": bank_account_id,
        "lines": None if transaction_ids is None else list(transaction_ids),
        "known_at": ctx.known_at or "infinity",
    }
    return copy_out(_LINES, params, LINES_SCHEMA)


def ids_never_looked_at(ctx: Context, company_id: int) -> list[int]:
    """Open lines of which the engine has not said anything yet: imported, and not applied since."""
    open_lines = lines_to_do(ctx, company_id)["line_id"].to_list()
    sql = """
    SELECT t.id FROM unnest(%(lines)s::bigint[]) t(id)
     WHERE NOT EXISTS (SELECT 1 FROM cash_matchproposal m WHERE m.transaction_id = t.id) ORDER BY 1
    """
    return copy_out(sql, {"lines": open_lines}, {"line_id": pl.Int64})["line_id"].to_list()


def ids_of_account(company_id: int, bank_account_id: int) -> list[int]:
    """The lines of one bank account that nothing was done with, whatever their sign."""
    sql = f"""
    SELECT t.id FROM cash_banktransaction t {LAST_POSTING}
     WHERE t.company_id = %(company)s AND t.bank_account_id = %(account)s AND t.kind = 'booked'
       AND (last.kind IS NULL OR last.kind = 'undo')
    """
    found = copy_out(sql, {"company": company_id, "account": bank_account_id}, {"line_id": pl.Int64})
    return found["line_id"].to_list()


def lines_of_document(document_id: int, only_open: bool = True) -> dict[int, list[int]]:
    """{company: lines} of the statements that a document brought; a company of its advices may have none."""
    is_open = "AND (last.kind IS NULL OR last.kind = 'undo')" if only_open else ""
    sql = f"""
    SELECT t.company_id, t.id FROM cash_banktransaction t JOIN cash_statement s ON s.id = t.statement_id
      {LAST_POSTING}
     WHERE s.document_id = %(document)s {is_open}
    UNION ALL
    SELECT DISTINCT r.company_id, NULL::bigint FROM cash_remittance r WHERE r.document_id = %(document)s
    """
    frame = copy_out(sql, {"document": document_id}, {"company_id": pl.Int64, "line_id": pl.Int64})
    found: dict[int, list[int]] = {}
    for company_id, line_id in frame.iter_rows():
        found.setdefault(company_id, []).extend([] if line_id is None else [line_id])
    return found


def companies_with_lines() -> list[int]:
    """Companies that have bank lines."""
    sql = "SELECT id FROM identity_company c WHERE EXISTS (SELECT 1 FROM cash_banktransaction t"
    found = copy_out(f"{sql} WHERE t.company_id = c.id) ORDER BY id", {}, {"company_id": pl.Int64})
    return found["company_id"].to_list()


def line_records(lines: pl.DataFrame) -> Iterator[Line]:
    """LINES_SCHEMA as the engine's records, without advice."""
    columns = [name for name in LINES_SCHEMA if name not in ("bank_account_id", "ordinal", "document_refs")]
    for row, refs in zip(lines.select(columns).iter_rows(), lines["document_refs"], strict=True):
        (line_id, booking_date, amount, currency, text, name, iban, tax_code, ultimate, reference, end_to_end,
         charges, original, original_currency) = row  # fmt: skip
        references = () if refs == "[]" else tuple(str(one) for one in json.loads(refs))
        yield Line(
            line_id, booking_date, amount, currency, text or "", name or "", iban or "", tax_code or "",
            ultimate or "", reference or "", end_to_end or "", references, charges, original,
            original_currency or "",
        )  # fmt: skip


# --- items --------------------------------------------------------------------------------------------

ITEMS_SCHEMA = {
    "item_id": pl.Int64, "account_id": pl.Int64, "kind": pl.String, "number": pl.String,
    "document_date": pl.Date, "due_date": pl.Date, "currency": pl.String, "amount_mills": pl.Int64,
    "balance_mills": pl.Int64, "installment_no": pl.Int64, "invoice_id": pl.Int64, "order_ref": pl.String,
    "closed_date": pl.Date, "terms_text": pl.String,
}  # fmt: skip
_OPEN = f"""
SELECT b.id, b.account_id, b.kind, coalesce(v.number, m.number, ''),
       coalesce(v.document_date, b.effective_date), b.due_date, b.currency,
       (b.amount * 1000)::bigint, (b.balance * 1000)::bigint, i.installment_no, i.invoice_id,
       coalesce(v.order_ref, ''), NULL::date, CASE WHEN v.terms_text ~ '%%|/' THEN v.terms_text ELSE '' END
  FROM ({OPEN_BALANCES} OFFSET 0) b
  JOIN ledger_item i ON i.id = b.id
  LEFT JOIN ledger_invoice v ON v.id = i.invoice_id
  LEFT JOIN ledger_payment m ON m.id = i.payment_id
 WHERE b.balance <> 0
"""
_SETTLED = """
SELECT i.id, i.account_id, i.kind, coalesce(v.number, ''), coalesce(v.document_date, i.effective_date),
       i.due_date, i.currency, (i.amount * 1000)::bigint, 0::bigint, i.installment_no, i.invoice_id,
       coalesce(v.order_ref, ''), p.last_effective_date, ''
  FROM ledger_item_open_projection p
  JOIN ledger_item i ON i.id = p.item_id
  LEFT JOIN ledger_invoice v ON v.id = i.invoice_id
 WHERE p.company_id = %(company)s AND p.sign > 0 AND p.used_up AND p.kind = 'installment'
   AND p.last_effective_date >= %(since)s AND p.last_recorded_at <= %(known_at)s
"""
_IN_FLIGHT = """
SELECT DISTINCT o.item_id FROM cash_collectionorder o
  JOIN cash_collectionbatch b ON b.id = o.batch_id JOIN cash_bankaccount a ON a.id = b.bank_account_id
 WHERE a.company_id = %(company)s AND o.item_id IS NOT NULL AND o.recorded_at <= %(known_at)s
   AND NOT EXISTS (SELECT 1 FROM cash_collectionresult r WHERE r.order_id = o.id
                      AND r.outcome IN ('unpaid', 'refunded', 'withdrawn') AND r.recorded_at <= %(known_at)s)
"""


# Payments that were posted as an advance, with the order that the line named: applied nowhere else.
_ADVANCES = """
SELECT p.item_id, r.reason -> 'params' ->> 'order'
  FROM ledger_item_open_projection p
  JOIN ledger_item i ON i.id = p.item_id
  JOIN LATERAL (SELECT x.proposal_id FROM cash_posting x
                 WHERE x.payment_id = i.payment_id AND x.kind = 'match' AND x.recorded_at <= %(known_at)s
                 ORDER BY x.sequence DESC LIMIT 1) posting ON true
  JOIN cash_matchproposal m ON m.id = posting.proposal_id AND m.kind = 'advance'
  JOIN LATERAL jsonb_array_elements(m.reasons) r(reason) ON r.reason ->> 'code' = 'match_advance'
 WHERE p.company_id = %(company)s AND p.kind = 'payment' AND p.sign < 0 AND NOT p.used_up
"""


def advances(ctx: Context, company_id: int) -> dict[int, str]:
    """{item: order} of the open payments that are advances on an order."""
    params = {"company": company_id, "known_at": ctx.known_at or "infinity"}
    found = copy_out(_ADVANCES, params, {"item_id": pl.Int64, "order": pl.String})
    return dict(found.iter_rows())


def open_items(ctx: Context, company_id: int, settled_since: date) -> pl.DataFrame:
    """ITEMS_SCHEMA: items with a balance, whatever the day; then debits settled since that day."""
    now = {**clocks(ctx), "as_of": EVER, "companies": [company_id], "accounts": None}
    settled = {"company": company_id, "since": settled_since, "known_at": ctx.known_at or "infinity"}
    return pl.concat([copy_out(_OPEN, now, ITEMS_SCHEMA), copy_out(_SETTLED, settled, ITEMS_SCHEMA)])


def in_flight(ctx: Context, company_id: int) -> set[int]:
    """Items presented to a bank as RiBa or direct debit, and not come back."""
    params = {"company": company_id, "known_at": ctx.known_at or "infinity"}
    return set(copy_out(_IN_FLIGHT, params, {"item_id": pl.Int64})["item_id"].to_list())


@dataclass(frozen=True, slots=True)
class Told:
    """What an export told as taken from an item. until: the last booking day of what may be the cause."""

    item_id: int
    mills: int
    day: date
    until: date


def told_by_exports(ctx: Context, company_id: int, first_booking: date) -> list[Told]:
    """What lines booked from ``first_booking`` on may explain, by the last day of a cause."""
    frame = explainable(ctx.within(company_id), first_booking - timedelta(days=LEAD_DAYS))
    told = [
        Told(item_id, mills, day, last_cause_day(day, is_settlement))
        for item_id, mills, day, is_settlement in frame.select(
            "item_id", "amount_mills", "effective_date", "is_settlement"
        ).iter_rows()
    ]
    return sorted(
        (one for one in told if one.until >= first_booking), key=lambda one: (one.until, one.item_id)
    )


def item_records(
    items: pl.DataFrame,
    flying: set[int],
    given: Mapping[int, int],
    orders: Mapping[int, str],
    granted: Mapping[int, tuple[int, date]] | None = None,
) -> Iterator[OpenItem]:
    """ITEMS_SCHEMA as the engine's records. given: by item, what exports told and lines may explain: it is
    open again until no line can be its cause any more. orders: of the payments that are advances. granted:
    by item, the discount that its customer accepted and the day by which it has to pay for it."""
    dates: dict[date | None, date | None] = {}
    texts: dict[str, str] = {}
    for row in items.iter_rows():
        (item_id, account_id, kind, number, document_date, due_date, currency, amount, balance, installment,
         invoice_id, order_ref, closed_date, terms) = row  # fmt: skip
        if item_id in orders:
            kind, order_ref = ADVANCE_ITEM, orders[item_id]
        document_date = dates.setdefault(document_date, document_date)
        more = given.get(item_id, 0)
        discount_mills, discount_until = 0, None
        discount = _discount(terms) if terms else None
        if discount is not None:
            discount_mills = _share_of(amount, discount, currency)
            discount_until = document_date + timedelta(days=discount.days)
        if granted and item_id in granted:
            discount_mills, discount_until = granted[item_id]
        yield OpenItem(
            item_id, account_id, texts.setdefault(kind, kind), number or "", document_date,
            dates.setdefault(due_date, due_date), texts.setdefault(currency, currency), amount,
            balance + more, installment, invoice_id, order_ref or "", None if more else closed_date,
            discount_mills, discount_until, item_id in flying,
        )  # fmt: skip


@lru_cache(maxsize=4096)
def _discount(terms: str) -> EarlyPayment | None:
    """The early-payment discount that terms grant, as written on the document."""
    return take_discount(folded(terms))[1]


def _share_of(amount_mills: int, discount: EarlyPayment, currency: str) -> int:
    """The discount on an amount, half up in whole units of the currency's last decimal."""
    quantum = 10 ** (3 - CURRENCY_EXPONENTS.get(currency, 2))
    return int(amount_mills * discount.rate / quantum + Fraction(1, 2)) * quantum


# --- payers -------------------------------------------------------------------------------------------

_ACCOUNTS_SCHEMA = {
    "account_id": pl.Int64, "customer_id": pl.Int64, "name": pl.String, "names": pl.String,
    "vat_number": pl.String, "tax_code": pl.String,
}  # fmt: skip
_ACCOUNTS = f"""
SELECT a.id, a.customer_id, c.name,
       coalesce((SELECT string_agg(n.name, '{_SEPARATOR}' ORDER BY n.id) FROM parties_customername n
                  WHERE n.customer_id = c.id), ''),
       c.vat_number, c.tax_code
  FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
 WHERE a.company_id = %(company)s ORDER BY a.id
"""


def payer_accounts(company_id: int) -> Iterator[PayerAccount]:
    """Every account of the company with the spellings of its customer's name."""
    frame = copy_out(_ACCOUNTS, {"company": company_id}, _ACCOUNTS_SCHEMA)
    for account_id, customer_id, name, names, vat, tax_code in frame.iter_rows():
        others = tuple(names.split(_SEPARATOR)) if names else ()
        yield PayerAccount(account_id, customer_id, name or "", others, vat or "", tax_code or "")


def payer_aliases(ctx: Context, company_id: int) -> list[PayerAlias]:
    """What is believed of payers at the context's instant."""
    rows = aliases(ctx, company_id).select("account_id", "kind", "value").iter_rows()
    return [PayerAlias(*row) for row in rows]


# --- experience ---------------------------------------------------------------------------------------

# The shares of a posting or a proposal as one comparable text: what a credit was set against is left out.
_SAME = """
(SELECT string_agg((x ->> 'item') || ':' || (x ->> 'mills'), ',' ORDER BY (x ->> 'item')::bigint)
   FROM jsonb_array_elements({0}.shares) x)
"""
_CONFIRMED = f"""
SELECT m.pattern, count(DISTINCT p.transaction_id) FILTER (WHERE verdict), count(DISTINCT p.transaction_id)
       FILTER (WHERE NOT verdict)
  FROM (SELECT p.*, later.id AS later_id,
               EXISTS (SELECT 1 FROM cash_cashacknowledgement k
                        WHERE k.posting_id = p.id AND k.recorded_at <= %(known_at)s) AS is_acknowledged
          FROM cash_posting p
          JOIN cash_banktransaction t ON t.id = p.transaction_id AND t.company_id = %(company)s
          LEFT JOIN cash_posting later ON later.transaction_id = p.transaction_id
                AND later.sequence = p.sequence + 1 AND later.recorded_at <= %(known_at)s
         WHERE p.kind <> 'undo' AND p.recorded_at <= %(known_at)s AND p.effective_date >= %(since)s) p
  JOIN LATERAL (
      SELECT m.* FROM cash_matchproposal m
       WHERE m.transaction_id = p.transaction_id AND m.rank = 1 AND m.recorded_at <= p.recorded_at
       ORDER BY m.run DESC LIMIT 1
  ) m ON true
  CROSS JOIN LATERAL (
      SELECT CASE
          WHEN p.later_id IS NOT NULL THEN CASE WHEN coalesce(p.proposal_id = m.id, false) THEN false END
          WHEN p.mode = 'auto' THEN true
          ELSE coalesce(p.proposal_id = m.id, false) OR (p.kind = 'match' AND p.account_id = m.account_id
               AND {_SAME.format("p")} IS NOT DISTINCT FROM {_SAME.format("m")})
      END AS verdict
  ) judged
 WHERE judged.verdict IS NOT NULL AND (p.mode <> 'auto' OR p.later_id IS NOT NULL OR p.is_acknowledged)
 GROUP BY m.pattern ORDER BY m.pattern
"""


def confirmed_counts(ctx: Context, company_id: int) -> dict[str, tuple[int, int]]:
    """{pattern: (right, wrong)} of the company's lines, as far as somebody other than Saldo has judged.

    A person who posts a line as the first proposal says (mode confirmed, or the same by hand) says that it is
    right, one who posts it otherwise that it is wrong; so does one who undoes it. An automatic posting is no
    evidence by itself, however long it stands: it counts as right once the ERP acknowledges it, and as wrong
    once it is undone. Lines booked more than EVIDENCE_DAYS before the context's day count no more.
    """
    schema = {"pattern": pl.String, "right": pl.Int64, "wrong": pl.Int64}
    since = ctx.as_of - timedelta(days=EVIDENCE_DAYS)
    params = {"company": company_id, "known_at": ctx.known_at or "infinity", "since": since}
    frame = copy_out(_CONFIRMED, params, schema)
    return {pattern: (right, wrong) for pattern, right, wrong in frame.iter_rows()}
