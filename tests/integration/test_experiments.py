"""An experiment from the refusal of too few customers to what it shows: who is in which arm, what goes out,
what is read when, and how an arm that does harm ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from saldo.analytics.playbook_arms import ENTRANTS
from saldo.collection.experiment_changes import GUARD, enter, stop
from saldo.collection.experiment_changes import start as begin
from saldo.collection.experiments import (
    ENROLLING,
    OVER,
    STOPPED,
    WATCHING,
    experiment_row,
    experiments,
    trials,
)
from saldo.collection.models import ExperimentEntry
from saldo.collection.playbooks import in_force
from saldo.core.errors import SaldoError
from saldo.core.experiments import BETTER, LEAST_FINISHED, OPEN, TOO_EARLY, Design
from saldo.core.money import Money
from saldo.core.playbook import CONTROL
from saldo.core.reasons import render
from saldo.disputes.operations import open_dispute
from saldo.flows.experiments import size, start
from saldo.identity.models import Event
from saldo.identity.queries import company_row
from saldo.ledger import entries
from saldo.outreach.models import Message
from saldo.parties.models import CustomerAccount
from tests.experiment_world import DAY, LATER, PLAYBOOK, SALT, WIDE, World, ctx

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def same_lot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saldo.collection.experiment_changes.secrets.token_hex", lambda size: SALT)


def test_too_few_customers_are_refused_with_the_number_needed(db: None) -> None:
    world = World(20)
    with pytest.raises(SaldoError) as refused:
        world.start(Design(effect=0.1))
    assert refused.value.code == "experiment_too_few"
    # Nothing is known of who pays: the widest variance.
    assert refused.value.params["per_arm"] == 752
    assert refused.value.params["needed"] == 1504 and refused.value.params["found"] == 20
    assert "1504" in refused.value.why("it") and "20" in refused.value.why("it")
    assert not experiments(world.company.id)
    told = size(ctx(DAY), company_row(world.company), "prova", "promemoria", WIDE)
    assert (told.per_arm, told.found, told.is_enough) == (LEAST_FINISHED, 20, False)
    # What twenty customers would show is no use to anybody.
    assert told.effect > 0.5


def test_what_cannot_be_an_experiment_is_refused(db: None) -> None:
    world = World(1)
    for actor, playbook, step, design, code in (
        ("carla", "prova", "promemoria", WIDE, "experiment_not_allowed"),
        ("anna", "altro", "promemoria", WIDE, "playbook_not_in_force"),
        ("anna", "prova", "mora", WIDE, "experiment_step_unknown"),
        ("anna", "prova", "promemoria", replace(WIDE, power=1.5), "experiment_numbers"),
        ("anna", "prova", "promemoria", replace(WIDE, effect=float("nan")), "experiment_numbers"),
    ):
        with pytest.raises(SaldoError) as refused:
            start(ctx(actor=actor), company_row(world.company), playbook, step, design)
        assert refused.value.code == code
    world.playbook(LATER, DAY)
    with pytest.raises(SaldoError) as refused:
        world.start(replace(WIDE, horizon_days=7), DAY + timedelta(days=1))
    assert refused.value.code == "experiment_short"
    with pytest.raises(SaldoError) as refused:
        stop(ctx(), 4711)
    assert refused.value.code == "experiment_unknown"


def test_from_the_lot_to_the_difference(db: None) -> None:
    world = World(110)
    experiment = world.start()
    with pytest.raises(SaldoError) as twice:
        world.start()
    assert twice.value.code == "experiment_running"

    actions = world.run(DAY)
    arms = world.arms()
    assert len(arms) == 110 and set(arms.values()) == {CONTROL, "oggetto"}
    assert {account: (row.experiment_id, row.arm) for account, row in actions.items()} == {
        account: (experiment, arm) for account, arm in arms.items()
    }
    told = [render(each["code"], each["params"], "it") for each in next(iter(actions.values())).reasons]
    assert any("esperimento" in text for text in told)
    for message in Message.objects.all():
        is_tried = arms[message.account_id] == "oggetto"
        assert (message.subject == "Due righe su un documento") == is_tried
    # The same lot on another day, and nobody comes in twice.
    world.run(DAY + timedelta(days=1))
    assert world.arms() == arms

    paid = [account for account, arm in arms.items() if arm == "oggetto"]
    for account in paid:
        world.pay(account, DAY + timedelta(days=3))
    slow = next(account for account, arm in arms.items() if arm == CONTROL)
    world.pay(slow, DAY + timedelta(days=15))
    early = world.read(experiment, DAY + timedelta(days=13))
    assert early.state == ENROLLING and early.reading.arms[1].finished == 0
    assert early.reading.arms[1].verdict == TOO_EARLY

    seen = world.read(experiment, DAY + timedelta(days=14)).reading
    control, tried = seen.arms
    assert (control.mean, tried.mean) == (0.0, 1.0) and tried.finished == len(paid)
    assert tried.verdict == BETTER and tried.p is not None and tried.p < 0.001
    assert tried.difference is not None and tried.difference.low > 0.5
    # Known only later: what was paid in time counts, what came after does not.
    assert world.read(experiment, DAY + timedelta(days=20)).reading.arms[0].mean == 0.0
    assert world.read(experiment, DAY + timedelta(days=35)).state == WATCHING
    assert world.read(experiment, DAY + timedelta(days=50)).state == OVER

    stop(ctx(DAY + timedelta(days=20)), experiment, "decided", note="oggetto nuovo")
    assert experiment_row(world.company.id, experiment).state(DAY + timedelta(days=21)) == STOPPED
    with pytest.raises(SaldoError) as ended:
        stop(ctx(DAY + timedelta(days=20)), experiment)
    assert ended.value.code == "experiment_ended"
    assert trials(ctx(DAY + timedelta(days=21)).within(world.company.id)).running == ()


def test_an_arm_that_waits_is_looked_at_from_the_same_day(db: None) -> None:
    world = World(0, LATER)
    for number in range(24):
        world.add(f"Cliente {number:03}", DAY - timedelta(days=6))
    world.begin()
    actions = world.run(DAY)
    arms = world.arms()
    assert set(actions) == {account for account, arm in arms.items() if arm == CONTROL}
    assert len(arms) == 24, "who waits has come in too"
    later = world.run(DAY + timedelta(days=3))
    waited = {account for account, arm in arms.items() if arm == "oggetto"}
    assert {a for a, row in later.items() if row.arm == "oggetto"} == waited
    assert ExperimentEntry.objects.exclude(entered_date=DAY).count() == 0


def test_an_arm_that_does_harm_is_stopped_by_the_day(db: None) -> None:
    world = World(24)
    experiment = world.begin()
    world.run(DAY)
    hurt = [account for account, arm in world.arms().items() if arm == "oggetto"][:7]
    for account in hurt[:6]:
        open_dispute(ctx(DAY + timedelta(days=1)), account, [(world.items[account], None)], "price")
    world.run(DAY + timedelta(days=2))
    assert experiment_row(world.company.id, experiment).end is None
    open_dispute(ctx(DAY + timedelta(days=2)), hurt[6], [(world.items[hurt[6]], None)], "price")
    world.run(DAY + timedelta(days=3))
    end = experiment_row(world.company.id, experiment).end
    assert end is not None and (end.reason, end.actor) == ("harm", GUARD)
    assert end.data == {"arms": {"oggetto": ["dispute"]}}
    assert Event.objects.filter(kind="experiment.stopped", subject_id=experiment).count() == 1
    late = world.add("Cliente nuovo", DAY - timedelta(days=10))
    action = world.run(DAY + timedelta(days=4))[late]
    assert (action.arm, action.experiment_id) == ("", None)


def test_a_step_that_was_changed_gives_no_arms(db: None) -> None:
    world = World(24)
    experiment = world.begin()
    world.playbook(PLAYBOOK.replace("day = 5", "day = 6"), DAY - timedelta(days=1))
    actions = world.run(DAY)
    assert {row.arm for row in actions.values()} == {""} and not world.arms()
    seen = world.read(experiment, DAY)
    assert not seen.is_applied and seen.reading.arms[1].verdict in (TOO_EARLY, OPEN)


def test_who_had_paid_before_does_not_count(db: None) -> None:
    world = World(24)
    experiment = world.begin()
    world.run(DAY)
    account, arm = next(iter(world.arms().items()))
    # The bank tells it days later: it was booked before the reminder.
    money = Money(Decimal(100), "EUR")
    share = entries.Share(world.items[account], money.amount)
    late = ctx(DAY + timedelta(days=2))
    entries.record_payment(late, account, money, [share], booking_date=DAY - timedelta(days=1))
    half = next(a for a, other in world.arms().items() if other == arm and a != account)
    world.pay(half, DAY + timedelta(days=2), "50.00")
    seen = world.read(experiment, DAY + timedelta(days=14)).reading
    own = next(each for each in seen.arms if each.arm == arm)
    assert seen.dropped == 1 and own.finished == own.entered - 1
    assert own.mean == pytest.approx(0.5 / own.finished)


def test_nobody_comes_in_after_the_last_day(db: None) -> None:
    world = World(24)
    experiment = world.begin(DAY - timedelta(days=30))
    world.run(DAY)
    assert not world.arms()
    account = next(iter(world.items))
    customer = CustomerAccount.objects.get(id=account).customer_id
    late = pl.DataFrame([(experiment, customer, account, "EUR", CONTROL, [])], schema=ENTRANTS, orient="row")
    assert enter(ctx(DAY), world.company.id, late) == 0
    assert experiment_row(world.company.id, experiment).until_date == DAY - timedelta(days=1)


def test_the_machine_needs_the_right_to_start(db: None) -> None:
    world = World(1)
    step = in_force(world.company.id)[0][1].steps[0]
    with pytest.raises(SaldoError) as refused:
        begin(ctx(actor="carla"), world.company.id, "prova", step, WIDE, 50, 100, 0.25)
    assert refused.value.code == "experiment_not_allowed"
    bare = replace(step, arms=())
    with pytest.raises(SaldoError) as refused:
        begin(ctx(), world.company.id, "prova", bare, WIDE, 50, 100, 0.25)
    assert refused.value.code == "experiment_no_arms"
