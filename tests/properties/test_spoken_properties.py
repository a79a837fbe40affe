"""What the simulated world writes is read back; nothing that is written raises."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.spoken import days_in
from saldo.core.spoken_amounts import amounts_in
from saldo.simulation.files._spoken import amount_phrases, day_phrases, due_phrases, in_words

DAYS = st.dates(date(2024, 1, 1), date(2028, 12, 31))
LANGUAGES = st.sampled_from(("it", "en"))
SENTENCES = {"it": "vi paghiamo {}, come d'accordo", "en": "we will pay {}, as agreed"}


@settings(max_examples=150, deadline=None)
@given(DAYS, st.integers(0, 200), LANGUAGES, st.booleans())
def test_every_phrase_of_a_day_is_that_day(today: date, ahead: int, language: str, is_due: bool) -> None:
    day = today + timedelta(days=ahead)
    relative, absolute = (due_phrases if is_due else day_phrases)(language, today, day)
    for phrase in relative + absolute:
        found = days_in(SENTENCES[language].format(phrase), today)
        assert [each.day for each in found] == [day], phrase


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 10**9), LANGUAGES)
def test_every_phrase_of_an_amount_is_that_amount(cents: int, language: str) -> None:
    for phrase in amount_phrases(language, cents):
        found = amounts_in(SENTENCES[language].format(phrase))
        assert [(each.mills, each.currency) for each in found] == [(cents * 10, "EUR")], phrase


@settings(max_examples=100, deadline=None)
@given(st.integers(100, 999_999), LANGUAGES)
def test_numbers_in_words_are_read_back(number: int, language: str) -> None:
    [found] = amounts_in(f"{in_words(number, language)} euro")
    assert found.mills == number * 1000


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300), DAYS)
def test_no_text_raises_and_places_are_true(text: str, today: date) -> None:
    for day in days_in(text, today):
        assert text[day.start : day.end] == day.text and 0 < day.confidence < 1
    for amount in amounts_in(text):
        assert text[amount.start : amount.end] == amount.text and amount.mills > 0


PIECES = tuple("0 1 2 9 15 31 / - . , € euro k il the entro fine mese 2026 marzo may to al lunedì".split())  # noqa: SIM905


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25), DAYS)
def test_broken_days_and_amounts_do_not_raise(words: list[str], today: date) -> None:
    for text in (" ".join(words), "".join(words)):
        days_in(text, today), days_in(text, today, is_past=True), amounts_in(text)
