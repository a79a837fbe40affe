"""Numbers of invented firms, people and bank accounts: check digits hold, but nobody has them.

VAT numbers begin with a series that is not issued (99 or 999), bank codes with one that no bank has.
"""

from __future__ import annotations

from datetime import date

from stdnum import luhn
from stdnum.es import ccc
from stdnum.iso7064 import mod_11_10
from stdnum.it import codicefiscale

# Italian check character of an account (CIN): values at odd places; even places count plainly.
_ODD = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
_MONTHS = "ABCDEHLMPRST"
_VOWELS = frozenset("AEIOU")


def vat_number(country: str, serial: int, office: str = "") -> str:
    """With its country prefix. serial: below 100,000 in Italy, Germany, France, Spain, below 10,000 in
    Austria. office: three digits of the province, in Italy."""
    if country == "IT":
        body = f"99{serial:05d}{office}"
        return "IT" + body + luhn.calc_check_digit(body)
    if country == "DE":
        body = f"999{serial:05d}"
        return "DE" + body + mod_11_10.calc_check_digit(body)
    if country == "FR":
        body = f"999{serial:05d}"
        siren = body + luhn.calc_check_digit(body)
        return f"FR{int(siren + '12') % 97:02d}{siren}"
    if country == "AT":
        body = f"999{serial:04d}"
        return f"ATU{body}{(6 - luhn.checksum(body)) % 10}"
    if country == "ES":
        body = f"99{serial:05d}"
        return f"ESB{body}{luhn.calc_check_digit(body)}"
    raise ValueError(f"No VAT numbers of {country} are made here")


def personal_tax_code(family: str, given: str, born: date, is_woman: bool, place: str) -> str:
    """The codice fiscale of a person (decree of 23 December 1976). place: letter and three digits."""
    consonants = [letter for letter in given.upper() if letter.isalpha() and letter not in _VOWELS]
    name = "".join(consonants)
    if len(consonants) > 3:
        name = consonants[0] + consonants[2] + consonants[3]
    elif len(consonants) < 3:
        name = _three(given)
    day = born.day + 40 * is_woman
    body = f"{_three(family)}{name}{born.year % 100:02d}{_MONTHS[born.month - 1]}{day:02d}{place}"
    return body + codicefiscale.calc_check_digit(body)


def _three(word: str) -> str:
    letters = [letter for letter in word.upper() if "A" <= letter <= "Z"]
    ordered = [x for x in letters if x not in _VOWELS] + [x for x in letters if x in _VOWELS]
    return ("".join(ordered) + "XXX")[:3]


def cin(abi: str, cab: str, account: str) -> str:
    """The Italian check character over 22 characters (digits only)."""
    text = abi + cab + account
    total = sum(_ODD[int(digit)] for digit in text[::2]) + sum(int(digit) for digit in text[1::2])
    return chr(65 + total % 26)


def iban(country: str, bank: str, branch: str, account: int) -> str:
    """With the country's own check digits where it has them. branch: five digits (four in Spain, none in
    Germany and Austria)."""
    if country == "IT":
        number = f"{account:012d}"
        return _with_check(country, cin(bank, branch, number) + bank + branch + number)
    if country == "FR":
        key = 97 - (89 * int(bank) + 15 * int(branch) + 3 * account) % 97
        return _with_check(country, f"{bank}{branch}{account:011d}{key:02d}")
    if country == "ES":
        head, number = bank + branch, f"{account:010d}"
        return _with_check(country, head + ccc.calc_check_digits(head + "00" + number) + number)
    if country == "DE":
        return _with_check(country, f"{bank}{account:010d}")
    if country == "AT":
        return _with_check(country, f"{bank}{account:011d}")
    raise ValueError(f"No accounts of {country} are made here")


def _with_check(country: str, bban: str) -> str:
    digits = "".join(str(int(character, 36)) for character in bban + country)
    return f"{country}{98 - int(digits + '00') % 97:02d}{bban}"
