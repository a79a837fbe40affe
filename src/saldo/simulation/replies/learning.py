"""What the shipped model of replies is trained on: the hand-written lessons and the world's phrasings.

``python -m saldo.simulation.replies.learning`` writes the model's file anew.
"""

from __future__ import annotations

from pathlib import Path

from saldo.analytics.replies import model, training
from saldo.simulation.replies import corpus

# A reply written by hand counts as much as five writings-out of the world's phrasings.
_HAND_WEIGHT, _WORLD_WEIGHT = 2.0, 0.4


def lessons() -> list[training.Lesson]:
    hand = [
        training.Lesson(each.text, each.label, each.day, each.family, _HAND_WEIGHT, _reason(each))
        for each in corpus.hand_written()
    ]
    world = [
        training.Lesson(
            each.text, each.label, each.day, each.family, _WORLD_WEIGHT, _reason(each), calibrates=False
        )
        for each in corpus.world(is_held_out=False)
    ]
    return hand + world


def _reason(example: corpus.Example) -> str:
    """The reason of a dispute, where it is told: the first of two that the world does not tell apart."""
    told = (example.facts or {}).get("reasons", ())
    return told[0] if 1 <= len(told) <= 2 else ""


def main() -> None:
    path = Path(model.__file__).with_name(model.FILE)
    record = training.train(lessons())
    path.write_bytes(model.to_bytes(record))
    shown = {name: record[name] for name in ("lessons", "high", "low", "trained_on")}
    print(f"{path.name}: {shown}")


if __name__ == "__main__":
    main()
