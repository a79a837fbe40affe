"""The words of disputes on the pages."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

STATES = {
    "open": pgettext_lazy("dispute", "open"),
    "agreed": gettext_lazy("credit note to come"),
    "credited": gettext_lazy("credited"),
    "written_off": gettext_lazy("written off"),
    "paid": gettext_lazy("paid after all"),
    "closed": gettext_lazy("gone from the ERP's list"),
    "withdrawn": gettext_lazy("withdrawn by the customer"),
    "refused": gettext_lazy("refused by us"),
    "mistake": gettext_lazy("recorded by mistake"),
    "reopened": gettext_lazy("opened again"),
}
WAITS = {
    "owner": gettext_lazy("its owner"),
    "office": gettext_lazy("the credit office"),
    "ledger": gettext_lazy("the credit note"),
}
VERDICTS = {
    "justified": gettext_lazy("The customer is right"),
    "unjustified": gettext_lazy("The customer is wrong"),
}
# How a person ends it, in the order in which it is offered.
ENDS = {
    "credited": gettext_lazy("We credit it"),
    "written_off": gettext_lazy("We write it off"),
    "withdrawn": gettext_lazy("The customer withdraws it"),
    "refused": gettext_lazy("We refuse it"),
    "mistake": gettext_lazy("It was recorded by mistake"),
}
BANDS = {
    0: gettext_lazy("up to 7 days"),
    1: gettext_lazy("8–30 days"),
    2: gettext_lazy("31–60 days"),
    3: gettext_lazy("61–90 days"),
    4: gettext_lazy("over 90 days"),
}
TABLES = {
    "dispute_state": STATES,
    "dispute_waits": WAITS,
    "verdict": VERDICTS,
    "dispute_end": ENDS,
    "dispute_band": BANDS,
}
