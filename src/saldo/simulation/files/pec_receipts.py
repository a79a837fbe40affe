"""Receipts of the PEC messages that a world sent: accepted by our provider, delivered or not.

Layout of headers and of daticert.xml: technical rules of PEC (DM 2 November 2005). They bear no signature: a
world has no provider's certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._mail_parts import (
    file_part,
    mail_date,
    message_part,
    multipart,
    sent_message_id,
    text_mail,
    text_part,
)
from saldo.simulation.files._words import italian_amount, words
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

Row = Mapping[str, Any]

# Share of the messages that nobody answered whose address turns out not to exist.
_FAILED = 0.02
_ROME = ZoneInfo("Europe/Rome")
_TITLES = {
    "accettazione": ("ACCETTAZIONE", "Ricevuta di accettazione", "è stato accettato dal sistema"),
    "avvenuta-consegna": ("CONSEGNA", "Ricevuta di avvenuta consegna", "è stato consegnato nella casella"),
    "errore-consegna": ("AVVISO DI MANCATA CONSEGNA", "Avviso di mancata consegna", "non è stato consegnato"),
}


def write_pec_receipts(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """Two receipts for each PEC sent from ``first`` to ``last``: they come within minutes. ``share`` of the
    messages."""
    sent = _sent(t, first, last)
    ids = sent["message_id"].to_numpy()
    chosen = draws.happens("documents/share", share, ids)
    fails = draws.happens("pec/failed", _FAILED, ids) & ~sent["is_answered"].to_numpy()
    minutes = draws.whole("pec/minute", 0, 479, ids)
    waits = draws.whole("pec/wait", 5, 240, ids)
    owed = _owed(t, sent.filter(pl.Series(chosen, dtype=pl.Boolean)))
    for row, is_chosen, is_failed, minute, wait in zip(
        sent.iter_rows(named=True), chosen, fails, minutes.tolist(), waits.tolist(), strict=True
    ):
        if not is_chosen:
            continue
        at = datetime.combine(row["sent_date"], time(9), _ROME) + timedelta(minutes=minute)
        letter = _letter(row, at, owed.get(row["message_id"], []))
        stem = f"files/{row['company']}/pec/{row['sent_date']}_{row['message_id']:07d}"
        accepted = _receipt("accettazione", row, at + timedelta(seconds=4), None)
        yield WorldFile(f"{stem}_accettazione.eml", accepted, row["sent_date"])
        kind = "errore-consegna" if is_failed else "avvenuta-consegna"
        ended = _receipt(kind, row, at + timedelta(seconds=wait), letter)
        yield WorldFile(
            f"{stem}_{'mancata-consegna' if is_failed else 'consegna'}.eml", ended, row["sent_date"]
        )


def receipts_of(row: Row, at: datetime) -> tuple[bytes, bytes]:
    """Accepted and delivered, of a message that was sent at ``at``: row as for those of a world, with its own
    ``rfc_id`` and ``subject``."""
    accepted = _receipt("accettazione", row, at + timedelta(seconds=4), None)
    delivered = _receipt("avvenuta-consegna", row, at + timedelta(seconds=40), _letter(row, at, []))
    return accepted, delivered


def _rfc_id(row: Row) -> str:
    return row.get("rfc_id") or sent_message_id(row["message_id"], row["sender"])


def _sent(t: Tables, first: date, last: date) -> pl.DataFrame:
    """PEC messages of the span to customers that have such an address, in order of the day."""
    companies = t.companies.select("company_id", company="code", company_name="name", sender="pec")
    customers = t.customers.select("customer_id", customer="name", recipient="pec")
    accounts = t.accounts.select("account_id", "company_id", "customer_id", "code")
    return (
        t.messages.filter((pl.col("channel") == "pec") & pl.col("sent_date").is_between(first, last))
        .join(accounts, on="account_id")
        .join(companies, on="company_id")
        .join(customers, on="customer_id")
        .filter(pl.col("recipient") != "")
        .with_columns(is_answered=pl.col("message_id").is_in(t.replies["message_id"].drop_nulls().implode()))
        .sort("sent_date", "message_id")
    )


def _owed(t: Tables, sent: pl.DataFrame) -> dict[int, list[str]]:
    """The lines of each message: the invoices it is about."""
    invoices = t.invoices.select("invoice_id", "number", "date")
    parts = t.installments.select("installment_id", "invoice_id", "due_date", "cash_cents")
    named = sent.select("message_id", installment_id="installments").explode("installment_id")
    rows = (
        named.join(parts, on="installment_id")
        .join(invoices, on="invoice_id")
        .sort("message_id", "installment_id")
        .select("message_id", "number", "date", "due_date", "cash_cents")
    )
    lines: dict[int, list[str]] = {}
    for message_id, number, day, due, cents in rows.iter_rows():
        text = words("pec")["line"].format(
            number=number, date=f"{day:%d/%m/%Y}", due=f"{due:%d/%m/%Y}", amount=italian_amount(cents)
        )
        lines.setdefault(message_id, []).append(text)
    return lines


def _subject(row: Row) -> str:
    if row.get("subject"):
        return str(row["subject"])
    text: str = words("pec")["subject"].format(company=row["company_name"], code=row["code"])
    return text


def _letter(row: Row, at: datetime, lines: list[str]) -> bytes:
    """The message that was sent."""
    said = words("pec")
    paragraphs = [
        said["opening"].format(customer=row["customer"]),
        said["intro"],
        *lines,
        "",
        said["closing"],
    ]
    headers = [
        ("From", row["sender"]),
        ("To", row["recipient"]),
        ("Subject", _subject(row)),
        ("Date", mail_date(at)),
        ("Message-ID", _rfc_id(row)),
    ]
    return text_mail(headers, "\r\n".join([*paragraphs, row["company_name"], ""]))


def _receipt(kind: str, row: Row, at: datetime, letter: bytes | None) -> bytes:
    """A receipt; that of delivery has the message in it ("completa")."""
    said, (title, name, told) = words("pec"), _TITLES[kind]
    code = f"opec{row['message_id']:07d}.{at:%Y%m%d%H%M%S}.{kind}@{said['provider_domain']}"
    is_delivery = kind == "avvenuta-consegna"
    headers = [
        ("X-Ricevuta", kind),
        ("X-TipoRicevuta", "completa" if is_delivery else ""),
        ("X-Riferimento-Message-ID", _rfc_id(row)),
        ("From", f"posta-certificata@{said['provider_domain']}"),
        ("To", row["sender"]),
        ("Subject", f"{title}: {_subject(row)}"),
        ("Date", mail_date(at)),
        ("Message-ID", f"<{code}>"),
    ]
    text = (
        f"{name}\r\n\r\nIl giorno {at:%d/%m/%Y} alle ore {at:%H:%M:%S} ({at:%z}) il messaggio\r\n"
        f'"{_subject(row)}" proveniente da "{row["sender"]}"\r\n'
        f'ed indirizzato a "{row["recipient"]}"\r\n{told}.\r\n'
        f"Identificativo messaggio: {code}\r\n"
    )
    parts = [text_part(text), file_part("daticert.xml", "application/xml", _certificate(kind, row, at, code))]
    if letter is not None and is_delivery:
        parts.append(message_part("postacert.eml", letter))
    return multipart(headers, f"=_pec_{row['message_id']:07d}_{kind}", parts)


def _certificate(kind: str, row: Row, at: datetime, code: str) -> bytes:
    said = words("pec")
    is_failed = kind == "errore-consegna"
    receipt = '<ricevuta tipo="completa"/>' if kind == "avvenuta-consegna" else ""
    about = "" if kind == "accettazione" else f"<consegna>{escape(row['recipient'])}</consegna>"
    problem = f"<errore-esteso>{escape(said['unknown_recipient'])}</errore-esteso>" if is_failed else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<postacert tipo="{kind}" errore="{"no-dest" if is_failed else "nessuno"}">\n<intestazione>\n'
        f"<mittente>{escape(row['sender'])}</mittente>\n"
        f'<destinatari tipo="certificato">{escape(row["recipient"])}</destinatari>\n'
        f"<risposte>{escape(row['sender'])}</risposte>\n<oggetto>{escape(_subject(row))}</oggetto>\n"
        f"</intestazione>\n<dati>\n<gestore-emittente>{escape(said['provider'])}</gestore-emittente>\n"
        f'<data zona="{at:%z}"><giorno>{at:%d/%m/%Y}</giorno><ora>{at:%H:%M:%S}</ora></data>\n'
        f"<identificativo>{code}</identificativo>\n"
        f"<msgid>{escape(_rfc_id(row))}</msgid>\n"
        f"{receipt}{about}{problem}</dati>\n</postacert>\n"
    ).encode()
