"""Training the statement score of a portfolio on its own outcomes, as a record that can be kept.

Default, as the outcome is defined: within twelve months of the day asked about, an insolvency event, a
write-off, or a material amount more than 90 days past due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from saldo.analytics.default_risk import additive, altman
from saldo.analytics.default_risk.additive import Additive
from saldo.analytics.default_risk.backtest import backtest_default_risk, prepared
from saldo.analytics.default_risk.combine import policy
from saldo.analytics.default_risk.ratios import ratio_frame
from saldo.analytics.default_risk.splits import inner_folds
from saldo.core.errors import SaldoError

FORMAT = 1
# The stated base rate counts as so many customers beside the portfolio's own.
BASE_RATE_ROWS = 50
# Of fewer statements no usual Z'' is learnt.
LEAST_STATEMENTS = 30
_TARGET, _CUSTOMER = "defaulted", "customer_id"
_CANNOT = (
    "default_risk_too_few",
    "default_risk_one_outcome",
    "default_risk_no_columns",
    "default_risk_only_leaks",
)


@dataclass(frozen=True, slots=True)
class RiskModel:
    """base_rate: share of customers that default within a year. statement: from ratios to log-odds, None
    where there were too few outcomes (then Altman's Z'' reads the statements). usual_z: the median Z'' of the
    portfolio, None where too few statements are known. metrics: the backtest."""

    base_rate: float
    statement: Additive | None = None
    usual_z: float | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "format": FORMAT,
            "base_rate": self.base_rate,
            "statement": None if self.statement is None else self.statement.as_record(),
            "usual_z": self.usual_z,
            "metrics": dict(self.metrics),
        }

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> RiskModel:
        """The model of ``as_record``. Raises ValueError for a record of another format."""
        if record.get("format") != FORMAT:
            raise ValueError(f"a risk model of format {record.get('format')}, not {FORMAT}")
        statement = record["statement"]
        return RiskModel(
            float(record["base_rate"]),
            None if statement is None else additive.from_record(statement),
            None if record["usual_z"] is None else float(record["usual_z"]),
            dict(record["metrics"]),
        )


def train_statements(
    statements: pl.DataFrame, outcomes: pl.DataFrame, seed: int = 0, folds: int | None = None
) -> RiskModel:
    """The model of these outcomes, judged first by the backtest with each customer in one fold only.

    statements: customer_id, year_end_date, figures (JSON text), and known_date where it is known when the
    figures were. outcomes: customer_id, as_of, defaulted (within twelve months after); one row a question.
    """
    known = outcomes.drop_nulls([_CUSTOMER, "as_of", _TARGET])
    stated = policy().base_rate
    defaults = float(known[_TARGET].cast(pl.Float64).sum())
    base_rate = (defaults + BASE_RATE_ROWS * stated) / (known.height + BASE_RATE_ROWS)
    frame = _design(statements, known)
    if frame is None:
        return RiskModel(base_rate)
    usual_z = _usual_z(frame)
    try:
        report = backtest_default_risk(frame, _TARGET, folds, seed, group=_CUSTOMER)
        ready = prepared(frame, _TARGET, group=_CUSTOMER)
    except SaldoError as error:
        if error.code not in _CANNOT:
            raise
        return RiskModel(base_rate, usual_z=usual_z)
    inner = inner_folds(ready.outcomes, seed, ready.groups)
    statement = additive.fit(ready.values, ready.outcomes, ready.columns, inner)
    return RiskModel(base_rate, statement, usual_z, report.as_json())


def _usual_z(ratios: pl.DataFrame) -> float | None:
    """The median Z'' of these statements."""
    z = altman.z_score(ratios.select(*altman.RATIOS.values()).to_numpy())
    known = z[~np.isnan(z)]
    return float(np.median(known)) if len(known) >= LEAST_STATEMENTS else None


def _design(statements: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame | None:
    """The ratios known at each question, with its outcome; None where no question has a statement."""
    parts = []
    for (as_of,), asked in outcomes.group_by("as_of", maintain_order=True):
        known = statements
        if "known_date" in statements.columns:
            known = statements.filter(pl.col("known_date") <= as_of)
        wanted = known.join(asked, on=_CUSTOMER, how="semi")
        ratios = ratio_frame(wanted, as_of).drop("year_end_date", "lines")
        parts.append(asked.select(_CUSTOMER, _TARGET).join(ratios, on=_CUSTOMER, how="inner"))
    frame = pl.concat(parts) if parts else None
    return None if frame is None or frame.is_empty() else frame
