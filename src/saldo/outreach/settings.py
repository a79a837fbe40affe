"""The brakes of sending: a company's rules, and "Ferma invii".

    rules_of, is_live, is_stopped, stop_of        reading, as known at an instant
    change_rules, stop, resume                    changes, by people

Sending is off until ``rules_of(...).cutover_date`` has come, and while a stop is in force. The rules that a
message is checked by are in core.sending; the page is docs/rules/sending.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time
from typing import Any

from django.db import transaction

from saldo.core.addresses import is_email
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.prescription import MAX_YEARS
from saldo.core.prescription import YEARS as PRESCRIPTION_YEARS
from saldo.core.sending import DISPUTED, HELD, PLANNED, PROMISED, SendingRules
from saldo.formats.sepa_debit import is_bic, is_iban
from saldo.identity.models import Company, Grant
from saldo.identity.operations import record_event, stamped
from saldo.outreach.models import SendingSettings, SendingStop

MAY_SET = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# Whoever sends may stop it, at once; to let it go again is for who may change the rules.
MAY_STOP = MAY_SET | {Grant.Role.COLLECTOR}
MAY_RESUME = MAY_SET

WHOLE_ITEM_CODES = (PROMISED, DISPUTED, HELD, PLANNED)
# First and last value of each number.
_RANGES = {
    "daily_cap": (0, 100_000), "contact_day_cap": (1, 2), "contact_week_cap": (1, 14),
    "account_month_cap": (1, 60), "grace_days": (0, 60), "statement_lag_days": (0, 30),
    "promise_tolerance_days": (0, 30), "rest_days": (0, 60), "reply_wait_days": (0, 60),
    "prescription_alert_days": (0, 3650), "survey_rest_days": (30, 730),
}  # fmt: skip
_TEXTS = {"letter_folder": 500, "sender_name": 120, "iban": 34, "bic": 11}
_FLAGS = ("on_saturday", "sms_needs_consent", "tracking", "thanks", "survey")
_LANGUAGES = ("it", "en")
SIGNATURE_CHARACTERS = 2000
NAMES = tuple(each.name for each in fields(SendingRules))


@dataclass(frozen=True, slots=True)
class StopState:
    """Sending is stopped. company_id None: for all companies."""

    company_id: int | None
    actor: str
    note: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """Rules as somebody set them."""

    rules: SendingRules
    actor: str
    note: str
    recorded_at: datetime


# --- reading ----------------------------------------------------------------------------------------


def rules_of(company_id: int, known_at: datetime | None = None) -> SendingRules:
    """The company's rules as last changed; the stated defaults (sending is off) if nobody did."""
    newest = _settings(company_id, known_at).first()
    return SendingRules.of(newest.data) if newest else SendingRules()


def changes_of(company_id: int, limit: int = 20) -> list[ChangeRow]:
    """How the rules came to be, newest first."""
    found = _settings(company_id, None)[:limit]
    return [ChangeRow(SendingRules.of(one.data), one.actor, one.note, one.recorded_at) for one in found]


def _settings(company_id: int, known_at: datetime | None) -> Any:
    found = SendingSettings.objects.filter(company_id=company_id)
    if known_at is not None:
        found = found.filter(recorded_at__lte=known_at)
    return found.order_by("-recorded_at", "-id")


def is_live(company_id: int, as_of: date, known_at: datetime | None = None) -> bool:
    """Whether the company's cut-over has come."""
    day = rules_of(company_id, known_at).cutover_date
    return day is not None and as_of >= day


def is_stopped(company_id: int, known_at: datetime | None = None) -> bool:
    return stop_of(company_id, known_at) is not None


def stop_of(company_id: int | None, known_at: datetime | None = None) -> StopState | None:
    """The stop in force: that of all companies, else the company's own. company_id None: that of all."""
    for wanted in dict.fromkeys((None, company_id)):
        found = SendingStop.objects.filter(company_id=wanted)
        if known_at is not None:
            found = found.filter(recorded_at__lte=known_at)
        last = found.order_by("-recorded_at", "-id").first()
        if last is not None and last.is_stopped:
            return StopState(last.company_id, last.actor, last.note, last.recorded_at)
    return None


# --- changes ----------------------------------------------------------------------------------------


def change_rules(ctx: Context, company_id: int, note: str = "", **changes: Any) -> SendingRules:
    """Change some of the rules from now on; the others stay. Dates and times may be ISO texts.

    Raises SaldoError: sending_rule_unknown, sending_rule_invalid (with the name and what it may be).
    """
    told = {name: _checked(name, value) for name, value in changes.items()}
    with transaction.atomic():
        # Of two who change it at once, the second builds on what the first left.
        Company.objects.select_for_update(no_key=True).get(id=company_id)
        before = rules_of(company_id)
        rules = replace(before, **told)
        if rules.quiet_from == rules.quiet_to:
            raise _invalid("quiet_from", rules.quiet_from, "not the same as quiet_to")
        if rules == before:
            return rules
        inner = stamped(ctx, company_id)
        SendingSettings.objects.create(
            company_id=company_id, data=rules.data(), note=note, actor=ctx.actor,
            recorded_at=inner.recorded_at,
        )  # fmt: skip
        was, now = before.data(), rules.data()
        data = {name: [was[name], now[name]] for name in now if was[name] != now[name]}
        record_event(inner, "sending.changed", "company", company_id, data)
    return rules


def stop(ctx: Context, company_id: int | None = None, note: str = "") -> bool:
    """Nothing leaves from now on, of the company or (None) of all. False where that was so already."""
    return _switch(ctx, company_id, True, note)


def resume(ctx: Context, company_id: int | None = None, note: str = "") -> bool:
    """Sending goes on, of the company or (None) of all those that have no stop of their own."""
    return _switch(ctx, company_id, False, note)


def _switch(ctx: Context, company_id: int | None, is_to_stop: bool, note: str) -> bool:
    with transaction.atomic():
        stamp = _stamped(ctx, company_id)
        last = SendingStop.objects.filter(company_id=company_id).order_by("-recorded_at", "-id").first()
        if bool(last and last.is_stopped) == is_to_stop:
            return False
        SendingStop.objects.create(
            company_id=company_id, is_stopped=is_to_stop, note=note, actor=ctx.actor,
            recorded_at=stamp.recorded_at,
        )  # fmt: skip
        kind = "sending.stopped" if is_to_stop else "sending.resumed"
        record_event(stamp, kind, "company", company_id or 0, {"note": note})
    return True


def _stamped(ctx: Context, company_id: int | None) -> Context:
    if company_id is not None:
        return stamped(ctx, company_id)
    return replace(ctx, recorded_at=ctx.recorded_at or ctx.clock(), company_id=None)


# --- what a value may be ----------------------------------------------------------------------------


def _checked(name: str, value: Any) -> Any:
    if name not in NAMES:
        raise SaldoError("sending_rule_unknown", name=name, known=", ".join(NAMES))
    if name in _RANGES:
        return _number(name, value)
    if name in _FLAGS:
        return _flag(name, value)
    if name in _TEXTS:
        return _text(name, value)
    if name in ("quiet_from", "quiet_to"):
        return _parsed(name, value, time, "a time such as 18:30")
    if name == "cutover_date":
        return None if value in (None, "") else _parsed(name, value, date, "a date such as 2026-12-01")
    if name == "prescription_years":
        return _years(name, value)
    return _codes(name, value) if name == "blocks_whole_item" else _signature(value)


def _invalid(name: str, value: Any, wanted: str) -> SaldoError:
    return SaldoError("sending_rule_invalid", name=name, value=str(value)[:100], wanted=wanted)


def _number(name: str, value: Any) -> int:
    first, last = _RANGES[name]
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"\d{1,9}", text) or not first <= int(text) <= last:
        raise _invalid(name, value, f"{first}–{last}")
    return int(text)


def _flag(name: str, value: Any) -> bool:
    known = {"true": True, "on": True, "false": False, "off": False}
    found = value if isinstance(value, bool) else known.get(str(value).lower())
    if found is None:
        raise _invalid(name, value, "true, false")
    return found


def _text(name: str, value: Any) -> str:
    text = " ".join(str(value).split()) if name != "letter_folder" else str(value).strip()
    compact = text.replace(" ", "").upper()
    if name == "iban" and text and not is_iban(compact):
        raise _invalid(name, value, "an IBAN")
    if name == "bic" and text and not is_bic(compact):
        raise _invalid(name, value, "a BIC")
    if len(text) > _TEXTS[name] or not all(letter.isprintable() for letter in text):
        raise _invalid(name, value, f"<= {_TEXTS[name]} characters")
    if name == "sender_name" and is_email(text):
        raise _invalid(name, value, "a name, not an address")
    return compact if name in ("iban", "bic") else text


def _parsed(name: str, value: Any, kind: type[date] | type[time], wanted: str) -> Any:
    if type(value) is kind:
        return value
    try:
        return kind.fromisoformat(str(value))
    except ValueError:
        raise _invalid(name, value, wanted) from None


def _codes(name: str, value: Any) -> tuple[str, ...]:
    codes = tuple(value.replace(",", " ").split()) if isinstance(value, str) else tuple(value)
    if not set(codes) <= set(WHOLE_ITEM_CODES):
        raise _invalid(name, ", ".join(codes), ", ".join(WHOLE_ITEM_CODES))
    return tuple(code for code in WHOLE_ITEM_CODES if code in codes)


def _years(name: str, value: Any) -> Mapping[str, int]:
    """{"installment": 1} or "installment=1, interest=5"."""
    told = value
    if isinstance(value, str):
        told = dict(part.strip().partition("=")[::2] for part in value.split(",") if part.strip())
    wanted = f"{', '.join(PRESCRIPTION_YEARS)}: 1–{MAX_YEARS}"
    if not isinstance(told, Mapping) or not set(told) <= set(PRESCRIPTION_YEARS):
        raise _invalid(name, value, wanted)
    if not all(
        re.fullmatch(r"\d{1,2}", str(years)) and 1 <= int(years) <= MAX_YEARS for years in told.values()
    ):
        raise _invalid(name, value, wanted)
    return {kind: int(years) for kind, years in told.items()}


def _signature(value: Any) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not set(value) <= set(_LANGUAGES):
        raise _invalid("signature", value, "it, en")
    told = {language: str(text).strip() for language, text in value.items()}
    if any(len(text) > SIGNATURE_CHARACTERS for text in told.values()):
        raise _invalid("signature", "…", f"<= {SIGNATURE_CHARACTERS} characters")
    return {language: text for language, text in told.items() if text}
