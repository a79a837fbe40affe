"""The people who answer for a customer, and the bank accounts it pays from."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.world.courses import Span, spread_times
from saldo.simulation.world.customers import day_series, in_schema
from saldo.simulation.world.identifiers import iban
from saldo.simulation.world.names import people, slug, words
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.strata import picked, shared_out
from saldo.simulation.world.tables import CONTACTS, PAYER_BANKS

# How long before the world's first day an account was opened, in days.
BEFORE = 3650
BRANCHES = {"IT": 5, "FR": 5, "ES": 4, "DE": 0, "AT": 0}


def contacts(
    p: Parameters, draws: Draws, customers: pl.DataFrame, first_day: date, last_day: date
) -> pl.DataFrame:
    """CONTACTS of tables.py, by customer, the first one first. The first contact of a sole trader is its
    owner. The largest customers always have an address."""
    options, count = p.customers, customers.height
    second = options.second_contact_share
    has_second = shared_out(draws, "contact/second", [1 - second, second], count)
    ids = np.repeat(np.arange(count), 1 + has_second)
    places = np.arange(len(ids)) - np.searchsorted(ids, ids)
    country = customers["country"].to_numpy()[ids]
    families, given = people(draws, "contact", ids * 2 + places, country)
    owner_families, owner_given = people(draws, "owner", ids, country)
    is_owner = (customers["legal_form"].to_numpy()[ids] == "ditta individuale") & (places == 0)
    roles = words()["people"]["roles"]
    role = (draws.whole("contact/role", 0, len(roles) - 1, ids) + 2 * places) % len(roles)
    missing = options.missing_email_share
    has_email = shared_out(draws, "contact/email", [missing, 1 - missing], len(ids)) == 1
    has_email |= customers["size"].to_numpy()[ids] == "large"
    area = draws.whole("contact/area", 10, 99, ids).tolist()
    number = draws.whole("contact/phone", 0, 9999, ids, places).tolist()
    domains = customers["domain"].to_list()
    dialing = {"IT": "+39 0", **{code: each["dialing"] for code, each in words()["foreign"].items()}}
    rows: dict[str, list[Any]] = {key: [] for key in ("name", "role", "email", "phone")}
    for line, customer in enumerate(ids.tolist()):
        family, first = families[line], given[line]
        title = roles[role[line]]
        if is_owner[line]:
            family, first, title = owner_families[line], owner_given[line], "Titolare"
        address = f"{slug(first)}.{slug(family)}@{domains[customer]}" if has_email[line] else ""
        rows["name"].append(f"{first} {family}")
        rows["role"].append(title)
        rows["email"].append(address)
        rows["phone"].append(f"{dialing[country[line]]}{area[line]} 555 {number[line]:04d}")
    return in_schema(
        {"customer_id": ids, **rows, "left_date": _left(p, draws, is_owner, first_day, last_day)}, CONTACTS
    )


def _left(p: Parameters, draws: Draws, is_owner: Any, first_day: date, last_day: date) -> pl.Series:
    """The day on which a contact leaves; owners stay."""
    span = Span(first_day, last_day)
    leaving = round(p.customers.contact_leaves_yearly * span.years * len(is_owner))
    lines = picked(draws, "contact/leaves", leaving, np.flatnonzero(~is_owner))
    left = np.full(len(is_owner), np.nan)
    left[lines] = np.floor(span.start + span.days * spread_times(draws, "contact/left", lines))
    return day_series(left)


def payer_banks(
    p: Parameters, draws: Draws, customers: pl.DataFrame, first_day: date, last_day: date
) -> pl.DataFrame:
    """PAYER_BANKS of tables.py: the account of the beginning, and those that replace it, in order of
    (customer_id, from_date). A customer changes at most once."""
    span, count = Span(first_day, last_day), customers.height
    changes = round(p.customers.bank_change_yearly * span.years * count)
    changing = picked(draws, "bank/changes", changes, np.arange(count))
    days = np.floor(span.start + 1 + (span.days - 1) * spread_times(draws, "bank/change", changing))
    ids = np.concatenate([np.arange(count), changing])
    from_days = np.concatenate([np.full(count, span.start - BEFORE), days])
    versions = np.concatenate([np.zeros(count, dtype=np.int64), np.ones(len(changing), dtype=np.int64)])
    order = np.lexsort((from_days, ids))
    ids, from_days, versions = ids[order], from_days[order], versions[order]
    country = customers["country"].to_numpy()[ids].tolist()
    which = draws.uniform("bank/which", ids).tolist()
    branch = draws.whole("bank/branch", 10_000, 89_999, ids, versions).tolist()
    account = draws.whole("bank/account", 100_000, 9_999_999_999, ids, versions).tolist()
    rows: dict[str, list[str]] = {key: [] for key in ("iban", "bic", "abi", "cab", "bank_name")}
    for line, code in enumerate(country):
        houses = words()["banks"][code]
        # The next account is with the next bank of the list.
        name, bank, letters = houses[(int(which[line] * len(houses)) + int(versions[line])) % len(houses)]
        office = str(branch[line])[: BRANCHES[code]]
        rows["iban"].append(iban(code, bank, office, account[line]))
        rows["bic"].append(f"{letters}{code}2XXXX")
        rows["abi"].append(bank if code == "IT" else "")
        rows["cab"].append(office if code == "IT" else "")
        rows["bank_name"].append(name)
    return in_schema({"customer_id": ids, "from_date": day_series(from_days), **rows}, PAYER_BANKS)
