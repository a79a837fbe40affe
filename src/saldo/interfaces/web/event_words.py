"""What happened on an account besides its money, in words: agreements, objections, addresses, rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from saldo.interfaces.web.labels import label
from saldo.interfaces.web.templatetags.care import hours
from saldo.interfaces.web.templatetags.saldo import day, with_currency

Data = Mapping[str, Any]


def _amount(data: Data) -> str:
    try:
        return with_currency(Decimal(str(data["amount"])), str(data.get("currency", "EUR")))
    except (KeyError, InvalidOperation):
        return ""


def _day(data: Data, name: str) -> str:
    try:
        return day(date.fromisoformat(str(data[name])[:10]))
    except (KeyError, ValueError):
        return "–"


def _assigned(data: Data) -> str:
    if not data.get("collector"):
        return _("back on everybody's list")
    told = {"who": data["collector"], "day": _day(data, "until_date")}
    if data.get("until_date"):
        return _("followed by %(who)s until %(day)s") % told
    return _("followed by %(who)s") % told


def _promise(data: Data) -> str:
    return _("promise of %(amount)s by %(day)s") % {
        "amount": _amount(data),
        "day": _day(data, "promised_date"),
    }


def _plan(data: Data) -> str:
    return _("payment plan of %(amount)s agreed") % {"amount": _amount(data)}


def _offer(data: Data) -> str:
    told = {"amount": _amount(data), "day": _day(data, "expires_date")}
    if data.get("kind") == "plan":
        return _("offer of a plan of %(amount)s, until %(day)s") % told
    return _("offer of a discount on %(amount)s, until %(day)s") % told


def _dispute(data: Data) -> str:
    reason = label("dispute", data.get("reason", "other")).lower()
    return _("dispute of %(amount)s opened (%(reason)s)") % {"amount": _amount(data), "reason": reason}


def _said(data: Data) -> str:
    return f" «{data['note']}»" if data.get("note") else ""


def _claim(data: Data) -> str:
    amount = _amount(data)
    return (
        _("says %(amount)s is paid already") % {"amount": amount} if amount else _("says it is paid already")
    )


def _hold(data: Data) -> str:
    reason = label("hold", data.get("reason", "other")).lower()
    told = {"day": _day(data, "until_date"), "reason": reason}
    return _("reminders on hold until %(day)s (%(reason)s)") % told


def _ended(words: Callable[[], str]) -> Callable[[Data], str]:
    def told(data: Data) -> str:
        outcome = label("fact", data["outcome"]) if data.get("outcome") else ""
        text = f"{words()}: {outcome}" if outcome else words()
        return f"{text} «{data['note']}»" if data.get("note") else text

    return told


def _address(data: Data) -> str:
    told = {"address": data.get("address", ""), "reason": label("stop", data.get("reason", "person"))}
    return _("nothing more is sent to %(address)s (%(reason)s)") % told


CONTACT_FIELDS = {
    "name": gettext_lazy("Name"),
    "role": gettext_lazy("Role or office"),
    "email": gettext_lazy("E-mail"),
    "pec": gettext_lazy("PEC"),
    "phone": gettext_lazy("Telephone"),
    "language": gettext_lazy("Language"),
}


def _fields(data: Data) -> str:
    return ", ".join(str(CONTACT_FIELDS[name]) for name in data.get("fields", ()) if name in CONTACT_FIELDS)


def _preference_name(data: Data) -> str:
    name = label("preference", data.get("kind", "other"))
    value = hours(str(data.get("value", ""))) if data.get("kind") == "call_hours" else data.get("value")
    return f"{name}: {value}" if value else name


def _preference(data: Data) -> str:
    return _("asked for: %(what)s") % {"what": _preference_name(data)}


def _answered(data: Data) -> str:
    told = {"csat": data.get("csat", "–"), "nps": data.get("nps", "–")}
    text = _("answered the two questions: %(csat)s of 5, %(nps)s of 10") % told
    return f"{text} «{data['comment']}»" if data.get("comment") else text


WORDS: dict[str, Callable[[Data], str]] = {
    "promise.recorded": _promise,
    "promise.ended": _ended(lambda: _("promise ended")),
    "plan.recorded": _plan,
    "plan.milestone_met": lambda data: (
        _("commitment of the plan met: %(text)s") % {"text": data.get("milestone", "")}
    ),
    "offer.made": _offer,
    "offer.approved": lambda data: _("offer approved"),
    "offer.refused": lambda data: _("offer not approved"),
    "offer.accepted": lambda data: _("offer accepted by %(name)s") % {"name": data.get("name", "–")},
    "offer.declined": lambda data: _("offer declined by the customer"),
    "offer.withdrawn": lambda data: _("offer withdrawn"),
    "guarantee.given": lambda data: _("guarantee of %(amount)s given") % {"amount": _amount(data)},
    "guarantee.ended": lambda data: _("guarantee ended"),
    "plan.ended": _ended(lambda: _("payment plan ended")),
    "dispute.opened": _dispute,
    "dispute.ended": _ended(lambda: _("dispute ended")),
    "dispute.settled": _ended(lambda: _("dispute ended in part")),
    "dispute.reopened": lambda data: _("dispute of %(amount)s opened again") % {"amount": _amount(data)},
    "dispute.note": lambda data: _("dispute: note") + _said(data),
    "dispute.owner": lambda data: (
        _("dispute given to %(owner)s") % {"owner": data.get("owner") or _("the credit office")} + _said(data)
    ),
    "dispute.answer": lambda data: label("verdict", data.get("outcome", "")) + _said(data),
    "dispute.agreed": lambda data: (
        _("credit note of %(amount)s agreed for a dispute") % {"amount": _amount(data)} + _said(data)
    ),
    "dispute.deduction_opened": lambda data: _("deduction of %(amount)s") % {"amount": _amount(data)},
    "dispute.deduction_ended": _ended(lambda: _("deduction cleared up")),
    "account.assigned": _assigned,
    "claim.recorded": _claim,
    "claim.ended": _ended(lambda: _("“already paid” looked for")),
    "hold.recorded": _hold,
    "hold.ended": _ended(lambda: _("hold ended")),
    "address.stopped": _address,
    "address.released": lambda data: (
        _("%(address)s may be written to again") % {"address": data.get("address", "")}
    ),
    "consent.given": lambda data: (
        _("consent to %(channel)s given") % {"channel": label("channel", data.get("channel", ""))}
    ),
    "consent.withdrawn": lambda data: (
        _("consent to %(channel)s withdrawn") % {"channel": label("channel", data.get("channel", ""))}
    ),
    "contact.added": lambda data: _("contact added (%(fields)s)") % {"fields": _fields(data)},
    "contact.changed": lambda data: _("contact corrected (%(fields)s)") % {"fields": _fields(data)},
    "message.opted_out": lambda data: _("asked for no more messages"),
    "message.return_receipt": lambda data: _("return receipt of a registered letter"),
    "cash.mandate": lambda data: _("direct debit mandate recorded"),
    "cash.mandate_end": lambda data: _("direct debit mandate ended"),
    "cash.domicile": lambda data: (
        _("bank for RiBa: ABI %(abi)s, CAB %(cab)s")
        % {"abi": data.get("abi", ""), "cab": data.get("cab", "")}
    ),
    "cash.alias_added": lambda data: (
        _("learnt about the payer: %(value)s") % {"value": data.get("value", "")}
    ),
    "preference.recorded": _preference,
    "preference.ended": lambda data: _("no longer asks for: %(what)s") % {"what": _preference_name(data)},
    "survey.asked": lambda data: _("asked two questions about our service"),
    "survey.answered": _answered,
    "segment.chosen": lambda data: (
        _("segment chosen by hand: %(segment)s") % {"segment": data.get("segment") or _("by the rules")}
    ),
}


def event_words(kind: str, data: Data) -> str | None:
    """The words of an event; None for those that the timeline tells from elsewhere or not at all."""
    words = WORDS.get(kind)
    return words(data) if words else None
