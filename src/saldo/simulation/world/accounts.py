"""Who buys from which company, under which number, on which terms."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws, Floats
from saldo.simulation.world.courses import EPOCH
from saldo.simulation.world.customers import day_series, in_schema
from saldo.simulation.world.parameters import Parameters, Size
from saldo.simulation.world.strata import Indexes, shared_out, shuffled
from saldo.simulation.world.tables import ACCOUNTS

# Of terms that allow two methods, the share of the accounts that do not pay by transfer.
SECOND_METHOD_SHARE = 0.2
# A limit is this many days of sales, times a factor; never below the floor (euro).
LIMIT_DAYS = 90
LIMIT_FACTOR = (0.8, 2.2)
LIMIT_FLOOR = 1000.0
# A mandate was signed this many days before the world's first day.
MANDATE_DAYS = (60, 2000)


def accounts(
    p: Parameters, draws: Draws, customers: pl.DataFrame, size: Size, first_day: date
) -> pl.DataFrame:
    """ACCOUNTS of tables.py in order of (customer_id, company_id)."""
    customer, company, weight = _who_buys(p, draws, customers.height)
    special = customers["special"].to_numpy()[customer]
    country = customers["country"].to_numpy()[customer]
    plain = (special != "") | (country != "IT")
    terms, method = _terms(p, draws, customer * len(p.companies) + company, plain)
    ids = np.arange(len(customer))
    is_sdd = method == "sdd"
    b2b = p.sdd.scheme_b2b_share
    scheme = np.full(len(ids), "", dtype=object)
    scheme[is_sdd] = np.array(["B2B", "CORE"], dtype=object)[
        shared_out(draws, "sdd/scheme", [b2b, 1 - b2b], int(is_sdd.sum()))
    ]
    signed = (first_day - EPOCH).days - draws.whole("sdd/signed", *MANDATE_DAYS, ids)
    codes = _codes(p, draws, company)
    mandates = [
        f"{p.companies[c].code[:3]}-M{code.lstrip('0')}" if sdd else ""
        for c, code, sdd in zip(company.tolist(), codes, is_sdd.tolist(), strict=True)
    ]
    yearly = _yearly_sales(p, size) * customers["sales_share"].to_numpy()[customer] * weight
    columns: dict[str, Any] = {
        "account_id": ids,
        "company_id": company,
        "customer_id": customer,
        "code": codes,
        "terms_text": terms,
        "method": method,
        "scheme": scheme,
        "mandate_id": mandates,
        "mandate_date": day_series(np.where(is_sdd, signed, np.nan)),
        "limit_cents": _limits(draws, yearly, ids),
    }
    return in_schema(columns, ACCOUNTS)


def _yearly_sales(p: Parameters, size: Size) -> float:
    """Euro a year, of all customers and companies."""
    return size.customers * size.installments_per_customer_year * p.sales.mean_installment


def _who_buys(p: Parameters, draws: Draws, count: int) -> tuple[Indexes, Indexes, Floats]:
    """(customer, company, part of the customer's sales) of each account. All companies sell to the stated
    share of the customers, at every rank; each other customer buys from one of them."""
    shares = [company.sales_share for company in p.companies]
    of_all = p.customers.of_both_share
    kinds = shared_out(draws, "account", [of_all, *((1 - of_all) * share for share in shares)], count)
    buys = np.stack([(kinds == 0) | (kinds == index + 1) for index in range(len(shares))], axis=1)
    customer, company = np.nonzero(buys)
    weight = np.where(kinds[customer] == 0, np.asarray(shares)[company], 1.0)
    return customer, company, weight


def _terms(p: Parameters, draws: Draws, ids: Indexes, plain: NDArray[np.bool_]) -> tuple[Any, Any]:
    """(text, method) of each account; ``plain`` ones (public bodies, condominiums, abroad) make transfers."""
    text = np.full(len(ids), "", dtype=object)
    method = text.copy()
    for group, entries in (
        (plain, [each for each in p.terms if "transfer" in each.methods]),
        (~plain, list(p.terms)),
    ):
        lines = np.flatnonzero(group)
        purpose = "terms/plain" if entries != list(p.terms) else "terms"
        chosen = shared_out(draws, purpose, [each.weight for each in entries], len(lines))
        takes_second = draws.happens("terms/method", SECOND_METHOD_SHARE, ids[lines])
        for index, entry in enumerate(entries):
            of_entry = lines[chosen == index]
            text[of_entry] = entry.text
            method[of_entry] = entry.methods[0]
            if len(entry.methods) > 1 and group is not plain:
                method[lines[(chosen == index) & takes_second]] = entry.methods[1]
    return text, method


def _codes(p: Parameters, draws: Draws, company: Indexes) -> list[str]:
    """The customer's number in the ERP: ten digits with leading zeros in the large one (``delta``), else six.
    Numbers tell nothing about size."""
    codes = [""] * len(company)
    for index, each in enumerate(p.companies):
        lines = np.flatnonzero(company == index)
        step = max(1, min(7, 890_000 // max(len(lines), 1)))
        numbers = shuffled(draws, "code/" + each.code, len(lines)) * step
        numbers += draws.whole("code/gap/" + each.code, 0, step - 1, numbers)
        for line, number in zip(lines.tolist(), numbers.tolist(), strict=True):
            codes[line] = f"{10_000_000 + number:010d}" if each.erp == "delta" else f"{100_000 + number}"
    return codes


def _limits(draws: Draws, yearly: Floats, ids: Indexes) -> Indexes:
    """Credit limits in cents: days of sales, rounded to two figures as people write them."""
    raw = np.maximum(yearly * LIMIT_DAYS / 365 * draws.between("limit", *LIMIT_FACTOR, ids), LIMIT_FLOOR)
    unit = 10.0 ** (np.floor(np.log10(raw)) - 1)
    return (np.round(raw / unit) * unit).astype(np.int64) * 100
