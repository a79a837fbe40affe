"""camt.052, .053, .054: amounts and signs as booked, details of every version, quarantine where in doubt."""

from __future__ import annotations

from datetime import date

import pytest

from saldo.flows.reading import read_invoices
from saldo.formats.bank_records import BankStatement, BankTransaction
from saldo.formats.camt import read_camt
from saldo.formats.detect import read_file
from tests.bank_samples import IBAN, OTHER_IBAN, PAYER_IBAN, balance, camt, entry, statement


def only(data: bytes) -> BankStatement:
    result = read_camt(data)
    assert len(result.statements) == 1
    found = result.statements[0]
    assert isinstance(found, BankStatement)
    return found


def codes(found: BankStatement) -> list[str]:
    return [notice.code for notice in found.notices]


def line_of(*details: str, sign: str = "CRDT", more: str = "") -> BankTransaction:
    return only(camt(statement(entry("10.00", *details, sign=sign, more=more)))).transactions[0]


RICH = f"""<TxDtls><Refs><AcctSvcrRef>BANK-1-1</AcctSvcrRef><InstrId>I-9</InstrId>
<EndToEndId>NOTPROVIDED</EndToEndId><TxId>TX-77</TxId><MndtId>MND-5</MndtId></Refs>
<AmtDtls><InstdAmt><Amt Ccy="USD">12.345</Amt></InstdAmt><TxAmt><Amt Ccy="EUR">10.00</Amt></TxAmt></AmtDtls>
<Chrgs><TtlChrgsAndTaxAmt Ccy="EUR">0.75</TtlChrgsAndTaxAmt></Chrgs>
<RltdPties><Dbtr>{{party}}</Dbtr><DbtrAcct><Id><IBAN>{PAYER_IBAN}</IBAN></Id></DbtrAcct>
<UltmtDbtr><Nm>Capogruppo Finta GmbH</Nm></UltmtDbtr><Cdtr><Nm>Aurelia Esempio S.p.A.</Nm></Cdtr>
<CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct></RltdPties>
<RltdAgts><DbtrAgt><FinInstnId><{{bic}}>COBADEFFXXX</{{bic}}></FinInstnId></DbtrAgt></RltdAgts>
<RmtInf><Ustrd>Saldo  fatture</Ustrd><Ustrd>di gennaio</Ustrd><Strd>
<RfrdDocInf><Nb>FT 1/2026</Nb></RfrdDocInf><RfrdDocInf><Nb>FT 2/2026</Nb></RfrdDocInf>
<CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>"""
PARTY = "<Nm>Mustermann GmbH</Nm><Id><OrgId><Othr><Id>IT01234567890</Id><Issr>ADE</Issr></Othr></OrgId></Id>"


@pytest.mark.parametrize(("party", "bic"), [(PARTY, "BIC"), (f"<Pty>{PARTY}</Pty>", "BICFI")])
def test_details_of_every_version_read_alike(party: str, bic: str) -> None:
    line = line_of(RICH.format(party=party, bic=bic))
    assert (line.booking_date, line.value_date) == (date(2026, 2, 2), date(2026, 2, 3))
    assert (line.amount_mills, line.currency, line.status) == (10_000, "EUR", "BOOK")
    assert (line.counterparty_name, line.counterparty_iban) == ("Mustermann GmbH", PAYER_IBAN)
    assert (line.counterparty_bic, line.counterparty_tax_code) == ("COBADEFFXXX", "IT01234567890")
    assert line.ultimate_name == "Capogruppo Finta GmbH"
    assert (line.end_to_end_id, line.transaction_id, line.mandate_id) == (None, "TX-77", "MND-5")
    assert (line.bank_reference, line.customer_reference) == ("BANK-1-1", "I-9")
    assert line.remittance_text == "Saldo fatture di gennaio"
    assert line.document_refs == ("FT 1/2026", "FT 2/2026")
    assert line.creditor_reference == "RF18539007547034"
    assert (line.charges_mills, line.original_mills, line.original_currency) == (750, 12_345, "USD")
    assert line.code == "PMNT/RCDT/ESCT"


def test_an_entry_without_details_keeps_its_text() -> None:
    line = line_of(more="<AddtlNtryInf>Bonifico a vostro favore</AddtlNtryInf>")
    assert (line.remittance_text, line.bank_reference, line.entry_size) == (
        "Bonifico a vostro favore",
        "BANK-1",
        1,
    )


def details(amount: str | None, reference: str, sign: str = "", direct: bool = False) -> str:
    inner = f"<Amt Ccy='EUR'>{amount}</Amt>"
    stated = inner if direct else f"<AmtDtls><TxAmt>{inner}</TxAmt></AmtDtls>"
    return (
        f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{stated if amount else ''}{sign}"
        f"<RmtInf><Ustrd>fattura {reference}</Ustrd></RmtInf></TxDtls>"
    )


def test_a_batch_is_split_by_amounts_that_add_up() -> None:
    back = details("4.00", "C", "<CdtDbtInd>DBIT</CdtDbtInd>", direct=True)
    found = only(
        camt(statement(entry("10.00", details("6.00", "A"), details("8.00", "B"), back), closing="110.00"))
    )
    assert [
        (t.ordinal, t.entry, t.entry_size, t.amount_mills, t.end_to_end_id) for t in found.transactions
    ] == [
        (1, 1, 3, 6_000, "A"),
        (2, 1, 3, 8_000, "B"),
        (3, 1, 3, -4_000, "C"),
    ]
    assert (found.difference_mills, found.is_quarantined, codes(found)) == (0, False, [])


def test_a_batch_whose_details_all_have_the_other_sign_has_that_of_the_entry() -> None:
    credit = "<CdtDbtInd>CRDT</CdtDbtInd>"
    parts = (details("6.00", "A", credit), details("4.00", "B", credit))
    found = only(camt(statement(entry("10.00", *parts, sign="DBIT"), closing="90.00")))
    assert [line.amount_mills for line in found.transactions] == [-6_000, -4_000]


@pytest.mark.parametrize("second", [None, "3.99", "4.01"])
def test_a_batch_that_does_not_add_up_stays_one_line(second: str | None) -> None:
    found = only(
        camt(statement(entry("10.00", details("6.00", "A"), details(second, "B")), closing="110.00"))
    )
    (line,) = found.transactions
    assert (line.amount_mills, line.entry_size, line.end_to_end_id) == (10_000, 2, None)
    assert line.remittance_text == "fattura A fattura B"
    assert line.fields["end_to_end_id"] == "A; B"
    assert codes(found) == ["bank_batch_not_split"]
    assert not found.is_quarantined


def test_a_reversal_has_the_sign_of_its_own_entry_and_the_party_that_did_not_pay() -> None:
    returned = f"""<TxDtls><RltdPties><Dbtr><Nm>Bar Campione</Nm></Dbtr>
    <DbtrAcct><Id><IBAN>{OTHER_IBAN}</IBAN></Id></DbtrAcct><Cdtr><Nm>AURELIA</Nm></Cdtr><CdtrAcct><Id><IBAN>{IBAN}</IBAN></Id></CdtrAcct></RltdPties>
    <RtrInf><Rsn><Cd>MD06</Cd></Rsn><AddtlInf>Rimborso richiesto</AddtlInf></RtrInf></TxDtls>"""
    line = line_of(returned, sign="DBIT", more="<RvslInd>true</RvslInd>")
    assert (line.amount_mills, line.is_reversal) == (-10_000, True)
    assert (line.return_reason, line.return_text) == ("MD06", "Rimborso richiesto")
    assert (line.counterparty_name, line.counterparty_iban) == ("Bar Campione", OTHER_IBAN)


def test_our_own_side_is_never_the_counterparty() -> None:
    party = "<TxDtls><RltdPties><Cdtr><Nm>AURELIA ESEMPIO S.P.A.</Nm></Cdtr></RltdPties></TxDtls>"
    assert line_of(party).counterparty_name is None


def test_a_statement_that_does_not_add_up_is_quarantined_and_kept() -> None:
    result = read_camt(
        camt(statement(entry("10.00"), closing="110.01"), statement(entry("10.00"), closing="110.00"))
    )
    wrong, right = result.statements
    assert (wrong.is_quarantined, wrong.difference_mills, len(wrong.transactions)) == (True, 10, 1)
    assert codes(wrong) == ["bank_statement_unbalanced"]
    assert (right.is_quarantined, right.position) == (False, 2)


def test_lines_not_booked_are_in_no_balance() -> None:
    found = only(
        camt(statement(entry("10.00", status="PDNG"), entry("5.00", status="BOOK"), closing="105.00"))
    )
    assert [line.status for line in found.transactions] == ["PDNG", "BOOK"]
    assert not found.is_quarantined


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (entry("10.0001"), "bank_amount_unreadable"),
        (entry("10,00"), "bank_amount_unreadable"),
        (entry("-10.00"), "bank_amount_unreadable"),
        (entry("1e3"), "bank_amount_unreadable"),
        (entry(""), "bank_amount_unreadable"),
        (entry("10.00", sign="CREDIT"), "bank_sign_missing"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_and_holds_its_statement_only(bad: str, code: str) -> None:
    result = read_camt(camt(statement(bad, entry("5.00"), closing="105.00"), statement()))
    assert [(one.code, one.where) for one in result.rejections] == [(code, "Stmt[1]/Ntry[1]")]
    held, free = result.statements
    assert (held.is_quarantined, [line.amount_mills for line in held.transactions]) == (True, [5_000])
    assert not free.is_quarantined


def test_zeros_behind_the_mills_are_no_decimals() -> None:
    assert (
        only(camt(statement(entry("10.00500"), closing="110.00500"))).transactions[0].amount_mills == 10_005
    )


def test_amounts_of_another_currency_are_not_added() -> None:
    foreign = entry("10.00").replace("'EUR'", "'CHF'")
    found = only(camt(statement(foreign, closing="110.00")))
    assert (found.is_quarantined, found.difference_mills) == (True, None)
    elsewhere = statement(closing="100.00").replace(
        "</Acct>", f"</Acct>{balance('CLAV', '5', currency='USD')}"
    )
    assert not only(camt(elsewhere)).is_quarantined
    assert [one.code for one in only(camt(elsewhere)).balances] == ["CLAV", "OPBD", "CLBD"]


@pytest.mark.parametrize(
    ("message", "root", "tag", "kind", "format_"),
    [
        ("camt.052.001.06", "BkToCstmrAcctRpt", "Rpt", "intraday", "camt.052"),
        ("camt.053.001.02", "BkToCstmrStmt", "Stmt", "booked", "camt.053"),
        ("camt.054.001.10", "BkToCstmrDbtCdtNtfctn", "Ntfctn", "notification", "camt.054"),
    ],
)
def test_each_message_says_what_it_is_worth(
    message: str, root: str, tag: str, kind: str, format_: str
) -> None:
    data = camt(statement(entry("1.00"), closing="101.00", tag=tag), message=message, root=root)
    result = read_file(data, "x.bin")
    assert (result.format, result.statements[0].kind) == (format_, kind)


def test_balances_of_overdrawn_accounts_and_pages() -> None:
    found = only(camt(statement(entry("150.00"), opening="-100.00", closing="50.00")))
    assert (found.opening_mills, found.closing_mills, found.is_quarantined) == (-100_000, 50_000, False)
    page = statement(entry("1.00")).replace("OPBD", "ITBD").replace("CLBD", "ITBD")
    assert codes(only(camt(page))) == ["bank_statement_unbalanced"]


def test_without_statement_or_cut_it_is_refused() -> None:
    assert [one.code for one in read_camt(camt()).rejections] == ["bank_no_statement"]
    cut = read_camt(camt(statement(entry("1.00")))[:-30])
    assert [one.code for one in cut.rejections] == ["xml_truncated"]
    assert not cut.statements


def test_a_prefix_and_an_envelope_change_nothing() -> None:
    plain = camt(statement(entry("1.00"), closing="101.00"))
    document = plain.partition(b"?>")[2].replace(b"<Document xmlns=", b"<Document xmlns:x=")
    wrapped = b"<Envelope xmlns='urn:example'>" + document.replace(b"<Stmt>", b"<Stmt >") + b"</Envelope>"
    assert read_file(wrapped, "x.xml").statements == read_camt(plain).statements


def test_an_import_of_receivables_does_not_pass_over_it_in_silence() -> None:
    told = read_invoices(camt(statement(entry("1.00"), closing="101.00")), "movimenti.xml")
    assert [one.code for one in told.notices] == ["record_not_posted"]


def _summary(*totals: str) -> bytes:
    entries = entry("5.00") + entry("7.00") + entry("2.50", sign="DBIT")
    return camt(statement(f"<TxsSummry>{''.join(totals)}</TxsSummry>", entries, closing="109.50"))


ALL = "<TtlNtries><NbOfNtries>{}</NbOfNtries><Sum>{}</Sum>{}</TtlNtries>"
NET_2 = "<TtlNetNtryAmt>{}</TtlNetNtryAmt><CdtDbtInd>CRDT</CdtDbtInd>"
NET_8 = "<TtlNetNtry><Amt>{}</Amt><CdtDbtInd>CRDT</CdtDbtInd></TtlNetNtry>"
SIDE = "<Ttl{0}Ntries><NbOfNtries>{1}</NbOfNtries><Sum>{2}</Sum></Ttl{0}Ntries>"


@pytest.mark.parametrize(
    ("summary", "is_right"),
    [
        (ALL.format(3, "14.50", ""), True),
        (ALL.format(3, "9.5", NET_8.format("9.50")), True),
        (ALL.format("0003", "14.50", NET_2.format("9.50")), True),
        (SIDE.format("Cdt", 2, "12.00") + SIDE.format("Dbt", 1, "2.50"), True),
        (ALL.format(4, "14.50", ""), False),
        (ALL.format(3, "14.51", ""), False),
        (ALL.format(3, "14.50", NET_8.format("9.40")), False),
        (ALL.format(3, "14.50", NET_2.format("9.40")), False),
        (ALL.format("three", "14.50", ""), False),
        (ALL.format(3, "1E1", ""), False),
        (SIDE.format("Cdt", 3, "12.00"), False),
        (SIDE.format("Dbt", 1, "2.40"), False),
    ],
)
def test_the_stated_totals_are_those_of_the_entries(summary: str, is_right: bool) -> None:
    (found,) = read_camt(_summary(summary)).statements
    assert found.is_quarantined is not is_right
    assert [notice.code for notice in found.notices] == ([] if is_right else ["bank_totals_differ"])


def test_an_entry_lost_from_a_notification_is_seen_by_its_totals() -> None:
    lost = camt(
        f"<Ntfctn><Id>N1</Id><Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"<TxsSummry>{ALL.format(2, '12.00', '')}</TxsSummry>{entry('5.00')}</Ntfctn>",
        message="camt.054.001.08",
        root="BkToCstmrDbtCdtNtfctn",
    )
    (found,) = read_camt(lost).statements
    assert found.is_quarantined
