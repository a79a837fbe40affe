"""A bank account of each company of web_world, with a day of lines as a statement and a run leave them.

Posted lines are posted by the real operations; proposals are rows, as the engine writes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from saldo.core.context import Context
from saldo.identity.operations import ensure_model_version
from tests.web_world import AS_OF, World, build, context

DAY = date(2025, 3, 19)
RECORDED = datetime(2025, 3, 19, 20, tzinfo=UTC)
IBANS = {"AURO": "IT60X0542811101000000123456", "BORE": "IT40S0542811101000000123457"}
STRANGER = "Lattoneria Straniera S.r.l."


@dataclass(frozen=True)
class CashWorld:
    world: World
    banks: dict[str, int]
    statements: dict[str, int]
    lines: dict[str, int]  # name -> id

    def item(self, number: str) -> int:
        return item_of(number)


def item_of(number: str) -> int:
    from saldo.ledger.models import Item

    return int(Item.objects.get(invoice__number=number, kind="installment").id)


def add_bank(company_id: int, iban: str, name: str) -> tuple[int, int]:
    """An account and one booked statement of DAY."""
    from saldo.cash.models import BankAccount, Statement

    bank = BankAccount.objects.create(company_id=company_id, name=name, iban=iban, recorded_at=RECORDED)
    statement = Statement.objects.create(
        bank_account=bank, kind="booked", identity=f"{iban}/1", number="1", from_date=DAY, to_date=DAY,
        opening=Decimal(100_000), opening_date=DAY, closing=Decimal(120_000), closing_date=DAY,
        currency="EUR", lines=6, recorded_at=RECORDED,
    )  # fmt: skip
    return bank.id, statement.id


def add_line(statement_id: int, amount: str, payer: str = "", text: str = "", **more: Any) -> int:
    from saldo.cash.models import BankTransaction, Statement

    statement = Statement.objects.select_related("bank_account").get(id=statement_id)
    ordinal = BankTransaction.objects.count() + 1
    made = BankTransaction.objects.create(
        company_id=statement.bank_account.company_id, bank_account=statement.bank_account,
        statement=statement, kind="booked", key=f"k{ordinal}", ordinal=ordinal,
        booking_date=more.pop("booking_date", DAY), value_date=DAY, amount=Decimal(amount), currency="EUR",
        payer_name=payer, text=text, recorded_at=RECORDED, **more,
    )  # fmt: skip
    return int(made.id)


def propose(
    line_id: int,
    account_id: int | None,
    shares: Sequence[tuple[str, str]] = (),
    differences: Sequence[tuple[str, str, str]] = (),
    probability: float = 0.97,
    rank: int = 1,
    kind: str = "match",
    unapplied: str = "0",
    zone: str = "propose",
    reasons: Sequence[dict[str, Any]] = (),
) -> int:
    """shares: (number, amount); differences: (kind, number, amount)."""
    from saldo.cash.models import MatchProposal

    def mills(text: str) -> int:
        return int(Decimal(text) * 1000)

    version = ensure_model_version(context(), "matching", "test", {})
    made = MatchProposal.objects.create(
        transaction_id=line_id, run=1, rank=rank, kind=kind, zone=zone, account_id=account_id,
        shares=[{"item": item_of(number), "mills": mills(amount)} for number, amount in shares],
        differences=[
            {"kind": why, "item": item_of(number), "mills": mills(amount)}
            for why, number, amount in differences
        ],
        unapplied=Decimal(unapplied), probability=probability, pattern="number.full|exact|sure",
        reasons=list(reasons), model_version=version, recorded_at=RECORDED,
    )  # fmt: skip
    return int(made.id)


EXPERIENCE = {"code": "match_experience", "params": {"confirmed": 412, "right": 411}}


def names(number: str) -> dict[str, Any]:
    return {"code": "match_numbers", "params": {"numbers": [number]}}


def build_cash() -> CashWorld:
    """Company AURO: a line with proposals, one that came short, one paid twice, one of nobody, one that
    Saldo posted, one that went out. Company BORE: one line of a stranger."""
    from saldo.cash.postings import post_match
    from saldo.core.matching.records import Share

    world = build()
    banks, statements, lines = {}, {}, {}
    for code, iban in IBANS.items():
        banks[code], statements[code] = add_bank(world.companies[code], iban, f"Banca {code.title()}")
    (first, first_name), (second, second_name), (third, third_name) = (
        world.account("AURO", place) for place in range(3)
    )
    here = statements["AURO"]
    lines["sure"] = add_line(
        here, "9001.50", first_name.upper(), "BONIFICO SALDO FT AURO-11/25", payer_iban=IBANS["BORE"]
    )
    propose(lines["sure"], first, [("AURO-11/25", "9001.50")], reasons=[names("AURO-11/25"), EXPERIENCE])
    propose(lines["sure"], first, [("AURO-12/25", "9001.50")], probability=0.41, rank=2)
    propose(lines["sure"], first, kind="on_account", unapplied="9001.50", probability=0.2, rank=3)
    lines["short"] = add_line(here, "9003.00", second_name, "PAGAMENTO FATT 21 E 22")
    propose(
        lines["short"], second, [("AURO-21/25", "4501.50"), ("AURO-22/25", "4501.50")],
        [("short", "AURO-22/25", "1.00")], probability=0.82, reasons=[names("AURO-21/25")],
    )  # fmt: skip
    lines["twice"] = add_line(here, "3001.50", third_name, "SALDO FT AURO-31/25")
    propose(lines["twice"], third, kind="duplicate", unapplied="3001.50", probability=0.6)
    lines["nobody"] = add_line(here, "500.00", "", "VERSAMENTO CONTANTE SPORTELLO 14")
    lines["out"] = add_line(here, "-12.50", "", "COMMISSIONI BONIFICO")
    lines["auto"] = add_line(here, "9006.50", first_name, "FT AURO-16/25")
    auto = propose(lines["auto"], first, [("AURO-16/25", "9006.50")], probability=0.999, zone="auto")
    post_match(
        cash_context(world), lines["auto"], first, [Share(item_of("AURO-16/25"), 9_006_500)],
        mode="auto", proposal_id=auto,
    )  # fmt: skip
    lines["stranger"] = add_line(statements["BORE"], "777.00", STRANGER, "FT BORE-11/25")
    return CashWorld(world, banks, statements, lines)


def cash_context(world: World, actor: str = "system:test") -> Context:
    from dataclasses import replace

    at = datetime.combine(AS_OF, datetime.min.time(), UTC).replace(hour=7)
    return replace(context(actor), company_id=world.companies["AURO"], clock=lambda: at)
