"""The words of the pages: an account's history, and where in a file something was refused."""

from __future__ import annotations

import pytest
from django.utils import translation

from saldo.interfaces.web.labels import place_text, timeline_text


@pytest.mark.parametrize(
    ("where", "italian"),
    [
        ("row 12", "riga 12"),
        ("line 3, column 5", "riga 3, colonna 5"),
        ("all.zip/row.csv", "all.zip/row.csv"),
        ("", ""),
    ],
)
def test_a_place_is_told_in_the_language_of_the_reader(where: str, italian: str) -> None:
    with translation.override("it"):
        assert place_text(where) == italian
    with translation.override("en"):
        assert place_text(where) == where


@pytest.mark.parametrize(
    ("number", "text"),
    [("12/26", "Pagati 500 EUR su 12/26, puntuale"), (None, "Acconto di 500 EUR impiegato o restituito")],
)
def test_money_on_account_that_is_used_up_is_no_payment_of_a_document(number: str | None, text: str) -> None:
    told = {
        "amount": 500, "currency": "EUR", "items": 1, "first_number": number, "number": "", "late_days": 0,
    }  # fmt: skip
    with translation.override("it"):
        shown = timeline_text(
            "provisional_payment", told, lambda amount, currency: f"{amount} {currency}", str
        )
    assert shown == text
