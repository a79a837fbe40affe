"""camt.053 statements (version 08, and 02 for banks that never moved on) and camt.054 of returned debits.

Elements in the order of the ISO 20022 schemas. A line books one amount; its details explain it: a batch of
direct debits is one entry with one TxDtls per debit, a return one debit entry with its reason (RtrInf), in
which the parties keep the roles of the debit that came back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby

import polars as pl

from saldo.simulation.files.bank_lines import (
    CAUSES,
    NO_END_TO_END,
    REMARKS,
    RETURNS,
    Bank,
    Line,
    Receipt,
    Receipts,
    Statement,
    bank_path,
    banks_of,
    lines_of,
    receipts_of,
    statements,
)
from saldo.simulation.files.bank_text import arrival, dotted, xml
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

FORMAT = "camt053"
# Texts of one Ustrd, and names, are cut at this length.
_TEXT = 140
_CODES = {
    "transfer": "PMNT/RCDT/ESCT",
    "riba": "PMNT/DRFT/STAM",
    "sdd": "PMNT/IDDT/ESDD",
    "riba_return": "PMNT/DRFT/UDFT",
    "sdd_return": "PMNT/IDDT/UPDD",
    "fee": "ACMT/MDOP/CHRG",
    "refund": "PMNT/ICDT/ESCT",
}
_B2B_CODE = "PMNT/IDDT/BBDD"


def bank_camt053(
    t: Tables, first: date, last: date, old_version: Sequence[int] | None = None
) -> Iterator[WorldFile]:
    """Statements of the days from ``first`` to ``last``, one file per account and day with lines.

    old_version: ids of the accounts that get version 02; None: all but the first account.
    """
    accounts = sorted(banks_of(t, FORMAT))
    old = set(accounts[1:] if old_version is None else old_version)
    for statement in statements(t, FORMAT, first, last):
        writer = _Writer(8 if statement.bank.bank_id not in old else 2, statement.receipts)
        path = statement.file_name("camt053", ".xml")
        yield WorldFile(path, writer.statement(statement).encode(), arrival(statement.day))


def bank_camt054(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """Notifications of the direct debits that came back, one file per account and day with returns.

    They come on the day itself, before its statement.
    """
    banks = banks_of(t)
    back = t.payments.filter(
        (pl.col("kind") == "sdd_return") & pl.col("booking_date").is_between(first, last)
    )
    ids = back.select(receipt_id="returns_id").drop_nulls()
    writer = _Writer(8, Receipts(receipts_of(t, t.receipts.join(ids, on="receipt_id", how="semi"))))
    for (day, bank_id), lines in groupby(lines_of(t, back), lambda line: (line.booking_date, line.bank_id)):
        path = bank_path(banks[bank_id], "camt054", f"{day:%Y%m%d}.xml")
        yield WorldFile(path, writer.notification(banks[bank_id], day, list(lines)).encode(), day)


class _Writer:
    """Messages of one version."""

    def __init__(self, version: int, receipts: Receipts) -> None:
        self._version = version
        self._receipts = receipts
        self._bic = "BICFI" if version >= 3 else "BIC"

    def statement(self, statement: Statement) -> str:
        bank, day = statement.bank, statement.day
        name = f"{bank.abi}{bank.account}-{day.year}-{statement.number}"
        entries = "".join(self._entry(line, bank, at) for at, line in enumerate(statement.lines, start=1))
        total = sum(abs(line.amount_cents) for line in statement.lines)
        balances = "".join(
            f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{dotted(cents)}</Amt>'
            f"<CdtDbtInd>{_side(cents)}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>\n"
            for code, cents in (
                ("OPBD", statement.opening_cents), ("CLBD", statement.closing_cents),
                ("CLAV", statement.closing_cents),
            )
        )  # fmt: skip
        return (
            self._head("053", "BkToCstmrStmt", f"STM-{name}", day)
            + f"<Stmt><Id>{name}</Id><ElctrncSeqNb>{statement.number}</ElctrncSeqNb>"
            + f"<CreDtTm>{arrival(day)}T05:30:00</CreDtTm><FrToDt><FrDtTm>{day}T00:00:00</FrDtTm>"
            + f"<ToDtTm>{day}T23:59:59</ToDtTm></FrToDt>\n{self._account(bank)}{balances}"
            + f"<TxsSummry><TtlNtries><NbOfNtries>{len(statement.lines)}</NbOfNtries>"
            + f"<Sum>{dotted(total)}</Sum></TtlNtries></TxsSummry>\n{entries}"
            + "</Stmt></BkToCstmrStmt></Document>\n"
        )

    def notification(self, bank: Bank, day: date, lines: Sequence[Line]) -> str:
        name = f"{bank.abi}{bank.account}-{day:%Y%m%d}"
        entries = "".join(self._entry(line, bank, at) for at, line in enumerate(lines, start=1))
        return (
            self._head("054", "BkToCstmrDbtCdtNtfctn", f"NTF-{name}", day)
            + f"<Ntfctn><Id>{name}</Id><CreDtTm>{day}T18:00:00</CreDtTm>\n{self._account(bank)}{entries}"
            + "</Ntfctn></BkToCstmrDbtCdtNtfctn></Document>\n"
        )

    def _head(self, message: str, tag: str, name: str, day: date) -> str:
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{message}.001.{self._version:02d}">'
            f"<{tag}><GrpHdr><MsgId>{name[:35]}</MsgId><CreDtTm>{day}T23:59:59</CreDtTm></GrpHdr>\n"
        )

    def _account(self, bank: Bank) -> str:
        return (
            f"<Acct><Id><IBAN>{bank.iban}</IBAN></Id><Ccy>EUR</Ccy><Ownr><Nm>{xml(bank.owner)}</Nm></Ownr>"
            f"<Svcr><FinInstnId><{self._bic}>{bank.bic}</{self._bic}><Nm>{xml(bank.name)}</Nm></FinInstnId>"
            "</Svcr></Acct>\n"
        )

    def _entry(self, line: Line, bank: Bank, number: int) -> str:
        side = _side(line.amount_cents)
        status = "<Sts><Cd>BOOK</Cd></Sts>" if self._version >= 8 else "<Sts>BOOK</Sts>"
        batch = self._receipts.of_batch(line) if line.kind == "sdd" else []
        remark = line.text if line.kind == "fee" and line.text else REMARKS[line.kind]
        return (
            f'<Ntry><NtryRef>{number}</NtryRef><Amt Ccy="EUR">{dotted(line.amount_cents)}</Amt>'
            f"<CdtDbtInd>{side}</CdtDbtInd>{status}<BookgDt><Dt>{line.booking_date}</Dt></BookgDt>"
            f"<ValDt><Dt>{line.value_date}</Dt></ValDt><AcctSvcrRef>{line.bank_reference}</AcctSvcrRef>"
            f"{_code(line, batch)}{self._details(line, bank, batch)}"
            f"<AddtlNtryInf>{xml(remark)}</AddtlNtryInf></Ntry>\n"
        )

    def _details(self, line: Line, bank: Bank, batch: Sequence[Receipt]) -> str:
        if line.kind == "fee":
            return ""
        if line.kind == "sdd":
            total = dotted(line.amount_cents)
            head = (
                f"<Btch><PmtInfId>SDD-{line.batch_id}</PmtInfId><NbOfTxs>{len(batch)}</NbOfTxs>"
                f'<TtlAmt Ccy="EUR">{total}</TtlAmt><CdtDbtInd>CRDT</CdtDbtInd></Btch>'
            )
            return f"<NtryDtls>{head}{''.join(map(self._debit, batch))}</NtryDtls>"
        if line.kind in RETURNS:
            return f"<NtryDtls>{self._return(line, bank)}</NtryDtls>"
        return f"<NtryDtls>{self._transfer(line)}</NtryDtls>"

    def _transfer(self, line: Line) -> str:
        """A transfer, in or out, or the credit of a slip of receipts."""
        end_to_end = xml(line.end_to_end) or NO_END_TO_END
        instructed = line.amount_cents + line.charges_cents if line.charges_cents else None
        return (
            f"<TxDtls><Refs><AcctSvcrRef>{line.bank_reference}</AcctSvcrRef>"
            f"<EndToEndId>{end_to_end}</EndToEndId></Refs>"
            f"{self._amount(line.amount_cents, _side(line.amount_cents), instructed)}"
            f"{self._charges(line.charges_cents)}{self._party(line)}"
            f"{_remittance(line.text, line.creditor_reference)}</TxDtls>"
        )

    def _debit(self, receipt: Receipt) -> str:
        return (
            f"<TxDtls><Refs>{_of_debit(receipt)}</Refs>{self._amount(receipt.amount_cents, 'CRDT')}"
            f"{self._debtor(receipt.name, receipt.iban, receipt.bic)}{_remittance(receipt.debt, '')}"
            "</TxDtls>\n"
        )

    def _return(self, line: Line, bank: Bank) -> str:
        receipt = self._receipts.returned(line)
        name, iban, bic = line.name, line.iban, line.bic
        refs = f"<EndToEndId>{xml(line.end_to_end) or NO_END_TO_END}</EndToEndId>"
        if receipt is not None:
            name, iban, bic = name or receipt.name, iban or receipt.iban, bic or receipt.bic
            if receipt.kind == "sdd":
                refs = f"<PmtInfId>SDD-{receipt.batch_id}</PmtInfId>{_of_debit(receipt)}"
            else:
                refs = f"<InstrId>{receipt.receipt_id:010d}</InstrId>{refs}"
        reason = "Cd" if line.kind == "sdd_return" else "Prtry"
        text = line.text or (receipt.debt if receipt is not None else "")
        return (
            f"<TxDtls><Refs><AcctSvcrRef>{line.bank_reference}</AcctSvcrRef>{refs}</Refs>"
            f"{self._amount(line.amount_cents, 'DBIT')}"
            f"{self._debtor(name, iban, bic, bank)}{_remittance(text, '')}"
            f"<RtrInf><Rsn><{reason}>{xml(line.return_reason)}</{reason}></Rsn></RtrInf></TxDtls>"
        )

    def _amount(self, cents: int, side: str, instructed: int | None = None) -> str:
        """Version 02 has no amount of its own in the details, only below AmtDtls."""
        amount = f'<Amt Ccy="EUR">{dotted(cents)}</Amt>'
        of_payer = "" if instructed is None else _instructed(instructed)
        if self._version < 8:
            return f"<AmtDtls>{of_payer}<TxAmt>{amount}</TxAmt></AmtDtls>"
        details = f"<AmtDtls>{of_payer}<TxAmt>{amount}</TxAmt></AmtDtls>" if of_payer else ""
        return f"{amount}<CdtDbtInd>{side}</CdtDbtInd>{details}"

    def _charges(self, cents: int) -> str:
        if not cents:
            return ""
        amount = f'<Amt Ccy="EUR">{dotted(cents)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        if self._version < 8:
            return f"<Chrgs>{amount}<Br>SHAR</Br></Chrgs>"
        return f"<Chrgs><Rcrd>{amount}<ChrgInclInd>true</ChrgInclInd><Br>SHAR</Br></Rcrd></Chrgs>"

    def _party(self, line: Line) -> str:
        """Who pays us, or whom we pay."""
        parties = self._debtor(line.name, line.iban, line.bic)
        return parties.replace("Dbtr", "Cdtr") if line.amount_cents < 0 else parties

    def _debtor(self, name: str, iban: str, bic: str, creditor: Bank | None = None) -> str:
        """The parties: who pays and, where a debit came back, ourselves."""
        party = f"<Nm>{xml(name[:_TEXT])}</Nm>"
        ours = f"<Nm>{xml(creditor.owner)}</Nm>" if creditor else ""
        if self._version >= 8:
            party, ours = f"<Pty>{party}</Pty>", f"<Pty>{ours}</Pty>"
        found = f"<Dbtr>{party}</Dbtr>" if name else ""
        if iban:
            found += f"<DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct>"
        if creditor:
            found += f"<Cdtr>{ours}</Cdtr><CdtrAcct><Id><IBAN>{creditor.iban}</IBAN></Id></CdtrAcct>"
        agent = (
            f"<RltdAgts><DbtrAgt><FinInstnId><{self._bic}>{bic}</{self._bic}></FinInstnId></DbtrAgt></RltdAgts>"
            if bic
            else ""
        )
        return f"<RltdPties>{found}</RltdPties>{agent}" if found else agent


def _of_debit(receipt: Receipt) -> str:
    """The references of a direct debit, the same when it is credited and when it comes back."""
    mandate = f"<MndtId>{xml(receipt.mandate_id)}</MndtId>" if receipt.mandate_id else ""
    return f"<EndToEndId>{xml(receipt.end_to_end)}</EndToEndId>{mandate}"


def _side(cents: int) -> str:
    return "CRDT" if cents >= 0 else "DBIT"


def _instructed(cents: int) -> str:
    return f'<InstdAmt><Amt Ccy="EUR">{dotted(cents)}</Amt></InstdAmt>'


def _code(line: Line, batch: Sequence[Receipt]) -> str:
    code = _B2B_CODE if batch and batch[0].scheme == "B2B" else _CODES[line.kind]
    domain, family, sub = code.split("/")
    return (
        f"<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>{sub}</SubFmlyCd></Fmly></Domn>"
        f"<Prtry><Cd>{CAUSES[line.kind]}</Cd><Issr>CBI</Issr></Prtry></BkTxCd>"
    )


def _remittance(text: str, creditor_reference: str) -> str:
    free = f"<Ustrd>{xml(text[:_TEXT])}</Ustrd>" if text else ""
    structured = (
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry><Issr>ISO</Issr></Tp>"
        f"<Ref>{xml(creditor_reference)}</Ref></CdtrRefInf></Strd>"
        if creditor_reference
        else ""
    )
    return f"<RmtInf>{free}{structured}</RmtInf>" if free or structured else ""
