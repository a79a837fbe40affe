"""The whole run: lines proposed, the sure ones posted, every euro told of, asked again the same answer."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from saldo.cash.aliases import aliases, withdraw
from saldo.cash.frames import confirmed_counts
from saldo.cash.models import MatchProposal, Posting, Remittance, Statement
from saldo.cash.policies import set_policy
from saldo.cash.postings import post_match
from saldo.cash.reach import reachable
from saldo.cash.undoing import undo
from saldo.core.matching.book import wanted_keys
from saldo.core.matching.payers import PayerAccount, Payers
from saldo.core.matching.records import Difference, Line, Share
from saldo.core.matching.references import document_keys
from saldo.flows.apply_cash import CashResult, apply_cash
from saldo.identity.models import ModelVersion
from saldo.interfaces.commands.main import main
from saldo.ledger.models import Payment
from saldo.ledger.queries import projection_differences
from tests.cash_world import DAY, World, balances, context

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


def run(world: World, **more: Any) -> CashResult:
    result = apply_cash(context(), world.company.id, **more)
    assert result.adds_up
    return result


def test_named_invoices_are_paid_and_the_rest_is_proposed_or_left(world: World) -> None:
    acme, beta = world.account("Acme Forniture S.r.l."), world.account("Beta Impianti S.p.A.")
    world.invoice(acme, "2026/000117", "1220.00")
    world.invoice(acme, "2026/000152", "366.00")
    world.invoice(beta, "2026/000201", "500.00")
    paid = world.line("1586.00", "SALDO FATT. 2026/000117 E 2026/000152", "ACME FORNITURE SRL")
    guess = world.line("500.00", "BONIFICO", "BETA IMPIANTI SPA")
    nobody = world.line("77.10", "GIROCONTO", "XY")
    result = run(world)
    (sums,) = result.currencies.values()
    assert (sums.lines, sums.posted_lines, sums.left_lines) == (3, 1, 1)
    assert (sums.allocated_mills, sums.proposed_mills, sums.left_mills) == (1_586_000, 500_000, 77_100)
    assert sums.line_rate == pytest.approx(1 / 3)
    (posting,) = Posting.objects.all()
    assert (posting.transaction_id, posting.mode, posting.proposal.rank) == (paid, "auto", 1)
    assert balances(acme) == {} and balances(beta) == {"2026/000201": "500.00"}
    first = MatchProposal.objects.get(transaction=guess, rank=1)
    assert first.account_id == beta and first.shares[0]["mills"] == 500_000 and first.reasons
    assert ModelVersion.objects.get(id=first.model_version_id).parameters["policy"]["auto_above"] == 0.995
    assert MatchProposal.objects.filter(transaction=nobody).exists()
    assert projection_differences() == []


def test_asked_again_it_says_the_same_and_writes_nothing(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.")
    world.invoice(acme, "2026/000117", "1220.00")
    world.line("300.00", "acconto", "ACME FORNITURE SRL")
    world.line("1220.00", "fattura 2026/000117", "ACME FORNITURE SRL")
    first = run(world)
    before = (MatchProposal.objects.count(), Posting.objects.count())
    again = run(world)
    assert (MatchProposal.objects.count(), Posting.objects.count()) == before
    assert first.posted == 1 and again.lines == first.lines - first.posted and again.posted == 0


def test_a_dry_run_tells_and_takes_back(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.")
    world.invoice(acme, "2026/000117", "1220.00")
    world.line("1220.00", "fattura 2026/000117", "ACME FORNITURE SRL")
    assert run(world, dry_run=True).posted == 1
    assert Payment.objects.count() == MatchProposal.objects.count() == 0
    assert run(world).posted == 1


def test_a_second_payment_of_one_run_sees_the_first(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.")
    world.invoice(acme, "2026/000117", "1220.00")
    lines = [world.line("1220.00", "fattura 2026/000117", "ACME FORNITURE SRL") for _ in range(2)]
    assert run(world).posted == 1
    assert Posting.objects.get().transaction_id == lines[0]
    assert MatchProposal.objects.get(transaction=lines[1], rank=1).kind == "duplicate"
    assert balances(acme) == {}


def test_lines_that_must_not_be_posted_are_not_looked_at(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.")
    world.invoice(acme, "2026/000117", "1220.00")
    said = ("1220.00", "fattura 2026/000117", "ACME FORNITURE SRL")
    world.line(*said, kind="intraday")
    world.line(*said, status="PDNG")
    world.line(*said, statement=world.held_statement())
    world.line("-1220.00", *said[1:])
    assert run(world).lines == 0


def test_an_advice_says_what_a_bare_line_pays_and_is_used_once(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.", vat="IT01234567897")
    for number, amount in (("2026/000117", "1220.00"), ("2026/000152", "366.00"), ("2026/000160", "366.00")):
        world.invoice(acme, number, amount)
    lines = [{"number": number, "date": None, "paid_mills": mills, "is_credit": False}
             for number, mills in (("2026/000117", 1_220_000), ("2026/000160", 366_000))]  # fmt: skip
    Remittance.objects.create(
        company_id=world.company.id, key="R1", medium="pdf", payer_name="ACME FORNITURE", total=Decimal(1586),
        payment_date=DAY - timedelta(2), received_date=DAY - timedelta(3), currency="EUR", adds_up=True,
        lines=lines, recorded_at=context().clock(),
    )  # fmt: skip
    line, later = (
        world.line("1586.00", "BON.SEPA", "ACME FORNITURE SRL", day=DAY + timedelta(n)) for n in (0, 1)
    )
    run(world)
    assert [p.transaction_id for p in Posting.objects.all()] == [line]
    assert balances(acme) == {"2026/000152": "366.00"}
    run(world)
    assert not Posting.objects.filter(transaction=later).exists()
    assert "advice" not in MatchProposal.objects.filter(transaction=later, rank=1).latest("run").pattern


def test_what_an_export_closed_is_found_until_a_line_is_too_late_for_it(world: World) -> None:
    from saldo.flows.import_documents import import_file

    profile = (
        "[export]\ncomplete = true\n[columns]\ncustomer_code = 'c'\ncustomer_name = 'm'\nnumber = 'n'\n"
        "document_date = 'd'\ndue_date = 'due'\namount = 'a'\nopen = 'o'\n"
    )

    def export(day: date, *rows: str) -> None:
        data = "\n".join(("c;m;n;d;due;a;o", *rows)).encode()
        import_file(
            context(day), "p.csv", data, mapping=profile, company_code="ONE", as_at=day, accept_closures=True
        )

    name = "Acme Forniture S.r.l."
    rows = [f"A;{name};2026/000{n};10/01/2026;31/01/2026;100,00;100,00" for n in (117, 118, 119)]
    export(date(2026, 3, 1), *rows)
    export(date(2026, 3, 12), rows[2])
    early = world.line("100.00", "fatt. 2026/000117", "ACME FORNITURE SRL", day=date(2026, 3, 11))
    late = world.line("100.00", "fatt. 2026/000118", "ACME FORNITURE SRL", day=date(2026, 3, 20))
    run(world)
    posting = Posting.objects.get()
    assert posting.transaction_id == early
    assert balances(posting.account_id) == {"2026/000119": "100.00"}
    assert MatchProposal.objects.get(transaction=late, rank=1).kind == "duplicate"


def test_what_people_confirm_counts_and_teaches(world: World) -> None:
    acme, beta = world.account("Acme Forniture S.r.l."), world.account("Beta Impianti S.p.A.")
    iban = "IT11A0000000000000000000001"
    for n in range(4):
        world.invoice(acme, f"2026/00010{n}", f"{100 + n}.00")
    right = world.line("100.00", "BONIFICO", "ACME FORNITURE SRL", payer_iban=iban)
    wrong = world.line("101.00", "BONIFICO", "ACME FORNITURE SRL", payer_iban=iban)
    undone = world.line("102.00", "fattura 2026/000102", "ACME FORNITURE SRL", payer_iban=iban)
    run(world)
    assert confirmed_counts(context(), world.company.id) == {}, (
        "an automatic posting is no evidence by itself"
    )
    first = MatchProposal.objects.get(transaction=right, rank=1)
    shares = [Share(one["item"], one["mills"]) for one in first.shares]
    differences = [Difference(one["kind"], one["item"], one["mills"]) for one in first.differences]
    post_match(context(), right, first.account_id, shares, differences, "confirmed", first.id)
    post_match(context(), wrong, beta, [])
    auto = Posting.objects.get(transaction=undone)
    undo(context(), undone, "era altro")
    second = MatchProposal.objects.get(transaction=wrong, rank=1)
    expected = {first.pattern: [1, 0], auto.proposal.pattern: [0, 1]}
    expected.setdefault(second.pattern, [0, 0])[1] += 1
    assert confirmed_counts(context(), world.company.id) == {p: tuple(c) for p, c in expected.items()}
    learnt = aliases(context(), world.company.id)
    assert set(learnt.select("value", "account_id").rows()) >= {(iban, acme), (iban, beta)}
    withdraw(context(), learnt.filter(account_id=beta, kind="iban")["alias_id"][0], "sbaglio")
    bare = world.line("103.00", "BONIFICO", "", payer_iban=iban)
    run(world)
    assert MatchProposal.objects.filter(transaction=bare, rank=1).latest("run").account_id == acme


def test_a_company_that_wants_to_see_everything_gets_proposals_only(world: World) -> None:
    acme = world.account("Acme Forniture S.r.l.")
    world.invoice(acme, "2026/000117", "1220.00")
    line = world.line("1220.00", "fattura 2026/000117", "ACME FORNITURE SRL")
    set_policy(context(), world.company.id, {"auto_above": 1.0})
    result = run(world)
    assert result.posted == 0
    assert MatchProposal.objects.get(transaction=line, rank=1).zone == "propose"


MT940 = """:20:STMT1
:25:IT60X0542811101000000123456
:28C:00012/001
:60F:C260309EUR1000,00
:61:2603100310C1220,00NTRFNONREF//A1
:86:BONIFICO A VOSTRO FAVORE DA ACME FORNITURE SRL FATT 2026/000117
:61:2603100310C55,00NTRFNONREF//A2
:86:VERSAMENTO
:62F:C260310EUR2275,00
-
"""


def saldo(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, [*words, "--json"], env={"SALDO_LANG": "en"})
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_command_imports_a_statement_and_applies_it(world: World, tmp_path: Path) -> None:
    acme = world.account("Acme Forniture S.r.l.", code="A1")
    item = world.invoice(acme, "2026/000117", "1220.00")
    file = tmp_path / "marzo.sta"
    file.write_text(MT940)
    tried = saldo("cash", "apply", str(file), "--dry-run")
    assert tried["runs"][0]["lines"] == 2 and Statement.objects.count() == 1
    told = saldo("cash", "apply", str(file))
    (run_,) = told["runs"]
    assert (told["imported"], run_["company"], run_["lines"], run_["adds_up"]) == (2, "ONE", 2, True)
    assert run_["currencies"] == tried["runs"][0]["currencies"]
    again = saldo("cash", "apply", str(file))
    assert (again["imported"], again["unchanged"]) == (0, 2)
    (sums,) = again["runs"][0]["currencies"]
    waiting = saldo("cash", "lines")["lines"]
    assert len(waiting) == sums["lines"] == 2 - run_["posted"]
    for line in waiting:
        words = ["cash", "post", str(line["line"])]
        how = ["--proposal", "1"] if line["proposal"] == "match" else ["--account", "A1"]
        result = CliRunner().invoke(main, [*words, *how], env={"SALDO_LANG": "en"})
        assert result.exit_code == 0, result.output
    assert balances(acme) == {f"BT{waiting[-1]['line']}.1": "-55.00"} and item
    assert saldo("cash", "unapplied")["currencies"][0]["on_account"]["31-90"] is not None
    CliRunner().invoke(main, ["cash", "undo", str(waiting[-1]["line"])])
    assert balances(acme) == {}
    assert saldo("cash", "policy", "--set", "auto_above=0.999")["policy"]["auto_above"] == 0.999


def test_what_lines_reach_is_all_that_they_can_name_or_that_their_payers_owe() -> None:
    """No document with a key in common with a line is left out, whoever it is of; the rest is."""
    day = date(2026, 2, 3)
    numbers = [
        "2026/000117", "FT00117", "117", "A/117/26", "FV-2026-000117", "VE260000117", "9260000117",
        "2015/117", "2026/2015", "N.117/B", "ORD", "00009/2026", "2026",
    ]  # fmt: skip
    rows = [(n, 100 + n, number, day, "") for n, number in enumerate(numbers)]
    rows += [
        (90, 900, "ZZ-1", day, "ORD 2026-00045"),
        (91, 901, "ZZ-2", day, ""),
        (92, 902, "2026/000555", day, ""),
    ]
    schema = {"item_id": pl.Int64, "account_id": pl.Int64, "number": pl.String, "document_date": pl.Date,
              "order_ref": pl.String}  # fmt: skip
    items = pl.DataFrame(rows, schema=schema, orient="row")
    payers = Payers([PayerAccount(901, 1, "Acme Forniture S.r.l.")])
    for text in (
        "SALDO FATT. 117",
        "ft 2026/117 e 9/2026",
        "FT 2015/2026",
        "RIF. 260000117",
        "ORDINE 2026-00045",
    ):
        line = Line(1, DAY, 1000, "EUR", text, payer_name="ACME FORNITURE SRL")
        keys = wanted_keys([line])
        found = set(reachable(items, [line], payers, keys)["account_id"])
        named = {account for _, account, number, on, order in rows
                 if keys & set(document_keys(number, on)) or (order and "2026-00045" in text)}  # fmt: skip
        assert named | {901} <= found and 902 not in found, text
