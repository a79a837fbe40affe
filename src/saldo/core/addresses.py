"""Addresses of people as they are compared and written to: e-mail, PEC, telephone, post.

fold_address        the one spelling under which an address is stopped or released
phone_number        a number as "+" and digits
is_email            whether mail may be sent to it at all
"""

from __future__ import annotations

import re

from saldo.core.playbook import CALL, EMAIL, PEC, SMS

# One mailbox and a domain with a dot. What is stricter refuses addresses that work.
EMAIL_PATTERN = r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"
PHONE_PATTERN = r"^\+[1-9][0-9]{6,14}$"
_EMAIL = re.compile(EMAIL_PATTERN)
_PHONE = re.compile(PHONE_PATTERN)
# Country calling codes, for numbers written without one.
CALLING_CODES = {
    "AT": "43", "BE": "32", "BG": "359", "CH": "41", "CY": "357", "CZ": "420", "DE": "49", "DK": "45",
    "EE": "372", "ES": "34", "FI": "358", "FR": "33", "GB": "44", "GR": "30", "HR": "385", "HU": "36",
    "IE": "353", "IT": "39", "LT": "370", "LU": "352", "LV": "371", "MT": "356", "NL": "31", "NO": "47",
    "PL": "48", "PT": "351", "RO": "40", "SE": "46", "SI": "386", "SK": "421", "SM": "378", "US": "1",
}  # fmt: skip
# Countries where the leading zero belongs to the number.
KEEPS_ZERO = frozenset({"IT", "SM"})


def fold_address(channel: str, address: str) -> str:
    """The one spelling of an address: mail in lower case, numbers as "+" and digits, the rest without case.

    >>> fold_address("email", " Anna.Rossi@Example.COM ")
    'anna.rossi@example.com'
    >>> fold_address("sms", "0039 333 123-4567")
    '+393331234567'
    """
    if channel in (SMS, CALL):
        return phone_number(address)
    return " ".join(address.lower().split())


def phone_number(written: str, country: str = "IT") -> str:
    """A telephone number as "+" and digits. One without a calling code is taken for one of ``country``.

    >>> phone_number("02 1234567")
    '+39021234567'
    """
    text = written.strip().replace("(0)", "")
    digits = re.sub(r"[^0-9]", "", text)
    if not digits:
        return ""
    if text.startswith("+"):
        return f"+{digits}"
    if digits.startswith("00"):
        return f"+{digits[2:]}"
    code = CALLING_CODES.get(country, CALLING_CODES["IT"])
    if country in CALLING_CODES and country not in KEEPS_ZERO:
        digits = digits.removeprefix("0")
    return f"+{code}{digits}"


def is_email(address: str) -> bool:
    return len(address) <= 254 and bool(_EMAIL.match(fold_address(EMAIL, address)))


def is_phone(address: str, country: str = "IT") -> bool:
    return bool(_PHONE.match(phone_number(address, country)))


def is_usable(channel: str, address: str) -> bool:
    """Whether the address has the form that its channel needs."""
    if channel in (EMAIL, PEC):
        return is_email(address)
    if channel in (SMS, CALL):
        return is_phone(address)
    return bool(address.strip())
