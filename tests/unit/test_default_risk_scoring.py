"""Risk scores: ratios, Altman's Z'', ratings, classes, their combination in words, and the trained model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from saldo.analytics.default_risk import additive, altman, challenger, combine
from saldo.analytics.default_risk.classes import (
    class_of,
    parse_scale,
    points_of,
    scale,
    score_of,
)
from saldo.analytics.default_risk.combine import BEHAVIOR, RATING_GIVEN, Part, Reason, combined, policy
from saldo.analytics.default_risk.measures import chance, logit
from saldo.analytics.default_risk.ratings import GIVEN, rated_pd, rating_scales
from saldo.analytics.default_risk.ratios import parse_ratios, ratio_frame, ratio_table
from saldo.analytics.default_risk.scoring import SCORES, score_customers
from saldo.analytics.default_risk.train import RiskModel, train_statements
from saldo.core.reasons import render
from saldo.core.risk_reasons import missing_name, ratio_name

AS_OF = date(2026, 6, 30)


@pytest.fixture(scope="module", autouse=True)
def _few_rounds() -> Iterator[None]:
    """The same code with fewer trees: portfolios here are small, and seconds count."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(additive, "STAGES", (25, 50, 100))
        patch.setattr(challenger, "STAGES", (25, 50))
        patch.setattr(challenger, "SCOUT_ROUNDS", 20)
        yield


SOUND = {
    "total_assets": "1000", "current_assets": "600", "cash": "100", "inventory": "100",
    "receivables": "300", "equity": "500", "retained_earnings": "300", "current_liabilities": "200",
    "revenue": "1500", "ebit": "120", "interest_expense": "10", "net_profit": "80",
}  # fmt: skip
WEAK = SOUND | {"equity": "50", "ebit": "-60", "retained_earnings": "-100", "current_liabilities": "700"}


def statements(*rows: tuple[int, date, dict[str, str]]) -> pl.DataFrame:
    schema = {"customer_id": pl.Int64, "year_end_date": pl.Date, "figures": pl.String}
    told = [(customer, day, json.dumps(figures)) for customer, day, figures in rows]
    return pl.DataFrame(told, schema=schema, orient="row")


def ratings(*rows: tuple[int, str, str, float | None, date, date | None]) -> pl.DataFrame:
    schema = {
        "customer_id": pl.Int64, "agency": pl.String, "value": pl.String, "pd": pl.Float64,
        "rating_date": pl.Date, "valid_until": pl.Date,
    }  # fmt: skip
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def behavior(*rows: tuple[int, float | None, list[dict[str, Any]], int, list[str]]) -> pl.DataFrame:
    schema = {
        "account_id": pl.Int64, "pd": pl.Float64, "reasons": pl.String, "n_history": pl.Int64,
        "missing": pl.String,
    }  # fmt: skip
    told = [(account, pd, json.dumps(why), n, json.dumps(gaps)) for account, pd, why, n, gaps in rows]
    return pl.DataFrame(told, schema=schema, orient="row")


def accounts(*customers: int) -> pl.DataFrame:
    return pl.DataFrame({"account_id": [10 + one for one in customers], "customer_id": list(customers)})


# ---- ratios and Altman -------------------------------------------------------------------------------------


def test_ratios_by_hand() -> None:
    last_year = {"revenue": "1200", "total_liabilities": "450", "total_assets": "900"}
    rows = statements((1, date(2024, 12, 31), last_year), (1, date(2025, 12, 31), SOUND))
    found = ratio_frame(rows, AS_OF).row(0, named=True)
    expected = {
        "working_capital_share": 0.4, "retained_earnings_share": 0.3, "ebit_share": 0.12,
        "equity_to_debt": 1.0, "current_ratio": 3.0, "quick_ratio": 2.0, "interest_cover": 12.0,
        "receivable_days": 73.0,
        "revenue_growth": 0.25, "debt_growth": 50 / 900, "operating_margin": 0.08,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    # As it was known a year before: the earlier statement, which lacks most lines.
    before = ratio_frame(rows, date(2025, 6, 30)).row(0, named=True)
    assert before["year_end_date"] == date(2024, 12, 31)
    assert before["equity_share"] == pytest.approx(0.5)
    assert np.isnan(before["current_ratio"])


def test_ratios_are_missing_rather_than_guessed() -> None:
    odd = SOUND | {"current_liabilities": "0", "interest_expense": "n/a", "revenue": "-5", "cash": "NaN"}
    three_years = (1, date(2022, 12, 31), SOUND)
    found = ratio_frame(statements(three_years, (1, date(2025, 12, 31), odd)), AS_OF).row(0, named=True)
    for name in ("current_ratio", "interest_cover", "operating_margin", "quick_ratio", "revenue_growth"):
        assert np.isnan(found[name]), name
    assert found["ebit_share"] == pytest.approx(0.12)
    with pytest.raises(ValueError, match="no sum"):
        parse_ratios('[ratios.x]\nnumerator = "a b"\ndenominator = "c"\nbetter = "high"\n')


def test_altman_by_hand() -> None:
    x = np.array([[0.4, 0.3, 0.12, 1.0]])
    z = altman.z_score(x)
    assert z[0] == pytest.approx(3.25 + 6.56 * 0.4 + 3.26 * 0.3 + 6.72 * 0.12 + 1.05 * 1.0)
    assert [altman.zone(value) for value in (4.34, 4.36, 5.84, 5.86)] == ["distress", "grey", "grey", "safe"]
    parts = altman.contributions(x)
    middle = float(altman.log_odds_of(altman.MIDDLE))
    assert middle + parts.sum() == pytest.approx(float(altman.log_odds_of(z)[0]))
    assert float(altman.log_odds_of(4.0)) - float(altman.log_odds_of(5.0)) == pytest.approx(np.log(2.0))
    assert np.isnan(altman.z_score(np.array([[0.4, 0.3, 0.12, np.nan]]))[0])


# ---- ratings and classes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agency", "value", "pd", "expected"),
    [
        ("Agenzia Alfa", "E", 0.07, 0.07),
        ("Agenzia Alfa", "b", None, 0.01),
        ("Cerved Group", "B2.1", None, 0.0257),
        ("CRIF", "BB+", None, 0.0257),
        ("Moody’s", "Ba2", None, 0.0257),
        ("Dun & Bradstreet", "4", None, 0.15),
        ("Agenzia Alfa", "B", 1.4, 0.01),
        ("Agenzia Alfa", "B", 0.0, 0.0001),
    ],
)
def test_ratings_as_probabilities(agency: str, value: str, pd: float | None, expected: float) -> None:
    found = rated_pd(agency, value, pd)
    assert found is not None
    assert found.pd == pytest.approx(expected)
    assert (found.origin == GIVEN) == (pd is not None and pd <= 1.0)


def test_a_rating_that_nobody_explains_says_nothing() -> None:
    assert rated_pd("Agenzia Alfa", "XYZ") is None
    assert rated_pd("Cerved", "AAA") is None
    assert rated_pd("Cerved", "") is None
    for one in rating_scales():
        levels = list(one.pd.values())
        assert levels == sorted(levels), one.agencies


def test_score_and_classes() -> None:
    assert float(score_of(logit(0.5))) == 0.0
    assert float(score_of(logit(0.0005))) == pytest.approx(100.0)
    assert float(score_of(logit(0.9))) == 0.0
    assert [class_of(float(logit(pd))) for pd in (0.001, 0.005, 0.006, 0.03, 0.1, 0.13, 1.0)] == list(
        "AABCDEE"
    )
    assert float(score_of(-3.0) - score_of(-3.5)) == pytest.approx(float(points_of(0.5)))
    with pytest.raises(ValueError, match="classes"):
        parse_scale('[score]\npd_at_0=0.5\npd_at_100=0.1\n[[classes]]\nname="A"\nup_to=0.2')
    assert float(points_of(1.0)) == -scale().points_per_log_odds


# ---- the combination ---------------------------------------------------------------------------------------


def test_combined_reasons_add_up_to_the_score() -> None:
    why = (Reason("late", 0.8, {"n": 3}), Reason("partial", -0.2, {}))
    parts = [
        Part(BEHAVIOR, float(logit(0.10)), AS_OF, why, history=12),
        Part(RATING_GIVEN, float(logit(0.01)), AS_OF, [Reason("risk_rating", None, {})]),
    ]
    found = combined(parts, AS_OF, 0.03)
    points = sum(one["params"]["points"] for one in found.reasons)
    assert found.base_points + points == pytest.approx(float(score_of(found.log_odds)), abs=0.05)
    assert found.score == round(float(score_of(found.log_odds)))
    assert 0.01 < found.pd < 0.10
    assert all(one["code"] != combine.REST for one in found.strongest)
    sizes = [abs(one["params"]["points"]) for one in found.reasons]
    assert sizes == sorted(sizes, reverse=True)
    # A formula by hand: pulls 1.2 x 12/16 = 0.9 and 0.8, base 0.25.
    base = float(logit(0.03))
    pull = policy().base_pull + 0.9 + 0.8
    by_hand = base + (0.9 * (logit(0.10) - base) + 0.8 * (logit(0.01) - base)) / pull
    assert found.log_odds == pytest.approx(float(by_hand))


def test_without_parts_the_base_rate_and_old_parts_do_not_count() -> None:
    old = Part(RATING_GIVEN, 3.0, AS_OF - timedelta(days=1))
    found = combined([old], AS_OF, 0.03)
    assert found.pd == pytest.approx(0.03)
    assert found.reasons == ()
    assert found.valid_until == AS_OF + timedelta(days=policy().score_days)
    newcomer = Part(BEHAVIOR, float(logit(0.5)), AS_OF, history=0)
    assert combined([newcomer], AS_OF, 0.03).pd == pytest.approx(0.03)
    few, many = (combined([Part(BEHAVIOR, 0.0, AS_OF, history=n)], AS_OF, 0.03).pd for n in (2, 50))
    assert 0.03 < few < many < 0.5


def test_a_portfolio_is_scored_with_what_it_lacks() -> None:
    late = {"code": "behavior_late", "params": {"n": 3}, "points": -9.0}
    found = score_customers(
        accounts(1, 2, 3, 4, 5),
        statements(
            (1, date(2025, 12, 31), SOUND), (2, date(2025, 12, 31), WEAK), (3, date(2022, 12, 31), SOUND),
            (4, date(2025, 12, 31), {"cash": "1"}), (5, date(2026, 12, 31), SOUND),
        ),
        ratings(
            (1, "Cerved", "A2.1", None, date(2026, 3, 1), None),
            (2, "Agenzia Alfa", "A", None, date(2025, 8, 1), None),
            (2, "Agenzia Alfa", "E", 0.21, date(2026, 3, 1), date(2026, 7, 10)),
            (3, "Agenzia Alfa", "ZZ", None, date(2026, 3, 1), None),
            (4, "Agenzia Alfa", "B", 0.01, date(2023, 3, 1), None),
            (5, "Agenzia Alfa", "E", 0.5, date(2026, 7, 1), None),
        ),
        behavior((12, 0.2, [late], 8, []), (13, None, [], 0, ["payment_history"])),
        AS_OF,
    )  # fmt: skip
    assert dict(found.schema) == {name: kind() for name, kind in SCORES.items()}
    sound, weak, third, fourth, fifth = found.iter_rows(named=True)
    assert sound["risk_class"] in "AB" and weak["risk_class"] in "DE"
    assert sound["score"] > third["score"] > weak["score"]
    assert set(json.loads(weak["parts"])) == {"altman", "rating_given", "behavior", "base"}
    assert weak["valid_until"] == date(2026, 7, 10)
    assert json.loads(third["missing"]) == ["statement_too_old", "rating_unknown", "payment_history"]
    assert json.loads(fourth["missing"]) == ["statement_incomplete", "rating_expired", "payment_history"]
    assert json.loads(fifth["missing"]) == ["statement", "rating", "payment_history"]
    assert fifth["pd"] == pytest.approx(policy().base_rate)
    told = json.loads(weak["reasons"])
    assert len(told) == 3
    assert told[0]["code"] == "risk_rating"
    weight = json.loads(weak["parts"])["behavior"]["weight"]
    own = [one for one in told if one["code"] == "behavior_late"]
    assert not own or own[0]["params"]["points"] == pytest.approx(weight * -9.0, abs=0.01)


def test_an_empty_portfolio_and_no_facts() -> None:
    assert score_customers(accounts(), statements(), ratings(), None, AS_OF).height == 0
    found = score_customers(accounts(1), statements(), ratings(), None, AS_OF)
    assert found["pd"].to_list() == pytest.approx([policy().base_rate])


@pytest.mark.parametrize("language", ["it", "en"])
def test_reasons_and_gaps_have_words(language: str) -> None:
    for ratio in ratio_table().names:
        assert ratio_name(ratio, language) != ratio.replace("_", " "), ratio
        assert missing_name(f"ratio:{ratio}", language) == ratio_name(ratio, language)
        text = render("risk_ratio", {"ratio": ratio, "value": -0.1234, "year": 2025}, language)
        assert text.startswith(ratio_name(ratio, language)) and "2025" in text
        assert render("risk_ratio_missing", {"ratio": ratio, "year": 2025}, language)
    params = {"agency": "Alfa", "value": "B1.2", "pd": 0.0033, "date": "2026-03-08"}
    assert ("0,33%" if language == "it" else "0.33%") in render("risk_rating", params, language)
    assert render("risk_rest", {"part": "behavior"}, language)
    for name in ("statement", "statement_too_old", "statement_incomplete", "rating", "rating_expired",
                 "rating_unknown", "payment_history"):  # fmt: skip
        assert missing_name(name, language) != name


# ---- the trained model -------------------------------------------------------------------------------------


def portfolio(customers: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Companies whose operating result and equity decide how likely they default; asked about twice."""
    draws = np.random.default_rng(7)
    sheets: list[tuple[int, date, dict[str, str]]] = []
    outcomes = []
    for customer in range(customers):
        for year in (2023, 2024):
            ebit, equity = draws.normal(60, 80), draws.normal(350, 200)
            figures = SOUND | {"ebit": f"{ebit:.2f}", "equity": f"{equity:.2f}"}
            sheets.append((customer, date(year, 12, 31), figures))
            bad = draws.random() < chance(-1.2 - ebit / 40 - (equity - 350) / 150)
            outcomes.append((customer, date(year + 1, 6, 30), bool(bad)))
    schema = {"customer_id": pl.Int64, "as_of": pl.Date, "defaulted": pl.Boolean}
    return statements(*sheets), pl.DataFrame(outcomes, schema=schema, orient="row")


def test_a_model_of_the_portfolios_own_outcomes() -> None:
    sheets, outcomes = portfolio(150)
    model = train_statements(sheets, outcomes, folds=2)
    assert model.statement is not None
    assert model.metrics["split"] == "group"
    assert model.metrics["explained"]["auc"] > 0.7
    assert model.base_rate == pytest.approx(outcomes["defaulted"].mean(), abs=0.06)
    again = RiskModel.from_record(json.loads(json.dumps(model.as_record(), allow_nan=False)))
    asked = statements((1, date(2025, 12, 31), SOUND), (2, date(2025, 12, 31), WEAK))
    scores = score_customers(accounts(1, 2, 3), asked, ratings(), None, AS_OF, model)
    assert scores.equals(score_customers(accounts(1, 2, 3), asked, ratings(), None, AS_OF, again))
    sound, weak, nobody = scores["pd"].to_list()
    assert sound < nobody < weak
    assert "statement" in json.loads(scores["parts"][0])
    assert {one["params"]["ratio"] for one in json.loads(scores["reasons"][1])} & {
        "ebit_share",
        "operating_margin",
    }
    with pytest.raises(ValueError, match="format"):
        RiskModel.from_record({"format": 99})


def test_too_few_outcomes_leave_altman_and_move_the_base_rate() -> None:
    sheets, outcomes = portfolio(6)
    model = train_statements(sheets, outcomes)
    assert model.statement is None
    assert policy().base_rate < model.base_rate < outcomes["defaulted"].mean()
    assert model.usual_z is None
    scores = score_customers(accounts(1), sheets, ratings(), None, date(2025, 6, 30), model)
    assert "altman" in json.loads(scores["parts"][0])
    assert train_statements(sheets, outcomes.head(0)).base_rate == pytest.approx(policy().base_rate)


def test_altman_is_read_against_the_portfolios_usual_company() -> None:
    """A company like most others defaults as often as most others, whatever the zone says."""
    z = float(altman.z_score(np.array([[0.4, 0.3, 0.12, 1.0]]))[0])
    asked = statements((1, date(2025, 12, 31), SOUND), (2, date(2025, 12, 31), WEAK))
    model = RiskModel(0.06, usual_z=z)
    usual, weak, nobody = score_customers(accounts(1, 2, 3), asked, ratings(), None, AS_OF, model)["pd"]
    assert usual == pytest.approx(0.06)
    assert nobody == pytest.approx(0.06)
    assert weak > 0.15


def test_training_looks_only_at_figures_known_by_then() -> None:
    sheets, outcomes = portfolio(40)
    late = sheets.with_columns(known_date=pl.lit(date(2030, 1, 1)))
    assert train_statements(late, outcomes).statement is None
