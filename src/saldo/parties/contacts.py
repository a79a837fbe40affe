"""Contacts that people add and correct.

    add_contact, change_contact     under the account's lock, with an event
    former_spellings, set_by_people what an import must know of it (parties.operations)

A list from the ERP never undoes what a person said of a contact: the contact keeps every spelling under which
it was known, and the fields that a person set stay as they are until a person sets them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import IntegrityError, transaction

from saldo.core.addresses import fold_address, is_email, is_phone, phone_number
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import EMAIL, PEC, SMS
from saldo.identity.models import Grant
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import Consent, Contact, ContactChange, CustomerAccount
from saldo.parties.stops import TRACKING

MAY_EDIT_CONTACTS = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CUSTOMER_CARE,
    }
)
FIELDS = ("name", "role", "email", "pec", "phone", "language")
WAYS = ("email", "pec", "phone")
# Empty: Italian in Italy, English abroad.
LANGUAGES = ("", "it", "en")
# A consent was given for the number or the mailbox of then.
_CONSENT_OF = {"phone": SMS, "email": TRACKING}


def add_contact(
    ctx: Context,
    account_id: int,
    name: str = "",
    role: str = "",
    email: str = "",
    pec: str = "",
    phone: str = "",
    language: str = "",
) -> int:
    """A person or an office to write to or call. Returns the contact's id.

    Raises SaldoError: account_unknown, contact_unreachable, contact_address_invalid, contact_phone_invalid,
    contact_language_unknown, contact_text_too_long, contact_twice.
    """
    written = {
        "name": name, "role": role, "email": email, "pec": pec, "phone": phone, "language": language,
    }  # fmt: skip
    told = {field: _clean(text) for field, text in written.items()}
    with transaction.atomic():
        account = _locked(ctx, account_id)
        inner = stamped(ctx, account.company_id)
        contact = Contact(account=account, **told)
        _check(contact, told)
        _save(contact)
        _remember(inner, contact, "contact.added", [field for field in FIELDS if told[field]])
    return int(contact.id)


def change_contact(ctx: Context, contact_id: int, **changes: str) -> bool:
    """Set some of FIELDS; whether anything is different now. What is not named stays.

    A consent to SMS (to tracked links) does not pass on to another number (another e-mail address).
    Raises SaldoError: contact_unknown, and those of ``add_contact`` about the fields changed.
    """
    unknown = set(changes) - set(FIELDS)
    if unknown:
        raise TypeError(f"no field of a contact: {', '.join(sorted(unknown))}")
    owner = Contact.objects.filter(id=contact_id).values_list("account_id", flat=True).first()
    if owner is None:
        raise SaldoError("contact_unknown", contact=contact_id)
    with transaction.atomic():
        try:
            account = _locked(ctx, owner)
        except SaldoError:
            raise SaldoError("contact_unknown", contact=contact_id) from None
        inner = stamped(ctx, account.company_id)
        # The row too: an import that is writing to it ends first.
        contact = Contact.objects.select_for_update().get(id=contact_id)
        contact.account = account
        told = {field: _clean(text) for field, text in changes.items()}
        told = {
            field: told[field] for field in FIELDS if field in told and told[field] != getattr(contact, field)
        }
        if not told:
            return False
        before = {field: getattr(contact, field) for field in FIELDS}
        for field, text in told.items():
            setattr(contact, field, text)
        _check(contact, told)
        _save(contact, list(told))
        _remember(inner, contact, "contact.changed", list(told), before)
        _end_consents(inner, contact, before)
    return True


def former_spellings(account_ids: Sequence[int]) -> dict[tuple[int, str, str, str], int]:
    """(account, name, e-mail, phone) as it once was -> the contact that a person has changed since. Of two
    contacts that had one spelling, the later changed."""
    found = ContactChange.objects.filter(contact__account_id__in=account_ids).order_by("id")
    columns = ("contact__account_id", "name", "email", "phone", "contact_id")
    return {
        (owner, name, email, phone): who for owner, name, email, phone, who in found.values_list(*columns)
    }


def set_by_people(account_ids: Sequence[int]) -> dict[int, frozenset[str]]:
    """Contact -> the fields that a person set."""
    kept: dict[int, frozenset[str]] = {}
    found = ContactChange.objects.filter(contact__account_id__in=account_ids)
    for contact_id, fields in found.values_list("contact_id", "fields"):
        kept[contact_id] = kept.get(contact_id, frozenset()) | frozenset(fields)
    return kept


def _clean(text: str) -> str:
    return " ".join(text.split())


def _locked(ctx: Context, account_id: int) -> CustomerAccount:
    """The account under its lock; one that leaves an import free to add contacts, so that neither waits for
    the other in a circle."""
    accounts = CustomerAccount.objects.select_for_update(of=("self",), no_key=True).select_related("customer")
    account = accounts.filter(id=account_id).first()
    if account is None or ctx.company_id not in (None, account.company_id):
        raise SaldoError("account_unknown", account=account_id)
    return account


def _check(contact: Contact, told: Mapping[str, str]) -> None:
    """What is told must be of use; what an import wrote earlier is left alone."""
    for field, text in told.items():
        longest = Contact._meta.get_field(field).max_length or 0
        if field != "language" and len(text) > longest:
            raise SaldoError("contact_text_too_long", text=text[:40], longest=longest)
    for field in (EMAIL, PEC):
        if told.get(field) and not is_email(told[field]):
            raise SaldoError("contact_address_invalid", address=told[field])
    if told.get("phone") and not is_phone(told["phone"], _country(contact)):
        raise SaldoError("contact_phone_invalid", phone=told["phone"])
    if told.get("language", "") not in LANGUAGES:
        raise SaldoError("contact_language_unknown", language=told["language"][:10])
    if not any(getattr(contact, field) for field in WAYS):
        raise SaldoError("contact_unreachable")
    others = Contact.objects.filter(account_id=contact.account_id).exclude(id=contact.id)
    if any(_identity(other, _country(contact)) == _identity(contact, _country(contact)) for other in others):
        raise _twice(contact)


def _save(contact: Contact, fields: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            contact.save(update_fields=fields)
    except IntegrityError:
        # A list brought the same one a moment ago.
        raise _twice(contact) from None


def _twice(contact: Contact) -> SaldoError:
    return SaldoError("contact_twice", contact=contact.name or contact.email or contact.phone or contact.pec)


def _country(contact: Contact) -> str:
    return contact.account.customer.country or "IT"


def _identity(contact: Contact, country: str) -> tuple[str, str, str]:
    """Contacts that have this in common are one, however it is written."""
    name = " ".join(contact.name.casefold().split())
    return name, fold_address(EMAIL, contact.email), phone_number(contact.phone, country)


def _remember(
    ctx: Context, contact: Contact, kind: str, fields: list[str], before: Mapping[str, str] | None = None
) -> None:
    """The change, with the spelling that the next list may still have. The event names fields, no values: it
    outlives the contact."""
    was = before or {field: getattr(contact, field) for field in FIELDS}
    ContactChange.objects.create(
        contact=contact, name=was["name"], email=was["email"], phone=was["phone"], fields=fields,
        actor=ctx.actor, recorded_at=ctx.recorded_at,
    )  # fmt: skip
    record_event(ctx, kind, "account", contact.account_id, {"contact": contact.id, "fields": fields})


def _end_consents(ctx: Context, contact: Contact, before: Mapping[str, str]) -> None:
    country = _country(contact)
    is_other = {
        "phone": phone_number(before["phone"], country) != phone_number(contact.phone, country),
        "email": fold_address(EMAIL, before["email"]) != fold_address(EMAIL, contact.email),
    }
    for field, channel in _CONSENT_OF.items():
        last = Consent.objects.filter(contact=contact, channel=channel).order_by("-id").first()
        if is_other[field] and last is not None and last.is_given:
            Consent.objects.create(
                contact=contact, channel=channel, is_given=False, actor=ctx.actor, recorded_at=ctx.recorded_at
            )
            told = {"contact": contact.id, "channel": channel}
            record_event(ctx, "consent.withdrawn", "account", contact.account_id, told)
