"""Replies of customers: many ways of saying few things, days that denote one day, mails that read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hand_world import hand_tables

from saldo.formats.detect import read_bytes
from saldo.simulation.draws import Draws
from saldo.simulation.files._spoken import amount_phrases, day_phrases, due_phrases, in_words
from saldo.simulation.files.replies import Letter, Said, letters, replies, reply_text
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

KINDS = ("promise", "dispute", "already_paid", "out_of_office", "wrong_person", "angry", "question",
         "plan_accepted")  # fmt: skip
FRIDAY = date(2026, 5, 22)
REPLIES_EACH = 12


def _said(ix: int, kind: str, language: str) -> Said:
    return Said(
        ix, kind, language, FRIDAY,
        promise_date=FRIDAY + timedelta(days=1 + ix % 45) if kind == "promise" else None,
        promise_cents=500_00 if kind == "promise" and ix % 2 else None, owed_cents=1_220_00,
        reason="price" if kind == "dispute" else None,
        return_date=FRIDAY + timedelta(days=3) if kind == "out_of_office" else None,
        documents=("2/26",) if ix % 3 else ("2/26", "3/26"), writer="Anna Ferralli",
        customer="Edil Brentolia S.r.l.", domain="brentolia.test", payee="Officine Aurelia S.p.A.",
        gone="Bruno Ferralli",
    )  # fmt: skip


@pytest.mark.parametrize("language", ["it", "en"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_said_in_many_ways(kind: str, language: str) -> None:
    texts = [reply_text(Draws(3), _said(ix, kind, language)) for ix in range(300)]
    assert len(set(texts)) > 285
    # The signature and the document number are always the same: what differs beyond them is the wording.
    wording = {re.sub(r"[\W\d_]+", " ", text.lower()) for text in texts}
    assert len(wording) > 250
    assert not [text for text in texts if set("{}[]|") & set(text)]


def test_a_phrase_denotes_one_day_for_who_reads_it_on_the_day_it_was_written() -> None:
    for language in ("it", "en"):
        for today in (FRIDAY + timedelta(days=step) for step in range(0, 370, 7)):
            for phrases in (due_phrases, day_phrases):
                denoted: dict[str, date] = {}
                for day in (today + timedelta(days=ahead) for ahead in range(400)):
                    for phrase in {each for group in phrases(language, today, day) for each in group}:
                        assert denoted.setdefault(phrase, day) == day, (today, phrase)


@pytest.mark.parametrize(
    ("language", "today", "day", "phrase"),
    [
        ("it", FRIDAY, date(2026, 5, 25), "entro lunedì"),
        ("it", FRIDAY, date(2026, 5, 29), "venerdì prossimo"),
        ("it", FRIDAY, date(2026, 5, 31), "a fine mese"),
        ("it", FRIDAY, date(2026, 6, 5), "il 5 giugno"),
        ("it", FRIDAY, date(2026, 6, 8), "entro l'8 giugno"),
        ("it", FRIDAY, date(2026, 6, 30), "entro fine giugno"),
        ("it", FRIDAY, date(2026, 5, 23), "domani"),
        ("en", FRIDAY, date(2026, 5, 29), "by next Friday"),
        ("en", FRIDAY, date(2026, 6, 5), "by 05/06"),
        ("en", FRIDAY, date(2026, 6, 22), "on the 22nd of June"),
        ("en", date(2026, 12, 20), date(2027, 1, 5), "on 5 January"),
    ],
)
def test_days_are_said_as_people_say_them(language: str, today: date, day: date, phrase: str) -> None:
    relative, absolute = due_phrases(language, today, day)
    assert phrase in relative + absolute
    for other in (day - timedelta(days=1), day + timedelta(days=1)):
        assert phrase not in sum(due_phrases(language, today, other), [])  # noqa: RUF017


@pytest.mark.parametrize("language", ["it", "en"])
def test_a_promise_names_its_day_and_a_part_its_amount(language: str) -> None:
    for ix in range(200):
        said = _said(ix, "promise", language)
        text = reply_text(Draws(4), said).replace("i'", "ì").replace("a'", "à").lower()
        assert said.promise_date is not None
        days = sum(due_phrases(language, FRIDAY, said.promise_date), [])  # noqa: RUF017
        assert any(phrase.lower() in text for phrase in days), text
        if said.promise_cents:
            assert any(phrase.lower() in text for phrase in amount_phrases(language, said.promise_cents)), (
                text
            )


def test_amounts_in_words() -> None:
    told = {1_220: "milleduecentoventi", 28: "ventotto", 33: "trentatré", 3_000: "tremila", 100: "cento"}
    assert {number: in_words(number, "it") for number in told} == told
    assert in_words(1_220, "en") == "one thousand two hundred and twenty"
    assert in_words(21_005, "en") == "twenty-one thousand and five"


# -- mails -----------------------------------------------------------------------------------------------


def _world() -> Tables:
    """The replies of the world made by hand, several times over under other ids."""
    t = hand_tables()
    copies = [
        t.replies.with_columns(reply_id=(pl.col("reply_id") + 100 * copy).cast(pl.Int32))
        for copy in range(REPLIES_EACH)
    ]
    return replace(t, replies=pl.concat(copies))


@pytest.fixture(scope="module")
def told() -> list[tuple[Letter, WorldFile]]:
    t, draws = _world(), Draws(1)
    span = (FRIDAY, FRIDAY)
    return list(zip(letters(t, draws, *span), replies(t, draws, *span), strict=True))


def _messages(told: list[tuple[Letter, WorldFile]]) -> Iterator[tuple[Letter, WorldFile, object]]:
    for letter, file in told:
        results = [result for _, result in read_bytes(file.data, file.path)]
        assert not [rejection for result in results for rejection in result.rejections], file.path
        [record] = [one for result in results for one in result.records if one.kind == "message"]
        yield letter, file, record


def test_every_reply_reads_as_an_answer_to_our_message(told: list[tuple[Letter, WorldFile]]) -> None:
    quoting = 0
    for letter, file, record in _messages(told):
        said = letter.said
        domain = "pec.aurelia.test" if said.reply_id % 100 % 4 == 2 else letter.company["email"].split("@")[1]
        assert record.in_reply_to == (f"<saldo-{said.reply_id % 100 % 4}@{domain}>",)
        assert record.date is not None and record.date.date() == FRIDAY
        assert record.to[0][1] == letter.company["email"]
        is_bounce = b"MAILER-DAEMON" in file.data
        assert record.is_automatic == (said.kind == "out_of_office" or is_bounce)
        if not is_bounce:
            assert " ".join(record.text.split()) == " ".join(reply_text(Draws(1), said).split())
            quoting += bool(record.quoted)
        assert said.kind.encode() not in file.data or said.kind in ("dispute", "promise", "question", "angry")
    assert 0 < quoting < len(told)


def test_some_of_what_reaches_nobody_is_sent_back_by_the_server(told: list[tuple[Letter, WorldFile]]) -> None:
    strangers = [file for letter, file in told if letter.said.kind == "wrong_person"]
    bounced = [file for file in strangers if b"report-type=delivery-status" in file.data]
    assert 0 < len(bounced) < len(strangers)
    assert not [file for letter, file in told
                if letter.said.kind != "wrong_person" and b"delivery-status" in file.data]  # fmt: skip


def test_the_same_tables_and_seed_give_the_same_bytes(told: list[tuple[Letter, WorldFile]]) -> None:
    again = list(replies(_world(), Draws(1), FRIDAY, FRIDAY))
    assert again == [file for _, file in told]
    assert len({file.path for file in again}) == len(again)
    assert [file.data for file in replies(_world(), Draws(2), FRIDAY, FRIDAY)] != [
        file.data for file in again
    ]


def test_what_was_said_on_the_telephone_is_no_file() -> None:
    t = _world()
    called = replace(t, replies=t.replies.with_columns(channel=pl.lit("call")))
    assert list(replies(called, Draws(1), FRIDAY, FRIDAY)) == []
