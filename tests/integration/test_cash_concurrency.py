"""Several at once, and one killed in the middle: real sessions and processes, at every isolation level."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from saldo.cash.models import MatchProposal, Posting
from saldo.cash.plans import AUTO, Planned
from saldo.cash.postings import post_many, post_match, post_on_account
from saldo.cash.undoing import undo
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Share
from saldo.flows.apply_cash import apply_cash
from saldo.flows.import_documents import receive
from saldo.flows.jobs import APPLY_TASK, defer_apply_cash
from saldo.interfaces.tasks.tasks import apply_open_lines, import_batch
from saldo.ledger.models import Item, ItemOpenProjection, Payment
from saldo.ledger.queries import projection_differences
from tests.cash_world import World, balances, context

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("committed_db")


def at_once(level: str, *works: Callable[[], Any]) -> list[Any]:
    """Run each work on a session of its own at this isolation level; results and SaldoErrors, in order."""
    results: list[Any] = [None] * len(works)
    ready = threading.Barrier(len(works))

    def run(place: int) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}")
                ready.wait(20)
            results[place] = works[place]()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[place]) for place in range(len(works))]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    return results


def codes(results: list[Any]) -> list[str]:
    return [error.code if isinstance(error, SaldoError) else repr(error)
            for error in results if isinstance(error, Exception)]  # fmt: skip


def check_money(lines: dict[int, str]) -> None:
    """Every posted line is one payment of its amount; nothing is used beyond what it is."""
    assert projection_differences() == []
    assert not [row for row in ItemOpenProjection.objects.all() if not 0 <= row.used <= row.cap]
    standing = [posting for posting in Posting.objects.all() if posting.kind == "match"]
    for posting in standing:
        (item,) = Item.objects.filter(payment_id=posting.payment_id, kind="payment")
        assert -item.amount == Decimal(lines[posting.transaction_id])
    assert Payment.objects.count() == len(standing)


@pytest.mark.parametrize("level", LEVELS)
def test_two_people_post_the_same_line(level: str) -> None:
    """On different accounts, so that no account's lock stands between them: one gets it."""
    world = World()
    owners = [world.account(f"Cliente {n}") for n in range(4)]
    line = world.line("100.00")
    results = at_once(
        level, *(lambda owner=owner: post_on_account(context(), line, owner) for owner in owners)
    )
    assert codes(results) == ["line_already_posted"] * 3
    check_money({line: "100.00"})


@pytest.mark.parametrize("level", LEVELS)
def test_two_lines_for_one_invoice(level: str) -> None:
    world = World()
    acme = world.account("Acme S.r.l.")
    item = world.invoice(acme, "F-1", "100.00")
    payers = [acme, *(world.account(f"Pagante {n}") for n in range(4))]
    lines = {world.line("40.00"): "40.00" for _ in payers}
    results = at_once(
        level,
        *(
            lambda line=line, payer=payer: post_match(context(), line, payer, [Share(item, 40_000)])
            for line, payer in zip(lines, payers, strict=True)
        ),
    )
    assert codes(results) == ["allocation_exceeds"] * 3
    assert balances(acme) == {"F-1": "20.00"}
    check_money(lines)


@pytest.mark.parametrize("level", LEVELS)
def test_runs_people_and_undos_at_once(level: str) -> None:
    world = World()
    lines: dict[int, str] = {}
    for n in range(12):
        owner = world.account(f"Forniture Rossini {n} S.r.l.")
        world.invoice(owner, f"2026/000{200 + n}", f"{100 + n}.00")
        lines[world.line(f"{100 + n}.00", f"fattura 2026/000{200 + n}", f"FORNITURE ROSSINI {n} SRL")] = (
            f"{100 + n}.00"
        )
    by_hand = world.account("Altro S.p.A.")
    some = list(lines)[:6]

    def people() -> list[str]:
        told = []
        for line in some:
            try:
                post_on_account(context(), line, by_hand)
                told.append("posted")
                undo(context(), line)
            except SaldoError as error:
                told.append(error.code)
        return told

    run = lambda: apply_cash(context(), world.company.id)  # noqa: E731
    results = at_once(level, run, run, people)
    assert codes(results) == []
    assert set(results[2]) <= {"posted", "line_already_posted", "line_not_posted"}
    final = apply_cash(context(), world.company.id)
    assert final.adds_up
    for line in lines:
        kinds = list(
            Posting.objects.filter(transaction=line).order_by("sequence").values_list("kind", flat=True)
        )
        assert kinds == ["match", "undo"] * (len(kinds) // 2) + ["match"] * (len(kinds) % 2)
        assert len(kinds) % 2 == 1, "undone lines were posted again, the others once"
    assert balances(by_hand) == {} and projection_differences() == []
    check_money(lines)


@pytest.mark.parametrize("level", LEVELS)
def test_two_chunks_of_the_same_lines(level: str) -> None:
    """Without the lock that keeps runs apart: halves, down to the lines that somebody else had."""
    world = World()
    acme, beta = world.account("Acme S.r.l."), world.account("Beta S.r.l.")
    lines = {world.line("10.00"): "10.00" for _ in range(10)}
    plans = {
        owner: [
            Planned(line, owner, mode=AUTO) for line in (reversed(list(lines)) if owner == beta else lines)
        ]
        for owner in (acme, beta)
    }
    results = at_once(
        level, *(lambda owner=owner: post_many(context(), world.company.id, plans[owner]) for owner in plans)
    )
    assert codes(results) == []
    assert sum(len(outcome.done) for outcome in results) == 10
    assert {refused.error.code for outcome in results for refused in outcome.refused} <= {
        "line_already_posted"
    }
    check_money(lines)


KILLED = """
import sys, django
django.setup()
from saldo.cash import postings
from saldo.flows.apply_cash import apply_cash
from saldo.flows.import_documents import receive
from saldo.flows.jobs import APPLY_TASK, defer_apply_cash
from saldo.interfaces.tasks.tasks import apply_open_lines, import_batch
from tests.cash_world import context
postings.CHUNK_LINES = 20
copied = postings.write_postings
def slowly(ctx, checked, given):
    done = copied(ctx, checked, given)
    print("written", len(done), flush=True)
    sys.stdin.readline()
    return done
postings.write_postings = slowly
apply_cash(context(), int(sys.argv[1]))
print("finished", flush=True)
"""


def test_killed_in_the_middle_it_goes_on_from_there() -> None:
    """Killed with the rows of its second chunk written and not committed: the first chunk stands whole, of
    the second there is nothing, and the next run posts the rest, once."""
    world = World()
    lines: dict[int, str] = {}
    owner = world.account("Forniture Rossini S.r.l.")
    for n in range(50):
        world.invoice(owner, f"2026/000{200 + n}", f"{100 + n}.00")
        lines[world.line(f"{100 + n}.00", f"fattura 2026/000{200 + n}", "FORNITURE ROSSINI SRL")] = (
            f"{100 + n}.00"
        )
    command = [sys.executable, "-W", "ignore", "-c", KILLED, str(world.company.id)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=ROOT, env=_environment(), **pipes) as killed:
        assert killed.stdin is not None and killed.stdout is not None
        assert killed.stdout.readline() == "written 20\n"
        killed.stdin.write("\n")
        killed.stdin.flush()
        assert killed.stdout.readline() == "written 20\n"
        killed.send_signal(signal.SIGKILL)
    _wait_for_the_session_to_end(world.company.id)
    assert Posting.objects.count() == Payment.objects.count() == 20
    check_money(lines)
    proposals = MatchProposal.objects.count()
    result = apply_cash(context(), world.company.id)
    assert (result.lines, result.posted, result.adds_up) == (30, 30, True)
    assert Posting.objects.count() == 50 and balances(owner) == {}
    assert MatchProposal.objects.count() == proposals, "what was proposed before stands"
    check_money(lines)


def _environment() -> dict[str, str]:
    """The test's own database, told to a process of its own."""
    told = connection.get_connection_params()
    host, login = str(told["host"]), f"{told['user']}:{quote(str(told.get('password', '')))}"
    url = f"postgresql://{login}@/{told['dbname']}?host={host}&port={told.get('port') or 5432}"
    if not host.startswith("/"):
        url = f"postgresql://{login}@{host}:{told['port']}/{told['dbname']}"
    return {
        **os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "saldo.config.settings",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }  # fmt: skip


def _wait_for_the_session_to_end(company_id: int) -> None:
    """The server ends a killed client's session when it notices: its locks go with it."""
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [company_id]
            )
            if cursor.fetchone()[0] == 0:
                return
            time.sleep(0.1)
    raise AssertionError("the killed process still holds its locks")


STATEMENT = """:20:STMT1
:25:IT60X0542811101000000123456
:28C:00012/001
:60F:C260309EUR1000,00
:61:2603100310C1220,00NTRFNONREF//A1
:86:BONIFICO A VOSTRO FAVORE DA FORNITURE ROSSINI SRL FATT 2026/000117
:62F:C260310EUR2220,00
-
"""


def test_the_worker_applies_what_an_import_brought() -> None:
    """Reading a statement defers the run of its company, once; so does an import of new invoices."""
    world = World()
    owner = world.account("Forniture Rossini S.r.l.")
    world.invoice(owner, "2026/000117", "1220.00")
    batch = receive(context(), "marzo.sta", STATEMENT.encode(), "bank")
    import_batch(batch)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT args ->> 'company_id' FROM procrastinate_jobs WHERE task_name = %s", [APPLY_TASK]
        )
        assert cursor.fetchall() == [(str(world.company.id),)]
    assert not defer_apply_cash(world.company.id)
    apply_open_lines(world.company.id)
    assert MatchProposal.objects.filter(rank=1).count() == 1
