"""Files as they come: encodings, delimiters, damage, workbooks. Nothing is lost, nothing is guessed."""

import datetime as dt
import io
import time
import zipfile

import pytest
from openpyxl import Workbook

from saldo.core.errors import SaldoError
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.mapping import parse_profile
from saldo.formats.tabular.read import open_table

PROFILE = """
[format]
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
[columns]
customer_code = "Cliente"
number = "Fattura"
document_date = "Data"
amount = "Importo"
"""
HEADER = "Cliente;Fattura;Data;Importo"


def _table(text: str, encoding: str = "utf-8"):
    return open_table(text.encode(encoding), "f.csv")


def _refused(data: bytes, name: str = "f.csv") -> str:
    with pytest.raises(SaldoError) as caught:
        open_table(data, name)
    assert caught.value.text("it")
    return caught.value.code


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]
)
def test_encodings_are_recognized(encoding: str) -> None:
    raw = _table(f"{HEADER}\nCaffè Città € srl;F-1;05/01/2026;10,00\n", encoding)
    assert raw.columns == HEADER.split(";")
    assert raw.frame["Cliente"].to_list() == ["Caffè Città € srl"]


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_recognized(delimiter: str, newline: str) -> None:
    lines = [HEADER.replace(";", delimiter)] + [
        f'A{delimiter}F{i}{delimiter}x{delimiter}"1,5"' for i in range(3)
    ]
    raw = _table(newline.join(lines))
    assert (raw.delimiter, raw.frame["Importo"].to_list()) == (delimiter, ["1,5"] * 3)
    assert raw.frame["row"].to_list() == [2, 3, 4]


def test_rows_of_the_wrong_width_are_refused_alone_with_their_text() -> None:
    raw = _table(f"{HEADER}\nA;1;x;1\nB;2;x\n\nC;3;x;1;9\nD;4;x;1;;\n;;;\nE;5;x;1\n")
    assert raw.frame["row"].to_list() == [2, 6, 8]
    assert [(r.code, r.row, r.excerpt) for r in raw.rejections] == [
        ("row_too_few_cells", 3, "B;2;x"),
        ("row_too_many_cells", 5, "C;3;x;1;9"),
    ]
    assert raw.ignored == 2


def test_line_numbers_hold_across_quoted_newlines() -> None:
    raw = _table(f'{HEADER}\n"A\nsrl";1;x;1\nB;2;x;1\n')
    assert raw.frame["row"].to_list() == [2, 4]
    assert raw.frame["Cliente"].to_list() == ["A\nsrl", "B"]


def test_a_quote_that_never_closes_costs_only_its_line() -> None:
    raw = _table(
        f'{HEADER}\nA;1;x;1\n"B;2;x\nTubo 5" srl;3;x;1\nBar "Da Gino";4;x;1\n"C\nsas";5;x;1\nD;6;x;1\n'
    )
    assert raw.frame["Fattura"].to_list() == ["1", "3", "4", "5", "6"]
    assert raw.frame["Cliente"].to_list() == ["A", 'Tubo 5" srl', 'Bar "Da Gino"', "C\nsas", "D"]
    assert raw.frame["row"].to_list() == [2, 4, 5, 6, 8]
    assert [(r.code, r.row) for r in raw.rejections] == [("row_broken_quotes", 3)]


def test_preamble_duplicate_headers_nul_and_repeated_header() -> None:
    text = f"Scadenzario\n\nStampato il 01/02/2026\n{HEADER};Importo;\nA;1;x;1;2;\nB;\x00;x;1;2;\n"
    text += f"{HEADER};Importo;\n"
    raw = _table(text)
    assert raw.columns == [*HEADER.split(";"), "Importo (2)"]
    assert (raw.header_row, raw.frame["row"].to_list(), raw.ignored) == (4, [5], 1)
    assert [(r.code, r.row) for r in raw.rejections] == [("row_nul", 6)]
    with pytest.raises(SaldoError) as caught:
        convert(raw, parse_profile(PROFILE, "p"))
    assert caught.value.code == "mapping_column_twice"


def test_bytes_outside_the_encoding_refuse_their_row_only() -> None:
    good = "".join(f"Città{i};{i};x;1\n" for i in range(9))
    raw = open_table(f"{HEADER}\n{good}".encode() + b"Bad\xe0;9;x;1\n", "f.csv")
    assert (raw.encoding, len(raw.frame)) == ("utf-8", 9)
    assert [(r.code, r.row) for r in raw.rejections] == [("row_undecodable", 11)]


def test_what_is_no_table_is_refused_at_once() -> None:
    assert _refused(b"") == _refused(b" \n\r\n ") == _refused(b"\xef\xbb\xbf\n") == "empty_file"
    assert _refused(b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old.xls") == "xls_not_read"
    assert _refused(b"%PDF-1.7 ...") == _refused(b"<html><table></table></html>") == "not_a_table"
    started = time.perf_counter()
    wide = ";".join(f"c{i}" for i in range(200_000))
    assert _refused(f"{wide}\n{wide}\n".encode()) == "too_many_columns"
    assert time.perf_counter() - started < 10


def test_a_wide_or_endless_row_is_refused_and_the_others_survive() -> None:
    raw = _table(f"{HEADER}\nA;1;x;1\n{'z;' * 200_000}\nB;{'9' * 3_000_000};x;1\nC;2;x;1\n")
    assert raw.frame["row"].to_list() == [2, 5]
    assert [r.code for r in raw.rejections] == ["row_too_many_cells", "row_too_long"]
    assert all(len(r.excerpt) <= 200 for r in raw.rejections)


def _workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    book.active.title = "Note"
    book.active["A1"] = "vuoto"
    sheet = book.create_sheet("Partite")
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_workbook_cells_are_exact_whatever_the_text_marks() -> None:
    data = _workbook(
        ["Partite aperte al 31/01/2026"],
        HEADER.split(";"),
        ["A", "F1", dt.datetime(2026, 1, 5), 1234.56],
        ["A", "F2", 46_027, 0.1 + 0.2],
        [10025, "F3", "06/01/2026", "1.234,56"],
        ["A", "F4", "06/01/2026", 1.2345],
        ["A", "F5", "06/01/2026", "#N/A"],
        ["A", "F6", "06/01/2026", 123456789012.34],
        ["A", "F7", "06/01/2026", "1.234"],
        ["A", "F8", "06/01/2026", -1.5],
        [],
        ["A", "F9", "06/01/2026", 1e16],
    )
    mapping = parse_profile(PROFILE, "p")
    raw = open_table(data, "f.xlsx", mapping)
    converted = convert(raw, mapping, "EUR")
    assert (raw.sheet, raw.header_row) == ("Partite", 2)
    frame = converted.frame
    assert dict(zip(frame["number"], frame["amount_mills"], strict=True)) == {
        "F1": 1_234_560, "F2": 300, "F3": 1_234_560, "F6": 123_456_789_012_340, "F7": 1_234_000, "F8": -1_500,
    }  # fmt: skip
    assert frame["document_date"].to_list()[:2] == [dt.date(2026, 1, 5), dt.date(2026, 1, 5)]
    assert frame["customer_code"].to_list()[2] == "10025"
    assert [(r.code, r.row) for r in converted.rejections] == [
        ("amount_decimals", 6), ("formula_error", 7), ("amount_too_large", 12),
    ]  # fmt: skip


def test_bombs_and_broken_workbooks_are_refused() -> None:
    good = _workbook(HEADER.split(";"), ["A", "F1", "06/01/2026", 1])
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(good)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
        target.writestr("xl/media/zeros.bin", b"\0" * (64 << 20))
    assert _refused(out.getvalue(), "bomb.xlsx") == "archive_bomb"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as source, zipfile.ZipFile(out, "w") as target:
        for member in source.infolist():
            text = source.read(member)
            if member.filename == "xl/workbook.xml":
                text = text.replace(b"<workbook", b'<!DOCTYPE x [<!ENTITY a "b">]><workbook', 1)
            target.writestr(member.filename, text)
    assert _refused(out.getvalue(), "entities.xlsx") == "workbook_broken"
    assert _refused(good[: len(good) // 2], "cut.xlsx") == "workbook_broken"
    assert _refused(good[:-400] + b"x" * 400, "dirty.xlsx") in {"workbook_broken", "not_a_table"}
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as target:
        target.writestr("a.txt", "x")
    assert _refused(plain.getvalue(), "a.zip") == "not_a_table"
