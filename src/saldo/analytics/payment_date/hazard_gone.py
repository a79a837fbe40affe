"""The competing end: what is credited or written off instead of paid, by days past due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saldo.analytics.payment_date.hazard_cells import Cells
from saldo.analytics.payment_date.training import TrainingSet

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Days past due between which the daily hazard is constant.
EDGES: Ints = np.array([-60, -30, -10, 0, 10, 30, 60, 90, 120, 180, 270, 365, 540], dtype=np.int64)
# Fewer such ends tell nothing.
LEAST_GONE = 5.0
# The hazard of all ages counts as so many days of risk in each.
STRENGTH_DAYS = 500.0


@dataclass(frozen=True, slots=True)
class GoneTable:
    """daily: hazard a day before EDGES[0], between the edges, and after the last one."""

    daily: Floats

    def hazards(self, cells: Cells, due_in: Ints) -> Floats:
        """P(gone in the cell | open when it begins): one row per landmark, one column per cell."""
        middle = (cells.starts + cells.ends) / 2.0
        place = np.searchsorted(EDGES, middle[None, :] - due_in[:, None])
        result: Floats = -np.expm1(-self.daily[place] * cells.widths[None, :])
        return result

    def as_record(self) -> dict[str, Any]:
        return {"daily": self.daily.tolist()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> GoneTable:
        daily = np.array(record["daily"], dtype=np.float64)
        if len(daily) != len(EDGES) + 1:
            raise ValueError(f"{len(daily)} hazards for {len(EDGES)} edges")
        return cls(daily)


def fit_gone(known: TrainingSet) -> GoneTable | None:
    """From the landmarks on the eve of the documents; None where hardly anything went."""
    issue = known.questions.is_issue
    gone, weight = known.is_gone[issue], known.weight[issue]
    if float(weight[gone].sum()) < LEAST_GONE:
        return None
    first, last = -known.due_in[issue], (known.until - known.due_in)[issue]
    edges = np.concatenate([[-(10**6)], EDGES, [10**6]])
    risk = np.zeros(len(edges) - 1)
    for place in range(len(risk)):
        spent = np.minimum(last, edges[place + 1]) - np.maximum(first, edges[place])
        risk[place] = (np.maximum(spent, 0) * weight).sum()
    ends = np.bincount(np.searchsorted(EDGES, last[gone]), weight[gone], minlength=len(risk))
    pooled = ends.sum() / max(risk.sum(), 1.0)
    return GoneTable((ends + STRENGTH_DAYS * pooled) / (risk + STRENGTH_DAYS))
