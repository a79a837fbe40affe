"""Cells to receivables: each way of writing, and each refusal with its reason."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from saldo.core.errors import LANGUAGES, SaldoError
from saldo.formats.receivables import RECEIVABLES_SCHEMA
from saldo.formats.tabular.amounts import read_amounts, why_refused
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.dates import read_date
from saldo.formats.tabular.mapping import load_profile, parse_profile
from saldo.formats.tabular.read import open_table
from saldo.formats.tabular.suggest import suggest

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
BASE = """
[format]
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
{format}
[columns]
customer_code = "Cliente"
number = "Fattura"
document_date = "Data"
{columns}
{rest}
"""


def _convert(text: str, columns: str = 'amount = "Importo"', rest: str = "", form: str = ""):
    mapping = parse_profile(BASE.format(format=form, columns=columns, rest=rest), "p")
    result = convert(open_table(text.encode(), "f.csv", mapping), mapping, "EUR")
    for rejection in result.rejections:  # every text can be filled in
        assert all(rejection.why(language) and rejection.remedy(language) for language in LANGUAGES)
    return result


def _mills(text: str, decimal: str = ",", thousands: str = ".") -> int | str:
    read = read_amounts(pl.Series([text]), None, decimal, thousands)
    return why_refused(text, False, decimal, thousands) if read.bad[0] else read.mills[0]


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "expected"),
    [
        ("1.234,56", ",", ".", 1_234_560),
        ("1.234,56", ".", ",", "amount_separator"),
        ("1,234.56", ",", ".", "amount_separator"),
        ("1,234.56", ".", ",", 1_234_560),
        ("1.234", ",", ".", 1_234_000),
        ("1.234", ",", "", "amount_ambiguous"),
        ("1.234,00", ",", "", 1_234_000),
        ("1.234.567", ",", "", 1_234_567_000),
        ("12.345", ".", "", 12_345),
        ("1.23,45", ",", ".", "amount_separator"),
        ("100,00-", ",", ".", -100_000),
        ("(100,00)", ",", ".", -100_000),
        ("-(100,00)", ",", ".", "amount_unreadable"),
        ("-100,00-", ",", ".", "amount_unreadable"),
        ("\u2212 5,5", ",", ".", -5_500),
        ("100,00 CR", ",", ".", -100_000),
        ("100,00 DR", ",", ".", 100_000),
        ("100,00 H", ",", ".", -100_000),
        ("100,00 D", ",", ".", 100_000),
        ("1 234 567,8", ",", ".", 1_234_567_800),
        ("1\u00a0234,5", ",", ".", 1_234_500),
        ("1\u202f234,5", ",", ".", 1_234_500),
        ("1'234.50", ".", "'", 1_234_500),
        ("1\u2019234.50", ".", ",", 1_234_500),
        ("€ 1.234,56", ",", ".", 1_234_560),
        ("1.234,56 EUR", ",", ".", 1_234_560),
        (",5", ",", ".", 500),
        ("5,", ",", ".", 5_000),
        ("007", ",", ".", 7_000),
        ("1,2345", ",", ".", "amount_decimals"),
        ("1,2340", ",", ".", 1_234),
        ("999999999999999,999", ",", ".", 999_999_999_999_999_999),
        ("1000000000000000", ",", ".", "amount_too_large"),
        ("1E+05", ",", ".", "amount_unreadable"),
        ("1e5", ",", ".", "amount_unreadable"),
        ("12/2026", ",", ".", "amount_unreadable"),
        ("€", ",", ".", "amount_unreadable"),
        ("-", ",", ".", "amount_unreadable"),
        ("100.", ",", ".", "amount_separator"),
        ("9" * 300, ",", ".", "amount_too_large"),
    ],
)
def test_amounts(text: str, decimal: str, thousands: str, expected: int | str) -> None:
    assert _mills(text, decimal, thousands) == expected


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("31/02/2026", "DD/MM/YYYY", "date_impossible"),
        ("05-01-2026", "DD/MM/YYYY", dt.date(2026, 1, 5)),
        ("5.1.2026", "DD/MM/YYYY", dt.date(2026, 1, 5)),
        ("12/31/2026", "DD/MM/YYYY", "date_impossible"),
        ("12/31/2026", "M/D/YYYY", dt.date(2026, 12, 31)),
        ("05/01/26", "DD/MM/YYYY", "date_unreadable"),
        ("05/01/26", "DD/MM/YY", dt.date(2026, 1, 5)),
        ("05/01/99", "%d/%m/%y", dt.date(1999, 1, 5)),
        ("20260105", "YYYYMMDD", dt.date(2026, 1, 5)),
        ("2026-01-05 00:00:00", "YYYY-MM-DD", dt.date(2026, 1, 5)),
        ("2026-01-05T10:20:30.5Z", "%Y-%m-%d", dt.date(2026, 1, 5)),
        ("05-gen-2026", "DD-MMM-YYYY", dt.date(2026, 1, 5)),
        ("05 Dez. 2026", "DD MMM YYYY", dt.date(2026, 12, 5)),
        ("46027", "excel", dt.date(2026, 1, 5)),
        ("46027", "DD/MM/YYYY", "date_unreadable"),
        ("00/00/0000", "DD/MM/YYYY", None),
        ("00.00.0000", "DD/MM/YYYY", None),
        ("", "DD/MM/YYYY", None),
        ("01/01/0026", "DD/MM/YYYY", "date_impossible"),
        ("domani", "DD/MM/YYYY", "date_unreadable"),
    ],
)
def test_dates(text: str, pattern: str, expected: object) -> None:
    assert read_date(text, (pattern,)) == expected


def test_each_refused_row_says_why_and_the_others_are_read() -> None:
    rows = [
        "C1;F1;05/01/2026;1.000,00;EUR",
        "C1;F2;31/02/2026;1,00;EUR",
        ";F3;05/01/2026;1,00;EUR",
        "C1;;05/01/2026;1,00;EUR",
        "C1;F5;;1,00;EUR",
        "C1;F6;05/01/2026;;EUR",
        "C1;F7;05/01/2026;1,005;EUR",
        "C1;F8;05/01/2026;1,005;KWD",
        "C1;F9;05/01/2026;1,50;JPY",
        "C1;F10;05/01/2026;1,00;XXQ",
        "C1;F11;05/01/2026;$ 1,00;EUR",
        "C1;F12;05/01/2026;£ 1,00;",
        "C1;F1;06/01/2026;2,00;EUR",
        "C1;F1;05/01/2026;1.000,00;EUR",
        "C1;F1;05/01/2025;9,00;EUR",
        "C1;F13;05/01/2026;0,00;EUR",
        "C1;F14;05/01/2026;-7,00;EUR",
        ";Totale;;9,00;",
    ]
    result = _convert(
        "\n".join(["Cliente;Fattura;Data;Importo;Div", *rows]), 'amount = "Importo"\ncurrency = "Div"'
    )
    assert [(r.row, r.code) for r in result.rejections] == [
        (3, "date_impossible"), (4, "missing_customer"), (5, "missing_number"), (6, "missing_date"),
        (7, "missing_amount"), (8, "amount_decimals"), (10, "amount_decimals"), (11, "unknown_currency"),
        (12, "amount_currency_conflict"), (14, "duplicate_number"), (15, "duplicate_row"),
    ]  # fmt: skip
    assert result.frame.schema == pl.Schema(RECEIVABLES_SCHEMA)
    assert result.frame.select("number", "amount_mills", "currency", "kind").rows() == [
        ("F1", 1_000_000, "EUR", "invoice"),
        ("F8", 1_005, "KWD", "invoice"),
        ("F12", 1_000, "GBP", "invoice"),
        ("F1", 9_000, "EUR", "invoice"),
        ("F14", -7_000, "EUR", "credit_note"),
    ]
    assert result.ignored.rows() == [(17, "zero"), (19, "total")]
    assert result.rejections[0].excerpt == rows[1]


def test_open_original_and_paid_complete_each_other() -> None:
    text = "Cliente;Fattura;Data;Importo;Pagato\nC;1;05/01/2026;100,00;30,00\nC;2;05/01/2026;100,00;\n"
    text += "C;3;05/01/2026;100,00;130,00\nC;4;05/01/2026;100,00;-5,00\nC;5;05/01/2026;-50,00;-20,00\n"
    result = _convert(text, 'amount = "Importo"\npaid = "Pagato"')
    assert result.frame.select("number", "amount_mills", "open_mills").rows() == [
        ("1", 100_000, 70_000), ("2", 100_000, None), ("5", -50_000, -30_000),
    ]  # fmt: skip
    assert [(r.row, r.code) for r in result.rejections] == [(4, "open_exceeds_amount"), (5, "paid_sign")]


@pytest.mark.parametrize(
    ("rest", "amount", "expected"),
    [
        ('credit_notes = "positive"', "80,00", -80_000),
        ('credit_notes = "positive"', "-80,00", "sign_contradicts_kind"),
        ('credit_notes = "negative"', "-80,00", -80_000),
        ('credit_notes = "negative"', "80,00", "sign_contradicts_kind"),
        ('sign = "negative_means_owed"', "80,00", -80_000),
    ],
)
def test_credit_notes_by_convention(rest: str, amount: str, expected: int | str) -> None:
    kinds = '[kinds]\nFT = "invoice"\n"Nota Credito" = "credit_note"\ndefault = "refuse"'
    text = f"Cliente;Fattura;Data;Importo;Tipo\nC;1;05/01/2026;{amount};NOTA CREDITO\n"
    result = _convert(text, 'amount = "Importo"\nkind = "tipo"', f"[amount]\n{rest}\n{kinds}")
    if isinstance(expected, str):
        assert [r.code for r in result.rejections] == [expected]
    else:
        assert result.frame.select("kind", "amount_mills").rows() == [("credit_note", expected)]


def test_installments_are_numbered_by_due_date_and_copies_refused() -> None:
    text = "Cliente;Fattura;Data;Scad;Importo\nC;1;05/01/2026;31/03/2026;10,00\n"
    text += "C;1;05/01/2026;28/02/2026;10,00\n"
    text += "C;1;05/01/2026;28/02/2026;10,00\nC;2;05/01/2026;01/01/2026;5,00\n"
    columns = 'amount = "Importo"\ndue_date = "Scad"'
    result = _convert(text, columns, form='rows = "installment"')
    assert result.frame.select("row", "number", "installment_no").rows() == [
        (2, "1", 2),
        (3, "1", 1),
        (5, "2", 1),
    ]
    assert [(r.row, r.code, r.params["first"]) for r in result.rejections] == [(4, "duplicate_row", 3)]


def test_profile_errors_name_the_key_and_the_way_out() -> None:
    def code(text: str) -> tuple[str, str]:
        with pytest.raises(SaldoError) as caught:
            parse_profile(text, "p")
        return caught.value.code, caught.value.text("it")

    good = BASE.format(format="", columns='amount = "Importo"', rest="")
    assert code(good.replace("decimal", "decimals"))[0] == "mapping_unknown_key"
    assert "decimal" in code(good.replace("decimal =", "decimals ="))[1]
    assert code(good.replace('"DD/MM/YYYY"', '"DD/YYYY"'))[0] == "mapping_bad_value"
    assert code(good.replace('thousands = "."', 'thousands = ","'))[0] == "mapping_bad_value"
    assert code(good.replace('number = "Fattura"', ""))[0] == "mapping_missing_key"
    assert code(good + '[values]\ncurrency = "EURO"')[0] == "unknown_currency"
    assert code("[format")[0] == "mapping_not_toml"
    with pytest.raises(SaldoError, match="Importo"):
        _convert("Cliente;Fattura;Data\nC;1;05/01/2026\n")
    with pytest.raises(SaldoError, match="sap-fbl5n"):
        load_profile("sap")


def test_suggest_says_when_day_and_month_could_be_swapped() -> None:
    text = "Customer;Invoice no;Invoice date;Due date;Amount\n" + "".join(
        f"C{i};F{i};0{i}/02/2026;0{i}/03/2026;{i}00,50\n" for i in range(1, 9)
    )
    found = suggest(open_table(text.encode(), "export.csv"))
    assert found.mapping.format.dates == ("DD/MM/YYYY",)
    assert any("swapped" in note for note in found.notes_en) and len(found.notes_en) == len(found.notes_it)
    later = suggest(open_table(text.replace("08/02", "02/28").encode(), "export.csv"))
    assert later.mapping.format.dates == ("MM/DD/YYYY",)


@pytest.mark.parametrize(("name", "profile", "amount"), [
    ("ibm_late_payments.csv", "ibm", "InvoiceAmount"),
    ("erp_open_items.csv", "erp-open-items", "converted_usd"),
])  # fmt: skip
def test_real_files_are_read_whole(name: str, profile: str, amount: str) -> None:
    path = SHARED / name
    if not path.exists():
        pytest.skip("the shared data folder is absent")
    mapping = load_profile(profile)
    raw = open_table(path.read_bytes(), name, mapping)
    result = convert(raw, mapping, "EUR")
    assert not raw.rejections and not result.rejections and not len(result.ignored)
    cells = pl.read_csv(path, infer_schema=False)[amount]
    assert result.frame["amount_mills"].sum() == sum(Decimal(cell) for cell in cells) * 1000
    assert suggest(open_table(path.read_bytes(), name)).mapping == mapping
    own = suggest(open_table(path.read_bytes(), name), shipped=False).mapping
    again = convert(open_table(path.read_bytes(), name, own), own, "EUR")
    shared = ["customer_code", "number", "document_date", "due_date", "amount_mills", "settled_date"]
    assert again.frame.select(shared).equals(result.frame.select(shared))
