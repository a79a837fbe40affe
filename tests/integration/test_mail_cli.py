"""saldo mail, saldo replies: the same as the pages, from a command line, with stable JSON."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from saldo.interfaces import clock
from saldo.interfaces.commands.main import main
from saldo.promises.models import Promise
from tests import mail_world
from tests.mail_world import NOW, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("SALDO_CHANNELS", str(tmp_path / "none.toml"))
    monkeypatch.setattr(clock, "now", lambda: NOW)
    monkeypatch.setattr(clock, "today", lambda: NOW.date())
    return mail_world.build()


def saldo(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"SALDO_LANG": "en"})


def told(*words: str) -> dict[str, Any]:
    result = saldo(*words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_from_a_saved_message_to_a_promise_and_back(world: World, tmp_path: Path) -> None:
    text = "Buongiorno, la fattura F-1 di 1.000,00 euro la paghiamo venerdì 20 marzo. Cordiali saluti"
    path = tmp_path / "risposta.eml"
    path.write_bytes(mail_world.answer(world.message(), text))
    (taken,) = told("mail", "take", str(path))["messages"]
    number = str(taken["reply"])
    assert (taken["kind"], taken["notes"], taken["account"]) == ("reply", [], world.account_id)
    assert told("mail", "take", str(path))["messages"][0]["kind"] == "duplicate"
    (row,) = told("replies", "list")["replies"]
    assert (row["account"], row["label"], row["trusted"], row["waits"]) == ("C1", "promise", True, True)
    shown = told("replies", "show", number)
    assert shown["proposal"]["one_key"] and shown["proposal"]["fields"]["promised_date"] == "2026-03-20"
    assert [turn["sender"] for turn in shown["thread"]] == ["us", "customer"]
    assert "2026-03-20" in saldo("replies", "show", number).output
    assert told("replies", "confirm", number)["act"] == "promise"
    promise = Promise.objects.get()
    assert (promise.promised_date, promise.amount) == (date(2026, 3, 20), 1000)
    assert told("replies", "list")["replies"] == []
    assert told("replies", "list", "--all")["replies"][0]["act"] == "promise"
    again = saldo("replies", "confirm", number)
    assert again.exit_code == 2 and "handled already" in again.output
    assert saldo("replies", "reopen", number, "--note", "sbagliata").exit_code == 0
    assert Promise.objects.get().end.outcome == "mistake"
    words = (
        "--act",
        "promise",
        "--date",
        "2026-03-27",
        "--amount",
        "400.00",
        "--item",
        str(world.items["F-2"]),
    )
    told("replies", "confirm", number, *words)
    assert Promise.objects.order_by("-id")[0].amount == 400


def test_a_stray_is_given_to_a_customer_and_dismissed(world: World, tmp_path: Path) -> None:
    path = tmp_path / "altro.eml"
    path.write_bytes(bytes(mail_world.mail("Buongiorno", sender="x@altro.test")))
    (taken,) = told("mail", "take", str(path), "--company", "ALFA")["messages"]
    number = str(taken["reply"])
    assert taken["notes"] == ["mail_unknown_sender"] and taken["account"] is None
    assert "no customer has the address x@altro.test" in saldo("replies", "show", number).output
    assert saldo("replies", "assign", number, "C9").exit_code == 2
    assert saldo("replies", "assign", number, "C1").exit_code == 0
    assert told("replies", "show", number)["account"] == "C1"
    assert saldo("replies", "dismiss", number).exit_code == 0
    assert saldo("replies", "dismiss", "999999").exit_code == 2
    assert saldo("replies", "confirm", number, "--amount", "tanti").exit_code != 0


def test_a_receipt_counts_as_one_only_from_a_mailbox_of_pec(world: World, tmp_path: Path) -> None:
    message = world.message("pec", mail_world.PEC_ADDRESS)
    data = mail_world.daticert("accettazione", str(message.rfc_id))
    path = tmp_path / "ricevuta.eml"
    path.write_bytes(mail_world.receipt("accettazione", str(message.rfc_id), data))
    assert told("mail", "take", str(path), "--pec")["messages"][0]["kind"] == "receipt"
    other = tmp_path / "altra.eml"
    other.write_bytes(path.read_bytes() + b"\r\n")
    assert told("mail", "take", str(other))["messages"][0]["notes"] == ["pec_receipt_elsewhere"]


def test_fetch_without_and_with_a_mailbox_that_cannot_be_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told("mail", "fetch") == {"mailboxes": []}
    path = tmp_path / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=1, security="none", more="timeout_seconds = 1"))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    result = saldo("mail", "fetch", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["mailboxes"][0]["error"] == "mailbox_unreachable"
    assert saldo("mail", "fetch", "--mailbox", "BETA:email").exit_code == 2
