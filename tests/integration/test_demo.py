"""The demo: a small world lived through in a database, as ``saldo demo`` does it."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from saldo.cash.acknowledgements import awaited, untied_payments
from saldo.collection.models import Outcome, PlaybookActivation
from saldo.collection.playbook_actions import TO_APPROVE, planned
from saldo.core.context import Context
from saldo.disputes.models import DisputeEntry, DisputeItem
from saldo.identity.models import DayRun
from saldo.identity.queries import companies, latest_day_run
from saldo.intake.queries import erp_sources
from saldo.ledger.models import Item
from saldo.ledger.queries import open_items
from saldo.outreach.models import Delivery, Message, MessageItem, Reply, ReplyHandling
from saldo.outreach.replies import waiting
from saldo.parties.models import AddressStop, CustomerAccount
from saldo.promises.models import Promise, PromiseEnd, PromiseItem
from saldo.simulation.demo.command import free_port
from saldo.simulation.demo.office import Office, ensure_channels
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
    _check_mail(tmp_path)
    counts = _counts()
    again = demo(tmp_path)
    assert again.imports == () and again.as_of == TODAY
    assert _counts() == counts


def _check_mail(home: Path) -> None:
    """Messages left, into the folder; answers wait; a plan waits to be approved."""
    assert (home / "channels.toml").stat().st_mode & 0o077 == 0
    ctx = Context("responsabile", TODAY, lambda: datetime(2026, 7, 1, 9, tzinfo=UTC), language="it")
    runs = [run for row in companies(ctx) if (run := latest_day_run(row.id)) and run.as_of == TODAY]
    assert runs and any(planned(ctx, run.id, state=TO_APPROVE) for run in runs)
    sent = Delivery.objects.filter(state="sent", message__channel__in=("email", "pec"))
    put = {path.stem for path in (home / "demo" / "outbox").rglob("*.eml")}
    assert put and put == set(sent.values_list("message__token", flat=True))
    assert Delivery.objects.filter(state="unknown").count() == 1
    # One of each is there to be tried, and each but the machines' own waits for a person.
    labels = {row.label for row in waiting(ctx)}
    assert {"promise", "dispute", "paid", "question", "angry"} <= labels
    acts = set(ReplyHandling.objects.values_list("act", flat=True))
    assert "hold" in acts and AddressStop.objects.filter(reason="opt_out").exists()
    assert Delivery.objects.filter(state="bounced").exists()
    certified = Delivery.objects.filter(state="delivered", message__channel="pec")
    assert certified.exists() or not sent.filter(message__channel="pec").exists()
    assert Promise.objects.exists()
    assert _asked_in_spite() == []


def _asked_in_spite() -> list[tuple[int, int]]:
    """(message, item) where more was asked than promises and disputes of before leave of the item."""
    found = []
    for row in MessageItem.objects.filter(message__action__isnull=False).select_related("message"):
        at = row.message.recorded_at
        ended = PromiseEnd.objects.filter(recorded_at__lte=at).values("promise_id")
        promised = PromiseItem.objects.filter(
            item_id=row.item_id, promise__recorded_at__lte=at, promise__promised_date__gte=at.date()
        ).exclude(promise_id__in=ended)
        disputed = DisputeItem.objects.filter(item_id=row.item_id, dispute__recorded_at__lte=at).exclude(
            dispute__entries__in=DisputeEntry.objects.filter(kind="resolution", recorded_at__lte=at)
        )
        kept_out = sum((part.amount for part in [*promised, *disputed]), Decimal(0))
        item = Item.objects.get(id=row.item_id)
        if kept_out and row.asked + kept_out > item.amount:
            found.append((row.message_id, row.item_id))
    return found


def _counts() -> tuple[int, ...]:
    tables = (Message, Delivery, Reply, ReplyHandling, Promise, DisputeItem, Outcome, PlaybookActivation)
    return tuple(table.objects.count() for table in tables)


@pytest.mark.django_db
def test_the_demo_sends_nothing_where_channels_lead_to_real_servers(tmp_path: Path) -> None:
    real = tmp_path / "channels.toml"
    real.write_text("['*'.smtp]\nhost = 'smtp.alfa.example'\nfrom = 'crediti@alfa.example'\n", "utf-8")
    real.chmod(0o600)
    before = real.read_bytes()
    t = World.make("small", SEED, LAST).tables()
    ensure_channels(t, tmp_path / "outbox")
    assert real.read_bytes() == before
    assert Office(t, {"AURELIA": 1, "TIBERIA": 2}).companies == {}
    real.unlink()
    ensure_channels(t, tmp_path / "outbox")
    assert set(Office(t, {"AURELIA": 1, "TIBERIA": 2}).companies) == {"AURELIA", "TIBERIA"}


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
