"""RiBa flows of CBI (IB … EF): the receipts presented to the bank, and what became of them.

Both have the same records, one receipt from a record 14 to the next. Cause 30000 in it is a presented
receipt; any other is an outcome, and then the debtor's bank and the bank that presented it change places
(CBI-RIB-001). What a cause means is data (``cbi_riba_causes.toml``), since banks differ.

The trailer gives how many receipts and records the flow has, and the sum. A flow that differs from it, or
has no trailer, is refused whole: an outcome missing from it would be a receipt believed paid. What it seems
to hold is then told in notices.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from saldo.core.errors import Rejection, SaldoError
from saldo.core.money import decimal_text
from saldo.formats._fixed import (
    FieldError,
    Flow,
    Line,
    flows_of,
    lines_of,
    running_text,
    trailer_faults,
    without_copies,
)
from saldo.formats.bank_records import CollectionFlow, CollectionOutcome
from saldo.formats.records import Notice, ReadResult, refused

FORMAT = "cbi-riba"
HEADS = frozenset({"IB"})
PRESENTED, OUTCOMES = "riba-presented", "riba-outcomes"
PRESENTED_CAUSE = "30000"
CURRENCY = "EUR"

OUTCOME_WORDS = frozenset({"paid", "unpaid", "withdrawn"})
_DETAIL_TYPES = frozenset({"20", "30", "40", "50", "51", "70"})


@cache
def default_causes() -> Mapping[str, str]:
    """The causes that Saldo knows: cause -> outcome."""
    text = files("saldo.formats").joinpath("cbi_riba_causes.toml").read_text(encoding="utf-8")
    return parse_causes(text, "cbi_riba_causes.toml")


def parse_causes(text: str, name: str) -> Mapping[str, str]:
    """A table of causes from its TOML text. Raises SaldoError mapping_* where it says something else."""
    try:
        table = tomllib.loads(text).get("causes", {})
    except (ValueError, RecursionError) as error:
        raise SaldoError("mapping_not_toml", profile=name, problem=str(error)) from error
    if not isinstance(table, dict):
        raise SaldoError(
            "mapping_bad_value", profile=name, key="causes", value=str(table)[:80], allowed="[causes]"
        )
    for cause, outcome in table.items():
        if outcome not in OUTCOME_WORDS or cause == PRESENTED_CAUSE:
            raise SaldoError(
                "mapping_bad_value",
                profile=name,
                key=f"causes.{cause}",
                value=str(outcome)[:80],
                allowed=", ".join(sorted(OUTCOME_WORDS)),
            )
    return dict(table)


def read_cbi_riba(data: bytes, causes: Mapping[str, str] | None = None) -> ReadResult:
    """The flows in ``data`` as ``CollectionFlow`` records. Never raises for bad content.

    causes: cause -> outcome, in place of the shipped table.
    """
    meanings = default_causes() if causes is None else causes
    lines, rejections = lines_of(data)
    flows, stray = flows_of(lines, HEADS)
    flows, copies = without_copies(flows)
    if not flows:
        excerpt = lines[0].text.rstrip() if lines else ""
        return refused(FORMAT, Rejection("cbi_no_flow", "", excerpt, {"heads": "IB"}))
    rejections += stray + copies
    records: list[CollectionFlow] = []
    notices: list[Notice] = []
    for flow in flows:
        told = _Told(flow, meanings)
        rejections += told.rejections
        if (record := told.record(len(records) + 1)) is not None:
            records.append(record)
        else:
            notices += told.not_taken()
    rejections.sort(key=lambda rejection: rejection.row)
    return ReadResult(FORMAT, records=tuple(records), rejections=tuple(rejections), notices=tuple(notices))


@dataclass(slots=True)
class _Receipt:
    """The records of one receipt: its 14 and those that follow it."""

    head: Line
    details: dict[str, Line] = field(default_factory=dict)
    amount_mills: int | None = None
    is_refused: bool = False

    @property
    def cause(self) -> str:
        return self.head.raw(29, 33).strip()

    @property
    def is_presented(self) -> bool:
        return self.cause == PRESENTED_CAUSE

    def field(self, record: str, first: int, last: int) -> str | None:
        line = self.details.get(record)
        return line.text_at(first, last) if line else None

    def running(self, record: str, *spans: tuple[int, int]) -> str:
        line = self.details.get(record)
        return running_text(line.raw(*span) for span in spans) if line else ""

    def outcome(self, ordinal: int, meanings: Mapping[str, str]) -> CollectionOutcome:
        """The receipt as a record. Raises FieldError. A presented receipt has no outcome yet."""
        head = self.head
        abi, cab = ((70, 74), (75, 79)) if self.is_presented else ((48, 52), (53, 57))
        word = "presented" if self.is_presented else meanings.get(self.cause, "unknown")
        due_date = head.day_at(23, 28)
        if due_date is None:
            raise FieldError("cbi_bad_date", 23, 28, head.raw(23, 28).strip())
        return CollectionOutcome(
            ordinal=ordinal,
            receipt=self.field("51", 11, 20),
            amount_mills=head.cents_at(34, 46),
            due_date=due_date,
            cause=self.cause,
            outcome=word,
            debtor_code=head.text_at(98, 113),
            debtor_name=self.running("30", (11, 40), (41, 70)) or None,
            debtor_tax_code=self.field("30", 71, 86),
            debt_reference=self.running("50", (11, 50), (51, 90)),
            debtor_abi=head.text_at(*abi),
            debtor_cab=head.text_at(*cab),
            currency=CURRENCY,
        )


class _Told:
    """What one flow says: its receipts, what is refused of it, and whether it may be taken."""

    def __init__(self, flow: Flow, meanings: Mapping[str, str]) -> None:
        self.flow, self.meanings = flow, meanings
        self.rejections: list[Rejection] = []
        self.receipts = self._receipts()
        self.outcomes = self._outcomes()
        faults = self._faults()
        self.is_taken = not faults
        self.rejections += faults

    def record(self, position: int) -> CollectionFlow | None:
        """The flow as a record; None when it is refused."""
        if not self.is_taken:
            return None
        head = self.flow.head
        notices: list[Notice] = []
        created = None
        try:
            created = head.day_at(14, 19)
        except FieldError as error:
            notices.append(head.bad_field(error))
        return CollectionFlow(
            kind=PRESENTED if self._presented() else OUTCOMES,
            sender=head.text_at(4, 8) or "",
            receiver=head.text_at(9, 13) or "",
            created_date=created,
            name=self.flow.name,
            outcomes=tuple(self.outcomes),
            total_mills=sum(receipt.amount_mills or 0 for receipt in self.receipts),
            position=position,
            notices=tuple(notices + self._notices()),
        )

    def not_taken(self) -> list[Notice]:
        """One notice per receipt that the refused flow seems to hold."""
        return [
            self.flow.head.rejection(
                "riba_receipt_not_taken",
                receipt=one.receipt or "-",
                amount=decimal_text(one.amount_mills, CURRENCY),
                due_date=one.due_date.isoformat() if one.due_date else "-",
                debtor=one.debtor_name or one.debtor_code or "-",
                cause=one.cause or "-",
            )
            for one in self.outcomes
        ]

    def _receipts(self) -> list[_Receipt]:
        """The receipts of the flow; a record that belongs to none of them is refused."""
        receipts: list[_Receipt] = []
        for line in self.flow.body:
            if line.type == "14":
                receipts.append(_Receipt(line))
                continue
            receipt = receipts[-1] if receipts else None
            fits = line.type in _DETAIL_TYPES and receipt is not None and line.type not in receipt.details
            if receipt is None or not fits or line.raw(4, 10) != receipt.head.raw(4, 10):
                self.rejections.append(
                    line.rejection("cbi_record_misplaced", record=line.type.strip() or "-")
                )
                # Whose text it was cannot be told, so the receipt before it may lack it.
                if receipt is not None:
                    receipt.is_refused = True
                continue
            receipt.details[line.type] = line
        return receipts

    def _outcomes(self) -> list[CollectionOutcome]:
        found: list[CollectionOutcome] = []
        for receipt in self.receipts:
            try:
                receipt.amount_mills = receipt.head.cents_at(34, 46)
                outcome = receipt.outcome(len(found) + 1, self.meanings)
            except FieldError as error:
                self.rejections.append(receipt.head.bad_field(error))
                continue
            if not receipt.is_refused:
                found.append(outcome)
        return found

    def _faults(self) -> list[Rejection]:
        """Why the flow cannot be taken as whole; empty when it can."""
        faults = trailer_faults(self.flow, len(self.receipts))
        if self.flow.tail is not None:
            faults += self._wrong_total(self.flow.tail)
        if any(one.is_presented for one in self.receipts) and not self._presented():
            faults.append(self.flow.head.rejection("riba_flow_mixed", flow=self.flow.name or "-"))
        return faults

    def _wrong_total(self, tail: Line) -> list[Rejection]:
        """The sum, whichever of the two totals (negative 53-67, positive 68-82) the bank puts it in."""
        try:
            negative, positive = (
                tail.cents_at(first, last) if tail.text_at(first, last) else 0
                for first, last in ((53, 67), (68, 82))
            )
        except FieldError as error:
            return [tail.bad_field(error)]
        found = sum(receipt.amount_mills or 0 for receipt in self.receipts)
        if negative + positive == found:
            return []
        return [
            tail.rejection(
                "riba_total_differs",
                stated=decimal_text(negative + positive, CURRENCY),
                found=decimal_text(found, CURRENCY),
            )
        ]

    def _presented(self) -> bool:
        return bool(self.receipts) and all(receipt.is_presented for receipt in self.receipts)

    def _notices(self) -> list[Notice]:
        """What a person should know of a flow that is taken."""
        unknown = dict.fromkeys(one.cause for one in self.outcomes if one.outcome == "unknown")
        notices = [self._unknown(cause) for cause in unknown]
        if not self.receipts:
            notices.append(self.flow.head.rejection("riba_flow_empty", flow=self.flow.name or "-"))
        nameless = sum(1 for one in self.outcomes if one.receipt is None)
        if nameless:
            notices.append(self.flow.head.rejection("riba_receipt_missing", receipts=nameless))
        return notices

    def _unknown(self, cause: str) -> Notice:
        """Told at the first receipt with that cause."""
        first = next(receipt for receipt in self.receipts if receipt.cause == cause)
        return first.head.rejection("riba_cause_unknown", cause=cause or "-")
