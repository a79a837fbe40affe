"""Customers of the demo company: invented names, numbers whose check digits hold, and how they pay."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from stdnum import luhn
from stdnum.iso7064 import mod_11_10

from saldo.core.normalize import folded
from saldo.core.terms_model import Installment, PaymentTerms

LARGEST = 10
MIDDLE = 60
DIALING = {"IT": "+39 0", "DE": "+49 ", "FR": "+33 "}
LEGAL_FORM = re.compile(r" (?:S\.\S+|di .+|GmbH|SAS)$")
T = TypeVar("T")


@cache
def table(name: str) -> dict[str, Any]:
    """A parameter file of this package (``demo`` or ``demo_words``)."""
    return tomllib.loads(files("saldo.simulation").joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class PayingType:
    """What [[types]] of demo.toml says, with its defaults."""

    name: str
    modes: tuple[tuple[float, float, float], ...]
    largest: int = 0
    share: float = 0.0
    count: int = 0
    pay_days: tuple[int, ...] = ()
    partial: float = 0.0
    returned: float = 0.01
    credit_factor: float = 1.0
    drift_months: int = 0
    drift_days_per_month: float = 0.0
    riba: bool = True


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms as written, as computed, and the ERP's code of the payment method (RB, BB)."""

    text: str
    plan: PaymentTerms
    method: str


@dataclass(frozen=True, slots=True)
class Contact:
    name: str
    role: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """One customer. ``vat`` has its country prefix, or is "" for the condominium, which has none.

    sales_share: of the company's sales. slowness: this customer's own factor on positive delays.
    special: "" | "public_body" (split payment) | "condominium" (keeps withholding tax).
    """

    code: str
    name: str
    vat: str
    tax_code: str
    country: str
    address: str
    zip: str
    city: str
    province: str
    language: str
    pec: str
    contacts: tuple[Contact, ...]
    paying_type: PayingType
    terms: Terms
    sales_share: float
    slowness: float
    special: str = ""


def paying_types() -> list[PayingType]:
    return [
        PayingType(
            **{
                **entry,
                "modes": tuple(tuple(mode) for mode in entry["modes"]),
                "pay_days": tuple(entry.get("pay_days", ())),
            }
        )
        for entry in table("demo")["types"]
    ]


def vat_number(country: str, serial: int, office: str = "") -> str:
    """An invented number with right check digits. ``serial``: five digits; Italian numbers from 99 are not
    issued. The French key is (12 + 3 × SIREN mod 97) mod 97."""
    if country == "IT":
        body = f"99{serial:05d}{office}"
        return "IT" + body + str(luhn.calc_check_digit(body))
    body = f"999{serial:05d}"
    if country == "DE":
        return "DE" + body + str(mod_11_10.calc_check_digit(body))
    siren = body + str(luhn.calc_check_digit(body))
    return f"FR{(12 + 3 * (int(siren) % 97)) % 97:02d}{siren}"


def make_customers(seed: int, count: int) -> list[DemoCustomer]:
    """``count`` customers, the largest first."""
    rng = random.Random(f"{seed}:customers")
    shares = _sales_shares(count)
    types = _types(rng, count)
    names = _names(rng, count)
    codes = rng.sample(range(1001, 1001 + 5 * count), count)
    serials = rng.sample(range(10_000, 100_000), count)
    foreign_count = max(1, round(table("demo")["customers"]["foreign_share"] * count))
    foreign = set(rng.sample(range(LARGEST, count), foreign_count))
    customers = []
    for rank in range(count):
        country = rng.choice(("DE", "FR")) if rank in foreign else "IT"
        card = _Card(f"{codes[rank]:06d}", names[rank], country, serials[rank], shares[rank], rank < LARGEST)
        customers.append(_customer(rng, card, types[rank]))
    specials = rng.sample([i for i in range(MIDDLE // 3, count) if i not in foreign], 2)
    for index, special in zip(specials, ("public_body", "condominium"), strict=True):
        customers[index] = _special(customers[index], special)
    return customers


def _sales_shares(count: int) -> list[float]:
    options = table("demo")["customers"]
    raw = [(rank + 1 + options["rank_offset"]) ** -options["rank_exponent"] for rank in range(count)]
    return [value / sum(raw) for value in raw]


def _types(rng: random.Random, count: int) -> list[PayingType]:
    """Paying types in fixed proportions, so that another seed makes another company but not another world."""
    kinds = paying_types()
    largest = [kind for kind in kinds for _ in range(kind.largest)]
    rest = [kind for kind in kinds for _ in range(kind.count)]
    room = count - len(largest) - len(rest)
    for kind in kinds:
        rest += [kind] * round(kind.share * room)
    rest = (rest + [kinds[0]] * count)[: count - len(largest)]
    rng.shuffle(largest)
    return largest + _spread(rng, rest)


def _spread(rng: random.Random, kinds: list[PayingType]) -> list[PayingType]:
    """Shuffled within each size, each size with about the same mix."""
    places = []
    for name in dict.fromkeys(kind.name for kind in kinds):
        same = [kind for kind in kinds if kind.name == name]
        offset = rng.random()
        places += [((index + offset) / len(same), kind) for index, kind in enumerate(same)]
    return [kind for _, kind in sorted(places, key=lambda place: place[0])]


def _names(rng: random.Random, count: int) -> list[str]:
    words = table("demo_words")
    weights = [sector["weight"] for sector in words["sectors"]]
    names: dict[str, None] = {}
    while len(names) < count:
        sector = rng.choices(words["sectors"], weights)[0]
        size = 0 if len(names) < LARGEST else 1 if len(names) < MIDDLE else 2
        form = _weighted(rng, words["legal_forms"], [form["weights"][size] for form in words["legal_forms"]])
        suffix = form["text"].format(family=rng.choice(words["families"]), given=rng.choice(words["given"]))
        tail = "" if suffix.startswith("di ") else rng.choice(words["tails"])
        names[f"{rng.choice(sector['prefixes'])} {rng.choice(words['stems'])}{tail} {suffix}"] = None
    return list(names)


def _weighted(rng: random.Random, choices: Sequence[T], weights: Sequence[float]) -> T:
    return rng.choices(choices, weights)[0]


@dataclass(frozen=True, slots=True)
class _Card:
    code: str
    name: str
    country: str
    serial: int
    sales_share: float
    is_large: bool


def _customer(rng: random.Random, card: _Card, paying_type: PayingType) -> DemoCustomer:
    name, country = card.name, card.country
    words = table("demo_words")
    places = words["places"][country]
    city, province, zip_code, office, _ = _weighted(rng, places, [place[4] for place in places])
    if country != "IT":
        abroad = words["foreign"][country]
        name = f"{rng.choice(abroad['prefixes'])} {rng.choice(words['families'])} {abroad['form']}"
    vat = vat_number(country, card.serial, office)
    slug = _slug(LEGAL_FORM.sub("", name))
    domain = slug + ".test"
    return DemoCustomer(
        code=card.code,
        name=name,
        vat=vat,
        tax_code=vat.removeprefix("IT") if country == "IT" else "",
        country=country,
        address=f"{rng.choice(words['streets'])} {rng.randrange(1, 140)}",
        zip=zip_code,
        city=city,
        province=province,
        language="it" if country == "IT" else "en",
        pec=f"{slug}@pec.{domain}" if country == "IT" else "",
        contacts=_contacts(rng, domain, card),
        paying_type=paying_type,
        terms=_terms(rng, paying_type, country),
        sales_share=card.sales_share,
        slowness=min(1.5, max(0.6, rng.gauss(1.0, 0.18))),
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", folded(name)).strip("-")[:40].strip("-")


def _contacts(rng: random.Random, domain: str, card: _Card) -> tuple[Contact, ...]:
    options, words = table("demo")["customers"], table("demo_words")
    count = 2 if rng.random() < options["second_contact_share"] else 1
    contacts = []
    for role in rng.sample(words["roles"], count):
        given, family = rng.choice(words["given"]), rng.choice(words["families"])
        has_email = rng.random() >= options["missing_email_share"] or card.is_large
        email = f"{_slug(given)}.{_slug(family)}@{domain}" if has_email else ""
        area = f"{rng.choice('123456789')}{rng.randrange(10)}"
        phone = f"{DIALING[card.country]}{area} 555 {rng.randrange(10_000):04d}"
        contacts.append(Contact(f"{given} {family}", role, email, phone))
    return tuple(contacts)


def _terms(rng: random.Random, paying_type: PayingType, country: str) -> Terms:
    entries = [
        entry
        for entry in table("demo")["terms"]
        if entry["method"] == "BB" or (paying_type.riba and country == "IT")
    ]
    return terms_of(_weighted(rng, entries, [entry["weight"] for entry in entries]))


def terms_of(entry: dict[str, Any]) -> Terms:
    parts = tuple(
        Installment(
            share=Fraction(1, len(entry["days"])),
            days=days,
            end_of_month=entry.get("end_of_month", False),
            plus_days=entry.get("plus_days", 0),
        )
        for days in entry["days"]
    )
    return Terms(entry["text"], PaymentTerms(parts), entry["method"])


def _special(customer: DemoCustomer, special: str) -> DemoCustomer:
    name = table("demo_words")["special"][special]
    prompt = paying_types()[0]
    transfer = terms_of(table("demo")["terms"][0])
    domain = _slug(name) + ".test"
    return replace(
        customer,
        name=name,
        vat="" if special == "condominium" else customer.vat,
        pec=f"{_slug(name)}@pec.{domain}",
        contacts=tuple(
            replace(contact, email=contact.email.split("@")[0] + "@" + domain if contact.email else "")
            for contact in customer.contacts
        ),
        paying_type=prompt if special == "condominium" else customer.paying_type,
        terms=transfer,
        special=special,
    )
