"""Financial ratios from the lines of balance sheets. What they are made of is data: ``ratios.toml``."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
import polars as pl

from saldo.analytics.default_risk.measures import Floats

BEFORE = ":before"
# The year before is the one that ended so many days earlier.
_YEAR_BEFORE = range(300, 431)
_TERM = re.compile(r"\s*([+-]?)\s*([a-z_]+(?::before)?)\s*")

Terms = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Ratio:
    """numerator / denominator x scale; terms are (sign, line). is_high_good: which direction is better."""

    name: str
    numerator: Terms
    denominator: Terms
    scale: float
    is_high_good: bool


@dataclass(frozen=True, slots=True)
class RatioTable:
    """derived: lines that follow from others."""

    derived: Mapping[str, Terms]
    ratios: tuple[Ratio, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(ratio.name for ratio in self.ratios)


@cache
def ratio_table() -> RatioTable:
    """The table of ``ratios.toml``."""
    text = files("saldo.analytics.default_risk").joinpath("ratios.toml").read_text(encoding="utf-8")
    return parse_ratios(text)


def parse_ratios(text: str) -> RatioTable:
    """A table from its TOML text. Raises ValueError where a sum cannot be read."""
    tree = tomllib.loads(text)
    return RatioTable(
        {name: _terms(way) for name, way in tree.get("derived", {}).items()},
        tuple(
            Ratio(
                name,
                _terms(one["numerator"]),
                _terms(one["denominator"]),
                float(one.get("scale", 1.0)),
                one["better"] == "high",
            )
            for name, one in tree["ratios"].items()
        ),
    )


def _terms(text: str) -> Terms:
    terms: list[tuple[int, str]] = []
    at = 0
    while at < len(text):
        match = _TERM.match(text, at)
        if match is None or (terms and not match[1]):
            raise ValueError(f"no sum of lines: {text!r}")
        terms.append((-1 if match[1] == "-" else 1, match[2]))
        at = match.end()
    if not terms:
        raise ValueError("an empty sum")
    return tuple(terms)


def ratios_of(lines: Mapping[str, Floats], rows: int) -> dict[str, Floats]:
    """Every ratio of ``rows`` balance sheets. lines: amounts by name (and name:before), NaN where unknown."""
    table = ratio_table()
    known = {name: np.asarray(values, dtype=np.float64) for name, values in lines.items()}
    nothing = np.full(rows, np.nan)

    def total(terms: Terms) -> Floats:
        found = np.zeros(rows)
        for sign, name in terms:
            found = found + sign * known.get(name, nothing)
        return found

    for name, way in table.derived.items():
        for suffix in ("", BEFORE):
            stated = known.get(name + suffix, nothing)
            derived = total(tuple((sign, line + suffix) for sign, line in way))
            known[name + suffix] = np.where(np.isnan(stated), derived, stated)
    found: dict[str, Floats] = {}
    for ratio in table.ratios:
        below = total(ratio.denominator)
        safe = np.where(below > 0.0, below, np.nan)
        values = total(ratio.numerator) / safe * ratio.scale
        found[ratio.name] = np.where(np.isfinite(values), values, np.nan)
    return found


def ratio_frame(statements: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The ratios of each customer's last balance sheet, one row a customer, in order of customer_id.

    statements: customer_id, year_end_date, figures (JSON text: amounts as text by line). Years that end after
    ``as_of`` are not looked at; of two statements of one day the later row counts. Adds year_end_date and
    lines (JSON list of the names that were stated).
    """
    seen = (
        statements.filter(pl.col("year_end_date") <= as_of)
        .select("customer_id", "year_end_date", "figures")
        .unique(["customer_id", "year_end_date"], keep="last", maintain_order=True)
        .sort("customer_id", "year_end_date")
    )
    pairs = seen.with_columns(
        pl.col("figures").shift(1).over("customer_id").alias("before"),
        (pl.col("year_end_date") - pl.col("year_end_date").shift(1).over("customer_id"))
        .dt.total_days()
        .alias("gap"),
    ).unique("customer_id", keep="last", maintain_order=True)
    lines: dict[str, Floats] = {}
    stated: list[str] = []
    for row, (text, before, gap) in enumerate(pairs.select("figures", "before", "gap").iter_rows()):
        figures = read_figures(text)
        earlier = read_figures(before) if before is not None and gap in _YEAR_BEFORE else {}
        for name, value in (*figures.items(), *((name + BEFORE, value) for name, value in earlier.items())):
            if name not in lines:
                lines[name] = np.full(pairs.height, np.nan)
            lines[name][row] = value
        stated.append(json.dumps(sorted(figures)))
    found = ratios_of(lines, pairs.height)
    return pairs.select("customer_id", "year_end_date").with_columns(
        *(pl.Series(name, values, dtype=pl.Float64) for name, values in found.items()),
        pl.Series("lines", stated, dtype=pl.String),
    )


def read_figures(text: str) -> dict[str, float]:
    """Amounts by line from their JSON text; what is no finite number is left out."""
    found: dict[str, float] = {}
    for name, value in json.loads(text).items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        if np.isfinite(number):
            found[str(name)] = number
    return found
