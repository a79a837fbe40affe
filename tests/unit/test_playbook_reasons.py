"""Reasons of a plan in words: both languages say every code, with the facts that matter."""

from __future__ import annotations

import pytest

from saldo.core import playbook_reasons
from saldo.core.reasons import render
from saldo.core.sending import BELOW_MINIMUM, BEYOND_STATEMENT, CONTACT_CAP, DAILY_CAP, NO_ADDRESS, NOT_LIVE

STEP = {
    "step": "sollecito-2", "level": 2, "day": 18, "days": 1, "channel": "email", "since": "2026-03-11",
    "count": 2, "rising": 1, "asked_mills": 99_950_000, "currency": "EUR",
}  # fmt: skip


def test_both_languages_know_the_same_codes() -> None:
    assert set(playbook_reasons.IT) == set(playbook_reasons.EN)
    for code in (NOT_LIVE, BEYOND_STATEMENT, BELOW_MINIMUM, NO_ADDRESS, CONTACT_CAP, DAILY_CAP):
        assert f"blocked_{code}" in playbook_reasons.IT, "whatever holds a row back is said in words"


@pytest.mark.parametrize(
    ("code", "params", "it", "en"),
    [
        ("step_next", STEP,
         "fase «sollecito-2» (livello 2), 99.950,00 € su 2 partite: dopo il sollecito dell'11 marzo 2026, "
         "scaduto da un giorno, la fase parte dal giorno 18",
         "step “sollecito-2” (level 2), €99,950.00 on 2 items: after the reminder of 11 March 2026, "
         "one day past due, the step begins on day 18"),
        ("step_soon", {**STEP, "days": -3, "count": 1},
         "fase «sollecito-2», 99.950,00 € su una partita: scade fra 3 giorni",
         "step “sollecito-2”, €99,950.00 on one item: due in 3 days"),
        ("left_out_promised", {"mills": 500_000, "currency": "EUR", "items": 1, "until": "2026-03-08"},
         "non chiesti 500,00 €: promessi fino all'8 marzo 2026",
         "€500.00 left out: promised until 8 March 2026"),
        ("left_out_disputed", {"mills": 50_000, "currency": "EUR", "items": 1, "until": None},
         "non chiesti 50,00 €: contestati", "€50.00 left out: disputed"),
        ("channel_fallback",
         {"channel": "letter", "contact": "Anna Neri", "wanted": "email", "missed": "address_stopped"},
         "via lettera a Anna Neri invece di e-mail: indirizzo bloccato",
         "by letter to Anna Neri instead of e-mail: the address is stopped"),
        ("blocked_below_minimum",
         {"min_amount_mills": 100_000, "min_share": 0.0, "asked_mills": 80_000, "currency": "EUR"},
         "sotto il minimo della fase: 80,00 € su 100,00 €",
         "below the step's minimum: €80.00 of €100.00"),
        ("blocked_below_minimum",
         {"min_amount_mills": 0, "min_share": 0.05, "asked_mills": 80_000, "currency": "EUR"},
         "sotto il minimo della fase: 80,00 € sono meno del 5% dell'aperto",
         "below the step's minimum: €80.00 is less than 5% of what is open"),
    ],
)  # fmt: skip
def test_a_reason_says_its_facts(code: str, params: dict[str, object], it: str, en: str) -> None:
    assert render(code, params, "it").replace("\N{NO-BREAK SPACE}", " ") == it
    assert render(code, params, "en") == en
