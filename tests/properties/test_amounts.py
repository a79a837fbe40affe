"""Property tests of saldo.core.matching.amounts: the search against trying everything."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.core.matching import amounts
from saldo.core.matching.amounts import MANY, Limits, Search, subsets

_BALANCES = st.lists(st.integers(-300, 2_000).filter(bool), max_size=9)


def _brute(balances: list[int], target: int, alike: list[int]) -> set[tuple[int, ...]]:
    """Every combination; of interchangeable balances only the first ones."""
    found = set()
    for size in range(1, len(balances) + 1):
        for chosen in combinations(range(len(balances)), size):
            firsts = all(
                j in chosen
                for i in chosen
                for j in range(i)
                if balances[i] == balances[j] and alike and alike[i] == alike[j]
            )
            if firsts and sum(balances[i] for i in chosen) == target:
                found.add(chosen)
    return found


@pytest.mark.parametrize("table_only", [False, True])
@settings(deadline=None)
@given(balances=_BALANCES, target=st.integers(1, 6_000), same=st.booleans(), data=st.data())
def test_finds_what_trying_everything_finds(
    table_only: bool, balances: list[int], target: int, same: bool, data: st.DataObject
) -> None:
    if balances and data.draw(st.booleans()):
        target = max(1, sum(b for b in balances if data.draw(st.booleans())))
    alike = [data.draw(st.integers(0, 1)) for _ in balances] if same else []
    with pytest.MonkeyPatch.context() as patch:
        if table_only:
            patch.setattr(amounts, "_meet", lambda *_: Search((), 0, False, 0))
        search = subsets(balances, target, Limits(steps=20_000), alike)
    expected = _brute(balances, target, alike)
    assert search.complete
    assert search.ways == min(len(expected), MANY)
    for found in search.found:
        assert sum(balances[i] for i in found) == target
    if search.ways == 1 and not any(b < 0 for b in balances):
        assert set(search.found) == expected


@settings(deadline=None)
@given(
    balances=st.lists(st.integers(-500, 500_000).filter(bool), max_size=80),
    target=st.integers(1, 10**7),
    steps=st.integers(10, 3_000),
    equal=st.booleans(),
)
def test_never_costs_more_than_its_bound(balances: list[int], target: int, steps: int, equal: bool) -> None:
    if equal and balances:
        balances = [abs(balances[0])] * len(balances)
    search = subsets(balances, target, Limits(items=30, steps=steps), ["x"] * len(balances) if equal else ())
    assert search.steps <= steps
    for found in search.found:
        assert sum(balances[i] for i in found) == target
        assert list(found) == sorted(set(found))
