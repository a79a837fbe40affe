"""Columns that know the outcome: a check of each one, alone, against what was to be predicted.

A model never says by itself that a column was filled in after the event; it only looks too good. So each
column is judged alone: whether it predicts the outcome beyond what an honest column can, whether it is a
function of it. What needs a whole book (columns filled on closing; the shuffled future) is in ``leak_audit``.
Formulas and limits: docs/rules/features.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from saldo.analytics.features_history import Floats
from saldo.analytics.features_sums import Ints

Outcome = npt.NDArray[np.number] | npt.NDArray[np.bool_]

# A single honest column of credit data reaches an AUC of .80 to .85; a copy of the outcome, or what follows
# it, stands above these, or far above all the others (distance in log-odds).
AUC_LIMIT, AUC_FAR, AUC_FAR_DISTANCE = 0.95, 0.88, 1.0
# An AUC must also be beyond chance above this honest one, over all columns together.
AUC_HONEST, CHANCE = 0.80, 0.01
# Share of the variance of the outcome, within accounts, that a column explains: certain, and doubtful.
WITHIN_LIMIT, WITHIN_DOUBT = 0.8, 0.25
# Share of the column's own variance that is settled by the outcome; of account means by a column that is one.
FUNCTION_LIMIT, MEANS_LIMIT = 0.995, 0.9
# Rows times share explained: about the square of a z of 4.5.
BEYOND_CHANCE = 20.0
# Difference of shares between closed and open items of the same month.
CLOSED_LIMIT = 0.9
BINS, FOLDS, LEAST_ROWS, LEAST_ACCOUNTS = 20, 5, 30, 10
# A column must differ from its commonest value in some rows, and vary within accounts at all.
LEAST_VARYING, LEAST_WITHIN = 5, 0.1
_SMOOTHING = 5.0

WORDS = {
    "follows_outcome": {
        "it": "da sola dice quasi tutto dell'esito ({measure} {value}): probabilmente nota solo dopo",
        "en": "says nearly all of the outcome by itself ({measure} {value}): probably known only afterwards",
    },
    "function_of_outcome": {
        "it": "è calcolata dall'esito: a parità di esito ha sempre lo stesso valore",
        "en": "is computed from the outcome: where the outcome is the same, so is its value",
    },
    "account_mean": {
        "it": "è, per ogni cliente, la media dell'esito su tutte le sue righe, anche quelle future",
        "en": "is each customer's mean outcome over all of its rows, later ones included",
    },
    "known_when_closed": {
        "it": "è compilata, o cambia, solo quando la partita si chiude",
        "en": "is filled, or changes, only when the item is closed",
    },
    "within_account": {
        "it": "spiega da sola il {value} delle differenze fra le fatture di uno stesso cliente:"
        " verificare che sia nota già all'emissione",
        "en": "explains {value} of the differences between invoices of the same customer by itself:"
        " make sure that it is known at issue",
    },
}
_MEASURES = {
    "auc": {"it": "AUC", "en": "AUC"},
    "explained": {"it": "varianza spiegata", "en": "variance explained"},
}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """One column and why it is suspected. code: of WORDS; measure: auc or explained (share of variance).

    is_certain: False where an honest column could look the same, and a person should say.
    """

    column: str
    code: str
    measure: str
    value: float
    is_certain: bool = True

    def words(self, language: str = "it") -> str:
        """Why, as a person reads it, after the column's name."""
        share = f"{self.value:.2f}" if self.code != "within_account" else f"{100 * self.value:.0f}%"
        number = share.replace(".", ",") if language == "it" else share
        return WORDS[self.code][language].format(measure=_MEASURES[self.measure][language], value=number)

    def as_json(self) -> dict[str, Any]:
        """As reports carry it: feature, code, measure, value, is_certain, and words by language."""
        words = {language: self.words(language) for language in ("it", "en")}
        return {
            "feature": self.column, "code": self.code, "measure": self.measure,
            "value": round(self.value, 4), "is_certain": self.is_certain, "words": words,
        }  # fmt: skip


def _ranks(values: Floats) -> Floats:
    """Average ranks, scaled to (0, 1]."""
    result: Floats = pl.Series(values).rank("average").to_numpy() / max(len(values), 1)
    return result


def auc(score: Floats, events: npt.NDArray[np.bool_]) -> float:
    """P(score of an event > score of another row), ties by half; .5 without rows of both kinds."""
    yes = int(events.sum())
    no = len(events) - yes
    if not yes or not no:
        return 0.5
    ranks = pl.Series(score).rank("average").to_numpy()
    return float((ranks[events].sum() - yes * (yes + 1) / 2.0) / (yes * no))


def _bins(column: pl.Series) -> Ints:
    """Bin of each row: by quantiles for a number, by value for a text; missing is a bin of its own."""
    if not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        return column.cast(pl.String).rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    values = column.cast(pl.Float64).fill_nan(None)
    known = values.drop_nulls().to_numpy()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else known
    bins = 1 + np.searchsorted(edges, values.fill_null(0.0).to_numpy(), side="left")
    return np.where(values.is_null().to_numpy(), 0, bins).astype(np.int64)


def encoded_out_of_fold(column: pl.Series, outcome: Outcome) -> Floats:
    """Mean outcome of the other folds' rows of the same bin, drawn to the whole mean where they are few."""
    bins, target = _bins(column), outcome.astype(np.float64)
    fold = np.arange(len(bins)) % FOLDS
    size = int(bins.max(initial=0)) + 1
    result = np.empty(len(bins))
    for number in range(FOLDS):
        inside = fold != number
        n = np.bincount(bins[inside], minlength=size)
        total = np.bincount(bins[inside], weights=target[inside], minlength=size)
        mean = target[inside].mean() if inside.any() else 0.0
        result[~inside] = ((total + _SMOOTHING * mean) / (n + _SMOOTHING))[bins[~inside]]
    return result


def column_auc(column: pl.Series, events: npt.NDArray[np.bool_]) -> float:
    """AUC of a column alone, whichever its direction: as it stands, or by its bins (out of fold)."""
    best = auc(encoded_out_of_fold(column, events), events)
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_nan(None)
        known = values.is_not_null().to_numpy()
        if known.all():
            plain = auc(values.to_numpy(), events)
            best = max(best, plain, 1.0 - plain)
    return best


def _is_beyond_chance(value: float, events: npt.NDArray[np.bool_], columns: int) -> bool:
    """Whether an AUC is above AUC_HONEST beyond its sampling error (Hanley and McNeil 1982)."""
    yes = int(events.sum())
    no = len(events) - yes
    if yes < 2 or no < 2:
        return False
    a = AUC_HONEST
    spread = a * (1 - a) + (yes - 1) * (a / (2 - a) - a**2) + (no - 1) * (2 * a**2 / (1 + a) - a**2)
    limit = NormalDist().inv_cdf(1.0 - CHANCE / max(columns, 1))
    return bool((value - a) / np.sqrt(spread / (yes * no)) > limit)


def _log_odds(value: float) -> float:
    inside = min(max(value, 1e-6), 1.0 - 1e-6)
    return float(np.log(inside / (1.0 - inside)))


def _suspicious_of_events(frame: pl.DataFrame, events: npt.NDArray[np.bool_]) -> list[Suspicion]:
    """Columns whose AUC alone is beyond an honest one's, or far beyond all others'."""
    found = {name: column_auc(frame[name], events) for name in frame.columns}
    result = []
    for name, value in found.items():
        others = sorted((other for key, other in found.items() if key != name), reverse=True)
        is_far = len(others) >= 5 and value >= AUC_FAR
        is_far = is_far and _log_odds(value) - _log_odds(others[0]) >= AUC_FAR_DISTANCE
        if (value >= AUC_LIMIT or is_far) and _is_beyond_chance(value, events, len(found)):
            result.append(Suspicion(name, "follows_outcome", "auc", value))
    return result


def _group_means(values: Floats, group: Ints) -> Floats:
    """The mean of each row's group."""
    n = np.maximum(np.bincount(group), 1)
    result: Floats = (np.bincount(group, weights=values) / n)[group]
    return result


def _explained(column: Floats, target: Floats) -> float:
    """Squared correlation; 0 where either does not vary."""
    column, target = column - column.mean(), target - target.mean()
    below = float((column**2).sum() * (target**2).sum())
    return 0.0 if below < 1e-12 else float((column * target).sum() ** 2) / below


def within_explained(column: pl.Series, outcome: Floats, group: Ints) -> float:
    """Share of the variance of the outcome's ranks within groups that the column explains alone.

    Within groups, because honest features of an account may well explain the differences between accounts.
    """
    target = _ranks(outcome)
    target = target - _group_means(target, group)
    best = 0.0
    forms = [encoded_out_of_fold(column, _ranks(outcome))]
    if column.dtype.is_numeric():
        values = column.cast(pl.Float64).fill_nan(None)
        forms.append(_ranks(values.fill_null(values.median()).fill_null(0.0).to_numpy()))
    for form in forms:
        best = max(best, _explained(form - _group_means(form, group), target))
    return best


def settled_by_outcome(column: pl.Series, outcome: Floats, group: Ints) -> float:
    """Share of the column's variance between rows of different outcome; near 1: it is a function of it.

    Of outcomes that repeat only. Numbers by their ranks; texts by Gini's impurity, the variance of their
    indicators. 0 for a column that hardly varies, or hardly within accounts: there it tells accounts apart.
    """
    _, same, count = np.unique(outcome, return_inverse=True, return_counts=True)
    repeated = count[same.reshape(-1)] > 1
    if repeated.sum() < len(outcome) / 2:
        return 0.0
    same, column, group = same.reshape(-1)[repeated], column.filter(pl.Series(repeated)), group[repeated]
    commonest = column.value_counts(sort=True)["count"].head(1).sum()
    if len(column) - int(commonest) < LEAST_VARYING:
        return 0.0
    whole = _variance(column, np.zeros_like(same))
    if _variance(column, group) < LEAST_WITHIN * whole:
        return 0.0
    return 1.0 - _variance(column, same) / whole


def _variance(column: pl.Series, group: Ints) -> float:
    """Variance of a column within groups: of a number's ranks, or Gini's impurity of a text."""
    if column.dtype.is_numeric():
        ranks = _ranks(column.cast(pl.Float64).fill_nan(None).fill_null(np.inf).to_numpy())
        return float(((ranks - _group_means(ranks, group)) ** 2).mean())
    rows = pl.DataFrame({"value": column.cast(pl.String).fill_null(""), "group": group})
    pairs = rows.group_by("group", "value").len("n")
    sizes = rows.group_by("group").len("size")
    same = pairs.join(sizes, on="group").select((pl.col("n").cast(pl.Float64) ** 2 / pl.col("size")).sum())
    return 1.0 - float(same.item()) / len(column)


def _is_account_mean(column: pl.Series, outcome: Floats, group: Ints) -> float:
    """Of a number that is constant within groups: how well it is the group's mean outcome (else 0)."""
    if not column.dtype.is_numeric() or column.null_count():
        return 0.0
    values = column.cast(pl.Float64).to_numpy()
    groups, first = np.unique(group, return_index=True)
    is_constant = np.allclose(values, values[first][np.searchsorted(groups, group)])
    if not is_constant or len(groups) < LEAST_ACCOUNTS:
        return 0.0
    return _explained(values[first], _group_means(outcome, group)[first])


def suspicious_features(
    frame: pl.DataFrame,
    outcome: Outcome,
    names: Sequence[str] | None = None,
    group: Ints | None = None,
    doubtful: Sequence[str] = (),
) -> list[Suspicion]:
    """The columns ``names`` of ``frame`` (all) that know the outcome, each with its reason.

    outcome: 0/1 or boolean events, or a number (days). group: the account of each row, for numbers: columns
    are judged within accounts. doubtful: columns from a file, that nobody vouches for: they are also named
    where they merely explain more than is usual. Missing values are a value of their own. Too few rows to
    tell: nothing is named.
    """
    chosen = [name for name in (frame.columns if names is None else names) if frame[name].n_unique() > 1]
    values = outcome.astype(np.float64)
    kinds = np.unique(values)
    if len(frame) < LEAST_ROWS or len(kinds) < 2 or not chosen:
        return []
    if len(kinds) == 2:
        return _suspicious_of_events(frame.select(chosen), values == kinds[1])
    accounts = np.zeros(len(values), dtype=np.int64) if group is None else group
    accounts = np.unique(accounts, return_inverse=True)[1].reshape(-1)
    return [
        suspicion
        for name in chosen
        if (suspicion := _judged(frame[name], values, accounts, name in doubtful)) is not None
    ]


def _judged(column: pl.Series, outcome: Floats, group: Ints, is_doubtful: bool) -> Suspicion | None:
    """The strongest reason to suspect a column of knowing a number."""
    function = settled_by_outcome(column, outcome, group)
    if function >= FUNCTION_LIMIT:
        return Suspicion(column.name, "function_of_outcome", "explained", function)
    explained = within_explained(column, outcome, group)
    if explained >= WITHIN_LIMIT and explained * len(outcome) >= BEYOND_CHANCE:
        return Suspicion(column.name, "follows_outcome", "explained", explained)
    means = _is_account_mean(column, outcome, group) if is_doubtful else 0.0
    if means >= MEANS_LIMIT:
        return Suspicion(column.name, "account_mean", "explained", means)
    if is_doubtful and explained >= WITHIN_DOUBT and explained * len(outcome) >= BEYOND_CHANCE:
        return Suspicion(column.name, "within_account", "explained", explained, is_certain=False)
    return None
