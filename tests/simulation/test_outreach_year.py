"""Simulated outreach under the checks of every day: weeks in each run of the tests, a year marked slow."""

from __future__ import annotations

import pytest

from benchmarks.outreach_year import live
from saldo.simulation.trial.scratch import Server, scratch

WEEKS, YEAR = 21, 365


def test_weeks_of_outreach(django_db_setup: None) -> None:
    with scratch(Server.in_use()) as databases:
        told = live(databases, 1, WEEKS, "25")
    assert told["violations"] == 0, told["first_violations"]
    assert told["messages"] > 20 and told["replies"]


@pytest.mark.slow
def test_a_year_of_outreach(django_db_setup: None) -> None:
    with scratch(Server.in_use()) as databases:
        told = live(databases, 2, YEAR, "25")
    assert told["violations"] == 0, told["first_violations"]
    # It was not a year in which nothing happened.
    assert told["messages"] > 250 and told["items_asked"] > 300
    assert {"promise", "dispute", "already_paid"} <= set(told["replies"])
    assert set(told["ends"]) <= {"sent", "failed", "unknown", "cancelled"}
    assert max(map(int, told["levels"])) >= 3
