"""Who pays a line, and whose items that payer may settle."""

from __future__ import annotations

from dataclasses import dataclass

from saldo.core.matching.payers import Payer, Payers
from saldo.core.matching.records import Line

_CERTAIN = ("iban", "tax_code", "name", "alias_name")
# Below this some other evidence names another customer (payers.Payer.score).
_LEAST_SURE = 0.9
_LEAST_LIKELY = 0.5
_MOST_LIKELY = 3
_MOST_KIN = 12


@dataclass(frozen=True, slots=True)
class Who:
    """Who pays a line. accounts: the payer's own (several where it is not sure which); wards: those it is
    known to pay for; kin: those of its group. level: "sure", "likely" or "unknown"."""

    payer: Payer | None
    level: str
    accounts: tuple[int, ...]
    wards: tuple[int, ...] = ()
    kin: tuple[int, ...] = ()

    @property
    def known(self) -> tuple[int, ...]:
        return (*self.accounts, *self.wards)


def who_pays(line: Line, payers: Payers) -> Who:
    """Who pays a line, as far as its IBAN, tax code and names say, and nothing of it contradicts the rest."""
    told = payers.identify(line)
    if not told:
        return Who(None, "unknown", ())
    best = told[0]
    is_sure = best.evidence in _CERTAIN and best.is_unique and best.score >= _LEAST_SURE
    if is_sure:
        accounts: tuple[int, ...] = (best.account_id,)
    else:
        accounts = tuple(each.account_id for each in told if each.score >= _LEAST_LIKELY)[:_MOST_LIKELY]
        if not accounts:
            return Who(None, "unknown", ())
    others = dict.fromkeys(
        other for account in accounts[:1] for other in payers.pays_for(account) if other not in accounts
    )
    wards = tuple(each for each in others if payers.has_learnt_paying(accounts[0], each))
    kin = tuple(each for each in others if each not in wards)[:_MOST_KIN]
    return Who(best, "sure" if is_sure else "likely", accounts, wards, kin)
