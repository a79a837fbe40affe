"""Who paid: IBAN, tax code and names as banks write them; and what must not be told as sure."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.core.matching.payers import Payer, PayerAccount, PayerAlias, Payers
from saldo.core.matching.records import Line

IBAN = "IT60X0542811101000000123456"
ACCOUNTS = (
    PayerAccount(1, 10, "Officine Brambatti S.p.A.", (), "IT00743110157", "00743110157", 10),
    PayerAccount(2, 10, "Officine Brambatti S.p.A."),
    PayerAccount(3, 20, "Trasporti Zorzanello S.r.l.", ("Zorzanello Trasporti Nazionali",), "IT12345670785"),
    PayerAccount(4, 30, "Trasporti Zorzanello S.n.c."),
    PayerAccount(5, 40, "Rosselvini Mario", tax_code="RSSMRA80A01H501U"),
    PayerAccount(6, 50, "Consorzio Agrario Valdoregno Società Cooperativa", group_id=10),
    PayerAccount(7, 60, "Müller & Söhne Maschinenbau GmbH", vat_number="DE136695976"),
    PayerAccount(8, 70, "C+M (Impianti) S.r.l."),
    PayerAccount(9, 80, "Fonderia Grevalta Uno S.r.l."),
    PayerAccount(10, 90, "Fonderia Grevalta Due S.r.l."),
)
ALIASES = (
    PayerAlias(1, "iban", IBAN),
    PayerAlias(3, "iban", "DE89370400440532013000"),
    PayerAlias(6, "iban", "DE89370400440532013000"),
    PayerAlias(5, "name", "studio rosselvini"),
    PayerAlias(1, "pays_for", "4"),
    PayerAlias(1, "pays_for", "999"),
    PayerAlias(999, "iban", "FR1420041010050500013M02606"),
    PayerAlias(9, "style", "numbers"),
)
PAYERS = Payers(ACCOUNTS, ALIASES)


def ask(**fields: str) -> tuple[Payer, ...]:
    return PAYERS.identify(Line(1, date(2026, 5, 4), 100_000, "EUR", **fields))


def best(name: str) -> Payer:
    return ask(payer_name=name)[0]


def test_learnt_iban_however_written() -> None:
    payer = ask(payer_iban="it60 x054 2811 1010 0000 0123 456")[0]
    assert (payer.account_id, payer.evidence, payer.is_unique) == (1, "iban", True)


def test_iban_of_several_customers_names_each_and_none_uniquely() -> None:
    payers = ask(payer_iban="DE89370400440532013000")
    assert {payer.account_id for payer in payers} == {3, 6}
    assert not any(payer.is_unique for payer in payers)
    assert all(payer.score < ask(payer_iban=IBAN)[0].score for payer in payers)


def test_a_name_decides_between_customers_of_one_iban() -> None:
    first, second = ask(payer_iban="DE89370400440532013000", payer_name="TRASPORTI ZORZANELLO SRL")
    assert (first.account_id, first.evidence, first.is_unique) == (3, "name", True)
    assert second.score < first.score


def test_iban_and_name_against_each_other_lower_both() -> None:
    payers = ask(payer_iban=IBAN, payer_name="Fonderia Grevalta Uno")
    assert {payer.account_id for payer in payers} == {1, 9}
    assert payers[0].score < min(ask(payer_iban=IBAN)[0].score, best("Fonderia Grevalta Uno").score)


@pytest.mark.parametrize("code", ["IT00743110157", "00743110157", " it 00743110157 "])
def test_tax_codes_with_and_without_their_country(code: str) -> None:
    payer = ask(payer_tax_code=code)[0]
    assert (payer.account_id, payer.evidence) == (1, "tax_code")


def test_tax_code_in_the_text() -> None:
    assert ask(text="SALDO FT 12 CF RSSMRA80A01H501U")[0].account_id == 5
    assert ask(text="SALDO FT 12 CF 12345678901") == ()


@pytest.mark.parametrize(
    ("name", "account_id"),
    [
        ("OFFICINE BRAMBATTI SPA", 1),
        ("Officine  Brambatti S. P. A.", 1),
        ("TRASPORTI ZORZANELLO SRL", 3),  # the legal form tells it from the S.n.c.
        ("TRASPORTI ZORZANELLO SNC", 4),
        ("ZORZANELLO TRASPORTI NAZIONALI", 3),
        ("MARIO ROSSELVINI", 5),
        ("MULLER & SOHNE MASCHINENBAU GMBH", 7),
        ("C+M IMPIANTI SRL", 8),
    ],
)
def test_whole_names(name: str, account_id: int) -> None:
    payer = best(name)
    assert (payer.account_id, payer.evidence, payer.is_unique) == (account_id, "name", True)


def test_a_name_without_its_legal_form_can_be_of_two() -> None:
    payers = ask(payer_name="TRASPORTI ZORZANELLO")
    assert {payer.account_id for payer in payers} == {3, 4}
    assert not any(payer.is_unique for payer in payers)


@pytest.mark.parametrize(
    ("name", "account_id"),
    [
        ("CONSORZIO AGRARIO VA", 6),  # cut by the bank
        ("OFFICINE BRAMBATI SPA", 1),
        ("OFICINE BRAMBATTI", 1),
        ("OFFICINE BRAMBATTI SPA VIA ROMA 1 BRESCIA", 1),
        ("EX OFFICINE BRAMBATTI", 1),
        ("CAVSC", 6),
    ],
)
def test_names_alike(name: str, account_id: int) -> None:
    assert best(name).account_id == account_id


def test_siblings_by_name_are_never_unique() -> None:
    assert not best("FONDERIA GREVALTA").is_unique
    assert best("FONDERIA GREVALTA DUE SRL").account_id == 10


@pytest.mark.parametrize("name", ["", "   ", "SRL", "BONIFICO", "ZZZ QQQ", "+++", "A", "a" * 50_000])
def test_names_of_nobody(name: str) -> None:
    assert ask(payer_name=name) == ()


def test_learnt_and_ultimate_names() -> None:
    assert best("STUDIO ROSSELVINI").evidence == "alias_name"
    payer = ask(payer_name="Banca Qualunque", ultimate_name="Officine Brambatti SpA")[0]
    assert (payer.account_id, payer.evidence) == (1, "ultimate_name")


def test_agreeing_evidence_is_worth_more() -> None:
    both = ask(payer_iban=IBAN, payer_name="OFFICINE BRAMBATTI SPA")[0]
    assert both.account_id == 1 and set(both.evidences) == {"iban", "name"}
    assert both.score > ask(payer_iban=IBAN)[0].score


def test_pays_for_its_customer_what_was_learnt_and_its_group() -> None:
    assert PAYERS.pays_for(1) == (2, 4, 6)
    assert PAYERS.pays_for(2) == (1,)
    assert PAYERS.pays_for(12_345) == ()
    assert PAYERS.has_learnt_paying(1, 4) and not PAYERS.has_learnt_paying(4, 1)
