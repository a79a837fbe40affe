"""Columns that alone tell the outcome too well to have been known before it."""

from __future__ import annotations

import numpy as np

from saldo.analytics.default_risk.columns import Columns
from saldo.analytics.default_risk.measures import Floats, Ints, auc
from saldo.analytics.default_risk.splits import inner_folds
from saldo.analytics.default_risk.woe import binned

SUSPICIOUS_AUC = 0.985


def suspicious(values: Floats, outcomes: Ints, columns: Columns) -> dict[str, float]:
    inner = inner_folds(outcomes, 0)
    found = {}
    for at, is_category in enumerate(columns.categorical):
        scores = np.zeros(len(values))
        for one in np.unique(inner):
            test = inner == one
            scores[test] = -binned(values[~test, at], outcomes[~test], is_category)(values[test, at])
        size = auc(outcomes, scores)
        if size >= SUSPICIOUS_AUC:
            found[columns.columns[at].name] = size
    return found
