"""The vectorized keys of document numbers are those of the function."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from saldo.analytics.keys import normalized_numbers
from saldo.core.normalize import normalized_number

NUMBERS = st.text(st.sampled_from([*"aZf0019 /-._#", "°", "é", "１", "\t"]), max_size=14)


@given(st.lists(NUMBERS, min_size=1, max_size=20))
@example(["1-2-3-4", "FT/0012/2026", "000", "0/0", "A00B01", "2026/00012", "º12", "-/-"])
def test_same_key_as_the_function(numbers: list[str]) -> None:
    found = normalized_numbers(pl.Series("n", numbers, dtype=pl.String)).to_list()
    assert found == [normalized_number(number) for number in numbers]
