"""The backtest of default risk: on any table, without leaks, honest about what it cannot do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from saldo.analytics.default_risk import additive, backtest, challenger
from saldo.analytics.default_risk import splits as split_rules
from saldo.analytics.default_risk.backtest import DefaultRiskReport, backtest_default_risk, prepared
from saldo.analytics.default_risk.columns import read_outcomes
from saldo.analytics.default_risk.measures import auc, chance
from saldo.analytics.default_risk.splits import splits, stratified
from saldo.core.errors import SaldoError

POLISH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "polish_bankruptcy_5year.arff.gz"


def companies(rows: int = 300, seed: int = 0) -> pl.DataFrame:
    """Companies whose margin tells something of their default, and whose size tells nothing."""
    draws = np.random.default_rng(seed)
    margin, size = draws.normal(size=rows), draws.normal(size=rows)
    bad = (draws.random(rows) < chance(1.6 * margin - 1.4)).astype(np.int64)
    return pl.DataFrame({"margin": margin, "size": size, "bankrupt": bad})


def judged(frame: pl.DataFrame, **options: Any) -> DefaultRiskReport:
    return backtest_default_risk(frame, options.pop("target", "bankrupt"), folds=3, **options)


@pytest.fixture(scope="module", autouse=True)
def _few_rounds() -> Iterator[None]:
    """The same code with fewer trees and inner folds: tables here are small, and seconds count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(additive, "STAGES", (10, 25, 50, 100))
        patch.setattr(challenger, "STAGES", (10, 25, 50, 100))
        patch.setattr(challenger, "SCOUT_ROUNDS", 20)
        patch.setattr(split_rules, "INNER", 3)
        yield


@pytest.fixture(scope="module")
def plain() -> DefaultRiskReport:
    return judged(companies())


def test_report_has_every_rung_with_its_errors(plain: DefaultRiskReport) -> None:
    told = plain.as_json()
    json.dumps(told, allow_nan=False)
    names = [rung["name"] for rung in told["rungs"]]
    assert names == ["base_rate", "logistic", "woe_scorecard", "additive_trees", "boosted_ratios"]
    for rung in told["rungs"][1:]:
        assert rung["auc"] > 0.7
        assert 0.0 < rung["auc_se"] < 0.1
        assert rung["ece"] < 0.15
    assert told["explained"] == told["rungs"][3]
    assert told["challenger"] == told["rungs"][4]
    assert sum(one["items"] for one in told["calibration"]["365"]) == told["rows"] == 300


def test_the_same_table_gives_the_same_report(plain: DefaultRiskReport) -> None:
    assert judged(companies()) == plain


def test_a_column_that_tells_the_outcome_is_named_and_changes_nothing(plain: DefaultRiskReport) -> None:
    draws = np.random.default_rng(1)
    frame = companies()
    told_by = pl.col("bankrupt").cast(pl.Float64)
    leaky = frame.with_columns(
        copied=told_by * 3.0 + pl.Series(draws.normal(scale=0.1, size=300)),
        closed_on=pl.when(pl.col("bankrupt") == 1).then(pl.lit("liquidated")),
    ).select("copied", "margin", "size", "closed_on", "bankrupt")
    found = judged(leaky)
    assert set(found.leaks) == {"copied", "closed_on"}
    assert found.left_out == {"copied": "leak", "closed_on": "leak"}
    assert found.rungs == plain.rungs
    kept = judged(leaky, keep_leaks=True)
    assert kept.explained.measures["auc"] > 0.99
    assert [leak["excluded"] for leak in kept.as_json()["leaks"]] == [False, False]


def test_shuffled_outcomes_cannot_be_predicted() -> None:
    """Choosing pairs, rounds and bins on rows that are judged would show here: 15 columns of pure noise."""
    draws = np.random.default_rng(2)
    noise = pl.DataFrame({f"r{at}": draws.normal(size=500) for at in range(15)})
    report = judged(noise.with_columns(bankrupt=pl.Series(draws.permutation([1] * 100 + [0] * 400))))
    for rung in report.rungs:
        assert 0.35 < rung.measures["auc"] < 0.58, rung.name
    for name in ("woe_scorecard", "additive_trees", "boosted_ratios"):
        assert report.rung(name).measures["ece"] < 0.05, name


def test_rows_of_one_company_are_not_parted() -> None:
    """Figures that only name the company, with an outcome that is the company's: known if it is split."""
    draws = np.random.default_rng(3)
    code = np.repeat(np.arange(60), 6)
    frame = pl.DataFrame({
        "company": [f"C{one}" for one in code],
        "a": draws.normal(size=60)[code],
        "b": draws.normal(size=60)[code] + draws.normal(scale=1e-3, size=360),
        "bankrupt": draws.permutation([1] * 20 + [0] * 40)[code],
    })  # fmt: skip
    parted = judged(frame.drop("company"))
    whole = judged(frame, group="company")
    assert parted.challenger.measures["auc"] > 0.9
    assert whole.challenger.measures["auc"] < 0.75
    assert whole.split == "group"
    assert "company" not in whole.columns


def test_by_time_only_the_past_teaches() -> None:
    outcomes = np.tile([0, 0, 1], 100)
    days = np.repeat(np.arange(30), 10)
    groups = (np.arange(300) + 7) // 15
    for one in splits(outcomes, 4, 0, groups, days):
        assert days[one.train].max() < days[one.test].min()
        assert not set(groups[one.train]) & set(groups[one.test])
    frame = companies().with_columns(year=pl.Series(2000 + np.arange(300) // 60))
    report = judged(frame, time="year")
    assert (report.split, report.judged) == ("time", 180)
    assert "year" not in report.columns


def test_folds_share_out_defaults_and_groups() -> None:
    outcomes = np.array([1] * 30 + [0] * 270)
    fold = stratified(outcomes, 10, (0,))
    assert np.bincount(fold).tolist() == [30] * 10
    assert np.bincount(fold, weights=outcomes).tolist() == [3.0] * 10
    assert len(set(fold[:10].tolist())) > 3
    groups = np.arange(300) // 5
    grouped = stratified(outcomes, 5, (0,), groups)
    assert all(len(set(grouped[groups == one])) == 1 for one in range(60))
    assert np.bincount(grouped, weights=outcomes).max() <= 10


def test_copies_are_dropped_and_equals_of_coarse_columns_are_not() -> None:
    frame = companies()
    ready = prepared(pl.concat([frame, frame.head(40)]), "bankrupt")
    assert (len(ready.outcomes), ready.duplicates) == (300, 40)
    coarse = frame.with_columns(
        margin=(pl.col("margin") > 0).cast(pl.Int64), size=pl.lit(1) + pl.col("bankrupt") * 0
    )
    ready = prepared(coarse, "bankrupt")
    assert (len(ready.outcomes), ready.duplicates) == (300, 0)


def test_every_kind_of_column(plain: DefaultRiskReport) -> None:
    draws = np.random.default_rng(4)
    margin = companies()["margin"].to_numpy()
    frame = companies().with_columns(
        constant=pl.lit(3.0),
        empty=pl.lit(None, dtype=pl.Float64),
        gaps=pl.lit(float("nan")),
        row_number=pl.Series(draws.permutation(300) + 1000),
        name=pl.Series([f"Ditta {at}" for at in range(300)]),
        opened=pl.lit(date(2206, 1, 1)),
        lists=pl.Series([[1, 2]] * 300),
        only_word=pl.lit("k"),
        sector=pl.Series(draws.choice(["bakery", "building", None], 300)),
        is_group=pl.Series(margin > 0.3),
        endless=pl.Series(np.where(draws.random(300) < 0.2, np.inf, np.where(margin < -1, -np.inf, margin))),
        huge=pl.Series(margin * 1e300),
        tiny=pl.Series(margin * 1e-300),
        italian=pl.Series([f"{value:.3f}".replace(".", ",") for value in margin]),
        marked=pl.Series(["?" if at % 5 == 0 else str(value) for at, value in enumerate(margin)]),
        many=pl.Series(draws.integers(0, 2**62, 300)),
    )
    report = judged(frame)
    assert report.left_out == {
        "constant": "constant", "empty": "empty", "gaps": "empty", "row_number": "identifier",
        "name": "identifier", "opened": "dates", "lists": "type", "only_word": "constant",
    }  # fmt: skip
    for rung in report.rungs[1:]:
        assert rung.measures["auc"] > plain.rung(rung.name).measures["auc"] - 0.06, rung.name
    ready = prepared(frame, "bankrupt")
    italian, marked = (ready.columns.names.index(name) for name in ("italian", "marked"))
    assert np.allclose(ready.values[:, italian], margin, atol=6e-4)
    assert np.isnan(ready.values[:, marked]).sum() == 60


@pytest.mark.parametrize(
    ("no", "yes", "event"),
    [
        (0, 1, "1"), (0.0, 1.0, "1"), (1, 2, "2"), (-1, 1, "1"), (False, True, "true"), ("no", " YES", "yes"),
        ("No", "Sì", "sì"), ("b'0'", "b'1'", "1"), (b"0", b"1", "1"), ("f", "t", "t"), ("Good", "Bad", "bad"),
        ("non-bankrupt", "bankrupt", "bankrupt"), ("zeta", "alpha", "alpha"), ("alpha", "zeta", "zeta"),
    ],
)  # fmt: skip
def test_spellings_of_the_outcome(no: Any, yes: Any, event: str) -> None:
    values = [yes if at % 5 == 0 else no for at in range(40)]
    found = read_outcomes(pl.DataFrame({"y": [*values, None]}, strict=False), "y")
    assert found.event == event
    assert found.values.tolist() == [1 if at % 5 == 0 else 0 for at in range(40)]
    assert found.rows.tolist() == list(range(40))


def refused(frame: pl.DataFrame, **options: Any) -> str:
    with pytest.raises(SaldoError) as caught:
        judged(frame, **options)
    assert caught.value.text("it") and caught.value.text("en")
    return caught.value.code


def test_tables_that_cannot_be_judged_say_why() -> None:
    frame = companies()
    bad, good = frame.filter(pl.col("bankrupt") == 1), frame.filter(pl.col("bankrupt") == 0)
    assert refused(frame.head(5)) == "default_risk_too_few"
    assert refused(pl.concat([bad.head(9), good])) == "default_risk_too_few"
    assert refused(frame.head(0)) == "default_risk_one_outcome"
    assert refused(good) == "default_risk_one_outcome"
    assert refused(frame, target="nothing") == "default_risk_no_target"
    assert refused(frame, group="nothing") == "default_risk_no_target"
    assert refused(frame, target="margin") == "default_risk_target_not_binary"
    assert refused(frame, event="7") == "default_risk_no_event"
    assert refused(frame.select("bankrupt")) == "default_risk_no_columns"
    spoilt = frame.with_columns(margin=2.0 * pl.col("bankrupt")).drop("size")
    assert refused(spoilt) == "default_risk_only_leaks"
    assert refused(frame.with_columns(day=pl.lit(None, dtype=pl.Date)), time="day") == "default_risk_no_dates"
    assert refused(frame.with_columns(day=pl.lit(date(2026, 1, 1))), time="day") == "default_risk_no_split"
    with pytest.raises(SaldoError, match="folds"):
        backtest_default_risk(frame, "bankrupt", folds=1)


def test_the_fewest_outcomes_that_can_be_judged() -> None:
    frame = companies()
    few = [frame.filter(pl.col("bankrupt") == outcome).head(10) for outcome in (0, 1)]
    report = backtest_default_risk(pl.concat(few), "bankrupt")
    assert (report.rows, report.defaults) == (20, 10)
    json.dumps(report.as_json(), allow_nan=False)


def test_altman_is_judged_where_its_ratios_are_named() -> None:
    draws = np.random.default_rng(5)
    ratios = draws.normal([0.2, 0.1, 0.08, 0.8], [0.3, 0.3, 0.1, 0.5], size=(300, 4))
    z = 3.25 + ratios @ [6.56, 3.26, 6.72, 1.05]
    frame = pl.DataFrame({f"Attr{at}": ratios[:, at] for at in range(4)}).with_columns(
        bankrupt=pl.Series((draws.random(300) < chance(3.5 - z)).astype(np.int64))
    )
    named = {"x1": "Attr0", "x2": "Attr1", "x3": "Attr2", "X4": "attr3"}
    found = judged(frame, altman_ratios=named).rung("altman_z").measures["auc"]
    assert found == pytest.approx(auc(frame["bankrupt"].to_numpy(), -z), abs=0.02)
    renamed = frame.rename({f"Attr{at}": f"X{at + 1}" for at in range(4)})
    assert prepared(renamed, "bankrupt").altman_at == (0, 1, 2, 3)
    assert prepared(frame, "bankrupt").altman_at is None


@pytest.mark.skipif(not POLISH.exists(), reason="the data are not here")
def test_polish_bankruptcies(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bankruptcies of the file beside every 15th of the others, in two folds: the order of the rungs."""
    text = gzip.decompress(POLISH.read_bytes()).decode("ascii", "replace").split("@data", 1)[-1]
    rows = [line.split(",") for line in text.splitlines() if line.count(",") == 64]
    kept = [row for at, row in enumerate(rows) if row[-1].strip() == "1" or at % 15 == 0]
    assert len(rows) == 5910
    frame = pl.DataFrame(
        {f"Attr{at + 1}": [row[at] for row in kept] for at in range(64)}
        | {"class": [row[-1] for row in kept]}
    )
    names = ("woe_scorecard", "additive_trees", "boosted_ratios")
    monkeypatch.setattr(backtest, "RUNGS", {name: backtest.RUNGS[name] for name in names})
    report = backtest_default_risk(frame, "class", folds=2)
    assert not report.leaks
    assert not report.left_out
    assert report.rung("woe_scorecard").measures["auc"] > 0.87
    assert report.explained.measures["auc"] > 0.89
    assert report.challenger.measures["auc"] > 0.93
    assert report.explained.measures["ece"] < 0.07
    assert report.challenger.measures["ece"] < 0.07
