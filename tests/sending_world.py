"""A company that sends: customers with addresses, messages that wait, channels that lead to the loopback."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from saldo.core.context import Context
from saldo.core.money import Money, to_mills
from saldo.core.playbook import OVERDUE, REMINDER
from saldo.ledger import entries
from saldo.outreach.messages import Draft, DraftItem, make
from saldo.outreach.settings import change_rules
from saldo.parties.models import Contact
from tests.cash_world import World, context

ROME = ZoneInfo("Europe/Rome")
# A Tuesday on which nothing is closed.
TUESDAY = date(2026, 3, 10)
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=ROME)


def at(instant: datetime, actor: str = "system:sender") -> Context:
    """A context of an instant, its day that of Italy."""
    return Context(actor, instant.astimezone(ROME).date(), lambda: instant)


class SendingWorld(World):
    """``message`` makes one that waits; ``ctx`` is the instant of sending."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ctx = at(NOON).within(self.company.id)
        self.made = 0
        self.rules(cutover_date=date(2026, 1, 1))

    def rules(self, **changes: Any) -> None:
        change_rules(self.ctx, self.company.id, **changes)

    def customer(self, name: str, email: str = "", owes: str = "1000.00") -> tuple[int, int]:
        """(account, item) of a customer with one overdue invoice and a contact."""
        account = self.account(name)
        Contact.objects.create(account_id=account, name=name, email=email, phone="+393331234567")
        return account, self.invoice(account, f"F-{account}", owes, due=date(2026, 2, 1))

    def message(
        self, account: int, asked: dict[int, str], address: str = "rosa@beta.example", **more: Any
    ) -> int:
        self.made += 1
        contact = Contact.objects.filter(account_id=account).first()
        values: dict[str, Any] = {
            "company_id": self.company.id, "account_id": account, "key": f"{account}:test:{self.made}",
            "channel": "email", "purpose": REMINDER, "currency": "EUR", "language": "it",
            "subject": "Sollecito", "body": "Gentile Cliente,\nla fattura è scaduta.\n", "as_of": TUESDAY,
            "to_name": "Rosa", "to_address": address, "contact_id": contact.id if contact else None,
            "asked_mills": sum(to_mills(Decimal(each)) for each in asked.values()),
            "items": tuple(DraftItem(item, to_mills(Decimal(each)), 1, 0) for item, each in asked.items()),
            "track": OVERDUE, "step": "first", "level": 1, **more,
        }  # fmt: skip
        return make(self.ctx, Draft(**values))

    def waiting(self, name: str = "Beta S.r.l.", **more: Any) -> int:
        """A message to a customer of its own who owes 1000."""
        account, item = self.customer(name)
        return self.message(account, {item: "1000.00"}, **more)

    def pay(self, account: int, item: int, amount: str) -> None:
        money = Money(Decimal(amount), "EUR")
        entries.record_payment(
            context(TUESDAY), account, money, [entries.Share(item, money.amount)], booking_date=TUESDAY
        )


def channels_at(folder: Path, port: int, monkeypatch: Any = None, **more: str) -> Callable[[], None]:
    """Write the file of the channels for a mail server on the loopback; more: further lines by section."""
    path = folder / "channels.toml"
    text = f'[ONE.smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\ntimeout_seconds = 2\n'
    text += 'answer_seconds = 2\nfrom = "Uno S.p.A. <crediti@uno.example>"\n'
    for section, lines in more.items():
        text += f"[ONE.{section.replace('_', '.')}]\n{lines}\n"
    path.write_text(text)
    path.chmod(0o600)
    if monkeypatch is not None:
        monkeypatch.setenv("SALDO_CHANNELS", str(path))
    return path.unlink


def later(ctx: Context, **by: float) -> Context:
    """The same context some time later."""
    instant = ctx.clock() + timedelta(**by)
    return at(instant, ctx.actor).within(ctx.company_id or 0)
