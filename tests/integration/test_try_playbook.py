"""A playbook tried on a day's portfolio, from code and from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from django.apps import apps

from saldo.collection.playbook_changes import activate, save
from saldo.core.errors import SaldoError
from saldo.core.playbook_text import shipped
from saldo.flows.try_playbook import told, try_playbook
from saldo.identity.queries import CompanyRow, company_by_code
from saldo.interfaces.commands.main import main
from saldo.parties.models import Contact
from tests.web_world import build, context

pytestmark = pytest.mark.django_db
STANDARD = shipped()["standard"]
# What each customer of the world owes: six invoices, 32 to 37 days late.
OWED = {"C1": "54024.00", "C2": "27024.00", "C3": "18024.00"}
ONLY_BEFORE_DUE = """
code = "solo-prima"
order = 1
title = { it = "Solo prima", en = "Only before" }
[segment]
code = "solo-prima"
title = { it = "Tutti", en = "All" }
when = { min_open = "20000" }
[[step]]
code = "cortesia"
track = "soon"
level = 0
day = -5
channel = "email"
template = "courtesy"
tone = "courtesy"
"""


@pytest.fixture
def company(db: None) -> CompanyRow:
    world = build()
    for account in world.accounts["AURO"].values():
        Contact.objects.create(account_id=account, name="Ada", email=f"ada{account}@example.com")
    return company_by_code("AURO")


def put_in_force(company: CompanyRow, text: str) -> None:
    activate(context("bruno"), company.id, save(context("anna"), company.id, text).id)


def tried(company: CompanyRow, text: str) -> dict[str, Any]:
    answer = told(try_playbook(context("anna"), company, text))
    assert answer == json.loads(json.dumps(answer))
    return answer


def rows_stored() -> dict[str, int]:
    return {model._meta.label: model.objects.count() for model in apps.get_models() if model._meta.managed}


def test_who_would_get_what_before_anything_is_in_force(company: CompanyRow) -> None:
    before = rows_stored()
    answer = tried(company, STANDARD)
    assert rows_stored() == before
    assert (answer["active_version"], answer["accounts"], answer["warnings"]) == (None, 3, [])
    found = {
        row["account"]: (row["step"], row["channel"], row["asked"], row["items"]) for row in answer["rows"]
    }
    # However late: the first message is the first level.
    assert found == {code: ("sollecito-1", "email", owed, 6) for code, owed in OWED.items()}
    assert answer["steps"] == [
        {"track": "overdue", "level": 1, "step": "sollecito-1", "channel": "email", "blocked": "",
         "currency": "EUR", "messages": 3, "items": 18, "asked": "99072.00"}
    ]  # fmt: skip
    assert (answer["changes"]["accounts_in"], answer["changes"]["added"]) == (3, 3)
    assert answer["before"] == []
    assert answer["after"] == [
        {"currency": "EUR", "messages": 3, "asked": "99072.00", "suggested": 0, "blocked": 0}
    ]
    assert all(row["reasons"] for row in answer["rows"])


def test_what_changes_against_the_version_in_force(company: CompanyRow) -> None:
    put_in_force(company, STANDARD)
    same = tried(company, STANDARD.replace("# Restarts", "# It restarts"))["changes"]
    assert (same["moved"], same["messages"]) == ([], [])
    answer = tried(company, STANDARD.replace('min_amount = "30.00"', 'min_amount = "20000"'))
    assert answer["active_version"] == 1
    (change,) = answer["changes"]["messages"]
    assert (change["account"], change["kind"], change["fields"]) == ("C3", "changed", ["blocked"])
    assert (change["blocked_before"], change["blocked"]) == ("", "below_minimum")
    renamed = tried(company, STANDARD.replace('"sollecito-1"', '"primo-sollecito"'))
    assert [row["fields"] for row in renamed["changes"]["messages"]] == [["step"]] * 3


def test_accounts_that_another_playbook_takes(company: CompanyRow) -> None:
    put_in_force(company, STANDARD)
    changes = tried(company, ONLY_BEFORE_DUE)["changes"]
    assert (changes["accounts_in"], changes["accounts_out"], changes["dropped"]) == (2, 0, 2)
    assert [(row["account"], row["playbook_before"], row["playbook"]) for row in changes["moved"]] == [
        ("C1", "standard", "solo-prima"),
        ("C2", "standard", "solo-prima"),
    ]
    put_in_force(company, ONLY_BEFORE_DUE)
    smaller = tried(company, ONLY_BEFORE_DUE.replace("20000", "50000"))
    assert (smaller["changes"]["accounts_out"], smaller["changes"]["added"]) == (1, 1)


def test_a_text_that_could_not_be_saved_is_not_tried(company: CompanyRow) -> None:
    with pytest.raises(SaldoError) as refused:
        try_playbook(context("anna"), company, STANDARD.replace('"reminder_2"', '"reminder_22"'))
    assert [p.code for p in refused.value.params["problems"]] == ["playbook_template_misspelt"]


# -- the command line --


def saldo(*words: str, user: str = "anna") -> Result:
    return CliRunner().invoke(main, ["playbook", *words], env={"SALDO_LANG": "en", "LOGNAME": user})


def test_check_needs_no_database_and_tells_every_mistake(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(STANDARD, encoding="utf-8")
    assert saldo("check", str(path)).exit_code == 0
    path.write_text(STANDARD.replace("day = 5", "day = 5.5").replace('"firm"', '"frim"'), encoding="utf-8")
    result = saldo("check", str(path), "--json")
    answer = json.loads(result.stdout)
    assert (result.exit_code, answer["is_valid"]) == (1, False)
    assert [(p["step"], p["code"], p["severity"]) for p in answer["problems"]] == [
        ("sollecito-1", "playbook_not_whole", "error"),
        ("chiamata-2", "playbook_value_misspelt", "error"),
        ("sollecito-3", "playbook_value_misspelt", "error"),
    ]
    assert answer["problems"][0]["line"] == STANDARD.split("\n").index("day = 5") + 1


def test_from_the_file_to_in_force(company: CompanyRow, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(STANDARD.replace('"email"', '"emial"', 1), encoding="utf-8")
    for verb in ("save", "dry-run"):
        refused = saldo(verb, str(path), "--company", "AURO")
        assert (refused.exit_code, "step “cortesia”" in refused.output) == (1, True)
    path.write_text(STANDARD, encoding="utf-8")
    dry = saldo("dry-run", str(path), "--company", "AURO", "--as-of", "2025-03-20", "--json")
    assert (dry.exit_code, json.loads(dry.stdout)["changes"]["added"]) == (0, 3)
    saved = json.loads(saldo("save", str(path), "--company", "AURO", "--json").stdout)
    assert (saved["version"], saved["is_new"]) == (1, True)
    own = saldo("activate", "standard", "--company", "AURO")
    assert own.exit_code == 2 and "cli:anna" in own.output
    other = saldo("activate", "standard", "--company", "AURO", user="bruno")
    assert "version 1 is in force from now on" in other.stdout
    (row,) = json.loads(saldo("list", "--json").stdout)["playbooks"]
    assert (row["active_version"], row["activated_by"]) == (1, "cli:bruno")
    shown = saldo("show", "standard", "--company", "AURO")
    assert shown.stdout == STANDARD
    path.write_text(STANDARD.replace("day = 5", "day = 6"), encoding="utf-8")
    saldo("save", str(path), "--company", "AURO")
    assert "day: 5 → 6" in saldo("diff", "standard", "1", "2", "--company", "AURO").stdout
    assert "out of force" in saldo("retire", "standard", "--company", "AURO").stdout
    assert len(saldo("install", "--company", "AURO").stdout.splitlines()) == 3
    assert "nothing to install" in saldo("install", "--company", "AURO").stdout
