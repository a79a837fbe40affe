"""What a person does with a bank line, as one operation each."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.translation import gettext as _

from saldo.cash.desk_line import Line, Proposal
from saldo.cash.plans import Objection
from saldo.cash.postings import post_match, post_not_customer, post_on_account, post_refund
from saldo.cash.undoing import undo
from saldo.core.errors import SaldoError
from saldo.core.matching.records import Difference, Share
from saldo.core.money import to_mills
from saldo.interfaces.web.cash_forms import deductions_of, number, split_of
from saldo.interfaces.web.templatetags.saldo import with_currency

NOTE_CHARACTERS = 500
CONFIRMED, CHOSEN = "confirmed", "chosen"


def post(request: HttpRequest, found: Line) -> str:
    """Do what the form asks for; tells what became of the line. Raises SaldoError for what cannot be."""
    acts = {
        "confirm": _confirm, "split": _split, "account": _on_account, "refund": _to_give_back,
        "refunded": _refunded, "not_customer": _not_customer,
    }  # fmt: skip
    act = acts.get(request.POST.get("do", ""))
    if act is None:
        raise SaldoError("cash_act_unknown", act=request.POST.get("do", "")[:40])
    return act(request, found)


def undo_line(request: HttpRequest, found: Line) -> None:
    undo(request.desk.ctx, found.id, _note(request))


def _note(request: HttpRequest) -> str:
    return request.POST.get("note", "").strip()[:NOTE_CHARACTERS]


def _proposal(request: HttpRequest, found: Line) -> Proposal:
    """The proposal that the form was made from; a newer run may have taken its place."""
    asked = number(request.POST.get("proposal"))
    chosen = next((each for each in found.proposals if each.id == asked), None)
    if chosen is None or chosen.account_id is None:
        raise SaldoError("proposal_gone", line=found.id)
    return chosen


def _confirm(request: HttpRequest, found: Line) -> str:
    chosen = _proposal(request, found)
    post_match(
        request.desk.ctx, found.id, chosen.account_id,
        [Share(each["item"], each["mills"]) for each in chosen.shares],
        [Difference(each["kind"], each["item"], each["mills"]) for each in chosen.differences],
        mode=CONFIRMED if chosen.rank == 1 else CHOSEN, proposal_id=chosen.id, note=_note(request),
    )  # fmt: skip
    return "match" if chosen.shares else "account"


def _split(request: HttpRequest, found: Line) -> str:
    split = split_of(request.desk.ctx, found, request.POST, None)
    if split.account_id is None:
        raise SaldoError("account_missing", line=found.id)
    for row in split.rows:
        if row.is_too_much or not row.is_understood:
            raise SaldoError("split_amount_invalid", number=row.item.number or "–", amount=row.text)
    if not split.adds_up:
        raise SaldoError(
            "split_differs",
            amount=with_currency(split.amount, found.currency),
            allocated=with_currency(split.allocated, found.currency),
            remainder=with_currency(split.remainder, found.currency),
        )
    parts = split.parts
    post_match(
        request.desk.ctx, found.id, split.account_id,
        [Share(part.item.id, to_mills(part.paid)) for part in parts],
        [
            Difference(kind, part.item.id, to_mills(amount))
            for part in parts for kind, amount in part.differences
        ],
        note=_note(request),
        deductions=[
            Objection(each["item"], to_mills(each["amount"]), each["reason"], _note(request))
            for each in deductions_of(split.used)
        ],
    )  # fmt: skip
    return "match" if parts else "account"


def _account(request: HttpRequest, found: Line) -> int:
    account_id = number(request.POST.get("account"))
    if account_id is None:
        raise SaldoError("account_missing", line=found.id)
    return account_id


def _on_account(request: HttpRequest, found: Line) -> str:
    post_on_account(request.desk.ctx, found.id, _account(request, found), note=_note(request))
    return "account"


def _to_give_back(request: HttpRequest, found: Line) -> str:
    """Paid twice: kept on account with a note, until the money goes back and its own line uses it up."""
    chosen = _proposal(request, found)
    note = _note(request) or _("Paid twice: to be given back")
    post_on_account(
        request.desk.ctx, found.id, chosen.account_id,
        mode=CONFIRMED if chosen.rank == 1 else CHOSEN, proposal_id=chosen.id, note=note,
    )  # fmt: skip
    return "refund"


def _refunded(request: HttpRequest, found: Line) -> str:
    """Money that went out to a customer uses up credits of theirs."""
    credits = [each for each in map(number, request.POST.getlist("credit")) if each]
    if not credits:
        raise SaldoError("refund_credit_missing", line=found.id)
    post_refund(request.desk.ctx, found.id, credits, _note(request))
    return "refunded"


def _not_customer(request: HttpRequest, found: Line) -> str:
    note = _note(request)
    if not note:
        raise SaldoError("not_customer_note_missing", line=found.id)
    post_not_customer(request.desk.ctx, found.id, note)
    return "not_customer"
