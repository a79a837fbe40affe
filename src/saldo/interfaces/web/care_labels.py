"""The words of what customers asked for, of surveys, and of rounds of visits."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

PREFERENCES = {
    "invoice_copies": gettext_lazy("Copies of the invoices with every message"),
    "statement": gettext_lazy("A statement of account with every message"),
    "contact": gettext_lazy("Turn to this contact first"),
    "call_hours": gettext_lazy("Call only at these hours"),
    "no_call": gettext_lazy("No telephone calls"),
    "no_email": gettext_lazy("No e-mail"),
    "no_sms": gettext_lazy("No SMS"),
    "no_visit": gettext_lazy("No visits"),
    "do_not_ask": gettext_lazy("Not to be asked again"),
    "other": pgettext_lazy("preference", "Something else"),
}
SURVEY_KINDS = {
    "": gettext_lazy("All"),
    "dispute": gettext_lazy("After a dispute"),
    "plan": gettext_lazy("After a payment plan"),
}
TABLES = {"preference": PREFERENCES, "survey_kind": SURVEY_KINDS}
