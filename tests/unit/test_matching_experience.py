"""Unit tests of saldo.core.matching.experience: when a pattern goes automatic, and when it leaves."""

from __future__ import annotations

from itertools import product

import pytest

from saldo.core.matching.experience import Experience, belief, pattern_of, reliability, wilson_lower
from saldo.core.matching.policy import DEFAULT

SUM = "sum.unique|exact|sure"
NUMBER = "number.full|exact|sure"


def test_only_the_strongest_patterns_are_automatic_without_experience() -> None:
    stated = belief()
    automatic = {
        (found, fits)
        for found, fits, payer in product(stated.found, stated.fits, ("sure", "likely", "unknown", "other"))
        if Experience().chance(pattern_of(found, fits, payer)).is_automatic(DEFAULT)
    }
    assert {found for found, _ in automatic} == {
        "key.reference", "advice", "number.full", "number.structured", "named"
    }  # fmt: skip
    assert not {fits for _, fits in automatic} & {
        "charges", "charges.foreign", "discount", "discount.late", "withholding", "split_vat", "short",
        "short.several", "over", "rate",
    }  # fmt: skip
    for payer in ("other", "contradicts"):
        assert not Experience().chance(pattern_of("number.full", "exact", payer)).is_automatic(DEFAULT)
    for against in stated.against:
        assert (
            not Experience()
            .chance(pattern_of("number.full", "exact", "sure", [against]))
            .is_automatic(DEFAULT)
        )


@pytest.mark.parametrize(("right", "expected"), [(0, False), (60, False), (120, False), (250, True)])
def test_a_pattern_goes_automatic_after_enough_confirmed_matches(right: int, expected: bool) -> None:
    assert Experience({SUM: (right, 0)}).chance(SUM).is_automatic(DEFAULT) is expected


@pytest.mark.parametrize("pattern", [SUM, NUMBER])
def test_it_leaves_at_once_when_wrong_ones_come(pattern: str) -> None:
    assert Experience({pattern: (300, 0)}).chance(pattern).is_automatic(DEFAULT)
    assert not Experience({pattern: (300, 2)}).chance(pattern).is_automatic(DEFAULT)


def test_errors_of_its_class_shake_a_trusted_pattern() -> None:
    errors = {"number.full|exact|unknown": (5, 15)}
    assert not Experience(errors).chance(NUMBER).is_automatic(DEFAULT)
    warned = {"number.full|exact|sure|installment": (5, 15)}
    assert Experience(warned).chance(NUMBER).is_automatic(DEFAULT)


def test_relatives_alone_make_nothing_automatic() -> None:
    relatives = Experience({"sum.unique|exact|likely": (10_000, 0)})
    assert not relatives.chance(SUM).is_automatic(DEFAULT)


def test_patterns_of_other_versions_are_left_out() -> None:
    assert Experience({"astrology|exact|sure": (5, 0), "odd": (1, 1)}).chance(SUM).right == 0


def test_the_bound_of_wilson() -> None:
    # By hand: (0.95 + 0.01353 - 0.03831) / 1.02706
    assert wilson_lower(95, 100) == pytest.approx(0.9008, abs=2e-4)
    assert wilson_lower(0, 0) == 0.0
    assert wilson_lower(200, 200) < 1


def test_reliability_in_bins() -> None:
    pairs = [(0.999, True)] * 9 + [(0.9985, False), (1.0, True), (0.1, False)]
    told = {each.low: each for each in reliability(pairs)}
    assert (told[0.999].count, told[0.999].right_share) == (10, 1.0)
    assert (told[0.995].count, told[0.995].right_share) == (1, 0.0)
    assert told[0.0].mean_probability == pytest.approx(0.1)
