"""Experiments in the plan: each account is treated as its arm says and no other way, and who comes into an
experiment does not depend on the arm."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saldo.analytics.askable import left_out, with_asked
from saldo.analytics.playbook_arms import ARMS, Trials, applying
from saldo.analytics.playbook_pauses import Pauses
from saldo.analytics.playbook_plan import newcomers, plan
from saldo.core.experiments import Running
from saldo.core.playbook import CONTROL, FORMAL_NOTICE, OVERDUE, WRITTEN, Arm, Playbook, Segment, Step
from saldo.core.playbook_text import step_text
from saldo.core.sending import SendingRules
from tests.properties.test_plan_properties import (
    DAY,
    Waits,
    as_told,
    booked,
    books,
    expected,
    frames,
    paused,
    pausing,
    portfolios,
)

FREE = SendingRules(
    daily_cap=10_000, rest_days=0, contact_week_cap=1000, contact_day_cap=1000, account_month_cap=1000
)
arms_of_step = st.lists(
    st.builds(
        Arm,
        code=st.just(""),
        shift_days=st.sampled_from([0, 0, -2, 3]),
        channel=st.sampled_from(["", "", "pec", "letter"]),
        tone=st.sampled_from(["", "firm"]),
        template=st.sampled_from(["", "other"]),
    ),
    min_size=1,
    max_size=2,
)


Portfolio = dict[str, list[dict[str, Any]]]


def candidates(playbooks: list[Playbook]) -> list[tuple[int, int]]:
    return [
        (place, number)
        for place, book in enumerate(playbooks)
        for number, step in enumerate(book.steps)
        if step.channel in WRITTEN and step.purpose != FORMAL_NOTICE
    ]


@st.composite
def experiments(draw: st.DrawFn) -> tuple[list[Playbook], list[Running]]:
    """Playbooks with arms in one or two of their steps, and the experiments that run on these."""
    playbooks = draw(books())
    found = candidates(playbooks)
    assume(found)
    running = []
    for place, number in draw(st.lists(st.sampled_from(found), min_size=1, max_size=2, unique=True)):
        book = playbooks[place]
        arms = tuple(replace(arm, code=f"arm{n}") for n, arm in enumerate(draw(arms_of_step)))
        step = replace(book.steps[number], arms=arms)
        steps = (*book.steps[:number], step, *book.steps[number + 1 :])
        playbooks[place] = replace(book, steps=steps)
        codes = (CONTROL, *(arm.code for arm in arms))
        running.append(
            Running(len(running) + 1, book.code, step.code, step_text(step), "salt", codes, DAY, DAY)
        )
    return playbooks, running


def drawn(draw: st.DrawFn, told: Portfolio, running: list[Running]) -> pl.DataFrame:
    accounts = sorted({row["account_id"] for row in told["accounts"]})
    rows = [
        (account, each.id, account, draw(st.sampled_from(each.arms)))
        for each in running
        for account in accounts
    ]
    return pl.DataFrame(rows, schema=ARMS, orient="row")


def arguments(
    told: Portfolio,
) -> tuple[dict[str, pl.DataFrame], pl.DataFrame, pl.DataFrame]:
    made = frames(told)
    out = left_out(made["items"], made["blocks"], made["covers"], FREE)
    return made, out, with_asked(made["items"], out)


def as_done(playbooks: list[Playbook], arms: dict[str, str], running: list[Running]) -> list[Playbook]:
    """The playbooks of an account: its arms stand where the steps stood."""
    done = {(each.playbook, each.step): arms[str(each.id)] for each in running}

    def of(book: Playbook, step: Step) -> Step:
        arm = step.arm(done.get((book.code, step.code), CONTROL))
        return replace(step, arms=()) if arm is None else step.done_as(arm)

    return [replace(book, steps=tuple(of(book, step) for step in book.steps)) for book in playbooks]


@settings(max_examples=40, deadline=None)
@given(experiments(), portfolios(), booked, pausing, st.data())
def test_each_account_is_treated_as_its_arm_says(
    made: tuple[list[Playbook], list[Running]], told: Portfolio, until: date | None,
    waits: Waits, data: st.DataObject,
) -> None:  # fmt: skip
    playbooks, running = made
    arms = drawn(data.draw, told, running)
    own, out, items = arguments(told)
    found = as_told(
        plan(
            list(enumerate(playbooks)), own["accounts"], items, own["sent"], own["ways"], DAY, until, FREE,
            True, out, paused(waits), Trials(tuple(running), arms),
        )
    )  # fmt: skip
    for account in {row["account_id"] for row in told["accounts"]}:
        of_account = {str(row[1]): row[3] for row in arms.rows() if row[0] == account}
        wanted = expected(as_done(playbooks, of_account, running), told, until, FREE, True, waits)
        assert {key: row for key, row in found.items() if key[0] == account} == {
            key: row for key, row in wanted.items() if key[0] == account
        }


@settings(max_examples=30, deadline=None)
@given(experiments(), portfolios(), booked, st.data())
def test_who_comes_in_does_not_depend_on_the_arm(
    made: tuple[list[Playbook], list[Running]], told: Portfolio, until: date | None,
    data: st.DataObject,
) -> None:  # fmt: skip
    playbooks, running = made
    own, out, items = arguments(told)
    seen = []
    for _ in range(2):
        trials = Trials(tuple(running), drawn(data.draw, told, running))
        numbered = list(enumerate(playbooks))
        come = newcomers(numbered, own["accounts"], items, own["sent"], DAY, until, FREE, Pauses(), trials)
        assert come.select("experiment_id", "customer_id").is_unique().all()
        seen.append(come.drop("arm"))
        rows = plan(
            numbered, own["accounts"], items, own["sent"], own["ways"], DAY, until, FREE, True, out,
            None, trials,
        )  # fmt: skip
        asked_first = rows.filter(
            pl.col("experiment_id").is_not_null() & (pl.col("blocked") == "") & (pl.col("track") == OVERDUE)
        ).filter(
            pl.col("items").list.eval(
                pl.element().struct.field("level") > pl.element().struct.field("level_before")
            ).list.any()
        )  # fmt: skip
        moved = {
            step.code for book in playbooks for step in book.steps if any(a.shift_days for a in step.arms)
        }
        shifted = [each.id for each in running if each.step in moved]
        # Whoever is written to by a step of an experiment has come in (with it, or before).
        written = asked_first.filter(~pl.col("experiment_id").is_in(shifted))
        assert written.join(come, on=["experiment_id", "account_id"], how="anti").height == 0
    assert seen[0].equals(seen[1])


def test_a_step_that_was_changed_is_in_no_experiment() -> None:
    step = Step("s1", "overdue", 1, 1, "email", "t", "soft", arms=(Arm("a", shift_days=1),))
    running = Running(1, "b", "s1", step_text(replace(step, day=2)), "salt", (CONTROL, "a"), DAY, DAY)
    book = Playbook("b", 1, {}, Segment("b", {}), (step,))
    assert applying([(1, book)], [running]) == {}
    assert applying([(1, book)], [replace(running, step_text=step_text(step))])
