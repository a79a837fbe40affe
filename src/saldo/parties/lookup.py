"""Finding customers by what a document calls them, without making any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saldo.core.normalize import tax_code, vat_number
from saldo.parties.models import Customer, CustomerAccount


@dataclass(frozen=True, slots=True)
class Named:
    """How a document names a customer. country: of a VAT number written without its prefix."""

    vat: str | None = None
    tax_code: str | None = None
    customer_code: str | None = None
    country: str = "IT"


def customers_named(names: Sequence[Named], company_id: int | None = None) -> list[list[int]]:
    """The customers that each name means, in the order of the names; none where nobody is called so.

    By VAT number; else by tax code; else by the customer code of the company (of any, where only one customer
    has it). The same legal entity may have been taken in more than once: all of it is meant.
    """
    vats = [vat_number(name.vat, name.country) if name.vat else "" for name in names]
    taxes = [tax_code(name.tax_code or "") for name in names]
    codes = [(name.customer_code or "").strip() for name in names]
    by_vat = _ids("vat_number", vats)
    by_tax = _ids("tax_code", taxes)
    by_code = _ids_by_code(codes, company_id)
    return [
        by_vat.get(vat) or by_tax.get(tax) or by_code.get(code, [])
        for vat, tax, code in zip(vats, taxes, codes, strict=True)
    ]


def _ids(column: str, values: Sequence[str]) -> dict[str, list[int]]:
    wanted = sorted({value for value in values if value})
    found: dict[str, list[int]] = {}
    rows = Customer.objects.filter(**{f"{column}__in": wanted}).order_by("id")
    for value, customer_id in rows.values_list(column, "id"):
        found.setdefault(value, []).append(customer_id)
    return found


def _ids_by_code(codes: Sequence[str], company_id: int | None) -> dict[str, list[int]]:
    wanted = sorted({code for code in codes if code})
    rows = CustomerAccount.objects.filter(code__in=wanted)
    if company_id is not None:
        rows = rows.filter(company_id=company_id)
    found: dict[str, set[int]] = {}
    for code, customer_id in rows.values_list("code", "customer_id"):
        found.setdefault(code, set()).add(customer_id)
    return {code: list(ids) for code, ids in found.items() if len(ids) == 1}


def companies_of_customers(customer_ids: Sequence[int]) -> list[int]:
    """The companies that have an account with one of the customers."""
    rows = CustomerAccount.objects.filter(customer_id__in=customer_ids)
    return sorted(set(rows.values_list("company_id", flat=True)))


def accounts_of_codes(company_id: int, codes: Iterable[str]) -> dict[str, int]:
    """{customer code: account id} of the company, for the codes it knows."""
    rows = CustomerAccount.objects.filter(company_id=company_id, code__in=list(codes))
    return dict(rows.values_list("code", "id"))
