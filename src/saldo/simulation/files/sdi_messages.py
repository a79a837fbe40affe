"""What SdI answers to the e-invoices of a world, in its two dialects (private and public).

RC delivered, MC put in the customer's reserved area (nobody abroad is reached by SdI, nor who has no address
for it), NS refused, and of public bodies NE (accepted) or DT (fifteen days went by). No body refuses through
SdI: who objects does so by mail. Elements: specifications of SdI 1.8 (private) and 1.5 (public).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._fatturapa_text import element
from saldo.simulation.files._sendings import sendings
from saldo.simulation.files._words import words
from saldo.simulation.files.einvoices import SentInvoice, sent_invoices
from saldo.simulation.files.world_file import WorldFile, archive
from saldo.simulation.world import parameters
from saldo.simulation.world.tables import Tables

_PRIVATE = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fattura/messaggi/v1.0"
_PUBLIC = "http://www.fatturapa.gov.it/sdi/messaggi/v1.0"
_ROOTS = {
    ("RC", False): "RicevutaConsegna",
    ("MC", False): "RicevutaImpossibilitaRecapito",
    ("NS", False): "RicevutaScarto",
    ("RC", True): "RicevutaConsegna",
    ("MC", True): "NotificaMancataConsegna",
    ("NS", True): "NotificaScarto",
    ("NE", True): "NotificaEsito",
    ("DT", True): "NotificaDecorrenzaTermini",
}
# These come by the dozen and lie in the archive of the day; the others are worth a file each.
_ARCHIVED = frozenset({"RC", "MC"})
# Share of public bodies that answer; the others let the term elapse.
_ACCEPTS = 0.55
_ACCEPTED_AFTER = (3, 12)
_TERM_DAYS = 15
_DELIVERED_AFTER = (0, 1)
_UNDELIVERED_AFTER = (1, 2)
_TRIED_AGAIN_AFTER = (1, 3)
# The longest way from a file to what SdI says of it.
_LONGEST = timedelta(days=_UNDELIVERED_AFTER[1] + _TRIED_AGAIN_AFTER[1] + _TERM_DAYS)
_FIRST_SDI_ID = 7_000_000_000
_ROME = ZoneInfo("Europe/Rome")


def write_sdi_messages(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """The notifications that arrive from ``first`` to ``last``, also those about files sent before."""
    events = notifications(t, draws, first, last, share)
    named = ("invoice_id", "attempt")
    about = (
        events.select(*named)
        .unique()
        .join(sendings(t, draws, first - _LONGEST, last, share), on=named, how="inner")
    )
    facts: dict[tuple[int, int], tuple[SentInvoice, str]] = {
        (one.invoice_id, one.attempt): (one, hashlib.sha256(one.data).hexdigest())
        for one in sent_invoices(t, draws, about.sort("day", *named))
    }
    for day, rows in groupby(events.iter_rows(named=True), lambda row: row["arrives"]):
        by_company: dict[str, list[tuple[str, str, bytes]]] = {}
        for row in rows:
            sent, digest = facts[row["invoice_id"], row["attempt"]]
            name = f"{sent.file_name.partition('.')[0]}_{row['code']}_{row['ordinal']:03d}.xml"
            data = _message(row, sent.file_name, digest).encode()
            by_company.setdefault(sent.company, []).append((row["code"], name, data))
        for company, messages in sorted(by_company.items()):
            yield from _files_of(day, company, messages)


def _files_of(day: date, company: str, messages: list[tuple[str, str, bytes]]) -> Iterator[WorldFile]:
    folder = f"files/{company}/sdi"
    packed = [(name, data) for code, name, data in messages if code in _ARCHIVED]
    if packed:
        yield WorldFile(f"{folder}/notifiche_{day:%Y%m%d}.zip", archive(packed), day)
    for code, name, data in messages:
        if code not in _ARCHIVED:
            yield WorldFile(f"{folder}/{name}", data, day)


# -- what happens when -------------------------------------------------------------------------------------


def notifications(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> pl.DataFrame:
    """Notifications arriving in the span, in order.

    Columns: invoice_id, attempt, code, day (the file was sent), arrives, is_public, number, year, recipient,
    recipient_name, minute (of the hour it was sent), ordinal (1.. of what is said of that file).
    """
    sent = _with_recipients(t, sendings(t, draws, first - _LONGEST, last, share))
    ids = (sent["invoice_id"].to_numpy(), sent["attempt"].to_numpy())

    def days(purpose: str, span: tuple[int, int]) -> pl.Series:
        return pl.Series(draws.whole(f"sdi/{purpose}", *span, *ids), dtype=pl.Int64)

    missed = draws.happens("sdi/not delivered", parameters.load().files.sdi_not_delivered, *ids)
    sent = sent.with_columns(
        is_missed=pl.Series(missed, dtype=pl.Boolean) | ~pl.col("has_address"),
        accepts=pl.Series(draws.happens("sdi/accepts", _ACCEPTS, *ids), dtype=pl.Boolean),
        minute=days("minute", (0, 119)),
        after_rc=days("delivered", _DELIVERED_AFTER),
        after_mc=days("undelivered", _UNDELIVERED_AFTER),
        after_again=days("tried again", _TRIED_AGAIN_AFTER),
        after_ne=days("accepted", _ACCEPTED_AFTER),
    )
    passed = sent.filter(~pl.col("is_refused"))
    missing = passed.filter("is_missed").with_columns(arrives=_later(pl.col("day"), "after_mc"))
    reached = pl.concat(
        [
            passed.filter(~pl.col("is_missed")).with_columns(arrives=_later(pl.col("day"), "after_rc")),
            missing.filter("is_public").with_columns(arrives=_later(pl.col("arrives"), "after_again")),
        ]
    )
    answered = reached.filter(pl.col("is_public") & pl.col("accepts"))
    silent = reached.filter(pl.col("is_public") & ~pl.col("accepts"))
    every = {
        "NS": sent.filter("is_refused").with_columns(arrives="refused_day"),
        "MC": missing,
        "RC": reached,
        "NE": answered.with_columns(arrives=_later(pl.col("arrives"), "after_ne")),
        "DT": silent.with_columns(arrives=pl.col("arrives") + timedelta(days=_TERM_DAYS)),
    }
    columns = (
        "invoice_id", "attempt", "code", "day", "arrives", "is_public", "number", "year", "recipient",
        "recipient_name", "minute",
    )  # fmt: skip
    told = pl.concat([frame.with_columns(code=pl.lit(code)).select(columns) for code, frame in every.items()])
    told = told.sort("arrives", "invoice_id", "attempt").with_columns(
        ordinal=pl.int_range(1, pl.len() + 1).over("invoice_id", "attempt", order_by="arrives")
    )
    return told.filter(pl.col("arrives").is_between(first, last))


def _later(day: pl.Expr, days: str) -> pl.Expr:
    return day + pl.duration(days=pl.col(days))


def _with_recipients(t: Tables, sent: pl.DataFrame) -> pl.DataFrame:
    invoices = t.invoices.select("invoice_id", "number", pl.col("date").dt.year().alias("year"))
    recipients = t.customers.select(
        "customer_id",
        recipient="sdi_code",
        recipient_name="name",
        is_public=pl.col("special") == "public_body",
        has_address=(pl.col("country") == "IT") & ((pl.col("sdi_code") != "0000000") | (pl.col("pec") != "")),
    )
    buyers = t.accounts.select("account_id", "customer_id").join(recipients, on="customer_id")
    return sent.join(invoices, on="invoice_id").join(buyers, on="account_id")


# -- messages ----------------------------------------------------------------------------------------------


def sdi_id(invoice_id: int, attempt: int) -> int:
    """The number under which SdI knows a file."""
    return _FIRST_SDI_ID + 2 * invoice_id + attempt


def _message(row: dict[str, Any], file_name: str, digest: str) -> str:
    code, is_public = row["code"], row["is_public"]
    root = _ROOTS[code, is_public]
    prefix, space = ("types", _PUBLIC) if is_public else ("ns3", _PRIVATE)
    number = sdi_id(row["invoice_id"], row["attempt"])
    received = datetime.combine(row["day"], time(17), _ROME) + timedelta(minutes=row["minute"])
    told = "" if code in ("NE", "DT") else _stamp("DataOraRicezione", received)
    elapsed = _invoice_reference(row) + "\n" if code == "DT" else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{prefix}:{root} xmlns:{prefix}="{space}" versione="1.0">\n'
        f"<IdentificativoSdI>{number}</IdentificativoSdI>\n{elapsed}<NomeFile>{file_name}</NomeFile>\n"
        f"{'' if is_public else f'<Hash>{digest}</Hash>{chr(10)}'}{told}{_contents(row, number)}"
        f"<MessageId>{number}{row['ordinal']:02d}</MessageId>\n</{prefix}:{root}>\n"
    )


def _contents(row: dict[str, Any], number: int) -> str:
    texts = words("sdi")
    match row["code"]:
        case "RC":
            return _stamp("DataOraConsegna", _arrival(row)) + (
                f"<Destinatario>{element('Codice', row['recipient'])}"
                f"{element('Descrizione', row['recipient_name'])}</Destinatario>\n"
            )
        case "MC":
            if row["is_public"]:
                return f"<Descrizione>{texts['public_undelivered']}</Descrizione>\n"
            return _stamp("DataMessaADisposizione", _arrival(row)) + (
                f"<Descrizione>{escape(texts['available'])}</Descrizione>\n"
            )
        case "NS":
            advice = "" if row["is_public"] else element("Suggerimento", texts["refused_advice"])
            return (
                f"<ListaErrori><Errore><Codice>{texts['refused_code']}</Codice>"
                f"{element('Descrizione', texts['refused_text'])}{advice}</Errore></ListaErrori>\n"
            )
        case "NE":
            return (
                f'<EsitoCommittente versione="1.0"><IdentificativoSdI>{number}</IdentificativoSdI>'
                f"{_invoice_reference(row)}<Esito>EC01</Esito></EsitoCommittente>\n"
            )
    return f"<Descrizione>{texts['elapsed']}</Descrizione>\n"


def _invoice_reference(row: dict[str, Any]) -> str:
    return (
        f"<RiferimentoFattura>{element('NumeroFattura', row['number'])}"
        f"<AnnoFattura>{row['year']}</AnnoFattura></RiferimentoFattura>"
    )


def _arrival(row: dict[str, Any]) -> datetime:
    """In the evening of the day on which the file was sent, in the morning of another."""
    hour = 20 if row["arrives"] == row["day"] else 8
    return datetime.combine(row["arrives"], time(hour), _ROME) + timedelta(minutes=row["minute"])


def _stamp(name: str, instant: datetime) -> str:
    return f"<{name}>{instant.isoformat(timespec='milliseconds')}</{name}>\n"
