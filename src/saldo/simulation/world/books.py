"""The tables of a world while it goes on: rows are added day by day, and shown up to a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import polars as pl

from saldo.simulation.world.tables import Schema


def _column(name: str, values: tuple[Any, ...], kind: Any) -> pl.Series:
    """Days come as whole numbers: a million of them at once become dates in no time."""
    if kind == pl.Date:
        return pl.Series(name, values, dtype=pl.Int32).cast(pl.Date)
    return pl.Series(name, values, dtype=kind)


class Table:
    """Rows of one schema. Added as tuples, with days as numbers, or as a frame; ``frame`` is all so far."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._frame = pl.DataFrame(schema=schema)
        self._rows: list[tuple[Any, ...]] = []
        self.height = 0

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        self.height += 1

    def add_frame(self, frame: pl.DataFrame) -> None:
        self._flush()
        self._append(frame.select([pl.col(name).cast(kind) for name, kind in self._schema.items()]))
        self.height += frame.height

    def frame(self) -> pl.DataFrame:
        self._flush()
        return self._frame

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            named = zip(self._schema.items(), columns, strict=True)
            self._append(pl.DataFrame([_column(name, values, kind) for (name, kind), values in named]))
            self._rows = []

    def _append(self, frame: pl.DataFrame) -> None:
        # Small additions go into the last chunk; large ones would be copied with it each time.
        if frame.height:
            self._frame = self._frame.vstack(frame) if frame.height > 10_000 else self._frame.extend(frame)


class Agenda:
    """What will happen on later days, in the order in which it was put down."""

    def __init__(self) -> None:
        self._days: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)

    def put(self, day: int, *entry: Any) -> None:
        self._days[day].append(entry)

    def take(self, day: int) -> Iterable[tuple[Any, ...]]:
        """The entries of ``day``, including those put down for it while they are worked through."""
        while entries := self._days.pop(day, None):
            yield from entries
