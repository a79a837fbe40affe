"""Making and completing customers, accounts and contacts."""

from __future__ import annotations

from hashlib import sha256

import polars as pl

from saldo.core.context import Context
from saldo.core.normalize import search_text, sort_name, vat_number
from saldo.parties.contacts import former_spellings, set_by_people
from saldo.parties.models import Contact, Customer, CustomerAccount, CustomerName
from saldo.storage.frames import copy_in, copy_out, reserve_ids

ACCOUNTS_SCHEMA = {
    "account_id": pl.Int64,
    "company_id": pl.Int64,
    "code": pl.String,
    "customer_id": pl.Int64,
    "vat_number": pl.String,
    "tax_code": pl.String,
    "name": pl.String,
}
CODE_CHARS = 60
# One party as an export tells it; nulls are empty text.
PARTY_COLUMNS = (
    "company_id",
    "customer_code",
    "customer_name",
    "customer_vat",
    "customer_tax_code",
    "country",
)


def known_accounts(company_ids: list[int]) -> pl.DataFrame:
    """ACCOUNTS_SCHEMA: every account of the companies with what identifies its customer."""
    return copy_out(
        "SELECT a.id, a.company_id, a.code, a.customer_id, c.vat_number, c.tax_code, c.name "
        "FROM parties_customeraccount a JOIN parties_customer c ON c.id = a.customer_id "
        "WHERE a.company_id = ANY(%(companies)s)",
        {"companies": company_ids},
        ACCOUNTS_SCHEMA,
    )


def ensure_accounts(ctx: Context, told: pl.DataFrame) -> pl.DataFrame:
    """Find or make the account of each party told.

    told: PARTY_COLUMNS, distinct. A party is found by its customer code within the company; without a code
    by VAT number, then tax code, then name. A new account joins the customer that has the same VAT number
    in another company. Returns ``told`` with account_id.
    """
    companies = told["company_id"].unique().to_list()
    known = known_accounts(companies)
    parties = _with_own_code(_with_normal_vat(told))
    found = _found(parties, known)
    missing = found.filter(pl.col("account_id").is_null()).drop("account_id")
    if missing.height:
        made = _make_accounts(ctx, missing)
        found = pl.concat([found.filter(pl.col("account_id").is_not_null()), made.select(found.columns)])
    _note_spellings(found.join(known.select("account_id", "customer_id", "name"), on="account_id"))
    return found.select(*told.columns, "account_id")


def _with_normal_vat(told: pl.DataFrame) -> pl.DataFrame:
    vats = told.select("customer_vat", "country").unique()
    normal = [vat_number(vat, country or "IT") if vat else "" for vat, country in vats.iter_rows()]
    return told.join(
        vats.with_columns(pl.Series("vat", normal, dtype=pl.String)), on=["customer_vat", "country"]
    )


def _with_own_code(parties: pl.DataFrame) -> pl.DataFrame:
    """The code that the party's account has or would be given. One too long to keep ends in a digest of the
    whole: names that begin alike ("Consorzio ... sede di Roma", "... di Milano") are not one customer."""
    whole = (
        pl.when(pl.col("customer_code") != "")
        .then("customer_code")
        .when(pl.col("vat") != "")
        .then("vat")
        .when(pl.col("customer_tax_code") != "")
        .then("customer_tax_code")
        .otherwise("customer_name")
    )
    coded = parties.with_columns(own_code=whole)
    long = coded.filter(pl.col("own_code").str.len_chars() > CODE_CHARS)["own_code"].unique().to_list()
    if not long:
        return coded
    short = [f"{code[: CODE_CHARS - 9]}~{sha256(code.encode()).hexdigest()[:8]}" for code in long]
    return coded.with_columns(pl.col("own_code").replace(long, short))


def _found(parties: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    by_code = known.select(
        "company_id", pl.col("code").alias("customer_code"), pl.col("account_id").alias("by_code")
    )
    coded = parties.join(by_code, on=["company_id", "customer_code"], how="left")
    if not coded["by_code"].null_count():
        # The usual file: every customer has a code, and all are known.
        return coded.rename({"by_code": "account_id"})
    by_own = by_code.rename({"customer_code": "own_code", "by_code": "by_own"})
    by_vat = _first(known.filter(pl.col("vat_number") != ""), "vat_number", "vat", "by_vat")
    by_tax = _first(known.filter(pl.col("tax_code") != ""), "tax_code", "customer_tax_code", "by_tax")
    by_name = _first(known, "name", "customer_name", "by_name")
    no_code = pl.col("customer_code") == ""
    nameless = no_code & (pl.col("vat") == "") & (pl.col("customer_tax_code") == "")
    return (
        coded.join(by_vat, on=["company_id", "vat"], how="left")
        .join(by_tax, on=["company_id", "customer_tax_code"], how="left")
        .join(by_name, on=["company_id", "customer_name"], how="left")
        .join(by_own, on=["company_id", "own_code"], how="left")
        .with_columns(
            account_id=pl.coalesce(
                "by_code",
                pl.when(no_code).then(pl.coalesce("by_vat", "by_tax")),
                pl.when(nameless).then("by_name"),
                # Renamed since, or longer than what is kept: the code it was given still finds it.
                pl.when(no_code).then("by_own"),
            )
        )
        .drop("by_code", "by_vat", "by_tax", "by_name", "by_own")
    )


def _first(known: pl.DataFrame, column: str, key: str, found: str) -> pl.DataFrame:
    """The oldest account per company for each value of a column."""
    return (
        known.sort("account_id")
        .unique(["company_id", column], keep="first", maintain_order=True)
        .select("company_id", pl.col(column).alias(key), pl.col("account_id").alias(found))
    )


def _make_accounts(ctx: Context, missing: pl.DataFrame) -> pl.DataFrame:
    """New accounts, one per company and code (or VAT number, tax code, name where there is no code)."""
    coded = missing.with_columns(code="own_code")
    first = coded.unique(["company_id", "code"], keep="first", maintain_order=True)
    first = _with_customers(first).with_columns(
        reserve_ids("parties_customeraccount", first.height).alias("account_id")
    )
    copy_in(
        "parties_customeraccount",
        first.select(
            pl.col("account_id").alias("id"),
            "company_id",
            "customer_id",
            "code",
            pl.lit("").alias("segment"),
            pl.lit("").alias("terms_text"),
            pl.lit(str(ctx.recorded_at)).alias("recorded_at"),
        ),
    )
    made = coded.join(first.select("company_id", "code", "account_id"), on=["company_id", "code"])
    spelled = made.join(
        first.select("account_id", "customer_id", pl.col("customer_name").alias("name")), on="account_id"
    )
    _note_spellings(spelled)
    return made


def _with_customers(accounts: pl.DataFrame) -> pl.DataFrame:
    """Accounts with a customer_id: the customer with the same VAT number, else a new one."""
    vats = [vat for vat in accounts["vat"].unique().to_list() if vat]
    known = copy_out(
        "SELECT vat_number, min(id) FROM parties_customer WHERE vat_number = ANY(%(vats)s) GROUP BY 1",
        {"vats": vats},
        {"vat": pl.String, "known_customer_id": pl.Int64},
    )
    # Two new accounts with one VAT number (two companies, or two codes) are one new customer.
    identity = (
        pl.when(pl.col("vat") != "")
        .then(pl.col("vat"))
        .otherwise(pl.concat_str(pl.lit("#"), pl.int_range(pl.len()).cast(pl.String)))
    )
    marked = accounts.with_columns(identity=identity).join(known, on="vat", how="left")
    new = marked.filter(pl.col("known_customer_id").is_null()).unique(
        "identity", keep="first", maintain_order=True
    )
    new = new.with_columns(reserve_ids("parties_customer", new.height).alias("new_customer_id"))
    names = [(name or code)[:200] for name, code in new.select("customer_name", "code").iter_rows()]
    copy_in(
        "parties_customer",
        new.select(
            pl.col("new_customer_id").alias("id"),
            pl.Series("name", names, dtype=pl.String),
            pl.Series("search_text", [search_text(name)[:200] for name in names], dtype=pl.String),
            pl.Series("sort_name", [sort_name(name)[:200] for name in names], dtype=pl.String),
            pl.col("vat").alias("vat_number").str.slice(0, 20),
            pl.col("customer_tax_code").alias("tax_code").str.slice(0, 20),
            pl.col("country").str.slice(0, 2),
            *(pl.lit("").alias(name) for name in ("address", "zip_code", "city", "province")),
        ),
    )
    return marked.join(new.select("identity", "new_customer_id"), on="identity", how="left").with_columns(
        customer_id=pl.coalesce("known_customer_id", "new_customer_id")
    )


def _note_spellings(named: pl.DataFrame) -> None:
    """Keep names that differ from the customer's: people search for what their ERP shows."""
    other = named.filter((pl.col("customer_name") != "") & (pl.col("customer_name") != pl.col("name")))
    if other.is_empty():
        return
    other = other.unique(["customer_id", "customer_name"])
    CustomerName.objects.bulk_create(
        [
            CustomerName(customer_id=customer_id, name=name[:200], search_text=search_text(name)[:200])
            for customer_id, name in other.select("customer_id", "customer_name").iter_rows()
        ],
        ignore_conflicts=True,
        batch_size=1000,
    )


CUSTOMER_FIELDS = {
    "vat": "vat_number",
    "tax_code": "tax_code",
    "country": "country",
    "address": "address",
    "zip": "zip_code",
    "city": "city",
    "province": "province",
}
COMPLETED_FIELDS = ["name", "search_text", "sort_name", *CUSTOMER_FIELDS.values()]
BATCH_ROWS = 1000


def complete_customers(ctx: Context, told: pl.DataFrame) -> tuple[int, int]:
    """Customers and contacts as a list tells them; returns (changed, unchanged) rows.

    told: account_id, customer_name, CUSTOMER_FIELDS' columns, contact_name, contact_role, email, pec, phone,
    language; empty text says nothing. What the list states replaces what was there, but for what a person set
    of a contact; nothing is emptied.
    """
    owners = dict(
        CustomerAccount.objects.filter(id__in=told["account_id"].unique().to_list()).values_list(
            "id", "customer_id"
        )
    )
    customers = Customer.objects.in_bulk(set(owners.values()))
    contacts = _Contacts(list(owners))
    touched_customers: dict[int, Customer] = {}
    changed = unchanged = 0
    for row in told.iter_rows(named=True):
        customer = customers[owners[row["account_id"]]]
        completed = _complete_customer(customer, row)
        if completed:
            touched_customers[customer.id] = customer
        touched = completed | contacts.told(row)
        changed, unchanged = changed + touched, unchanged + (not touched)
    Customer.objects.bulk_update(touched_customers.values(), COMPLETED_FIELDS, batch_size=BATCH_ROWS)
    contacts.save()
    return changed, unchanged


def _complete_customer(customer: Customer, row: dict[str, str]) -> bool:
    """Set on ``customer`` what the row states; whether anything is different now."""
    told = {field: row[column] for column, field in CUSTOMER_FIELDS.items() if row[column]}
    if row["customer_name"] and row["customer_name"] != customer.name:
        name = row["customer_name"][:200]
        told |= {"name": name, "search_text": search_text(name)[:200], "sort_name": sort_name(name)[:200]}
    if "vat_number" in told:
        told["vat_number"] = vat_number(told["vat_number"], told.get("country") or customer.country or "IT")
    cut = {field: value[: Customer._meta.get_field(field).max_length] for field, value in told.items()}
    changes = {field: value for field, value in cut.items() if getattr(customer, field) != value}
    for field, value in changes.items():
        setattr(customer, field, value)
    return bool(changes)


class _Contacts:
    """The contacts of some accounts, read once and written once: a list has one row for each.

    A contact that a person changed is known by its former spellings too, and what the person set stays.
    """

    def __init__(self, account_ids: list[int]) -> None:
        # Locked: a person who changes one of them waits for the list, or the list for the person.
        known = Contact.objects.filter(account_id__in=account_ids).order_by("id").select_for_update()
        by_id = {contact.id: contact for contact in known}
        self._known = {
            self._key(*spelling): by_id[contact_id]
            for spelling, contact_id in former_spellings(account_ids).items()
            if contact_id in by_id
        }
        self._known |= {self._key(c.account_id, c.name, c.email, c.phone): c for c in by_id.values()}
        self._kept = set_by_people(account_ids)
        self._new: list[Contact] = []
        self._changed: dict[int, Contact] = {}

    @staticmethod
    def _key(account_id: int, name: str, email: str, phone: str) -> tuple[int, str, str, str]:
        return (account_id, name, email, phone)

    def told(self, row: dict[str, str]) -> bool:
        """Take in the contact of a row; whether that added or changed one."""
        fields = {"name": row["contact_name"], "email": row["email"], "phone": row["phone"]}
        fields = {name: value[: CONTACT_CHARS[name]] for name, value in fields.items()}
        extra = {"role": row["contact_role"], "pec": row["pec"], "language": row["language"]}
        extra = {name: value[: CONTACT_CHARS[name]] for name, value in extra.items()}
        if not any(fields.values()) and not row["pec"]:
            return False
        key = self._key(row["account_id"], **fields)
        contact = self._known.get(key)
        if contact is None:
            contact = self._known[key] = Contact(account_id=row["account_id"], **fields, **extra)
            self._new.append(contact)
            return True
        kept = self._kept.get(contact.pk, frozenset())
        changes = {
            name: value
            for name, value in extra.items()
            if value and name not in kept and getattr(contact, name) != value
        }
        for name, value in changes.items():
            setattr(contact, name, value)
        if changes and contact.pk:
            self._changed[contact.pk] = contact
        return bool(changes)

    def save(self) -> None:
        # Another list may have brought the same contact a moment ago.
        Contact.objects.bulk_create(self._new, batch_size=BATCH_ROWS, ignore_conflicts=True)
        extra = ["role", "pec", "language"]
        Contact.objects.bulk_update(self._changed.values(), extra, batch_size=BATCH_ROWS)


CONTACT_CHARS = {
    name: Contact._meta.get_field(name).max_length or 0
    for name in ("name", "email", "phone", "role", "pec", "language")
}
