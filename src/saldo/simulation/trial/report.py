"""What the policies came to over the seeds: means with their intervals, and differences of pairs.

Two policies on one seed meet the same customers with the same luck, so their difference is taken seed by seed
and its interval is that of the paired differences (common random numbers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

from saldo.simulation.trial.figures import Figures

CONFIDENCE = 0.95
BASELINES = ("none", "calendar")
Results = Mapping[str, Mapping[int, Figures]]


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure of the report: its name, how it is read from the figures of a run, and how it is written."""

    name: str
    title: str
    value: Callable[[Figures], float | None]
    written: str


SHOWN = (
    Shown("dso_days", "DSO, days", lambda f: f.dso_days, "{:.1f}"),
    Shown("overdue_share", "Overdue share", lambda f: f.overdue_share, "{:.1%}"),
    Shown("roll_over_90_share", "Roll into >90", lambda f: f.roll_over_90_share, "{:.2%}"),
    Shown("bad_debt_share", "Bad debt", lambda f: f.bad_debt_share, "{:.2%}"),
    Shown("cash_eur", "Cash, k EUR", lambda f: f.cash_cents / 100, "{:.1f}"),
    Shown("contacts", "Contacts", lambda f: float(f.contacts), "{:.0f}"),
    Shown("minutes", "Minutes", lambda f: f.minutes, "{:.0f}"),
    Shown("complaints", "Complaints", lambda f: float(f.complaints), "{:.1f}"),
)
THOUSANDS = frozenset({"cash_eur"})
PERCENT = "{:.0%}"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds and its 95% interval (Student's t); none with fewer than two seeds."""

    mean: float | None
    low: float | None
    high: float | None
    seeds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        count = len(values)
        if count == 0:
            return cls(None, None, None, 0)
        mean = math.fsum(values) / count
        if count == 1:
            return cls(mean, None, None, 1)
        variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
        half = t_quantile(0.5 + CONFIDENCE / 2, count - 1) * math.sqrt(variance / count)
        return cls(mean, mean - half, mean + half, count)

    def as_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "low": self.low, "high": self.high, "seeds": self.seeds}


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t, by bisection on its distribution function; probability in (0.5, 1)."""
    assert 0.5 < probability < 1 and freedom >= 1
    low, high = 0.0, 1.0
    while _t_cdf(high, freedom) < probability:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_cdf(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def _t_cdf(t: float, freedom: int) -> float:
    """P(T <= t) for t >= 0 and whole degrees of freedom: Abramowitz and Stegun 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    if freedom == 1:
        return 0.5 + angle / math.pi
    odd = freedom % 2 == 1
    term = cosine if odd else 1.0
    total = term
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return 0.5 + inside / 2


def estimate(results: Results, policy: str, shown: Shown) -> Estimate:
    values = [shown.value(figures) for _, figures in sorted(results[policy].items())]
    return Estimate.of([value for value in values if value is not None])


def difference(results: Results, policy: str, baseline: str, shown: Shown) -> Estimate:
    """Of the policy less the baseline, seed by seed, on the seeds that both have."""
    return Estimate.of([own - other for own, other in _pairs(results, policy, baseline, shown)])


def _pairs(results: Results, policy: str, baseline: str, shown: Shown) -> list[tuple[float, float]]:
    pairs = [
        (shown.value(figures), shown.value(results[baseline][seed]))
        for seed, figures in sorted(results[policy].items())
        if seed in results[baseline]
    ]
    return [(own, other) for own, other in pairs if own is not None and other is not None]


def change(results: Results, policy: str, baseline: str, shown: Shown) -> Estimate:
    """The policy's mean over the baseline's, less 1, with the interval of a ratio of paired means.

    Of the residuals own - ratio x other, whose mean is 0: half = t x s / sqrt(K) / the baseline's mean.
    """
    pairs = _pairs(results, policy, baseline, shown)
    total = math.fsum(other for _, other in pairs)
    if total <= 0:
        return Estimate(None, None, None, len(pairs))
    ratio = math.fsum(own for own, _ in pairs) / total
    spread = Estimate.of([own - ratio * other for own, other in pairs])
    if spread.high is None or spread.mean is None:
        return Estimate(ratio - 1, None, None, len(pairs))
    half = (spread.high - spread.mean) / (total / len(pairs))
    return Estimate(ratio - 1, ratio - 1 - half, ratio - 1 + half, len(pairs))


def weeks(results: Results, policy: str, first_day: date) -> list[dict[str, Any]]:
    """Cash of each week in euro, from the first day on."""
    series = [figures.cash_by_week for _, figures in sorted(results[policy].items())]
    return [
        {
            "week_start": (first_day + timedelta(days=7 * week)).isoformat(),
            **Estimate.of([cents / 100 for cents in column]).as_json(),
        }
        for week, column in enumerate(zip(*series, strict=True))
    ]


def as_json(results: Results, size: str, days: int, first_day: date) -> dict[str, Any]:
    """The whole comparison. Shares are between 0 and 1, amounts euro; differences: policy less baseline."""
    policies = []
    for policy in results:
        told: dict[str, Any] = {
            "policy": policy,
            "figures": {shown.name: estimate(results, policy, shown).as_json() for shown in SHOWN},
        }
        for baseline in _baselines(results, policy):
            told[f"against_{baseline}"] = {
                shown.name: difference(results, policy, baseline, shown).as_json() for shown in SHOWN
            }
            told[f"change_against_{baseline}"] = {
                shown.name: change(results, policy, baseline, shown).as_json() for shown in SHOWN
            }
        told["cash_by_week"] = weeks(results, policy, first_day)
        told["by_seed"] = [
            {"seed": seed, **{shown.name: shown.value(figures) for shown in SHOWN}}
            for seed, figures in sorted(results[policy].items())
        ]
        policies.append(told)
    return {
        "size": size,
        "days": days,
        "first_day": first_day.isoformat(),
        "seeds": sorted({seed for runs in results.values() for seed in runs}),
        "confidence": CONFIDENCE,
        "policies": policies,
    }


def _baselines(results: Results, policy: str) -> list[str]:
    return [baseline for baseline in BASELINES if baseline in results and baseline != policy]


def as_text(results: Results, size: str, days: int) -> str:
    """Tables: each figure by policy with its interval, then the differences against each baseline."""
    seeds = max(len(runs) for runs in results.values())
    lines = [
        f"{days} days of a {size} world, {seeds} seed{'s' if seeds > 1 else ''}; mean [95% interval]",
        "",
    ]
    lines += _table(list(results), lambda policy, shown: estimate(results, policy, shown), signed=False)
    for baseline in BASELINES:
        others = [policy for policy in results if baseline in _baselines(results, policy)]
        if others:
            lines += ["", f"Difference against {baseline}, seed by seed", ""]
            lines += _table(others, _difference_from(results, baseline), signed=True)
            lines += ["", f"Change against {baseline}, of its mean", ""]
            lines += _table(others, _change_from(results, baseline), signed=True, written=PERCENT)
    return "\n".join(lines)


def _difference_from(results: Results, baseline: str) -> Callable[[str, Shown], Estimate]:
    return lambda policy, shown: difference(results, policy, baseline, shown)


def _change_from(results: Results, baseline: str) -> Callable[[str, Shown], Estimate]:
    return lambda policy, shown: change(results, policy, baseline, shown)


def _table(
    policies: Sequence[str],
    told: Callable[[str, Shown], Estimate],
    signed: bool,
    written: str | None = None,
) -> list[str]:
    """written: one style for all figures, in place of their own."""
    rows = [["", *policies]]
    for shown in SHOWN:
        rows.append(
            [shown.title, *(_written(told(policy, shown), shown, signed, written) for policy in policies)]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]


def _written(told: Estimate, shown: Shown, signed: bool, written: str | None = None) -> str:
    if told.mean is None:
        return "-"
    own = written or shown.written
    style = own.replace("{:", "{:+") if signed else own
    unit = 1000.0 if shown.name in THOUSANDS and written is None else 1.0
    mean = style.format(told.mean / unit)
    if told.low is None or told.high is None:
        return mean
    return f"{mean} [{style.format(told.low / unit)}, {style.format(told.high / unit)}]"
