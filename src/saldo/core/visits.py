"""A day of visits: areas by postal code, the order of the way, and minutes. docs/rules/visits.md

Without maps and without a network: two addresses are as far from each other as their postal codes say. The
minutes are assumptions to plan a day by, no promise; whoever drives may put the stops in another order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Minutes on the way to the next stop, by how much of the postal code the two have in common.
SAME_STREET, SAME_CODE, SAME_AREA, SAME_PROVINCE, FURTHER = 3, 8, 18, 35, 60
# At the customer's: to come in and be heard, and to go through each open item, up to a bound.
BASE_MINUTES, ITEM_MINUTES, MOST_MINUTES = 20, 2, 45
DAY_MINUTES = 420
MAX_STOPS = 15
# Characters of a postal code that make an area. Italy: the first three are a town or a part of a province.
_AREA_CHARACTERS = {"IT": 3, "DE": 3, "FR": 3, "ES": 3, "AT": 2, "CH": 2, "NL": 2, "BE": 2}
_NUMBER = re.compile(r"\b(\d{1,4})\b(?!.*\b\d)")


@dataclass(frozen=True, slots=True)
class Stop:
    """A customer to visit. worth_mills: what it owes past due, in the company's currency. items: how many."""

    account_id: int
    country: str
    zip_code: str
    city: str
    street: str
    worth_mills: int
    items: int = 1


@dataclass(frozen=True, slots=True)
class Placed:
    """A stop in the order of the way, with the minutes to get there and the minutes there."""

    stop: Stop
    way_minutes: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Area:
    """Stops whose postal codes begin alike. key: "IT-201"."""

    key: str
    cities: tuple[str, ...]
    stops: tuple[Stop, ...]

    @property
    def worth_mills(self) -> int:
        return sum(stop.worth_mills for stop in self.stops)


def area_of(country: str, zip_code: str) -> str:
    """The area of a postal code; "" for an address without one, which nobody can be sent to."""
    code = re.sub(r"[^0-9a-z]", "", zip_code.casefold()).upper()
    land = (country or "IT").upper()
    length = _AREA_CHARACTERS.get(land, 2)
    if len(code) <= length or not any(letter.isdigit() for letter in code):
        return ""
    return f"{land}-{code[:length]}"


def areas(stops: Iterable[Stop]) -> list[Area]:
    """Stops by area, the area worth most first; those without an area are left out."""
    found: dict[str, list[Stop]] = {}
    for stop in stops:
        if key := area_of(stop.country, stop.zip_code):
            found.setdefault(key, []).append(stop)
    made = [Area(key, _cities(members), tuple(sorted(members, key=_worth))) for key, members in found.items()]
    return sorted(made, key=lambda area: (-area.worth_mills, area.key))


def _worth(stop: Stop) -> tuple[int, int]:
    return -stop.worth_mills, stop.account_id


def _cities(stops: Sequence[Stop]) -> tuple[str, ...]:
    """Towns by how much is owed there."""
    worth: dict[str, int] = {}
    for stop in stops:
        name = " ".join(stop.city.split()).title()
        if name:
            worth[name] = worth.get(name, 0) + stop.worth_mills
    return tuple(sorted(worth, key=lambda name: (-worth[name], name)))


def minutes_at(items: int) -> int:
    """Minutes at a customer with so many open items."""
    return min(BASE_MINUTES + ITEM_MINUTES * items, MOST_MINUTES)


def way_minutes(one: Stop, other: Stop) -> int:
    """Assumed minutes between two stops."""
    if (one.country or "IT") != (other.country or "IT"):
        return FURTHER
    if one.zip_code.strip() == other.zip_code.strip():
        return SAME_STREET if _street(one) == _street(other) else SAME_CODE
    if area_of(one.country, one.zip_code) == area_of(other.country, other.zip_code):
        return SAME_AREA
    return SAME_PROVINCE if one.zip_code[:2] == other.zip_code[:2] else FURTHER


def _street(stop: Stop) -> str:
    return re.sub(r"[\d,./]+.*$", "", stop.street.casefold()).strip()


def _key(stop: Stop) -> tuple[str, str, int, int]:
    found = _NUMBER.search(stop.street)
    return stop.zip_code.strip(), _street(stop), int(found[1]) if found else 0, stop.account_id


def _code(stop: Stop) -> int:
    digits = re.sub(r"\D", "", stop.zip_code)
    return int(digits) if digits else 0


def ordered(stops: Iterable[Stop]) -> list[Stop]:
    """The order of the way: from the first postal code on to the nearest next one; within a postal code by
    street and house number. The same stops give the same order, whatever order they came in."""
    left = sorted(stops, key=_key)
    way = left[:1]
    left = left[1:]
    while left:
        here = way[-1]
        nearest = min(
            left, key=lambda stop: (way_minutes(here, stop), abs(_code(stop) - _code(here)), _key(stop))
        )
        way.append(nearest)
        left.remove(nearest)
    return way


def timed(stops: Sequence[Stop]) -> list[Placed]:
    """Stops in the given order with their minutes; to the first of them the way is that to a near code."""
    placed = []
    for place, stop in enumerate(stops):
        way = SAME_AREA if not place else way_minutes(stops[place - 1], stop)
        placed.append(Placed(stop, way, minutes_at(stop.items)))
    return placed


def total_minutes(placed: Iterable[Placed]) -> int:
    return sum(each.way_minutes + each.minutes for each in placed)


def planned(stops: Iterable[Stop], minutes: int = DAY_MINUTES, most: int = MAX_STOPS) -> list[Placed]:
    """The stops of a day: those worth most that fit into the minutes, in the order of the way.

    Greedy by worth: each is taken if the way with it still fits. A stop that does not fit is passed over and
    a smaller one may take its place.
    """
    chosen: list[Stop] = []
    for stop in sorted(stops, key=_worth):
        if len(chosen) >= most:
            break
        tried = ordered([*chosen, stop])
        if total_minutes(timed(tried)) <= minutes:
            chosen = tried
    return timed(chosen)


def moved(stops: Sequence[Stop], account_id: int, steps: int) -> list[Stop]:
    """The stops with one of them earlier (-1) or later (1); at an end it stays."""
    order = list(stops)
    place = next((n for n, stop in enumerate(order) if stop.account_id == account_id), None)
    if place is None or not 0 <= place + steps < len(order):
        return order
    order[place], order[place + steps] = order[place + steps], order[place]
    return order


def without(stops: Sequence[Stop], account_id: int) -> list[Stop]:
    return [stop for stop in stops if stop.account_id != account_id]
