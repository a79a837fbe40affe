"""Early warnings judged by the truth of a simulated world: how many insolvencies they announce, how early,
and how often they cry wolf.

Looks are taken every two weeks over the world's life, each with what was known that evening. Definitions:

- a case: an account of a customer that fails, watched (enough history, see ``Watched``) 60 days before; with
  four months of looks before that day at least. It is warned of if a warning stands on a look between 365 and
  60 days before the insolvency; its lead is counted from the first of these looks.
- a false alarm: a warning raised (none stood in the 91 days before) in a quarter in which the account is
  watched and whose customer does not fail within a year. Counted over all such accounts ("any"), and over
  those whose customer also has no passing drift under way ("unchanged"): of the others the warning says what
  is true, that they pay later and later.
- by chance: the share of the insolvencies that no drift announces and that are warned of all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.analytics.book import Book
from saldo.analytics.delay_types import observe
from saldo.analytics.early_warning import Learnt, WarningPolicy, learn, warnings

LEAD_DAYS, LOOK_BACK_DAYS, FEWEST_LOOK_DAYS = 60, 365, 120
STEP_DAYS, QUARTER_DAYS = 14, 91
HISTORY_DAYS, LEARN_EVERY_DAYS = 365, 112
# A drift that ends well may show in payments for a while.
AFTERWARDS_DAYS = 60
_NEVER = 10**7
# What stands on a day: (book, day) -> WARNINGS.
Looks = Callable[[Book, date], pl.DataFrame]


@dataclass(slots=True)
class Counts:
    """What was counted over one or several worlds."""

    cases: int = 0
    warned: int = 0
    drift_cases: int = 0
    drift_warned: int = 0
    all_failures: int = 0
    leads: list[int] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    any_quarters: int = 0
    any_raised: int = 0
    unchanged_quarters: int = 0
    unchanged_raised: int = 0
    unchanged_standing: int = 0

    def add(self, other: Counts) -> None:
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):
                for key, count in theirs.items():
                    mine[key] = mine.get(key, 0) + count
            else:
                setattr(self, name, mine + theirs)

    def as_json(self) -> dict[str, object]:
        """Shares with their intervals (Wilson, 95%); days."""
        leads = np.array(self.leads or [0])
        return {
            "cases": self.cases,
            "failures_in_time": self.all_failures,
            "warned": share(self.warned, self.cases),
            "warned_of_announced": share(self.drift_warned, self.drift_cases),
            "warned_by_chance": share(self.warned - self.drift_warned, self.cases - self.drift_cases),
            "lead_days": {str(q): float(np.percentile(leads, q)) for q in (10, 25, 50, 75, 90)},
            "false_unchanged": share(self.unchanged_raised, self.unchanged_quarters),
            "false_any": share(self.any_raised, self.any_quarters),
            "standing_unchanged": share(self.unchanged_standing, self.unchanged_quarters),
            "first_codes": self.codes,
        }


def share(hits: int, tries: int) -> dict[str, float | int]:
    """A share with its 95% interval by Wilson's formula."""
    if not tries:
        return {"share": 0.0, "low": 0.0, "high": 1.0, "of": 0}
    z, p = 1.96, hits / tries
    middle, wide = p + z * z / (2 * tries), z * np.sqrt(p * (1 - p) / tries + z * z / (4 * tries * tries))
    scale = 1 + z * z / tries
    return {
        "share": round(p, 4),
        "low": round(float((middle - wide) / scale), 4),
        "high": round(float((middle + wide) / scale), 4),
        "of": tries,
    }


def product_looks(policy: WarningPolicy, outside: pl.DataFrame | None = None) -> Looks:
    """The product's own warnings, with what agencies say or without; it learns anew every sixteen weeks."""
    learnt: dict[str, Learnt] = {}
    learnt_on: list[date] = []

    def look(book: Book, day: date) -> pl.DataFrame:
        if not learnt_on or (day - learnt_on[-1]).days >= LEARN_EVERY_DAYS:
            learnt["now"] = learn(book, day, policy, outside)
            learnt_on.append(day)
        return warnings(book, day, policy, learnt["now"], outside)

    return look


def run_trial(book: Book, truth: pl.DataFrame, last: date, look: Looks, policy: WarningPolicy) -> Counts:
    """Counts over one world. truth: ``world_book.insolvencies``; last: its last day."""
    days = look_days(book, last)
    accounts = np.sort(truth["account_id"].to_numpy())
    standing = np.zeros((len(days), len(accounts)), dtype=np.bool_)
    code: list[dict[int, str]] = []
    for at, day in enumerate(days):
        found = look(book, day).sort("size", descending=True).unique("account_id", keep="first")
        standing[at] = np.isin(accounts, found["account_id"].to_numpy())
        code.append(dict(found.select("account_id", "code").iter_rows()))
    return judge(standing, looks_of(book, days, accounts, policy), days, truth, code)


def judge(
    standing: np.ndarray,
    watched: np.ndarray,
    days: list[date],
    truth: pl.DataFrame,
    code: list[dict[int, str]],
) -> Counts:
    """The counts of warnings that stood: (looks, accounts in order of their ids), with each look's codes."""
    numbers = np.array([day.toordinal() for day in days])
    counts = _false_alarms(standing, watched, numbers, truth.sort("account_id"))
    counts.add(_cases(standing, watched, numbers, truth.sort("account_id"), code))
    return counts


def looks_of(book: Book, days: list[date], accounts: np.ndarray, policy: WarningPolicy) -> np.ndarray:
    """Which accounts are watched on each look: (looks, accounts)."""
    watched = np.zeros((len(days), len(accounts)), dtype=np.bool_)
    for at, day in enumerate(days):
        seen = observe(book, day)
        who = policy.watched.accounts(seen, (day - date(1970, 1, 1)).days)
        watched[at] = np.isin(accounts, seen.accounts[who])
    return watched


def look_days(book: Book, last: date) -> list[date]:
    """Every two weeks, from a year after the first item on."""
    first = book.items["known_date"].min()
    if not isinstance(first, date):
        raise ValueError("a world without items")
    count = (last - first).days - HISTORY_DAYS
    return [first + timedelta(days=HISTORY_DAYS + each) for each in range(0, count + 1, STEP_DAYS)]


def _ordinals(column: pl.Series) -> np.ndarray:
    return np.array([day.toordinal() if day else _NEVER for day in column.to_list()])


def _false_alarms(standing: np.ndarray, watched: np.ndarray, days: np.ndarray, truth: pl.DataFrame) -> Counts:
    fails, drifts = _ordinals(truth["insolvency_date"]), _ordinals(truth["drift_from"])
    ends = _ordinals(truth["recovered_date"])
    quiet = -(-QUARTER_DAYS // STEP_DAYS)
    raised = np.zeros_like(standing)
    for at in range(len(days)):
        raised[at] = standing[at] & ~standing[max(0, at - quiet) : at].any(axis=0)
    counts = Counts()
    # The first quarter is what the others look back on.
    for start in range(quiet, len(days) - quiet + 1, quiet):
        rows = slice(start, start + quiet)
        begin, end = days[start], days[start + quiet - 1]
        healthy = watched[rows].any(axis=0) & (fails > end + 365)
        unchanged = healthy & ((drifts > end) | (ends + AFTERWARDS_DAYS < begin))
        alarms, stands = raised[rows].any(axis=0), standing[rows].any(axis=0)
        counts.any_quarters += int(healthy.sum())
        counts.any_raised += int((alarms & healthy).sum())
        counts.unchanged_quarters += int(unchanged.sum())
        counts.unchanged_raised += int((alarms & unchanged).sum())
        counts.unchanged_standing += int((stands & unchanged).sum())
    return counts


def _cases(
    standing: np.ndarray,
    watched: np.ndarray,
    days: np.ndarray,
    truth: pl.DataFrame,
    code: list[dict[int, str]],
) -> Counts:
    fails, drifts = _ordinals(truth["insolvency_date"]), _ordinals(truth["drift_from"])
    ids = truth["account_id"].to_list()
    counts = Counts()
    for account in np.flatnonzero(fails < _NEVER).tolist():
        deadline = fails[account] - LEAD_DAYS
        at = int(np.searchsorted(days, deadline, side="right")) - 1
        if deadline - days[0] < FEWEST_LOOK_DAYS or deadline >= days[-1] + STEP_DAYS:
            continue
        counts.all_failures += 1
        if not watched[at, account]:
            continue
        window = np.flatnonzero((days <= deadline) & (days >= fails[account] - LOOK_BACK_DAYS))
        stood = window[standing[window, account]]
        announced = bool(drifts[account] < _NEVER)
        counts.cases += 1
        counts.drift_cases += announced
        if len(stood):
            counts.warned += 1
            counts.drift_warned += announced
            counts.leads.append(int(fails[account] - days[stood[0]]))
            name = code[stood[0]].get(ids[account], "")
            counts.codes[name] = counts.codes.get(name, 0) + 1
    return counts
