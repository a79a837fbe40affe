"""Workers that share the queue are killed at random moments: every message arrives at most once, and none
vanishes."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zlib import crc32

import pytest

from tests.mail_server import DROP, DROP_AND_KEEP, Peer, mail_server

ROOT = Path(__file__).resolve().parents[2]
WORKERS, CONCURRENCY = 2, 2
pytestmark = pytest.mark.usefixtures("committed_db")


class Moody(Peer):
    """A server that treats a few messages badly, always the same ones: of a hundred it first puts off four,
    refuses two, and hangs up on two after their data, having kept one of them."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)
        self.put_off: set[str] = set()
        self.refused: set[str] = set()
        self.hung_up: set[str] = set()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        mood = crc32(address.encode()) % 100
        if mood < 4 and address not in self.put_off:
            self.put_off.add(address)
            return "450 4.7.1 later"
        if 4 <= mood < 6:
            self.refused.add(address)
            return "550 5.7.1 not from you"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mood = crc32(envelope.rcpt_tos[0].encode()) % 100
        await asyncio.sleep(self.chance.random() * 0.1)
        self.at = {"content": DROP_AND_KEEP if mood == 6 else DROP if mood == 7 else ""}
        if mood in (6, 7):
            self.hung_up.add(envelope.rcpt_tos[0])
        return await super().handle_DATA(server, session, envelope)


class Workers:
    """Two processes that work off the queue; one that was killed is followed by another."""

    def __init__(self, shift_seconds: float, environment: dict[str, str]) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "tests.sending_worker", str(shift_seconds)]
        self.source = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.running = [self._start() for _ in range(WORKERS)]
        self.kills = 0

    def _start(self) -> int:
        assert self.source.stdin is not None and self.source.stdout is not None
        self.source.stdin.write("start\n")
        self.source.stdin.flush()
        return int(self.source.stdout.readline())

    def kill(self, which: int) -> None:
        os.kill(self.running[which], signal.SIGKILL)
        self.running[which] = self._start()
        self.kills += 1

    def stop(self) -> None:
        for pid in self.running:
            os.kill(pid, signal.SIGKILL)
        assert self.source.stdin is not None and self.source.stdout is not None
        self.source.stdin.close()
        self.source.stdout.close()
        self.source.wait()


def environment_of(folder: Path) -> dict[str, str]:
    """The test's own database and channels, told to a process of its own."""
    from django.db import connection

    told = connection.get_connection_params()
    login = f"{told['user']}:{quote(str(told.get('password', '')))}"
    host, port = str(told["host"]), told.get("port") or 5432
    place = f"{login}@{host}:{port}/{told['dbname']}"
    if host.startswith("/"):
        place = f"{login}@/{told['dbname']}?host={host}&port={port}"
    return {
        **os.environ, "DATABASE_URL": f"postgresql://{place}",
        "SALDO_CHANNELS": str(folder / "channels.toml"),
        "DJANGO_SETTINGS_MODULE": "saldo.config.settings",
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }  # fmt: skip


def give_back() -> None:
    """What a worker does every minute with the jobs of those that are gone, at once."""
    from procrastinate.contrib.django import app

    from saldo.interfaces.tasks.tasks import give_back_stalled

    with app.replace_connector(app.connector.get_worker_connector()) as other:

        async def inside() -> None:
            async with other.open_async():
                await give_back_stalled(other.job_manager, seconds_since_heartbeat=2.5)

        # In a thread of its own: browser tests in the same process leave a loop running in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, inside()).result()


def queued(count: int) -> list[int]:
    """Messages of as many customers, each asking for an invoice of its own, with their jobs."""
    from django.db import transaction

    from saldo.flows.jobs import defer_sends
    from tests.sending_world import SendingWorld

    world = SendingWorld()
    world.rules(daily_cap=100_000)
    with transaction.atomic():
        made = []
        for n in range(count):
            account, item = world.customer(f"Cliente {n}")
            made.append(world.message(account, {item: "1000.00"}, address=f"ufficio{n}@c{n}.example"))
        defer_sends(made)
    return made


def run_killed(count: int, kills: int, seed: int, folder: Path, limit_seconds: float) -> dict[str, Any]:
    """Send ``count`` messages while ``kills`` workers are killed; returns what happened."""
    from saldo.core.sending import SENDING, WAITING
    from saldo.flows.send_messages import sweep
    from saldo.outreach import deliveries
    from saldo.outreach.models import Message
    from tests.sending_world import NOON, at, channels_at

    chance, peer, messages = random.Random(seed), Moody(seed), queued(count)
    began = time.monotonic()
    shift = (NOON - datetime.now(UTC)).total_seconds()
    with mail_server(peer) as port:
        channels_at(folder, port)
        workers = Workers(shift, environment_of(folder))
        try:
            while True:
                assert time.monotonic() - began < limit_seconds, Counter(deliveries.states(messages).values())
                # A kill for every so many that arrived, and then at any moment of a message's way.
                due = (workers.kills + 1) * count * 0.9 / (kills + 1)
                if workers.kills < kills and sum(peer.arrived.values()) >= due:
                    time.sleep(chance.random() * 0.2)
                    workers.kill(chance.randrange(WORKERS))
                    continue
                states = deliveries.states(messages)
                if workers.kills >= kills:
                    if not set(states.values()) & (WAITING | {SENDING}):
                        break
                    give_back()
                    sweep(at(datetime.now(UTC) + timedelta(seconds=shift)), older_than_seconds=5)
                time.sleep(0.05 if workers.kills < kills else 0.5)
        finally:
            workers.stop()
    tokens = dict(Message.objects.values_list("id", "rfc_id"))
    return {
        "states": states, "arrived": {each: peer.arrived[tokens[each]] for each in messages},
        "peer": peer, "kills": workers.kills, "seconds": time.monotonic() - began,
    }  # fmt: skip


def check(told: dict[str, Any], count: int) -> None:
    from saldo.core.sending import FAILED, SENT, UNKNOWN
    from saldo.outreach import deliveries
    from saldo.outreach.models import Message

    states, arrived, peer = told["states"], told["arrived"], told["peer"]
    counts = Counter(states.values())
    assert len(states) == count and set(counts) <= {SENT, FAILED, UNKNOWN}, "none vanished"
    assert max(arrived.values()) <= 1 and sum(arrived.values()) == sum(peer.arrived.values()), "none twice"
    for message, state in states.items():
        if state == SENT:
            assert arrived[message] == 1
        elif state == FAILED:
            assert arrived[message] == 0
    codes = {each: deliveries.last(each).code for each in states}  # type: ignore[union-attr]
    gone = {each for each, code in codes.items() if code == "worker_gone"}
    no_answer = {each for each, code in codes.items() if code == "smtp_no_answer"}
    of_address = dict(Message.objects.values_list("to_address", "id"))
    refused = {of_address[address] for address in peer.refused}
    hung_up = {of_address[address] for address in peer.hung_up}
    unknown = {each for each, state in states.items() if state == UNKNOWN}
    # On a machine that is very busy the server may also answer after the worker's two seconds.
    others = {each: codes[each] for each in unknown ^ (no_answer | gone)}
    assert not others and hung_up <= unknown, others
    # A worker may be killed between the server's answer and its record: that one is a worker gone.
    assert {each for each, state in states.items() if state == FAILED} == refused - gone
    assert peer.put_off and len(gone) <= told["kills"] * CONCURRENCY
    print(
        f"\n{count} messages, {told['kills']} kills, {told['seconds']:.0f} s: {dict(counts)},"
        f" worker gone {len(gone)} (of these arrived {sum(arrived[each] for each in gone)})"
    )


def test_killed_at_random_none_is_doubled_and_none_vanishes(tmp_path: Path) -> None:
    told = run_killed(200, kills=15, seed=20, folder=tmp_path, limit_seconds=400)
    check(told, 200)


@pytest.mark.slow
def test_a_thousand_messages(tmp_path: Path) -> None:
    told = run_killed(1000, kills=80, seed=1, folder=tmp_path, limit_seconds=1800)
    check(told, 1000)
