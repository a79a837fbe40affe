"""The customers of a world: who they are, and how they will pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws, Floats
from saldo.simulation.world.courses import Span, courses, groups
from saldo.simulation.world.identifiers import personal_tax_code, vat_number
from saldo.simulation.world.names import Named, customer_names, people, words
from saldo.simulation.world.parameters import Parameters, Size
from saldo.simulation.world.strata import Indexes, counts_of, dealt, shared_out, shuffled
from saldo.simulation.world.tables import CUSTOMERS

SIZES = ("large", "medium", "small", "micro")
# Shares of the sizes, from the largest customers down.
SIZE_SHARES = (0.03, 0.15, 0.42, 0.40)
# Below this rank (as a share) every customer is an Italian company.
TOP_SHARE = 0.05
PEC_ONLY_SHARE = 0.25
INTERMEDIARIES = 40
SPECIALS = ("", "", "public_body", "condominium")
# Serials of VAT numbers; Austria's are shorter.
FIRST_SERIAL = 1000
LAST_SERIALS = {"AT": 9_999}
_BASE_36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Texts = NDArray[Any]


def customers(p: Parameters, draws: Draws, size: Size, first_day: date, last_day: date) -> pl.DataFrame:
    """CUSTOMERS of tables.py, the largest first. Drifts and insolvencies end within the span of days, those
    that end later than ``last_day`` (by up to the longest drift) are there too, beyond the stated counts."""
    count = size.customers
    ids = np.arange(count)
    span = Span(first_day, last_day)
    country, special = _countries(p, draws, count)
    sizes = _sizes(count, special)
    forms = _forms(draws, country, special, sizes)
    sector = np.array(list(p.sectors))[
        shared_out(draws, "sector", [each.weight for each in p.sectors.values()], count)
    ]
    made = courses(p, draws, special == "", span)
    ordinary = (special == "") & (country == "IT") & ~made.happens
    group = groups(p, draws, ordinary, np.isin(forms, ["S.p.A.", "S.r.l."]), span)
    names, slugs = customer_names(draws, Named(country, sector, special, forms, group.parent))
    places = _places(draws, country)
    codes = _tax_numbers(draws, country, special, forms, places["office"], first_day)
    columns: dict[str, Any] = {
        "customer_id": ids,
        "name": names,
        "legal_form": forms,
        "sector": sector,
        "size": sizes,
        "special": special,
        "country": country,
        **{key: places[key] for key in ("region", "province", "city", "zip", "address")},
        **codes,
        "sdi_code": _sdi_codes(draws, country, special),
        "pec": [f"{s}@pec.{s}.test" if c == "IT" else "" for s, c in zip(slugs, country, strict=True)],
        "domain": [f"{s}.test" for s in slugs],
        "language": np.where(country == "IT", "it", "en"),
        "founded_year": first_day.year - np.floor(4 + 60 * draws.uniform("founded", ids) ** 1.8),
        "parent_id": _ids(group.parent),
        "paid_by": _ids(group.paid_by),
        "merged_into": _ids(group.merged_into),
        "merged_date": day_series(group.merged),
        "sales_share": _sales_shares(p, count),
        **_habits(p, draws, count),
        "drift_from": day_series(made.drift_from),
        "drift_to": day_series(made.drift_to),
        "drift_days": pl.Series(made.drift_days).fill_nan(None),
        "recovered_date": day_series(made.recovered),
        "insolvency_date": day_series(made.insolvency),
    }
    return in_schema(columns, CUSTOMERS)


def in_schema(columns: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    """A frame with exactly the columns and types of ``schema``."""
    series = {
        name: value if isinstance(value, pl.Series) else pl.Series(name, _plain(value))
        for name, value in columns.items()
    }
    return pl.DataFrame({name: series[name].cast(kind) for name, kind in schema.items()})


def _plain(value: Any) -> Any:
    is_text = isinstance(value, np.ndarray) and value.dtype.kind in "UO"
    return value.tolist() if is_text else value


def day_series(days: Floats) -> pl.Series:
    """Dates from days since 1970, null for NaN."""
    return pl.Series(np.asarray(days, dtype=np.float64)).fill_nan(None).cast(pl.Int32).cast(pl.Date)


def _ids(values: Indexes) -> pl.Series:
    series = pl.Series("id", values)
    return pl.select(pl.when(series >= 0).then(series)).to_series()


def _countries(p: Parameters, draws: Draws, count: int) -> tuple[Texts, Texts]:
    """(country, special) of each customer."""
    options = p.customers
    top = int(TOP_SHARE * count)
    shares = (options.foreign_share, options.public_body_share, options.condominium_share)
    wanted = [max(1, round(share * count)) for share in shares]
    kinds = np.zeros(count, dtype=np.int64)
    kinds[top:] = dealt(draws, "kind", [count - top - sum(wanted), *wanted])
    country = np.full(count, "IT", dtype=object)
    abroad = words()["foreign"]
    which = shared_out(draws, "abroad", [each["weight"] for each in abroad.values()], wanted[0])
    country[kinds == 1] = np.array(list(abroad), dtype=object)[which]
    return country, np.array(SPECIALS, dtype=object)[kinds]


def _sizes(count: int, special: Texts) -> Texts:
    sizes = np.repeat(np.array(SIZES, dtype=object), counts_of(SIZE_SHARES, count))
    sizes[special == "condominium"] = "micro"
    return sizes


def _forms(draws: Draws, country: Texts, special: Texts, sizes: Texts) -> Texts:
    table = words()["forms"]
    texts = np.array(list(table), dtype=object)
    forms = np.full(len(country), "", dtype=object)
    for place, size in enumerate(SIZES):
        of_size = np.flatnonzero(sizes == size)
        forms[of_size] = texts[draws.choice("form", [row[place] for row in table.values()], of_size)]
    for code, abroad in words()["foreign"].items():
        forms[country == code] = abroad["form"]
    forms[special == "public_body"] = "ente pubblico"
    forms[special == "condominium"] = "condominio"
    return forms


def _places(draws: Draws, country: Texts) -> dict[str, list[str]]:
    count = len(country)
    columns: dict[str, list[str]] = {
        key: [""] * count for key in ("city", "province", "region", "zip", "office", "address")
    }
    for code, towns in words()["places"].items():
        ids = np.flatnonzero(country == code)
        chosen = draws.choice("town", [town[-1] for town in towns], ids).tolist()
        streets = words()["streets"][code]
        street = draws.whole("street", 0, len(streets) - 1, ids).tolist()
        number = draws.whole("house", 1, 139, ids).tolist()
        for place, customer in enumerate(ids.tolist()):
            town = towns[chosen[place]]
            for key, value in zip(("city", "province", "region", "zip", "office"), town, strict=False):
                columns[key][customer] = value
            columns["address"][customer] = f"{streets[street[place]]} {number[place]}"
    return columns


def _tax_numbers(
    draws: Draws, country: Texts, special: Texts, forms: Texts, offices: Sequence[str], first_day: date
) -> dict[str, list[str]]:
    """VAT numbers and tax codes. A condominium has a tax code only; a sole trader has that of its owner."""
    count = len(country)
    serials = np.zeros(count, dtype=np.int64)
    for code in np.unique(country).tolist():
        ids = np.flatnonzero(country == code)
        # Evenly spread, so that the numbers of a small world are not all alike.
        step = (LAST_SERIALS.get(code, 99_999) - FIRST_SERIAL) // max(len(ids), 1)
        order = shuffled(draws, "vat/" + code, len(ids))
        serials[ids] = FIRST_SERIAL + order * step + draws.whole("vat/gap", 0, max(step - 1, 0), ids)
    families, given = people(draws, "owner", np.arange(count), country)
    ages = draws.whole("owner/age", 24 * 365, 72 * 365, np.arange(count)).tolist()
    women = frozenset(words()["people"]["women"])
    vats, codes = [], []
    for customer in range(count):
        vat = vat_number(country[customer], int(serials[customer]), offices[customer])
        code = vat.removeprefix("IT") if country[customer] == "IT" else ""
        if forms[customer] == "ditta individuale":
            name, born = given[customer], first_day - timedelta(days=ages[customer])
            code = personal_tax_code(families[customer], name, born, name in women, f"X{customer % 1000:03d}")
        vats.append("" if special[customer] == "condominium" else vat)
        codes.append(code)
    return {"vat": vats, "tax_code": codes}


def _sdi_codes(draws: Draws, country: Texts, special: Texts) -> list[str]:
    """Where SdI delivers: an intermediary, the PEC ("0000000"), an office, or nowhere (abroad)."""
    ids = np.arange(len(country))
    intermediary = draws.whole("sdi", 0, INTERMEDIARIES - 1, ids).tolist()
    by_pec = (draws.happens("sdi/pec", PEC_ONLY_SHARE, ids) | (special == "condominium")).tolist()
    codes = []
    for customer in ids.tolist():
        if country[customer] != "IT":
            codes.append("XXXXXXX")
        elif special[customer] == "public_body":
            codes.append("Z" + _in_base_36(customer * 7919 + 101, 5))
        else:
            codes.append("0000000" if by_pec[customer] else f"ZZ{_in_base_36(intermediary[customer], 2)}000")
    return codes


def _in_base_36(number: int, length: int) -> str:
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 36)
        text = _BASE_36[digit] + text
    return text


def _sales_shares(p: Parameters, count: int) -> Floats:
    raw = (np.arange(1, count + 1) + p.customers.rank_offset) ** -p.customers.rank_exponent
    return raw / raw.sum()


def _habits(p: Parameters, draws: Draws, count: int) -> dict[str, Any]:
    """How each pays and writes: the parts in their shares at every rank."""
    ids = np.arange(count)
    kinds = np.array([kind.name for kind in p.types], dtype=object)
    habit = p.seasons.weekday_habit_share
    has_weekday = shared_out(draws, "weekday/habit", [1 - habit, habit], count) == 1
    weekday = draws.choice("weekday", p.seasons.weekday_weights, ids)
    styles, advices = p.references.styles, p.remittances.habit
    return {
        "paying_type": kinds[shared_out(draws, "type", [kind.share for kind in p.types], count)],
        "slowness": np.exp(p.slowness.log_sigma * draws.normal("slowness", ids)).clip(0.5, 2.0),
        "pay_weekday": np.where(has_weekday, weekday, -1),
        "reference_style": np.array(list(styles), dtype=object)[
            shared_out(draws, "reference", list(styles.values()), count)
        ],
        "remittance_habit": np.array(list(advices), dtype=object)[
            shared_out(draws, "remittance", list(advices.values()), count)
        ],
    }
