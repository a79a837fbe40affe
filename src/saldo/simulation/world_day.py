"""The days on which a simulated world may end."""

from __future__ import annotations

from datetime import date, datetime

import click

# Bank files write years with two digits, which stand for this century.
FIRST, LAST = date(2005, 1, 1), date(2094, 12, 31)


class WorldDay(click.DateTime):
    """A day, ``YYYY-MM-DD``, with room around it for the world's years."""

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        day: datetime = super().convert(value, param, ctx)
        if not FIRST <= day.date() <= LAST:
            self.fail(f"{day.date()} is not between {FIRST} and {LAST}.", param, ctx)
        return day


WORLD_DAY = WorldDay()
