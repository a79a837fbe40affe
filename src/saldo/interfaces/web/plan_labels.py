"""The words of plans, offers, discounts and guarantees."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

INSTALLMENT_STATES = {
    "coming": gettext_lazy("coming"),
    "due": gettext_lazy("due, not here yet"),
    "paid": pgettext_lazy("installment", "paid"),
    "paid_late": gettext_lazy("paid late"),
    "missed": gettext_lazy("missed"),
    "credited": gettext_lazy("credited"),
}
INSTALLMENT_TONES = {"due": "w", "paid": "k", "paid_late": "p", "missed": "l"}
OFFER_STATES = {
    "to_approve": gettext_lazy("waits for a second person"),
    "open": gettext_lazy("waits for the customer"),
    "expired": pgettext_lazy("offer", "expired"),
    "refused": gettext_lazy("not approved"),
    "accepted": pgettext_lazy("offer", "accepted"),
    "declined": gettext_lazy("declined by the customer"),
    "withdrawn": pgettext_lazy("offer", "withdrawn"),
}
OFFER_TONES = {"to_approve": "w", "open": "p", "accepted": "k", "declined": "l", "refused": "l"}
OFFER_KINDS = {"plan": gettext_lazy("Payment plan"), "discount": gettext_lazy("Discount for paying early")}
DISCOUNT_STATES = {
    "waiting": gettext_lazy("waits for the cash"),
    "earned": gettext_lazy("earned, to be credited"),
    "credited": gettext_lazy("credited"),
    "lapsed": gettext_lazy("lapsed: not paid in time"),
}
GUARANTEE_KINDS = {
    "surety": gettext_lazy("Personal surety"),
    "bank_guarantee": gettext_lazy("Bank guarantee"),
    "bill": gettext_lazy("Bill of exchange"),
    "cheque": gettext_lazy("Cheque"),
    "deposit": gettext_lazy("Deposit"),
    "pledge": gettext_lazy("Pledge"),
    "mortgage": gettext_lazy("Mortgage"),
    "retention_of_title": gettext_lazy("Retention of title"),
    "other": pgettext_lazy("guarantee", "Other"),
}
GUARANTEE_STATES = {
    "in_force": gettext_lazy("in force"),
    "lapsed": pgettext_lazy("guarantee", "lapsed"),
    "released": gettext_lazy("released"),
    "enforced": gettext_lazy("enforced"),
    "replaced": gettext_lazy("replaced"),
    "mistake": gettext_lazy("recorded by mistake"),
}
MILESTONE_STATES = {
    "met": gettext_lazy("done"),
    "expected": gettext_lazy("expected"),
    "overdue": pgettext_lazy("milestone", "missed"),
}
AGREED_WAYS = {"phone": gettext_lazy("on the phone"), "paper": gettext_lazy("on signed paper")}
RULES = (
    ("four_eyes_mills", gettext_lazy("Amount beyond which a second person approves a plan")),
    ("four_eyes_months", gettext_lazy("Months beyond which a second person approves a plan")),
    ("capacity_percent", gettext_lazy("Share of a typical month’s cash that an installment may take (%)")),
    ("max_months", gettext_lazy("The longest plan that is proposed (months)")),
    ("default_months", gettext_lazy("Months proposed where no payments are known")),
    ("tolerance_days", gettext_lazy("Days after which an installment is missed")),
    ("missed_limit", gettext_lazy("Missed installments with which a plan falls (0: this does not count)")),
    ("late_percent", gettext_lazy("Arrears with which a plan falls, % of it (0: this does not count)")),
    ("check_in_days", gettext_lazy("Days before an installment on which somebody asks")),
    ("offer_valid_days", gettext_lazy("Days for which an offer stands")),
    ("cost_of_money_bp", gettext_lazy("What a year of waiting costs (hundredths of a percent)")),
    (
        "max_discount_bp",
        gettext_lazy("Discount beyond which a second person approves (hundredths of a percent)"),
    ),
)
WORDS = {
    "installment_states": INSTALLMENT_STATES, "installment_tones": INSTALLMENT_TONES,
    "offer_states": OFFER_STATES, "offer_tones": OFFER_TONES, "offer_kinds": OFFER_KINDS,
    "discount_states": DISCOUNT_STATES, "guarantee_kinds": GUARANTEE_KINDS,
    "guarantee_states": GUARANTEE_STATES, "milestone_states": MILESTONE_STATES, "agreed_ways": AGREED_WAYS,
}  # fmt: skip
