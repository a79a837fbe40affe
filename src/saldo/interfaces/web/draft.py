"""The draft of an e-mail with an account's open items, in the customer's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from saldo.interfaces.web.templatetags.saldo import day, with_currency
from saldo.ledger.statement import ItemRow, Totals
from saldo.parties.queries import AccountHeader, ContactRow

# Mail programs cut addresses that are longer; the full text is there to be copied.
MAILTO_CHARACTERS = 1900


@dataclass(frozen=True, slots=True)
class Draft:
    to: str
    subject: str
    body: str
    language: str

    @property
    def mailto(self) -> str:
        """A mailto: address with as many whole lines of the body as mail programs take."""
        head = f"mailto:{quote(self.to, safe='@')}?subject={quote(self.subject)}&body="
        lines = self.body.split("\n")
        while lines and len(head) + len(quote("\r\n".join(lines))) > MAILTO_CHARACTERS:
            lines.pop()
        return head + quote("\r\n".join(lines))


def language_of(contact: ContactRow | None, account: AccountHeader) -> str:
    """The contact's language if we write it, else Italian for Italian customers and English for others."""
    if contact is not None and contact.language in ("it", "en"):
        return contact.language
    return "it" if account.country in ("", "IT", "SM", "VA") else "en"


def _line(item: ItemRow) -> str:
    amount = with_currency(item.balance, item.currency)
    if item.balance < 0:
        return _("- %(number)s of %(date)s: %(amount)s to your credit") % {
            "number": item.number or "–", "date": day(item.effective_date), "amount": amount.lstrip("−"),
        }  # fmt: skip
    values = {
        "number": item.number or "–",
        "due": day(item.due_date),
        "amount": amount,
        "days": item.late_days,
    }
    if item.late_days > 0:
        return (
            ngettext(
                "- invoice %(number)s, due on %(due)s (%(days)d day ago): %(amount)s",
                "- invoice %(number)s, due on %(due)s (%(days)d days ago): %(amount)s",
                item.late_days,
            )
            % values
        )
    return _("- invoice %(number)s, due on %(due)s: %(amount)s") % values


def _section(title: str, items: Sequence[ItemRow]) -> list[str]:
    return [title, *(_line(item) for item in items), ""] if items else []


def statement_draft(
    account: AccountHeader,
    company_name: str,
    contact: ContactRow | None,
    items: Sequence[ItemRow],
    totals: Sequence[Totals],
    as_of: object,
) -> Draft:
    """A reminder where something is overdue, a plain statement of account otherwise."""
    language = language_of(contact, account)
    overdue = [item for item in items if item.late_days > 0]
    with translation.override(language):
        today = day(as_of)
        late = [total for total in totals if total.overdue > 0]
        if late:
            sums = " + ".join(with_currency(total.overdue, total.currency) for total in late)
            subject = _("%(company)s – invoices past due: %(sums)s") % {"company": company_name, "sums": sums}
            opening = _("on %(today)s we do not yet see the payment of %(sums)s.") % {
                "today": today,
                "sums": sums,
            }
        else:
            subject = _("%(company)s – statement of account at %(today)s") % {
                "company": company_name, "today": today,
            }  # fmt: skip
            opening = _("here is your statement of account at %(today)s.") % {"today": today}
        name = contact.name if contact and contact.name else ""
        greeting = _("Dear %(name)s,") % {"name": name} if name else _("Dear Sir or Madam,")
        body = [
            greeting,
            opening,
            "",
            *_section(_("Past due:"), overdue),
            *_section(_("Not yet due:"), [i for i in items if i.balance > 0 and not i.late_days]),
            *_section(_("To your credit:"), [i for i in items if i.balance < 0]),
        ]
        if late:
            body.append(_("Could you tell us on which day we can expect the payment?"))
            body.append(
                _("If you have already paid, please reply with the date and the bank: we will look it up.")
            )
        body += ["", _("Kind regards"), company_name]
    to = (contact.email or contact.pec) if contact else ""
    return Draft(to=to, subject=subject, body="\n".join(body), language=language)
