"""Balance sheets and ratings: kept beside the customers they are about, once, and nothing is lost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from saldo.core.context import Context
from saldo.flows.import_documents import import_file
from saldo.identity.models import Event
from saldo.identity.operations import ensure_company
from saldo.parties.models import Customer
from saldo.parties.operations import PARTY_COLUMNS, ensure_accounts
from saldo.risk.models import FinancialStatement, Rating

pytestmark = pytest.mark.django_db
DAY = date(2026, 6, 1)
VAT, OTHER_VAT = "IT07654320105", "IT01234567897"
XBRL = """<?xml version="1.0"?>
<xbrl xmlns="http://www.xbrl.org/2003/instance" xmlns:iso4217="http://www.xbrl.org/2003/iso4217"
 xmlns:itcc-ci="http://www.infocamere.it/itnn/fr/itcc/ci/2018-11-04">
<context id="i"><entity><identifier scheme="http://www.infocamere.it">{tax}</identifier></entity>
<period><instant>2025-12-31</instant></period></context>
<unit id="eur"><measure>iso4217:EUR</measure></unit>
<itcc-ci:TotaleAttivo contextRef="i" unitRef="eur" decimals="0">{assets}</itcc-ci:TotaleAttivo>
<itcc-ci:TotalePatrimonioNetto contextRef="i" unitRef="eur" decimals="0">300000
</itcc-ci:TotalePatrimonioNetto>
</xbrl>"""
RATINGS = """Provider;Partita IVA;Classe;Punteggio;PD;Data rating;Valido al
Agenzia Beta;{vat};B2;61;0,0125;01/05/2026;01/05/2027
Agenzia Beta;IT03054720106;C1;40;0,05;01/05/2026;01/05/2027
Agenzia Gamma;;A;;;01/05/2026;
"""


def context() -> Context:
    return Context("clara", DAY, lambda: datetime(2026, 6, 1, 9, tzinfo=UTC), language="en")


def take_in(name: str, text: str, **more: Any) -> Any:
    return import_file(context(), name, text.encode(), **more)


@pytest.fixture
def company(db: None) -> int:
    ctx = context()
    company = ensure_company(ctx, "CREDIT")
    rows = [
        (company.id, "C1", "Officina Bellaluna S.r.l.", VAT, "07654320105", "IT"),
        (company.id, "C2", "Molino Dorsoduro S.n.c.", OTHER_VAT, "", "IT"),
    ]
    stamped = Context(ctx.actor, DAY, ctx.clock, recorded_at=ctx.clock())
    ensure_accounts(stamped, pl.DataFrame(rows, schema=PARTY_COLUMNS, orient="row"))
    return company.id


def test_a_balance_sheet_is_kept_once_and_corrected_by_another(company: int) -> None:
    text = XBRL.format(tax="07654320105", assets="1000000")
    first = take_in("bilancio.xbrl", text)
    assert (first.done, first.unchanged, len(first.rejections), first.status) == (1, 0, 0, "done")
    (kept,) = FinancialStatement.objects.all()
    assert kept.customer == Customer.objects.get(vat_number=VAT)
    assert (kept.year_end_date, kept.currency) == (date(2025, 12, 31), "EUR")
    assert kept.figures["total_assets"] == "1000000.00" and kept.figures["equity"] == "300000.00"
    again = take_in("bilancio-copia.xbrl", text + "\n")
    assert (again.done, again.unchanged) == (0, 1)
    corrected = take_in("bilancio.xbrl", XBRL.format(tax="07654320105", assets="1000001"))
    assert (corrected.done, FinancialStatement.objects.count()) == (1, 2)
    # Days that were run before know that something came since.
    assert Event.objects.filter(kind="import.done", company_id=company, subject_kind="batch").count() == 2


def test_what_is_about_nobody_we_know_is_refused_and_may_come_again(company: int) -> None:
    told = take_in("rating.csv", RATINGS.format(vat=OTHER_VAT), mapping="ratings")
    assert told.done == 1
    assert {one.code for one in told.rejections} >= {"credit_customer_unknown"}
    unknown = next(one for one in told.rejections if one.code == "credit_customer_unknown")
    assert "IT03054720106" in unknown.why("en")
    (kept,) = Rating.objects.all()
    assert (kept.agency, kept.value, kept.pd) == ("Agenzia Beta", "B2", 0.0125)
    assert (kept.rating_date, kept.valid_until) == (date(2026, 5, 1), date(2027, 5, 1))
    # The customer comes later; the same file then adds what was refused, and nothing twice.
    ctx = context()
    stamped = Context(ctx.actor, DAY, ctx.clock, recorded_at=ctx.clock())
    late = [(company, "C3", "Vetreria Olmeneta S.p.A.", "IT03054720106", "", "IT")]
    ensure_accounts(stamped, pl.DataFrame(late, schema=PARTY_COLUMNS, orient="row"))
    again = take_in("rating.csv", RATINGS.format(vat=OTHER_VAT), mapping="ratings")
    assert (again.done, again.unchanged, Rating.objects.count()) == (1, 1, 2)


def test_rows_add_up_whatever_is_in_the_file(company: int) -> None:
    for name, text, more in (
        ("bilancio.xbrl", XBRL.format(tax="99999999999", assets="1"), {}),
        ("rating.csv", RATINGS.format(vat="IT00000000000"), {"mapping": "ratings"}),
    ):
        told = take_in(name, text, **more)
        assert told.done == 0 and len(told.rejections) == told.counts["rows"]
    assert not FinancialStatement.objects.exists() and not Rating.objects.exists()
