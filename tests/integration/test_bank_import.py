"""Bank files through the real import: nothing lost, nothing twice, whatever order and form they come in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from django.db import connection

from saldo.cash.banks import accounts_named, bank_accounts, continuity, intraday_lines
from saldo.cash.models import BankTransaction, Remittance, Statement
from saldo.cash.statements import add_bank_account, change_bank_account, release_statement
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.flows.import_documents import ImportResult, import_file
from saldo.formats.detect import read_file
from saldo.identity.models import Event
from saldo.identity.operations import ensure_company
from saldo.interfaces.commands.main import main
from tests import bank_samples

DAY = date(2026, 2, 3)
Take = Callable[..., ImportResult]


def _context(make_ctx: Callable[..., Context]) -> Context:
    ctx = make_ctx(DAY)
    return ctx.within(ensure_company(ctx, "AUR", "Aurelia Esempio S.p.A.").id)


@pytest.fixture
def ctx(db: None, make_ctx: Callable[..., Context]) -> Context:
    """A context of a company without bank accounts."""
    return _context(make_ctx)


@pytest.fixture
def take(ctx: Context) -> Take:
    """Import a file into the company, which has the account of the samples."""
    _add(ctx)

    def run(data: bytes | str, name: str = "file", **options: Any) -> ImportResult:
        content = data.encode() if isinstance(data, str) else data
        return import_file(ctx, name, content, company_code="AUR", **options)

    return run


def _add(ctx: Context, **details: str) -> int:
    assert ctx.company_id is not None
    return add_bank_account(ctx, ctx.company_id, **({"iban": bank_samples.IBAN} | details)).id


def _codes(result: ImportResult) -> list[str]:
    return [one.code for one in result.rejections]


def _amounts(kind: str = "booked") -> list[str]:
    found = BankTransaction.objects.filter(kind=kind).order_by("booking_date", "amount", "id")
    return [f"{line.booking_date:%d}:{line.amount:.2f}" for line in found]


def _statement(days: dict[int, list[str]], opening: str, closing: str, number: int = 1) -> str:
    """MT940: the lines of the days of February, each "amount text", all credits, without references."""
    first, last = min(days), max(days)
    lines = []
    for day, payments in days.items():
        for payment in payments:
            amount, text = payment.split(" ", 1)
            lines += [f":61:2602{day:02}02{day:02}C{amount}NTRFNONREF", f":86:{text}"]
    return "\r\n".join(
        [":20:R", f":25:{bank_samples.IBAN}", f":28C:{number:05}/001",
         f":60F:C2602{first:02}EUR{opening}", *lines, f":62F:C2602{last:02}EUR{closing}", "-", ""]
    )  # fmt: skip


MONDAY = _statement({2: ["100,00 ROSSI", "100,00 ROSSI", "40,00 BIANCHI"]}, "0,00", "240,00", 1)
TUESDAY = _statement({3: ["100,00 ROSSI"]}, "240,00", "340,00", 2)
WEEK = _statement(
    {2: ["100,00 ROSSI", "40,00 BIANCHI", "100,00 ROSSI"], 3: ["100,00 ROSSI"], 4: ["7,00 VERDI"]},
    "0,00", "347,00", 3,
)  # fmt: skip
ALL = ["02:40.00", "02:100.00", "02:100.00", "03:100.00", "04:7.00"]


def test_the_same_again_adds_nothing_and_two_equal_payments_stay_two(take: Take, ctx: Context) -> None:
    first, again, renamed = take(MONDAY), take(MONDAY), take(MONDAY + "\r\n", "bis.sta")
    assert (first.done, first.unchanged, _codes(first)) == (3, 0, [])
    assert (again.done, again.unchanged, renamed.done, renamed.unchanged) == (0, 3, 0, 3)
    assert _amounts() == ALL[:3]
    assert Statement.objects.count() == 1
    told = Event.objects.get(kind="bank.statement")
    assert (told.company_id, told.effective_date, told.data["lines"]) == (ctx.company_id, date(2026, 2, 2), 3)


@pytest.mark.parametrize("order", ["days first", "week first", "week between"])
def test_an_overlapping_export_adds_the_surplus(take: Take, order: str) -> None:
    files = {
        "days first": [MONDAY, TUESDAY, WEEK],
        "week first": [WEEK, MONDAY, TUESDAY],
        "week between": [TUESDAY, WEEK, MONDAY],
    }[order]
    results = [take(one) for one in files]
    assert _amounts() == ALL
    assert [_codes(one) for one in results] == [[], [], []]
    assert sum(one.done for one in results) == 5
    assert sum(one.unchanged for one in results) == 4


def test_equal_payments_on_pages_of_one_day_are_different(take: Take) -> None:
    """What goes on from the last balance overlaps nothing, in one file or in several, in any order."""
    morning = _statement({2: ["100,00 ROSSI", "100,00 ROSSI"]}, "50,00", "250,00", 1)
    noon = _statement({2: ["100,00 ROSSI"]}, "250,00", "350,00", 2)
    evening = _statement({2: ["100,00 ROSSI"]}, "350,00", "450,00", 3)
    take(morning + noon)
    take(evening)
    assert _amounts() == ["02:100.00"] * 4
    whole = take(_statement({2: ["100,00 ROSSI"] * 4}, "50,00", "450,00", 4))
    assert (whole.done, whole.unchanged) == (0, 4)


def test_a_reference_of_the_bank_finds_a_line_told_in_other_words(take: Take) -> None:
    one = bank_samples.entry("10.00", more="<AddtlNtryInf>BONIFICO</AddtlNtryInf>")
    take(bank_samples.camt(bank_samples.statement(one, closing="110.00")))
    short = bank_samples.entry("10.00", more="<AddtlNtryInf>BON. A VS FAVORE</AddtlNtryInf>")
    other = bank_samples.entry("25.00").replace("BANK-1", "BANK-2")
    again = take(bank_samples.camt(bank_samples.statement(short, other, closing="135.00")))
    assert (again.done, again.unchanged, _codes(again)) == (1, 1, [])
    assert _amounts() == ["02:10.00", "02:25.00"]


def test_what_may_be_the_same_payment_in_other_words_waits_for_a_person(take: Take, ctx: Context) -> None:
    take(_statement({2: ["100,00 ROSSI"]}, "0,00", "100,00", 1))
    result = take(_statement({2: ["100,00 BONIFICO DA ROSSI MARIO", "5,00 VERDI"]}, "0,00", "105,00", 2))
    assert _codes(result) == ["statement_quarantined"]
    assert result.counts["statements_quarantined"] == 1
    assert _amounts() == ["02:5.00", "02:100.00", "02:100.00"]
    held = Statement.objects.get(is_quarantined=True)
    release_statement(ctx, held.id, "two payments indeed")
    with pytest.raises(SaldoError, match="not held back"):
        release_statement(ctx, held.id, "again")


def test_quarantine_and_release(take: Take, ctx: Context) -> None:
    wrong = _statement({2: ["100,00 ROSSI"]}, "0,00", "101,00", 1)
    result = take(wrong)
    assert (_codes(result), result.done) == (["statement_quarantined"], 1)
    assert "difference 1.00" in result.rejections[0].why("en")
    (account,) = continuity(ctx)
    (held,) = account.waiting
    assert (held.difference_mills, account.balance_mills) == (1000, None)
    with pytest.raises(SaldoError, match="note"):
        release_statement(ctx, held.id, "  ")
    # The corrected one takes its place: its lines count, and those held back never will.
    right = take(_statement({2: ["100,00 ROSSI"]}, "0,00", "100,00", 1))
    assert (right.done, _codes(right)) == (1, [])
    with pytest.raises(SaldoError, match="came again"):
        release_statement(ctx, held.id, "checked")
    # One that nothing corrects is released, and then known.
    take(_statement({5: ["30,00 NERI"]}, "100,00", "131,00", 4))
    late = Statement.objects.latest("id")
    release_statement(ctx, late.id, "the bank's slip of one euro")
    again = take(_statement({5: ["30,00 NERI"]}, "100,00", "130,00", 5))
    assert (again.done, again.unchanged) == (0, 1)


def test_the_same_name_with_other_content_is_a_conflict(take: Take) -> None:
    take(_statement({2: ["100,00 ROSSI"]}, "0,00", "100,00", 1))
    result = take(_statement({2: ["60,00 ROSSI", "40,00 NERI"]}, "0,00", "100,00", 1))
    assert (_codes(result), result.done) == (["statement_conflict"], 0)
    assert _amounts() == ["02:100.00"]


def test_an_unknown_account_is_read_once_it_is_added(ctx: Context) -> None:
    other = MONDAY.replace(bank_samples.IBAN, bank_samples.OTHER_IBAN)
    _add(ctx)
    data = (MONDAY + other).encode()
    first = import_file(ctx, "two.sta", data, company_code="AUR")
    assert (first.done, _codes(first)) == (3, ["statement_account_unknown"])
    assert bank_samples.OTHER_IBAN in first.rejections[0].why("it")
    _add(ctx, iban=bank_samples.OTHER_IBAN)
    second = import_file(ctx, "two.sta", data, company_code="AUR")
    assert (second.done, second.unchanged, _codes(second)) == (3, 3, [])


def test_accounts_of_other_companies_are_not_found(ctx: Context, take: Take) -> None:
    other = ensure_company(ctx, "TIB")
    add_bank_account(ctx, other.id, iban=bank_samples.OTHER_IBAN)
    mine = take(MONDAY.replace(bank_samples.IBAN, bank_samples.OTHER_IBAN))
    assert _codes(mine) == ["statement_account_unknown"]
    with pytest.raises(SaldoError, match="TIB"):
        _add(ctx, iban=bank_samples.OTHER_IBAN)


@pytest.mark.parametrize(
    "written",
    [
        bank_samples.IBAN, "IT60 X054 2811 1010 0000 0123 456", "X0542811101000000123456",
        "05428/11101/000000123456", "05428/11101/123456", "0542811101000000123456", "05428/123456",
        "000000123456", "123456", "123456EUR", "UNCRITMM/123456", "UNCRITMM/123456 EUR",
    ],
)  # fmt: skip
def test_spellings_of_an_account(ctx: Context, written: str) -> None:
    mine = _add(ctx, bic="UNCRITMM")
    _add(ctx, iban=bank_samples.OTHER_IBAN)
    assert [one.id for one in accounts_named(bank_accounts(ctx), written, "EUR")] == [mine]
    for stranger in (bank_samples.PAYER_IBAN, "", "/", "12345", "1234567", "05428", "9999/123457"):
        assert accounts_named(bank_accounts(ctx), stranger, "EUR") == []


def test_currency_tells_accounts_of_one_number_apart(ctx: Context, take: Take) -> None:
    for currency in ("EUR", "USD"):
        _add(ctx, iban="", number="777001", abi="99993", currency=currency)
    dollars = MONDAY.replace(bank_samples.IBAN, "777001").replace("EUR", "USD")
    assert _codes(take(dollars)) == []
    assert Statement.objects.get().bank_account.currency == "USD"
    pounds = take(dollars.replace("USD", "GBP"))
    assert _codes(pounds) == ["statement_account_ambiguous"]


def test_continuity_shows_gaps_late_statements_and_silent_days(take: Take, ctx: Context) -> None:
    take(_statement({2: ["10,00 A"]}, "0,00", "10,00", 1))
    take(_statement({5: ["10,00 B"]}, "10,00", "20,00", 2))
    (told,) = continuity(ctx)
    # Nothing moved on the 3rd and 4th: the balances agree.
    assert (told.gaps, told.holes[0].days) == ((), (date(2026, 2, 3), date(2026, 2, 4)))
    take(_statement({9: ["10,00 D"]}, "50,00", "60,00", 4))
    week = take(_statement({2: ["10,00 A"], 5: ["10,00 B"]}, "0,00", "20,00", 9))
    assert (week.done, week.unchanged) == (0, 2)
    (told,) = continuity(ctx)
    (gap,) = told.gaps
    assert (gap.difference_mills, gap.days) == (30_000, (date(2026, 2, 6),))
    assert (told.balance_mills, [row.number for row in told.statements if row.is_late]) == (60_000, ["00009"])
    take(_statement({6: ["30,00 C"]}, "20,00", "50,00", 3))
    (told,) = continuity(ctx)
    assert told.gaps == ()
    assert sum(row.is_late for row in told.statements) == 2


def test_lines_of_the_day_are_evidence_until_booked(take: Take, ctx: Context) -> None:
    pending = bank_samples.entry("40.00").replace("BANK-1", "BANK-2")
    lines = [bank_samples.entry("10.00"), pending]
    report = bank_samples.camt(
        bank_samples.statement(*lines, closing="150.00", tag="Rpt"), message="camt.052.001.08",
        root="BkToCstmrAcctRpt",
    )  # fmt: skip
    assert take(report).counts["lines_intraday"] == 2
    assert _amounts() == []
    unbooked = pending.replace("<Cd>BOOK</Cd>", "<Cd>PDNG</Cd>")
    take(bank_samples.camt(bank_samples.statement(lines[0], unbooked, closing="110.00")))
    assert _amounts() == ["02:10.00"]
    told = intraday_lines(bank_accounts(ctx)[0].id, DAY.replace(day=1))
    booked = BankTransaction.objects.get(kind="booked")
    assert [(f"{line['amount']:.2f}", line["confirmed_by"]) for line in told] == [
        ("10.00", booked.id), ("40.00", None),
    ]  # fmt: skip


def test_transactions_of_a_batch_are_lines_of_their_own(take: Take) -> None:
    details = [
        f"<TxDtls><Refs><EndToEndId>E{n}</EndToEndId></Refs><Amt Ccy='EUR'>{amount}</Amt></TxDtls>"
        for n, amount in enumerate(["30.00", "30.00", "40.00"])
    ]
    batch = bank_samples.camt(
        bank_samples.statement(bank_samples.entry("100.00", *details), closing="200.00")
    )
    assert take(batch).done == 3
    assert _amounts() == ["02:30.00", "02:30.00", "02:40.00"]
    # All three bear the bank's reference of their entry.
    assert set(BankTransaction.objects.values_list("bank_reference", flat=True)) == {"BANK-1"}
    unsplit = bank_samples.camt(
        bank_samples.statement(bank_samples.entry("101.00", *details), closing="201.00")
    ).replace(b"BANK-1", b"BANK-9").replace(b"<Id>S1</Id>", b"<Id>S2</Id>")  # fmt: skip
    result = take(unsplit)
    assert (result.done, [one.code for one in result.notices]) == (1, ["bank_batch_not_split"])


def test_a_text_without_end_is_clipped_and_said(take: Take) -> None:
    long = bank_samples.entry("10.00", more=f"<AddtlNtryInf>{'FATTURA 1 ' * 15_000}</AddtlNtryInf>")
    result = take(bank_samples.camt(bank_samples.statement(long, closing="110.00")))
    assert "bank_text_clipped" in [one.code for one in result.notices]
    assert len(BankTransaction.objects.get().text) <= 4000


def test_bad_files_say_why_and_leave_nothing(take: Take) -> None:
    good = bank_samples.camt(bank_samples.statement(bank_samples.entry("10.00"), closing="110.00"))
    entities = good.replace(b"?>", b'?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]>', 1)
    entities = entities.replace(b"S1", b"&e;")
    for data, kind in [(good[:-200], "auto"), (entities, "auto"), (b"", "bank"), (b"\x00\xff" * 99, "bank")]:
        result = take(data, kind=kind)
        assert result.rejections and not result.done, data[:40]
    assert not Statement.objects.exists()
    assert take(good).done == 1


def test_points_for_commas_and_another_encoding(take: Take) -> None:
    points = MONDAY.replace("100,00", "100.00").replace("240,00", "240.00")
    assert take(points.encode("utf-16")).done == 3
    assert take(MONDAY.replace("ROSSI", "NICCOLÒ").encode("latin-1")).rejections
    cut = TUESDAY.partition(":62F")[0]
    assert _codes(take(cut)) == ["statement_quarantined"]
    assert take(TUESDAY).done == 1


def test_advices_are_kept_once_and_tables_of_movements_read_by_profile(take: Take, ctx: Context) -> None:
    mail = (
        "From: contabilita@cliente.example.com\r\nTo: incassi@example.com\r\nSubject: Avviso di pagamento\r\n"
        "Message-ID: <1@cliente.example.com>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        "Buongiorno, in data 02/02/2026 abbiamo disposto bonifico di EUR 150,00 a saldo di:\r\n"
        "FT 12/2026 del 10/01/2026 EUR 100,00\r\nFT 15/2026 del 12/01/2026 EUR 50,00\r\n"
    )
    first, again = take(mail, "advice.eml"), take(mail + "\r\n", "again.eml")
    assert (first.done, again.done, again.unchanged) == (1, 0, 1)
    advice = Remittance.objects.get()
    assert [(line["number"], line["paid_mills"]) for line in advice.lines] == [
        ("FT 12/2026", 100_000),
        ("FT 15/2026", 50_000),
    ]
    ensure_company(ctx, "TIB")
    anywhere = replace(ctx, company_id=None)
    nobody = import_file(anywhere, "advice.eml", mail.replace("150,00", "150,01").encode())
    assert _codes(nobody) == ["remittance_company_needed"]


def test_a_dry_run_writes_nothing(take: Take) -> None:
    assert take(MONDAY, dry_run=True).done == 3
    assert not Statement.objects.exists()
    assert take(MONDAY).done == 3


def test_two_imports_at_once_store_it_once(committed_db: None, make_ctx: Callable[..., Context]) -> None:
    ctx = _context(make_ctx)
    _add(ctx)
    results: list[Any] = []
    barrier = threading.Barrier(4)

    def one(data: str) -> None:
        try:
            barrier.wait(10)
            results.append(import_file(ctx, "at-once.sta", data.encode(), company_code="AUR"))
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=[data]) for data in (MONDAY, MONDAY, WEEK, WEEK)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert all(isinstance(one, ImportResult) for one in results), results
    assert _amounts() == ALL
    assert Statement.objects.count() == 2
    assert sum(one.done for one in results) == 5


def test_details_of_an_account(ctx: Context) -> None:
    account = _add(ctx, name="Banca Esempio", sia="AB12C")
    (row,) = bank_accounts(ctx)
    assert (row.abi, row.cab, row.number) == ("05428", "11101", "000000123456")
    changed = change_bank_account(ctx, account, name="Banca Esempio Torino", bic="unc ritmm")
    assert (changed.name, changed.bic, changed.sia) == ("Banca Esempio Torino", "UNCRITMM", "AB12C")
    assert _add(ctx) == account
    for wrong, code in [
        ({"iban": "IT00X0542811101000000123456"}, "iban_invalid"),
        ({"iban": "", "name": "without a number"}, "bank_account_unnamed"),
        ({"currency": "XXZ"}, "currency_unknown"),
        ({"sia": "TOOLONG"}, "bank_account_detail_too_long"),
    ]:
        with pytest.raises(SaldoError) as refused:
            _add(ctx, **wrong)
        assert refused.value.code == code


def test_the_command_line(take: Take) -> None:
    take(MONDAY)
    take(_statement({4: ["1,00 X"]}, "500,00", "502,00", 8))
    run = CliRunner().invoke

    def told(*words: str) -> dict[str, Any]:
        result = run(main, ["bank", *words, "--json"])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    assert [row["iban"] for row in told("list")["accounts"]] == [bank_samples.IBAN]
    (account,) = told("statements", "--account", bank_samples.IBAN[-6:])["accounts"]
    held = [row["id"] for row in account["statements"] if row["waits"]]
    assert (account["balance"], account["gaps"], len(held)) == ("240.00", [], 1)
    released = run(main, ["bank", "release", str(held[0]), "--note", "checked"])
    assert released.exit_code == 0
    (account,) = told("statements")["accounts"]
    assert [gap["difference"] for gap in account["gaps"]] == ["260.00"]
    assert run(main, ["bank", "statements", "--account", "nobody"]).exit_code == 2
    assert run(main, ["bank", "add", bank_samples.OTHER_IBAN, "--company", "AUR"]).exit_code == 0


def _current(currency: str | None) -> str:
    """Some of these statements are older than the euro."""
    return currency if currency in CURRENCY_EXPONENTS else "EUR"


def test_real_statements_are_taken_whole_and_once(ctx: Context, shared: Path) -> None:
    """Every statement of the corpora whose account is known is stored; every line of it, once."""
    paths = [
        *sorted((shared / "corpora/camt").glob("*.xml")),
        *sorted((shared / "corpora/mt940").rglob("*.sta")),
    ]
    for path in paths:
        for statement in read_file(path.read_bytes(), path.name).statements:
            number = "".join(character for character in statement.account if character.isalnum())
            known = accounts_named(bank_accounts(ctx), statement.account, statement.currency)
            if len(number) >= 5 and not known:
                _add(ctx, iban="", number=number.upper()[:34], currency=_current(statement.currency))
    stored = 0
    for path in paths:
        data = path.read_bytes()
        written = sum(len(one.transactions) for one in read_file(data, path.name).statements)
        if not written:
            continue
        first = import_file(ctx, path.name, data, "bank", company_code="AUR")
        unplaced = sum(code.startswith("statement_account") for code in _codes(first))
        assert first.done + first.unchanged == written or unplaced or "statement_conflict" in _codes(first)
        stored += first.done
        again = import_file(ctx, path.name, data, "bank", company_code="AUR")
        assert again.done == 0, path.name
    assert BankTransaction.objects.count() == stored > 150
