"""The ways to reach accounts: every contact's addresses by channel, the best first, stopped ones marked."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from saldo.analytics.askable import WAYS
from saldo.core.addresses import CALLING_CODES, EMAIL_PATTERN, KEEPS_ZERO, PHONE_PATTERN
from saldo.core.context import Context
from saldo.core.playbook import CALL, EMAIL, LETTER, PEC, PORTAL, SMS
from saldo.core.preferences import CONTACT, REFUSED_CHANNELS
from saldo.parties.preferences import preferences_in_force
from saldo.storage.frames import copy_out

INVALID, PREFERENCE = "invalid", "preference"
LANGUAGES = ("it", "en")
# Of several contacts: who deals with invoices first, who sells or manages last.
_ACCOUNTING = r"(?i)ammin|contab|fornitor|payable|account|finan|tesor|purchase ledger|ragioner|fattur"
_OTHERS = r"(?i)commerc|vendit|sales|titolare|direzione|owner|ceo|legal"

_CONTACTS_SCHEMA = {
    "account_id": pl.Int64, "contact_id": pl.Int64, "name": pl.String, "role": pl.String, "email": pl.String,
    "pec": pl.String, "phone": pl.String, "language": pl.String, "country": pl.String,
    "company_language": pl.String,
}  # fmt: skip
_OF = """
 WHERE (%(company_id)s::int IS NULL OR a.company_id = %(company_id)s)
   AND (%(accounts)s::bigint[] IS NULL OR a.id = ANY(%(accounts)s::bigint[]))
"""
_CONTACTS = f"""
SELECT a.id, t.id, t.name, t.role, t.email, t.pec, t.phone, t.language, c.country, o.language
  FROM parties_contact t JOIN parties_customeraccount a ON a.id = t.account_id
  JOIN parties_customer c ON c.id = a.customer_id JOIN identity_company o ON o.id = a.company_id
 {_OF} ORDER BY a.id, t.id
"""
_ACCOUNTS_SCHEMA = {
    "account_id": pl.Int64, "name": pl.String, "address": pl.String, "code": pl.String, "country": pl.String,
    "company_language": pl.String,
}  # fmt: skip
_ACCOUNTS = f"""
SELECT a.id, c.name, CASE WHEN c.address = '' OR c.city = '' THEN '' ELSE
       concat_ws(', ', c.address, nullif(concat_ws(' ', nullif(c.zip_code, ''), nullif(c.city, ''),
                                                        nullif(c.province, '')), '')) END,
       a.code, c.country, o.language
  FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id
  JOIN identity_company o ON o.id = a.company_id
 {_OF} ORDER BY a.id
"""
# The stop of each address and channel that counts for the company, the oldest of several.
_STOPS = """
SELECT DISTINCT ON (s.channel, s.address, s.company_id) s.channel, s.address, s.company_id, s.reason
  FROM parties_addressstop s
 WHERE s.recorded_at <= %(known_at)s
   AND (%(company_id)s::int IS NULL OR s.company_id IS NULL OR s.company_id = %(company_id)s)
   AND NOT EXISTS (SELECT 1 FROM parties_addressrelease r
                    WHERE r.stop_id = s.id AND r.recorded_at <= %(known_at)s)
 ORDER BY s.channel, s.address, s.company_id, s.id
"""
_CONSENTS = f"""
SELECT DISTINCT ON (n.contact_id, n.channel) n.contact_id, n.channel, n.is_given
  FROM parties_consent n JOIN parties_contact t ON t.id = n.contact_id
  JOIN parties_customeraccount a ON a.id = t.account_id
 {_OF} AND n.recorded_at <= %(known_at)s
 ORDER BY n.contact_id, n.channel, n.id DESC
"""


def ways(ctx: Context, account_ids: Sequence[int] | None = None) -> pl.DataFrame:
    """WAYS: a row per contact, channel and address of the company's accounts (or of some).

    stop: why the address may not be used ("" it may): the reason of its stop, "invalid" where it is no
    address, or "preference" where the customer asked not to be reached so. The contact that the customer
    named stands first. has_consent: without a word from the contact yes, for SMS no. A phone is a way for
    "sms" and for "call"; the customer's own postal address is the way for a letter, and the portal needs
    none.
    """
    params = {
        "company_id": ctx.company_id,
        "known_at": ctx.known_at or "infinity",
        "accounts": None if account_ids is None else list(account_ids),
    }
    contacts = copy_out(_CONTACTS, params, _CONTACTS_SCHEMA)
    accounts = copy_out(_ACCOUNTS, params, _ACCOUNTS_SCHEMA)
    found = pl.concat([_of_contacts(contacts), _of_accounts(accounts)])
    usable = _with_consents(_with_stops(found, params), params)
    return _placed(_as_preferred(ctx, usable, account_ids)).select(*WAYS)


_FOUND = ("account_id", "contact_id", "name", "rank", "channel", "address", "folded", "language", "is_usable")


def _language(told: pl.Expr) -> pl.Expr:
    """The contact's; else Italian in Italy and English abroad; where no country is known, our own."""
    by_country = (
        pl.when(pl.col("country") == "").then(pl.col("company_language"))
        .when(pl.col("country").is_in(["IT", "SM", "VA"])).then(pl.lit("it"))
        .otherwise(pl.lit("en"))
    )  # fmt: skip
    return (
        pl.when(told.is_in(list(LANGUAGES)))
        .then(told)
        .when(told == "")
        .then(by_country)
        .otherwise(pl.lit("en"))
    )


def _of_contacts(contacts: pl.DataFrame) -> pl.DataFrame:
    rank = (
        pl.when(pl.col("role").str.contains(_ACCOUNTING)).then(0)
        .when(pl.col("role").str.contains(_OTHERS)).then(2)
        .otherwise(1)
    )  # fmt: skip
    each = contacts.with_columns(
        rank=rank, language=_language(pl.col("language")), number=_phone(pl.col("phone"), pl.col("country"))
    )
    mail = [
        _of_channel(each, channel, pl.col(channel).str.strip_chars(), _mail(pl.col(channel)), EMAIL_PATTERN)
        for channel in (EMAIL, PEC)
    ]
    phones = [
        _of_channel(each, channel, pl.col("number"), pl.col("number"), PHONE_PATTERN)
        for channel in (SMS, CALL)
    ]
    return pl.concat([*mail, *phones])


def _of_channel(
    each: pl.DataFrame, channel: str, address: pl.Expr, folded: pl.Expr, pattern: str
) -> pl.DataFrame:
    told = each.with_columns(channel=pl.lit(channel), address=address, folded=folded)
    told = told.filter(pl.col("folded") != "")
    return told.with_columns(is_usable=pl.col("folded").str.contains(pattern)).select(_FOUND)


def _mail(column: pl.Expr) -> pl.Expr:
    """As ``core.addresses.fold_address``, for a column."""
    return column.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _phone(column: pl.Expr, country: pl.Expr) -> pl.Expr:
    """As ``core.addresses.phone_number``, for a column."""
    text = column.str.strip_chars().str.replace("(0)", "", literal=True)
    digits = text.str.replace_all(r"[^0-9]", "")
    here = country.replace_strict(CALLING_CODES, default=CALLING_CODES["IT"], return_dtype=pl.String)
    drops_zero = country.is_in([code for code in CALLING_CODES if code not in KEEPS_ZERO])
    own = pl.when(drops_zero).then(digits.str.replace("^0", "")).otherwise(digits)
    return (
        pl.when(digits == "").then(pl.lit(""))
        .when(text.str.starts_with("+")).then("+" + digits)
        .when(digits.str.starts_with("00")).then("+" + digits.str.slice(2))
        .otherwise("+" + here + own)
    )  # fmt: skip


def _of_accounts(accounts: pl.DataFrame) -> pl.DataFrame:
    """The customer's own address for letters, and the portal."""
    told = accounts.with_columns(
        contact_id=pl.lit(None, pl.Int64), rank=pl.lit(1, pl.Int32), is_usable=pl.lit(True),
        language=_language(pl.lit("")),
    )  # fmt: skip
    letter = told.filter(pl.col("address") != "").with_columns(
        channel=pl.lit(LETTER), folded=_mail(pl.col("address"))
    )
    portal = told.with_columns(channel=pl.lit(PORTAL), address=pl.col("code"), folded=_mail(pl.col("code")))
    return pl.concat([letter.select(_FOUND), portal.select(_FOUND)])


def _with_stops(found: pl.DataFrame, params: dict[str, object]) -> pl.DataFrame:
    schema = {"channel": pl.String, "folded": pl.String, "company_id": pl.Int64, "stop": pl.String}
    stops = copy_out(_STOPS, params, schema)
    if params["company_id"] is None and stops.height:
        stops = _by_company(found, stops)
    else:
        stops = stops.unique(["channel", "folded"], keep="first", maintain_order=True).drop("company_id")
    on = [name for name in ("account_id", "channel", "folded") if name in stops.columns]
    joined = found.join(stops, on=on, how="left", maintain_order="left")
    invalid = pl.when(pl.col("is_usable")).then(pl.lit("")).otherwise(pl.lit(INVALID))
    return joined.with_columns(stop=pl.coalesce("stop", invalid))


def _by_company(found: pl.DataFrame, stops: pl.DataFrame) -> pl.DataFrame:
    """Stops as they count for each account: those of its own company, and of all companies."""
    owners = copy_out(
        "SELECT id, company_id FROM parties_customeraccount WHERE id = ANY(%(ids)s::bigint[])",
        {"ids": found["account_id"].unique().to_list()},
        {"account_id": pl.Int64, "owner_id": pl.Int64},
    )
    near = found.select("account_id", "channel", "folded").unique().join(owners, on="account_id")
    told = near.join(stops, on=["channel", "folded"]).filter(
        pl.col("company_id").is_null() | (pl.col("company_id") == pl.col("owner_id"))
    )
    return told.select("account_id", "channel", "folded", "stop").unique(
        ["account_id", "channel", "folded"], keep="first"
    )


def _with_consents(found: pl.DataFrame, params: dict[str, object]) -> pl.DataFrame:
    schema = {"contact_id": pl.Int64, "channel": pl.String, "is_given": pl.Boolean}
    consents = copy_out(_CONSENTS, params, schema)
    joined = found.join(consents, on=["contact_id", "channel"], how="left", maintain_order="left")
    return joined.with_columns(has_consent=pl.coalesce("is_given", pl.col("channel") != SMS))


def _as_preferred(ctx: Context, found: pl.DataFrame, account_ids: Sequence[int] | None) -> pl.DataFrame:
    """Ways with what the customers asked for: channels that they refused, and the contact to turn to."""
    told = preferences_in_force(ctx, account_ids)
    if told.is_empty():
        return found
    refused = told.filter(pl.col("kind").is_in(list(REFUSED_CHANNELS))).select(
        "account_id", pl.col("contact_id").alias("of_contact"),
        pl.col("kind").replace_strict(REFUSED_CHANNELS, return_dtype=pl.String).alias("channel"),
    )  # fmt: skip
    whole = refused.filter(pl.col("of_contact").is_null()).select("account_id", "channel").unique()
    single = refused.drop_nulls("of_contact").rename({"of_contact": "contact_id"}).unique()
    wanted = told.filter(pl.col("kind") == CONTACT).select("account_id", "contact_id").unique("account_id")
    joined = found
    for keys, marked in (
        (["account_id", "channel"], whole.with_columns(no_way=pl.lit(True))),
        (["account_id", "channel", "contact_id"], single.with_columns(not_so=pl.lit(True))),
        (["account_id", "contact_id"], wanted.with_columns(first=pl.lit(True))),
    ):
        joined = joined.join(marked, on=keys, how="left", maintain_order="left")
    is_refused = (pl.col("no_way").is_not_null() | pl.col("not_so").is_not_null()) & (pl.col("stop") == "")
    return joined.with_columns(
        stop=pl.when(is_refused).then(pl.lit(PREFERENCE)).otherwise(pl.col("stop")),
        rank=pl.when(pl.col("first").is_not_null()).then(pl.lit(-1, pl.Int32)).otherwise(pl.col("rank")),
    ).drop("no_way", "not_so", "first")


def _placed(found: pl.DataFrame) -> pl.DataFrame:
    """place: 1 for the best of an account's ways by a channel; what may not be used stands last."""
    order = ["account_id", "channel", "unusable", "rank", "contact_id"]
    return (
        found.with_columns(unusable=(pl.col("stop") != "") | ~pl.col("has_consent"))
        .sort(order, nulls_last=True)
        .unique(["account_id", "channel", "folded"], keep="first", maintain_order=True)
        .with_columns(place=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("account_id", "channel"))
    )
