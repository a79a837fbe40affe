"""The sender in several sessions at once: one message, the last place of a cap, a payment meanwhile."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_collections_at_once import at_once
from tests.mail_server import Peer, mail_server
from tests.sending_world import SendingWorld, channels_at, later

pytestmark = pytest.mark.usefixtures("committed_db")
Post = tuple[SendingWorld, Peer]


@pytest.fixture
def post(committed_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    peer = Peer(slow_seconds=0.2)
    with mail_server(peer) as port:
        channels_at(tmp_path, port, monkeypatch)
        yield SendingWorld(), peer


def test_one_message_leaves_once_however_many_send_it(post: Post) -> None:
    from saldo.flows.send_messages import send

    world, peer = post
    message = world.waiting()
    told = at_once(*[lambda: send(world.ctx, message)] * 6)
    # Those that come while one is at it see that it is being sent; nobody calls it unknown.
    assert set(told) <= {"sending", "sent", "queued"} and told.count("sent") >= 1 and len(peer.taken) == 1


def test_the_last_places_of_a_day_are_taken_once(post: Post) -> None:
    from saldo.flows.send_messages import send

    world, peer = post
    world.rules(daily_cap=3)
    messages = [world.waiting(f"C{n}", address=f"c{n}@x.example") for n in range(8)]
    told = at_once(*[lambda each=each: send(world.ctx, each) for each in messages])  # type: ignore[misc]
    assert Counter(told) == {"sent": 3, "postponed": 5} and len(peer.taken) == 3


def test_two_accounts_of_one_contact_do_not_write_to_it_at_once(post: Post) -> None:
    from saldo.flows.send_messages import send

    world, peer = post
    messages = [world.waiting(f"C{n}", address="studio@x.example") for n in range(4)]
    told = at_once(*[lambda each=each: send(world.ctx, each) for each in messages])  # type: ignore[misc]
    assert Counter(told) == {"sent": 1, "cancelled": 3} and len(peer.taken) == 1


def test_a_payment_being_recorded_is_waited_for(post: Post) -> None:
    from django.db import connections, transaction

    from saldo.flows.send_messages import send
    from saldo.outreach import deliveries

    world, peer = post
    account, item = world.customer("Beta S.r.l.")
    message = world.message(account, {item: "1000.00"})
    recorded = threading.Event()

    def pays() -> None:
        try:
            with transaction.atomic():
                world.pay(account, item, "1000.00")
                recorded.set()
                time.sleep(0.5)  # not committed yet: who does not wait sees nothing of it
        finally:
            connections.close_all()

    payer = threading.Thread(target=pays)
    payer.start()
    assert recorded.wait(10)
    assert send(world.ctx, message) == "cancelled"
    payer.join()
    last = deliveries.last(message)
    assert last is not None and last.code == "paid" and not peer.taken


def test_a_session_that_died_leaves_its_message_to_be_found(post: Post) -> None:
    """As when the database ends the sender's session while the server takes its time."""
    from django.db import connection

    from saldo.flows.send_messages import send
    from saldo.outreach import deliveries

    world, peer = post
    message = world.waiting()
    peer.slow_seconds = 1.0
    told: list[str] = []

    def sends() -> None:
        from django.db import connections

        try:
            told.append(send(world.ctx, message))
        finally:
            connections.close_all()

    sender = threading.Thread(target=sends)
    sender.start()
    assert peer.is_reading.wait(20)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    time.sleep(0.2)
    assert send(later(world.ctx, minutes=1), message) == "unknown"
    sender.join()
    # Its answer came late, over a session of its own, and is heard.
    assert told == ["sent"] and deliveries.state_of(message) == "sent" and len(peer.taken) == 1


def test_one_that_lost_its_session_before_it_let_go_sends_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saldo.flows import hand_over
    from saldo.flows.send_messages import send
    from saldo.outreach import deliveries

    world, peer = post
    message = world.waiting()
    made = hand_over.attachments_of

    def overtaken(*told: object) -> object:
        deliveries.add(world.ctx, message, "unknown", code="worker_gone")
        deliveries.resolve_unknown(world.ctx, message, was_sent=False)
        return made(*told)  # type: ignore[arg-type]

    monkeypatch.setattr(hand_over, "attachments_of", overtaken)
    assert send(world.ctx, message) == "failed" and not peer.taken
