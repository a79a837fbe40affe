"""What is to be done with bank lines, checked against what the ledger says.

    Planned     one line and how a person or the engine wants it posted
    Facts       what the ledger and the bank say of the lines, items and accounts concerned
    Checks      what of the plans may be posted, one after the other

Pure: ``facts`` reads, ``rows`` writes.

Amounts are mills. A line of 100 that pays a debit of 130 with a credit note of 30 taken off has the shares
+130 and -30: the credit note is set against the debit first, the payment covers the rest. Shares are in the
line's currency; an item in another one takes what the bank's own conversion of the line makes of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from saldo.core.errors import SaldoError
from saldo.core.matching.records import (
    CHARGES,
    DISCOUNT,
    DISCOUNT_LATE,
    ROUNDING,
    SHORT,
    SPLIT_VAT,
    WITHHOLDING,
    Difference,
    Share,
)
from saldo.core.money import CURRENCY_EXPONENTS, decimal_text
from saldo.ledger.provisional import last_cause_day

MATCH = "match"
NOT_CUSTOMER = "not_customer"
REFUND = "refund"
UNDO = "undo"
AUTO = "auto"
CONFIRMED = "confirmed"
CHOSEN = "chosen"
MANUAL = "manual"
# Made again as the ERP posted it.
ERP = "erp"
# What an explained difference becomes: the kind of its credit item, and its reason in the ledger.
WRITTEN = {
    CHARGES: ("write_off", "bank charges"),
    ROUNDING: ("write_off", "rounding"),
    DISCOUNT: ("discount", "early-payment discount"),
    DISCOUNT_LATE: ("discount", "discount taken out of time"),
    WITHHOLDING: ("withholding", "withholding tax"),
    SPLIT_VAT: ("split_vat", "split payment"),
}
# What nobody need be asked about; the rest a person must have seen.
UNASKED = frozenset({CHARGES, ROUNDING, DISCOUNT, SHORT})
OWN, OTHERS = "bank line", "paid by another account"
CREDIT_TAKEN = "credit taken off"


@dataclass(frozen=True, slots=True)
class Objection:
    """A part of an item that stays open and becomes a Deduction. reason: of disputes.models.Deduction."""

    item_id: int
    mills: int
    reason: str = "unknown"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """One line and what is to be done with it; mode and kind as in cash.models.Posting."""

    transaction_id: int
    account_id: int | None = None
    shares: tuple[Share, ...] = ()
    differences: tuple[Difference, ...] = ()
    deductions: tuple[Objection, ...] = ()
    kind: str = MATCH
    mode: str = MANUAL
    proposal_id: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """A bank line and the state of its last posting (sequence 0: none)."""

    id: int
    company_id: int
    kind: str
    status: str
    booking_date: date
    value_date: date | None
    mills: int
    currency: str
    payer_name: str
    payer_iban: str
    text: str
    original_mills: int | None
    original_currency: str
    ordinal: int
    document_id: int | None
    is_held: bool
    sequence: int
    last_kind: str

    @property
    def is_posted(self) -> bool:
        return self.sequence > 0 and self.last_kind != UNDO


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """An item as allocations see it. left_mills: what nothing is set against, whatever the day (> = 0).

    room_from: the day from which that is so. A payment that came back left no room before it did.
    """

    id: int
    company_id: int
    account_id: int
    kind: str
    currency: str
    sign: int
    effective_date: date
    invoice_id: int | None
    installment_no: int
    left_mills: int
    number: str
    room_from: date


@dataclass(frozen=True, slots=True)
class Standing:
    """What an export told as taken from an item, which the bank line that is the cause may replace."""

    day: date
    mills: int
    is_settlement: bool

    def may_be_caused_on(self, booking_date: date) -> bool:
        return booking_date <= last_cause_day(self.day, self.is_settlement)


@dataclass(slots=True)
class Facts:
    accounts: Mapping[int, int]
    lines: Mapping[int, LineFacts]
    items: Mapping[int, ItemFacts]
    standing: dict[int, list[Standing]]


@dataclass(frozen=True, slots=True)
class Done:
    """A line as it was posted. What its payment was set against and what is unapplied add up to the line."""

    transaction_id: int
    posting_id: int
    payment_id: int | None
    payment_item_id: int | None
    account_id: int | None
    allocated_mills: int
    unapplied_mills: int
    currency: str


@dataclass(frozen=True, slots=True)
class Refused:
    transaction_id: int
    error: SaldoError


def check_line(line: LineFacts | None, transaction_id: int, company_id: int) -> LineFacts:
    """The line, if it may be posted. Raises SaldoError: line_unknown, line_already_posted, line_not_booked,
    line_quarantined."""
    if line is None or line.company_id != company_id:
        raise SaldoError("line_unknown", line=transaction_id)
    if line.is_posted:
        raise SaldoError("line_already_posted", line=line.id)
    if line.kind != "booked" or line.status != "BOOK":
        raise SaldoError("line_not_booked", line=line.id)
    if line.is_held:
        raise SaldoError("line_quarantined", line=line.id)
    return line


@dataclass(slots=True)
class Part:
    """A share of the payment for one debit: mills in the line's currency, debit_mills in the debit's."""

    item: ItemFacts
    mills: int
    debit_mills: int


@dataclass(frozen=True, slots=True)
class Checked:
    """A plan that may be posted: credits taken off as (credit, debit, mills), the payment's own parts, what
    is written off and what stays on account. told: item -> what an export had told of it, which gives way.
    """

    planned: Planned
    line: LineFacts
    credits: list[tuple[ItemFacts, ItemFacts, int]]
    parts: list[Part]
    written: list[tuple[Difference, ItemFacts]]
    unapplied_mills: int
    told: Mapping[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Checks:
    """Checks plans one after the other; left and standing are what the earlier ones leave.

    given: (item, booking day) -> what exports told of the item and gives way.
    """

    facts: Facts
    left: dict[int, int]
    given: dict[tuple[int, date], int] = field(default_factory=dict)
    lines_taken: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, facts: Facts) -> Checks:
        return cls(facts, {item.id: item.left_mills for item in facts.items.values()})

    def check(self, planned: Planned, company_id: int) -> Checked:
        """The plan with what it takes; nothing of it stays if it is refused.

        Raises SaldoError: of ``check_line``, and line_is_debit, account_unknown, shares_do_not_add_up,
        item_unknown, allocation_sides, allocation_exceeds, line_currency_differs, difference_needs_a_person,
        entry_amount_invalid.
        """
        line = check_line(self.facts.lines.get(planned.transaction_id), planned.transaction_id, company_id)
        if line.id in self.lines_taken:
            raise SaldoError("line_already_posted", line=line.id)
        if planned.kind == NOT_CUSTOMER:
            self.lines_taken.add(line.id)
            return Checked(planned, line, [], [], [], 0)
        if line.mills <= 0:
            raise SaldoError("line_is_debit", line=line.id)
        if planned.account_id is None or self.facts.accounts.get(planned.account_id) != company_id:
            raise SaldoError("account_unknown", account=planned.account_id)
        touched = {share.item_id for share in planned.shares} | {d.item_id for d in planned.differences}
        before = {i: (self.left[i], self.facts.standing.get(i)) for i in touched if i in self.left}
        given = dict(self.given) if self.facts.standing else {}
        try:
            checked = self._match(planned, line, company_id)
        except SaldoError:
            for item_id, (left, standing) in before.items():
                self.left[item_id] = left
                if standing is not None:
                    self.facts.standing[item_id] = standing
            self.given = given
            raise
        self.lines_taken.add(line.id)
        keys = [(item_id, line.booking_date) for item_id in touched] if self.given else []
        told = {key[0]: now for key in keys if (now := self.given.get(key, 0) - given.get(key, 0))}
        return replace(checked, told=told) if told else checked

    def _match(self, planned: Planned, line: LineFacts, company_id: int) -> Checked:
        debits = [share for share in planned.shares if share.mills > 0]
        credits = [share for share in planned.shares if share.mills < 0]
        _check_sums(planned, line)
        if planned.mode == AUTO and any(d.kind not in UNASKED for d in planned.differences):
            raise SaldoError("difference_needs_a_person", line=line.id)
        parts = _converted(line, [(self._item(s.item_id, 1, company_id), s.mills) for s in debits])
        pairs = self._pairs(line, credits, parts, company_id)
        written = [
            (difference, self._item(difference.item_id, 1, company_id))
            for difference in planned.differences
            if difference.kind in WRITTEN
        ]
        for part in parts:
            if part.debit_mills < 0 or (part.mills > 0) != (part.debit_mills > 0):
                raise SaldoError("entry_amount_invalid", number=part.item.number, amount="0")
            self._take(part.item, part.debit_mills, line)
        for credit, debit, mills in pairs:
            self._take(credit, mills, line)
            self._take(debit, mills, line)
        for difference, item in written:
            if difference.mills <= 0:
                raise SaldoError("entry_amount_invalid", number=item.number, amount=str(difference.mills))
            self._take(item, difference.mills, line)
        objected: dict[int, int] = {}
        for objection in planned.deductions:
            item = self._item(objection.item_id, 1, company_id)
            objected[item.id] = objected.get(item.id, 0) + objection.mills
            if not 0 < objection.mills <= objected[item.id] <= self.left[item.id]:
                raise _exceeds(item, objection.mills)
        unapplied = line.mills - sum(share.mills for share in planned.shares)
        return Checked(planned, line, pairs, [part for part in parts if part.mills], written, unapplied)

    def _item(self, item_id: int, sign: int, company_id: int) -> ItemFacts:
        item = self.facts.items.get(item_id)
        if item is None or item.company_id != company_id:
            raise SaldoError("item_unknown", item=item_id)
        if item.sign != sign:
            raise SaldoError("allocation_sides")
        return item

    def _pairs(
        self, line: LineFacts, credits: Sequence[Share], parts: Sequence[Part], company_id: int
    ) -> list[tuple[ItemFacts, ItemFacts, int]]:
        """Credits taken off, set against the debits of the same payment: those of their own account first."""
        pairs = []
        for share in credits:
            credit, left = self._item(share.item_id, -1, company_id), -share.mills
            for part in sorted(parts, key=lambda p: p.item.account_id != credit.account_id):
                same = part.item.currency == credit.currency == line.currency
                taken = min(left, part.mills) if same else 0
                if taken > 0:
                    pairs.append((credit, part.item, taken))
                    part.mills -= taken
                    part.debit_mills -= taken
                    left -= taken
            if left:
                raise SaldoError("line_currency_differs", line=line.id, currency=credit.currency)
        return pairs

    def _take(self, item: ItemFacts, mills: int, line: LineFacts) -> None:
        """Use what is left of an item; what an export told and the line may be the cause of gives way."""
        given = self._give_way(item, mills, line.booking_date)
        if mills > self.left[item.id] + given:
            raise _exceeds(item, mills)
        self.left[item.id] += given - mills

    def _give_way(self, item: ItemFacts, mills: int, day: date) -> int:
        standing = self.facts.standing.get(item.id)
        if not standing or item.sign < 0:
            return 0
        given, kept = 0, []
        for one in standing:
            part = min(mills - given, one.mills) if one.may_be_caused_on(day) else 0
            given += part
            if one.mills > part:
                kept.append(Standing(one.day, one.mills - part, one.is_settlement))
        self.facts.standing[item.id] = kept
        if given:
            self.given[item.id, day] = self.given.get((item.id, day), 0) + given
        return given


def _check_sums(planned: Planned, line: LineFacts) -> None:
    shares = [share.mills for share in planned.shares]
    ids = {share.item_id for share in planned.shares}
    if 0 in shares:
        raise SaldoError("entry_amount_invalid", number=str(line.id), amount="0")
    if len(ids) < len(shares) or not 0 <= sum(shares) <= line.mills:
        raise SaldoError(
            "shares_do_not_add_up",
            line=line.id,
            amount=decimal_text(line.mills, line.currency),
            shares=decimal_text(sum(shares), line.currency),
        )


def _converted(line: LineFacts, shares: Sequence[tuple[ItemFacts, int]]) -> list[Part]:
    """The shares as the debits' currencies count them, by the rate of the bank's own conversion of the line.

    The last share of a line that goes wholly to that currency takes what rounding leaves.
    """
    parts = []
    foreign = sum(mills for item, mills in shares if item.currency != line.currency)
    converted = 0
    for item, mills in shares:
        if item.currency == line.currency:
            parts.append(Part(item, mills, mills))
            continue
        if line.original_currency != item.currency or not line.original_mills:
            raise SaldoError("line_currency_differs", line=line.id, currency=item.currency)
        quantum = 10 ** (3 - CURRENCY_EXPONENTS[item.currency])
        # Half up, in whole units of the currency's last decimal.
        exact, over = mills * line.original_mills, line.mills * quantum
        debit_mills = (2 * exact + over) // (2 * over) * quantum
        foreign -= mills
        if foreign == 0 and converted + mills == line.mills:
            debit_mills = line.original_mills - sum(p.debit_mills for p in parts)
        converted += mills
        parts.append(Part(item, mills, debit_mills))
    return parts


def _exceeds(item: ItemFacts, mills: int) -> SaldoError:
    amount = f"{decimal_text(mills, item.currency)} {item.currency}"
    return SaldoError("allocation_exceeds", amount=amount, number=item.number)
