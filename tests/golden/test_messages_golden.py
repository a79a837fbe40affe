"""The shipped words, filled for an invented customer, are what the files say. After a change of the words:

python -m tests.golden.test_messages_golden
"""

from __future__ import annotations

from pathlib import Path

import pytest

from saldo.core.message_facts import Sender
from saldo.core.playbook import LETTER, PEC, PORTAL
from saldo.outreach.templates import StoredTemplate, example, filled, problems, shipped

FOLDER = Path(__file__).parent / "messages"
SENDER = Sender(
    "Officine Brambilla S.p.A.", "IT01234567897", "IT60X0542811101000000123456", "BPCVIT2SXXX",
    "Ufficio crediti", {},
)  # fmt: skip
CODES = sorted({code for code, _, _ in shipped()})
ALL = sorted(shipped())


def worded(template: StoredTemplate, channel: str = "") -> str:
    said = filled(template.template, example(template.template, sender=SENDER), channel)
    return f"Subject: {said.subject}\n\n{said.body}\n"


def expected() -> dict[str, str]:
    """File name -> text: every shipped template, and the formal notice as a letter."""
    made = {f"{code}.{channel}.{language}.txt": worded(shipped()[code, channel, language])
            for code, channel, language in ALL}  # fmt: skip
    for language in ("it", "en"):
        made[f"formal_notice.letter.{language}.txt"] = worded(
            shipped()["formal_notice", "email", language], LETTER
        )
    return made


@pytest.mark.parametrize("name", sorted(expected()))
def test_words(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == expected()[name]


def test_no_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == expected().keys()


@pytest.mark.parametrize("key", ALL, ids=".".join)
def test_the_shipped_words_pass_their_own_checks(key: tuple[str, str, str]) -> None:
    assert problems(shipped()[key].template) == []


def test_every_code_is_there_in_both_languages() -> None:
    assert {key[:2] for key in ALL if key[2] == "it"} == {key[:2] for key in ALL if key[2] == "en"}
    assert sorted([
        "courtesy", "documents_check", "due_today", "reminder_1", "reminder_2", "reminder_3", "last_reminder",
        "formal_notice", "thanks", "statement", "survey",
    ]) == CODES  # fmt: skip


@pytest.mark.parametrize("channel", [PEC, LETTER, PORTAL])
def test_words_lent_to_other_channels_leave_no_brace(channel: str) -> None:
    for code in CODES:
        text = worded(shipped()[code, "email", "it"], channel)
        assert "{" not in text and "}" not in text and "\n\n\n" not in text


if __name__ == "__main__":
    for old in FOLDER.iterdir():
        old.unlink()
    for name, text in expected().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
