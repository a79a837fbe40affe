"""The words of playbooks that no other page needs."""

from __future__ import annotations

from django.utils.translation import gettext_lazy, pgettext_lazy

OWNERS = {
    "collector": gettext_lazy("Collector"),
    "credit_manager": gettext_lazy("Credit manager"),
    "sales": pgettext_lazy("playbook", "Sales"),
    "customer_care": gettext_lazy("Customer care"),
}
MODES = {
    "approve": gettext_lazy("to approve"),
    "automatic": gettext_lazy("by itself"),
}
# Whether an account has a promise, a dispute, a plan.
HAS = {
    "any": pgettext_lazy("condition", "has one"),
    "none": pgettext_lazy("condition", "has none"),
    "broken": pgettext_lazy("condition", "broken"),
}

TABLES = {"step_owner": OWNERS, "step_mode": MODES, "has_state": HAS}
