"""The behavior score on simulated worlds: stated card and card learnt from the first two years, judged on the
last one.

    python -m benchmarks.behavior_score --seed 1 --seed 2 [--json]

A question is an account with paid items and not in default a year before the world's end; default as in
``analytics/behavior.toml``. Questions of the year before last teach, so no outcome is used twice. insolvency:
the AUC for the insolvency itself, which the world decides without regard to how a customer pays as a rule.
"""

from __future__ import annotations

import argparse
import json
from datetime import date, timedelta

import numpy as np
import polars as pl

from saldo.analytics.behavior import BehaviorModel, behavior_scores, train_behavior
from saldo.analytics.behavior_features import behavior_features, defaulted_on
from saldo.analytics.book import Book
from saldo.analytics.default_risk.measures import auc, brier, ece
from saldo.simulation.forecast_trial.world_book import insolvencies, world_book
from saldo.simulation.world.world import World

LAST_DAY = date(2026, 10, 30)
JUDGED_ON = LAST_DAY - timedelta(days=365)


def judged(book: Book, truth: pl.DataFrame, model: BehaviorModel | None) -> tuple[np.ndarray, ...]:
    """(pd, defaulted, insolvent) of each account asked about."""
    features = behavior_features(book, JUDGED_ON).filter(~pl.col("in_default") & (pl.col("n_history") > 0))
    gone = truth.filter(pl.col("insolvency_date") <= JUDGED_ON)["account_id"]
    asked = features.filter(~pl.col("account_id").is_in(gone.implode()))["account_id"]
    scores = behavior_scores(book, JUDGED_ON, model).filter(pl.col("account_id").is_in(asked.implode()))
    after = [defaulted_on(book, JUDGED_ON + timedelta(days=days)) for days in range(30, 366, 30)]
    bad = pl.concat(after)["account_id"].unique()
    failed = truth.filter(pl.col("insolvency_date").is_between(JUDGED_ON, LAST_DAY))["account_id"]
    return (
        scores["pd"].to_numpy(),
        scores["account_id"].is_in(bad.implode()).cast(pl.Int64).to_numpy(),
        scores["account_id"].is_in(failed.implode()).cast(pl.Int64).to_numpy(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append", required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for seed in options.seed:
        world = World.make("medium", seed, LAST_DAY).tables()
        book, truth = world_book(world), insolvencies(world)
        for name, model in (("stated", None), ("learnt", train_behavior(book, JUDGED_ON))):
            chances, defaulted, insolvent = judged(book, truth, model)
            rows.append({
                "seed": seed, "card": name, "accounts": len(chances), "defaults": int(defaulted.sum()),
                "auc": round(auc(defaulted, chances), 4), "ece": round(ece(defaulted, chances), 4),
                "brier": round(brier(defaulted, chances), 4), "mean_pd": round(float(chances.mean()), 4),
                "insolvency_auc": round(auc(insolvent, chances), 4),
            })  # fmt: skip
    if options.json:
        print(json.dumps(rows))
        return
    with pl.Config(tbl_cols=-1, tbl_width_chars=140):
        print(pl.DataFrame(rows))


if __name__ == "__main__":
    main()
