"""Files that mean harm or know no better, through the real import: every row is accounted for, nothing
crashes, and the ledger holds what the good rows say."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.import_documents import ImportResult, import_file
from saldo.formats.detect import read_file
from saldo.formats.tabular import open_table, parse_profile
from saldo.identity.operations import ensure_company
from saldo.interfaces.commands import reading
from saldo.ledger import operations

DAY = date(2026, 3, 31)
HEADER = "code;name;number;date;due;amount;open;currency\n"
PROFILE = """source = "erp"
[format]
decimal = ","
thousands = "."
[columns]
customer_code = "code"
customer_name = "name"
number = "number"
document_date = "date"
due_date = "due"
amount = "amount"
open = "open"
currency = "currency"
"""
BY_NAME = PROFILE.replace('customer_code = "code"\n', "")
BY_TERMS = PROFILE.replace('due_date = "due"', 'terms_text = "due"')


def row(
    number: str,
    amount: str = "100,00",
    opened: str | None = None,
    code: str = "C1",
    name: str = "Alfa Esempio S.r.l.",
    day: str = "10/01/2026",
    due: str = "10/02/2026",
    currency: str = "EUR",
) -> str:
    return ";".join([code, name, number, day, due, amount, opened or amount, currency]) + "\n"


@pytest.fixture
def take(db: None, make_ctx: Callable[..., Context]) -> Callable[..., ImportResult]:
    """Import rows under the header into a company of one's own; the rows must all be accounted for."""
    ctx = make_ctx(DAY)
    ensure_company(ctx, "BAD", "Azienda Esempio")

    def run(rows: str, profile: str = PROFILE, **options: Any) -> ImportResult:
        data = (HEADER + rows).encode()
        result = import_file(ctx, "bad.csv", data, "receivables", profile, "BAD", as_at=DAY, **options)
        counts = result.counts
        assert counts["rejected"] == len(result.rejections)
        told = result.done + result.unchanged + len(result.rejections) + counts["ignored"]
        assert told == counts["rows"]
        return result

    return run


def net_mills() -> int:
    """All debits less all credits, straight from the table."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(amount), 0) FROM ledger_item")
        return int(cursor.fetchone()[0] * 1000)


def codes(result: ImportResult) -> list[str]:
    return [one.code for one in result.rejections]


AMOUNTS = {
    "amount_unreadable": ["-", "NaN", "Infinity", "1e5", "0x10", "--5", "５", "=1+1"],
    "amount_separator": ["1,234.56"],
    "amount_decimals": ["100,1234"],
    "amount_too_large": ["1" + 15 * "0", 5000 * "9"],
    "row_amount_too_large": ["1000000000000", "999999999999999,99"],
    "formula_error": ["#N/A"],
}


def test_amounts_that_are_none(take: Callable[..., ImportResult]) -> None:
    wrong = [(code, text) for code, texts in AMOUNTS.items() for text in texts]
    rows = "".join(row(f"W{at}", text) for at, (_, text) in enumerate(wrong))
    zeros = row("Z1", "0") + row("Z2", "-0,00") + ";;;;;;;\n"
    result = take(row("G1", "1.234,56") + rows + zeros)
    assert sorted(codes(result)) == sorted(code for code, _ in wrong)
    assert (result.done, result.counts["ignored"], result.counts["rows"]) == (1, 3, 1 + len(wrong) + 3)
    assert net_mills() == 1_234_560


def test_identifiers_are_never_cut(take: Callable[..., ImportResult]) -> None:
    """Cut to the width of a column, two numbers or codes would become one."""
    rows = (
        row(60 * "7") + row(60 * "7" + "8") + row("L1", code=60 * "C" + "1") + row("L2", code=60 * "C" + "2")
    )
    result = take(rows)
    assert codes(result) == ["identifier_too_long"] * 3
    assert result.done == 1


def test_long_names_are_different_customers(take: Callable[..., ImportResult]) -> None:
    seat = "Consorzio per la promozione industriale della bassa pianura, sede di "
    rows = "".join(row(f"N{at}", name=seat + city) for at, city in enumerate(["Roma", "Milano", 200 * "x"]))
    assert take(rows, BY_NAME).done == 3
    again = take(rows + row("N9", name=seat + "Roma"), BY_NAME)
    assert (again.done, again.unchanged) == (1, 3)

    from saldo.parties.models import CustomerAccount

    assert CustomerAccount.objects.count() == 3


def test_rows_are_counted_whatever_their_terms_make_of_them(take: Callable[..., ImportResult]) -> None:
    rows = row("T1", due="30/60/90 gg FM") + row("t-1", due="30/60/90 gg FM") + row("T2", due="")
    first = take(rows, BY_TERMS)
    assert (first.done, codes(first), first.counts["new"]) == (2, ["row_duplicate"], 4)
    again = take(rows + row("T3"), BY_TERMS)
    assert (again.done, again.unchanged, len(again.rejections)) == (1, 2, 1)
    assert net_mills() == 300_000


def test_the_same_file_again_accounts_for_every_row(take: Callable[..., ImportResult]) -> None:
    rows = row("S1") + row("S2", day="31/02/2026") + row("S3", "0")
    first, again = take(rows), take(rows)
    assert (again.done, again.unchanged) == (0, first.done)
    assert codes(again) == codes(first) == ["date_impossible"]


def test_a_dry_run_tells_what_the_run_does(take: Callable[..., ImportResult]) -> None:
    rows = "".join(row(f"D{at}", "10,00") for at in range(60))
    profile = PROFILE + "[export]\ncomplete = true\n"
    for version in (
        rows,
        rows.replace(row("D0", "10,00"), "").replace(row("D1", "10,00"), row("D1", "10,00", "4,00")),
    ):
        dry = take(version, profile, dry_run=True)
        real = take(version, profile)
        assert (dry.done, dry.unchanged, dry.closed) == (real.done, real.unchanged, real.closed)
        assert codes(dry) == codes(real)
    assert (real.done, real.unchanged, real.closed) == (1, 58, 1)
    assert net_mills() == 58 * 10_000 + 4_000


class _Killed(Exception):
    pass


def test_an_import_that_dies_goes_on_from_there(
    take: Callable[..., ImportResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "CHUNK_DOCUMENTS", 10)
    rows = "".join(row(f"K{at}", "10,00", code=f"C{at % 7}", name=f"Nome {at % 7}") for at in range(45))

    def die(done: int, total: int) -> None:
        if done >= 20:
            raise _Killed

    with pytest.raises(_Killed):
        take(rows, progress=die)
    assert net_mills() == 20 * 10_000
    result = take(rows)
    assert (result.done, result.unchanged) == (25, 20)
    assert net_mills() == 45 * 10_000


PROFILES = {
    "nested": "source = " + 100_000 * "[",
    "digits": "[format]\nskip_rows = " + 10_000 * "9",
    "nul": PROFILE.replace('"erp"', '"a\\u0000b"'),
    "nul in a list": PROFILE.replace('"code"', '["a\\u0000b"]'),
    "huge": PROFILE + "# " + (1 << 20) * "x",
    "not toml": "a = = 1",
    "table for a list": "columns = [1, 2]",
}


@pytest.mark.parametrize("text", PROFILES.values(), ids=list(PROFILES))
def test_profiles_that_are_none(text: str) -> None:
    with pytest.raises(SaldoError) as caught:
        parse_profile(text, "mine")
    assert caught.value.code.startswith("mapping_")
    assert caught.value.remedy("it")


def workbook(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"[Content_Types].xml": b"<Types/>", **members}.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_in_a_workbook(encoding: str) -> None:
    text = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    with pytest.raises(SaldoError) as caught:
        open_table(workbook(**{"xl/workbook.xml": text.encode(encoding)}), "bad.xlsx")
    assert caught.value.code == "workbook_broken"


def test_archives_within_archives_cost_no_more_than_their_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members refused one by one would each be unpacked first: 4,096 of them took twenty minutes."""

    def archive(content: bytes, copies: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
            for at in range(copies):
                zipped.writestr(f"{at}.zip", content)
        return out.getvalue()

    monkeypatch.setattr("saldo.formats.detect.MAX_TOTAL_BYTES", 64 << 20)
    bomb = archive(archive(archive((9 << 20) * b" ", 16), 16), 16)
    opened = 0
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, size: int = -1) -> bytes:
        nonlocal opened
        opened += 1
        return read(self, size)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    result = read_file(bomb, "bomb.zip")
    assert {one.code for one in result.rejections} == {"archive_bomb"}
    assert opened < 50


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a": [1, 2, 3]}', "not_a_table"),
        (b"a;b\rc;d\n1;2\n3;4\n", None),
        (b"\n\n\n", "empty_file"),
    ],
)
def test_texts_that_are_no_table(data: bytes, code: str | None) -> None:
    if code is None:
        table = open_table(data, "odd.csv")
        assert table.frame.height + len(table.rejections) == 2
        return
    with pytest.raises(SaldoError) as caught:
        open_table(data, "odd.csv")
    assert caught.value.code == code


@pytest.mark.parametrize("text", [HEADER, "x;y\na;b\nc;d\n", HEADER + 2 * "a;b;c;d;e;f;g;h\n"])
def test_reading_without_a_mapping_never_crashes(text: str, tmp_path: Path) -> None:
    """A proposed mapping may lack what a profile must have; then the rows are refused, not the file."""
    file = tmp_path / "odd.csv"
    file.write_text(text)
    answer = CliRunner().invoke(reading.read, [str(file), "--json"])
    assert answer.exit_code in (0, 1), answer.output
    assert len(json.loads(answer.stdout)["rejections"]) == text.count("\n") - 1


def test_wide_characters_without_a_mark() -> None:
    """A profile may declare UTF-16 for a file without a byte order mark."""
    profile = parse_profile(PROFILE.replace("[format]", '[format]\nencoding = "utf-16"'), "mine")
    table = open_table((HEADER + row("1")).encode("utf-16-le"), "wide.csv", profile)
    assert table.frame["number"].to_list() == ["1"]


def test_files_without_an_end() -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "MAX_FILE_BYTES", 1 << 20)
        with pytest.raises(SaldoError) as caught:
            reading.file_bytes("/dev/zero")
    assert caught.value.code == "file_too_large"


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("not a folder")
    answer = subprocess.run(
        [sys.executable, "-m", "saldo.interfaces.commands.main", "aging", "--json"],
        env={**os.environ, "SALDO_HOME": str(home), "SALDO_SECRET_KEY": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 2, answer.stderr
    assert json.loads(answer.stdout)["error"]["code"] == "database_folder_not_writable"
