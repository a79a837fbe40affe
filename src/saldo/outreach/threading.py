"""Whose a message from outside is: by what it answers, by the signed address, or by who wrote it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Q

from saldo.core.sending import ACCEPTED, DELIVERED
from saldo.outreach.models import Delivery, Message
from saldo.parties.models import Contact

BY_MESSAGE_ID, BY_TOKEN, BY_ADDRESS, NOT_KNOWN = "message_id", "token", "address", ""
# By these it is known that whoever wrote has seen our message.
BY_SECRET = frozenset({BY_MESSAGE_ID, BY_TOKEN})
# Behind these domains everybody has a mailbox: two addresses there are two strangers.
SHARED_DOMAINS = frozenset(
    """
    alice.it aol.com aruba.it arubapec.it email.it fastwebnet.it gmail.com gmx.com gmx.de gmx.net
    googlemail.com hotmail.com hotmail.it icloud.com iol.it legalmail.it libero.it live.com live.it
    mac.com me.com msn.com open.legalmail.it outlook.com outlook.it pec.aruba.it pec.it pec.libero.it
    pecimprese.it poste.it postecert.it proton.me protonmail.com register.it sicurezzapostale.it tim.it
    tin.it tiscali.it virgilio.it web.de yahoo.com yahoo.it ymail.com
    """.split()  # noqa: SIM905
)
MAX_IDS = 60


@dataclass(frozen=True, slots=True)
class Thread:
    """What a message from outside belongs to. message: ours that it answers. knows_address: whether the
    sender's address is one of the account's, or of the same organization."""

    threaded_by: str = NOT_KNOWN
    message: Message | None = None
    account_id: int | None = None
    company_id: int | None = None
    knows_address: bool = False


def thread_of(ids: Sequence[str], token: str | None, from_address: str, company_id: int | None) -> Thread:
    """ids: what it says it answers, the nearest first. token: of our address that it was sent to, checked.
    company_id: whose mailbox it came to, if it is one company's."""
    message, how = message_of_ids(ids), BY_MESSAGE_ID
    if message is None and token:
        message, how = Message.objects.filter(token=token).first(), BY_TOKEN
    if message is not None:
        knows = is_address_of(message.account_id, from_address, message)
        return Thread(how, message, message.account_id, message.company_id, knows)
    contacts = Contact.objects.filter(_written_as(from_address)) if from_address else Contact.objects.none()
    if company_id is not None:
        contacts = contacts.filter(account__company_id=company_id)
    accounts = dict(contacts.values_list("account_id", "account__company_id")[:MAX_IDS])
    if len(accounts) == 1:
        ((account_id, its_company),) = accounts.items()
        return Thread(BY_ADDRESS, None, account_id, its_company, True)
    return Thread(company_id=company_id)


def message_of_ids(ids: Sequence[str]) -> Message | None:
    """The message of ours that one of the identifiers names, the first of them that does.

    A PEC is answered under the identifier of its provider's envelope, which the receipts have told us.
    """
    wanted = list(dict.fromkeys(ids))[:MAX_IDS]
    if not wanted:
        return None
    found = {message.rfc_id: message for message in Message.objects.filter(rfc_id__in=wanted)}
    for one in wanted:
        if one in found:
            return found[one]
    bare = [one.strip("<>") for one in wanted]
    told = Delivery.objects.filter(state__in=(ACCEPTED, DELIVERED), detail__in=bare, message__channel="pec")
    first = told.select_related("message").first()
    return first.message if first else None


def is_address_of(account_id: int, address: str, message: Message | None = None) -> bool:
    """Whether the address is a contact's, the one that was written to, or of the same organization."""
    if not address:
        return False
    known = {one.lower() for one in _addresses_of(account_id)}
    if message is not None and "@" in message.to_address:
        known.add(message.to_address.lower())
    if address.lower() in known:
        return True
    domain = address.lower().rpartition("@")[2]
    return domain not in SHARED_DOMAINS and domain in {one.rpartition("@")[2] for one in known}


def is_contact_of(account_id: int, address: str) -> bool:
    """Whether exactly this address is a contact's."""
    return address.lower() in {one.lower() for one in _addresses_of(account_id)}


def _addresses_of(account_id: int) -> Iterable[str]:
    for email, pec in Contact.objects.filter(account_id=account_id).values_list("email", "pec"):
        yield from (one for one in (email, pec) if one)


def _written_as(address: str) -> Q:
    return Q(email__iexact=address) | Q(pec__iexact=address)
