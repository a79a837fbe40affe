"""Mail taken in by the tests, with a classifier that understands what the test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saldo.flows import understand_reply
from saldo.flows.read_mail import TakenMail, take
from saldo.outreach.channels import config
from saldo.outreach.models import Reply
from tests import mail_world
from tests.mail_world import World, context

Reads = Callable[..., None]


def world_with_mailbox(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A company whose mailbox stands in the file of the channels."""
    path = folder / "channels.toml"
    path.write_text(mail_world.CHANNELS.format(port=1143, security="none", more=""))
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    assert config.channels().public_url
    return mail_world.build()


class _Fact:
    def __init__(self, value: Any, confidence: float = 0.99) -> None:
        self.value, self.confidence, self.text = value, confidence, ""


class _Facts:
    """Facts as the classifier gives them; those that are not named are absent."""

    def __init__(self, **told: Any) -> None:
        self._told = told

    def __getattr__(self, name: str) -> Any:
        is_flag = name.startswith("is_") or name == "wants_no_more"
        value = self._told.get(name, False if is_flag else () if name == "parts" else None)
        is_plain = is_flag or name in ("parts", "currency") or value is None
        return value if is_plain else _Fact(value)


def faked_reading(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Say what the classifier is to understand: these tests are about what is done with it."""

    class Understood:
        label, zone, confidence, language, model = "other", "low", 0.4, "it", "test 1"
        reasons: tuple[dict[str, Any], ...] = ()
        facts = _Facts()

    class Analysis:
        SURE = 0.9
        calls: list[str] = []

        @staticmethod
        def Owed(*values: Any) -> Any:
            return values

        @staticmethod
        def classify(text: str, *rest: Any) -> Any:
            Analysis.calls.append(text)
            return Understood

    def understand(label: str, zone: str = "high", **facts: Any) -> None:
        Understood.label, Understood.zone, Understood.facts = label, zone, _Facts(**facts)
        Understood.confidence = 0.97 if zone == "high" else 0.6

    monkeypatch.setattr(understand_reply, "analysis", Analysis)
    understand.calls = Analysis.calls  # type: ignore[attr-defined]
    return understand


def taken(raw: bytes, mailbox: str = "ALFA:email", **more: Any) -> TakenMail:
    ctx = more.pop("ctx", context())
    return take(ctx, raw, mailbox, more.pop("company_id", None), **more)


def codes(told: TakenMail) -> set[str]:
    return {note["code"] for note in told.notes}


def reply_of(told: TakenMail) -> Reply:
    return Reply.objects.get(id=told.reply_id)
