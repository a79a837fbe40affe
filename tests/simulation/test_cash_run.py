"""A few days of a small world's bank files through the product: every euro is somewhere, and rightly."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from saldo.simulation.cash_trial.report import figures
from saldo.simulation.cash_trial.run import CashJob, run
from saldo.simulation.world.world import World

pytestmark = pytest.mark.django_db
LAST = date(2026, 10, 30)


def test_what_is_posted_unasked_is_right_and_every_euro_is_somewhere() -> None:
    measured = LAST - timedelta(days=13)
    job = CashJob(5, measured - timedelta(days=14), measured, LAST)
    trial = run(World.make("small", 5, LAST).tables(), job)
    euro, told = trial.euro(), figures(trial.outcomes)["all"]
    assert euro["adds_up"] and euro["odd_lines"] == 0 and euro["came_in"] > 0
    # The desk had time for everything, and nothing that it wanted was refused.
    assert euro["not_posted"] == 0 and not trial.troubles, trial.troubles
    assert told["lines"] >= 20 and told["auto"] > told["lines"] / 3
    assert told["auto_wrong"] == 0, trial.details
