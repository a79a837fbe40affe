"""Reasons of a forecast: the known cause comes first with its sign and size, and effects add up."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from itertools import product

import numpy as np
import polars as pl
import pytest

from saldo.analytics.book import LANDMARKS, Book, open_on
from saldo.analytics.curves import days_until
from saldo.analytics.features import features_at
from saldo.analytics.features_dictionary import features_by_name, reason_words
from saldo.analytics.payment_date.hazard import Hazard, HazardRung, Settings
from saldo.analytics.payment_date.hazard_cells import DAYS, WEEKS, Cells
from saldo.analytics.payment_date.ladder import NAMES, rung
from saldo.analytics.payment_date.reasons import reasons
from saldo.analytics.payment_date.reasons_learnt import Learnt, TopicEffects, topic_effects
from saldo.analytics.payment_date.reasons_topics import topic_of
from saldo.analytics.payment_date.rungs import Fitted
from saldo.analytics.payment_date.training import due_in
from saldo.core.forecast_reasons import EN, IT
from saldo.core.reasons import render
from tests.paying_book import Writer, steady

LAST = date(2025, 12, 31)
LATE, NEW, ONLY_METHOD = 7, 99, 8
LATE_DAYS = 22


def _delay(rng: np.random.Generator, account: int, due: date) -> int:
    return int(rng.normal(LATE_DAYS if account == LATE else 2, 2))


@cache
def book() -> Book:
    """Forty accounts pay two days after the due date, one of them three weeks, and one is new."""
    writer = Writer()
    steady(writer, range(1, 41), LAST, _delay)
    writer.item(NEW, LAST - timedelta(days=5))
    return writer.book()


@cache
def method_book() -> Book:
    """What is sent by letter is paid 15 days later, by every account alike."""
    writer = Writer()
    rng = np.random.default_rng(5)
    for account in range(1, 31):
        day = date(2024, 6, 1) + timedelta(days=int(rng.integers(0, 12)))
        while day <= LAST:
            method = "letter" if rng.random() < 0.4 else "mail"
            item = writer.item(account, day, method=method)
            writer.pays(item, int(rng.normal(17 if method == "letter" else 2, 2)), LAST)
            day += timedelta(days=12)
    return writer.book()


def settings(cells: Cells) -> Settings:
    return Settings(cells, 15, 8_000, 150_000, 40, 7, 0.1, 100, 0.5, 1)


@cache
def fitted(name: str, by_method: bool = False) -> Fitted:
    own = method_book() if by_method else book()
    cells = {"hazard": DAYS, "hazard weeks": WEEKS}.get(name)
    return HazardRung(settings(cells)).fit(own, LAST) if cells else rung(name).fit(own, LAST)


def effects(name: str, own: Book, by_method: bool = False) -> TopicEffects:
    model = fitted(name, by_method)
    assert isinstance(model, Learnt)
    return topic_effects(model, own, features_at(own, open_on(own.known_by(LAST), LAST)))


def landmarks_of(own: Book, account: int, as_of: date = LAST) -> pl.DataFrame:
    landmarks = open_on(own.known_by(as_of), as_of)
    mine = own.items.filter(pl.col("account_id") == account)
    return landmarks.join(mine, on="item_id", how="semi", maintain_order="left")


def before_due(own: Book, account: int) -> pl.DataFrame:
    """The account's last item on the eve of its document."""
    (item, day) = (
        own.items.filter(pl.col("account_id") == account).select("item_id", "document_date").rows()[-1]
    )
    return pl.DataFrame({"item_id": [item], "as_of": [day - timedelta(days=1)]}, schema=dict(LANDMARKS))


@pytest.mark.parametrize("name", ["customer_median", "empirical_bayes", "ridge_km", "hazard", "hazard weeks"])
def test_an_account_that_pays_late_is_told_first_with_its_size(name: str) -> None:
    (found,) = reasons(fitted(name), book(), before_due(book(), LATE))
    first = found[0]
    assert first["code"] == "usual_delay" or first["code"].startswith(("delay_", "late_"))
    told = sum(each["params"]["days"] for each in found)
    assert 0.5 * (LATE_DAYS - 2) < first["params"]["days"] <= told + 5 < 1.4 * LATE_DAYS + 5
    assert (
        first["params"]["n"] > 25
        and abs(first["params"].get("median_days", first["params"]["value"]) - 22) < 3
    )
    (others,) = reasons(fitted(name), book(), before_due(book(), ONLY_METHOD))
    assert all(abs(each["params"]["days"]) < 4 for each in others)


@pytest.mark.parametrize("name", ["ridge_km", "hazard"])
def test_a_cause_of_the_item_itself_is_told_by_its_own_column(name: str) -> None:
    own = method_book()
    items = own.items.filter(pl.col("document_date") > date(2025, 11, 1))
    asked = items.select("item_id", (pl.col("document_date") - timedelta(days=1)).alias("as_of"))
    for method, found in zip(items["method"], reasons(fitted(name, True), own, asked), strict=True):
        assert (found[0]["code"], found[0]["params"]["value"]) == ("method", method), found
        days = found[0]["params"]["days"]
        # Against a typical item, of which two in five are sent by letter.
        assert 6 < days < 12 if method == "letter" else -9 < days < -3


@pytest.mark.parametrize("name", ["ridge_km", "hazard", "hazard weeks"])
def test_effects_add_up_to_the_difference_from_a_typical_item(name: str) -> None:
    found = effects(name, book())
    np.testing.assert_allclose(found.days.sum(axis=1), found.expected - found.typical, atol=1e-6)
    # The expected day is that of the forecast itself; cells in between are interpolated.
    model = fitted(name)
    assert isinstance(model, Learnt)
    landmarks = open_on(book().known_by(LAST), LAST)
    curves = model.curves(book(), landmarks)
    if isinstance(model, Hazard) and not model.cells.is_daily:
        # Effects are told of the weeks; which day of its week an item is paid on is the due date's doing.
        own = model.effects.added(book(), features_at(book(), landmarks))
        curves = model.calibration.of(model.raw_curves(own))
    truly = np.minimum(days_until(curves, 0.5), curves.days[-1]) - due_in(found.features)
    assert np.abs(found.expected - truly).mean() < 0.5 and np.abs(found.expected - truly).max() < 2.5


def test_three_reasons_are_three_different_things() -> None:
    landmarks = open_on(book().known_by(LAST), LAST)
    for found in reasons(fitted("hazard"), book(), landmarks):
        topics = [topic_of({"usual_delay": "delay_median"}.get(each["code"], each["code"])) for each in found]
        assert len(set(topics)) == len(topics) <= 3
        sizes = [abs(each["params"]["days"]) for each in found if each["code"] != "no_history"]
        assert sizes == sorted(sizes, reverse=True)


def test_reasons_of_one_account_need_no_other() -> None:
    alone = book().of_accounts([LATE])
    for name in NAMES:
        landmarks = landmarks_of(book(), LATE)
        assert reasons(fitted(name), alone, landmarks) == reasons(fitted(name), book(), landmarks)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "due_date"])
def test_an_account_without_history_says_so(name: str) -> None:
    (found,) = reasons(fitted(name), book(), landmarks_of(book(), NEW))
    assert "no_history" in [each["code"] for each in found]
    assert all(each["code"] != "usual_delay" for each in found)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_long_overdue_is_expected_later_for_it(name: str) -> None:
    """An item that its account would have paid a month ago: the days past due are the reason."""
    landmarks = landmarks_of(book(), ONLY_METHOD).with_columns(
        pl.lit(LAST + timedelta(days=75)).alias("as_of")
    )
    found = {each["code"]: each["params"] for each in reasons(fitted(name), book(), landmarks)[0]}
    assert found["days_past_due"]["value"] > 20 and found["days_past_due"]["days"] > 15


def test_a_day_is_written_as_json_numbers_and_every_code_has_words() -> None:
    texts = {}
    for name, language in product(NAMES, ("it", "en")):
        for found in reasons(fitted(name), book(), open_on(book().known_by(LAST), LAST)):
            for each in found:
                assert type(each["params"]["days"]) is float
                code = each["code"]
                texts[code, language] = (
                    render(code, each["params"], language)
                    if code in EN
                    else reason_words(features_by_name()[code], each["params"]["value"], language)
                )
    assert set(IT) == set(EN)
    assert texts["no_history", "it"] == "nessun pagamento noto di questo cliente"
    assert all(texts[code, "it"] != texts[code, "en"] for code, _ in texts)


def test_every_feature_has_words_in_both_languages() -> None:
    for feature in features_by_name().values():
        for language, value in product(("it", "en"), (None, -3.0, 0.0, 1.0, 2.0, 45.5)):
            number = feature.name if feature.unit == "category" and value is not None else value
            assert reason_words(feature, number, language).strip()


def test_words() -> None:
    usual = {"value": 12.0, "n": 34, "days": 9.0}
    assert (
        render("usual_delay", usual, "it")
        == "paga di solito 12 giorni dopo la scadenza (mediana di 34 fatture)"
    )
    assert render("usual_delay", usual | {"value": -1.0, "n": 1}, "en") == (
        "usually pays 1 day before the due date (a single invoice)"
    )
    assert render("usual_delay", usual | {"value": 0.2}, "it").startswith("paga di solito alla scadenza")
    column = {"name": "invoice_channel", "value": "paper", "days": 2.0}
    assert render("item_column", column, "en") == "invoice channel: paper"
    assert render("item_column", column | {"value": 1250.5}, "it") == "invoice channel: 1.250,50"
    assert render("item_column", column | {"value": None}, "it") == "invoice channel: non noto"
    assert render("document_month", {"value": 5}, "it") == "fattura di maggio"
    assert (
        render("portfolio_delay", {"value": 3.2}, "en")
        == "other customers usually pay 3 days after the due date"
    )
