"""The demo: a small world lived through in a database, as ``saldo demo`` does it."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from saldo.cash.acknowledgements import awaited, untied_payments
from saldo.collection.models import Outcome
from saldo.core.context import Context
from saldo.identity.models import DayRun
from saldo.identity.queries import companies
from saldo.intake.queries import erp_sources
from saldo.ledger.queries import open_items
from saldo.parties.models import CustomerAccount
from saldo.simulation.demo.command import free_port
from saldo.simulation.demo.past import Past
from saldo.simulation.demo.setup import Demo, display, ensure_demo, shown
from saldo.simulation.files.erp_book import ErpBook
from saldo.simulation.world.world import World

TODAY, LAST = date(2026, 7, 1), date(2026, 6, 30)
SEED = 7


@pytest.fixture(autouse=True)
def _own_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALDO_CHANNELS", str(tmp_path / "channels.toml"))


def demo(home: Path) -> Demo:
    ctx = Context("system:demo", TODAY, lambda: datetime(2026, 7, 1, 9, tzinfo=UTC), language="it")
    with shown(display(disable=True)) as step:
        return ensure_demo(ctx, home, SEED, "small", step)


@pytest.mark.django_db
def test_the_demo_tells_what_is_true_of_its_world(tmp_path: Path) -> None:
    made = demo(tmp_path)
    assert [code for code, _ in made.companies] == ["AURELIA", "TIBERIA"]
    assert {login.username for login in made.logins} == {
        "admin", "responsabile", "crediti", "incassi", "direzione",
    }  # fmt: skip
    assert all(login.password for login in made.logins)
    # Four spoilt rows in each history, and nothing else refused.
    refused = {entry.name.split("-")[0]: entry.rejections for entry in made.imports if entry.rejections}
    damaged = [refused.pop(name) for name in list(refused) if "damaged" in name]
    assert refused == {"storico": 4, "FBL5N_history": 4} and damaged
    assert _saldo_mills() == _truth_mills()
    # The last days were run, and what was said is there.
    assert DayRun.objects.filter(as_of__lt=TODAY).count() >= 4
    assert Outcome.objects.filter(state="done").exists()
    again = demo(tmp_path)
    assert again.imports == () and again.as_of == TODAY


@pytest.mark.django_db
def test_an_interrupted_demo_goes_on_and_tells_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C after the first run of a day: contacts were told, the logins were not made."""
    ran: list[date] = []

    def run(past: Past) -> None:
        whole_run(past)
        ran.append(past.day)
        if len(ran) == 1:
            raise KeyboardInterrupt

    whole_run = Past.run
    monkeypatch.setattr(Past, "run", run)
    with pytest.raises(KeyboardInterrupt):
        demo(tmp_path)
    told = Outcome.objects.count()
    assert told and DayRun.objects.exists()
    made = demo(tmp_path)
    assert made.imports and all(login.password for login in made.logins)
    rows = list(Outcome.objects.values_list("account_id", "as_of", "state", "note"))
    assert len(rows) == len(set(rows)) > told
    assert _saldo_mills() == _truth_mills()


def _saldo_mills() -> int:
    """What Saldo has open, with the cash that the bank told and the ERPs have not booked yet: that is what
    the ERPs say, to the cent. A spoilt row was settled: it is not missed."""
    ctx = Context("system:demo", TODAY, lambda: datetime(2026, 7, 1, 9, tzinfo=UTC))
    ids = [row.id for row in companies(ctx)]
    waiting = awaited(ctx, ids)["awaited_mills"].sum()
    accounts = list(CustomerAccount.objects.values_list("id", flat=True))
    untied = sum(
        untied_payments(ctx, [company], source.id, accounts)["on_account_mills"].sum()
        for company in ids
        for source in erp_sources(company)[:1]
    )
    return int(open_items(ctx)["balance_mills"].sum() + waiting + untied)


def _truth_mills() -> int:
    """What the ERPs have open, credits taken off."""
    t = World.make("small", SEED, LAST).tables()
    return sum(ErpBook(t, company).open_total(LAST) for company in (0, 1)) * 10


def test_a_taken_port_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) > port
