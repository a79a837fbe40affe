"""Money: an exact amount in one currency.

Amounts live in PostgreSQL as NUMERIC(18,3) beside a currency code. Frames carry them as 64-bit
integers of *mills*, thousandths of the currency unit: the same scale for every currency, so that a
column can be summed without looking up an exponent. Floats never hold money.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

MILLS_PER_UNIT = 1000
# NUMERIC(18,3): fifteen digits before the point.
MAX_MILLS = 10**18 - 1
MAX_INTEGER_DIGITS = 15

# ISO 4217 codes in use for trade, with the number of decimals of each that is not 2.
_EXPONENTS_NOT_TWO = {
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
    "RWF": 0, "UGX": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
}  # fmt: skip
_TWO = """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR
ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG"""
CURRENCY_EXPONENTS: dict[str, int] = {**dict.fromkeys(_TWO.split(), 2), **_EXPONENTS_NOT_TWO}


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were added, subtracted or compared."""


class InexactAmount(ValueError):
    """An amount has more decimals than its currency (or the ledger) can hold, or is too large."""


def exponent_of(currency: str) -> int:
    """Number of decimals of an ISO 4217 currency; raises KeyError for an unknown code."""
    return CURRENCY_EXPONENTS[currency]


def to_mills(amount: Decimal) -> int:
    """Exact thousandths of a unit. Raises InexactAmount rather than round or overflow."""
    # "1E999990" is a short text and an integer of a million digits: it is refused before it is computed.
    if amount and amount.is_finite() and amount.adjusted() > MAX_INTEGER_DIGITS:
        raise InexactAmount(f"{amount} does not fit NUMERIC(18,3)")
    try:
        scaled = amount * MILLS_PER_UNIT
        whole = int(scaled)
    except (ArithmeticError, ValueError) as error:
        raise InexactAmount(f"{amount} is not an amount") from error
    if scaled != whole or abs(whole) > MAX_MILLS:
        raise InexactAmount(f"{amount} does not fit NUMERIC(18,3)")
    return whole


def from_mills(mills: int) -> Decimal:
    """The amount in currency units, with three decimals."""
    return Decimal(mills).scaleb(-3)


def decimal_text(mills: int, currency: str) -> str:
    """The amount as a plain decimal string with the currency's decimals (more only if it has more)."""
    amount = from_mills(mills)
    shortest = CURRENCY_EXPONENTS.get(currency, 2)
    for places in range(shortest, 4):
        quantum = Decimal(1).scaleb(-places)
        if amount == amount.quantize(quantum):
            return f"{amount.quantize(quantum):f}"
    return f"{amount:f}"


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in one currency. Arithmetic across currencies raises CurrencyMismatch."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in CURRENCY_EXPONENTS:
            raise ValueError(f"unknown currency {self.currency!r}")
        to_mills(self.amount)

    @classmethod
    def of_mills(cls, mills: int, currency: str) -> Money:
        return cls(from_mills(mills), currency)

    @property
    def mills(self) -> int:
        return to_mills(self.amount)

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be combined without a rate")

    def __add__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same_currency(other)
        return self.amount <= other.amount

    def __str__(self) -> str:
        return f"{decimal_text(self.mills, self.currency)} {self.currency}"


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum of amounts that are all in ``currency``; the empty sum is zero."""
    result = Money(Decimal(0), currency)
    for amount in amounts:
        result = result + amount
    return result


def rounded(amount: Decimal, currency: str) -> Decimal:
    """``amount`` rounded half-even to the currency's decimals (for computed amounts, never for facts)."""
    return amount.quantize(Decimal(1).scaleb(-exponent_of(currency)), rounding=ROUND_HALF_EVEN)
