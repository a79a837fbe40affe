"""How well replies are understood, on replies that the model has not learnt from.

    python -m benchmarks.replies            figures of the shipped model
    python -m benchmarks.replies --errors   and what was read wrong

Held out are whole families of hand-written replies, and whole phrasings of the simulated world. "Claimed": a
fact told with a confidence of at least .9.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from saldo.analytics.replies import LABELS, SURE, Fact, Understood, classify
from saldo.analytics.replies.model import shipped
from saldo.simulation.replies import corpus
from saldo.simulation.replies.corpus import Example


@dataclass(frozen=True)
class Read:
    example: Example
    understood: Understood


def read(examples: Sequence[Example]) -> list[Read]:
    return [Read(each, classify(each.text, day=each.day, language_hint=each.language)) for each in examples]


def f1_by_label(reads: Sequence[Read]) -> dict[str, float]:
    """F1 of each label that occurs."""
    scores = {}
    for label in LABELS:
        right = sum(each.example.label == label == each.understood.label for each in reads)
        told = sum(each.understood.label == label for each in reads)
        true = sum(each.example.label == label for each in reads)
        if true:
            scores[label] = 2 * right / (told + true)
    return scores


def macro_f1(reads: Sequence[Read]) -> float:
    scores = f1_by_label(reads)
    return sum(scores.values()) / len(scores)


@dataclass(frozen=True)
class Claims:
    """Of a fact: how many replies state it, how often it was claimed with high confidence, how often right.

    told: with any confidence; a claim where the reply states none is wrong.
    """

    stated: int
    told: int
    told_right: int
    claimed: int
    claimed_right: int

    @property
    def precision(self) -> float:
        return self.claimed_right / self.claimed if self.claimed else 1.0

    @property
    def coverage(self) -> float:
        return self.claimed_right / self.stated if self.stated else 1.0


def claims(reads: Sequence[Read], name: str, fact_of: Callable[[Understood], Fact | None]) -> Claims:
    stated = told = told_right = claimed = claimed_right = 0
    for each in reads:
        if each.example.facts is None:
            continue
        truth, fact = each.example.facts.get(name), fact_of(each.understood)
        stated += truth is not None
        if fact is None:
            continue
        is_right = fact.value in truth if isinstance(truth, tuple) else fact.value == truth
        told, told_right = told + 1, told_right + is_right
        if fact.confidence >= SURE:
            claimed, claimed_right = claimed + 1, claimed_right + is_right
    return Claims(stated, told, told_right, claimed, claimed_right)


FACTS: dict[str, tuple[str, Callable[[Understood], Fact | None]]] = {
    "promised day": ("promised", lambda told: told.facts.promised_date),
    "promised amount": ("amount", lambda told: told.facts.amount_mills),
    "day of return": ("back", lambda told: told.facts.return_date),
    "reason of a dispute": ("reasons", lambda told: told.facts.dispute_reason),
}


def report(title: str, reads: Sequence[Read]) -> None:
    right = sum(each.example.label == each.understood.label for each in reads)
    print(f"\n{title}: {len(reads)} replies, macro-F1 {macro_f1(reads):.3f}, right {right / len(reads):.1%}")
    print("  F1: " + ", ".join(f"{label} {score:.2f}" for label, score in f1_by_label(reads).items()))
    for zone in ("high", "middle", "low"):
        inside = [each for each in reads if each.understood.zone == zone]
        if inside:
            good = sum(each.example.label == each.understood.label for each in inside)
            print(f"  zone {zone}: {len(inside) / len(reads):.0%} of them, {good / len(inside):.1%} right")
    for name, (key, fact_of) in FACTS.items():
        found = claims(reads, key, fact_of)
        if found.stated:
            print(
                f"  {name}: stated {found.stated}, told {found.told} ({found.told_right} right), "
                f"claimed {found.claimed}, of these right {found.precision:.1%}, "
                f"coverage {found.coverage:.0%}"
            )


def errors(reads: Sequence[Read]) -> None:
    for each in reads:
        text = " ".join(each.example.text.split())[:100]
        if each.example.label != each.understood.label:
            print(
                f"  {each.example.label} -> {each.understood.label} {each.understood.confidence:.2f} | {text}"
            )
        for name, (key, fact_of) in FACTS.items():
            truth, fact = (each.example.facts or {}).get(key), fact_of(each.understood)
            if (
                fact
                and each.example.facts is not None
                and fact.confidence >= SURE
                and not _agrees(fact, truth)
            ):
                print(
                    f"  {name}: {truth} read as {fact.value} ({fact.text!r}, {fact.confidence:.2f}) | {text}"
                )


def _agrees(fact: Fact, truth: Any) -> bool:
    return fact.value in truth if isinstance(truth, tuple) else fact.value == truth


def speed(examples: Sequence[Example]) -> float:
    """Replies read a second, by one process."""
    started = time.perf_counter()
    for each in examples:
        classify(each.text, day=date(2026, 3, 11))
    return len(examples) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--learnt", action="store_true", help="also on what was learnt from")
    options = parser.parse_args()
    model = shipped()
    print(f"model {model.name}, temperature {model.labels.temperature}, of data {model.trained_on[:12]}")
    high, low = model.high, model.low
    print(f"zones out of fold: high from {high.threshold} ({high.precision:.1%} right of {high.share:.0%}), ")
    print(f"  low below {low.threshold} (above it {low.precision:.1%} right)")
    sets = {name: read(of()) for name, of in SETS.items()}
    if options.learnt:
        sets["learnt from: hand-written"] = read(corpus.hand_written())
        sets["learnt from: the world's phrasings"] = read(corpus.world(False))
    for name, reads in sets.items():
        report(name, reads)
        if options.errors:
            errors(reads)
    labels = Counter(each.label for each in corpus.hand_written())
    print(f"\nlearnt from {sum(labels.values())} hand-written replies: {dict(labels)}")
    print(f"speed: {speed(corpus.held_out()):.0f} replies a second")


SETS: dict[str, Callable[[], list[Example]]] = {
    "held-out hand-written replies": corpus.held_out,
    "held-out hand-written replies, written last": corpus.held_out_later,
    "held-out hand-written replies, by a blind writer": corpus.held_out_blind,
    "held-out phrasings of the world": lambda: corpus.world(is_held_out=True),
}

if __name__ == "__main__":
    main()
