"""pain.002 (customer payment status report): what became of our direct debits, transaction by transaction.

The bank answers a pain.008 with the status of the whole file, of each group in it, or of each transaction;
what it leaves out holds as the level above says. Codes are kept as written. A rejected transaction brought no
money; an accepted one has brought none yet, because only the statement books it.

Source of the fields: ISO 20022 message definition "CustomerPaymentStatusReport", versions 02, 03 and 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lxml import etree

from saldo.core.errors import Rejection
from saldo.core.money import InexactAmount, to_mills
from saldo.formats._xml import local_name, parse_xml, text_of
from saldo.formats.bank_records import CollectionFlow, CollectionOutcome
from saldo.formats.records import Notice, ReadResult, Refusal, refused

FORMAT = "pain.002"
KIND = "sdd-outcomes"
# A report may answer our payments as well.
TRANSFER_KIND = "payment-outcomes"
# Status codes of ISO 20022. All others are "unknown": what they mean for the money is the bank's to say.
OUTCOMES = {
    "RJCT": "unpaid",
    "CANC": "withdrawn",
    "ACCC": "paid",
    **dict.fromkeys(
        ("ACCP", "ACSP", "ACSC", "ACTC", "ACWC", "ACWP", "ACFC", "RCVD", "PDNG", "PART"), "presented"
    ),
}
UNKNOWN = "unknown"
_AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{0,12})?")
_COUNT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class _Level:
    """What holds for everything below, where that does not say otherwise."""

    status: str
    cause: str


def read_pain002(data: bytes) -> ReadResult:
    """All outcomes of a file, one flow for each report in it. Never raises for bad content."""
    try:
        root = parse_xml(data, _readable).root
    except Refusal as refusal:
        return refused(FORMAT, refusal.rejection)
    # Whatever the envelope: a report is what says which message of ours it answers.
    reports = [one for one in root.iter() if one.find("OrgnlGrpInfAndSts") is not None]
    if not reports:
        return refused(FORMAT, Rejection("pain002_no_report", local_name(root), ""))
    rejections: list[Rejection] = []
    flows = [_flow(report, position, rejections) for position, report in enumerate(reports, start=1)]
    return ReadResult(FORMAT, records=tuple(flows), rejections=tuple(rejections))


def _flow(report: etree._Element, position: int, rejections: list[Rejection]) -> CollectionFlow:
    notices: list[Notice] = []
    outcomes: list[CollectionOutcome] = []
    for element, level, where in _transactions(report):
        try:
            outcomes.append(_outcome(element, level, where, len(outcomes) + 1, notices))
        except Refusal as refusal:
            rejections.append(refusal.rejection)
    notices += _group_notices(report)
    rejections += _missing(report)
    header, group = report.find("GrpHdr"), report.find("OrgnlGrpInfAndSts")
    is_transfer = (text_of(group, "OrgnlMsgNmId") or "").lower().startswith("pain.001")
    return CollectionFlow(
        kind=TRANSFER_KIND if is_transfer else KIND,
        sender=_party(header, "CdtrAgt", "DbtrAgt"),
        receiver=_party(header, "InitgPty"),
        created_date=_day(text_of(header, "CreDtTm")),
        # The message of ours that it answers.
        name=text_of(group, "OrgnlMsgId") or "",
        outcomes=tuple(outcomes),
        total_mills=sum(one.amount_mills for one in outcomes),
        position=position,
        notices=tuple(notices),
    )


def _readable(root: etree._Element) -> str:
    found = sum(1 for _ in root.iter("TxInfAndSts"))
    return f"{found} TxInfAndSts" if found else ""


# -- levels ----------------------------------------------------------------------------------------------


def _transactions(report: etree._Element) -> Iterator[tuple[etree._Element, _Level, str]]:
    """Every transaction with what its group says. Version 02 has them without a group."""
    top = _level(report.find("OrgnlGrpInfAndSts"), "GrpSts", _Level("", ""))
    for at, one in enumerate(report.iterfind("TxInfAndSts"), start=1):
        yield one, top, f"TxInfAndSts[{at}]"
    for number, group in enumerate(report.iterfind("OrgnlPmtInfAndSts"), start=1):
        level = _level(group, "PmtInfSts", top)
        for at, one in enumerate(group.iterfind("TxInfAndSts"), start=1):
            yield one, level, f"OrgnlPmtInfAndSts[{number}]/TxInfAndSts[{at}]"


def _level(element: etree._Element | None, name: str, above: _Level) -> _Level:
    status = (text_of(element, name) or "").upper()
    cause = _reasons(element)
    # A status of its own has a reason of its own, or none: the one above is of another status.
    return _Level(status or above.status, cause if status or cause else above.cause)


def _reasons(element: etree._Element | None) -> str:
    """Reason codes as written, the bank's own words where it gives no code."""
    if element is None:
        return ""
    found = []
    for one in element.iterfind("StsRsnInf"):
        for path in ("Rsn/Cd", "Rsn/Prtry", "StsRsn/Cd", "StsRsn/Prtry"):
            if (text := text_of(one, path)) is not None:
                found.append(text[:35])
                break
    return " ".join(dict.fromkeys(found))


def _group_notices(report: etree._Element) -> list[Notice]:
    """A status for a whole file or group that lists no transaction: who sent it knows them."""
    top = _level(report.find("OrgnlGrpInfAndSts"), "GrpSts", _Level("", ""))
    groups = list(report.iterfind("OrgnlPmtInfAndSts"))
    found = []
    if top.status and not groups and report.find("TxInfAndSts") is None:
        found.append(_group_notice("OrgnlGrpInfAndSts", text_of(report, "OrgnlGrpInfAndSts/OrgnlMsgId"), top))
    for number, group in enumerate(groups, start=1):
        level = _level(group, "PmtInfSts", top)
        if level.status and group.find("TxInfAndSts") is None:
            where = f"OrgnlPmtInfAndSts[{number}]"
            found.append(_group_notice(where, text_of(group, "OrgnlPmtInfId"), level))
    return found


def _group_notice(where: str, name: str | None, level: _Level) -> Notice:
    params = {"name": name or "-", "status": f"{level.status} {level.cause}".strip()}
    return Notice("pain002_group_status", where, "", params)


def _missing(report: etree._Element) -> list[Rejection]:
    """Groups that list fewer rejected transactions than they say there are."""
    found = []
    top = _level(report.find("OrgnlGrpInfAndSts"), "GrpSts", _Level("", ""))
    for number, group in enumerate(report.iterfind("OrgnlPmtInfAndSts"), start=1):
        level = _level(group, "PmtInfSts", top)
        listed = [_level(one, "TxSts", level).status for one in group.iterfind("TxInfAndSts")]
        stated = sum(
            int(count)
            for one in group.iterfind("NbOfTxsPerSts")
            if (text_of(one, "DtldSts") or "").upper() == "RJCT"
            and _COUNT.fullmatch(count := text_of(one, "DtldNbOfTxs") or "")
        )
        if listed and listed.count("RJCT") < stated:
            params = {"stated": stated, "found": listed.count("RJCT")}
            where = f"OrgnlPmtInfAndSts[{number}]/NbOfTxsPerSts"
            found.append(Rejection("pain002_outcomes_missing", where, "", params))
    return found


# -- transactions ----------------------------------------------------------------------------------------


def _outcome(
    element: etree._Element, level: _Level, where: str, ordinal: int, notices: list[Notice]
) -> CollectionOutcome:
    """Raises Refusal where the amount that is stated cannot be read, or nothing says which debit is meant."""
    own = _level(element, "TxSts", level)
    reference = text_of(element, "OrgnlEndToEndId")
    original = element.find("OrgnlTxRef")
    reference = None if reference in (None, "NOTPROVIDED") else reference
    if reference is None and text_of(element, "OrgnlInstrId") is None:
        raise Refusal(Rejection("pain002_reference_missing", where, own.status))
    outcome = OUTCOMES.get(own.status, UNKNOWN)
    if outcome == UNKNOWN:
        notices.append(Notice("pain002_status_unknown", where, "", {"status": own.status or "-"}))
    mills, currency = _amount(original, where)
    if mills is None:
        notices.append(
            Notice("pain002_amount_missing", where, reference or "", {"reference": reference or "-"})
        )
    return CollectionOutcome(
        ordinal=ordinal,
        receipt=reference or text_of(element, "OrgnlInstrId"),
        amount_mills=mills or 0,
        due_date=_day(text_of(original, "ReqdColltnDt") or text_of(original, "ReqdExctnDt")),
        cause=own.cause or own.status,
        outcome=outcome,
        debtor_name=text_of(original, "Dbtr/Nm") or text_of(original, "Dbtr/Pty/Nm"),
        debt_reference=" ".join(
            one.text.strip() for one in element.iterfind("OrgnlTxRef/RmtInf/Ustrd") if one.text
        ),
        currency=currency,
    )


def _amount(original: etree._Element | None, where: str) -> tuple[int | None, str]:
    """(mills, currency) of the original amount; (None, "EUR") where the report does not repeat it."""
    found = original.find("Amt/InstdAmt") if original is not None else None
    if found is None:
        return None, "EUR"
    text = (found.text or "").strip()
    try:
        if not _AMOUNT.fullmatch(text):
            raise InexactAmount(text)
        return to_mills(Decimal(text)), (found.get("Ccy") or "EUR").strip().upper()
    except InexactAmount:
        params = {"amount": text[:40] or "-"}
        raise Refusal(Rejection("pain002_amount_unreadable", where, text, params)) from None


def _party(header: etree._Element | None, *names: str) -> str:
    """Who wrote the report: the BIC of the bank, else a name."""
    for name in names:
        for path in ("FinInstnId/BICFI", "FinInstnId/BIC", "FinInstnId/Nm", "Nm"):
            if (text := text_of(header, f"{name}/{path}")) is not None:
                return text
    return ""


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None
