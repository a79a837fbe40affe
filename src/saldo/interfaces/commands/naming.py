"""What a person types for accounts, items and amounts, as the operations take it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation

from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.money import InexactAmount, to_mills
from saldo.core.normalize import normalized_number


def account_of(ctx: Context, code: str) -> int:
    """The account of the context's company with this code. Raises SaldoError("account_unknown")."""
    from saldo.parties.lookup import accounts_of_codes

    assert ctx.company_id is not None
    found = accounts_of_codes(ctx.company_id, [code])
    if code not in found:
        raise SaldoError("account_unknown", account=code)
    return found[code]


def currency_of(ctx: Context, told: str | None) -> str:
    """The currency told, else the company's."""
    from saldo.identity.queries import companies

    return told.upper() if told else companies(ctx)[0].currency


def mills_of(text: str | None, currency: str) -> int | None:
    """An amount as typed, with a point. Raises SaldoError("stated_amount_invalid")."""
    if text is None:
        return None
    try:
        return to_mills(Decimal(text))
    except (InvalidOperation, InexactAmount):
        raise SaldoError("stated_amount_invalid", amount=text, currency=currency) from None


def items_of(ctx: Context, account_id: int, names: Iterable[str]) -> list[int]:
    """The items that are named by their document: "FT 12/2026" is all of its installments that are open,
    "FT 12/2026#2" the second one. Raises SaldoError("item_unknown")."""
    return [item for name in names for item in _items(ctx, account_id, name)]


def _items(ctx: Context, account_id: int, name: str) -> Sequence[int]:
    from saldo.ledger.owed import balances, installments_of

    number, _, told = name.partition("#")
    norm = normalized_number(number)
    found = installments_of([account_id], [norm]).get((account_id, norm), [])
    if told:
        found = [(item, no) for item, no in found if str(no) == told]
    if not found:
        raise SaldoError("item_unknown", item=name)
    ids = [item for item, _ in found]
    if told or len(ids) == 1:
        return ids
    left = balances(ctx, ids).filter(balance_mills=0)["item_id"].to_list()
    return [item for item in ids if item not in left] or ids
