"""PEC: certified mail, handed to the provider's mail server. What it proves comes back as receipts.

"sent" here means that the provider's server took it; acceptance (accettazione) and delivery (avvenuta
consegna) are messages that arrive in the PEC mailbox later, and only they carry legal weight.
"""

from __future__ import annotations

from datetime import datetime

from saldo.outreach.channels import mail_folder, mime
from saldo.outreach.channels.config import Folder, Smtp
from saldo.outreach.channels.outgoing import Answer, Outgoing
from saldo.outreach.channels.smtp import send_bytes


def build(config: Smtp | Folder, out: Outgoing, now: datetime) -> bytes:
    """The message's bytes; answers go to the PEC address itself. Raises mime.BadAddress."""
    return mime.as_bytes(mime.build(out, config.from_name, config.from_address, config.reply_to, now))


def send(config: Smtp | Folder, out: Outgoing, raw: bytes) -> Answer:
    """Hand the message over, in the account's own name: providers refuse any other sender."""
    if isinstance(config, Folder):
        return mail_folder.put(config.path, out.token, raw)
    return send_bytes(config, mime.address(config.from_address), mime.address(out.to_address), raw)
