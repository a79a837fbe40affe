"""Movement lists of banks as CSV and Excel: invented layouts and accounts."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.inspect_documents import inspect_file
from saldo.formats.bank_records import BankStatement
from saldo.formats.records import ReadResult
from saldo.formats.tabular import Mapping, load_profile, open_table, parse_profile, read_records, suggest
from saldo.formats.tabular.dump import dump_toml
from saldo.formats.tabular.read import RawTable
from tests.bank_samples import IBAN, PAYER_IBAN

DARE_AVERE = load_profile("bank-dare-avere")
TOP = "Banca Finta di Prova\nIBAN;IT60 X054 2811 1010 0000 0123 456\nSaldo iniziale;;;;;;1.000,00\n\n"
HEADER = "Data contabile;Data valuta;Dare;Avere;Descrizione operazione;Causale ABI;Saldo contabile\n"
ROWS = [
    "02/02/2026;03/02/2026;;1.250,50;BONIFICO Rossi Finta S.r.l. FT 12;48;2.250,50\n",
    "02/02/2026;02/02/2026;2,50;;Spese;16;2.248,00\n",
    "05/02/2026;05/02/2026;;100,00;BONIFICO Bianchi FT 7;48;2.348,00\n",
]
FOOT = "Saldo finale al 05/02/2026;;;;;;2.348,00\n"
SIGNED = """
kind = "bank"
[format]
decimal = "."
dates = ["YYYY-MM-DD"]
[columns]
booking_date = "Date"
amount = "Amount"
text = ["Details", "More"]
currency = "Currency"
account = "Account"
balance = "Balance"
optional = ["currency", "account", "balance", "text"]
[values]
currency = "EUR"
account = "ACCT-1"
"""


def read(text: str, mapping: Mapping = DARE_AVERE) -> ReadResult:
    result = read_records(text.encode(), "lista.csv", mapping)
    for language in ("it", "en"):
        result.as_json(language)
    return result


def only(text: str, mapping: Mapping = DARE_AVERE) -> BankStatement:
    (found,) = read(text, mapping).statements
    return found


def codes(statement: BankStatement) -> list[str]:
    return [notice.code for notice in statement.notices]


def amounts(statement: BankStatement) -> list[int]:
    return [line.amount_mills for line in statement.transactions]


def test_a_list_with_its_account_and_balances() -> None:
    found = only(TOP + HEADER + "".join(ROWS) + FOOT)
    assert (found.account, found.currency, found.kind) == (IBAN, "EUR", "booked")
    assert (found.opening_mills, found.closing_mills, found.difference_mills) == (1_000_000, 2_348_000, 0)
    assert (found.from_date, found.to_date) == (date(2026, 2, 2), date(2026, 2, 5))
    assert (found.is_quarantined, codes(found)) == (False, [])
    first = found.transactions[0]
    assert (first.amount_mills, first.booking_date, first.value_date, first.code) == (
        1_250_500,
        date(2026, 2, 2),
        date(2026, 2, 3),
        "48",
    )
    assert first.remittance_text == "BONIFICO Rossi Finta S.r.l. FT 12"
    assert amounts(found) == [1_250_500, -2_500, 100_000]


def test_the_newest_first_is_the_same_statement() -> None:
    found = only(TOP + HEADER + "".join(reversed(ROWS)) + FOOT)
    assert found == only(TOP + HEADER + "".join(ROWS) + FOOT)


def test_the_running_balance_alone_proves_a_list() -> None:
    found = only(HEADER + "".join(ROWS), replace(DARE_AVERE, values={"currency": "EUR", "account": IBAN}))
    assert (found.opening_mills, found.closing_mills, found.is_quarantined) == (1_000_000, 2_348_000, False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (TOP + HEADER + ROWS[0] + ROWS[2] + FOOT, "bank_running_balance_differs"),
        (TOP + HEADER + ROWS[0] + ROWS[2] + ROWS[1] + FOOT, "bank_running_balance_differs"),
        (TOP + HEADER + ROWS[0] + ROWS[1].replace("2,50", "2,5O") + ROWS[2] + FOOT, "bank_lines_refused"),
        (TOP + HEADER + ROWS[0] + ROWS[1].replace("02/02/2026", "31/02/2026") + FOOT, "bank_lines_refused"),
        (TOP + HEADER + ROWS[0].replace(";;1.250", ";1,00;1.250") + ROWS[1] + FOOT, "bank_lines_refused"),
        (TOP + HEADER + "".join(ROWS) + FOOT.replace("2.348", "2.349"), "bank_statement_unbalanced"),
        (TOP + HEADER + "".join(ROWS) + FOOT + FOOT.replace("2.348", "1"), "bank_field_repeated"),
        (TOP + HEADER + "".join(ROWS) + "Saldo finale;;;;;;\n", "bank_balance_line_unclear"),
        (TOP + HEADER + "".join(ROWS) + HEADER + "".join(ROWS) + FOOT, "bank_running_balance_differs"),
        (HEADER + "".join(ROWS), "bank_account_missing"),
    ],
)  # fmt: skip
def test_what_holds_a_list_back(text: str, code: str) -> None:
    found = only(text)
    assert found.is_quarantined
    assert code in codes(found)


def test_the_first_row_that_differs_is_named() -> None:
    found = only(TOP + HEADER + ROWS[0] + ROWS[2] + FOOT)
    (notice,) = [one for one in found.notices if one.code == "bank_running_balance_differs"]
    assert (notice.row, notice.params["expected"], notice.params["stated"]) == (7, "2350.50", "2348.00")


def test_a_payment_whose_text_begins_like_a_balance_is_a_payment() -> None:
    paid = "02/02/2026;02/02/2026;;10,00;Saldo finale ordine 5;48;1.010,00\n"
    found = only(TOP + HEADER + paid)
    assert (amounts(found), found.is_quarantined) == ([10_000], False)
    doubtful = read(TOP + HEADER + paid.replace(" ordine 5", ""))
    assert [one.code for one in doubtful.rejections] == ["bank_balance_line_unclear"]
    assert doubtful.statements[0].is_quarantined


def test_balances_as_rows_of_the_table() -> None:
    without = HEADER.replace(";Saldo contabile", "")
    rows = "01/02/2026;;;1.000,00;Saldo iniziale;\n".replace("01/02/2026", "")
    rows += "".join(row.rpartition(";")[0] + "\n" for row in ROWS)
    found = only(TOP[: TOP.index("Saldo")] + without + rows + ";;;2.348,00;Saldo finale;\n")
    assert (found.opening_mills, found.closing_mills, found.is_quarantined) == (1_000_000, 2_348_000, False)


def test_money_that_went_out_may_have_a_minus_throughout_and_not_here_and_there() -> None:
    minus = [row.replace(";2,50;", ";-2,50;") for row in ROWS]
    assert amounts(only(TOP + HEADER + "".join(minus))) == [1_250_500, -2_500, 100_000]
    mixed = read(TOP + HEADER + "".join(minus) + "06/02/2026;06/02/2026;1,00;;Spese;16;2.347,00\n")
    assert [one.code for one in mixed.rejections] == ["bank_sign_missing"]


def test_signed_amounts_in_several_accounts_and_texts_joined() -> None:
    text = (
        "Account,Date,Amount,Currency,Details,More,Kept\n"
        f"{IBAN},2026-02-02,10.00,EUR,Transfer,FT 12,x\n{PAYER_IBAN},2026-02-02,-3.50,EUR,Fee,,\n"
        f"{IBAN},2026-02-03,5.00,EUR,Transfer,FT 13,\n"
    )
    first, second = read(text, parse_profile(SIGNED, "t")).statements
    assert (first.account, amounts(first)) == (IBAN, [10_000, 5_000])
    assert (second.account, amounts(second)) == (PAYER_IBAN, [-3_500])
    assert (first.transactions[0].remittance_text, first.transactions[0].fields) == (
        "Transfer FT 12",
        {"Kept": "x"},
    )
    assert codes(first) == ["bank_balances_missing"]


def test_two_equal_payments_are_two_and_a_list_twice_is_not() -> None:
    mapping = parse_profile(SIGNED, "t")
    row, other = "2026-02-02,10.00,FT 12\n", "2026-02-02,11.00,FT 13\n"
    head = "Date,Amount,Details\n"
    two = only(head + row + row, mapping)
    assert (amounts(two), two.is_quarantined) == ([10_000, 10_000], False)
    assert "bank_rows_twice" in codes(only(head + row + other + head + row + other, mapping))


def test_a_list_without_balances_that_ends_within_a_line_is_held_back() -> None:
    mapping = parse_profile(SIGNED, "t")
    found = only("Date,Details,Amount\n2026-02-02,FT 12,10.00\n2026-02-02,FT 13,110", mapping)
    assert found.is_quarantined
    assert "bank_statement_cut" in codes(found)


@pytest.mark.parametrize(
    ("cell", "mills"),
    [
        ("10.00 CR", 10_000),
        ("10.00 DR", -10_000),
        ("10.00 S", -10_000),
        ("10.00 H", 10_000),
        ("(10.00)", -10_000),
    ],
)
def test_letters_for_the_side_are_those_of_the_account_holder(cell: str, mills: int) -> None:
    found = only(f"Date,Amount,Details\n2026-02-02,{cell},x\n", parse_profile(SIGNED, "t"))
    assert amounts(found) == [mills]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("10.00,C\n-3.00,D\n", [10_000, -3_000]),
        ("10.00,C\n3.00,D\n", [10_000, -3_000]),
        ("10.00,C\n-3.00,C\n", [10_000]),
        ("10.00,C\n3.00,X\n", [10_000]),
    ],
)
def test_a_sign_column(rows: str, expected: list[int]) -> None:
    profile = SIGNED.replace("[columns]", '[columns]\nsign = "Side"') + (
        '[amount]\nstyle = "sign_column"\ndebit_values = ["D"]\ncredit_values = ["C"]\n'
    )
    text = "Date,Amount,Side\n" + "".join(f"2026-02-02,{row}\n" for row in rows.splitlines())
    result = read(text, parse_profile(profile, "t"))
    assert amounts(result.statements[0]) == expected
    assert len(result.rejections) == 2 - len(expected)


def test_a_profile_says_its_currency_and_its_money() -> None:
    for cut, key in ((SIGNED.replace('amount = "Amount"\n', ""), "columns.in"),
                     (SIGNED.replace('currency = "EUR"\n', "").replace('currency = "Currency"\n', "")
                      .replace('"currency", ', ""), "columns.currency | values.currency")):  # fmt: skip
        with pytest.raises(SaldoError) as error:
            parse_profile(cut, "t")
        assert (error.value.code, error.value.params["key"]) == ("mapping_missing_key", key)


def workbook() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["Lista movimenti"],
        ["IBAN", IBAN],
        ["Saldo iniziale", 1000],
        ["Data contabile", "Data valuta", "Dare", "Avere", "Descrizione operazione", "Saldo contabile"],
        [date(2026, 2, 2), date(2026, 2, 3), None, 1250.5, "Bonifico FT 12", 2250.5],
        [date(2026, 2, 2), date(2026, 2, 2), 2.5, None, "Spese", 2248],
        ["Saldo finale", None, None, None, None, 2248],
    ):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook() -> None:
    (found,) = read_records(workbook(), "lista.xlsx", DARE_AVERE, "xlsx").statements
    assert (found.account, found.opening_mills, found.closing_mills) == (IBAN, 1_000_000, 2_248_000)
    assert (amounts(found), found.is_quarantined) == ([1_250_500, -2_500], False)


# -- suggestions -----------------------------------------------------------------------------------------

ENGLISH = (
    "Date;Value date;Amount;Balance;Description;Counterparty;Counterparty IBAN\n"
    f"2026-02-13;2026-02-13;1,250.50;2,250.50;FT 12;Rossi;{PAYER_IBAN}\n"
    "2026-02-14;2026-02-14;-2.50;2,248.00;Fee;;\n"
)
GERMAN = (
    "Buchungstag;Wertstellung;Verwendungszweck;Beguenstigter/Zahlungspflichtiger;Betrag;Waehrung\n"
    "13.02.26;13.02.26;RE 4711;Muster GmbH;1.250,50;EUR\n14.02.26;14.02.26;Entgelt;;-2,50;EUR\n"
)
ENTRATE = (
    "Data operazione;Data valuta;Entrate;Uscite;Causale;Descrizione operazione\n"
    "13/02/2026;13/02/2026;1.250,50;;48;Bonifico\n14/02/2026;14/02/2026;;2,50;16;Spese\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TOP + HEADER + "".join(ROWS) + FOOT, [1_250_500, -2_500, 100_000]),
        (ENGLISH, [1_250_500, -2_500]),
        (GERMAN, [1_250_500, -2_500]),
        (ENTRATE, [1_250_500, -2_500]),
    ],
    ids=["dare avere", "english", "german", "entrate uscite"],
)
def test_a_movement_list_is_proposed_as_one(text: str, expected: list[int]) -> None:
    mapping = suggest(open_table(text.encode(), "lista.csv", None)).mapping
    assert mapping.kind == "bank"
    again = parse_profile(dump_toml(mapping), "t")
    found = only(text, again)
    assert amounts(found) == expected
    if "IBAN;" in text:
        assert (found.account, found.closing_mills, found.is_quarantined) == (IBAN, 2_348_000, False)


def test_an_order_list_is_proposed_as_one() -> None:
    text = "Numero ordine;Cliente;Data ordine;Importo;Stato\nO-1;Rossi;02/02/2026;10,00;aperto\n"
    mapping = suggest(open_table(text.encode(), "ordini.csv", None)).mapping
    assert mapping.kind == "orders"
    (order,) = read_records(text.encode(), "ordini.csv", mapping).records
    assert order.number == "O-1"


@pytest.mark.parametrize(
    "header",
    [
        "Numero fattura;Data fattura;Scadenza;Cliente;Importo;Numero ordine",
        "Cod. cliente;Data documento;Data scadenza;Dare;Avere;Descrizione",
        "Data;Importo;Descrizione;Cliente;Numero",
    ],
)
def test_receivables_stay_receivables(header: str) -> None:
    row = ";".join("02/02/2026" if "Data" in name or name == "Scadenza" else "10,00" if name in
                   ("Importo", "Dare", "Avere") else "X1" for name in header.split(";"))  # fmt: skip
    raw: RawTable = open_table(f"{header}\n{row}\n".encode(), "a.csv", None)
    assert suggest(raw).mapping.kind == "receivables"


cells = st.sampled_from(
    ["", "02/02/2026", "10,00", "-10,00", "1.000", "Saldo finale", "Saldo iniziale: 1,00", "x", '"', "\x00"]
)


@given(st.lists(st.lists(cells, max_size=9), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_rows_never_raise(rows: list[list[str]]) -> None:
    text = TOP + HEADER + "".join(";".join(row) + "\n" for row in rows)
    found = read(text)
    suggest(open_table(text.encode(), "a.csv", None))
    assert found.statements


@given(st.integers(min_value=0))
@settings(max_examples=200, deadline=None)
def test_a_cut_list_never_has_another_amount(at: int) -> None:
    data = HEADER + "".join(ROWS)
    mapping = replace(DARE_AVERE, values={"currency": "EUR", "account": IBAN})
    cut = data[: len(HEADER) + at % (len(data) - len(HEADER))]
    for found in read(cut, mapping).statements:
        if not found.is_quarantined:
            assert amounts(found) == [1_250_500, -2_500, 100_000][: len(found.transactions)]


def test_an_upload_shows_the_lines_of_a_list_and_refuses_orders() -> None:
    ctx = cast(Context, SimpleNamespace(language="it"))
    found = inspect_file(ctx, "lista.csv", (TOP + HEADER + "".join(ROWS) + FOOT).encode())
    assert (found.kind, found.rows, found.rejections) == ("bank", 3, [])
    assert [row["amount_mills"] for row in found.preview] == [1_250_500, -2_500, 100_000]
    orders = "Numero ordine;Cliente;Data ordine;Importo\nO-1;Rossi;02/02/2026;10,00\n"
    with pytest.raises(SaldoError) as error:
        inspect_file(ctx, "ordini.csv", orders.encode())
    assert error.value.code == "mapping_kind_not_imported"
