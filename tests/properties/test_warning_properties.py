"""Warnings and behavior scores of a day rest on what was known that evening, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from saldo.analytics.behavior import behavior_scores
from saldo.analytics.book import SCHEMAS, Book
from saldo.analytics.early_warning import Learnt, learn, warnings
from saldo.analytics.outside import OUTSIDE
from saldo.simulation.forecast_trial.world_book import outside_opinions, world_book
from saldo.simulation.world.tables import Tables
from saldo.simulation.world.world import World

AS_OF = date(2026, 8, 20)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return World.make("small", 11, date(2026, 10, 30)).tables()


@pytest.fixture(scope="module")
def book(tables: Tables) -> Book:
    return world_book(tables)


@pytest.fixture(scope="module")
def learnt(book: Book) -> Learnt:
    return learn(book, AS_OF)


def _upside_down(book: Book) -> Book:
    """What is known after AS_OF, told wrongly: amounts doubled, dates moved, causes changed, and more."""
    frames = {}
    for name in SCHEMAS:
        frame: pl.DataFrame = getattr(book, name)
        later = frame.filter(pl.col("known_date") > AS_OF)
        changed = later.with_columns(pl.col("known_date") + timedelta(days=3))
        if "amount_mills" in frame.columns:
            changed = changed.with_columns(pl.col("amount_mills") * 2)
        if "cause" in frame.columns:
            changed = changed.with_columns(cause=pl.lit("returned"))
        invented = frame.head(20).with_columns(known_date=pl.lit(AS_OF + timedelta(days=1)))
        frames[name] = pl.concat([frame.filter(pl.col("known_date") <= AS_OF), changed, invented])
    return replace(book, **frames)


def test_facts_known_later_change_no_warning(book: Book, tables: Tables, learnt: Learnt) -> None:
    other = _upside_down(book)
    opinions = outside_opinions(tables)
    later = pl.DataFrame(
        [(account, AS_OF + timedelta(days=1), 0.9) for account in opinions["account_id"].unique()],
        schema=OUTSIDE, orient="row",
    )  # fmt: skip
    mine = warnings(book, AS_OF, learnt=learnt, outside=opinions)
    theirs = warnings(other, AS_OF, learnt=learnt, outside=pl.concat([opinions, later]))
    assert mine.equals(theirs)
    again = learn(other, AS_OF)
    assert again.threshold == learnt.threshold
    assert (again.types.log_density == learnt.types.log_density).all()


def test_facts_known_later_change_no_score(book: Book) -> None:
    scores = behavior_scores(book, AS_OF)
    assert scores.height > 30
    assert scores.equals(behavior_scores(_upside_down(book), AS_OF))


def test_an_account_alone_has_the_score_it_has_among_others(book: Book) -> None:
    some = book.items["account_id"].unique().sort().to_list()[::7]
    whole = behavior_scores(book, AS_OF).filter(pl.col("account_id").is_in(some))
    assert whole.equals(behavior_scores(book.of_accounts(some), AS_OF))
