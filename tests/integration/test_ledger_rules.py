"""The ledger's rules, tried from SQL: whatever a program does, the database refuses what must not be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from saldo.core.context import Context
from saldo.core.money import Money
from saldo.flows.import_documents import import_file
from saldo.identity.models import Company
from saldo.identity.operations import fix_known_at
from saldo.ledger import entries
from saldo.ledger.entries import Share
from saldo.ledger.models import Allocation, Item, ItemTerms
from saldo.ledger.operations import rebuild_projection
from saldo.ledger.queries import projection_differences, totals
from saldo.parties.models import Customer, CustomerAccount
from saldo.storage.locks import retried

DAY = date(2026, 1, 10)
AT = datetime(2026, 1, 10, 9, tzinfo=UTC)
APPEND_ONLY = [
    "ledger_invoice", "ledger_invoicesighting", "ledger_payment", "ledger_item", "ledger_itemterms",
    "ledger_allocation", "identity_event", "intake_rejection", "collection_outcome",
]  # fmt: skip


def account(company: str = "ONE", code: str = "ACME") -> CustomerAccount:
    ours, _ = Company.objects.get_or_create(code=company, defaults={"name": company})
    customer = Customer.objects.create(name=code, search_text=code.lower(), sort_name=code.lower())
    return CustomerAccount.objects.create(company=ours, customer=customer, code=code, recorded_at=AT)


def item(owner: CustomerAccount, amount: int | str, currency: str = "EUR", **more: Any) -> Item:
    kind = "installment" if Decimal(amount) > 0 else "payment"
    values = {"effective_date": DAY, "due_date": DAY, "recorded_at": AT, "kind": kind, **more}
    return Item.objects.create(
        company_id=owner.company_id, account=owner, amount=Decimal(amount), currency=currency, **values
    )


def allocate(debit: Item, credit: Item, amount: int | str, day: date = DAY, **more: Any) -> Allocation:
    values = {"company_id": debit.company_id, "recorded_at": AT, "reason": "test", **more}
    return Allocation.objects.create(
        debit_item=debit, credit_item=credit, amount=Decimal(amount), effective_date=day, **values
    )


@contextmanager
def refused(constraint: str) -> Iterator[None]:
    """The block breaks exactly this rule."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        yield
    assert caught.value.__cause__.diag.constraint_name == constraint


@pytest.mark.django_db
class TestAppendOnly:
    @pytest.mark.parametrize("table", APPEND_ONLY)
    @pytest.mark.parametrize("statement", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_nothing_is_changed_or_removed(self, table: str, statement: str) -> None:
        with pytest.raises(IntegrityError, match="append-only") as caught, transaction.atomic():
            connection.cursor().execute(statement.format(table))
        assert caught.value.__cause__.sqlstate == "23001"

    @pytest.mark.parametrize("table", ["identity_company", "parties_customeraccount", "intake_document"])
    def test_nor_by_emptying_what_they_point_to(self, table: str) -> None:
        with pytest.raises(IntegrityError, match=r"append-only|never deleted"), transaction.atomic():
            connection.cursor().execute(f"TRUNCATE {table} CASCADE")

    def test_nor_by_an_insert_that_updates(self) -> None:
        debit = item(account(), 100)
        again = "INSERT INTO ledger_item SELECT * FROM ledger_item WHERE id = %s "
        sql = again + "ON CONFLICT (id) DO UPDATE SET amount = 1"
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            connection.cursor().execute(sql, [debit.id])

    def test_an_item_stays_when_its_account_goes(self) -> None:
        owner = account()
        item(owner, 100)
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM parties_customeraccount WHERE id = %s", [owner.id])
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.django_db
class TestItems:
    def test_no_zero_amount(self) -> None:
        with refused("item_amount_not_zero"):
            item(account(), 0, kind="installment")

    def test_a_debit_has_a_due_date(self) -> None:
        with refused("debit_has_due_date"):
            item(account(), 100, due_date=None)

    def test_the_account_is_of_the_company(self) -> None:
        owner, other = account(), account("TWO", "OTHER")
        with pytest.raises(IntegrityError, match="is not one of company"), transaction.atomic():
            Item.objects.create(
                company_id=other.company_id, account=owner, amount=1, currency="EUR", kind="installment",
                effective_date=DAY, due_date=DAY, recorded_at=AT,
            )  # fmt: skip

    def test_terms_are_for_a_debit_that_exists(self) -> None:
        owner = account()
        debit, credit = item(owner, 100), item(owner, -100)
        for target, day, at in (
            (credit, DAY, AT),
            (debit, DAY - timedelta(1), AT),
            (debit, DAY, AT - timedelta(seconds=1)),
        ):
            with refused("terms_of_existing_debit"):
                ItemTerms.objects.create(
                    item=target, due_date=DAY, effective_date=day, reason="test", recorded_at=at
                )


@pytest.mark.django_db
class TestAllocations:
    def test_neither_side_is_used_beyond_its_amount(self) -> None:
        owner = account()
        debit, small, large = item(owner, 100), item(owner, -60), item(owner, -500)
        allocate(debit, small, 60)
        with refused("item_used_within_cap"):
            allocate(debit, small, "0.001")
        with refused("item_used_within_cap"):
            allocate(debit, large, "40.001")
        allocate(debit, large, 40)

    def test_one_statement_of_many_rows_is_summed(self) -> None:
        owner = account()
        debit, credit = item(owner, 100), item(owner, -500)
        rows = [
            Allocation(
                company_id=owner.company_id, debit_item=debit, credit_item=credit, amount=Decimal(40),
                effective_date=DAY, reason="test", recorded_at=AT,
            )
            for _ in range(3)
        ]  # fmt: skip
        with refused("item_used_within_cap"):
            Allocation.objects.bulk_create(rows)
        Allocation.objects.bulk_create(rows[:2])

    @pytest.mark.parametrize("side", ["debit", "credit"])
    def test_nor_on_any_earlier_day(self, side: str) -> None:
        """Free again since February, an item cannot be used from January on, whatever the total says."""
        owner = account()
        one, other = (100, -500) if side == "debit" else (500, -100)
        debit, credit = item(owner, one), item(owner, other)
        late = DAY + timedelta(30)
        allocate(debit, credit, 100)
        allocate(debit, credit, -100, late)
        again = item(owner, -100 if side == "debit" else 100)
        pair = (debit, again) if side == "debit" else (again, credit)
        with refused("item_used_within_cap_every_day"):
            allocate(*pair, 100, late - timedelta(1))
        allocate(*pair, 100, late)

    def test_an_earlier_reversal_cannot_go_below_nothing(self) -> None:
        owner = account()
        debit, credit = item(owner, 100), item(owner, -100)
        allocate(debit, credit, 100, DAY + timedelta(30))
        with refused("item_used_within_cap_every_day"):
            allocate(debit, credit, -100, DAY + timedelta(29))

    def test_a_reversal_takes_back_what_these_two_had_and_no_more(self) -> None:
        owner = account()
        debit, mine, other = item(owner, 100), item(owner, -60), item(owner, -60)
        allocate(debit, mine, 60)
        allocate(debit, other, 40)
        with refused("item_used_within_cap"):
            allocate(debit, mine, "-60.001")
        third = item(owner, 100)
        allocate(third, other, 20)
        with refused("reversal_within_allocation"):
            allocate(third, mine, -20)

    @pytest.mark.parametrize(
        "broken",
        ["sides swapped", "two debits", "two credits", "other company", "company of neither",
         "before the item",
         "known before the item", "currency without rate", "rate without currency", "rate of zero",
         "signs of the two amounts", "no such item"],
    )  # fmt: skip
    def test_what_an_allocation_may_join(self, broken: str) -> None:
        owner = account()
        debit, credit = item(owner, 100), item(owner, -100)
        dollars = item(owner, -100, "USD")
        foreign = item(account("TWO", "OTHER"), -100)
        rate = {"credit_amount": Decimal(11), "rate": Decimal("1.1")}
        cases: dict[str, Callable[[], object]] = {
            "sides swapped": lambda: allocate(credit, debit, 10),
            "two debits": lambda: allocate(debit, item(owner, 50), 10),
            "two credits": lambda: allocate(credit, item(owner, -50), 10),
            "other company": lambda: allocate(debit, foreign, 10),
            "company of neither": lambda: allocate(debit, credit, 10, company_id=foreign.company_id),
            "before the item": lambda: allocate(debit, credit, 10, DAY - timedelta(1)),
            "known before the item": lambda: allocate(
                debit, credit, 10, recorded_at=AT - timedelta(seconds=1)
            ),
            "currency without rate": lambda: allocate(debit, dollars, 10),
            "rate without currency": lambda: allocate(debit, credit, 10, **rate),
            "rate of zero": lambda: allocate(debit, dollars, 10, credit_amount=Decimal(11), rate=Decimal(0)),
            "signs of the two amounts": lambda: allocate(debit, dollars, -10, **rate),
            "no such item": lambda: allocate(debit, Item(id=10**15, company_id=owner.company_id), 10),
        }
        with refused("allocation_sides"):
            cases[broken]()

    def test_two_currencies_with_their_rate(self) -> None:
        owner = account()
        debit, dollars = item(owner, 100), item(owner, -110, "USD")
        allocate(debit, dollars, 100, credit_amount=Decimal(110), rate=Decimal("1.1"))
        with refused("item_used_within_cap"):
            allocate(item(owner, 100), dollars, 1, credit_amount=Decimal("1.1"), rate=Decimal("1.1"))

    def test_the_projection_can_be_made_anew_and_does_not_differ(self) -> None:
        owner = account()
        debit, credit = item(owner, 100), item(owner, -70)
        allocate(debit, credit, 70)
        allocate(debit, credit, -30, DAY + timedelta(5))
        assert projection_differences() == []
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_item_open_projection SET used = 1 WHERE item_id = %s", [debit.id])
        assert [row[0] for row in projection_differences()] == [debit.id]
        rebuild_projection()
        assert projection_differences() == []


# --- several sessions ---------------------------------------------------------------------------------


def session(isolation: psycopg.IsolationLevel | None = None) -> psycopg.Connection[Any]:
    """A connection of its own to the test's database."""
    settings = connection.get_connection_params()
    known = {"host", "port", "dbname", "user", "password"}
    other = psycopg.connect(**{name: value for name, value in settings.items() if name in known})
    other.isolation_level = isolation
    return other


INSERT = (
    "INSERT INTO ledger_allocation (company_id, debit_item_id, credit_item_id, amount, effective_date, "
    "reason, recorded_at) VALUES (%s, %s, %s, %s, %s, 'race', %s)"
)


@pytest.mark.parametrize("isolation", list(psycopg.IsolationLevel)[1:], ids=lambda level: level.name.lower())
def test_sessions_at_once_cannot_over_allocate(committed_db: None, isolation: psycopg.IsolationLevel) -> None:
    """Eight sessions set 30 each against a debit of 100, all having looked before: three get through."""
    owner = account()
    debit = item(owner, 100)
    credits = [item(owner, -30) for _ in range(8)]
    ready = threading.Barrier(8)
    outcomes: list[str] = []

    def one(credit: Item) -> None:
        with session(isolation) as mine:
            # Takes the snapshot before anybody has written.
            mine.execute("SELECT sum(amount) FROM ledger_allocation").fetchone()
            ready.wait(10)
            try:
                mine.execute(INSERT, [owner.company_id, debit.id, credit.id, 30, DAY, AT])
                mine.commit()
                outcomes.append("done")
            except psycopg.Error as error:
                mine.rollback()
                outcomes.append(error.sqlstate or "?")

    threads = [threading.Thread(target=one, args=[credit]) for credit in credits]
    [thread.start() for thread in threads]
    [thread.join(30) for thread in threads]
    assert len(outcomes) == 8
    used = sum(a.amount for a in Allocation.objects.all())
    assert used == 30 * outcomes.count("done") <= 100
    # The others were told why: over the cap, or lost a race and may try again.
    assert set(outcomes) <= {"done", "23514", "40001", "40P01"}
    assert outcomes.count("done") == 3 or isolation is not psycopg.IsolationLevel.READ_COMMITTED
    assert outcomes.count("done") >= 1
    assert projection_differences() == []


def _in_thread(work: Callable[[], Any], results: list[Any]) -> threading.Thread:
    """Django work on a connection of its own; what it returns or raises goes to results."""

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def context(day: date = DAY) -> Context:
    return Context("test", day, lambda: datetime.now(UTC))


def test_payments_at_once_on_one_invoice(committed_db: None) -> None:
    """Six people record a payment of 40 on an invoice of 100: two are taken, four are told why not."""
    owner = account()
    invoice = entries.record_invoice(
        context(), owner.id, "F-1", Money(Decimal(100), "EUR"), [(DAY, Decimal(100))]
    )
    share = [Share(invoice.item_ids[0], Decimal(40))]
    results: list[Any] = []
    threads = [
        _in_thread(
            lambda: entries.record_payment(context(), owner.id, Money(Decimal(40), "EUR"), share), results
        )
        for _ in range(6)
    ]
    [thread.join(60) for thread in threads]
    refusals = [getattr(result, "code", None) for result in results if isinstance(result, Exception)]
    assert refusals == ["allocation_exceeds"] * 4, results
    assert Item.objects.filter(kind="payment").count() == 2
    (row,) = totals(context().within(owner.company_id)).iter_rows(named=True)
    assert (row["open_mills"], row["credits_mills"]) == (20_000, 0)


def test_a_deadlock_is_tried_again(committed_db: None) -> None:
    """Two transactions lock two accounts in opposite order: PostgreSQL ends one, and it runs again."""
    first, second = account(code="A"), account(code="B")
    both = threading.Barrier(2)
    attempts: list[int] = []

    def lock(order: list[int]) -> Callable[[], str]:
        met = False

        def work() -> str:
            nonlocal met
            attempts.append(order[0])
            with transaction.atomic(), connection.cursor() as cursor:
                sql = "SELECT 1 FROM parties_customeraccount WHERE id = %s FOR UPDATE"
                cursor.execute(sql, [order[0]])
                if not met:
                    met = True
                    both.wait(10)
                cursor.execute(sql, [order[1]])
            return "done"

        return work

    results: list[Any] = []
    threads = [
        _in_thread(lambda order=order: retried(lock(order)), results)
        for order in ([first.id, second.id], [second.id, first.id])
    ]
    [thread.join(30) for thread in threads]
    assert results == ["done", "done"]
    assert len(attempts) == 3, "one of the two lost and was run again"


def test_a_day_run_sees_all_of_an_import_or_nothing(committed_db: None) -> None:
    """The instant that fixes known_at waits for a running import, whose rows all have one earlier instant."""
    owner = account()
    rows = "\n".join(f"ACME;F-{n};10/01/2026;31/01/2026;100,00" for n in range(200))
    profile = (
        '[columns]\ncustomer_code = "c"\nnumber = "n"\ndocument_date = "d"\ndue_date = "due"\namount = "a"\n'
    )
    data = f"c;n;d;due;a\n{rows}\n".encode()
    writing, instants, results, waited = threading.Event(), [], [], []

    def progress(done: int, total: int) -> None:
        writing.set()
        # Time enough for the day run to try while the import holds the company's lock.
        runner.join(0.5)
        waited.append(runner.is_alive())

    def run_day() -> None:
        writing.wait(30)
        instants.append(fix_known_at(context(), owner.company_id).known_at)

    runner = _in_thread(run_day, results)
    imported = import_file(
        context(), "open.csv", data, mapping=profile, company_code="ONE", as_at=DAY, progress=progress
    )
    runner.join(30)
    assert imported.done == 200 and results == [None] and waited == [True]
    recorded = set(Item.objects.values_list("recorded_at", flat=True))
    assert len(recorded) == 1
    assert recorded.pop() < instants[0]
