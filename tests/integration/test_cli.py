"""The command line as other programs use it: one JSON object, stable keys, exit codes, designed errors."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from saldo.interfaces.commands.main import main

pytestmark = pytest.mark.django_db

MAPPING = """
source = "gestionale"
kind = "receivables"
[format]
delimiter = ";"
decimal = ","
thousands = "."
dates = ["DD/MM/YYYY"]
[columns]
customer_code = ["cliente"]
customer_name = ["nome"]
number = ["numero"]
document_date = ["data"]
due_date = ["scadenza"]
amount = ["importo"]
open = ["aperto"]
settled_date = ["saldata"]
optional = ["settled_date"]
[amount]
closed_when = "settled_date"
[values]
currency = "EUR"
"""
ROWS = """cliente;nome;numero;data;scadenza;importo;aperto;saldata
C1;Vetreria Alta S.r.l.;1/26;10/01/2026;10/02/2026;1.234,56;1.234,56;
C1;Vetreria Alta S.r.l.;2/26;10/02/2026;10/03/2026;100,00;40,00;
C2;Legnami Bassi S.n.c.;3/26;31/02/2026;10/03/2026;10,00;10,00;
C2;Legnami Bassi S.n.c.;4/26;01/01/2026;31/01/2026;500,00;0,00;20/02/2026
C2;Legnami Bassi S.n.c.;5/26;05/03/2026;04/04/2026;-50,00;-50,00;
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    table, profile = tmp_path / "partite.csv", tmp_path / "gestionale.toml"
    table.write_text(ROWS)
    profile.write_text(MAPPING)
    return str(table), str(profile)


def saldo(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"SALDO_LANG": "en"})


def told(result: Result) -> dict[str, Any]:
    """The one JSON object on standard output."""
    return json.loads(result.stdout)


def imported(files: tuple[str, str], *more: str) -> dict[str, Any]:
    table, profile = files
    words = ("--kind", "receivables", "--mapping", profile, "--as-at", "2026-03-31", "--json", *more)
    return told(saldo("import", table, *words))


def test_import_says_what_was_done_and_refused(files: tuple[str, str]) -> None:
    first = imported(files)
    assert (first["done"], first["unchanged"], first["closed"], first["status"]) == (4, 0, 0, "done")
    (refused,) = first["rejections"]
    assert refused["where"] == "row 4" and "31/02/2026" in refused["excerpt"]
    assert refused["why"] and refused["remedy"]
    again = imported(files)
    assert (again["done"], again["unchanged"]) == (0, 4)


def test_a_dry_run_tells_the_same_and_writes_nothing(files: tuple[str, str]) -> None:
    dry = imported(files, "--dry-run")
    nothing = told(saldo("aging", "--as-of", "2026-03-31", "--json"))
    real = imported(files)
    assert nothing["open"] == "0.00"
    assert {key: dry[key] for key in ("done", "unchanged", "closed", "rejections", "status")} == {
        key: real[key] for key in ("done", "unchanged", "closed", "rejections", "status")
    }


def test_aging_of_any_day(files: tuple[str, str]) -> None:
    imported(files)
    late = told(saldo("aging", "--as-of", "2026-03-31", "--json", "--by", "account"))
    assert late["open"] == "1274.56" and late["credits"] == "50.00" and late["net"] == "1224.56"
    assert late["overdue"] == "1274.56" and late["unapplied"] == "0.00"
    assert late["buckets"] == {
        "current": "0.00", "1-30": "40.00", "31-60": "1234.56", "61-90": "0.00", ">90": "0.00",
    }  # fmt: skip
    assert [row["account"] for row in late["accounts"]] == ["C1", "C2"]
    # The invoice paid on 20 February was open before, and the part payment was not yet seen.
    early = told(saldo("aging", "--as-of", "2026-02-15", "--json"))
    assert early["open"] == "1834.56"
    # Before the import nothing was known.
    unknown = told(saldo("aging", "--as-of", "2026-03-31", "--known-at", "2020-01-01", "--json"))
    assert unknown["open"] == "0.00"


def test_the_day_its_worklist_and_its_indicators(files: tuple[str, str]) -> None:
    imported(files)
    first = told(saldo("day", "--as-of", "2026-03-31", "--json"))["runs"]
    again = told(saldo("day", "--as-of", "2026-03-31", "--json"))["runs"]
    assert first[0]["is_new"] and not again[0]["is_new"]
    assert first[0]["known_at"] == again[0]["known_at"] and again[0]["version"] == 1
    rows = told(saldo("worklist", "--as-of", "2026-03-31", "--json"))["rows"]
    assert [(row["rank"], row["account"], row["overdue"]) for row in rows] == [(1, "C1", "1274.56")]
    assert rows[0]["action"] and rows[0]["reasons"] and Decimal(rows[0]["value"]) >= 0
    kpis = told(saldo("kpi", "--as-of", "2026-03-31", "--json"))
    assert kpis["overdue_share"] == 1.0 and "dso" in kpis
    assert all(one["definition"] for one in kpis["currencies"][0]["indicators"])


def test_stored_measures_are_those_recomputed(files: tuple[str, str]) -> None:
    from saldo.measurement.models import Measure

    imported(files)
    saldo("day", "--as-of", "2026-03-31", "--json")
    kpis = told(saldo("kpi", "--as-of", "2026-03-31", "--json"))["currencies"][0]["indicators"]
    stored = {measure.name: measure.value for measure in Measure.objects.all()}
    for one in kpis:
        value = None if one["value"] is None else Decimal(repr(one["value"])).quantize(Decimal("0.000001"))
        assert stored[one["name"]] == value
    aging = told(saldo("aging", "--as-of", "2026-03-31", "--json"))
    for name in ("open", "credits", "net", "overdue", "unapplied"):
        assert stored[name] == Decimal(aging[name])


def test_reading_needs_no_database(files: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    table, profile = files
    result = saldo("read", table, "--mapping", profile, "--json")
    read = told(result)
    assert result.exit_code == 1 and len(read["rejections"]) == 1
    first = read["invoices"][0]
    assert {key: first[key] for key in ("number", "kind", "date", "currency", "total", "expected_cash")} == {
        "number": "1/26", "kind": "invoice", "date": "2026-01-10", "currency": "EUR", "total": "1234.56",
        "expected_cash": "1234.56",
    }  # fmt: skip
    assert first["installments"][0]["due_date"] == "2026-02-10"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("import", "missing.csv", "--mapping", "odoo"), "file_unreadable"),
        (("import", "FILE", "--kind", "receivables"), "mapping_needed"),
        (("import", "FILE", "--mapping", "nobody"), "mapping_unknown_profile"),
        (("aging", "--company", "NOBODY"), "company_unknown"),
    ],
)
def test_errors_have_a_code_and_a_remedy(files: tuple[str, str], words: tuple[str, ...], code: str) -> None:
    result = saldo(*(files[0] if word == "FILE" else word for word in words), "--json")
    answer = told(result)
    error = answer["error"] if "error" in answer else answer["rejections"][0]
    assert result.exit_code == 2
    assert error["code"] == code and error["why"] and error["remedy"]


def test_what_a_supplier_issued_to_us_is_no_receivable(tmp_path: Path) -> None:
    """Nor does it make a company of the supplier."""
    from tests.fatturapa_samples import BUYER, SELLER, invoice

    ours, theirs = tmp_path / "emessa.xml", tmp_path / "ricevuta.xml"
    ours.write_text(invoice())
    swapped = invoice().replace(SELLER[1], "·").replace(BUYER[1], SELLER[1]).replace("·", BUYER[1])
    theirs.write_text(swapped)
    first = told(saldo("import", str(ours), "--json"))
    second = told(saldo("import", str(theirs), "--json"))
    assert (first["done"], first["rejections"]) == (1, [])
    assert second["done"] == 0
    assert [one["code"] for one in second["rejections"]] == ["row_invoice_received"]
    companies = told(saldo("company", "list", "--json"))["companies"]
    assert [one["code"] for one in companies] == ["".join(SELLER)]


def test_the_summary_of_the_whole_company_is_that_of_its_rows(files: tuple[str, str]) -> None:
    """The quick way to the worklist's totals agrees with the sum over the rows, also when some are done."""
    from datetime import date

    from saldo.collection.operations import record_outcome
    from saldo.collection.queries import DONE, worklist_summary
    from saldo.core.context import Context
    from saldo.identity.queries import companies, latest_day_run
    from saldo.interfaces import clock
    from saldo.parties.models import CustomerAccount

    imported(files)
    saldo("day", "--as-of", "2026-03-31", "--json")
    ctx = Context("system:test", date(2026, 3, 31), clock.now)
    ctx = ctx.within(companies(ctx)[0].id)
    run = latest_day_run(ctx.company_id)
    before = worklist_summary(ctx, run, whole_company=True)
    assert before == worklist_summary(ctx, run) and before.actions == 1
    record_outcome(ctx, CustomerAccount.objects.get(code="C1").id, DONE)
    after = worklist_summary(ctx, run, whole_company=True)
    assert after.actions == worklist_summary(ctx, run).actions == 0
    assert not any(after.overdue.values()) and not any(after.blocks.values())


def test_a_look_ahead_does_not_take_the_place_of_the_days_work(files: tuple[str, str]) -> None:
    """Somebody runs a day of next year: the pages stay on the newest day up to today."""
    from datetime import date

    from saldo.core.context import Context
    from saldo.identity.queries import companies, current_day_run
    from saldo.interfaces import clock

    imported(files)
    for day in ("2026-03-30", "2026-03-31", "2027-03-31"):
        saldo("worklist", "--as-of", day)
    company = companies(Context("system:test", date(2026, 3, 31), clock.now))[0].id
    found = [current_day_run(company, date(2026, month, 1)) for month in (3, 4)]
    assert [run and run.as_of for run in found] == [date(2027, 3, 31), date(2026, 3, 31)]


def test_figures_for_a_person_name_the_company_and_are_rounded(files: tuple[str, str]) -> None:
    imported(files)
    shown = saldo("kpi", "--as-of", "2026-03-31").stdout.splitlines()
    assert shown[0].split() == ["2026-03-31", "MAIN", "EUR"]
    assert any(line.split()[:2] == ["overdue_share", "100.0%"] for line in shown)
    assert saldo("worklist", "--as-of", "2026-03-31").stdout.split()[1] == "MAIN"
