"""Two companies with customers who owe, taken in and computed by the real flows, and a user for each role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from saldo.core.context import Context
from saldo.flows.day import run_day
from saldo.flows.import_documents import import_file
from saldo.identity.operations import ensure_company

AS_OF = date(2025, 3, 20)
PASSWORD = "una-parola-lunga-1"
MAPPING = """
name = "prova"
kind = "receivables"
[format]
decimal = ","
dates = "DD/MM/YYYY"
[columns]
customer_code = "Codice"
customer_name = "Cliente"
number = "Numero"
document_date = "Data"
due_date = "Scadenza"
amount = "Importo"
[export]
complete = false
"""
HEADER = "Codice;Cliente;Numero;Data;Scadenza;Importo\n"
CUSTOMERS = {
    "AURO": ["Officina Bellaluna S.r.l.", "Tessitura Corvara S.p.A.", "Molino Dorsoduro S.n.c."],
    "BORE": ["Ferramenta Nibbiano S.r.l.", "Vetreria Olmeneta S.p.A."],
}


@dataclass(frozen=True)
class World:
    companies: dict[str, int]
    accounts: dict[str, dict[str, int]]  # company code -> customer name -> account id

    def account(self, company: str, place: int) -> tuple[int, str]:
        name = CUSTOMERS[company][place]
        return self.accounts[company][name], name


def context(actor: str = "system:test") -> Context:
    return Context(actor, AS_OF, lambda: datetime(2025, 3, 20, 6, tzinfo=UTC))


def csv_of(company: str) -> bytes:
    """Six overdue invoices a customer, larger for the first ones."""
    rows = []
    for place, name in enumerate(CUSTOMERS[company], start=1):
        for number in range(1, 7):
            amount = f"{9000 // place + number},50"
            rows.append(
                f"C{place};{name};{company}-{place}{number}/25;0{number}/01/2025;1{number}/02/2025;{amount}"
            )
    return (HEADER + "\n".join(rows) + "\n").encode()


def build() -> World:
    companies, accounts = {}, {}
    ctx = context()
    for code, names in CUSTOMERS.items():
        company = ensure_company(ctx, code, f"{code} S.p.A.")
        companies[code] = company.id
        result = import_file(
            ctx, f"{code}.csv", csv_of(code), "receivables", MAPPING, company_code=code, as_at=AS_OF
        )
        assert result.done == 6 * len(names), result
        run_day(replace(ctx, company_id=company.id), company.id)
        accounts[code] = _accounts(company.id)
    return World(companies, accounts)


def _accounts(company_id: int) -> dict[str, int]:
    from saldo.parties.models import CustomerAccount

    found = CustomerAccount.objects.filter(company_id=company_id).select_related("customer")
    return {account.customer.name: account.id for account in found}


def user(
    name: str,
    role: str,
    company_id: int | None = None,
    accounts: tuple[int, ...] = (),
    password: str | None = None,
) -> Any:
    """A user with one grant, and with access to some accounts of their own."""
    from saldo.identity.models import Grant, User
    from saldo.parties.models import AccountAccess

    made = User.objects.create_user(name, password=password)
    Grant.objects.create(user=made, company_id=company_id, role=role)
    for account_id in accounts:
        AccountAccess.objects.create(user=made, account_id=account_id, from_date=date(2020, 1, 1))
    return made
