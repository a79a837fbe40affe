"""Document numbers in remittance texts: what is taken for one, how strongly, and what is not."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.core.matching.references import (
    Mention,
    Strength,
    creditor_reference,
    document_keys,
    intent,
    mentions,
    reference_body,
    slipped,
)

DAY = date(2026, 4, 3)


def named(text: str, number: str, day: date = DAY) -> Strength | None:
    """How strongly a text names a document by a key in common, without the book's further checks."""
    keys = set(document_keys(number, day))
    found = [m.strength for m in mentions(text) if keys & set(m.keys) and not m.looks_like]
    return max(found, default=None)


@pytest.mark.parametrize(
    ("text", "number", "strength"),
    [
        ("SALDO FATT. 1234/2026", "1234/2026", Strength.FULL),
        ("saldo fatt. 2026/1234", "1234/26", Strength.FULL),
        ("FT.1234/26", "FT 0001234/2026", Strength.FULL),
        ("ft1234-26", "1234/2026", Strength.FULL),
        ("PAGAM. FATT.N.1234 / 2026 GRAZIE", "1234/26", Strength.FULL),
        ("Fattura n° 1234 del 03/04/2026", "1234/26", Strength.BODY_YEAR),
        ("FT 1234 DEL 3 APRILE 2026", "1234/26", Strength.BODY_YEAR),
        ("ft 1234 (03/04/2026)", "1234/26", Strength.BODY_YEAR),
        ("FT 1234", "1234/26", Strength.BODY),
        ("FT V1/345", "V1/000345", Strength.FULL),
        ("fatture 1234,1235,1240", "1235/26", Strength.BODY),
        ("1234-1235-1240", "1235/26", Strength.BODY),
        ("ft 8301/26-8302/26", "8302/26", Strength.FULL),
        ("FATT. 1234 E 1235 + 1240", "1240/26", Strength.BODY),
        ("FATT 1234/1235/1236", "1235/26", Strength.BODY),
        ("fatture da 1240 a 1243", "1241/26", Strength.TAIL),
        ("fatture 1240-1243", "1242/26", Strength.TAIL),
        ("SALDO FT 924000 0111", "9240000111", Strength.TAIL),
        ("PAG FT 20 26/12 34", "1234/2026", Strength.TAIL),
        ("FT 12O4/26", "1204/26", Strength.TAIL),
        ("FT I2S4/26", "1254/26", Strength.TAIL),
        ("FT 20260001243", "1243/26", Strength.FULL),
        ("FT 824526", "8245/26", Strength.FULL),
        ("RECHNUNG NR. 55-2026", "55/2026", Strength.FULL),
        ("VOTRE FACTURE N 7788/26", "7788/26", Strength.FULL),
        ("FT 12", "12/26", Strength.SHORT),
    ],
)
def test_names_the_document(text: str, number: str, strength: Strength) -> None:
    assert named(text, number) == strength


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("FT 1234/25", "1234/26"),  # another year
        ("FT 112", "1/12"),
        ("EUR 1.234,56", "1234/26"),
        ("TOTALE EUR 1234 GRAZIE", "1234/26"),
        ("1234,50 EURO", "1234/26"),
        ("DEL 03/04/2026", "3/4"),
        ("SCADENZA 30/09/2026", "30/9"),
        ("P.IVA 00743110157", "743110157"),
        ("IT60X0542811101000000123456", "123456"),
        ("IT60 X054 2811 1010 0000 0123 456", "2811"),
        ("CRO 12345678901", "12345678901"),
        ("TRN 0300012345678901", "12345678901"),
        ("TEL 030 1234567", "1234567"),
        ("+39 030 1234567", "1234567"),
        ("info1234@example.com", "1234"),
        ("RSSMRA80A01H501U", "80"),
        ("CIG Z123456789", "123456789"),
        ("ORDINE N. 46214", "46214"),
        ("PAG. 4500123 DISP. 240306", "4500123"),
        ("LUGLIO 2026", "2026"),
        ("RF18539007547034", "539007547034"),
    ],
)
def test_takes_no_other_thing_for_a_document_of_weight(text: str, number: str) -> None:
    assert named(text, number) is None


def one(text: str) -> Mention:
    (found,) = mentions(text)
    return found


def test_says_what_a_piece_may_be_otherwise() -> None:
    assert one("ORDINE 46214").looks_like == "order"
    assert one("DISP. 240306").looks_like == "own_code"
    assert one("00743110157").looks_like == "vat"
    assert one("120426").looks_like == "date"
    assert one("FT 120426").looks_like == ""
    assert {m.looks_like for m in mentions("1234,56")} == {"amount"}
    assert all(m.strength == Strength.SHORT for m in mentions("ORDINE 46214 DISP. 240306 1234,56"))


def test_binds_dates_and_words_to_their_numbers() -> None:
    first, second = mentions("FT 1234 DEL 03/04/2026, NC 45 DEL 31/12/2025")
    assert (first.document_date, first.year, first.is_credit) == (DAY, 2026, False)
    assert (second.document_date, second.year, second.is_credit) == (date(2025, 12, 31), 2025, True)
    assert first.is_led and second.is_led
    assert not one("GRAZIE 1234/26").is_led
    assert one("FT 1234 DEL 31/02/2026").document_date is None


def test_spans_point_into_the_text() -> None:
    text = "Società: fatt. n° 1234/26 è pagata"
    (found,) = mentions(text)
    assert text[found.start : found.end] == "1234/26"


def test_year_glued_or_of_two_digits_is_read_by_the_document_as_well() -> None:
    assert document_keys("26/1234", DAY) == ("=26/1234", "y1234|2026", "b1234", "r261234")
    assert document_keys("9260001243", DAY) == ("=9260001243", "y9260001243|2026", "b9260001243", "t1243")
    assert document_keys("V1/000345", None) == ("=v1/345", "b1/345", "rv1000345", "t345")
    assert document_keys("--", DAY) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Acconto su forniture", {"on_account"}),
        ("SALDO FT 12/26", {"balance"}),
        ("ANTICIPO ORDINE N. 4512", {"on_account", "advance_order"}),
        ("ANZAHLUNG BESTELLUNG 4512", {"on_account", "advance_order"}),
        ("storno bonifico", {"return"}),
        ("FT 12/26 - NC 3/26", {"credit_taken"}),
        ("FT 12/26 meno nota di credito 3", {"credit_taken"}),
        ("ORDINE ALFABETICO", set()),
        ("INCASSO NCX, RINSALDO", set()),
        ("", set()),
    ],
)
def test_intent(text: str, words: set[str]) -> None:
    assert intent(text) == words


def test_creditor_references() -> None:
    assert creditor_reference("RF18 5390 0754 7034") == "RF18539007547034"
    assert creditor_reference("pagamento rf18539007547034 grazie") == "RF18539007547034"
    assert creditor_reference("RIF RF18 5390 0754 7034 DEL 3/4") == "RF18539007547034"
    assert creditor_reference("RF17 5390 0754 7034") == ""
    assert creditor_reference("PERF18539007547034") == ""
    assert reference_body("RF180000539007547034") == "539007547034"


@pytest.mark.parametrize(
    ("a", "b", "is_slip"),
    [
        ("12345", "12845", True),
        ("12345", "13245", True),
        ("123456", "12456", True),
        ("12345", "123345", True),
        ("12345", "12345", False),
        ("12345", "12886", False),
        ("1234", "1243", True),
        ("1234", "12345", False),  # of four digits, a digit more is another number
        ("123", "124", False),
        ("12a45", "12b45", False),
    ],
)
def test_slipped(a: str, b: str, is_slip: bool) -> None:
    assert slipped(a, b) is slipped(b, a) is is_slip
