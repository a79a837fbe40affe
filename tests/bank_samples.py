"""Bank statements written for tests: invented names, banks and accounts with valid check digits."""

from __future__ import annotations

IBAN = "IT60X0542811101000000123456"
PAYER_IBAN = "DE89370400440532013000"
OTHER_IBAN = "FR1420041010050500013M02606"


def camt(*statements: str, message: str = "camt.053.001.08", root: str = "BkToCstmrStmt") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{message}"><{root}>'
        f"<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-02-03T06:00:00</CreDtTm></GrpHdr>"
        f"{''.join(statements)}</{root}></Document>"
    ).encode()


def statement(*entries: str, opening: str = "100.00", closing: str = "100.00", tag: str = "Stmt") -> str:
    balances = balance("OPBD", opening) + balance("CLBD", closing, "2026-02-02")
    return (
        f"<{tag}><Id>S1</Id><ElctrncSeqNb>7</ElctrncSeqNb><Acct><Id><IBAN>{IBAN}</IBAN></Id><Ccy>EUR</Ccy>"
        f"<Ownr><Nm>Aurelia Esempio S.p.A.</Nm></Ownr></Acct>{balances}{''.join(entries)}</{tag}>"
    )


def balance(code: str, amount: str, day: str = "2026-02-01", currency: str = "EUR") -> str:
    sign = "DBIT" if amount.startswith("-") else "CRDT"
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>"
        f"<Amt Ccy='{currency}'>{amount.lstrip('-')}</Amt><CdtDbtInd>{sign}</CdtDbtInd>"
        f"<Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def entry(
    amount: str, *details: str, sign: str = "CRDT", more: str = "", status: str = "<Cd>BOOK</Cd>"
) -> str:
    inner = f"<NtryDtls>{''.join(details)}</NtryDtls>" if details else ""
    return (
        f"<Ntry><Amt Ccy='EUR'>{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd><Sts>{status}</Sts>"
        f"<BookgDt><Dt>2026-02-02</Dt></BookgDt><ValDt><DtTm>2026-02-03T23:30:00+01:00</DtTm></ValDt>"
        f"<AcctSvcrRef>BANK-1</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
        f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>{more}{inner}</Ntry>"
    )


def mt940(*lines: str, opening: str = "C260201EUR100,00", closing: str | None = "C260202EUR100,00") -> str:
    end = [f":62F:{closing}"] if closing else []
    return "\r\n".join(
        [":20:RIF1", f":25:{IBAN}", ":28C:00012/001", f":60F:{opening}", *lines, *end, "-", ""]
    )
