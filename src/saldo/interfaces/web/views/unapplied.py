"""Unapplied cash: payments that are not set against anything, by age, and setting them against items."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from saldo.cash.desk_line import desk_items
from saldo.cash.unapplied import AGES, UnappliedRow, age_sums, unapplied_payments
from saldo.core.errors import SaldoError
from saldo.interfaces.web.cash_forms import number, typed_amount
from saldo.interfaces.web.desk import page
from saldo.interfaces.web.templatetags.saldo import with_currency
from saldo.interfaces.web.views.cash import may_post, may_read
from saldo.interfaces.web.views.worklist import parse_offset
from saldo.ledger.entries import Share, allocate

CUSTOMERS = 40
REASON = gettext_lazy("matched at the cash desk")


@page(may_read)
@require_GET
def unapplied_page(request: HttpRequest) -> HttpResponse:
    """What waits by age, and the customers whose payments wait, those with most first."""
    ctx = request.desk.ctx
    payments = unapplied_payments(ctx)
    age = request.GET.get("age", "")
    chosen = [row for row in payments if row.age == age] if age in dict(AGES) else payments
    customers = [
        (rows[0], rows, sum((row.amount for row in rows), Decimal(0)))
        for rows in (list(group) for _key, group in groupby(chosen, lambda r: (r.account_id, r.currency)))
    ]
    offset = parse_offset(request.GET.get("offset", ""))
    shown: dict[str, Any] = {
        "sums": age_sums(ctx, payments), "ages": [name for name, _last in AGES], "age": age,
        "customers": customers[offset : offset + CUSTOMERS], "count": len(customers),
        "next": offset + CUSTOMERS if offset + CUSTOMERS < len(customers) else None,
        "previous": max(0, offset - CUSTOMERS) if offset else None,
    }  # fmt: skip
    return render(request, "web/cash/unapplied.html", shown)


def _payment(request: HttpRequest, item_id: int) -> UnappliedRow:
    found = next((row for row in unapplied_payments(request.desk.ctx) if row.id == item_id), None)
    if found is None:
        raise Http404
    return found


@page(may_read)
@require_http_methods(["GET", "POST"])
def item_page(request: HttpRequest, item_id: int) -> HttpResponse:
    """One payment: the open items of its customer, and how much of it goes to each."""
    row = _payment(request, item_id)
    items = [
        item
        for item in desk_items(request.desk.ctx, [row.account_id])
        if item.balance > 0 and item.currency == row.currency
    ]
    shown: dict[str, Any] = {"row": row, "typed": request.POST}
    if request.method == "POST":
        if not may_post(request.desk):
            return HttpResponse(status=403)
        try:
            _allocate(request, row, {item.id: item for item in items})
        except SaldoError as refused:
            shown["error"] = refused
        else:
            messages.success(request, _("Matched."))
            return redirect("unapplied")
    shown["items"] = [(item, request.POST.get(f"amount-{item.id}", "")) for item in items]
    return render(request, "web/cash/unapplied_item.html", shown, status=400 if "error" in shown else 200)


def _allocate(request: HttpRequest, row: UnappliedRow, items: dict[int, Any]) -> None:
    """Raises SaldoError for an amount that cannot be read or is too much, and for nothing at all."""
    shares = []
    for name, text in request.POST.items():
        item = items.get(number(name.removeprefix("amount-")) or 0) if name.startswith("amount-") else None
        if item is None or not text.strip():
            continue
        amount = typed_amount(text, row.currency)
        if not amount or amount > item.balance:
            raise SaldoError("split_amount_invalid", number=item.number or "–", amount=text.strip()[:40])
        shares.append(Share(item.id, amount))
    total = sum((share.amount for share in shares), Decimal(0))
    if not shares or total > row.amount:
        raise SaldoError(
            "split_differs",
            amount=with_currency(row.amount, row.currency),
            allocated=with_currency(total, row.currency),
            remainder=with_currency(row.amount - total, row.currency),
        )
    allocate(request.desk.ctx, row.id, shares, str(REASON))
