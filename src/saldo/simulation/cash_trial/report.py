"""The figures of a cash trial: what was posted unasked and how much of it was right, beside the ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from saldo.simulation.cash_trial.truth import LEFT, PAYS, PLAIN, RIGHT, WRONG

AUTO, PROPOSE = "auto", "propose"
# Borders of the bins in which probabilities are compared with what came true.
BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1.0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one transfer. kind: of the truth. zone: of the first proposal. verdict: of that
    proposal, whatever its zone. reader: verdict of the perfect reader. faults: the rows it counts in."""

    payment_id: int
    company_id: int
    day: date
    cents: int
    kind: str
    zone: str
    verdict: str
    reader: str
    reader_why: str
    faults: tuple[str, ...]
    probability: float
    pattern: str = ""

    @property
    def is_auto(self) -> bool:
        return self.zone == AUTO

    @property
    def is_known(self) -> bool:
        """A perfect reader would post it, rightly."""
        return self.kind == PAYS and self.reader == RIGHT

    @property
    def row(self) -> tuple[str, ...]:
        """The rows of the report by fault: what belongs to no open item has one of its own."""
        return self.faults if self.kind == PAYS else (self.kind,)


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Rates and precision by line and by value, the ceiling, by kind of fault and by probability.

    rate: share of all transfers that were posted unasked; ceiling: share that a perfect reader would post;
    rate_of_ceiling: of the latter, the share that was posted unasked. precision: share of what was posted
    unasked that is right.
    precision_at_least: lower end of the 95% interval of Clopper and Pearson.
    """
    faults = sorted({fault for each in outcomes for fault in each.row}, key=lambda f: (f != PLAIN, f))
    return {
        "all": summary(outcomes),
        "by_fault": {fault: summary([x for x in outcomes if fault in x.row]) for fault in faults},
        "by_probability": list(_bins(outcomes)),
    }


def summary(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    found = list(outcomes)
    auto = [each for each in found if each.is_auto]
    right = [each for each in auto if each.verdict == RIGHT]
    proposed = [each for each in found if each.zone == PROPOSE]
    known = [each for each in found if each.is_known]
    return {
        "lines": len(found),
        "value": _cents(found),
        "auto": len(auto),
        "auto_right": len(right),
        "auto_wrong": len(auto) - len(right),
        "rate": _share(auto, found, len),
        "rate_by_value": _share(auto, found, _cents),
        "precision": _share(right, auto, len),
        "precision_by_value": _share(right, auto, _cents),
        "precision_at_least": lower_bound(len(right), len(auto)),
        "ceiling": _share(known, found, len),
        "ceiling_by_value": _share(known, found, _cents),
        "rate_of_ceiling": _share([each for each in known if each.is_auto], known, len),
        "rate_of_ceiling_by_value": _share([each for each in known if each.is_auto], known, _cents),
        "reader_wrong": sum(each.reader == WRONG for each in found),
        "proposed": len(proposed),
        "proposed_right": sum(each.verdict == RIGHT for each in proposed),
        "left": sum(each.zone not in (AUTO, PROPOSE) for each in found),
    }


def _bins(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    for low, high in pairwise(BINS):
        inside = [
            each
            for each in outcomes
            if each.verdict != LEFT and (low <= each.probability < high or each.probability == high == 1.0)
        ]
        if inside:
            right = sum(each.verdict == RIGHT for each in inside)
            mean = sum(each.probability for each in inside) / len(inside)
            yield {
                "from": low, "to": high, "lines": len(inside), "said": round(mean, 4),
                "right": round(right / len(inside), 4),
            }  # fmt: skip


def _cents(outcomes: Sequence[Outcome]) -> int:
    return sum(each.cents for each in outcomes)


def _share(
    part: Sequence[Outcome], whole: Sequence[Outcome], of: Callable[[Sequence[Outcome]], int]
) -> float | None:
    return _ratio(of(part), of(whole))


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def lower_bound(right: int, count: int, miss: float = 0.025) -> float | None:
    """The smallest share of right ones that still explains ``right`` of ``count`` with probability ``miss``
    (Clopper and Pearson, 1934), by bisection on the binomial tail."""
    if not count:
        return None
    if not right:
        return 0.0
    low, high = 0.0, right / count
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(count - right, count, 1 - middle) < miss else (low, middle)
    return round(low, 5)


def _at_most(most: int, count: int, chance: float) -> float:
    """Probability of at most ``most`` of ``count`` events of this chance."""
    from math import exp, lgamma, log, log1p

    if chance <= 0:
        return 1.0
    whole = lgamma(count + 1)
    return sum(
        exp(whole - lgamma(n + 1) - lgamma(count - n + 1) + n * log(chance) + (count - n) * log1p(-chance))
        for n in range(most + 1)
    )


def table(told: dict[str, Any]) -> str:
    """The figures as lines of text."""
    head = f"{'':18}{'lines':>7}{'auto':>7}{'wrong':>6}{'rate':>8}{'ceiling':>9}{'of it':>8}{'precision':>11}"
    rows = [head + f"{'value rate':>12}{'proposed':>10}{'right':>7}{'left':>6}"]
    for name, row in {"all": told["all"], **told["by_fault"]}.items():
        rows.append(
            f"{name:18}{row['lines']:7}{row['auto']:7}{row['auto_wrong']:6}{_percent(row['rate']):>8}"
            f"{_percent(row['ceiling']):>9}{_percent(row['rate_of_ceiling']):>8}"
            f"{_percent(row['precision'], 3):>11}{_percent(row['rate_by_value']):>12}"
            f"{row['proposed']:10}{row['proposed_right']:7}{row['left']:6}"
        )
    rows.append("probability said and come true, first proposals:")
    rows += [
        f"  {row['from']:.3f}-{row['to']:.3f}{row['lines']:8}"
        f"  said {row['said']:.4f}  right {row['right']:.4f}"
        for row in told["by_probability"]
    ]
    return "\n".join(rows)


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{100 * share:.{digits}f}%"
