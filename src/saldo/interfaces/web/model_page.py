"""What the model page shows of a model version: its backtest and its record, made ready for the template.

The metrics are JSON that the version keeps for ever, written by whatever version of the code made it: what is
missing is not shown, and nothing of it may break the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saldo.core.reasons import render
from saldo.interfaces.web.forecast_charts import Reliability, Trend, reliability, trend
from saldo.interfaces.web.forecast_labels import SCORES

LANGUAGES = ("it", "en")
# Two months make no trend: they are shown as a table.
LEAST_MONTHS = 3
LINES = ("forecast_30_share", "paid_30_share")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure of a rung. error: its standard error; is_best: no other rung has a better value."""

    name: str
    value: float | None
    error: float | None
    is_best: bool


@dataclass(frozen=True, slots=True)
class Rung:
    """A line of the comparison. state: "promoted", "explained", "challenger" or "".

    ahead: by how much less the chosen rung errs than this one, in days of CRPS; ahead_error: its standard
    error.
    """

    name: str
    state: str
    figures: list[Figure]
    ahead: float | None
    ahead_error: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """The backtest of a version."""

    measures: list[str]
    rungs: list[Rung]
    calibration: list[Reliability]
    drift: list[Mapping[str, Any]]
    drift_chart: Trend | None
    feature_drift: list[Mapping[str, Any]]
    leaks: list[Mapping[str, Any]]
    has_ahead: bool
    about: dict[str, Any]


def report_of(metrics: Mapping[str, Any]) -> Report | None:
    """None where the version was made without a backtest."""
    rungs = [each for each in _list(metrics, "rungs") if isinstance(each.get("name"), str)]
    if not rungs:
        return None
    measures = [name for name in SCORES if any(_number(each.get(name)) is not None for each in rungs)]
    lines = [_rung(each, rungs, measures, metrics) for each in rungs]
    drift = _list(metrics, "drift")
    calibration = metrics.get("calibration")
    return Report(
        measures=measures,
        rungs=lines,
        calibration=_calibration(calibration if isinstance(calibration, Mapping) else {}),
        drift=drift,
        drift_chart=trend(drift, LINES, whole=True) if len(drift) >= LEAST_MONTHS else None,
        feature_drift=_list(metrics, "feature_drift")[:8],
        leaks=_list(metrics, "leaks"),
        has_ahead=any(line.ahead is not None for line in lines),
        about={name: metrics.get(name) for name in ("items", "accounts", "folds", "from", "to", "defaults")},
    )


def learnt_from(metrics: Mapping[str, Any]) -> dict[str, float | None]:
    """How much a version without a backtest has seen, where it says so."""
    behavior = metrics.get("behavior")
    seen = behavior if isinstance(behavior, Mapping) else {}
    return {
        "defaults": _number(seen.get("defaults")),
        "accounts": _number(seen.get("accounts")),
        "of_items": _number(metrics.get("items")),
    }


def why_text(reason: str, metrics: Mapping[str, Any], language: str) -> str:
    """Why a version came into use: as a person wrote it; what the backtest said, in the reader's language."""
    why = metrics.get("why")
    if isinstance(why, Mapping):
        code, params = str(why.get("code", "")), why.get("params", {})
        told = [_rendered(code, params, each) for each in LANGUAGES]
        if reason in told:
            reason = _rendered(code, params, language)
    return reason[:1].upper() + reason[1:]


def _rendered(code: str, params: Any, language: str) -> str:
    try:
        return render(code, params, language)
    except (KeyError, TypeError, ValueError):
        return ""


def _rung(
    row: Mapping[str, Any],
    rungs: Sequence[Mapping[str, Any]],
    measures: Sequence[str],
    metrics: Mapping[str, Any],
) -> Rung:
    states = {_name(metrics.get(role)): role for role in ("challenger", "explained", "promoted")}
    figures = [
        Figure(name, _number(row.get(name)), _number(row.get(f"{name}_se")), _is_best(name, row, rungs))
        for name in measures
    ]
    return Rung(row["name"], states.get(row["name"], ""), figures, *_ahead(metrics, row["name"]))


def _ahead(metrics: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    differences = metrics.get("differences")
    found = differences.get(name) if isinstance(differences, Mapping) else None
    if not isinstance(found, Mapping) or (mean := _number(found.get("mean"))) is None:
        return None, None
    errors = [error for key in ("se_by_customer", "se") if (error := _number(found.get(key))) is not None]
    return -mean, max(errors, default=None)


def _name(rung: Any) -> Any:
    """The name of a rung, which stands by itself or in the rung's figures."""
    return rung.get("name") if isinstance(rung, Mapping) else rung


def _distance(name: str, value: float) -> float:
    """How far a value is from the best one there can be: smaller is better."""
    best = SCORES[name][1]
    return -value if best == "high" else value if best == "low" else abs(value - best)


def _is_best(name: str, row: Mapping[str, Any], rungs: Sequence[Mapping[str, Any]]) -> bool:
    values = [value for each in rungs if (value := _number(each.get(name))) is not None]
    own = _number(row.get(name))
    return own is not None and len(values) > 1 and _distance(name, own) <= min(
        _distance(name, value) for value in values
    )  # fmt: skip


def _calibration(bins: Mapping[str, Any]) -> list[Reliability]:
    """The plots by horizon, the shortest first; a report of one horizon has one for each rung instead."""
    asked = [(int(of) if str(of).isdigit() else str(of), _bins(rows)) for of, rows in bins.items()]
    asked.sort(key=lambda each: each[0] if isinstance(each[0], int) else 0)
    return [reliability(of, rows) for of, rows in asked if rows]


def _bins(rows: Any) -> list[Mapping[str, Any]]:
    if not isinstance(rows, Sequence):
        return []
    needed = ("forecast", "observed", "items")
    return [row for row in rows if all(_number(row.get(name)) is not None for name in needed)]


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _list(metrics: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = metrics.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
