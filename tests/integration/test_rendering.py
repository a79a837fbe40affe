"""Papers of messages on PostgreSQL: letters, statements, copies of invoices, what goes out with a message."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from click.testing import CliRunner, Result

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import Money
from saldo.disputes.operations import open_dispute
from saldo.flows.import_documents import import_file
from saldo.flows.queue_messages import approve
from saldo.interfaces.commands.main import main
from saldo.ledger import entries
from saldo.ledger.models import Item
from saldo.outreach import rendering
from saldo.outreach.deliveries import add, state_of
from saldo.outreach.messages import Draft, DraftItem, make
from saldo.outreach.rendering import (
    attachments,
    attachments_of,
    letter_pdf,
    letter_pdfs,
    letters_pdf,
    statement_pdf,
)
from saldo.outreach.templates import listing, newest, save
from saldo.promises.operations import record_promise
from tests.fatturapa_samples import body, invoice, payment
from tests.letters_world import DAY, World, context

LATE = DAY - timedelta(days=20)


def pages(data: bytes) -> list[str]:
    with closing(pypdfium2.PdfDocument(data)) as document:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in document]


@pytest.fixture
def world(db: None) -> World:
    return World(channel="letter")


def letter_of(world: World, name: str = "Caffè Città S.r.l.") -> int:
    (message_id,) = approve(context(), [world.plan()[name].id]).done
    return message_id


def test_a_letter_with_its_statement_stays_the_same_whenever_it_is_made(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    first = world.money.invoice(account, "F-1", "1000.00", due=LATE)
    second = world.money.invoice(account, "F-2", "250.50", due=DAY + timedelta(days=40))
    world.money.credit_note(account, "NC-1", "10.00")
    open_dispute(context(), account, [(first, 50_000)], "price")
    record_promise(context(), account, "EUR", DAY + timedelta(days=9), item_ids=[second])
    message_id = letter_of(world)
    data = letter_pdf(context(), message_id)
    letter, sheet = pages(data)
    assert "Caffè Città S.r.l. Via Roma 1 20100 Milano (MI)" in letter and "Raccomandata" not in letter
    assert "F-1" in letter and "F-2" not in letter
    assert "Estratto conto al 10 marzo 2026" in sheet and "F-2" in sheet and "Nota di credito NC-1" in sheet
    assert "in contestazione" in sheet and "promesso per il 19/03/2026" in sheet
    assert "Totale partite 1.250,50" in sheet and "Saldo al netto degli accrediti 1.240,50" in sheet
    entries.record_payment(
        context(), account, Money(Decimal("5.00"), "EUR"), [entries.Share(first, Decimal(5))]
    )
    assert letter_pdf(context(DAY + timedelta(days=30)), message_id) == data


def test_the_letter_asks_by_its_code_what_its_text_asks(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    world.money.invoice(account, "F-1", "1000.00", due=LATE)
    world.money.invoice(account, "F-2", "250.50", due=LATE)
    (letter, _) = pages(letter_pdf(context(), letter_of(world)))
    assert "Importo: 1.250,50 € Causale: Fatt. F-1, F-2 cod." in letter


def test_many_letters_at_once_are_those_made_one_by_one(world: World) -> None:
    for name in ("Alfa S.r.l.", "Beta S.p.A.", "Gamma S.n.c."):
        account = world.account(name, address=f"Via {name} 1")
        world.money.invoice(account, f"F-{name[0]}", "100.00", due=LATE)
    ids = sorted(approve(context(), [action.id for action in world.plan().values()]).done)
    made = letter_pdfs(context(), ids)
    assert [each for each, _ in made] == ids
    assert [data for _, data in made] == [letter_pdf(context(), each) for each in ids]
    whole = pages(letters_pdf(context(), ids))
    assert len(whole) == 6 and [n for n, text in enumerate(whole) if "Pagina 1 di 2" in text] == [0, 2, 4]
    with pytest.raises(SaldoError, match="no letters"):
        letters_pdf(context(), [])


def test_a_statement_never_adds_currencies(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    world.money.invoice(account, "F-1", "1000.00", due=LATE)
    world.money.invoice(account, "U-1", "70.00", due=LATE, currency="USD")
    (whole,) = pages(statement_pdf(context(), account, "", "en"))
    assert "Balance EUR" in whole and "Balance USD" in whole and "1,070" not in whole
    (dollars,) = pages(statement_pdf(context(), account, "USD", "en"))
    assert "U-1" in dollars and "F-1" not in dollars
    (nothing,) = pages(statement_pdf(context(), world.account("Vuota S.r.l."), "", "it"))
    assert "non risultano partite aperte" in nothing


def test_papers_are_for_those_who_may_see_the_account(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    world.money.invoice(account, "F-1", "1000.00", due=LATE)
    message_id = letter_of(world)
    for work in (lambda: letter_pdf(context(actor="nessuno"), message_id),
                 lambda: attachments_of(context(actor="nessuno"), message_id),
                 lambda: statement_pdf(context(actor="nessuno"), account, "", "it")):  # fmt: skip
        with pytest.raises(SaldoError):
            work()


# -- attachments -----------------------------------------------------------------------------------------


def imported(ctx: Context, *bodies: str) -> list[Item]:
    import_file(ctx, "fattura.xml", invoice(*bodies).encode(), as_at=DAY)
    return list(Item.objects.filter(kind="installment").select_related("invoice").order_by("id"))


def message_about(items: list[Item], *attach: str) -> int:
    account = items[0].account
    draft = Draft(
        company_id=account.company_id, account_id=account.id, key=f"test:{attach}", channel="email",
        purpose="reminder", currency="EUR", language="it", subject="s", body="b", as_of=DAY, attach=attach,
        items=tuple(DraftItem(item.id, 1000) for item in items),
    )  # fmt: skip
    return make(context(actor="system:test"), draft)


LINES = """<DettaglioLinee><NumeroLinea>1</NumeroLinea><Descrizione>Viti &lt;M8&gt;</Descrizione>
<Quantita>100.00</Quantita><PrezzoUnitario>1.00000000</PrezzoUnitario><PrezzoTotale>100.00</PrezzoTotale>
<AliquotaIVA>22.00</AliquotaIVA></DettaglioLinee>"""
OWN = b"%PDF-1.4 il PDF del fornitore"


def with_file(text: str, content: bytes) -> str:
    told = base64.b64encode(content).decode()
    files = f"<Allegati><NomeAttachment>a.pdf</NomeAttachment><Attachment>{told}</Attachment></Allegati>"
    return text.replace("</FatturaElettronicaBody>", f"{files}</FatturaElettronicaBody>")


@pytest.mark.django_db
def test_copies_of_invoices_come_from_the_e_invoice() -> None:
    ctx = context(actor="system:test")
    due = payment("122.00", "2026-02-28")
    first = body("A/1", payments=due).replace("<DatiBeniServizi>", f"<DatiBeniServizi>{LINES}")
    items = imported(ctx, first, with_file(body("A/2", payments=due), OWN))
    (one, two) = attachments_of(ctx, message_about(items, "invoices"))
    assert (one[0], one[1]) == ("fattura-A-1.pdf", "application/pdf")
    (text,) = pages(one[2])
    assert "Fattura n. A/1 del 31/01/2026" in text and "Viti <M8>" in text and "Copia di cortesia" in text
    assert "Officine Prova Srl" in text and "122,00" in text and "28/02/2026" in text
    assert two == ("fattura-A-2.pdf", "application/pdf", OWN)


@pytest.mark.django_db
def test_what_is_too_large_or_has_no_original_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    ctx = context(actor="system:test")
    large = OWN + b"x" * rendering.ATTACHMENTS_MAX_BYTES
    due = payment("122.00", "2026-02-28")
    items = imported(
        ctx, with_file(body("A/1", payments=due), large), with_file(body("A/2", payments=due), OWN)
    )
    told = attachments(ctx, message_about(items, "statement", "invoices"))
    assert [name for name, _, _ in told.kept] == ["estratto-conto-2026-03-10.pdf", "fattura-A-2.pdf"]
    assert [(each.name, each.why) for each in told.left_out] == [("fattura-A-1.pdf", "too_large")]
    monkeypatch.setattr(rendering, "COPIES_MAX", 1)
    assert "too_many" in [each.why for each in attachments(ctx, message_about(items, "invoices")).left_out]


def test_an_erp_list_is_never_sent(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    item = world.money.invoice(account, "F-1", "1000.00", due=LATE)
    told = attachments(context(), message_about([Item.objects.get(id=item)], "invoices"))
    assert told.kept == () and [(each.name, each.why) for each in told.left_out] == [("F-1", "no_original")]


def test_a_formal_notice_by_pec_carries_the_letter(world: World) -> None:
    account = world.account("Caffè Città S.r.l.")
    draft = Draft(world.company.id, account, "formal", "pec", "formal_notice", "EUR", "it", "Diffida",
                  "Vi costituiamo in mora.", DAY)  # fmt: skip
    ((name, kind, data),) = attachments_of(context(), make(context(), draft))
    assert (name, kind) == ("costituzione-in-mora-2026-03-10.pdf", "application/pdf")
    assert "Firma" in pages(data)[0] and "Raccomandata" not in pages(data)[0]


# -- templates of a company, and the command line ----------------------------------------------------------

BODY = "{greeting}\n\n{items}\n\n{how_to_answer}\n\n{signature}"


def test_a_company_changes_its_words_and_only_its_own(world: World) -> None:
    company = world.company.id
    ctx = context()
    before = len(listing(company))
    assert save(ctx, company, "reminder_1", "email", "it", "Nostro", BODY) == 1
    assert save(ctx, company, "reminder_1", "email", "it", "Nostro", BODY) == 1
    assert save(ctx, company, "reminder_1", "email", "it", "Nuovo", BODY, "meglio") == 2
    found = newest(company, "reminder_1", "letter", "it")
    assert found is not None and (found.subject, found.version, found.note) == ("Nuovo", 2, "meglio")
    assert len(listing(company)) == before
    assert newest(company, "reminder_1", "sms", "it") != found
    save(ctx, company, "nostro", "email", "it", "S", BODY)
    # Where only one language has words, they serve the other.
    assert newest(company, "nostro", "pec", "en") == newest(company, "nostro", "email", "it")
    with pytest.raises(SaldoError, match="riga 1, colonna 1: La variabile «ciao» non esiste"):
        save(replace(ctx, language="it"), company, "reminder_1", "email", "it", "S", "{ciao}" + BODY)


@pytest.fixture
def run() -> Callable[..., Result]:
    def invoke(*words: str) -> Result:
        return CliRunner().invoke(main, list(words), catch_exceptions=False)

    return invoke


def test_templates_on_the_command_line(world: World, run: Callable[..., Result], tmp_path: Path) -> None:
    shown = run("template", "show", "reminder_1", "--company", "ONE")
    file = tmp_path / "reminder.toml"
    file.write_text(shown.output, encoding="utf-8")
    assert run("template", "check", str(file)).exit_code == 0
    # Shown, saved and shown again it is the same text.
    assert json.loads(run("template", "save", str(file), "--company", "ONE", "--json").output)["version"] == 1
    assert run("template", "show", "reminder_1", "--company", "ONE").output == shown.output
    file.write_text(shown.output.replace("{total}", "{totale}"), encoding="utf-8")
    refused = run("template", "check", str(file), "--json")
    problems = json.loads(refused.output)["problems"]
    assert refused.exit_code == 1 and problems[0]["code"] == "template_unknown_variable"
    assert run("template", "save", str(file), "--company", "ONE").exit_code == 2
    file.write_text("nothing = [", encoding="utf-8")
    assert run("template", "check", str(file)).exit_code == 2
    assert "Maria Rossi" in run("template", "show", "reminder_1", "--company", "ONE", "--example").output
    rows: list[Any] = json.loads(run("template", "list", "--company", "ONE", "--json").output)["templates"]
    assert {row["version"] for row in rows if row["code"] == "reminder_1"} == {0, 1}


def test_letters_on_the_command_line(world: World, run: Callable[..., Result], tmp_path: Path) -> None:
    account = world.account("Caffè Città S.r.l.")
    world.money.invoice(account, "F-1", "1000.00", due=LATE)
    message_id = letter_of(world)
    out = tmp_path / "lettere.pdf"
    none = run("letters", "print", "--company", "ONE", "--to", str(out))
    assert none.exit_code == 2 and not out.exists()
    # As the sender leaves a letter that no folder takes.
    add(context(), message_id, "sending", attempt=1)
    add(context(), message_id, "sent", attempt=1, code="to_print")
    told = run("letters", "print", "--company", "ONE", "--to", str(out), "--printed", "--json")
    assert json.loads(told.output)["letters"] == [message_id]
    assert len(pages(out.read_bytes())) == 2
    assert state_of(message_id) == "printed"
    again = run("letters", "print", str(message_id), "--company", "ONE", "--to", str(out))
    assert again.exit_code == 0 and "1 letters" in again.output
