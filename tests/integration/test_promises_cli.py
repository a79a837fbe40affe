"""saldo promise, plan, dispute, hold, claim and sending, from the command line to the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from saldo.interfaces.commands import promises as said
from saldo.interfaces.commands import sending as brakes
from saldo.interfaces.commands.main import main
from tests.integration.test_blocks import DAY, Case

pytestmark = pytest.mark.django_db
AS_OF = f"--as-of={DAY}"


def run(*words: str, code: int = 0) -> Result:
    with patch.object(said, "prepare"), patch.object(brakes, "prepare"):
        result = CliRunner().invoke(main, list(words), env={"SALDO_LANG": "en"})
    assert result.exit_code == code, (result.output, result.exception)
    return result


def told(*words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return answer


@pytest.fixture
def case() -> Case:
    return Case()


def test_each_thing_is_added_listed_and_ended(case: Case) -> None:
    who = ("Rossi S.r.l.", "--company=ONE", AS_OF)
    added = told("promise", "add", *who, "--by=2026-03-20", "--item=f 1", "--amount=300.00")
    assert case.blocked(code="promised") == {case.first: 300_000}
    (row,) = told("promise", "list", *who)["promises"]
    assert (row["id"], row["state"], row["remaining"]) == (added["promise"], "open", "300.000")
    run("promise", "end", str(added["promise"]), AS_OF)
    plan = told("plan", "add", *who, "--item=F-2", "--pay=2026-04-01=400.00", "--pay=2026-05-01=600.00")[
        "plan"
    ]
    assert case.blocked() == {case.second: 1_000_000}
    assert "left 1000.00" in run("plan", "list", *who).stdout
    run("plan", "end", str(plan), "--outcome=fallen", AS_OF)
    dispute = told("dispute", "add", *who, "--item=F-1=50.00", "--item=F-2", "--reason=quality")["dispute"]
    assert case.blocked() == {case.first: 50_000, case.second: 1_000_000}
    assert "1050.00 EUR  quality  open" in run("dispute", "list", *who).stdout
    run("dispute", "end", str(dispute), "--outcome=refused", AS_OF)
    hold = told("hold", "add", *who, "--until=2026-03-15", "--item=F-3", "--reason=agreed")["hold"]
    assert case.blocked() == {case.third: None} and "agreed  open" in run("hold", "list", *who).stdout
    run("hold", "end", str(hold), AS_OF)
    claim = told("claim", "add", *who, "--item=F-1", "--paid=2026-03-01")["claim"]
    assert [one["id"] for one in told("claim", "list", "--company=ONE", AS_OF)["claims"]] == [claim]
    run("claim", "end", str(claim), "--outcome=not_found", AS_OF)
    assert case.blocked() == {}


def test_what_is_refused_says_so(case: Case) -> None:
    who = ("Rossi S.r.l.", "--company=ONE", AS_OF)
    bad = [
        (("promise", "add", *who, "--by=2026-03-20", "--item=F-9"), "item_unknown"),
        (("promise", "add", *who, "--by=2026-03-20", "--amount=3,50"), "stated_amount_invalid"),
        (("promise", "add", "Nobody", "--company=ONE", AS_OF, "--by=2026-03-20"), "account_unknown"),
        (("promise", "add", *who, "--by=2026-03-01"), "promise_in_the_past"),
    ]
    for words, code in bad:
        assert json.loads(run(*words, "--json", code=2).stdout)["error"]["code"] == code
    run("plan", "add", *who, "--item=F-2", "--pay=soon", code=2)
    run("sending", "prescription", "--customer=X", code=2)


def test_the_way_to_go_live(case: Case, tmp_path: Path) -> None:
    one = ("--company=ONE", AS_OF)
    shown = told("sending", "show", *one)
    assert shown["missing"] == ["playbook", "channel", "statement", "levels", "cutover"]
    assert shown["rules"]["daily_cap"] == 200
    run("sending", "set", "daily_cap=30", "signature.it=Ufficio crediti", "--company=ONE", "--note=prudenza")
    run("sending", "set", "signature.en=Credit office", "--company=ONE")
    assert told("sending", "show", *one)["rules"]["signature"] == {
        "it": "Ufficio crediti",
        "en": "Credit office",
    }
    assert "was so already" not in run("sending", "stop", "--company=ONE", "--note=x").stdout
    assert told("sending", "show", *one)["is_stopped"]
    run("sending", "resume", "--company=ONE")
    file = tmp_path / "solleciti.csv"
    file.write_text("cliente;fattura;livello;data\nRossi S.r.l.;F-1;2;01/03/2026\nX;F-1;2;01/03/2026\n")
    answer = json.loads(run("sending", "import-reminders", str(file), *one, "--json", code=1).stdout)
    assert (answer["new"], answer["rejected"]) == (1, 1)
    assert answer["rejections"][0]["code"] == "reminder_customer_unknown"
    assert run("sending", "levels", "--levels=0=1", *one).stdout == "1 items\n"
    run("sending", "cut-over", str(DAY), *one, code=2)
    run("sending", "cut-over", str(DAY), "--accept-missing", *one, code=1)
    assert told("sending", "show", *one)["is_live"]
    run("sending", "levels", "--levels=soon", *one, code=2)


def test_prescription_is_told(case: Case) -> None:
    (first, *_) = told("sending", "prescription", "--company=ONE", "--customer=Rossi S.r.l.", "--all", AS_OF)[
        "items"
    ]
    assert (first["number"], first["balance"], first["expires_date"]) == ("F-1", "400.00", "2036-02-01")
    assert told("sending", "prescription", "--company=ONE", AS_OF)["items"] == []
    assert "F-2" in run("sending", "prescription", "--company=ONE", "--all", AS_OF).stdout
