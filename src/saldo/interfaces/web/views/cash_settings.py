"""What was learnt about payers, and the rules by which cash is applied."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from saldo.cash.aliases import withdraw
from saldo.cash.learnt import learnt
from saldo.cash.policies import policies, set_policy
from saldo.core.errors import SaldoError
from saldo.core.matching.policy import DEFAULT, Policy
from saldo.core.money import from_mills, to_mills
from saldo.interfaces.web.cash_forms import typed_amount
from saldo.interfaces.web.desk import Desk, page
from saldo.interfaces.web.templatetags.saldo import grouped
from saldo.interfaces.web.views.cash import may_post, may_read
from saldo.interfaces.web.views.worklist import parse_offset

ROWS = 50
# The four numbers of the page: field of Policy, unit, what it means.
NUMBERS: tuple[tuple[str, str, Any, Any], ...] = (
    ("auto_above", "%", gettext_lazy("Post by itself from"),
     gettext_lazy("A match goes through without a person only when it is at least this sure, as borne out by "
                  "the matches that people confirmed. At 99.5%, at most one in 200 may be wrong; higher is "
                  "safer and leaves more to look at.")),
    ("propose_above", "%", gettext_lazy("Propose from"),
     gettext_lazy("Below this a line comes without a proposal: its clues are still there, as weak ones.")),
    ("charges_mills", "money", gettext_lazy("Bank charges up to"),
     gettext_lazy("What banks kept on the way is written off by itself up to this amount a payment, and "
                  "never above 2% of it.")),
    ("rounding_mills", "money", gettext_lazy("Rounding up to"),
     gettext_lazy("A difference up to this amount is written off as rounding.")),
)  # fmt: skip
FLAGS: tuple[tuple[str, Any, Any], ...] = (
    ("allows_partial", gettext_lazy("Post part payments by itself"),
     gettext_lazy("A payment smaller than the one document it names pays that document in part.")),
    ("oldest_first", gettext_lazy("Propose the oldest first"),
     gettext_lazy("Where a known customer pays a round sum and says nothing, propose its oldest items. Never "
                  "posted without a person.")),
)  # fmt: skip


def may_set(desk: Desk) -> bool:
    return may_read(desk) and bool(desk.roles & {"administrator", "credit_manager"})


@page(may_read)
@require_GET
def aliases_page(request: HttpRequest) -> HttpResponse:
    """What confirmed matches taught: which IBAN and name is whose, and who pays for whom."""
    text, offset = request.GET.get("q", "").strip()[:80], parse_offset(request.GET.get("offset", ""))
    rows = learnt(request.desk.ctx, text, ROWS + 1, offset)
    shown = {
        "rows": rows[:ROWS], "text": text, "next": offset + ROWS if len(rows) > ROWS else None,
        "previous": max(0, offset - ROWS) if offset else None,
    }  # fmt: skip
    part = request.htmx and request.htmx.target == "list"
    return render(request, "web/cash/_aliases.html" if part else "web/cash/aliases.html", shown)


@page(may_post)
@require_POST
def withdraw_page(request: HttpRequest, alias_id: int) -> HttpResponse:
    """One thing is not believed any more."""
    if not learnt(request.desk.ctx, "", 1, 0, alias_id):
        raise Http404
    withdraw(request.desk.ctx, alias_id, request.POST.get("note", "").strip()[:500])
    if request.htmx:
        return HttpResponse("", headers={"HX-Trigger": "saldo:withdrawn"})
    messages.success(request, _("Withdrawn: it is not believed any more."))
    return redirect("cash_aliases")


def _shown(policy: Policy, name: str, unit: str) -> str:
    value = getattr(policy, name)
    if unit == "%":
        places = Decimal(str(value)) * 100
        return grouped(places, max(0, -int(places.normalize().as_tuple().exponent)))
    return grouped(from_mills(value), 2)


@page(may_read)
@require_http_methods(["GET", "POST"])
def policy_page(request: HttpRequest) -> HttpResponse:
    """The thresholds in plain words; who may set them does it here."""
    desk = request.desk
    kept = policies(desk.ctx, desk.company.id)
    policy, error = kept[0].policy if kept else DEFAULT, None
    if request.method == "POST":
        if not may_set(desk):
            return HttpResponse(status=403)
        try:
            set_policy(desk.ctx, desk.company.id, _typed(request, policy))
        except SaldoError as refused:
            error = refused
        else:
            messages.success(request, _("Saved: it counts from the next statement on."))
            return redirect("cash_policy")
    numbers = [
        {
            "name": name, "unit": unit, "label": label, "why": why, "default": _shown(DEFAULT, name, unit),
            "value": request.POST.get(name, _shown(policy, name, unit)),
        }
        for name, unit, label, why in NUMBERS
    ]  # fmt: skip
    flags = [(name, label, why, getattr(policy, name)) for name, label, why in FLAGS]
    shown = {"numbers": numbers, "flags": flags, "kept": kept, "error": error, "may_set": may_set(desk)}
    return render(request, "web/cash/policy.html", shown, status=400 if error else 200)


def _typed(request: HttpRequest, policy: Policy) -> dict[str, Any]:
    """The policy with the form's values. Raises SaldoError for what is no number."""
    data = policy.as_data()
    for name, unit, label, _why in NUMBERS:
        text = request.POST.get(name, "")
        data[name] = _share(text, name, label) if unit == "%" else _amount(text, name, label)
    for name, _label, _why in FLAGS:
        data[name] = bool(request.POST.get(name))
    return data


def _share(text: str, name: str, label: Any) -> float:
    try:
        return float(Decimal(text.strip().rstrip("%").strip().replace(",", ".")) / 100)
    except ArithmeticError:
        raise SaldoError("match_policy_invalid", name=str(label), value=text[:40]) from None


def _amount(text: str, name: str, label: Any) -> int:
    amount = typed_amount(text, "EUR")
    if amount is None:
        raise SaldoError("match_policy_invalid", name=str(label), value=text[:40])
    return to_mills(amount)
