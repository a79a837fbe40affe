"""Every scenario beside this file holds, and the interpreter says precisely what does not."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import pytest
from click.testing import CliRunner

from saldo.identity.models import Company
from saldo.simulation.scenario import app, run_scenario, scenario
from saldo.simulation.scenario_checks import EXPECTATIONS
from saldo.simulation.scenario_verbs import VERBS

pytestmark = pytest.mark.django_db
FILES = sorted(Path(__file__).parent.glob("*.txt"))


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 25


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_scenario(path: Path) -> None:
    report = run_scenario(path.read_text(encoding="utf-8"), path.name)
    assert not report.failures, "\n" + "\n".join(report.lines())
    assert report.checks > 0


BROKEN = [
    # (lines, number of the line at fault, what was expected, what was found)
    ("2026-01-05 invoice ACME F-1 100.00 EUR due 2026-02-04 expect balance ACME 90.00",
     2, "balance ACME 90.00", "100.00 EUR"),
    ("2026-01-05 invoice ACME F-1 100.00 EUR due 2026-02-04\n2026-01-06 expect item F-2 100.00",
     3, "item F-2 100.00", "item_unknown"),
    ("2026-03-01 invoice ACME F-1 100.00 EUR due 2026-02-04 expect aging ACME current 100.00",
     2, "aging ACME current 100.00", "1-30 100.00"),
    ("2026-01-05 invoice ACME F-1 100.00 EUR due 2026-02-04 expect error document_exists",
     2, "error document_exists", "no error"),
    ("2026-01-05 payment ACME 1.00 EUR on F-9\n2026-01-06 expect balance ACME 0.00",
     2, "no error", "item_unknown"),
    ("2026-01-05 invoise ACME F-1 100.00 EUR\n           expect open ACME 1.00",
     2, "one of company", "invoise"),
    ("2026-01-05 invoice ACME F-1 a lot\n           expect open ACME 1.00",
     2, "invoice CUSTOMER NUMBER AMOUNT", "a lot"),
    ("2026-01-05 expect solvent ACME", 2, "one of error", "solvent ACME"),
    ("2026-01-05 expect open ACME much", 2, "open CUSTOMER AMOUNT", "open ACME much"),
    ("2026-01-05 expect open ACME 0.00\n2026-01-04 expect open ACME 0.00",
     3, "a date not before 2026-01-05", "2026-01-04"),
    ("2026-02-30 expect open ACME 0.00", 2, "a day of the calendar", "2026-02-30"),
    ("2026-01-05 day", 2, "at least one expectation", "none"),
    ('2026-01-05 import erp delta """\ncustomer;number', 2, 'a closing """', "the end of the file"),
    ('2026-01-05 day expect action ACME call "open', 2, "a closing double quote", "open"),
    ("2026-01-05 expect open ACME 0.00\ncustomer LATE", 3, "a date at the beginning", "customer"),
    ("2026-01-05 expect action ACME call", 2, "action ACME call", "account_unknown"),
    ("2026-01-05 expect rejected nothing", 2, "rejected nothing", "batch_unknown"),
]  # fmt: skip


@pytest.mark.parametrize("lines, number, expected, found", BROKEN, ids=[case[2] for case in BROKEN])
def test_what_does_not_hold_is_said_precisely(lines: str, number: int, expected: str, found: str) -> None:
    report = run_scenario(f"# Something does not hold.\n{lines}", "broken.txt")
    (failure,) = report.failures
    assert failure[0] == number
    assert expected in failure[1]
    assert found in failure[2]
    assert report.lines()[0].startswith(f"broken.txt:{number}: expected {expected[:10]}")


def test_a_scenario_without_a_title_is_refused() -> None:
    (failure,) = run_scenario("2026-01-05 expect open ACME 0.00").failures
    assert "a comment that says what the scenario shows" in failure[1]


def test_nothing_stays() -> None:
    text = "# A test.\n2026-01-05 invoice ACME F-1 100.00 EUR due 2026-02-04 expect balance ACME 100.00"
    assert not run_scenario(text).failures
    assert not Company.objects.exists()
    # The same again: what the first run made is not there.
    assert not run_scenario(text).failures


def test_the_command_fails_when_a_scenario_does(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.txt", tmp_path / "bad.txt"
    line = "2026-01-05 invoice ACME F-1 100.00 EUR due 2026-02-04 expect balance ACME "
    good.write_text(f"# Good.\n{line}100.00\n")
    bad.write_text(f"# Bad.\n{line}1.00\n")
    with patch.object(app, "prepare"):
        passed = CliRunner().invoke(scenario, [str(good)])
        failed = CliRunner().invoke(scenario, [str(good), str(bad), "--json"])
        spoken = CliRunner().invoke(scenario, [str(bad)])
    assert passed.exit_code == 0 and "1 scenarios, 1 expectations, 0 failed" in passed.output
    assert failed.exit_code == 1
    assert f"{bad}:2: expected balance ACME 1.00, found 100.00 EUR" in spoken.output
    told = json.loads(failed.output)
    assert told["failed"] == 1
    assert told["scenarios"][1]["failures"] == [
        {"line": 2, "expected": "balance ACME 1.00", "found": "100.00 EUR"}
    ]


def test_the_page_about_the_language_names_every_word() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "scenarios.md").read_text(encoding="utf-8")
    words = {*VERBS, *EXPECTATIONS, "error"}
    assert not [word for word in words if f"`{word}" not in page]
