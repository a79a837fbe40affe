"""What customers asked for once: kept with its day, shown wherever people deal with them, and used.

    record_preference, end_preference          changes, under the account's lock
    preferences_of, preferences_in_force       reading, as of a day and as known at an instant

The kinds are in core.preferences. A contact's preference is named by the contact's id; one of the whole
account has none. docs/rules/care.md says where each is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.preferences import SEVERAL, clean_value
from saldo.identity.models import Grant
from saldo.identity.operations import record_event, stamped
from saldo.parties.models import Contact, CustomerAccount, Preference, PreferenceEnd
from saldo.storage.frames import copy_out

# Whoever speaks with customers hears what they ask for.
MAY_PREFER = frozenset(
    {
        Grant.Role.ADMINISTRATOR,
        Grant.Role.CREDIT_MANAGER,
        Grant.Role.COLLECTOR,
        Grant.Role.CASH_SPECIALIST,
        Grant.Role.CUSTOMER_CARE,
        Grant.Role.SALES,
    }
)
NOTE_CHARACTERS = 500
PREFERENCES = {
    "preference_id": pl.Int64,
    "account_id": pl.Int64,
    "contact_id": pl.Int64,
    "kind": pl.String,
    "value": pl.String,
    "day": pl.Date,
}
_IN_FORCE = """
SELECT p.id, p.account_id, p.contact_id, p.kind, p.value, p.effective_date
  FROM parties_preference p
 WHERE p.effective_date <= %(as_of)s AND p.recorded_at <= %(known_at)s
   AND (%(company_id)s::int IS NULL OR p.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR p.account_id = ANY(%(accounts)s::bigint[]))
   AND NOT EXISTS (SELECT 1 FROM parties_preferenceend e WHERE e.preference_id = p.id
                      AND e.effective_date <= %(as_of)s AND e.recorded_at <= %(known_at)s)
 ORDER BY p.account_id, p.id DESC
"""


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """A preference as people see it. contact_id None: of the whole account."""

    id: int
    account_id: int
    contact_id: int | None
    contact: str
    kind: str
    value: str
    note: str
    day: date
    actor: str
    recorded_at: datetime


def preferences_in_force(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """PREFERENCES on the context's day, of each account the newest first."""
    params = {
        "as_of": ctx.as_of,
        "known_at": ctx.known_at or "infinity",
        "company_id": ctx.company_id,
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(_IN_FORCE, params, PREFERENCES)


def preferences_of(ctx: Context, account_id: int) -> list[PreferenceRow]:
    """The account's preferences in force, newest first. The caller has checked the account's scope."""
    ids = preferences_in_force(ctx, [account_id])["preference_id"].to_list()
    if not ids:
        return []
    found = Preference.objects.filter(id__in=ids).order_by("-id")
    names = dict(Contact.objects.filter(account_id=account_id).values_list("id", "name"))
    return [
        PreferenceRow(
            one.id, account_id, one.contact_id, names.get(one.contact_id, ""), one.kind, one.value, one.note,
            one.effective_date, one.actor, one.recorded_at,
        )
        for one in found
    ]  # fmt: skip


def record_preference(
    ctx: Context,
    account_id: int,
    kind: str,
    value: str = "",
    note: str = "",
    contact_id: int | None = None,
    document_id: int | None = None,
) -> int:
    """The customer (or one contact of it) asked for this. Returns the preference's id.

    The same again is the one that is there; of kinds that hold one value another one takes its place. The
    caller has checked that the actor sees the account. Raises SaldoError: preference_unknown,
    preference_hours_bad, preference_needs_words, preference_needs_contact, contact_unknown, account_unknown.
    """
    text = clean_value(kind, value, contact_id is not None)
    with transaction.atomic():
        account = _locked(ctx, account_id)
        if (
            contact_id is not None
            and not Contact.objects.filter(id=contact_id, account_id=account_id).exists()
        ):
            raise SaldoError("contact_unknown", contact=contact_id)
        inner = stamped(ctx, account.company_id)
        # The contact to write to is one of the account; everything else may differ by contact.
        others = Preference.objects.filter(account_id=account_id, kind=kind, end__isnull=True)
        if kind != "contact":
            others = others.filter(contact_id=contact_id)
        if there := others.filter(value=text, contact_id=contact_id).first():
            return int(there.id)
        if kind not in SEVERAL:
            for each in others:
                _end(inner, each, "")
        made = Preference.objects.create(
            company_id=account.company_id, account_id=account_id, contact_id=contact_id, kind=kind,
            value=text, document_id=document_id, note=note.strip()[:NOTE_CHARACTERS],
            effective_date=ctx.as_of, actor=ctx.actor, recorded_at=inner.recorded_at,
        )  # fmt: skip
        record_event(inner, "preference.recorded", "account", account_id, _told(made))
    return int(made.id)


def end_preference(ctx: Context, preference_id: int, note: str = "") -> int:
    """It no longer holds, from the context's day on. Returns the account's id.

    Raises SaldoError: preference_ended (or there is none).
    """
    owner = Preference.objects.filter(id=preference_id).values_list("account_id", flat=True).first()
    if owner is None:
        raise SaldoError("preference_ended", preference=preference_id)
    with transaction.atomic():
        account = _locked(ctx, owner)
        one = Preference.objects.filter(id=preference_id, end__isnull=True).first()
        if one is None:
            raise SaldoError("preference_ended", preference=preference_id)
        inner = stamped(ctx, account.company_id)
        _end(inner, one, note)
        record_event(
            inner, "preference.ended", "account", owner, _told(one) | {"note": note[:NOTE_CHARACTERS]}
        )
    return int(owner)


def _end(ctx: Context, one: Preference, note: str) -> None:
    PreferenceEnd.objects.create(
        preference=one, note=note.strip()[:NOTE_CHARACTERS], effective_date=ctx.as_of, actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )  # fmt: skip


def _told(one: Preference) -> dict[str, Any]:
    return {"preference": one.id, "kind": one.kind, "value": one.value, "contact": one.contact_id}


def _locked(ctx: Context, account_id: int) -> CustomerAccount:
    """The account under its lock: of two who record at once the second sees what the first did."""
    account = CustomerAccount.objects.filter(id=account_id).select_for_update(no_key=True).first()
    if account is None or ctx.company_id not in (None, account.company_id):
        raise SaldoError("account_unknown", account=account_id)
    return account
