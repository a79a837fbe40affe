"""Templates: what is refused and where, what is filled in, what disappears."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from saldo.core.message_facts import (
    CREDIT_NOTE,
    LeftOut,
    Line,
    MessageFacts,
    Receiver,
    Sender,
    greeting,
    how_to_answer,
    values,
)
from saldo.core.playbook import FORMAL_NOTICE
from saldo.core.text_tables import Paragraph, Table, aligned, blocks, html_of
from saldo.core.wording import VARIABLES, BrokenTemplate, Template, check, fill

GOOD = "{greeting}\n\n{items}\n\n{how_to_answer}\n\n{signature}"
SENDER = Sender("Officine Brambilla S.p.A.", "IT01234567897", "", "", "", {})
RECEIVER = Receiver(1, "Caffè Città S.r.l.", "C0042")


def line(number: int, mills: int, asked: int | None = None) -> Line:
    day = date(2026, 1, number)
    return Line(number, "installment", f"F-{number}", day, day, mills, mills if asked is None else asked)


def facts(*lines: Line, **more: object) -> MessageFacts:
    made = MessageFacts(SENDER, RECEIVER, date(2026, 3, 10), "EUR", lines)
    return replace(made, **more)  # type: ignore[arg-type]


def codes(body: str, subject: str = "Promemoria", channel: str = "email", code: str = "reminder_1",
          language: str = "it", purpose: str = "") -> list[str]:  # fmt: skip
    return [each.code for each in check(Template(code, channel, language, subject, body), purpose)]


def test_a_good_template_is_accepted_with_braces_that_are_text() -> None:
    assert codes(GOOD + "\n\n{{non è una variabile}}") == []
    assert fill("a {{b}} {company}", {"company": "{total}"}) == "a {b} {total}"


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        (GOOD + "\nciao {saluti}", "template_unknown_variable", (8, 6)),
        (GOOD + " {total:>10}", "template_unknown_variable", (7, 13)),
        (GOOD + " {0}", "template_unknown_variable", (7, 13)),
        (GOOD + " {items.x}", "template_unknown_variable", (7, 13)),
        (GOOD + " {}", "template_unknown_variable", (7, 13)),
        (GOOD + "\n{company", "template_brace", (8, 1)),
        (GOOD + "\ncompany}", "template_brace", (8, 8)),
        ("{\n" + GOOD, "template_brace", (1, 1)),
    ],
)
def test_what_is_wrong_is_told_with_its_place(body: str, code: str, place: tuple[int, int]) -> None:
    (problem,) = [each for each in check(Template("reminder_1", "email", "it", "S", body)) if each.line]
    assert (problem.code, (problem.line, problem.column)) == (code, place)
    assert f"riga {place[0]}, colonna {place[1]}" in problem.text("it")
    assert f"line {place[0]}, column {place[1]}" in problem.text("en")


def test_what_every_message_needs() -> None:
    assert codes("{items} {signature}") == ["template_needs"]
    assert codes("{how_to_answer} {signature}") == ["template_needs"]
    assert codes("{items} {portal_link}") == ["template_needs"]
    assert codes("") == ["template_empty", *["template_needs"] * 3]
    assert codes(GOOD, subject="") == ["template_no_subject"]
    assert codes("{company} {how_to_answer}", subject="", channel="sms") == []
    assert codes("{signature}", code="thanks") == []
    assert codes(GOOD, channel="fax") == ["template_kind_bad"]


def test_a_formal_notice_needs_the_demand() -> None:
    notice = "{items} {total} {deadline_days} {company} {signature} {how_to_answer}"
    assert codes(notice, code="formal_notice") == ["template_no_demand"]
    assert codes(f"{notice} Vi costituiamo in mora.", code="formal_notice") == []
    assert codes(f"{notice} You are placed in default.", code="formal_notice", language="en") == []
    # The purpose counts, not only the code: a step may use a template of any name.
    assert codes(GOOD, purpose=FORMAL_NOTICE).count("template_needs") == 3


def test_nothing_private_in_a_subject() -> None:
    assert codes(GOOD, subject="{company}: {total}") == ["template_private"]
    assert codes(GOOD, subject="{company}, {customer}, {today}") == []
    assert codes(GOOD, subject="a\nb") == ["template_subject_lines"]


def test_a_paragraph_whose_variables_are_all_empty_disappears() -> None:
    text = "Uno\n\nResta {total}.\n\nAccrediti: {credits}\n\n{credits} o {total}\n\n\nFine"
    filled = fill(text, {"total": "5", "credits": ""})
    assert filled == "Uno\n\nResta 5.\n\n o 5\n\nFine"
    with pytest.raises(BrokenTemplate):
        fill("{nulla}", {})


def test_every_variable_has_a_text_and_no_other() -> None:
    for language in ("it", "en"):
        for channel in ("email", "pec", "letter", "sms", "portal"):
            assert values(facts(line(1, 1000)), language, channel).keys() == VARIABLES.keys()


def test_amounts_and_dates_are_in_the_language() -> None:
    told = facts(line(9, 1_234_560))
    italian, english = values(told, "it", "email"), values(told, "en", "email")
    assert (italian["total"], english["total"]) == ("1.234,56\N{NO-BREAK SPACE}€", "€1,234.56")
    assert (italian["due_date"], english["due_date"]) == ("09/01/2026", "9 Jan 2026")
    assert italian["oldest_days"] == "60 giorni"
    # The tenth of a cent that a ledger may hold is not rounded away.
    assert "0,005" in values(facts(line(1, 5)), "it", "email")["items"]
    assert "1.500" in values(facts(line(1, 1_500_000), currency="JPY"), "it", "email")["items"]


def test_what_is_left_out_is_said_and_the_whole_balance_shown() -> None:
    part, whole = line(1, 5_000_000, 4_950_000), line(2, 100_000, 0)
    left = (
        LeftOut(part, "disputed", 50_000),
        LeftOut(part, "promised", 0),
        LeftOut(whole, CREDIT_NOTE, 100_000, "NC-1", date(2026, 3, 1)),
    )
    told = values(facts(part, left_out=left), "it", "email")
    assert told["left_out"].replace("\N{NO-BREAK SPACE}", " ").splitlines() == [
        "Non sono compresi nella somma richiesta:",
        f"{part.number}: 50,00 € in contestazione",
        f"{whole.number} (non in elenco): 100,00 € coperti dalla nota di credito n. NC-1 del 01/03/2026",
    ]
    english = values(facts(part, left_out=left), "en", "email")["left_out"]
    assert english.endswith(
        f"{whole.number} (not listed): €100.00 covered by credit note no. NC-1 of 1 Mar 2026"
    )
    many = tuple(LeftOut(whole, "held", 1000) for _ in range(30))
    assert values(facts(part, left_out=many), "it", "email")["left_out"].endswith(
        "altri 11 importi: 11,00\N{NO-BREAK SPACE}€"
    )
    assert len(values(facts(part, left_out=many), "it", "letter")["left_out"].splitlines()) == 31
    assert "Saldo" in told["items"] and "5.000,00" in told["items"] and "4.950,00" in told["items"]
    assert "Saldo" not in values(facts(line(1, 5_000_000)), "it", "email")["items"]


def test_long_lists_end_in_one_line_and_still_add_up() -> None:
    lines = tuple(
        Line(n, "installment", f"F-{n}", date(2026, 1, 1), date(2026, 1, 5), 1000, 1000) for n in range(500)
    )
    mail, letter = (values(facts(*lines), "it", channel)["items"] for channel in ("email", "letter"))
    assert len(mail.splitlines()) == 64 and "Altre 441 partite" in mail and "500,00" in mail
    assert len(letter.splitlines()) == 504


def test_the_salutation_is_to_a_person_or_to_the_company() -> None:
    assert greeting(replace(RECEIVER, contact="Maria Rossi"), "it") == "Gentile Maria Rossi,"
    for contact in ("", "Ufficio contabilità", "Amministrazione", "caffè città s.r.l.", "Accounts payable"):
        assert greeting(replace(RECEIVER, contact=contact), "it") == "Spettabile Caffè Città S.r.l.,"


def test_names_cannot_bring_lines_or_headers() -> None:
    nasty = replace(RECEIVER, name="Rossi\r\nBcc: x@example.com", contact="Anna\x00\u2028Verdi")
    told = values(facts(line(1, 1), receiver=nasty), "it", "email")
    assert told["customer"] == "Rossi Bcc: x@example.com" and told["contact"] == "Anna Verdi"


def test_a_table_in_text_is_found_again() -> None:
    text = aligned(
        ("Documento", "Saldo"), [("F-1", "10,00"), ("F-200", "1.000,00")], {1}, [("Totale", "1.010,00")]
    )
    before, table, after = blocks(f"Prima\n{text}\n\nDopo\ndue righe")
    assert (before, after) == (Paragraph(("Prima",)), Paragraph(("Dopo", "due righe")))
    assert table == Table(
        ("Documento", "Saldo"), (("F-1", "10,00"), ("F-200", "1.000,00")), (("Totale", "1.010,00"),),
        (False, True),
    )  # fmt: skip
    assert blocks("a\n---") == [Paragraph(("a", "---"))]


def test_the_html_part_is_text_and_links_only() -> None:
    html = html_of("<script>alert(1)</script>\nhttps://example.com/a?b=1&c=2.", '"x"')
    assert "<script>" not in html and "&lt;script&gt;" in html
    assert '<a href="https://example.com/a?b=1&amp;c=2">' in html and "<img" not in html


def test_paper_names_only_ways_to_answer_that_exist() -> None:
    link = "https://saldo.example.com/l/x/" + "a" * 60
    told = facts(line(1, 1000), opt_out_link=link, portal_link=link)
    paper = values(told, "it", "letter")
    assert (paper["opt_out_link"], paper["portal_link"]) == ("", "")
    assert values(told, "it", "email")["opt_out_link"] == link
    short = "https://saldo.example.com/p/1"
    assert values(replace(told, portal_link=short), "it", "letter")["portal_link"] == short
    assert paper["how_to_answer"] == "potete contattarci ai recapiti riportati sulle nostre fatture"
    phone = replace(SENDER, signature={"it": "Ufficio crediti\nTel. 02 1234567"})
    both = replace(phone, email="crediti@example.com")
    assert how_to_answer(phone, "it", "letter") == "potete contattarci ai recapiti indicati sotto la firma"
    assert how_to_answer(both, "it", "portal").startswith(
        "potete scriverci a crediti@example.com o contattarci"
    )
    assert how_to_answer(both, "en", "letter") == "please write to crediti@example.com"
