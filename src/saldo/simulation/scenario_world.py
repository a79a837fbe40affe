"""The small world of a scenario: a company of its own, a simulated clock, and what its names mean."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from django.db import connection

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.core.normalize import normalized_number
from saldo.flows.day import DayResult
from saldo.flows.import_documents import ImportResult
from saldo.identity.operations import ensure_company
from saldo.ledger import entries, queries
from saldo.parties.models import CustomerAccount
from saldo.parties.operations import PARTY_COLUMNS, ensure_accounts

_NAME = r'(?:"[^"]+"|\S+)'
_MONEY = r"-?\d[\d.]*"


class World:
    """A company of its own, a simulated clock, and what the last import and day run gave.

    bank_lines: the names of bank lines, each with its transaction's id. refusals: why the last sending left
    messages out.
    """

    def __init__(self, code: str = "SCENARIO") -> None:
        self.now = datetime(2000, 1, 1, tzinfo=UTC)
        self.day = date(2000, 1, 1)
        self.language = "it"
        self.profiles: dict[str, str] = {}
        self.result: ImportResult | None = None
        self.runs: list[DayResult] = []
        self.bank_lines: dict[str, int] = {}
        self.bank_balance_mills = 0
        self.refusals: list[str] = []
        self.code = code
        self.company = ensure_company(self.context(), code, code)

    def begin(self, day: date) -> None:
        """A new day of the scenario, at eight in the morning."""
        self.day = day
        self.now = max(self.now, datetime.combine(day, time(8), UTC))

    def tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def context(self) -> Context:
        company = getattr(self, "company", None)
        return Context(
            "system:scenario", self.day, self.tick, company_id=company and company.id, language=self.language
        )

    # --- names ------------------------------------------------------------------------------------

    def account(self, name: str, make: bool = False) -> int:
        """The account with this code, else the one of the customer with this name."""
        plain = name.strip('"')
        ours = CustomerAccount.objects.filter(company_id=self.company.id)
        found = ours.filter(code=plain).first() or ours.filter(customer__name=plain).first()
        if found is not None:
            return found.id
        if not make:
            raise SaldoError("account_unknown", account=plain)
        return self.customer({"code": plain, "name": None, "vat": None})

    def customer(self, told: dict[str, Any]) -> int:
        name = (told["name"] or told["code"]).strip('"')
        row = (self.company.id, told["code"], name, told["vat"] or "", "", "IT")
        ctx = replace(self.context(), recorded_at=self.tick())
        return int(
            ensure_accounts(ctx, pl.DataFrame([row], schema=PARTY_COLUMNS, orient="row"))["account_id"][0]
        )

    def line_of(self, reference: str, ctx: Context | None = None) -> dict[str, Any]:
        """A line of a document ("F-1", its second installment "F-1#2", of one account "ACME:F-1")."""
        match = re.fullmatch(r'(?:(\S+):)?"?([^"#]+)(?:#(\d+))?"?', reference)
        if match is None:
            raise SaldoError("item_unknown", item=reference)
        account, number, no = match.groups()
        sql = f"""
        SELECT min(b.id) FILTER (WHERE b.kind <> 'adjustment') AS item_id, b.account_id,
               min(b.currency) AS currency, sum(b.balance) AS balance,
               min(b.due_date) FILTER (WHERE b.kind <> 'adjustment') AS due_date,
               min(i.due_origin) AS origin, array_agg(b.id * sign(b.amount)::int) AS parts
          FROM ({queries.ALL_BALANCES}) b JOIN ledger_item i ON i.id = b.id
          LEFT JOIN ledger_invoice v ON v.id = b.invoice_id LEFT JOIN ledger_payment p ON p.id = b.payment_id
         WHERE b.company_id = %(company)s AND coalesce(v.number_norm, p.number_norm) = %(number)s
           AND b.installment_no = %(no)s 
           AND (b.kind IN ('installment', 'credit_note', 'adjustment')
                OR b.kind = 'payment' AND b.invoice_id IS NULL)
           AND (%(account)s::bigint IS NULL OR b.account_id = %(account)s)
         GROUP BY b.account_id, b.invoice_id, b.payment_id"""
        params = {
            **queries.clocks(ctx or replace(self.context(), as_of=date.max)),
            "company": self.company.id,
            "number": normalized_number(number),
            "no": int(no or 1),
            "account": self.account(account) if account else None,
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if len(rows) != 1:
            raise SaldoError("item_unknown", item=f"{reference} ({len(rows)} found)")
        (row,) = rows
        # Counters of an amendment belong to the line too; what stands against it is on the line's own side.
        sign = 1 if row["item_id"] in row["parts"] else -1
        return row | {"parts": [part * sign for part in row["parts"] if part * sign > 0]}

    def shares(self, text: str | None, whole: Decimal) -> list[entries.Share]:
        """ "F-1 100.00, F-2 300.00"; without an amount, all of the credit."""
        shares = []
        for part in re.findall(rf"({_NAME})(?: ({_MONEY}))?(?:, |$)", text or ""):
            shares.append(
                entries.Share(self.line_of(part[0])["item_id"], Decimal(part[1]) if part[1] else whole)
            )
        return shares

    def money(self, text: str, currency: str | None) -> Money:
        return Money(Decimal(text), currency or self.company.currency)
