"""Days and amounts in words and figures."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.core.spoken import UNSURE, VAGUE, days_in
from saldo.core.spoken_amounts import (
    AS_AMOUNT,
    BARE,
    amounts_in,
    english_number,
    figures_mills,
    italian_number,
)

WEDNESDAY = date(2026, 3, 11)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("pago entro venerdì", date(2026, 3, 13)),
        ("PAGO ENTRO VENERDI'", date(2026, 3, 13)),
        ("a fine mese", date(2026, 3, 31)),
        ("entro fine mese prossimo", date(2026, 4, 30)),
        ("metà marzo", date(2026, 3, 15)),
        ("il 15 c.m.", date(2026, 3, 15)),
        ("il 9 p.v.", date(2026, 4, 9)),
        ("dal vostro sollecito del 2 u.s.", date(2026, 3, 2)),
        ("il 15/3", date(2026, 3, 15)),
        ("il 10/2", date(2027, 2, 10)),
        ("il 10/02/26", date(2026, 2, 10)),
        ("venerdì 13 marzo", date(2026, 3, 13)),
        ("lunedì 16", date(2026, 3, 16)),
        ("settimana prossima mercoledì", date(2026, 3, 18)),
        ("dopodomani", date(2026, 3, 13)),
        ("tra dieci giorni", date(2026, 3, 21)),
        ("entro il 1° aprile", date(2026, 4, 1)),
        ("by Friday", date(2026, 3, 13)),
        ("on March 20th", date(2026, 3, 20)),
        ("the 20th of March", date(2026, 3, 20)),
        ("by month end", date(2026, 3, 31)),
        ("Thursday next week", date(2026, 3, 19)),
        ("in two weeks", date(2026, 3, 25)),
        ("3/26", date(2026, 3, 26)),
        ("2026-04-15", date(2026, 4, 15)),
        ("mid April", date(2026, 4, 15)),
    ],
)
def test_a_phrase_is_its_day(text: str, day: date) -> None:
    [found] = days_in(text, WEDNESDAY)
    assert (found.day, found.confidence > UNSURE) == (day, True)


@pytest.mark.parametrize(
    "text",
    [
        "la prossima settimana",
        "next week",
        "ai primi di aprile",
        "entro un mese",
        "venerdì prossimo",
        "next Friday",
    ],
)
def test_what_names_no_one_day_is_not_sure(text: str) -> None:
    assert all(VAGUE <= found.confidence <= UNSURE for found in days_in(text, WEDNESDAY))


@pytest.mark.parametrize(
    "text",
    [
        "fattura 12/3", "la ft. n. 4/2", "sconto del 20%", "mancano 3 pezzi", "reg. ue 2016/679",
        "il 30 febbraio", "30/02", "10.12 euro", "tel 02 1234567", "99/99", "appena possibile", "",
    ],
)  # fmt: skip
def test_what_is_no_day_is_none(text: str) -> None:
    assert days_in(text, WEDNESDAY) == []


def test_the_past_is_read_backwards() -> None:
    [found] = days_in("pagato il 4 marzo", WEDNESDAY, is_past=True)
    assert found.day == date(2026, 3, 4)
    [found] = days_in("pagato il 20 dicembre", WEDNESDAY, is_past=True)
    assert found.day == date(2025, 12, 20)


def test_the_place_is_where_it_stands() -> None:
    text = "Sì, è così: paghiamo VENERDÌ, promesso"
    [found] = days_in(text, WEDNESDAY)
    assert text[found.start : found.end] == found.text == "VENERDÌ"


@pytest.mark.parametrize(
    ("text", "mills", "currency"),
    [
        ("2.000 euro", 2_000_000, "EUR"),
        ("€ 1.250,50", 1_250_500, "EUR"),
        ("1,250.50 EUR", 1_250_500, "EUR"),
        ("duemila euro", 2_000_000, "EUR"),
        ("milleduecentoventi euro", 1_220_000, "EUR"),
        ("EUR 5k", 5_000_000, "EUR"),
        ("2mila euro", 2_000_000, "EUR"),
        ("€ 3.000,-", 3_000_000, "EUR"),
        ("£420", 420_000, "GBP"),
        ("five hundred quid", 500_000, "GBP"),
        ("$1,000", 1_000_000, "USD"),
        ("800 euri", 800_000, "EUR"),
        ("euro 0,50", 500, "EUR"),
    ],
)
def test_an_amount_is_its_value(text: str, mills: int, currency: str) -> None:
    [found] = amounts_in(text)
    assert (found.mills, found.currency) == (mills, currency)


def test_without_a_currency_it_is_less_sure() -> None:
    [written] = amounts_in("vi mando 2.000 subito")
    [bare] = amounts_in("siamo in 37")
    assert (written.mills, written.confidence, bare.confidence) == (2_000_000, AS_AMOUNT, BARE)


@pytest.mark.parametrize(
    "text",
    [
        "fattura 451",
        "invoice 10443 is paid",
        "il 20%",
        "3 rate",
        "12 pezzi",
        "CRO 0306909543211",
        "non vedete un euro",
    ],
)
def test_what_is_no_amount_is_none(text: str) -> None:
    assert amounts_in(text) == []


def test_numbers_in_words() -> None:
    assert italian_number("ventitré") == 23
    assert italian_number("novecentonovantanovemilanovecentonovantanove") == 999_999
    assert italian_number("duemilapippo") is None
    assert english_number("one thousand two hundred and twenty-one") == 1221
    assert english_number("a dozen") is None


def test_figures_with_contradicting_separators_are_none() -> None:
    assert figures_mills("1.250.500") == 1_250_500_000
    assert figures_mills("0,125") is None
