"""Replies: what they are read as, the facts in them, and where the model comes from."""

from __future__ import annotations

import time
from datetime import date

import numpy as np
import pytest

from benchmarks.replies import SETS, claims, macro_f1, read
from saldo.analytics.replies import LABELS, SURE, Facts, Owed, classify, training
from saldo.analytics.replies.model import Model, from_record, shipped
from saldo.core import reasons
from saldo.simulation.replies import corpus, learning

DAY = date(2026, 3, 11)
OWED = [
    Owed("2026/118", 1_250_500, date(2026, 1, 31)), Owed("2026/204", 3_000_000, date(2026, 2, 28)),
    Owed("NC 14", 500_000, date(2026, 2, 28)),
]  # fmt: skip


def test_a_promise_with_its_day_amount_and_item() -> None:
    told = classify(
        "Buongiorno, bonifichiamo 1.250,50 € per la fattura 118 entro venerdì.", day=DAY, owed=OWED
    )
    assert (told.label, told.zone, told.language) == ("promise", "high", "it")
    facts = told.facts
    assert facts.promised_date and facts.promised_date.value == date(2026, 3, 13)
    assert facts.amount_mills and facts.amount_mills.value == 1_250_500
    assert facts.items and facts.items.value == (0,)
    assert min(facts.promised_date.confidence, facts.amount_mills.confidence) >= SURE


@pytest.mark.parametrize(
    "text",
    [
        "provvederemo al saldo di quanto scaduto entro venerdì 27 marzo 2026",
        "provvederemo al saldo di quanto scaduto entro il 27/03/2026",
        "la fattura scaduta il 10/01 la paghiamo il 27 marzo",
        "the overdue invoice of 10 January will be paid by 27 March",
    ],
)
def test_the_day_of_an_invoice_is_not_the_promised_one(text: str) -> None:
    facts = classify(text, day=DAY).facts
    assert facts.promised_date and facts.promised_date.value == date(2026, 3, 27)


def test_a_condition_makes_the_day_unsure() -> None:
    told = classify("Se arriva il bonifico del cliente vi paghiamo venerdì 20 marzo", day=DAY)
    assert told.facts.is_conditional
    assert told.facts.promised_date is None or told.facts.promised_date.confidence < SURE


def test_a_promise_in_parts() -> None:
    told = classify("vi mando 2.000 euro venerdì e il resto il 30 aprile", day=DAY, owed=OWED)
    assert told.facts.parts == ((date(2026, 3, 13), 2_000_000), (date(2026, 4, 30), 0))
    assert told.facts.is_part and not told.facts.is_all


def test_no_day_is_made_of_a_vague_promise() -> None:
    for text in ("vi paghiamo appena possibile", "we will pay as soon as we can"):
        told = classify(text, day=DAY)
        assert told.label == "promise" and told.facts.promised_date is None
    told = classify("pagheremo la prossima settimana", day=DAY)
    assert told.facts.promised_date is None or told.facts.promised_date.confidence < SURE


def test_more_than_is_owed_is_not_sure() -> None:
    told = classify("vi bonifichiamo 80.000 euro entro venerdì", day=DAY, owed=OWED)
    assert told.facts.amount_mills is not None and told.facts.amount_mills.confidence < SURE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("la merce è arrivata danneggiata, non paghiamo", "quality"),
        ("avete fatturato più del prezzo concordato, serve nota di credito", "price"),
        ("la merce non è mai arrivata", "delivery"),
        ("we were billed twice for the same job", "duplicate"),
        ("mancano 40 pezzi rispetto al fatturato, la contestiamo", "quantity"),
        ("invoice rejected: purchase order missing", "order"),
    ],
)
def test_the_reason_of_a_dispute(text: str, reason: str) -> None:
    told = classify(text, day=DAY)
    assert told.label == "dispute" and told.facts.dispute_reason
    assert told.facts.dispute_reason.value == reason


def test_an_absence_and_its_end() -> None:
    told = classify(
        "Sono in ferie, rientro lunedì 23 marzo.", subject="Risposta automatica: Sollecito", day=DAY
    )
    assert told.label == "out_of_office" and told.facts.return_date
    assert told.facts.return_date.value == date(2026, 3, 23)
    assert told.facts.promised_date is None
    until = classify("Sarò assente dall'ufficio per ferie fino al 20 marzo", day=DAY).facts.return_date
    assert until and until.value == date(2026, 3, 23)  # the 20th is a Friday


def test_paid_with_day_and_reference() -> None:
    told = classify("abbiamo già pagato con bonifico del 4 marzo, CRO 0306909543211", day=DAY)
    assert told.label == "paid"
    assert told.facts.paid_date and told.facts.paid_date.value == date(2026, 3, 4)
    assert told.facts.payment_ref and told.facts.payment_ref.value == "0306909543211"


def test_a_new_address_is_found() -> None:
    told = classify("non seguo più io i pagamenti, scrivete a conti@example.com", day=DAY)
    assert told.label == "wrong_contact" and told.facts.contact
    assert told.facts.contact.value == "conti@example.com"


def test_wording_of_an_opt_out_counts_beside_another_label() -> None:
    assert classify("unsubscribe me please", day=DAY).facts.wants_no_more
    told = classify("È già stata pagata! E toglietemi da questa lista, non voglio più ricevere mail", day=DAY)
    assert told.facts.wants_no_more


def test_facts_are_told_as_plain_values() -> None:
    told = classify("vi mando 2.000 euro venerdì e il resto il 30 aprile", day=DAY, owed=OWED).facts.as_json()
    assert told["promised_date"] == "2026-03-13" and told["amount_mills"] == 2_000_000
    assert told["parts"] == [["2026-03-13", 2_000_000], ["2026-04-30", 0]]
    assert set(told["confidence"]) == {"promised_date", "amount_mills"}
    assert Facts().as_json() == {}


def test_reasons_are_words_of_the_text() -> None:
    told = classify("la merce è difettosa, aspettiamo la nota di credito", day=DAY)
    for reason in told.reasons:
        assert all(
            word in "la merce e difettosa, aspettiamo la nota di credito"
            for word in reason["params"]["words"]
        )
        assert "contestazione" in reasons.render(reason["code"], reason["params"], "it")
        assert "dispute" in reasons.render(reason["code"], reason["params"], "en")


@pytest.mark.parametrize(
    "text", ["", "   \n", "> vecchio messaggio\n> pagate", ".", "👍", "\x00\x01", "é" * 50, "1/1/1/1"]
)
def test_odd_texts_are_read_without_a_claim(text: str) -> None:
    told = classify(text, day=DAY, owed=OWED)
    assert told.label in LABELS and abs(sum(told.scores.values()) - 1) < 0.01
    assert told.facts.promised_date is None or told.zone != "high"


def test_a_very_long_text_takes_bounded_time() -> None:
    for text in (
        "a" * 200_000,
        "pagheremo entro il 3 " * 10_000,
        "1.000," * 40_000,
        "il " * 70_000,
        "(" * 200_000,
    ):
        started = time.perf_counter()
        classify(text, day=DAY, owed=OWED * 100)
        assert time.perf_counter() - started < 3


def test_without_a_day_no_day_is_claimed() -> None:
    assert classify("pago venerdì").facts.promised_date is None


def test_held_out_replies_are_understood() -> None:
    """The figures of docs/rules/replies.md hold, with a margin for rounding."""
    first, last, blind, world = [read(of()) for of in SETS.values()]
    assert macro_f1(first) >= 0.94 and macro_f1(world) >= 0.96
    assert macro_f1(last) >= 0.89 and macro_f1(blind) >= 0.90
    everything = [*first, *last, *blind, *world]
    high = [each for each in everything if each.understood.zone == "high"]
    assert sum(each.example.label == each.understood.label for each in high) / len(high) >= 0.95
    for name, fact in (("promised", "promised_date"), ("amount", "amount_mills")):
        found = claims(everything, name, lambda told, fact=fact: getattr(told.facts, fact))  # type: ignore[misc]
        assert found.precision >= 0.95 and found.claimed >= 20


def test_nothing_held_out_is_learnt_from() -> None:
    learnt = {" ".join(each.text.lower().split()) for each in learning.lessons()}
    for examples in (of() for of in SETS.values()):
        texts = {" ".join(each.text.lower().split()) for each in examples if len(each.text) > 25}
        assert not texts & learnt
    families = {each.family for each in corpus.hand_written()}
    assert not families & {each.family for of in SETS.values() for each in of()}


def test_training_anew_gives_the_shipped_model() -> None:
    lessons = learning.lessons()
    model = shipped()
    assert training.digest(lessons) == model.trained_on
    record = training.train(lessons)
    again: Model = from_record(record)
    # The same bytes on the same machine; another processor may round a last step differently.
    for one, other in ((again.labels, model.labels), (again.reasons, model.reasons)):
        step = np.abs(other.weights[other.weights != 0]).min()
        assert np.abs(one.weights - other.weights).max() <= 1.01 * step
        assert one.temperature == other.temperature
    assert again.high.threshold == model.high.threshold
