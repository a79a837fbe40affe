"""A company with a customer who owes, a message that was sent to it, and mail as customers and servers write
it. The messages are rows as the sender leaves them; what comes back is real bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from email.message import EmailMessage
from typing import Any
from zlib import crc32

from saldo.core.context import Context
from saldo.core.money import Money
from saldo.identity.operations import ensure_company
from saldo.ledger import entries
from saldo.outreach.models import Delivery, Message, MessageItem
from saldo.parties.models import Contact, Customer, CustomerAccount

DAY = date(2026, 3, 16)  # a Monday
NOW = datetime(2026, 3, 16, 9, 30, tzinfo=UTC)
SENT_AT = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
ADDRESS, PEC_ADDRESS = "amministrazione@cliente.test", "cliente@pec.cliente.test"
CHANNELS = """
public_url = "https://crediti.example.com"
[ALFA.imap]
host = "127.0.0.1"
port = {port}
security = "{security}"
user = "crediti"
password = "segreta"
address = "crediti@example.com"
authserv_id = "mx.example.com"
{more}
"""


def context(day: date = DAY, actor: str = "system:test", now: datetime | None = None) -> Context:
    instant = now or datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC)
    return Context(actor, day, lambda: instant)


@dataclass
class World:
    company_id: int
    account_id: int
    items: dict[str, int]
    sent: int = 0

    def message(self, channel: str = "email", to: str = ADDRESS, **changes: Any) -> Message:
        """A reminder that has left, about every item."""
        self.sent += 1
        token = f"tok{self.sent:09d}"
        values: dict[str, Any] = {
            "company_id": self.company_id, "account_id": self.account_id, "key": f"k{self.sent}",
            "channel": channel, "purpose": "reminder", "track": "overdue", "step": "sollecito-1", "level": 1,
            "currency": "EUR", "asked": Decimal("1500"), "to_address": to, "language": "it",
            "subject": "Fatture scadute", "body": "Gentile cliente, risultano scadute F-1 e F-2.",
            "rfc_id": f"<{token}@example.com>", "token": token, "as_of": date(2026, 3, 12), "actor": "anna",
            "recorded_at": SENT_AT,
        }  # fmt: skip
        made = Message.objects.create(**(values | changes))
        for item_id in self.items.values():
            MessageItem.objects.create(message=made, item_id=item_id, asked=Decimal("1"), level=1)
        for attempt, state in ((0, "queued"), (1, "sending"), (1, "sent")):
            Delivery.objects.create(
                message=made,
                state=state,
                attempt=attempt,
                occurred_at=SENT_AT,
                actor="system",
                recorded_at=SENT_AT,
            )
        return made


def build(code: str = "ALFA") -> World:
    ctx = context(date(2026, 3, 2))
    company = ensure_company(ctx, code, f"{code} S.p.A.")
    customer = Customer.objects.create(name="Cliente S.r.l.", vat_number=f"IT0123456{len(code)}")
    account = CustomerAccount.objects.create(
        company_id=company.id, customer=customer, code="C1", recorded_at=NOW
    )
    Contact.objects.create(account=account, name="Ufficio acquisti", email=ADDRESS, pec=PEC_ADDRESS)
    items = {}
    for number, amount, due in (("F-1", "1000.00", date(2026, 2, 10)), ("F-2", "500.00", date(2026, 2, 28))):
        done = entries.record_invoice(
            replace(ctx, company_id=company.id), account.id, number, Money(Decimal(amount), "EUR"),
            [(due, Decimal(amount))], document_date=date(2026, 1, 10),
        )  # fmt: skip
        items[number] = done.item_ids[0]
    return World(company.id, account.id, items)


# -- what people write --------------------------------------------------------------------------------------


def mail(
    text: str, subject: str = "R: Fatture scadute", sender: str = ADDRESS, **headers: str
) -> EmailMessage:
    """A message as a customer's program writes it; headers with "_" for "-"."""
    made = EmailMessage()
    made["From"] = f"Ufficio acquisti <{sender}>"
    made["To"] = headers.pop("To", "crediti@example.com")
    made["Subject"] = subject
    made["Date"] = headers.pop("Date", "Mon, 16 Mar 2026 10:00:00 +0100")
    own_id = headers.pop("Message_ID", None)
    made["Message-ID"] = own_id or f"<{crc32((text + subject + sender).encode())}@cliente.test>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def answer(message: Message, text: str, **more: str) -> bytes:
    """A customer's answer to a message of ours."""
    return bytes(mail(text, **({"In_Reply_To": str(message.rfc_id)} | more)))


def bounce(message: Message | None, address: str, status: str, detail: str, **more: str) -> bytes:
    """A report as RFC 3464 has it: words, machine's part, headers of what was sent."""
    own_id = message.rfc_id if message else "<nobody@elsewhere.test>"
    action = more.get("action", "failed")
    return f"""From: MAILER-DAEMON@mx.example.net
To: crediti@example.com
Subject: Undelivered Mail Returned to Sender
Date: Mon, 16 Mar 2026 09:00:00 +0000
Message-ID: <{status}.{crc32(f"{own_id}{status}{detail}".encode())}@mx.example.net>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net. I'm sorry to have to inform you.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Mon, 16 Mar 2026 08:59:00 +0000

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {detail}

--b1
Content-Type: text/rfc822-headers

From: crediti@example.com
To: {address}
Subject: Fatture scadute
Message-ID: {own_id}

--b1--
""".replace("\n", "\r\n").encode()


def complaint(message: Message) -> bytes:
    """A feedback report (RFC 5965)."""
    return f"""From: feedback@provider.test
To: crediti@example.com
Subject: FW: Fatture scadute
Message-ID: <arf{message.id}@provider.test>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an email abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1
Original-Rcpt-To: {message.to_address}

--b2
Content-Type: message/rfc822

From: crediti@example.com
To: {message.to_address}
Subject: Fatture scadute
Message-ID: {message.rfc_id}

Gentile cliente
--b2--
""".replace("\n", "\r\n").encode()


# -- PEC ----------------------------------------------------------------------------------------------------


def daticert(type_: str, msgid: str, error: str = "nessuno", to: str = PEC_ADDRESS) -> bytes:
    msgid = msgid.replace("<", "&lt;").replace(">", "&gt;")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<postacert tipo="{type_}" errore="{error}"><intestazione><mittente>crediti@pec.example.com</mittente>
<destinatari tipo="certificato">{to}</destinatari><risposte>crediti@pec.example.com</risposte>
<oggetto>Sollecito</oggetto></intestazione><dati>
<gestore-emittente>Gestore di Prova S.p.A.</gestore-emittente>
<data zona="+0100"><giorno>16/03/2026</giorno><ora>09:11:12</ora></data>
<identificativo>opec77.20260316.1@pec.example.com</identificativo><msgid>{msgid}</msgid>
<ricevuta tipo="completa"/><consegna>{to}</consegna></dati></postacert>""".encode()


def receipt(type_: str, msgid: str, data: bytes | None, subject: str = "Ricevuta") -> bytes:
    made = EmailMessage()
    made["X-Ricevuta"] = type_
    made["X-Riferimento-Message-ID"] = msgid
    made["From"], made["To"] = "posta-certificata@pec.example.com", "crediti@pec.example.com"
    made["Subject"], made["Message-ID"] = f"{subject}: Sollecito", f"<{type_}.{len(msgid)}@pec.example.com>"
    made["Date"] = "Mon, 16 Mar 2026 09:11:20 +0100"
    made.set_content("Ricevuta")
    if data is not None:
        made.add_attachment(data, "application", "xml", filename="daticert.xml")
    return bytes(made)


def envelope(inner: EmailMessage, sender: str, type_: str = "posta-certificata") -> bytes:
    """A PEC envelope around a message that somebody wrote to us."""
    made = EmailMessage()
    made["X-Trasporto"] = type_
    made["From"] = f'"Per conto di: {sender}" <posta-certificata@pec.provider.test>'
    made["To"], made["Subject"] = "crediti@pec.example.com", f"POSTA CERTIFICATA: {inner['Subject']}"
    made["Message-ID"], made["Date"] = "<opec88.1@pec.provider.test>", "Mon, 16 Mar 2026 09:20:00 +0100"
    made.set_content("Messaggio di posta certificata")
    data = daticert("posta-certificata", str(inner["Message-ID"])).replace(
        b"crediti@pec.example.com</mittente>", f"{sender}</mittente>".encode()
    )
    made.add_attachment(data, "application", "xml", filename="daticert.xml")
    made.add_attachment(inner, filename="postacert.eml")
    return bytes(made)
