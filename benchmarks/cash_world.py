"""A large receivables ledger and bank lines that pay from it, made by numpy from a seed.

References are those of the simulated world, in its shares: numbers in full, with dates, in short, a creditor
reference, or nothing that can be used; slips, charges, roundings, parts, money for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.world import AS_AT
from saldo.simulation.world.references import Paid, mistyped, reference

OUR_IBAN = "IT87W9999111200000000555001"
_FIRST = ("Mec", "Tor", "Edil", "Agri", "Com", "Log", "Idro", "Elet", "Car", "Fer", "Vet", "Met")
_SECOND = ("vola", "renna", "brisca", "zeste", "mantra", "pelva", "dorna", "gusto", "lanzo", "fiore")
_FORMS = ("S.r.l.", "S.p.A.", "S.n.c.", "S.a.s.")
_STYLES = ("numbers", "numbers_and_dates", "creditor_reference", "short_numbers", "words", "own_code", "none")
_SHARES = (0.40, 0.14, 0.07, 0.05, 0.14, 0.07, 0.13)
_MOST_NUMBERS, _TEXT = 8, 140


def name_of(account: int) -> str:
    """A different name for each account; words that many share, and some that few do."""
    rare = "".join(
        "aeioubcdfglmnprstvz"[int(digit) + 5 * (at % 2)] for at, digit in enumerate(f"{account:06d}")
    )
    first, second = _FIRST[account % 12], _SECOND[account // 12 % 10]
    return f"{first}{second} {rare.capitalize()} {_FORMS[account % 4]}"


@dataclass(slots=True)
class Ledger:
    """Open installments in columns, by account: those of account a stand at starts[a]:starts[a + 1]."""

    starts: np.ndarray
    number: list[str]
    issued: list[date]
    cents: list[int]


@dataclass(slots=True)
class Pay:
    """One bank line. items: positions in the ledger with the cents that each gets, less what was kept."""

    day: date
    account: int
    cents: int
    text: str
    reference: str
    charges: int
    items: dict[int, int] = field(default_factory=dict)
    kept: int = 0


def write_items(path: Path, rows: int, accounts: int, seed: int = 1) -> Ledger:
    """A CSV for the profile of benchmarks.world: ``rows`` open invoices of one installment each."""
    rng = np.random.default_rng(seed)
    account = np.sort(rng.integers(0, accounts, size=rows))
    age = rng.integers(1, 150, size=rows)
    order = np.lexsort((-age, account))
    account, age = account[order], age[order]
    issued = np.datetime64(AS_AT) - age.astype("timedelta64[D]")
    cents = np.exp(rng.normal(11.2, 1.0, size=rows)).astype(np.int64) + 500
    # Numbers run with the days, across accounts.
    serial = np.empty(rows, dtype=np.int64)
    serial[np.argsort(-age, kind="stable")] = np.arange(100_001, 100_001 + rows)
    number = [f"{each}/26" for each in serial.tolist()]
    frame = pl.DataFrame(
        {
            "customer": [f"C{each:06d}" for each in account.tolist()],
            "name": [name_of(each) for each in account.tolist()],
            "number": number,
            "date": issued,
            "due": issued + np.timedelta64(60, "D"),
            "installment": np.ones(rows, np.int64),
            "amount": [f"{each // 100},{each % 100:02d}" for each in cents.tolist()],
        }
    )
    days = [pl.col(column).dt.strftime("%d/%m/%Y") for column in ("date", "due")]
    frame.with_columns(*days).write_csv(path, separator=";")
    starts = np.searchsorted(account, np.arange(accounts + 1))
    return Ledger(starts, number, issued.tolist(), cents.tolist())


def payments(ledger: Ledger, lines: int, days: int, seed: int = 2) -> Iterator[Pay]:
    """``lines`` transfers over the ``days`` after the ledger's, of another account each while there are."""
    rng = np.random.default_rng(seed)
    accounts = len(ledger.starts) - 1
    payer = np.concatenate([rng.permutation(accounts) for _ in range(lines // accounts + 1)])[:lines]
    style = rng.choice(len(_STYLES), size=lines, p=_SHARES)
    count = rng.choice([1, 2, 3, 4, 6], size=lines, p=[0.62, 0.2, 0.09, 0.06, 0.03])
    chance, pick = rng.random((lines, 5)), rng.integers(0, 10**9, size=lines)
    taken: dict[int, int] = {}
    for at in range(lines):
        account = int(payer[at])
        start = int(ledger.starts[account]) + taken.get(account, 0)
        positions = list(range(start, min(start + int(count[at]), int(ledger.starts[account + 1]))))
        taken[account] = taken.get(account, 0) + len(positions)
        day = AS_AT + timedelta(days=1 + at * days // lines)
        told = _STYLES[style[at]]
        if not positions or chance[at, 0] < 0.02:
            yield Pay(day, account, 50_000 * (1 + int(pick[at]) % 6), "ACCONTO", "", 0)
            continue
        yield _pay(ledger, day, account, positions, told, chance[at].tolist(), int(pick[at]))


def _pay(
    ledger: Ledger, day: date, account: int, positions: list[int], style: str, chance: list[float], pick: int
) -> Pay:
    items = {position: ledger.cents[position] for position in positions}
    kept = charges = 0
    if chance[1] < 0.03 and len(positions) == 1:
        items[positions[0]] = max(100, items[positions[0]] // 300 * 100)
    elif chance[2] < 0.02 and items[positions[0]] > 10_000:
        kept = charges = 250 + pick % 1_250
    elif chance[3] < 0.02 and items[positions[0]] > 10_000:
        kept = items[positions[0]] % 100 or 1
    documents = [Paid(ledger.number[each], ledger.issued[each], "") for each in positions]
    text, structured, told = reference(style, documents, (), day, pick, "it", _MOST_NUMBERS)
    if chance[4] < 0.03 and told not in ("words", "own_code", "none"):
        text = mistyped(text, pick)
    items[positions[0]] -= kept
    return Pay(day, account, sum(items.values()), text[:_TEXT], structured, charges, items, kept)


def statement(day: date, number: int, pays: list[Pay]) -> bytes:
    """A camt.053 of one day. Lines are numbered so that their bank references tell them apart."""
    opening = 10**9 + number
    total = sum(each.cents for each in pays)
    entries = "".join(_entry(each, f"{day:%y%m%d}{at:010d}") for at, each in enumerate(pays))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>B{number}</MsgId><CreDtTm>{day}T23:59:59</CreDtTm></GrpHdr><Stmt><Id>B{number}</Id>"
        f"<ElctrncSeqNb>{number}</ElctrncSeqNb><CreDtTm>{day}T23:59:59</CreDtTm>"
        f"<Acct><Id><IBAN>{OUR_IBAN}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        f"{_balance('OPBD', opening, day)}{_balance('CLBD', opening + total, day)}{entries}"
        "</Stmt></BkToCstmrStmt></Document>\n"
    ).encode()


def _balance(code: str, cents: int, day: date) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">{_dotted(cents)}</Amt>'
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def _entry(pay: Pay, key: str) -> str:
    name = name_of(pay.account).upper().replace(".", "")
    charges = (
        f'<Chrgs><Rcrd><Amt Ccy="EUR">{_dotted(pay.charges)}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        "<ChrgInclInd>true</ChrgInclInd></Rcrd></Chrgs>"
        if pay.charges
        else ""
    )
    free = f"<Ustrd>{pay.text}</Ustrd>" if pay.text else ""
    structured = (
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        f"<Ref>{pay.reference}</Ref></CdtrRefInf></Strd>"
        if pay.reference
        else ""
    )
    told = f"<RmtInf>{free}{structured}</RmtInf>" if free or structured else ""
    amount = f'<Amt Ccy="EUR">{_dotted(pay.cents)}</Amt><CdtDbtInd>CRDT</CdtDbtInd>'
    return (
        f"<Ntry>{amount}<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>{pay.day}</Dt></BookgDt>"
        f"<ValDt><Dt>{pay.day}</Dt></ValDt><AcctSvcrRef>{key}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly>"
        "<Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>"
        f"<AcctSvcrRef>{key}</AcctSvcrRef><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{amount}{charges}"
        f"<RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr></RltdPties>{told}</TxDtls></NtryDtls></Ntry>\n"
    )


def _dotted(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
