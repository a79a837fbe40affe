"""Two runs over the same lines and flows, in sessions of their own: one credit, one return, one payment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from tests.integration.test_collections import SLIP, World, make_world, presented

pytestmark = pytest.mark.usefixtures("committed_db")


def at_once(*works: Callable[[], Any]) -> list[Any]:
    from django.db import connections

    barrier = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]


def test_lines_and_flows_at_once(make_ctx: Any) -> None:
    from saldo.cash.models import CollectionResult, Posting

    world: World = make_world(make_ctx)
    presented(world)
    world.line("2026-03-31", "1000.00", "RIBA DISTINTA 000042 N. 1", "30")
    told = at_once(*[lambda: world.apply("2026-04-01")] * 3)
    assert sum(one.slips for one in told) == 1 and Posting.objects.count() == 1
    assert world.against("7/26") == [("provisional_payment", Decimal("1000.000"))]
    world.line("2026-04-07", "-1000.00", "INSOLUTO RIBA FATT. 7/26", "37")
    outcome = (*SLIP[:3], "unpaid", SLIP[4])
    at_once(
        lambda: world.apply("2026-04-30"),
        lambda: world.flow("2026-04-30", "riba-outcomes", outcome),
        lambda: world.settle("2026-04-30"),
    )
    world.apply("2026-04-30")
    assert Posting.objects.filter(kind="return").count() == 1
    assert CollectionResult.objects.filter(outcome__in=["unpaid", "refunded"]).count() == 1
    assert world.balance("7/26", "2026-04-30") == 1000
    assert world.totals("2026-04-30")["open_mills"] == 1_000_000
    assert world.totals("2026-04-30")["credits_mills"] == 0
