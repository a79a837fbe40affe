"""The bank, Saldo and the ERP tell of the same money: it is counted once, whoever tells first."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from saldo.cash.acknowledgements import pending
from saldo.cash.models import CashAcknowledgement, Posting
from saldo.cash.postings import post_match, post_on_account
from saldo.cash.undoing import undo
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.flows.collect import apply_lines
from saldo.flows.export_cash import export_again, export_cash
from saldo.flows.import_documents import ImportResult, import_file
from saldo.ledger.entries import Share as LedgerShare
from saldo.ledger.entries import allocate
from saldo.ledger.models import Item, PaymentSighting
from saldo.ledger.queries import projection_differences
from saldo.parties.models import CustomerAccount
from tests.cash_world import World, balances

pytestmark = pytest.mark.django_db

PROFILE = """
name = "erp"
source = "erp"
[format]
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
[columns]
customer_code = "customer"
number = "number"
kind = "kind"
document_date = "date"
due_date = "due"
amount = "amount"
open = "open"
settled_date = "settled"
optional = ["settled_date"]
[kinds]
FT = "invoice"
AC = "payment"
[export]
complete = true
posts_cash = "{posts_cash}"
"""
HEAD = "customer;number;kind;date;due;amount;open;settled\n"
_seconds = count(1)


def context(day: date) -> Context:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Context("test", day, lambda: start + timedelta(seconds=next(_seconds)), language="en")


class Erp:
    """The lists of an ERP, read into the world's company."""

    def __init__(self, world: World, posts_cash: str = "erp") -> None:
        self.world, self.profile = world, PROFILE.format(posts_cash=posts_cash)

    def tells(self, day: date, *rows: str) -> ImportResult:
        text = HEAD + "".join(f"{row}\n" for row in rows)
        result = import_file(
            context(day), f"{day}.csv", text.encode(), mapping=self.profile,
            company_code=self.world.company.code, as_at=day, accept_closures=True,
        )  # fmt: skip
        assert result.rejections == []
        return result


def row(number: str, amount: str, open_: str, kind: str = "FT", day: str = "05/01/2026") -> str:
    return f"ACME;{number};{kind};{day};{'04/02/2026' if kind == 'FT' else ''};{amount};{open_};"


def account() -> int:
    return CustomerAccount.objects.get(code="ACME").id


def item(number: str) -> int:
    return Item.objects.get(invoice__number=number, kind="installment").id


@pytest.fixture
def world() -> World:
    return World()


def mills(amount: str) -> int:
    return int(Decimal(amount) * 1000)


DAY1, DAY2, DAY3 = date(2026, 3, 9), date(2026, 3, 11), date(2026, 3, 12)


def test_a_list_may_lag_behind_the_bank_and_then_acknowledges_it(world: World) -> None:
    erp = Erp(world)
    erp.tells(DAY1, row("F1", "100,00", "100,00"), row("F2", "50,00", "50,00"))
    line = world.line("95.00", "saldo F1")
    post_match(
        context(DAY2), line, account(), [Share(item("F1"), mills("95"))],
        [Difference("charges", item("F1"), mills("5"))],
    )  # fmt: skip
    lagging = erp.tells(DAY2, row("F1", "100,00", "100,00"), row("F2", "50,00", "50,00"))
    assert (lagging.counts["awaited"], lagging.counts["reopened"], lagging.unchanged) == (1, 0, 2)
    assert balances(account()) == {"F2": "50.00"}
    (waiting,) = pending(replace(context(DAY3), company_id=world.company.id))
    assert (waiting.transaction_id, waiting.is_exported) == (line, False)
    shown = erp.tells(DAY3, row("F2", "50,00", "50,00"))
    assert (shown.counts["shown"], shown.closed) == (1, 0)
    assert CashAcknowledgement.objects.get().posting.transaction_id == line
    assert pending(replace(context(DAY3), company_id=world.company.id)) == []
    assert balances(account()) == {"F2": "50.00"}
    # From now on the ERP is taken at its word: more open than we have is a conflict, not a delay.
    again = import_file(
        context(DAY3), "later.csv", (HEAD + row("F1", "100,00", "100,00") + "\n").encode(),
        mapping=erp.profile, company_code=world.company.code, as_at=date(2026, 3, 16), accept_closures=True,
    )  # fmt: skip
    assert [one.code for one in again.rejections] == ["conflict_open"]
    assert projection_differences() == []


def test_the_erps_own_line_for_cash_that_the_bank_told_is_never_booked_twice(world: World) -> None:
    erp = Erp(world)
    erp.tells(DAY1, row("F1", "100,00", "100,00"))
    first, second = world.line("300.00", "acconto"), world.line("300.00", "acconto")
    for line in (first, second):
        post_on_account(context(DAY2), line, account())
    told = erp.tells(
        DAY2, row("F1", "100,00", "100,00"), row("AC7", "-300,00", "-300,00", "AC", "11/03/2026"),
        row("AC9", "-80,00", "-80,00", "AC", "11/03/2026"),
    )  # fmt: skip
    # One of the two is tied, the other still awaits the ERP; 80 is cash that no bank line told.
    assert (told.counts["tied"], told.counts["new"]) == (1, 1)
    assert PaymentSighting.objects.count() == 1
    expected = {"F1": "100.00", f"BT{first}.1": "-300.00", f"BT{second}.1": "-300.00", "AC9": "-80.00"}
    assert balances(account()) == expected
    again = erp.tells(
        DAY3, row("F1", "100,00", "100,00"), row("AC7", "-300,00", "-300,00", "AC", "11/03/2026"),
        row("AC8", "-300,00", "-300,00", "AC", "12/03/2026"),
        row("AC9", "-80,00", "-80,00", "AC", "11/03/2026"),
    )  # fmt: skip
    assert (again.counts["tied"], again.counts["new"], PaymentSighting.objects.count()) == (2, 0, 2)
    assert balances(account()) == expected


def test_a_bank_line_takes_the_place_of_what_the_erp_had_closed(world: World) -> None:
    erp = Erp(world)
    erp.tells(DAY1, row("F1", "100,00", "100,00"), row("F2", "50,00", "50,00"))
    line = world.line("100.00", "bonifico")
    erp.tells(DAY3, row("F2", "50,00", "50,00"))
    assert balances(account()) == {"F2": "50.00"}
    post_match(context(DAY3), line, account(), [Share(item("F1"), mills("100"))])
    assert balances(account()) == {"F2": "50.00"}
    kinds = Item.objects.filter(account_id=account(), amount__lt=0).values_list("kind", flat=True)
    assert sorted(kinds) == ["closure", "payment"]
    assert projection_differences() == []


def test_the_erp_wins_where_it_posts_cash(world: World) -> None:
    erp = Erp(world)
    rows = [row("F1", "100,00", "100,00"), row("F2", "100,00", "100,00"), row("F3", "70,00", "70,00")]
    erp.tells(DAY1, *rows)
    wrong, kept = world.line("100.00", "saldo"), world.line("70.00", "acconto")
    post_match(context(DAY2), wrong, account(), [Share(item("F1"), mills("100"))])
    post_on_account(context(DAY2), kept, account())
    told = erp.tells(DAY3, row("F1", "100,00", "100,00"))
    assert (told.counts["used"], told.counts["moved"]) == (1, 1)
    assert balances(account()) == {"F1": "100.00"}
    assert [p.mode for p in Posting.objects.filter(transaction_id=wrong).order_by("sequence")] == [
        "manual", "manual", "erp",
    ]  # fmt: skip
    assert projection_differences() == []


def test_where_saldo_posts_cash_the_erp_does_not_move_it(world: World) -> None:
    erp = Erp(world, "saldo")
    erp.tells(DAY1, row("F1", "100,00", "100,00"), row("F2", "100,00", "100,00"))
    line = world.line("100.00", "saldo")
    post_match(context(DAY2), line, account(), [Share(item("F1"), mills("100"))])
    told = erp.tells(DAY3, row("F1", "100,00", "100,00"))
    assert (told.counts["used"], told.counts["moved"], told.counts["awaited"]) == (0, 0, 1)


def test_prima_nota_balances_is_told_once_and_takes_back_what_was_undone(world: World) -> None:
    erp = Erp(world, "saldo")
    erp.tells(DAY1, row("F1", "100,00", "100,00"), row("F2", "50,00", "50,00"))
    short, over, never = world.line("95.00", "=1+1"), world.line("60.00", "F2"), world.line("1.00", "x")
    post_match(
        context(DAY2), short, account(), [Share(item("F1"), mills("95"))],
        [Difference("charges", item("F1"), mills("5"))],
    )  # fmt: skip
    post_match(context(DAY2), over, account(), [Share(item("F2"), mills("50"))])
    post_on_account(context(DAY2), never, account())
    undo(context(DAY2), never)
    ctx = replace(context(DAY3), company_id=world.company.id)
    made = export_cash(ctx)
    assert (made.entries, made.name.startswith("prima-nota-erp-00001")) == (2, True)
    rows = _rows(made.data)
    assert [(r["conto"], r["numero_documento"], r["dare"], r["avere"]) for r in rows[1:4]] == [
        ("CLIENTI", "F1", "", "95,00"), ("SPESE BANCARIE", "", "5,00", ""), ("CLIENTI", "F1", "", "5,00"),
    ]  # fmt: skip
    assert _total(rows, "dare") == _total(rows, "avere") == Decimal("160.00")
    assert [(r["tipo_documento"], r["avere"]) for r in rows[5:]] == [("FT", "50,00"), ("ACC", "10,00")]
    assert not any(value.startswith("=") for r in rows for value in r.values())
    assert export_again(ctx, made.export_id).data == made.data
    with pytest.raises(SaldoError, match="has not been told of"):
        export_cash(ctx)
    undo(context(DAY3), over)
    back = _rows(export_cash(ctx).data)
    assert {r["causale"] for r in back} == {"STO"}
    assert _total(back, "dare") == _total(back, "avere") == Decimal("60.00")


def _rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=";"))


def _total(rows: list[dict[str, str]], side: str) -> Decimal:
    return sum((Decimal(r[side].replace(",", ".")) for r in rows if r[side]), Decimal(0))


def test_cash_matched_by_hand_later_is_awaited_too_and_not_taken_back(world: World) -> None:
    erp = Erp(world)
    all_open = [row(number, "100,00", "100,00") for number in ("F1", "F2", "F3")]
    erp.tells(DAY1, *all_open)
    done = post_match(context(DAY2), world.line("200.00", "F1"), account(), [Share(item("F1"), mills("100"))])
    assert done.payment_item_id is not None
    allocate(context(DAY2), done.payment_item_id, [LedgerShare(item("F3"), Decimal(100))], "by hand")
    # No conflict: the ERP lags behind both, the posting and what a person did with its rest.
    assert erp.tells(DAY2, *all_open).counts["awaited"] == 2
    # It posts F2 where we had F1: only what nobody built upon is made again.
    told = erp.tells(DAY3, all_open[0])
    assert (told.counts["moved"], told.counts["shown"]) == (0, 1)
    assert balances(account()) == {}
    assert projection_differences() == []


def test_cash_on_account_is_told_once_whatever_source_is_the_main_one(world: World) -> None:
    erp, other = Erp(world, "saldo"), Erp(world, "saldo")
    other.profile = other.profile.replace('source = "erp"', 'source = "two"').replace("= true", "= false")
    erp.tells(DAY1, row("F1", "100,00", "100,00"))
    line = world.line("300.00", "acconto")
    post_on_account(context(DAY2), line, account())
    ctx = replace(context(DAY3), company_id=world.company.id)
    assert (export_cash(ctx).source.name, other.tells(DAY2, row("G1", "9,00", "9,00")).counts["new"]) == (
        "erp", 1,
    )  # fmt: skip
    with pytest.raises(SaldoError, match="not been told"):
        export_cash(ctx)
    undo(context(DAY3), line)
    with pytest.raises(SaldoError, match="not been told"):
        export_cash(ctx)
    assert b"STO" in export_cash(ctx, "erp").data


def test_a_bounced_payment_takes_back_each_of_its_rows(world: World) -> None:
    Erp(world, "saldo").tells(DAY1, row("F1", "100,00", "100,00"))
    line = world.line("145.00", "F1", end_to_end_id="E1")
    charges = Difference("charges", item("F1"), mills("5"))
    post_match(context(DAY2), line, account(), [Share(item("F1"), mills("95"))], [charges])
    ctx = replace(context(DAY3), company_id=world.company.id)
    paid = entries_of(export_cash(ctx).data)
    world.line("-145.00", "storno", is_reversal=True, end_to_end_id="E1", day=DAY3)
    assert apply_lines(ctx, world.company.id).bounced == 1
    back = entries_of(export_cash(ctx).data)
    assert back == [(account_, credit, debit) for account_, debit, credit in paid]


def entries_of(data: bytes) -> list[tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=";")
    return [(one["conto"], one["dare"], one["avere"]) for one in rows]


def test_the_part_of_cash_on_account_that_the_erp_used(world: World) -> None:
    erp = Erp(world)
    items = [row("F1", "100,00", "100,00"), row("F2", "300,00", "300,00")]
    erp.tells(DAY1, *items)
    line = world.line("300.00", "acconto")
    post_on_account(context(DAY2), line, account())
    told = "ACME;AC7;AC;11/03/2026;;-300,00;{};"
    assert erp.tells(DAY2, *items, told.format("-300,00")).counts["tied"] == 1
    # F2 was paid by other cash, since the list has all of AC7 on account still.
    assert erp.tells(DAY3, items[0], told.format("-300,00")).counts["used"] == 0
    assert balances(account()) == {f"BT{line}.1": "-300.00", "F1": "100.00"}
    assert erp.tells(date(2026, 3, 13), told.format("-200,00")).counts["used"] == 1
    assert balances(account()) == {f"BT{line}.1": "-200.00"}
    assert projection_differences() == []
