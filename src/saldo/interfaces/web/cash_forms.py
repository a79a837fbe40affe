"""What the pane of a bank line shows and its forms say: a proposal, a split by hand, money on account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from saldo.cash.desk import account_names
from saldo.cash.desk_line import Change, DeskItem, Line, Part, Proposal, changes, desk_items
from saldo.cash.plans import WRITTEN
from saldo.core.matching.records import DUPLICATE, SHORT
from saldo.core.money import CURRENCY_EXPONENTS
from saldo.interfaces.web.templatetags.saldo import grouped, with_currency

ZERO = Decimal(0)
# More open items than this are not shown at once: those named by the line come first.
MOST_ITEMS = 150
MODES = ("split", "account", "refund")
# What becomes of the rest of an item: stays open, is written off, or is an objection.
REST_KINDS = tuple(WRITTEN)
DEDUCT = "deduct-"
_MINUS = ("-", "−")
_IGNORED = str.maketrans("", "", " \N{NO-BREAK SPACE}'€$£")
_PLAIN = re.compile(r"(?P<whole>\d+)(?:[.,](?P<part>\d+))?")
_GROUPED = re.compile(
    r"(?P<whole>\d{1,3}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*)(?:(?!(?P=mark))[.,](?P<part>\d+))?"
)
DEDUCTION_REASONS = ("unknown", "price", "quantity", "quality", "return", "discount", "tax")


@dataclass(frozen=True, slots=True)
class SplitRow:
    """An item in the form: what is typed for it, and what becomes of its rest."""

    item: DeskItem
    text: str
    paid: Decimal
    rest: str
    is_understood: bool = True

    @property
    def stays(self) -> Decimal:
        return Part(self.item, self.paid).stays

    @property
    def is_too_much(self) -> bool:
        return not Part(self.item, self.paid).is_possible

    @property
    def part(self) -> Part:
        left = self.stays
        explained = ((self.rest, left),) if self.rest in WRITTEN and left > 0 else ()
        return Part(self.item, self.paid, explained)


@dataclass(frozen=True, slots=True)
class Split:
    """A split as typed. remainder: of the line, not yet set against anything; keeps: it stays on account."""

    account_id: int | None
    account_name: str
    others: tuple[tuple[int, str], ...]
    rows: tuple[SplitRow, ...]
    hidden_count: int
    amount: Decimal
    keeps: bool

    @property
    def allocated(self) -> Decimal:
        return sum((row.paid for row in self.rows), ZERO)

    @property
    def remainder(self) -> Decimal:
        return self.amount - self.allocated

    @property
    def used(self) -> tuple[SplitRow, ...]:
        return tuple(row for row in self.rows if row.paid)

    @property
    def parts(self) -> tuple[Part, ...]:
        return tuple(row.part for row in self.used)

    @property
    def adds_up(self) -> bool:
        if self.account_id is None or any(row.is_too_much or not row.is_understood for row in self.rows):
            return False
        return self.remainder == 0 or (self.remainder > 0 and self.keeps)

    @property
    def unapplied(self) -> Decimal:
        return self.remainder if self.keeps and self.remainder > 0 else ZERO


def amount_text(amount: Decimal, currency: str) -> str:
    return with_currency(amount, currency)


def done_word(done: str) -> str:
    """What became of the line, for the notice."""
    return {
        "match": _("matched"),
        "account": _("put on account"),
        "refund": _("on account, to be given back"),
        "refunded": _("booked as a refund"),
        "not_customer": _("not from a customer"),
        "undone": _("to be matched again"),
    }[done]


def typed_amount(text: str, currency: str, is_credit: bool = False) -> Decimal | None:
    """An amount as a person types it (1.234,56 or 1,234.56 or 1234), without its sign; None: not understood.

    Empty is zero. A minus is understood only of a credit, which may be typed with it or without. Three digits
    after the only separator are thousands, unless the currency has as many decimals.
    """
    compact = text.strip().translate(_IGNORED)
    if is_credit and compact.startswith(_MINUS):
        compact = compact[1:]
    if not compact:
        return ZERO
    places = CURRENCY_EXPONENTS.get(currency, 2)
    found = _PLAIN.fullmatch(compact)
    if not found or len(found["part"] or "") > places:
        found = _GROUPED.fullmatch(compact)
    if not found or len(found["part"] or "") > places or len(compact) > 18:
        return None
    whole = found["whole"].replace(",", "").replace(".", "")
    return Decimal(f"{whole}.{found['part'] or 0}")


def number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 15 else None


def pane(request: HttpRequest, found: Line) -> dict[str, Any]:
    """Everything that the pane of ``found`` shows, in the mode that the address asks for."""
    asked, ctx = request.GET, request.desk.ctx
    chosen = _chosen(found, number(asked.get("rank")))
    mode = asked.get("mode", "") if asked.get("mode") in MODES else ""
    if found.posted is not None or found.is_held or not request.desk.may_post_cash:
        mode = ""
    shown: dict[str, Any] = {
        "line": found,
        "mode": mode,
        "chosen": chosen,
        "others": [each for each in found.proposals if each.account_id and each != chosen],
        "clues": [why for each in found.proposals if not each.account_id for why in each.reasons],
        "is_duplicate": chosen is not None and chosen.kind == DUPLICATE,
        "may_act": request.desk.may_post_cash and found.posted is None and not found.is_held,
        "steps": [posting for posting in found.postings[:-1]] if found.postings else [],
        "short": chosen is not None and any(d["kind"] == SHORT for d in chosen.differences),
    }
    if mode == "split":
        split = split_of(ctx, found, asked, chosen)
        return shown | {
            "split": split,
            "changes": split_changes(ctx, found, split),
            "reasons": DEDUCTION_REASONS,
        }
    if mode in ("account", "refund"):
        return shown | _on_one_account(ctx, found, number(asked.get("account")) or _payer(chosen), mode)
    if found.posted is None and chosen is not None and chosen.account_id is not None:
        told = changes(ctx, [chosen.account_id], chosen.parts, chosen.unapplied, found.currency)
        shown["changes"] = told
    return shown


def _payer(chosen: Proposal | None) -> int | None:
    return chosen.account_id if chosen is not None else None


def _chosen(found: Line, rank: int | None) -> Proposal | None:
    """The proposal asked for, else the best one if it is worth proposing."""
    if rank is not None:
        return next((each for each in found.proposals if each.rank == rank), None)
    best = found.proposals[0] if found.proposals else None
    return best if best is not None and best.zone != "leave" and best.account_id is not None else None


def _on_one_account(ctx: Any, found: Line, account_id: int | None, mode: str) -> dict[str, Any]:
    """The whole line for one customer: kept on account, or (money that went out) given back."""
    name = account_names([account_id]).get(account_id, "") if account_id else ""
    shown: dict[str, Any] = {"account_id": account_id if name else None, "account_name": name}
    if not name or account_id is None:
        return shown
    if mode == "refund":
        items = desk_items(ctx, [account_id])
        shown["credits"] = [i for i in items if i.balance < 0 and i.currency == found.currency]
        return shown
    return shown | {"changes": changes(ctx, [account_id], (), found.amount, found.currency)}


# --- the split by hand ------------------------------------------------------------------------------


def split_of(ctx: Any, found: Line, typed: QueryDict, chosen: Proposal | None) -> Split:
    """The split as typed; where nothing is typed yet, as the chosen proposal has it."""
    account_id = number(typed.get("account")) or _payer(chosen)
    others = [other for other in map(number, typed.getlist("other")) if other and other != account_id]
    fresh = not any(key.startswith("amount-") for key in typed)
    parts = {part.item.id: part for part in chosen.parts} if fresh and chosen else {}
    others += [part.item.account_id for part in parts.values() if part.item.account_id != account_id]
    accounts = list(dict.fromkeys(each for each in (account_id, *others) if each))
    items = desk_items(ctx, accounts, list(parts), found.facts["booking_date"])
    deducts = typed.get("deduct") == "1"
    rows = [
        _proposed_row(item, parts[item.id], deducts)
        if item.id in parts
        else _typed_row(item, typed, found.currency)
        for item in items
        if item.currency == found.currency or item.id in parts
    ]
    shown = _cut(rows, found)
    names = account_names(accounts)
    keeps = bool(chosen and chosen.unapplied > 0) if fresh else bool(typed.get("keep"))
    return Split(
        account_id=account_id if account_id in names else None,
        account_name=names.get(account_id or 0, ""),
        others=tuple((other, names[other]) for other in accounts[1:] if other in names),
        rows=tuple(shown),
        hidden_count=len(rows) - len(shown),
        amount=found.amount,
        keeps=keeps,
    )


def _proposed_row(item: DeskItem, part: Part, deducts: bool) -> SplitRow:
    kind = next((kind for kind, _amount in part.differences if kind in WRITTEN), "")
    rest = kind or (f"{DEDUCT}unknown" if deducts and item.balance > part.paid > 0 else "")
    return SplitRow(item, _written(part.paid, item.currency), part.paid, rest)


def _typed_row(item: DeskItem, typed: QueryDict, currency: str) -> SplitRow:
    text = typed.get(f"amount-{item.id}", "").strip()[:40]
    sign = item.balance if item.balance else item.amount
    amount = typed_amount(text, currency, is_credit=sign < 0)
    paid = amount.copy_sign(sign) if amount else ZERO
    return SplitRow(item, text, paid, _rest(typed.get(f"rest-{item.id}", "")), amount is not None)


def _rest(code: str) -> str:
    is_deduction = code.removeprefix(DEDUCT) in DEDUCTION_REASONS and code.startswith(DEDUCT)
    return code if code in WRITTEN or is_deduction else ""


def _written(amount: Decimal, currency: str) -> str:
    return grouped(amount, CURRENCY_EXPONENTS.get(currency, 2)) if amount else ""


def _cut(rows: Sequence[SplitRow], found: Line) -> list[SplitRow]:
    """The rows that fit: those with an amount, those that the line may mean, then the oldest."""
    if len(rows) <= MOST_ITEMS:
        return list(rows)
    text = str(found.facts["text"]).upper()

    def weight(row: SplitRow) -> bool:
        named = len(row.item.number) > 2 and row.item.number.upper() in text
        return not (row.text or named or row.item.balance == found.amount)

    kept = {id(row) for row in sorted(rows, key=weight)[:MOST_ITEMS]}
    return [row for row in rows if id(row) in kept]


def split_changes(ctx: Any, found: Line, split: Split) -> list[Change]:
    """The balances before and after the split as it stands; nothing where no customer is chosen."""
    if split.account_id is None:
        return []
    return changes(ctx, [split.account_id], split.parts, split.unapplied, found.currency)


def deductions_of(rows: Iterable[SplitRow]) -> list[Mapping[str, Any]]:
    """The rests that are objections: {item, amount, reason}."""
    return [
        {"item": row.item.id, "amount": row.stays, "reason": row.rest.removeprefix(DEDUCT)}
        for row in rows
        if row.rest.startswith(DEDUCT) and row.stays > 0
    ]
