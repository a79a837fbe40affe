"""The one sender: what it asks again before a message leaves, and what it writes down of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from procrastinate.contrib.django.models import ProcrastinateJob

from saldo.cash.claims import record_claim
from saldo.collection.holds import hold
from saldo.core.errors import SaldoError
from saldo.core.sending import CANCELLED, FAILED, POSTPONED, PUBLISHED, SENDING, SENT, UNKNOWN
from saldo.disputes.operations import open_dispute
from saldo.flows import send_messages
from saldo.flows.jobs import SEND_TASK, defer_send
from saldo.flows.send_messages import post_letters, resolve, retry, send, sweep
from saldo.identity.operations import add_user
from saldo.identity.queries import events_of
from saldo.intake.operations import keep_document
from saldo.intake.queries import document_bytes
from saldo.outreach import deliveries
from saldo.outreach.channels.portal import portal_notices
from saldo.outreach.reply_changes import NewReply, add_handling, keep_reply
from saldo.outreach.settings import resume, stop
from saldo.parties.stops import give_consent, release_address, stop_address, stops_in_force
from saldo.promises.operations import record_plan, record_promise
from tests.mail_server import DROP_AND_KEEP, Peer, free_port, mail_server
from tests.sending_world import NOON, ROME, TUESDAY, SendingWorld, at, channels_at, later

pytestmark = pytest.mark.django_db
Post = tuple[SendingWorld, Peer]


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    """A company, and the mail server that its messages go to."""
    peer = Peer()
    with mail_server(peer) as port:
        channels_at(tmp_path, port, monkeypatch)
        yield SendingWorld(), peer


def told(message_id: int) -> tuple[str, str]:
    row = deliveries.last(message_id)
    assert row is not None
    return row.state, row.code


def job_times(message_id: int) -> list[datetime | None]:
    jobs = ProcrastinateJob.objects.filter(task_name=SEND_TASK, args__message_id=message_id, status="todo")
    return [job.scheduled_at for job in jobs]


def test_a_message_leaves_once_and_what_left_is_kept(post: Post) -> None:
    world, peer = post
    message = world.waiting()
    assert send(world.ctx, message) == SENT
    assert send(later(world.ctx, hours=1), message) == SENT and len(peer.taken) == 1
    rows = deliveries.deliveries_of(message)
    assert [(row.state, row.attempt) for row in rows] == [("queued", 0), ("sending", 1), ("sent", 1)]
    assert rows[2].detail == "250 2.0.0 queued as 4711" and rows[2].document_id is not None
    assert document_bytes(rows[2].document_id).rstrip() == peer.raw[0].rstrip()
    assert peer.taken[0]["Message-ID"].startswith("<") and peer.taken[0]["X-Saldo-Message"]
    account = deliveries.Message.objects.get(id=message).account_id
    assert {"message.sent", "message.queued"} <= {each["kind"] for each in events_of("account", account)}


def reply_of(world: SendingWorld, account: int, days: int = 0, **more: Any) -> int:
    """A reply of the account's own that came so many days ago and that nobody has dealt with."""
    ctx = replace(world.ctx, recorded_at=world.ctx.clock() - timedelta(days=days))
    document = keep_document(ctx, "reply.eml", f"reply {account} {days} {more}".encode())
    told: dict[str, Any] = {"threaded_by": "token", "is_trusted": True, "account_id": account, **more}
    at_that_time = ctx.recorded_at or NOON
    return keep_reply(ctx, NewReply(document, "email", at_that_time, world.company.id, **told))


def notice_of(world: SendingWorld, account: int) -> None:
    """A formal notice of level 5 that left, about another item."""
    item = world.invoice(account, f"M-{account}", "50.00", due=date(2026, 1, 1))
    notice = world.message(
        account, {item: "50.00"}, purpose="formal_notice", level=5, track="", as_of=TUESDAY
    )
    deliveries.add(world.ctx, notice, SENDING, attempt=1)
    deliveries.add(world.ctx, notice, SENT)


Change = Callable[[SendingWorld, int, int], Any]
CHANGES: dict[str, Change] = {
    "paid": lambda world, account, item: world.pay(account, item, "1000.00"),
    "amount_changed": lambda world, account, item: world.pay(account, item, "0.01"),
    "promised": lambda world, account, item: record_promise(
        world.ctx, account, "EUR", TUESDAY + timedelta(days=3)
    ),
    "disputed": lambda world, account, item: open_dispute(world.ctx, account, [(item, 50_000)], "price"),
    "planned": lambda world, account, item: record_plan(
        world.ctx, account, "EUR", [(TUESDAY + timedelta(days=30), 1_000_000)], [item]
    ),
    "held": lambda world, account, item: hold(
        world.ctx, account, TUESDAY + timedelta(days=5), "other", note="ferie"
    ),
    "cash_first": lambda world, account, item: record_claim(world.ctx, account, "EUR", [item]),
    "reply_waiting": lambda world, account, item: reply_of(world, account),
    "term_running": lambda world, account, item: notice_of(world, account),
    "not_live": lambda world, account, item: world.rules(cutover_date=TUESDAY + timedelta(days=1)),
    "beyond_statement": lambda world, account, item: world._statement("S9", to_date=date(2026, 3, 3)),
    "superseded": lambda world, account, item: world.message(account, {item: "1000.00"}),
    "address_stopped": lambda world, account, item: stop_address(
        world.ctx, "email", "ROSA@beta.example", "complaint"
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", CHANGES)
def test_what_changed_since_it_was_written_holds_it_back(post: Post, code: str) -> None:
    world, peer = post
    account, item = world.customer("Beta S.r.l.")
    message = world.message(account, {item: "1000.00"})
    CHANGES[code](world, account, item)
    assert send(world.ctx, message) == CANCELLED
    assert told(message) == (CANCELLED, code) and not peer.taken
    # It stays so: the next day makes another.
    assert send(later(world.ctx, days=1), message) == CANCELLED


@pytest.mark.parametrize(
    "told",
    [
        {"days": 10},
        {"is_automatic": True},
        {"is_trusted": False, "threaded_by": "address"},
        {"handled": True},
    ],
)
def test_a_reply_that_needs_nobody_holds_nothing(post: Post, told: dict[str, Any]) -> None:
    world, peer = post
    account, item = world.customer("Beta S.r.l.")
    message = world.message(account, {item: "1000.00"})
    reply = reply_of(world, account, **{name: told[name] for name in told if name != "handled"})
    if told.get("handled"):
        add_handling(world.ctx, reply, "answered")
    assert send(world.ctx, message) == SENT and len(peer.taken) == 1


def test_a_persons_answer_leaves_though_a_reply_waits(post: Post) -> None:
    world, peer = post
    account, _item = world.customer("Beta S.r.l.")
    reply_of(world, account)
    answer = world.message(account, {}, purpose="answer", track="")
    assert send(world.ctx, answer) == SENT and len(peer.taken) == 1


def test_a_credit_that_could_cover_it_holds_it_back(post: Post) -> None:
    world, peer = post
    account, item = world.customer("Beta S.r.l.")
    message = world.message(account, {item: "1000.00"})
    world.credit_note(account, "NC-1", "1000.00")
    assert send(world.ctx, message) == CANCELLED and told(message)[1] == "cash_first" and not peer.taken


def test_a_small_dispute_known_before_does_not_silence_the_rest(post: Post) -> None:
    world, peer = post
    account, item = world.customer("Beta S.r.l.", owes="100000.00")
    open_dispute(world.ctx, account, [(item, 50_000)], "price")
    assert send(world.ctx, world.message(account, {item: "99950.00"})) == SENT
    assert len(peer.taken) == 1


def test_an_old_message_and_one_without_address(post: Post) -> None:
    world, peer = post
    old = world.waiting("Gamma", as_of=TUESDAY - timedelta(days=8))
    assert send(world.ctx, old) == CANCELLED and told(old)[1] == "expired"
    for n, address in enumerate(("", "rosa", "rosa@beta")):
        bad = world.waiting(f"Delta {n}", address=address)
        assert send(world.ctx, bad) == CANCELLED and told(bad)[1] == "no_address"
    assert not peer.taken


@pytest.mark.parametrize(
    ("now", "code", "then"),
    [
        ((2026, 3, 10, 18, 30), "quiet_hours", (2026, 3, 11, 8, 30)),
        ((2026, 3, 10, 8, 29), "quiet_hours", (2026, 3, 10, 8, 30)),
        ((2026, 3, 13, 19, 0), "quiet_hours", (2026, 3, 16, 8, 30)),
        ((2026, 3, 14, 11, 0), "holiday", (2026, 3, 16, 8, 30)),
        ((2026, 4, 5, 11, 0), "holiday", (2026, 4, 7, 8, 30)),  # Easter, and the Monday after it
        ((2026, 3, 29, 12, 0), "holiday", (2026, 3, 30, 8, 30)),  # the clocks change
    ],
)
def test_it_waits_for_the_hours(post: Post, now: tuple[int, ...], code: str, then: tuple[int, ...]) -> None:
    world, peer = post
    ctx = at(datetime(*now, tzinfo=ROME)).within(world.company.id)  # type: ignore[arg-type]
    message = world.waiting(as_of=ctx.as_of)
    assert send(ctx, message) == POSTPONED and told(message)[1] == code and not peer.taken
    opening = datetime(*then, tzinfo=ROME)  # type: ignore[arg-type]
    assert job_times(message) == [opening] and deliveries.last(message).not_before == opening  # type: ignore[union-attr]
    # Asked too early it goes on waiting; at the hour it leaves.
    assert send(ctx, message) == POSTPONED and len(deliveries.deliveries_of(message)) == 2
    assert send(at(opening).within(world.company.id), message) == SENT


def test_saturday_where_wanted_and_a_persons_own_answer_at_any_hour(post: Post) -> None:
    world, peer = post
    ctx = at(datetime(2026, 3, 14, 11, 0, tzinfo=ROME)).within(world.company.id)
    world.rules(on_saturday=True)
    assert send(ctx, world.waiting()) == SENT
    night = at(datetime(2026, 3, 15, 23, 0, tzinfo=ROME)).within(world.company.id)
    account, _item = world.customer("Gamma")
    answer = world.message(account, {}, purpose="answer", track="", address="gino@gamma.example")
    assert send(night, answer) == SENT
    assert peer.taken[1]["Auto-Submitted"] is None and peer.taken[0]["Auto-Submitted"] == "auto-generated"
    # But not where the address is stopped, or all sending is.
    stop_address(world.ctx, "email", "gino@gamma.example", "opt_out")
    again = world.message(account, {}, purpose="answer", track="", address="gino@gamma.example")
    assert send(night, again) == CANCELLED


def test_while_sending_is_stopped_nothing_leaves_and_then_it_does(post: Post) -> None:
    world, peer = post
    message = world.waiting()
    stop(world.ctx, None, "prova")
    assert send(world.ctx, message) == POSTPONED and told(message)[1] == "stopped"
    assert send(later(world.ctx, hours=1), message) == POSTPONED
    assert len(deliveries.deliveries_of(message)) == 2  # told once
    resume(world.ctx, None, "via")
    assert send(later(world.ctx, hours=2), message) == SENT and len(peer.taken) == 1


def test_the_days_cap_counts_what_may_have_left(post: Post) -> None:
    world, peer = post
    world.rules(daily_cap=2)
    messages = [world.waiting(f"C{n}", address=f"c{n}@beta.example") for n in range(4)]
    peer.at = {"to": "550 5.7.1 no"}
    assert send(world.ctx, messages[0]) == FAILED  # did not leave: not counted
    peer.at = {"content": DROP_AND_KEEP}
    assert send(world.ctx, messages[1]) == UNKNOWN  # may have left: counted
    peer.at = {}
    assert [send(world.ctx, each) for each in messages[2:]] == [SENT, POSTPONED]
    assert told(messages[3])[1] == "daily_cap"
    morning = datetime(2026, 3, 11, 8, 30, tzinfo=ROME)
    assert job_times(messages[3]) == [morning]
    assert send(at(morning).within(world.company.id), messages[3]) == SENT


def test_a_contact_gets_no_more_than_it_may_whoevers_it_is(post: Post) -> None:
    world, _peer = post
    studio = "studio@consulente.example"
    states = []
    for n, (track, days) in enumerate(
        [("overdue", 0), ("overdue", 0), ("soon", 0), ("soon", 1), ("overdue", 2)]
    ):
        account, item = world.customer(f"C{n}")
        message = world.message(account, {item: "1000.00"}, track=track, address=studio)
        states.append((send(later(world.ctx, days=days), message), told(message)[1]))
    # One of each track a day; the fourth of a week is one too many.
    assert states == [
        (SENT, ""),
        (CANCELLED, "contact_cap"),
        (SENT, ""),
        (SENT, ""),
        (CANCELLED, "contact_cap"),
    ]
    account, item = world.customer("Dieci")
    world.rules(account_month_cap=1)
    first = world.message(account, {item: "1000.00"}, address="uno@x.example", contact_id=None)
    assert send(world.ctx, first) == SENT
    second = world.message(
        account, {item: "1000.00"}, address="due@x.example", contact_id=None, as_of=date(2026, 4, 8)
    )
    assert send(later(world.ctx, days=29), second) == CANCELLED
    third = world.message(
        account, {item: "1000.00"}, address="tre@x.example", contact_id=None, as_of=date(2026, 4, 9)
    )
    assert send(later(world.ctx, days=30), third) == SENT


def test_found_sending_with_nobody_at_it_the_outcome_is_unknown(post: Post) -> None:
    world, peer = post
    message = world.waiting()
    deliveries.add(world.ctx, message, SENDING, attempt=1)
    assert send(later(world.ctx, minutes=1), message) == UNKNOWN
    assert told(message) == (UNKNOWN, "worker_gone")
    assert send(later(world.ctx, minutes=2), message) == UNKNOWN and not peer.taken


def test_a_person_says_what_became_of_it_and_only_one_who_may(post: Post) -> None:
    world, peer = post
    add_user(world.ctx, "carla", "una-password-lunga", "collector", world.company.id)
    add_user(world.ctx, "sergio", "una-password-lunga", "sales", world.company.id)
    peer.at = {"content": DROP_AND_KEEP}
    left, lost = (world.waiting(f"C{n}", address=f"c{n}@beta.example") for n in range(2))
    assert send(world.ctx, left) == send(world.ctx, lost) == UNKNOWN
    carla, sergio = at(NOON, "carla"), at(NOON, "sergio")
    for who, work in ((sergio, lambda ctx: resolve(ctx, left, True)), (carla, lambda ctx: retry(ctx, left))):
        with pytest.raises(SaldoError):
            work(who)
    resolve(carla, left, True, "il cliente ha risposto")
    resolve(carla, lost, False, "non risulta nei log")
    assert (told(left), told(lost)) == ((SENT, "told_by_person"), (FAILED, "told_by_person"))
    with pytest.raises(SaldoError, match="not unknown"):
        resolve(carla, left, False)
    peer.at = {}
    retry(carla, lost, "di nuovo")
    assert job_times(lost) == [None] and send(world.ctx, lost) == SENT
    assert [row.attempt for row in deliveries.deliveries_of(lost) if row.state == SENDING] == [1, 2]


def test_what_did_not_leave_is_tried_again_and_given_up_in_the_end(post: Post) -> None:
    world, peer = post
    peer.at = {"to": "450 4.7.1 greylisted"}
    message = world.waiting()
    ctx, waits = world.ctx, []
    while (state := send(ctx, message)) == POSTPONED:
        not_before = deliveries.last(message).not_before  # type: ignore[union-attr]
        assert not_before is not None and told(message)[1] == "smtp_to"
        waits.append((not_before - ctx.clock()).total_seconds() / 60)
        ctx = at(not_before).within(world.company.id)
    assert waits == [1, 5, 15, 60, 240] and state == FAILED and not peer.taken
    peer.at = {}
    retry(at(ctx.clock(), "system:test"), message)
    assert send(later(ctx, minutes=1), message) == SENT


def test_an_address_that_does_not_exist_is_not_written_to_again(post: Post) -> None:
    world, peer = post
    peer.at = {"to": "550 5.1.1 no such user"}
    message = world.waiting()
    assert send(world.ctx, message) == FAILED and told(message)[1] == "recipient_refused"
    (stopped,) = stops_in_force(world.ctx)
    assert (stopped.address, stopped.reason) == ("rosa@beta.example", "invalid")
    peer.at = {}
    other = world.waiting("Gamma")
    assert send(world.ctx, other) == CANCELLED and told(other)[1] == "address_stopped"
    release_address(world.ctx, stopped.id, "ora esiste")
    retry(world.ctx, message)
    assert send(world.ctx, message) == SENT


def test_when_the_outcome_cannot_be_written_it_ends_unknown_and_is_not_sent_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, peer = post
    message = world.waiting()

    def gone(*told: Any) -> str:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(send_messages, "_recorded", gone)
        with pytest.raises(OperationalError):
            send(world.ctx, message)
    assert deliveries.state_of(message) == SENDING and len(peer.taken) == 1
    assert sweep(later(world.ctx, minutes=5)).unknown == 0  # it may still be at it
    assert sweep(later(world.ctx, minutes=20)).unknown == 1
    assert told(message) == (UNKNOWN, "worker_gone") and len(peer.taken) == 1


def test_a_late_answer_is_heard_unless_a_person_was_quicker(post: Post) -> None:
    world, _ = post
    for said, state in ((None, SENT), (False, FAILED)):
        message = world.waiting(f"C{said}", address=f"{said}@beta.example")
        begun = send_messages._begin(world.ctx, message)
        assert isinstance(begun, send_messages.Begun)
        handed = send_messages.hand_over(world.ctx, begun.message, begun.rules, 1)
        send(later(world.ctx, minutes=30), message)
        assert deliveries.state_of(message) == UNKNOWN
        if said is not None:
            resolve(world.ctx, message, said)
        assert send_messages._record(world.ctx, begun, handed) == state


def test_a_message_that_lost_its_job_gets_another(post: Post) -> None:
    world, _ = post
    lost, kept = (world.waiting(f"C{n}", address=f"c{n}@x.example") for n in range(2))
    defer_send(kept)
    assert sweep(later(world.ctx, minutes=1)).deferred == 0
    assert sweep(later(world.ctx, minutes=20)).deferred == 1
    assert job_times(lost) == job_times(kept) == [None]
    assert sweep(later(world.ctx, minutes=40)).deferred == 0


def test_no_channel_and_a_broken_file_are_not_the_messages_end(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _peer = post
    pec = world.waiting(channel="pec")
    assert send(world.ctx, pec) == POSTPONED and told(pec)[1] == "channel_not_set_up"
    broken = world.waiting("Gamma", address="g@x.example")
    (tmp_path / "channels.toml").chmod(0o644)
    assert send(world.ctx, broken) == POSTPONED and told(broken)[1] == "channels_readable"
    channels_at(tmp_path, free_port(), monkeypatch)
    silent = world.waiting("Delta", address="d@x.example")
    assert send(world.ctx, silent) == POSTPONED and told(silent)[1] == "smtp_connect"


def test_letters_portal_and_sms(post: Post, tmp_path: Path) -> None:
    world, _peer = post
    folder = tmp_path / "stampa"
    folder.mkdir()
    sunday = at(datetime(2026, 3, 15, 11, 0, tzinfo=ROME)).within(world.company.id)
    street = "Via Roma 1, 20100 Milano MI"
    kept = world.waiting("Posta 1", channel="letter", address=street)
    assert send(sunday, kept) == SENT and told(kept)[1] == "to_print"  # letters keep no hours
    pdf = document_bytes(deliveries.last(kept).document_id or 0)  # type: ignore[union-attr]
    assert pdf.startswith(b"%PDF") and post_letters(world.ctx, [kept], "spedita") == 1
    assert deliveries.state_of(kept) == "printed"
    world.rules(letter_folder=str(folder))
    put = world.waiting("Posta 2", channel="letter", address=street + " bis")
    assert send(sunday, put) == SENT and len(list(folder.glob("*.pdf"))) == 1
    nowhere = world.waiting("Posta 3", channel="letter", address=" ")
    assert send(sunday, nowhere) == CANCELLED
    notice = world.waiting("Portale", channel="portal", address="C1")
    assert send(sunday, notice) == PUBLISHED
    account = deliveries.Message.objects.get(id=notice).account_id
    assert [each.subject for each in portal_notices(account)] == ["Sollecito"]
    account, item = world.customer("Cellulare")
    text = world.message(account, {item: "1000.00"}, "+39 333 1234567", channel="sms")
    assert send(world.ctx, text) == CANCELLED and told(text)[1] == "no_consent"
    give_consent(world.ctx, deliveries.Message.objects.get(id=text).contact_id or 0, "sms")
    again = world.message(account, {item: "1000.00"}, "+39 333 1234567", channel="sms")
    assert send(world.ctx, again) == POSTPONED and told(again)[1] == "channel_not_set_up"


def test_what_cannot_be_judged_fails_and_does_not_vanish(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    world, peer = post
    message = world.waiting()

    def broken(*told: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(send_messages, "verdict", broken)
    assert send(world.ctx, message) == FAILED and told(message)[1] == "not_checked" and not peer.taken


def test_receipts_come_in_any_order_and_prove_that_it_left(post: Post) -> None:
    world, _ = post
    message = world.waiting()
    send(world.ctx, message)
    for state in ("delivered", "accepted", "opened"):
        deliveries.add(world.ctx, message, state)
    assert deliveries.state_of(message) == "opened"
    deliveries.add(world.ctx, message, "complaint")
    deliveries.add(world.ctx, message, "clicked")
    assert deliveries.states([message]) == {message: "complaint"}
    lost = world.waiting("Gamma", address="g@x.example")
    deliveries.add(world.ctx, lost, SENDING, attempt=1)
    deliveries.add(world.ctx, lost, UNKNOWN)
    deliveries.add(world.ctx, lost, "delivered")
    assert deliveries.state_of(lost) == "delivered"
    for wrong in ("queued", SENDING, CANCELLED, POSTPONED):
        with pytest.raises(SaldoError, match="cannot follow"):
            deliveries.add(world.ctx, lost, wrong)


def test_links_tell_of_a_click_only_where_it_is_wanted_and_agreed_to(post: Post, tmp_path: Path) -> None:
    world, peer = post
    path = tmp_path / "channels.toml"
    path.write_text('public_url = "https://saldo.uno.example"\n' + path.read_text())
    body = "Paghi qui: https://pay.uno.example/f?a=1&b=2\nBasta: https://saldo.uno.example/l/x/abc\n"
    account, item = world.customer("Beta")
    contact = deliveries.Message.objects.get(id=world.message(account, {})).contact_id or 0
    seen = []
    for n, wanted in enumerate((False, True, True)):
        world.rules(tracking=wanted, contact_day_cap=2, contact_week_cap=14)
        if n == 2:
            give_consent(world.ctx, contact, "tracking")
        message = world.message(
            account, {item: "1000.00"}, f"a{n}@x.example", body=body, track="", purpose="person"
        )
        assert send(world.ctx, message) == SENT
        html = peer.taken[-1].get_body(("html",))
        assert html is not None
        seen.append(html.get_content())
    assert seen[0] == seen[1] and 'pay.uno.example/f?a=1&amp;b=2"' in seen[0]
    assert "/l/c/" in seen[2] and ".gif" in seen[2] and 'href="https://pay' not in seen[2]
    assert 'href="https://saldo.uno.example/l/x/abc"' in seen[2]
    text = peer.taken[-1].get_body(("plain",))
    assert text is not None and "https://pay.uno.example/f?a=1&b=2" in text.get_content()
    assert "unsubscribe" not in str(peer.taken[0].keys()).lower()  # a person's own words


def test_deliveries_cannot_be_changed(post: Post) -> None:
    world, _ = post
    message = world.waiting()
    with pytest.raises(Exception, match="append"), connection.cursor() as cursor:
        cursor.execute("UPDATE outreach_delivery SET state = 'sent' WHERE message_id = %s", [message])
    assert NOON.tzinfo is not UTC
