"""Remittance advices in replies: passed on to the cash desk as any other advice is."""

from __future__ import annotations

import logging
from typing import Any

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.flows.import_bank import kind_by_content
from saldo.flows.import_documents import receive
from saldo.flows.jobs import defer_import
from saldo.flows.mail_reports import Note, note
from saldo.formats.messages import MessageRecord
from saldo.identity.models import Company

logger = logging.getLogger(__name__)
KIND = "remittances"
_NO_ADVICES = ("image/", "message/", "text/calendar", "application/pgp", "application/pkcs7-signature")


def note_of(
    ctx: Context, raw: bytes, company_id: int | None, is_against: bool, message: MessageRecord
) -> list[Note]:
    """Queue the import of a message that carries a remittance advice, in the caller's transaction; what was
    done, to be told with the reply. Nothing of a sender who may be false is read."""
    files = [one for one in message.attachments if not one.content_type.startswith(_NO_ADVICES)]
    if message.is_automatic or company_id is None:
        return []
    if is_against:
        return [note("mail_files_left")] if files else []
    name = f"{message.subject or 'reply'}.eml"
    try:
        if kind_by_content(raw, name) != KIND:
            return []
        code = Company.objects.values_list("code", flat=True).get(id=company_id)
        batch_id = receive(ctx, name, raw, KIND, company_code=code)
    except SaldoError as error:
        logger.warning("the advice in a reply was not taken: %s", error)
        return []
    defer_import(batch_id, ctx.language)
    return [advice_note(batch_id)]


def advice_note(batch_id: int) -> dict[str, Any]:
    return note("mail_advice_imported", batch=batch_id)
