"""Addresses that are not written to any more, and consents.

    stop_address, release_address       after a bounce, a complaint, an opt-out, or by a person
    give_consent, has_consent           for channels that need one, links that tell of a click, recordings
    stops_in_force, stops_of            reading

A stop counts at once, for whoever's contact the address is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from saldo.core.addresses import fold_address, phone_number
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook import CALL, CHANNELS, SMS
from saldo.identity.models import Grant
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import AddressRelease, AddressStop, Consent, Contact

MAY_STOP_ADDRESS = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CUSTOMER_CARE,
    }
)
MAY_RELEASE_ADDRESS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER, Grant.Role.COLLECTOR})
# Besides channels: links that tell of a click need a consent of their own.
TRACKING = "tracking"
# So does keeping the recording of a call.
RECORDING = "record"
_CONSENTS = (*CHANNELS, TRACKING, RECORDING)


@dataclass(frozen=True, slots=True)
class StopRow:
    """An address that is stopped. company_id None: for every company."""

    id: int
    company_id: int | None
    channel: str
    address: str
    reason: str
    note: str
    document_id: int | None
    actor: str
    recorded_at: datetime


def stop_address(
    ctx: Context,
    channel: str,
    address: str,
    reason: str,
    company_id: int | None = None,
    document_id: int | None = None,
    note: str = "",
) -> int:
    """Nothing is sent to this address any more (company_id None: by no company). Returns the stop's id; an
    address that is stopped for the same reason already stays so.

    Raises SaldoError: channel_unknown, address_missing, stop_reason_unknown.
    """
    folded = _folded(channel, address)
    if reason not in AddressStop.Reason.values:
        raise SaldoError("stop_reason_unknown", reason=reason, known=", ".join(AddressStop.Reason.values))
    with transaction.atomic():
        inner = _stamped(ctx, company_id)
        there = _in_force(company_id, channel, folded).filter(reason=reason).first()
        if there is not None:
            return int(there.id)
        stop = AddressStop.objects.create(
            company_id=company_id, channel=channel, address=folded, reason=reason, document_id=document_id,
            note=note, actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        _tell(inner, "address.stopped", stop, {"reason": reason, "note": note})
    return int(stop.id)


def release_address(ctx: Context, stop_id: int, note: str) -> None:
    """The address may be written to again: every stop of it in force for that company and channel ends.

    Raises SaldoError: stop_unknown (or released already), note_missing.
    """
    if not note.strip():
        raise SaldoError("note_missing")
    with transaction.atomic():
        found = AddressStop.objects.filter(id=stop_id, release__isnull=True)
        stop = found.select_for_update(of=("self",)).first()
        if stop is None:
            raise SaldoError("stop_unknown", stop=stop_id)
        inner = _stamped(ctx, stop.company_id)
        for one in _in_force(stop.company_id, stop.channel, stop.address).select_for_update(of=("self",)):
            AddressRelease.objects.create(stop=one, note=note, actor=ctx.actor, recorded_at=inner.recorded_at)
        _tell(inner, "address.released", stop, {"note": note})


def give_consent(ctx: Context, contact_id: int, channel: str, is_given: bool = True, note: str = "") -> int:
    """A contact agrees to a channel (to tracked links, to being recorded), or no longer does. Returns the
    consent's id.

    Raises SaldoError: contact_unknown, channel_unknown.
    """
    if channel not in _CONSENTS:
        raise SaldoError("channel_unknown", channel=channel, known=", ".join(_CONSENTS))
    with transaction.atomic():
        contact = Contact.objects.select_related("account").filter(id=contact_id).first()
        if contact is None or ctx.company_id not in (None, contact.account.company_id):
            raise SaldoError("contact_unknown", contact=contact_id)
        inner = stamped(ctx, contact.account.company_id)
        consent = Consent.objects.create(
            contact=contact, channel=channel, is_given=is_given, note=note, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        kind = "consent.given" if is_given else "consent.withdrawn"
        record_event(inner, kind, "account", contact.account_id, {"contact": contact_id, "channel": channel})
    return int(consent.id)


def has_consent(contact_id: int, channel: str) -> bool:
    """Whether the last that the contact said about it is yes."""
    said = Consent.objects.filter(contact_id=contact_id, channel=channel).order_by("-id")
    return bool(said.values_list("is_given", flat=True).first())


def consenting(account_id: int, channel: str) -> set[int]:
    """The account's contacts who agree to it. The caller has checked the account's scope."""
    said = Consent.objects.filter(contact__account_id=account_id, channel=channel).order_by("id")
    last = dict(said.values_list("contact_id", "is_given"))
    return {contact for contact, is_given in last.items() if is_given}


def stops_in_force(ctx: Context, company_id: int | None = None) -> list[StopRow]:
    """Every address that is stopped (for the company, or for all companies), newest first."""
    found = _known(ctx)
    wanted = company_id if company_id is not None else ctx.company_id
    if wanted is not None:
        found = found.filter(Q(company=None) | Q(company_id=wanted))
    return [_row(one) for one in found.order_by("-id")]


def stops_of(ctx: Context, account_id: int) -> list[StopRow]:
    """The stops of the account's contacts' addresses. The caller has checked the account's scope."""
    folded = set()
    company_id = None
    for contact in Contact.objects.filter(account_id=account_id).select_related("account__customer"):
        company_id = contact.account.company_id
        folded |= {fold_address("email", address) for address in (contact.email, contact.pec) if address}
        if contact.phone:
            folded.add(phone_number(contact.phone, contact.account.customer.country or "IT"))
    found = _known(ctx).filter(address__in=folded).filter(Q(company=None) | Q(company_id=company_id))
    return [_row(one) for one in found.order_by("-id")]


def _known(ctx: Context) -> QuerySet[AddressStop]:
    if ctx.known_at is None:
        return AddressStop.objects.filter(release__isnull=True)
    late = Q(release__isnull=True) | Q(release__recorded_at__gt=ctx.known_at)
    return AddressStop.objects.filter(late, recorded_at__lte=ctx.known_at)


def _in_force(company_id: int | None, channel: str, folded: str) -> QuerySet[AddressStop]:
    return AddressStop.objects.filter(
        company_id=company_id, channel=channel, address=folded, release__isnull=True
    )


def _row(one: AddressStop) -> StopRow:
    return StopRow(
        one.id, one.company_id, one.channel, one.address, one.reason, one.note, one.document_id, one.actor,
        one.recorded_at,
    )  # fmt: skip


def _folded(channel: str, address: str) -> str:
    if channel not in CHANNELS:
        raise SaldoError("channel_unknown", channel=channel, known=", ".join(CHANNELS))
    folded = fold_address(channel, address)[:200]
    if not folded:
        raise SaldoError("address_missing", channel=channel)
    return folded


def _stamped(ctx: Context, company_id: int | None) -> Context:
    if company_id is not None:
        return stamped(ctx, company_id)
    return replace(ctx, recorded_at=ctx.recorded_at or ctx.clock(), company_id=None)


def _tell(ctx: Context, kind: str, stop: AddressStop, data: dict[str, str]) -> None:
    """One event for each account that has the address, for its history; else one for the stop itself."""
    told = {**data, "stop": stop.id, "channel": stop.channel, "address": stop.address}
    accounts = _accounts_with(stop)
    for account_id, company_id in accounts:
        record_event(replace(ctx, company_id=company_id), kind, "account", account_id, told)
    if not accounts:
        record_event(ctx, kind, "address_stop", stop.id, told)


def _accounts_with(stop: AddressStop) -> Sequence[tuple[int, int]]:
    if stop.channel in (SMS, CALL):
        wanted = Q(phone__contains=stop.address[-6:])
    else:
        wanted = Q(email__iexact=stop.address) | Q(pec__iexact=stop.address)
    found = Contact.objects.filter(wanted).values_list("account_id", "account__company_id")
    if stop.company_id is not None:
        found = found.filter(account__company_id=stop.company_id)
    return sorted(set(found[:50]))
