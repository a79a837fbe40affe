"""Sharing work out: what is somebody's stays, the rest makes the lists worth the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.sharing import Work, shared_out

people = st.dictionaries(st.sampled_from(["anna", "bruno", "carla", "dino"]), st.integers(0, 400), min_size=1)
works = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["", "", "", "anna", "bruno", "zeno"])), max_size=60
)


def _works(told: list[tuple[int, str]]) -> list[Work]:
    return [Work(account, value, who) for account, (value, who) in enumerate(told)]


@settings(max_examples=150, deadline=None)
@given(works, people)
def test_everything_is_somebodys_and_what_was_given_stays(
    told: list[tuple[int, str]], minutes: dict[str, int]
) -> None:
    shares = shared_out(_works(told), minutes)
    assert set(shares) == set(range(len(told)))
    there = {name for name, amount in minutes.items() if amount}
    for account, (_, who) in enumerate(told):
        if who in there or not there:
            assert shares[account] == who
        else:
            assert shares[account] in there


@settings(max_examples=150, deadline=None)
@given(works, st.integers(2, 4))
def test_equal_people_differ_by_no_more_than_the_worthiest_account(
    told: list[tuple[int, str]], n: int
) -> None:
    names = ["p1", "p2", "p3", "p4"][:n]
    free = [(value, "") for value, _ in told]
    shares = shared_out(_works(free), dict.fromkeys(names, 300))
    worth = {name: sum(v for a, (v, _) in enumerate(free) if shares[a] == name) for name in names}
    assert max(worth.values()) - min(worth.values()) <= max((v for v, _ in free), default=0)


def test_who_has_half_the_minutes_gets_half_the_value() -> None:
    shares = shared_out([Work(n, 10.0) for n in range(300)], {"anna": 400, "bruno": 200, "away": 0})
    counts = {name: list(shares.values()).count(name) for name in ("anna", "bruno", "away")}
    assert counts == {"anna": 200, "bruno": 100, "away": 0}


def test_any_order_gives_the_same_shares() -> None:
    told = [Work(n, float(n % 7), "anna" if n % 5 == 0 else "") for n in range(50)]
    minutes = {"anna": 100, "bruno": 300}
    assert shared_out(told, minutes) == shared_out(told[::-1], minutes)
