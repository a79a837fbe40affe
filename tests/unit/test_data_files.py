"""Data files for backtests: any table as numbers and words, any list of invoices as a book."""

from __future__ import annotations

import gzip
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from saldo.analytics.book import Book
from saldo.analytics.history import HistoryBook, book_of
from saldo.core.errors import SaldoError
from saldo.formats.data_files import History, read_data, read_history
from saldo.formats.tabular import dump_toml, parse_profile

TODAY = date(2026, 11, 20)
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

ARFF = r"""% Invented ratios
@RELATION firms
@attribute 'debt ratio' NUMERIC
@attribute sector {'food, drinks', steel, "it's \"retail\""}
@attribute note string
@attribute failed {0,1}

@DATA
0.5,'food, drinks','one, two',0
% between the rows
?,steel,?,1
1e-3,"it's \"retail\"",'don\'t',0
0.7,stone,x,0
0.7,steel,x
abc,steel,x,0
{0 2.5, 3 1}
nan,steel,x,1
"""


def test_arff_reads_every_row_that_fits_and_refuses_the_others() -> None:
    table = read_data(gzip.compress(ARFF.encode()), "firms.arff.gz")
    assert table.format == "arff"
    assert table.frame.rows() == [
        (0.5, "food, drinks", "one, two", "0"),
        (None, "steel", None, "1"),
        (0.001, 'it\'s "retail"', "don't", "0"),
        (2.5, "food, drinks", "", "1"),
        (None, "steel", "x", "1"),
    ]
    assert [(one.row, one.params["problem_en"]) for one in table.rejections] == [
        (13, 'sector: "stone" is not among the declared values'),
        (14, "3 cells instead of 4"),
        (15, 'debt ratio: "abc" is no number'),
    ]


def test_arff_as_scipy_reads_it() -> None:
    from scipy.io import arff

    path = SHARED / "polish_bankruptcy_5year.arff.gz"
    if not path.exists():
        pytest.skip("no data")
    data = path.read_bytes()
    table = read_data(data, path.name)
    theirs, _ = arff.loadarff(io.StringIO(gzip.decompress(data).decode()))
    assert not table.rejections and table.frame.columns == list(theirs.dtype.names)
    for name in table.frame.columns[:-1]:
        assert table.frame[name].equals(pl.Series(name, theirs[name]).fill_nan(None)), name
    assert table.frame["class"].to_list() == [value.decode() for value in theirs["class"]]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"@relation r\n@attribute a numeric\n1\n", "arff_broken"),
        (b"@relation r\n@attribute a numeric\n@attribute a numeric\n@data\n1,2\n", "arff_broken"),
        (b"@relation r\n@attribute a colour\n@data\n1\n", "arff_broken"),
        (b"@relation r\n@attribute a numeric\n@data\n", "no_rows"),
        (b"PAR1 nothing of the kind", "parquet_broken"),
        (gzip.compress(b"a;b\n1;2\n" * 9, mtime=0)[:-9], "gzip_broken"),
        (b"", "empty_file"),
        (b"a;b\n", "no_rows"),
    ],
)
def test_what_is_no_table_is_an_error_that_says_so(data: bytes, code: str) -> None:
    with pytest.raises(SaldoError) as refused:
        read_data(data, "data")
    assert refused.value.code == code and refused.value.text("it") and refused.value.text("en")


@pytest.mark.parametrize(
    "text",
    [
        "firm;ratio;sales;since;failed\n007;0,25;1.234,50;1998;no\n012;-1,5;#DIV/0!;2003;yes\n013;NA;900;2010;no\n",
        'firm,ratio,sales,since,failed\n007,0.25,"1,234.50",1998,no\n012,-1.5,#DIV/0!,2003,yes\n013,NA,900,2010,no\n',
    ],
    ids=["Italian", "English"],
)
def test_csv_columns_are_numbers_or_words_by_their_cells(text: str) -> None:
    table = read_data(text.encode(), "firms.csv")
    assert table.frame.schema == {
        "firm": pl.String, "ratio": pl.Float64, "sales": pl.Float64, "since": pl.Float64, "failed": pl.String,
    }  # fmt: skip
    assert table.frame["ratio"].to_list() == [0.25, -1.5, None]
    assert table.frame["sales"].to_list() == [1234.5, None, 900.0]
    assert table.frame["firm"].to_list() == ["007", "012", "013"]


def test_a_cell_that_is_no_number_costs_its_row_only() -> None:
    rows = "".join(f"{number / 10},0\n" for number in range(30)) + "o.5,1\n"
    table = read_data(f"ratio,failed\n{rows}".encode(), "firms.csv")
    assert len(table.frame) == 30 and table.frame.schema["ratio"] == pl.Float64
    assert [(one.code, one.row, one.excerpt) for one in table.rejections] == [
        ("number_unreadable", 32, "o.5")
    ]


def test_parquet_as_it_is_typed() -> None:
    frame = pl.DataFrame(
        {
            "ratio": [0.5, float("nan"), float("inf"), None],
            "bankrupt": [True, False, False, None],
            "employees": pl.Series([1, 2, 3, None], dtype=pl.UInt8),
            "founded": [date(1999, 1, 1), None, None, None],
            "sector": pl.Series(["a", "?", "b", None], dtype=pl.Categorical),
            "list": [[1], [2], [3], None],
        }
    )
    data = io.BytesIO()
    frame.write_parquet(data)
    table = read_data(data.getvalue(), "firms.parquet")
    assert table.frame.schema == {
        "ratio": pl.Float64, "bankrupt": pl.String, "employees": pl.Int64, "founded": pl.Date,
        "sector": pl.String,
    }  # fmt: skip
    assert table.frame["ratio"].to_list() == [0.5, None, float("inf")]
    assert table.frame["sector"].to_list() == ["a", None, "b"]
    assert [(one.code, one.where) for one in table.rejections] == [("data_column_nested", "list")]


PROFILE = """
[format]
delimiter = ";"
decimal = ","
thousands = "."
dates = "D/M/YYYY"
[columns]
customer_code = "Cliente"
number = "Numero"
document_date = "Data fattura"
due_date = "Scadenza"
terms_text = "Condizioni"
amount = "Importo"
open = "Residuo"
settled_date = "Incassata il"
payment_method = "Pagamento"
[amount]
credit_notes = "negative"
[extra]
columns = ["Agente", "Zona"]
numbers = ["Sconto %"]
segment = "Zona"
"""
HEADER = (
    "Cliente;Numero;Data fattura;Scadenza;Condizioni;Importo;Residuo;Incassata il;Pagamento;Agente;Sconto %"
)
ROWS = [
    "C1;1;2/1/2026;1/2/2026;30 gg;1.234,56;0,00;5/2/2026;BB;Rossi;2,5",  # paid late
    "C1;2;10/1/2026;;30 gg DFFM;100,00;0,00;28/2/2026;RB;Rossi;",  # due by its terms
    "C2;3;12/1/2026;;quando capita;100,00;0,00;20/1/2026;BB;;0",  # due by law
    "C2;4;15/1/2026;15/2/2026;;100,00;40,00;;BB;Verdi;0",  # paid in part, nobody knows when
    "C2;5;15/1/2026;15/2/2026;;100,00;100,00;;BB;Verdi;0",  # open
    "C2;6;15/1/2026;15/2/2026;;100,00;0,00;;BB;Verdi;0",  # closed, nobody knows when
    "C2;7;15/1/2026;15/2/2026;;-30,00;0,00;20/2/2026;BB;Verdi;0",  # a credit note
    "C3;8;20/1/2026;20/2/2026;;50,00;0,00;3/1/2026;BB;Verdi;0",  # paid before it was issued
    "C3;9;20/1/2026;20/2/2206;;50,00;0,00;3/2/2026;BB;Verdi;0",  # a due date in the year 2206
    "C3;10;31/2/2026;20/3/2026;;50,00;0,00;3/4/2026;BB;Verdi;0",  # no such day
    "C3;11;20/1/2026;20/2/2026;;50,00;0,00;3/1/2027;BB;Verdi;0",  # paid in the future
    "C3;12;20/1/2026;20/2/2026;;50,00;0,00;3/2/2026;BB;Verdi;due",  # a discount in words
    "C3;13;20/1/2026;20/2/2026;;50,00",  # cut short
    "C3;14;20/1/2026;20/2/2026;;987.654.321.012,34;0,00;1/3/2026;BB;Verdi;0",
]


def _history(rows: list[str] = ROWS, profile: str = PROFILE) -> tuple[History, HistoryBook]:
    text = "\n".join([HEADER, *rows]) + "\n"
    history = read_history(text.encode("windows-1252"), "fatture.csv", parse_profile(profile, "fatture"))
    return history, book_of(history.frame, history.extra, today=TODAY)


def _facts(book: Book, item: int) -> tuple[object, ...]:
    return book.items.filter(pl.col("item_id") == item).row(0)


def test_a_history_becomes_a_book_and_nothing_is_lost() -> None:
    history, told = _history()
    numbers = dict(told.rows.select("number", "item_id").iter_rows())
    assert list(numbers) == ["1", "2", "3", "4", "5", "8", "14"]
    due = dict(told.book.items.select("item_id", "due_date").iter_rows())
    assert due[numbers["2"]] == date(2026, 2, 28) and due[numbers["3"]] == date(2026, 2, 11)
    amounts = dict(told.book.items.select("item_id", "amount_mills").iter_rows())
    assert amounts[numbers["4"]] == 40_000 and amounts[numbers["14"]] == 987_654_321_012_340
    ends = {row[0]: row[1:] for row in told.book.ends.iter_rows()}
    assert ends[numbers["1"]] == (date(2026, 2, 5), 1_234_560, "paid", date(2026, 2, 5))
    assert ends[numbers["8"]][0] == date(2026, 1, 20)
    assert not {numbers["4"], numbers["5"]} & ends.keys()
    assert told.counts == {
        "items": 7, "paid": 5, "open": 2, "accounts": 3, "credits": 1, "undated": 1, "part_paid": 1,
        "prepaid": 1, "due_by_terms": 1, "due_by_law": 1,
    }  # fmt: skip
    refused = [(one.row, one.code) for one in (*history.rejections, *told.rejections)]
    assert sorted(refused) == [
        (10, "date_impossible"), (11, "date_impossible"), (12, "date_in_future"), (13, "number_unreadable"),
        (14, "row_too_few_cells"),
    ]  # fmt: skip
    seen = (
        told.counts["items"]
        + told.counts["credits"]
        + told.counts["undated"]
        + len(refused)
        + history.ignored
    )
    assert seen == len(ROWS)


def test_further_columns_are_those_that_the_profile_names() -> None:
    history, told = _history()
    assert history.extra == ("Agente", "Sconto %") == told.book.extra
    assert history.missing == ("Zona",)
    items = told.book.items
    assert items["Agente"].to_list()[:3] == ["Rossi", "Rossi", None]
    assert items["Sconto %"].to_list()[:3] == [2.5, None, 0.0]
    assert parse_profile(dump_toml(history.mapping), "fatture").extra == history.mapping.extra
    with pytest.raises(SaldoError) as wrong:
        parse_profile(PROFILE.replace("numbers =", "number ="), "fatture")
    assert wrong.value.code == "mapping_unknown_key"


def test_a_further_column_never_takes_the_name_of_a_feature() -> None:
    header = HEADER.replace("Agente", "amount")
    text = "\n".join([header, *ROWS[:1]]) + "\n"
    profile = parse_profile(PROFILE.replace("Agente", "amount"), "fatture")
    history = read_history(text.encode(), "fatture.csv", profile)
    told = book_of(history.frame, history.extra, today=TODAY)
    assert told.book.extra == ("amount (file)", "Sconto %")
    assert told.book.items["amount (file)"].to_list() == ["Rossi"]


def test_the_same_list_as_parquet() -> None:
    text = pl.DataFrame(
        {
            "customer": ["A", "B"],
            "invoice": [1, 2],
            "issued": [date(2026, 1, 2), date(2026, 1, 3)],
            "due": [date(2026, 2, 1), date(2206, 2, 1)],
            "value": [0.1 + 0.2, 5.0],
            "paid": [date(2026, 2, 3), None],
        }
    )
    data = io.BytesIO()
    text.write_parquet(data)
    profile = parse_profile(
        '[format]\ndecimal = ","\n[columns]\ncustomer_code = "customer"\nnumber = "invoice"\n'
        'document_date = "issued"\ndue_date = "due"\namount = "value"\nsettled_date = "paid"\n', "p"
    )  # fmt: skip
    history = read_history(data.getvalue(), "list.parquet", profile)
    assert history.frame.select("customer_code", "number", "amount_mills", "settled_date").rows() == [
        ("A", "1", 300, date(2026, 2, 3))
    ]
    assert [(one.row, one.code) for one in history.rejections] == [(2, "date_impossible")]


def test_dates_that_a_program_took_for_numbers() -> None:
    profile = parse_profile(
        '[format]\ndecimal = "."\ndates = ["YYYYMMDD", "YYYY-MM-DD"]\n'
        '[columns]\ncustomer_code = "c"\nnumber = "n"\n'
        'document_date = "d"\ndue_date = "u"\namount = "a"\nsettled_date = "s"\n', "p"
    )  # fmt: skip
    text = "c,n,d,u,a,s\nA,1,20200125,20200210.0,10.5,2020-02-11 00:00:00\n"
    history = read_history(text.encode(), "x.csv", profile)
    assert history.frame.select("document_date", "due_date", "settled_date").row(0) == (
        date(2020, 1, 25), date(2020, 2, 10), date(2020, 2, 11)
    )  # fmt: skip


def test_a_file_that_lists_no_invoices_is_refused_with_its_kind() -> None:
    text = "Codice cliente;Ragione sociale;Partita IVA;Email\nC1;Alfa S.r.l.;01234567897;a@alfa.example\n"
    with pytest.raises(SaldoError) as refused:
        read_history(text.encode(), "clienti.csv")
    assert refused.value.code == "mapping_not_receivables"
