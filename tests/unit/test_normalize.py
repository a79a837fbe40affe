"""Keys of names, document numbers, customer codes and VAT numbers."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saldo.core.normalize import (
    NumberParts,
    customer_code,
    is_valid_tax_code,
    is_valid_vat,
    normalized_number,
    number_parts,
    numbers_relation,
    search_text,
    sort_name,
    tax_code,
    vat_number,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Società Agricola D'Angelo & C. S.r.l.", "societa agricola d angelo c srl"),
        ("SOCIETA' AGRICOLA D’ANGELO & C. SRL", "societa agricola d angelo c srl"),
        ("Acme S.p.A.", "acme spa"),
        ("A.B.C. Impianti-Tecnici", "abc impianti tecnici"),
        ("  Müller   Straße\tGmbH ", "muller strasse gmbh"),
        ("Łódź Søndergård", "lodz sondergard"),
        ("F.lli Rossi", "f lli rossi"),
        ("***", ""),
        ("Ελλάδα Α.Ε.", "ελλαδα αε"),
    ],
)
def test_search_text(name: str, text: str) -> None:
    assert search_text(name) == text


def test_sort_name_drops_salutations_only_before_a_name() -> None:
    assert sort_name("Spett.le Ditta Rossi S.n.c.") == "rossi snc"
    assert sort_name("The Example Company") == "example company"
    assert sort_name("Ditta") == "ditta"
    assert sort_name("Theodor Spa") == "theodor spa"


@given(st.text())
def test_names_are_stable_and_clean(name: str) -> None:
    text = search_text(name)
    assert search_text(text) == text and "  " not in text and text == text.strip()


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("FT 0012/2026", "ft12/2026"),
        ("ft-12/2026", "ft12/2026"),
        ("FT12-2026", "ft12/2026"),
        ("12/2026", "12/2026"),
        ("2026-00012", "2026/12"),
        ("1/12", "1/12"),
        ("112", "112"),
        ("0090001234", "90001234"),
        ("V1/000345", "v1/345"),
        ("V-1/345", "v1/345"),
        ("12/A", "12a"),
        ("Fatt. n. 7", "fattn7"),
        ("n° 7", "n7"),
        ("000", "0"),
        ("٠٠١٢", "12"),
        ("---", ""),
    ],
)
def test_normalized_number(written: str, key: str) -> None:
    assert normalized_number(written) == key


DIGITS = st.integers(0, 99_999)


SIGNS = st.sampled_from(["/", "-", " ", ".", "_", " / "])


@given(st.lists(DIGITS, min_size=1, max_size=4), SIGNS, st.integers(0, 4))
def test_separators_and_zeros_do_not_matter_but_borders_do(groups: list[int], sign: str, zeros: int) -> None:
    written = sign.join("0" * zeros + str(group) for group in groups)
    assert normalized_number("FT" + written) == "ft" + "/".join(map(str, groups))


@given(st.text())
def test_number_key_is_stable(text: str) -> None:
    assert normalized_number(normalized_number(text)) == normalized_number(text)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("FT 0012/2026", NumberParts("ft", "12", 2026)),
        ("2026/00012", NumberParts("", "12", 2026)),
        ("2026", NumberParts("", "2026", None)),
        ("2025/2026", NumberParts("", "2025", 2026)),
        ("12/26", NumberParts("", "12/26", None)),
        ("V1/345/2026", NumberParts("v", "1/345", 2026)),
        ("12A", NumberParts("", "12a", None)),
        ("12/A/2026", NumberParts("", "12a", 2026)),
    ],
)
def test_number_parts(written: str, parts: NumberParts) -> None:
    assert number_parts(written) == parts


def test_the_documents_date_tells_years_from_numbers() -> None:
    issued = date(2026, 1, 15)
    assert number_parts("12/26", issued) == NumberParts("", "12", 2026)
    assert number_parts("12/25", issued).year == 2025
    assert number_parts("12/31", issued) == NumberParts("", "12/31", None)
    assert number_parts("7/2019", issued) == NumberParts("", "7/2019", None)


@pytest.mark.parametrize(
    ("left", "right", "relation"),
    [
        ("FT 0012/2026", "ft-12/2026", "same"),
        ("FT 12/2026", "12/2026", "compatible"),
        ("2026-0012", "12/2026", "compatible"),
        ("FT 12/2026", "12", "compatible"),
        ("FT 12/2026", "NC 12/2026", "different"),
        ("12/2025", "12/2026", "different"),
        ("1/12", "112", "different"),
        ("A1/2", "A12", "different"),
        ("", "", "different"),
        ("FT", "NC", "different"),
    ],
)
def test_numbers_relation(left: str, right: str, relation: str) -> None:
    assert numbers_relation(left, right) == numbers_relation(right, left) == relation


@pytest.mark.parametrize(
    ("written", "code"),
    [(" 0200769623", "200769623"), ("000", "0"), ("c 0012", "C 0012"), ("C0012", "C0012"), ("  ", "")],
)
def test_customer_code(written: str, code: str) -> None:
    assert customer_code(written) == code


@pytest.mark.parametrize(
    ("written", "country", "number", "valid"),
    [
        ("IT 01234560017", "IT", "IT01234560017", True),
        ("012 345 600 17", "IT", "IT01234560017", True),
        ("1234560017", "IT", "IT01234560017", True),  # a spreadsheet ate the zero
        ("1234567890", "IT", "IT1234567890", False),  # not a number with its zero lost: left as it is
        ("de 136,695 976", "IT", "DE136695976", True),
        ("136695976", "DE", "DE136695976", True),
        ("GR 094259216", "IT", "EL094259216", True),
        ("094259216", "GR", "EL094259216", True),
        ("CHE-107.787.577 IVA", "CH", "CHE107787577IVA", True),
        ("ABC", "IT", "ITABC", False),
        (" ", "IT", "", False),
    ],
)
def test_vat_number(written: str, country: str, number: str, valid: bool) -> None:
    assert vat_number(written, country) == number
    assert is_valid_vat(number) is valid


@given(st.text(alphabet="ITDEGR0123456789 .-", max_size=16), st.sampled_from(["IT", "DE", "GR", "US"]))
def test_vat_number_is_stable(text: str, country: str) -> None:
    once = vat_number(text, country)
    assert vat_number(once, country) == once


def test_tax_code() -> None:
    assert tax_code(" rss mra 80a01 h501u ") == "RSSMRA80A01H501U"
    assert is_valid_tax_code("RSSMRA80A01H501U") and is_valid_tax_code("01234560017")
    assert not is_valid_tax_code("RSSMRA80A01H501X") and not is_valid_tax_code("")
