"""What confirmed matches teach about payers, and its withdrawal.

    learn       after a posting: whose IBAN it was, how its name is spelled, for whom it pays
    aliases     what is believed at the context's instant
    withdraw    a person says that one is not believed any more

Who teaches. A posting that a person made or confirmed teaches all it shows. An automatic one teaches an IBAN
only, and only where nothing can be taken for an effect of itself: the name on the line is the account's own,
every item is the account's own, and nobody else is known under that IBAN. An alias names its posting, and is
withdrawn when that posting is undone, unless another posting that stands shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import polars as pl
from django.db import connection, transaction
from rapidfuzz import fuzz

from saldo.cash.models import Alias, AliasWithdrawal
from saldo.cash.plans import AUTO, MATCH, UNDO, Checked
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.normalize import search_text
from saldo.identity.operations import record_event, stamped
from saldo.storage.frames import copy_in, copy_out
from saldo.storage.locks import retried

T = TypeVar("T")
IBAN, NAME, PAYS_FOR = Alias.Kind.IBAN.value, Alias.Kind.NAME.value, Alias.Kind.PAYS_FOR.value
# Two spellings of one name: from here on (0-100) the line shows the account's own name.
SAME_NAME = 90
VALUE_CHARS = 200

ALIASES_SCHEMA = {
    "alias_id": pl.Int64,
    "kind": pl.String,
    "value": pl.String,
    "account_id": pl.Int64,
    "posting_id": pl.Int64,
}
_BELIEVED = """
SELECT a.id, a.kind, a.value, a.account_id, a.posting_id
  FROM cash_alias a
  LEFT JOIN cash_aliaswithdrawal w ON w.alias_id = a.id AND w.recorded_at <= %(known_at)s
 WHERE w.id IS NULL AND a.company_id = %(company)s AND a.recorded_at <= %(known_at)s
   AND (%(values)s::text[] IS NULL OR a.value = ANY(%(values)s::text[]))
   AND (%(accounts)s::bigint[] IS NULL OR a.account_id = ANY(%(accounts)s::bigint[]))
"""
_NAMES = """
SELECT a.id, c.search_text FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
 WHERE a.id = ANY(%s)
"""


def aliases(
    ctx: Context,
    company_id: int,
    values: Iterable[str] | None = None,
    account_ids: Iterable[int] | None = None,
) -> pl.DataFrame:
    """ALIASES_SCHEMA: what is believed at the context's instant, the oldest first."""
    params = {
        "known_at": ctx.known_at or "infinity",
        "company": company_id,
        "values": None if values is None else list(values),
        "accounts": None if account_ids is None else list(account_ids),
    }
    return copy_out(f"{_BELIEVED} ORDER BY a.id", params, ALIASES_SCHEMA)


def learn(ctx: Context, posted: Sequence[tuple[Checked, int]]) -> int:
    """Keep what the postings teach that is not known yet, in their transaction; returns how much is new."""
    matches = [(one, posting_id) for one, posting_id in posted if one.planned.kind == MATCH]
    if not matches:
        return 0
    assert ctx.company_id is not None and ctx.recorded_at is not None
    names = _names(one.planned.account_id for one, _ in matches)
    shown = [
        (*what, posting_id, one.planned.mode) for one, posting_id in matches for what in _shown(one, names)
    ]
    believed = aliases(ctx, ctx.company_id, {value for _, value, *_ in shown})
    known = set(believed.select("kind", "value", "account_id").iter_rows())
    owners = {(kind, value): owner for kind, value, owner in known}
    rows = []
    for kind, value, account_id, posting_id, mode in shown:
        taught = mode != AUTO or owners.get((kind, value), account_id) == account_id
        if taught and (kind, value, account_id) not in known:
            known.add((kind, value, account_id))
            owners.setdefault((kind, value), account_id)
            rows.append((kind, value, account_id, posting_id))
    schema = {"kind": pl.String, "value": pl.String, "account_id": pl.Int64, "posting_id": pl.Int64}
    fixed = (
        pl.lit(ctx.company_id).alias("company_id"), pl.lit(ctx.actor).alias("actor"),
        pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
    )  # fmt: skip
    return copy_in("cash_alias", pl.DataFrame(rows, schema=schema, orient="row").with_columns(fixed))


def _names(account_ids: Iterable[int | None]) -> dict[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [[account_id for account_id in account_ids if account_id is not None]])
        return dict(cursor.fetchall())


def _shown(one: Checked, names: dict[int, str]) -> list[tuple[str, str, int]]:
    """What a posting shows of its payer: (kind, value, account), as far as its mode may teach it."""
    account_id, line = one.planned.account_id, one.line
    assert account_id is not None
    name, own = search_text(line.payer_name)[:VALUE_CHARS], names.get(account_id, "")
    others = sorted({part.item.account_id for part in one.parts} - {account_id})
    shown = [(IBAN, line.payer_iban, account_id)] if line.payer_iban else []
    if one.planned.mode == AUTO:
        is_own = name != "" and fuzz.token_sort_ratio(name, own) >= SAME_NAME
        return shown if is_own and not others and one.parts else []
    if name and name != own:
        shown.append((NAME, name, account_id))
    return [*shown, *((PAYS_FOR, str(other), account_id) for other in others)]


def add_alias(ctx: Context, account_id: int, kind: str, value: str) -> int:
    """A person says so, without a posting. Raises SaldoError: account_unknown, alias_kind_unknown."""
    if kind not in Alias.Kind.values or not value.strip():
        raise SaldoError("alias_kind_unknown", kind=kind, known=", ".join(Alias.Kind.values))
    with connection.cursor() as cursor:
        cursor.execute("SELECT company_id FROM parties_customeraccount WHERE id = %s", [account_id])
        found = cursor.fetchone()
    if found is None:
        raise SaldoError("account_unknown", account=account_id)
    told = search_text(value) if kind == NAME else value.replace(" ", "").upper() if kind == IBAN else value

    def work(ctx: Context) -> int:
        known = aliases(ctx, found[0], [told], [account_id]).filter(pl.col("kind") == kind)
        if known.height:
            return int(known["alias_id"][0])
        alias = Alias.objects.create(
            company_id=found[0], account_id=account_id, kind=kind, value=told[:VALUE_CHARS], actor=ctx.actor,
            recorded_at=ctx.recorded_at,
        )  # fmt: skip
        data = {"alias": alias.id, "kind": kind, "value": told}
        record_event(ctx, "cash.alias_added", "account", account_id, data)
        return alias.id

    return _changing(ctx, found[0], work)


def withdraw(ctx: Context, alias_id: int, note: str = "") -> None:
    """The alias is not believed from now on. Raises SaldoError: alias_unknown (also if withdrawn already)."""
    alias = Alias.objects.filter(id=alias_id, withdrawal__isnull=True).first()
    if alias is None:
        raise SaldoError("alias_unknown", alias=alias_id)
    _changing(ctx, alias.company_id, lambda ctx: _withdraw(ctx, alias, note))


def _changing(ctx: Context, company_id: int, work: Callable[[Context], T]) -> T:
    def whole() -> T:
        with transaction.atomic():
            return work(stamped(ctx, company_id))

    return retried(whole)


def _withdraw(ctx: Context, alias: Alias, note: str) -> None:
    AliasWithdrawal.objects.create(alias=alias, note=note, actor=ctx.actor, recorded_at=ctx.recorded_at)
    data = {"alias": alias.id, "kind": alias.kind, "value": alias.value}
    record_event(ctx, "cash.alias_withdrawn", "account", alias.account_id, data)


# Aliases of an account whose posting was undone, and what its standing postings of people show.
_UNDONE = f"""
EXISTS (SELECT 1 FROM cash_posting later WHERE later.transaction_id = p.transaction_id
           AND later.sequence > p.sequence AND later.kind = '{UNDO}')
"""
_TAUGHT_IN_ERROR = f"""
SELECT a.id FROM cash_alias a JOIN cash_posting p ON p.id = a.posting_id
  LEFT JOIN cash_aliaswithdrawal w ON w.alias_id = a.id
 WHERE a.account_id = %s AND w.id IS NULL AND {_UNDONE} ORDER BY a.id
"""
_STILL_SHOWN = f"""
SELECT t.payer_iban, t.payer_name,
       (SELECT array_agg(DISTINCT i.account_id) FROM jsonb_array_elements(p.shares) share
          JOIN ledger_item i ON i.id = (share ->> 'item')::bigint)
  FROM cash_posting p JOIN cash_banktransaction t ON t.id = p.transaction_id
 WHERE p.account_id = %s AND p.kind = '{MATCH}' AND p.mode <> '{AUTO}' AND NOT {_UNDONE}
"""


def forget(ctx: Context, account_id: int | None, note: str) -> int:
    """Withdraw what only undone postings of the account taught, in the undo's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TAUGHT_IN_ERROR, [account_id])
        doubted = [row[0] for row in cursor.fetchall()]
        if not doubted:
            return 0
        cursor.execute(_STILL_SHOWN, [account_id])
        shown: set[tuple[str, str]] = set()
        for iban, name, accounts in cursor.fetchall():
            shown |= {(IBAN, iban), (NAME, search_text(name)[:VALUE_CHARS])}
            shown |= {(PAYS_FOR, str(other)) for other in accounts or ()}
    gone = [a for a in Alias.objects.filter(id__in=doubted) if (a.kind, a.value) not in shown]
    for alias in gone:
        _withdraw(ctx, alias, note)
    return len(gone)
