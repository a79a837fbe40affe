"""E-invoices (FatturaPA) of a world: an archive per company and day, some files loose, in p7m or mailed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import groupby

import polars as pl
from asn1crypto import cms

from saldo.simulation.draws import Draws
from saldo.simulation.files._fatturapa_text import InvoiceTexts, progressive
from saldo.simulation.files._mail_parts import file_part, mail_date, multipart, text_part
from saldo.simulation.files._sendings import sendings
from saldo.simulation.files.world_file import WorldFile, archive
from saldo.simulation.world.tables import Tables

# Invoices put into text at a time: enough for the frames, little enough for the memory.
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class SentInvoice:
    """A file as it was handed to SdI. attempt: 0, or 1 after a refusal. container: "zip", "xml", "p7m", "eml"
    (how it lies in the world's folder; only p7m changes its bytes)."""

    invoice_id: int
    attempt: int
    company: str
    file_name: str
    data: bytes
    day: date
    container: str


def write_einvoices(
    t: Tables, draws: Draws, first: date, last: date, share: float = 1.0
) -> Iterator[WorldFile]:
    """The e-invoices sent from ``first`` to ``last``, in order of the day. A refused file is there too, and
    the one that takes its place has another name."""
    emails = dict(t.companies.select("code", "email").iter_rows())
    for day, sent in groupby(
        sent_invoices(t, draws, sendings(t, draws, first, last, share)), lambda one: one.day
    ):
        yield from _files_of(day, list(sent), emails)


def sent_invoices(t: Tables, draws: Draws, sent: pl.DataFrame) -> Iterator[SentInvoice]:
    """The files of ``sent`` (see ``sendings``), in its order."""
    texts = InvoiceTexts(t, draws)
    for chunk in sent.iter_slices(_CHUNK):
        for row, company, sender, text in texts.of(chunk):
            data, name = text.encode(), f"IT{sender}_{progressive(row)}.xml"
            if row["container"] == "p7m":
                data, name = in_p7m(data), name + ".p7m"
            yield SentInvoice(
                row["invoice_id"], row["attempt"], company, name, data, row["day"], row["container"]
            )


def _files_of(day: date, sent: Iterable[SentInvoice], emails: dict[str, str]) -> Iterator[WorldFile]:
    by_company: dict[str, list[SentInvoice]] = {}
    for one in sent:
        by_company.setdefault(one.company, []).append(one)
    for company, files in sorted(by_company.items()):
        folder = f"files/{company}/sdi"
        packed = [(one.file_name, one.data) for one in files if one.container == "zip"]
        if packed:
            yield WorldFile(f"{folder}/fatture_{day:%Y%m%d}.zip", archive(packed), day)
        for one in files:
            if one.container == "eml":
                name = one.file_name.replace(".xml", ".eml")
                yield WorldFile(f"{folder}/{name}", _mailed(one, emails[company]), day)
            elif one.container != "zip":
                yield WorldFile(f"{folder}/{one.file_name}", one.data, day)


def _mailed(one: SentInvoice, address: str) -> bytes:
    """The file as the invoicing program mails it to the office."""
    stem = one.file_name.partition(".")[0]
    headers = [
        ("From", f"fatturazione@{address.partition('@')[2]}"),
        ("To", address),
        ("Subject", f"Fattura elettronica inviata: {one.file_name}"),
        ("Date", mail_date(datetime.combine(one.day, time(17, 30), UTC))),
        ("Message-ID", f"<{stem}@{address.partition('@')[2]}>"),
    ]
    parts = [
        text_part("In allegato il file inviato al Sistema di Interscambio.\r\n"),
        file_part(one.file_name, "application/xml", one.data),
    ]
    return multipart(headers, f"=_fattura_{stem}", parts)


def in_p7m(xml: bytes) -> bytes:
    """The envelope of a signed file (CMS SignedData, DER), with no signature in it: a world signs nothing."""
    content = cms.ContentInfo({"content_type": "data", "content": xml})
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": content,
            "signer_infos": [],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())
