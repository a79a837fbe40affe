"""What customers do with the link to an offer: read it, accept it, decline it. No login: the link is signed.

Reading changes nothing, since programs that look at mail follow every link. What is accepted is kept as it
was shown, with who accepted it and how that is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.offer_words import OfferFacts, message_words, offer_text
from saldo.identity.operations import stamped
from saldo.intake.operations import keep_document
from saldo.ledger.owed import document_names
from saldo.outreach.links import OFFER, offer_url, token_of_link
from saldo.parties.models import CustomerAccount
from saldo.promises.offers import (
    OPEN,
    TO_APPROVE,
    Accepted,
    OfferRow,
    accept,
    decline,
    offer,
    offer_by_token,
)

NAME_CHARACTERS, LEAST_NAME = 120, 3


@dataclass(frozen=True, slots=True)
class OfferItemShown:
    number: str
    mills: int
    discount_mills: int


@dataclass(frozen=True, slots=True)
class OfferPage:
    """What the customer sees. text: the whole offer in words, as it is kept when it is accepted."""

    row: OfferRow
    company: str
    customer: str
    items: tuple[OfferItemShown, ...]
    text: str

    @property
    def is_open(self) -> bool:
        return self.row.state == OPEN


def offer_page(ctx: Context, signed: str) -> OfferPage:
    """Raises SaldoError("link_unknown"): a character was changed, or nobody may see it yet."""
    found = offer_by_token(ctx, token_of_link(OFFER, signed))
    if found is None or found.state == TO_APPROVE:
        raise SaldoError("link_unknown")
    return page_of(ctx, found)


def page_of(ctx: Context, row: OfferRow) -> OfferPage:
    """The offer as the customer reads it. For staff the caller has checked the account's scope."""
    account = CustomerAccount.objects.select_related("company", "customer").get(id=row.account_id)
    names = {
        item_id: number if installment == 1 else f"{number} ({installment})"
        for item_id, number, installment in document_names([item.item_id for item in row.items])
        .select("item_id", "number", "installment_no")
        .iter_rows()
    }
    items = tuple(
        OfferItemShown(names.get(item.item_id) or "–", item.mills, item.discount_mills) for item in row.items
    )
    facts = OfferFacts(
        account.company.name, account.customer.name, row.currency,
        [(item.number, item.mills, item.discount_mills) for item in items], row.installments,
        row.milestones, row.rule, row.pay_by,
    )  # fmt: skip
    text = offer_text(facts, row.language)
    return OfferPage(row, account.company.name, account.customer.name, items, text)


def link_of(row: OfferRow) -> str:
    """The customer's link, without the installation's address; empty where nobody may see the offer yet."""
    return "" if row.state == TO_APPROVE else offer_url(row.token)


def accept_offer(ctx: Context, signed: str, name: str, role: str, seen: Mapping[str, str]) -> OfferPage:
    """The customer accepts. name, role: as typed; seen: what is known of the request (address, program).

    Raises SaldoError: link_unknown, offer_name_missing, and as offers.accept does.
    """
    shown = offer_page(ctx, signed)
    agree(ctx, shown, name, role, "link", seen)
    return offer_page(ctx, signed)


def agree(
    ctx: Context, shown: OfferPage, name: str, role: str, way: str, seen: Mapping[str, str] | None = None
) -> Accepted:
    """Accept what is shown, and keep its text as evidence. way: link, phone, paper.

    Raises as offers.accept does, and offer_name_missing.
    """
    who = " ".join(name.split())[:NAME_CHARACTERS]
    if len(who) < LEAST_NAME:
        raise SaldoError("offer_name_missing")
    with transaction.atomic():
        inner = stamped(ctx, shown.row.company_id)
        assert inner.recorded_at is not None
        instant = inner.recorded_at.isoformat(timespec="seconds")
        office = " ".join(role.split())[:NAME_CHARACTERS]
        told = {"name": who, "role": office, "way": way, "at": instant, **dict(seen or {})}
        told["text_sha256"] = hashlib.sha256(shown.text.encode()).hexdigest()
        lines = [shown.text, "", *(f"{key}: {value}" for key, value in told.items() if value)]
        lines.append(f"offer: {shown.row.id} {shown.row.token}")
        kept = keep_document(inner, f"offer-{shown.row.id}.txt", "\n".join(lines).encode())
        # What was agreed on the phone is no acknowledgment in writing, so no document stands for it.
        document_id = None if way == "phone" else kept
        return accept(inner, shown.row.id, told | {"document": kept}, document_id)


def decline_offer(ctx: Context, signed: str, note: str, seen: Mapping[str, str]) -> OfferPage:
    """Raises SaldoError: link_unknown, offer_not_open."""
    shown = offer_page(ctx, signed)
    decline(ctx, shown.row.id, {"way": "link", **seen}, note.strip()[:500])
    return offer_page(ctx, signed)


def agree_by_hand(ctx: Context, offer_id: int, name: str, way: str) -> Accepted:
    """A person records that the customer accepted, on the phone or on paper. The caller has checked scope."""
    return agree(ctx, page_of(ctx, offer(ctx, offer_id)), name, "", way)


def offer_message(ctx: Context, account_id: int, offer_id: int, base: str = "") -> tuple[str, str]:
    """Subject and text with which a person writes an open offer to its customer. base: the installation's
    address, where none is configured. Raises SaldoError("offer_unknown")."""
    row = offer(ctx, offer_id)
    if row.account_id != account_id or row.state != OPEN:
        raise SaldoError("offer_unknown", offer=offer_id)
    shown, link = page_of(ctx, row), link_of(row)
    return message_words(row.kind, row.language, shown.text, link if "://" in link else f"{base}{link}")
