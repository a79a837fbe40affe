"""Playbooks in words."""

from __future__ import annotations

import pytest

from saldo.core.playbook import Step, When
from saldo.core.playbook_words import day_words, minimum_words, timing_words, when_words

STEP = Step("a", "overdue", 1, 5, "email", "reminder_1", "soft")


@pytest.mark.parametrize(
    ("when", "italian", "english"),
    [
        (When(), [], []),
        (When(classes=("D", "E"), min_open_mills=20_000_000),
         ["classe D o E", "almeno 20.000 aperti"], ["class D or E", "at least 20,000 open"]),
        (When(max_known_days=180), ["clienti da non più di 180 giorni"], ["customers for 180 days at most"]),
        (When(max_late_days=0, min_late_days=-3),
         ["di solito pagano al massimo 3 giorni prima", "di solito pagano entro la scadenza"],
         ["usually paying 3 days early at most", "usually paying by the due date"]),
        (When(max_late_days=10), ["ritardo abituale fino a 10 giorni"], ["usual delay up to 10 days"]),
        (When(countries=("IT", "DE", "FR"), min_open_mills=1_500, max_open_mills=9_000_000),
         ["paese IT, DE o FR", "1,50–9.000 aperti"], ["country IT, DE or FR", "1.50–9,000 open"]),
        (When(promise="broken", dispute="none", plan="any"),
         ["con una promessa non mantenuta", "senza contestazioni", "con un piano di rientro"],
         ["with a broken promise", "without a dispute", "with a payment plan"]),
    ],
)  # fmt: skip
def test_conditions(when: When, italian: list[str], english: list[str]) -> None:
    assert (when_words(when, "it"), when_words(when, "en")) == (italian, english)


def test_days_and_minimums_of_a_step() -> None:
    assert [day_words(day, "it") for day in (-7, -1, 0, 1, 60)] == [
        "7 giorni prima", "un giorno prima", "alla scadenza", "dopo un giorno", "dopo 60 giorni",
    ]  # fmt: skip
    soon = Step("s", "soon", 0, -7, "email", "courtesy", "courtesy", until_day=-3, wait_days=2, after="x")
    assert timing_words(soon, "it") == [
        "fino a 3 giorni prima", "almeno 2 giorni dopo l'ultimo messaggio", "solo dopo x",
    ]  # fmt: skip
    until_due = Step("s", "soon", 0, -7, "email", "courtesy", "courtesy", until_day=0)
    assert timing_words(until_due, "it") == ["fino alla scadenza"]
    assert timing_words(until_due, "en") == ["until the due date"]
    dear = Step("d", "overdue", 2, 9, "pec", "x", "firm", min_amount_mills=250_000, min_share=0.05)
    assert minimum_words(dear, "it") == ["da 250", "almeno il 5% dell'aperto"]
    assert minimum_words(STEP, "en") == timing_words(STEP, "en") == []
