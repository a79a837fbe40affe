"""Questions to learn from: each item on the eve of its document, and then every so many days while open.

The days after the first are spread by the item's number, not by anything that happened: an item is asked
about as often as it would be met in the open book, and no choice depends on the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

Ints = npt.NDArray[np.int64]

# A landmark lies at most this long after the document: older items are all alike.
LONGEST_DAYS = 540
_MIX = np.uint64(0x9E3779B97F4A7C15)
_EPOCH = date(1970, 1, 1).toordinal()


def day_numbers(column: pl.Series) -> Ints:
    """Dates as days since 1970."""
    return column.to_physical().to_numpy().astype(np.int64)


def dates_of(days: Ints) -> pl.Series:
    """Days since 1970 as dates."""
    return pl.Series(days.astype(np.int32)).cast(pl.Date)


def day_number(day: date) -> int:
    return day.toordinal() - _EPOCH


def spread(item_ids: Ints, size: int, salt: int = 0) -> Ints:
    """A number from 0 to size - 1 for each id, even over ids, the same always."""
    with np.errstate(over="ignore"):
        mixed = (item_ids.astype(np.uint64) + np.uint64(salt) * np.uint64(0x632BE59BD9B4E019)) * _MIX
        mixed ^= mixed >> np.uint64(29)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(33)) % np.uint64(size)).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Questions:
    """Landmarks of pieces: row of the piece, day (since 1970), whether it is the eve of the document."""

    row: Ints
    day: Ints
    is_issue: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)

    def rows(self, chosen: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Questions:
        return Questions(self.row[chosen], self.day[chosen], self.is_issue[chosen])

    def landmarks(self, pieces: pl.DataFrame) -> pl.DataFrame:
        """LANDMARKS in this order."""
        return pl.DataFrame({"item_id": pieces["item_id"].gather(self.row), "as_of": dates_of(self.day)})


def questions_of(pieces: pl.DataFrame, step_days: int, known_from: date | None = None) -> Questions:
    """All landmarks of ``pieces``: the eve of the document, then every ``step_days`` while open (0: none).

    Before ``known_from`` no payment is known, so nothing may be asked about the days before it.
    """
    document, end = day_numbers(pieces["document_date"]), day_numbers(pieces["exit_date"])
    first = spread(pieces["item_id"].to_numpy(), step_days) if step_days else np.zeros(len(pieces), np.int64)
    everything = np.arange(len(pieces))
    rows, days = [everything], [document - 1]
    for k in range(LONGEST_DAYS // step_days if step_days else 0):
        day = document + first + k * step_days
        is_open = day < end
        if not is_open.any():
            break
        rows.append(everything[is_open])
        days.append(day[is_open])
    row, day = np.concatenate(rows), np.concatenate(days)
    asked = Questions(row, day, np.concatenate([np.full(len(r), k == 0) for k, r in enumerate(rows)]))
    usable = day < end[row]
    if known_from is not None:
        usable &= day >= day_number(known_from) - 1
    return asked.rows(usable)
