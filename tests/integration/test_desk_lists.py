"""Lists of several collectors: given accounts, minutes, shared work; what people did feeds the next day."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from saldo.collection.assignments import (
    assign,
    assigned,
    collector_of,
    collectors_of,
    hand_over,
    set_capacity,
)
from saldo.collection.models import Action
from saldo.collection.operations import record_outcome
from saldo.collection.queries import NOBODY, WorklistFilter, worklist, worklist_summary
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.day import run_day
from saldo.identity.models import DayRun
from saldo.identity.queries import latest_day_run
from tests.web_world import AS_OF, World, build, user


@pytest.fixture
def world(db: None) -> World:
    made = build()
    for name in ("anna", "bruno"):
        user(name, "collector", made.companies["AURO"])
    user("sandra", "sales", made.companies["AURO"])
    return made


class Hours:
    """A clock that goes on by a minute each time it is looked at."""

    def __init__(self, days: int = 0) -> None:
        self.now = datetime(2025, 3, 20, 7, tzinfo=UTC) + timedelta(days=days)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


def at(world: World, days: int = 0, actor: str = "system:test") -> Context:
    day = AS_OF + timedelta(days=days)
    return Context(actor, day, Hours(days), company_id=world.companies["AURO"])


def run(ctx: Context) -> DayRun:
    assert ctx.company_id is not None
    run_day(ctx, ctx.company_id, refresh=True)
    found = latest_day_run(ctx.company_id, ctx.as_of)
    assert found is not None
    return found


def lists(day_run: DayRun) -> dict[int, str]:
    return dict(Action.objects.filter(day_run=day_run).values_list("account_id", "collector"))


def test_until_somebody_has_minutes_the_list_is_everybodys(world: World) -> None:
    found = run(at(world))
    assert set(lists(found).values()) == {""}
    assert all(Action.objects.filter(day_run=found).values_list("is_planned", flat=True))


def test_given_accounts_stay_and_the_rest_is_shared_out(world: World) -> None:
    ctx = at(world)
    first, second, third = (world.account("AURO", place)[0] for place in range(3))
    set_capacity(ctx, "anna", 300)
    set_capacity(ctx, "bruno", 300)
    assert assign(ctx, [second], "anna") == 1
    shares = lists(run(at(world)))
    # The worthiest goes to whoever has least: anna holds the second already.
    assert shares == {first: "bruno", second: "anna", third: "anna"}


def test_who_is_away_has_no_list_and_gets_the_accounts_back(world: World) -> None:
    own = world.account("AURO", 0)[0]
    for name in ("anna", "bruno"):
        set_capacity(at(world), name, 300)
    assign(at(world), [own], "anna")
    set_capacity(at(world), "anna", 0, until_date=AS_OF + timedelta(days=2), note="ferie")
    assert lists(run(at(world)))[own] == "bruno"
    assert lists(run(at(world, 3)))[own] == "anna"
    assert [one.username for one in collectors_of(at(world)) if one.is_away] == ["anna"]


def test_a_stand_in_ends_with_its_last_day(world: World) -> None:
    own = world.account("AURO", 0)[0]
    assign(at(world), [own], "anna")
    assert hand_over(at(world), "anna", "bruno", until_date=AS_OF + timedelta(days=4)) == 1
    assert [collector_of(at(world, days), own) for days in (0, 4, 5)] == ["bruno", "bruno", "anna"]
    before = replace(at(world), known_at=datetime(2025, 3, 20, 6, 30, tzinfo=UTC))
    assert assigned(before).is_empty()


def test_minutes_that_do_not_reach_leave_the_rest_for_another_day(world: World) -> None:
    set_capacity(at(world), "anna", 2)
    found = run(at(world))
    rows = list(Action.objects.filter(day_run=found).order_by("rank"))
    planned = sum(row.minutes for row in rows if row.is_planned)
    assert any(not row.is_planned for row in rows) and planned <= 2
    # A minute is dear: the action that fits is taken, and what a call would bring is told.
    top = rows[0]
    codes = {told["action"]: told["code"] for told in top.alternatives}
    assert top.kind == "email" and codes["call"] == "minutes_elsewhere"


def test_lists_follow_an_account_that_changes_hands_during_the_day(world: World) -> None:
    ctx = at(world)
    own = world.account("AURO", 0)[0]
    set_capacity(ctx, "anna", 300)
    found = run(at(world))

    def on(name: str) -> set[int]:
        rows = worklist(at(world), found, WorklistFilter(collector=name))
        told = worklist_summary(at(world), found, WorklistFilter(collector=name), whole_company=True)
        assert told.actions == len(rows)
        return {row.account_id for row in rows}

    assert own in on("anna") and own not in on("bruno") and on(NOBODY) == set()
    later = replace(at(world), clock=Hours(1))
    assign(later, [own], "bruno")
    assert own not in on("anna") and on("bruno") == {own}
    assign(later, [own], "")
    assert on(NOBODY) == {own} and own in on("anna")


def test_who_dealt_with_an_account_keeps_it(world: World) -> None:
    own = world.account("AURO", 0)[0]
    for name in ("anna", "bruno"):
        set_capacity(at(world), name, 300)
    was = lists(run(at(world)))[own]
    other = "anna" if was == "bruno" else "bruno"
    record_outcome(at(world, actor=other), own, "done", "parlato")
    assert lists(run(at(world, 9)))[own] == other


def skipped(world: World, reason: str, days: int) -> Action:
    own = world.account("AURO", 0)[0]
    run(at(world))
    record_outcome(replace(at(world), clock=Hours(0)), own, "skipped", skip_reason=reason)
    found = run(at(world, days))
    return Action.objects.get(day_run=found, account_id=own)


def codes(action: Action) -> set[str]:
    return {reason["code"] for reason in action.reasons}


def test_a_skip_for_the_wrong_moment_waits_two_days(world: World) -> None:
    row = skipped(world, "wrong_moment", 1)
    assert row.block == "wait" and "skipped" in codes(row)
    assert Action.objects.get(day_run=run(at(world, 2)), account_id=row.account_id).block == "value"


def test_a_skip_for_the_wrong_action_suggests_the_next_best(world: World) -> None:
    own = world.account("AURO", 0)[0]
    before = Action.objects.get(day_run=run(at(world)), account_id=own).kind
    row = skipped(world, "wrong_action", 1)
    assert row.kind != before and row.block == "value"
    assert {told["action"]: told["code"] for told in row.alternatives}[before] == "wrong_action"


def test_a_skip_for_want_of_a_contact_asks_to_find_one(world: World) -> None:
    row = skipped(world, "no_contact", 1)
    assert row.kind == "find_contact" and "nobody_reached" in codes(row)


def test_a_skip_ends_with_the_next_conversation(world: World) -> None:
    row = skipped(world, "sales_asks", 1)
    assert row.block == "wait"
    record_outcome(at(world, 1), row.account_id, "done", channel="phone", result="reached")
    # Contacted on the day before: it rests, for another reason.
    found = Action.objects.get(day_run=run(at(world, 2)), account_id=row.account_id)
    assert found.block == "wait" and "contacted_lately" in codes(found)
    assert Action.objects.get(day_run=run(at(world, 9)), account_id=row.account_id).block != "wait"


def test_a_skip_that_is_taken_back_was_none(world: World) -> None:
    own = world.account("AURO", 0)[0]
    run(at(world))
    record_outcome(at(world), own, "skipped", skip_reason="sales_asks")
    record_outcome(replace(at(world), clock=Hours(0)), own, "undone")
    assert Action.objects.get(day_run=run(at(world, 1)), account_id=own).block == "value"


def test_a_rerun_gives_the_same_lists(world: World) -> None:
    set_capacity(at(world), "anna", 300)
    set_capacity(at(world), "bruno", 120)
    run(at(world))
    ctx = at(world)
    assert ctx.company_id is not None
    set_capacity(replace(ctx, clock=Hours(1)), "bruno", 300)
    assert not run_day(at(world), ctx.company_id).is_new


def test_bad_input_is_refused(world: World) -> None:
    ctx = at(world)
    own, foreign = world.account("AURO", 0)[0], world.account("BORE", 0)[0]
    cases = [
        ("collector_unknown", lambda: assign(ctx, [own], "nessuno")),
        ("collector_unknown", lambda: assign(ctx, [own], "sandra")),
        ("account_unknown", lambda: assign(ctx, [own, foreign], "anna")),
        ("account_unknown", lambda: assign(replace(ctx, actor="sandra"), [own], "anna")),
        ("desk_days_wrong", lambda: assign(ctx, [own], "anna", AS_OF - timedelta(days=1))),
        ("desk_days_wrong", lambda: set_capacity(ctx, "anna", 60, AS_OF, AS_OF - timedelta(days=1))),
        ("capacity_wrong", lambda: set_capacity(ctx, "anna", -5)),
        ("capacity_wrong", lambda: set_capacity(ctx, "anna", 2000)),
    ]
    for code, attempt in cases:
        with pytest.raises(SaldoError) as error:
            attempt()
        assert error.value.code == code
