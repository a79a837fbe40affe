"""pain.002: the outcomes of our direct debits, in three versions and an envelope; invented parties."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.bank_records import CollectionFlow
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.pain002 import read_pain002
from tests.bank_samples import PAYER_IBAN

REASON = "<StsRsnInf><Rsn><Cd>{}</Cd></Rsn><AddtlInf>x</AddtlInf></StsRsnInf>"
DUPLICATE = REASON.format("DU01")
REASON_02 = "<StsRsnInf><StsRsn><Cd>{}</Cd></StsRsn></StsRsnInf>"


def debit(name: str, status: str = "", reason: str = "", amount: str = "120.50") -> str:
    return (
        f"<TxInfAndSts><OrgnlInstrId>I-{name}</OrgnlInstrId><OrgnlEndToEndId>{name}</OrgnlEndToEndId>"
        f"{f'<TxSts>{status}</TxSts>' if status else ''}{reason}"
        f"<OrgnlTxRef><Amt><InstdAmt Ccy='EUR'>{amount}</InstdAmt></Amt>"
        f"<ReqdColltnDt>2026-03-02</ReqdColltnDt><Dbtr><Nm>Rossi Finta S.r.l.</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{PAYER_IBAN}</IBAN></Id></DbtrAcct>"
        f"<RmtInf><Ustrd>FT 12</Ustrd></RmtInf></OrgnlTxRef></TxInfAndSts>"
    )


def group(*debits: str, status: str = "", reason: str = "", counts: str = "") -> str:
    stated = f"<PmtInfSts>{status}</PmtInfSts>" if status else ""
    return (
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>G1</OrgnlPmtInfId>{stated}"
        f"{reason}{counts}{''.join(debits)}</OrgnlPmtInfAndSts>"
    )  # fmt: skip


def report(
    *content: str, status: str = "", reason: str = "", version: str = "03", of: str = "pain.008.001.02"
) -> bytes:
    root = "pain.002.001.02" if version == "02" else "CstmrPmtStsRpt"
    return (
        f"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}'><{root}>"
        "<GrpHdr><MsgId>R1</MsgId><CreDtTm>2026-03-01T10:00:00</CreDtTm><InitgPty><Nm>Aurelia</Nm></InitgPty>"
        "<CdtrAgt><FinInstnId><BIC>FINTITMMXXX</BIC></FinInstnId></CdtrAgt></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>OUR-1</OrgnlMsgId><OrgnlMsgNmId>{of}</OrgnlMsgNmId>"
        f"{f'<GrpSts>{status}</GrpSts>' if status else ''}{reason}</OrgnlGrpInfAndSts>"
        f"{''.join(content)}</{root}></Document>"
    ).encode()  # fmt: skip


def only(data: bytes) -> CollectionFlow:
    result = read_pain002(data)
    assert result.rejections == ()
    (flow,) = result.records
    assert isinstance(flow, CollectionFlow)
    return flow


def told(flow: CollectionFlow) -> list[tuple[str | None, str, str]]:
    return [(one.receipt, one.outcome, one.cause) for one in flow.outcomes]


def test_outcomes_one_by_one() -> None:
    data = report(group(debit("E1", "RJCT", REASON.format("AM04")), debit("E2", "ACCP"), status="PART"))
    assert detect_kind(data) == "pain.002"
    result = read_file(data, "x.xml")
    (flow,) = result.records
    assert (flow.kind, flow.name, flow.sender, flow.created_date) == (
        "sdd-outcomes",
        "OUR-1",
        "FINTITMMXXX",
        date(2026, 3, 1),
    )
    assert told(flow) == [("E1", "unpaid", "AM04"), ("E2", "presented", "ACCP")]
    first = flow.outcomes[0]
    assert (first.amount_mills, first.due_date, first.debtor_name, first.debt_reference) == (
        120_500,
        date(2026, 3, 2),
        "Rossi Finta S.r.l.",
        "FT 12",
    )
    assert flow.total_mills == 241_000


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (report(debit("E1", "RJCT", REASON_02.format("AC04")), version="02"), [("E1", "unpaid", "AC04")]),
        (report(group(debit("E1"), status="RJCT", reason=REASON.format("RF01"))), [("E1", "unpaid", "RF01")]),
        (report(group(debit("E1")), status="RJCT", reason=DUPLICATE), [("E1", "unpaid", "DU01")]),
        (report(group(debit("E1", "ACSC")), status="RJCT", reason=DUPLICATE), [("E1", "presented", "ACSC")]),
        (report(group(debit("E1", "ACCC")), version="10"), [("E1", "paid", "ACCC")]),
        (report(group(debit("E1", "CANC")), version="10"), [("E1", "withdrawn", "CANC")]),
    ],
    ids=["version 02", "of the group", "of the file", "its own wins", "version 10", "taken back"],
)  # fmt: skip
def test_versions_and_levels(data: bytes, expected: list[tuple[str, str, str]]) -> None:
    assert told(only(data)) == expected


def test_two_reports_in_an_envelope() -> None:
    inner = (
        report(group(debit("E1", "RJCT"))).decode().partition("<CstmrPmtStsRpt>")[2].partition("</Cstmr")[0]
    )
    data = f"<m:CBISDDStsRptPhyMsg xmlns:m='urn:CBI:x'>{f'<Log>{inner}</Log>' * 2}</m:CBISDDStsRptPhyMsg>"
    result = read_file(data.encode(), "x.xml")
    assert (result.format, [told(flow) for flow in result.records]) == (
        "pain.002",
        [[("E1", "unpaid", "RJCT")]] * 2,
    )


def test_a_status_without_its_debits_is_said() -> None:
    for data in (report(status="RJCT", reason=REASON.format("FF01")), report(group(status="RJCT"))):
        flow = only(data)
        assert flow.outcomes == ()
        assert [notice.code for notice in flow.notices] == ["pain002_group_status"]


def test_unknown_codes_are_data() -> None:
    flow = only(report(group(debit("E1", "XXXX", REASON.format("ZZ99")))))
    assert told(flow) == [("E1", "unknown", "ZZ99")]
    assert [notice.code for notice in flow.notices] == ["pain002_status_unknown"]


def test_the_answer_to_our_own_payments_is_no_collection() -> None:
    assert only(report(debit("E1", "ACSC"), of="pain.001.001.03")).kind == "payment-outcomes"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (debit("E1", "RJCT", amount="1.234,56"), "pain002_amount_unreadable"),
        (debit("NOTPROVIDED").replace("OrgnlInstrId", "Other"), "pain002_reference_missing"),
    ],
)  # fmt: skip
def test_a_bad_outcome_is_refused_alone(bad: str, code: str) -> None:
    result = read_pain002(report(group(bad, debit("E2", "RJCT"))))
    assert [one.code for one in result.rejections] == [code]
    assert told(result.records[0]) == [("E2", "unpaid", "RJCT")]


def test_fewer_rejected_than_stated() -> None:
    counts = "<NbOfTxsPerSts><DtldNbOfTxs>2</DtldNbOfTxs><DtldSts>RJCT</DtldSts></NbOfTxsPerSts>"
    result = read_pain002(report(group(debit("E1", "RJCT"), debit("E2", "ACCP"), counts=counts)))
    assert [one.code for one in result.rejections] == ["pain002_outcomes_missing"]


@given(st.integers(min_value=0), st.binary(max_size=6))
@settings(max_examples=200, deadline=None)
def test_damage_never_raises_and_a_cut_is_refused(at: int, change: bytes) -> None:
    data = report(group(debit("E1", "RJCT", REASON.format("AM04")), status="PART"))
    place = at % len(data)
    for language in ("it", "en"):
        read_pain002(data[:place] + change + data[place + 1 :]).as_json(language)
    cut = read_pain002(data[:place])
    assert (cut.records, bool(cut.rejections)) == ((), True)
