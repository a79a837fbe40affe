"""Reasons of proposals: codes and facts, which core.cash_reasons puts into words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from saldo.core.matching.book import Book
from saldo.core.matching.candidates import Candidate
from saldo.core.matching.payers import Payer
from saldo.core.matching.records import Line, OpenItem, Reason

_FOUND = {
    "advice": "match_advice",
    "advice.open": "match_advice_open",
    "number.full": "match_numbers",
    "number.structured": "match_numbers",
    "number.short": "match_numbers_short",
    "number.some": "match_numbers_some",
}
_SHAPES = {
    "single": "match_sum_single",
    "all": "match_sum_all",
    "overdue": "match_sum_overdue",
    "oldest": "match_sum_oldest",
    "several": "match_sum_several",
}
_PAYERS = {
    "iban": "match_payer_iban",
    "tax_code": "match_payer_tax_code",
    "name": "match_payer_name",
    "alias_name": "match_payer_name",
}


def _numbers(candidate: Candidate) -> list[str]:
    debits = [each.number for each in candidate.chosen if each.balance_mills > 0]
    return list(dict.fromkeys(debits or [each.number for each in candidate.chosen]))


def _money(line: Line, mills: int) -> dict[str, Any]:
    return {"mills": mills, "currency": line.currency}


def match(line: Line, candidate: Candidate, book: Book) -> list[Reason]:
    """How the items were found and how the amount fits them."""
    reasons = [*_found(line, candidate), *_credits(line, candidate)]
    if candidate.fit.evidence == "exact" and not candidate.found.startswith("sum."):
        reasons.append(Reason("match_exact"))
    if candidate.fit.evidence in ("over", "rounding") and candidate.fit.unapplied_mills:
        reasons.append(Reason("match_over", _money(line, candidate.fit.unapplied_mills)))
    for each in candidate.fit.differences:
        facts = _money(line, each.mills) | {"number": book.item(each.item_id).number}
        stated = candidate.fit.evidence == "charges.stated"
        reasons.append(Reason("match_charges_stated" if stated else f"match_{each.kind}", facts))
    return reasons


def _found(line: Line, candidate: Candidate) -> Iterator[Reason]:
    found, numbers = candidate.found, _numbers(candidate)
    if found == "key.reference":
        reference = line.creditor_reference or line.end_to_end_id or line.text
        yield Reason("match_reference", {"reference": reference[:60], "numbers": numbers})
    elif found == "order":
        yield Reason("match_order", {"order": str(candidate.facts["order"]), "numbers": numbers})
    elif found == "number.slip":
        facts = candidate.facts
        yield Reason("match_slip", {"written": str(facts["written"]), "number": str(facts["number"])})
    elif found == "number.more":
        yield Reason("match_numbers_more", {"numbers": list(candidate.facts["more"])})  # type: ignore[call-overload]
    elif found == "oldest":
        yield Reason("match_oldest")
    elif found in _FOUND:
        yield Reason(_FOUND[found], {"numbers": numbers})
    else:
        yield from _sum(candidate)


def _sum(candidate: Candidate) -> Iterator[Reason]:
    shape = str(candidate.facts.get("shape", "several"))
    yield Reason(_SHAPES[shape], {"count": len(candidate.chosen)})
    if candidate.found in ("sum.unique", "sum.likely", "sum.chance"):
        yield Reason("match_unique")
    if candidate.found == "sum.partial":
        yield Reason("match_unique_tried")
    if candidate.found == "sum.ambiguous":
        yield Reason("match_ambiguous")
    if candidate.found == "sum.chance":
        yield Reason("match_by_chance")


def _credits(line: Line, candidate: Candidate) -> Iterator[Reason]:
    unnamed = "credits" in candidate.against
    for each in candidate.chosen:
        if each.balance_mills < 0:
            facts = _money(line, -each.balance_mills) | {"number": each.number}
            yield Reason("match_credit_found" if unnamed else "match_credit", facts)


def payer(who: Payer | None, level: str, line: Line) -> Reason:
    """Who pays, as far as it is known."""
    name = (line.payer_name or line.ultimate_name or line.payer_iban).strip()[:80]
    if who is None or level == "unknown":
        return Reason("match_payer_unknown")
    if level == "other":
        return Reason("match_payer_other", {"name": name})
    if level == "pays_for":
        return Reason("match_pays_for", {"name": name})
    if level == "likely":
        return Reason("match_payer_likely", {"name": name})
    return Reason(_PAYERS.get(who.evidence, "match_payer_name"), {"name": name})


def warnings(
    line: Line, candidate: Candidate, against: set[str], recent: OpenItem | None
) -> Iterator[Reason]:
    """What speaks against it."""
    if "installment" in against:
        yield Reason("match_installment", {"number": candidate.chosen[0].number})
    if "ambiguous" in against and candidate.found != "sum.ambiguous":
        yield Reason("match_ambiguous")
    if "recent" in against and recent is not None:
        closed = recent.closed_date or line.booking_date
        yield Reason("match_recent", {"closed_date": closed.isoformat(), "number": recent.number})
    elif "recent" in against:
        yield Reason("match_paid_before", {"number": candidate.chosen[0].number})
    if "early" in against:
        late = max(each.due_date for each in candidate.chosen if each.due_date)
        yield Reason("match_early", {"due_date": late.isoformat()})
    if "foreign" in against or "rival" in against or "unread" in against:
        yield Reason("match_rival")
    if "flight" in against:
        flying = next(each for each in candidate.chosen if each.is_in_flight)
        yield Reason("match_in_flight", {"number": flying.number})


def duplicate(line: Line, settled: OpenItem, book: Book) -> Reason:
    """The item that seems to be paid twice."""
    closed = book.closed_date(settled.item_id) or line.booking_date
    return Reason("match_duplicate", {"number": settled.number, "closed_date": closed.isoformat()})
