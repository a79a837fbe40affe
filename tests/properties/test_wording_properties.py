"""What holds for every message, whatever is in it."""

from __future__ import annotations

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from saldo.core.message_facts import (
    CREDIT_NOTE,
    LeftOut,
    Line,
    MessageFacts,
    Receiver,
    Sender,
    remittance_text,
    values,
)
from saldo.core.message_left_out import LEDGER_CREDITS, Cover, Why, explained, shared
from saldo.core.text_tables import Table, aligned, blocks, html_of
from saldo.core.wording import Template, check, fill
from saldo.outreach.templates import filled, shipped

DAY = date(2026, 3, 10)
NAMES = st.text(max_size=40)
MILLS = st.integers(1, 10**12)


@st.composite
def facts_of(draw: st.DrawFn) -> MessageFacts:
    lines = []
    for number in range(draw(st.integers(1, 80))):
        balance = draw(MILLS)
        issued = DAY - timedelta(days=draw(st.integers(0, 400)))
        due = DAY - timedelta(days=draw(st.integers(-20, 300)))
        kind = draw(st.sampled_from(["installment", "interest", "fee"]))
        asked = draw(st.integers(1, balance))
        lines.append(Line(number, kind, draw(NAMES), issued, due, balance, asked, draw(st.integers(0, 3))))
    iban = draw(st.sampled_from(["", "IT60X0542811101000000123456"]))
    sender = Sender(draw(NAMES), "IT01234567897", iban, "", "", {})
    receiver = Receiver(1, draw(NAMES), draw(NAMES), draw(NAMES))
    codes = st.sampled_from(["promised", "held", "cash_first", CREDIT_NOTE, ""])
    told = st.tuples(st.sampled_from(lines), codes, MILLS, NAMES)
    left = [LeftOut(*each, DAY) for each in draw(st.lists(told, max_size=30))]
    currency, credits = draw(st.sampled_from(["EUR", "JPY", "KWD", "CHF"])), draw(st.integers(0, 10**9))
    return MessageFacts(
        sender, receiver, DAY, currency, tuple(lines), credits_mills=credits, left_out=tuple(left)
    )


def figure(text: str, language: str) -> int:
    """The mills that a figure in a message says."""
    plain = text.replace(".", "").replace(",", ".") if language == "it" else text.replace(",", "")
    whole, _, rest = plain.partition(".")
    return int(whole) * 1000 + int(rest.ljust(3, "0") or 0)


@given(facts_of(), st.sampled_from(["it", "en"]), st.sampled_from(["email", "letter"]))
def test_the_rows_of_a_message_add_up_to_what_it_asks(
    facts: MessageFacts, language: str, channel: str
) -> None:
    (table,) = blocks(values(facts, language, channel)["items"])
    assert isinstance(table, Table)
    *more, total = table.footer
    rows = [figure(row[-1], language) for row in (*table.rows, *more)]
    assert sum(rows) == figure(total[-1], language) == facts.total_mills


@st.composite
def kept_back(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[Cover], list[Line], dict[int, list[Why]]]:
    """Items of an account, what blocks and covers keep back of them, and the covers."""
    amounts = st.integers(1, 20).map(lambda cents: 10 * cents)
    codes = st.sampled_from([CREDIT_NOTE, "unapplied", "announced", "claimed"])
    covers = [Cover(code, mills, n) for n, (code, mills) in enumerate(
        draw(st.lists(st.tuples(codes, amounts), max_size=6)))]  # fmt: skip
    money, parts, lines = sum(cover.mills for cover in covers), [], []
    blocked: dict[int, list[Why]] = {}
    for item in range(draw(st.integers(1, 6))):
        balance = draw(amounts)
        blocks = [Why("held", min(draw(amounts), balance)) for _ in range(draw(st.integers(0, 2)))]
        free = max(balance - sum(why.mills for why in blocks), 0)
        covered = min(free, money, draw(amounts))
        money -= covered
        if covered:
            parts.append((item, covered))
        lines.append(Line(item, "installment", f"F-{item}", DAY, DAY, balance, free - covered))
        blocked[item] = blocks
    return parts, covers, lines, blocked


@given(kept_back())
def test_what_is_left_out_is_told_once_and_adds_up_with_the_credits(
    made: tuple[list[tuple[int, int]], list[Cover], list[Line], dict[int, list[Why]]],
) -> None:
    parts, covers, lines, blocked = made
    found = shared(parts, covers, "cash_first")
    assert {item: sum(why.mills for why in whys) for item, whys in found.items()} == dict(parts)
    told = [
        each
        for line in lines
        for each in explained(line, [*blocked[line.item_id], *found.get(line.item_id, [])])
    ]
    for line in lines:
        out = sum(left.mills for left, _ in told if left.line is line)
        assert out == line.balance_mills - line.asked_mills
    # Of no credit more is told than it is: what is left of them is told apart.
    for cover in covers:
        assert sum(why.mills for _, why in told if why.cover is cover) <= cover.mills
    credits = sum(cover.mills for cover in covers if cover.code in LEDGER_CREDITS)
    assert sum(why.mills for _, why in told if why.is_credit) <= credits
    # A part that is asked is in the table; the text lists the rest, and every amount of it once.
    shown = tuple(line for line in lines if line.asked_mills)
    facts = MessageFacts(Sender("A", "", "", "", "", {}), Receiver(1, "B", "C"), DAY, "EUR", shown,
                         left_out=tuple(left for left, _ in told))  # fmt: skip
    texts = values(facts, "en", "letter")["left_out"].replace("asked: ", "asked:\n").splitlines()[1:]
    amounts = [figure(re.search(r": €([\d.,]+) ", text)[1], "en") for text in texts]  # type: ignore[index]
    assert sum(amounts) == sum(line.balance_mills - line.asked_mills for line in lines)
    assert [("(not listed)" in text) for text in texts] == [
        not left.line.asked_mills for left, _ in told if left.mills
    ]


@given(facts_of(), st.sampled_from(sorted(shipped())))
def test_no_shipped_text_leaves_a_variable_and_no_subject_an_amount(
    facts: MessageFacts, key: tuple[str, str, str]
) -> None:
    template = shipped()[key].template
    said = filled(template, facts)
    own = {
        facts.sender.name,
        facts.receiver.name,
        facts.receiver.contact,
        *(line.number for line in facts.lines),
        *(left.credit_number for left in facts.left_out),
    }
    if not any(c in name for name in (*own, facts.receiver.code) for c in "{}"):
        assert not re.search(r"[{}]", said.subject + said.body)
    assert "\n" not in said.subject and "\n\n\n" not in said.body
    html_of(said.body, said.subject)


@given(st.text(), st.text(), st.sampled_from(["email", "sms", "letter"]))
def test_any_text_is_either_refused_or_can_be_filled(subject: str, body: str, channel: str) -> None:
    template = Template("reminder_1", channel, "it", subject, body)
    facts = MessageFacts(Sender("A", "", "", "", "", {}), Receiver(1, "B", "C"), DAY, "EUR", ())
    if not [each for each in check(template) if each.code in ("template_brace", "template_unknown_variable")]:
        fill(body, values(facts, "it", channel))


@given(facts_of())
def test_a_remittance_text_fits_a_transfer(facts: MessageFacts) -> None:
    text = remittance_text(facts, "it")
    assert len(text) <= 140 and "\n" not in text


CELLS = st.text(
    st.characters(blacklist_categories=("C", "Z"), blacklist_characters="-"), min_size=1, max_size=12
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8), CELLS, CELLS)
def test_a_table_survives_being_text(rows: list[tuple[str, str, str]], one: str, other: str) -> None:
    text = aligned((one, other, "Importo"), rows, {2}, [("Totale", "x", "9")])
    (table,) = blocks(text)
    assert isinstance(table, Table)
    assert (table.header, table.rows, table.footer) == (
        (one, other, "Importo"),
        tuple(rows),
        (("Totale", "x", "9"),),
    )
