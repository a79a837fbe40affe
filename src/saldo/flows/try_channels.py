"""Whether a company's channels work: a try to connect, and a message of one's own that really goes out."""

from __future__ import annotations

import secrets
from dataclasses import replace

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import EMAIL, PEC, SMS
from saldo.identity.models import Company
from saldo.identity.operations import record_event, stamped
from saldo.outreach.channels import checks, email, pec, sms
from saldo.outreach.channels.config import channels, file_path
from saldo.outreach.channels.mime import BadAddress
from saldo.outreach.channels.outgoing import Answer, Outgoing, failed
from saldo.outreach.deliveries import check_right
from saldo.outreach.settings import rules_of

TRIED = (EMAIL, PEC, SMS)
_SUBJECT = {"it": "Prova di invio da Saldo", "en": "A test message from Saldo"}
_BODY = {
    "it": "Questo messaggio di prova è stato inviato da Saldo per {company}. Non occorre rispondere.\n",
    "en": "This is a test message sent by Saldo for {company}. No answer is needed.\n",
}


def check_channels(ctx: Context, company_id: int) -> list[checks.ChannelState]:
    """Each channel of a company, connected to and logged in to; nothing is sent."""
    company = Company.objects.get(id=company_id)
    return checks.check(company.code, rules_of(company_id).letter_folder)


def try_out(ctx: Context, company_id: int, channel: str, address: str) -> Answer:
    """Send a test message to an address of one's own, at once, whatever the rules of sending say.

    Raises SaldoError: channel_unknown, channel_not_set_up, sending_not_allowed, and those of the file.
    """
    check_right(ctx, company_id)
    company = Company.objects.get(id=company_id)
    if channel not in TRIED:
        raise SaldoError("channel_unknown", channel=channel, known=", ".join(TRIED))
    told = "it" if ctx.language == "it" else "en"
    out = Outgoing(
        secrets.token_hex(8), "", address, _SUBJECT[told], _BODY[told].format(company=company.name),
        details={"country": company.country},
    )  # fmt: skip
    try:
        answer = _sent(ctx, company, channel, out)
    except BadAddress:
        answer = failed("address_invalid", address)
    stamp = stamped(ctx, company_id)
    record_event(stamp, "sending.tested", "company", company_id, {"channel": channel, "state": answer.state})
    return answer


def _sent(ctx: Context, company: Company, channel: str, out: Outgoing) -> Answer:
    own = channels().of(company.code)
    mail = own.pec_smtp if channel == PEC else own.smtp or own.anymail
    if (own.sms if channel == SMS else mail) is None:
        raise SaldoError("channel_not_set_up", channel=channel, company=company.code, path=str(file_path()))
    if channel == SMS:
        assert own.sms is not None
        return sms.send(own.sms, out)
    if channel == PEC:
        assert own.pec_smtp is not None
        return pec.send(own.pec_smtp, out, pec.build(own.pec_smtp, out, ctx.clock()))
    assert mail is not None
    named = replace(out, rfc_id=f"<{out.token}@{mail.from_address.rpartition('@')[2]}>")
    return email.send(mail, named, email.build(mail, named, ctx.clock()))
