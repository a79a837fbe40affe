"""Whom of an account's contacts one can call."""

from __future__ import annotations

from collections.abc import Sequence

from saldo.core.addresses import phone_number
from saldo.core.context import Context
from saldo.core.playbook import CALL
from saldo.parties.queries import AccountHeader, ContactRow
from saldo.parties.stops import stops_of


def callable_contacts(
    ctx: Context, header: AccountHeader, contacts: Sequence[ContactRow]
) -> list[ContactRow]:
    """Those with a telephone number that nobody has said is wrong."""
    with_phone = [one for one in contacts if one.phone]
    if not with_phone:
        return []
    stopped = {stop.address for stop in stops_of(ctx, header.id) if stop.channel == CALL}
    country = header.country or "IT"
    return [one for one in with_phone if (phone_number(one.phone, country) or one.phone) not in stopped]
