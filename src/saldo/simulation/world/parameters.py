"""The assumptions of parameters.toml, typed and checked: ``load().sales.log_sigma``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args, get_origin, get_type_hints

Range = tuple[float, ...]  # (lowest, highest)
Days = tuple[int, ...]  # (fewest, most)
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Size:
    customers: int
    months: int
    installments_per_customer_year: float
    live_days: int
    bank_days: int
    document_days: int
    document_share: float


@dataclass(frozen=True, slots=True)
class Company:
    code: str
    name: str
    vat_body: str
    address: str
    zip: str
    city: str
    province: str
    erp: str
    sales_share: float
    products: str
    sia: str
    creditor_id: str


@dataclass(frozen=True, slots=True)
class Bank:
    company: str
    name: str
    abi: str
    cab: str
    account: str
    bic: str
    format: str
    use: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CustomerShares:
    of_both_share: float
    rank_offset: float
    rank_exponent: float
    foreign_share: float
    public_body_share: float
    condominium_share: float
    subsidiary_share: float
    parent_pays_share: float
    second_contact_share: float
    missing_email_share: float
    contact_leaves_yearly: float
    bank_change_yearly: float
    merger_yearly: float


@dataclass(frozen=True, slots=True)
class Sector:
    weight: float
    shock: float


@dataclass(frozen=True, slots=True)
class Shocks:
    common_share: float
    monthly_memory: float
    delay_days: float


@dataclass(frozen=True, slots=True)
class Sales:
    vat_rate: float
    vat_reduced_rate: float
    vat_reduced_share: float
    mean_installment: float
    log_sigma: float
    month_weights: tuple[float, ...]
    weekday_weights: tuple[float, ...]
    month_end_factor: float
    order_share: float
    order_days: Days
    open_orders_share: float


@dataclass(frozen=True, slots=True)
class CreditNotes:
    share: float
    part: Range
    days: Days


@dataclass(frozen=True, slots=True)
class Terms:
    text: str
    weight: float
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slowness:
    log_sigma: float


@dataclass(frozen=True, slots=True)
class PayingType:
    """modes: (share, mean, spread) in days. pay_days: () = any. disputes: None = [disputes].base_share."""

    name: str
    share: float
    modes: tuple[tuple[float, ...], ...]
    never: float
    partial: float
    returned: float
    pay_days: tuple[int, ...] = ()
    disputes: float | None = None


@dataclass(frozen=True, slots=True)
class Seasons:
    windows: tuple[tuple[int, ...], ...]
    put_off: float
    weekday_habit_share: float
    weekday_weights: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Insolvency:
    yearly_rate: float
    without_drift_share: float
    drifts_per_insolvency: float
    drift_months: Days
    drift_days: Range
    recovery_months: Days
    partial: float
    returned: float


@dataclass(frozen=True, slots=True)
class Disputes:
    base_share: float
    reasons: Weights
    valid_share: float
    credit_part: Range
    resolution_days: Days
    paid_after_days: Days
    unasked_days: Days
    unasked_never: float


@dataclass(frozen=True, slots=True)
class Plan:
    accepts: Weights
    keeps: Weights
    milestones: Days
    days_between: int


@dataclass(frozen=True, slots=True)
class Reply:
    email: float
    pec: float
    letter: float
    sms: float
    promise: Weights
    out_of_office: float
    out_of_office_august: float
    already_paid_claim: float
    question: float


@dataclass(frozen=True, slots=True)
class Complaint:
    tone: tuple[float, ...]
    per_recent_contact: float
    nothing_overdue_factor: float
    types: Weights


@dataclass(frozen=True, slots=True)
class Contact:
    reach: Weights
    strength: Weights
    minutes: Weights
    pay_within: Days
    fatigue: float
    fatigue_days: int
    courtesy_days: int
    courtesy_share: float
    carried_out: Weights
    decides: Mapping[str, tuple[float, ...]]
    plan: Plan
    reply: Reply
    complaint: Complaint


@dataclass(frozen=True, slots=True)
class Office:
    overdue_days: int
    pause_days: int
    contacted_share: float
    call_share: float
    plan_share: float
    pec_days: int


@dataclass(frozen=True, slots=True)
class References:
    styles: Weights
    departs: float
    text_length: int
    most_numbers: int


@dataclass(frozen=True, slots=True)
class Faults:
    typing_error: float
    wrong_name: float
    charges_withheld: float
    charges: Range
    rounding: float
    duplicate: float
    on_account: float
    credit_taken: float
    discount_taken: float
    discount_rate: float


@dataclass(frozen=True, slots=True)
class Postings:
    lag_days: Mapping[int, float]
    tolerance: float
    writes_off_after_days: Days
    insolvent_after_days: Days
    old_after_days: int


@dataclass(frozen=True, slots=True)
class RiBa:
    presented_days: int
    insoluto_days: Days
    fee: float
    paid_after_return_days: Days


@dataclass(frozen=True, slots=True)
class Sdd:
    scheme_b2b_share: float
    return_days: Days
    refund_share: float
    refund_days: Days
    fee: float


@dataclass(frozen=True, slots=True)
class Remittances:
    habit: Weights
    days: Days


@dataclass(frozen=True, slots=True)
class Files:
    duplicate: float
    late: float
    late_days: Days
    out_of_order: float
    bad_rows: tuple[str, ...]
    sdi_refused: float
    sdi_not_delivered: float


@dataclass(frozen=True, slots=True)
class BalanceSheets:
    years: int
    known_share: float
    xbrl_share: float


@dataclass(frozen=True, slots=True)
class Ratings:
    known_share: float
    providers: tuple[str, ...]
    noise: float


@dataclass(frozen=True, slots=True)
class Parameters:
    """The sections of parameters.toml under their names; what each figure means is said there."""

    sizes: Mapping[str, Size]
    companies: tuple[Company, ...]
    banks: tuple[Bank, ...]
    customers: CustomerShares
    sectors: Mapping[str, Sector]
    shocks: Shocks
    sales: Sales
    credit_notes: CreditNotes
    terms: tuple[Terms, ...]
    slowness: Slowness
    types: tuple[PayingType, ...]
    seasons: Seasons
    insolvency: Insolvency
    disputes: Disputes
    contact: Contact
    office: Office
    references: References
    faults: Faults
    postings: Postings
    riba: RiBa
    sdd: Sdd
    remittances: Remittances
    files: Files
    balance_sheets: BalanceSheets
    ratings: Ratings

    def size(self, name: str) -> Size:
        """The size called ``name``; ValueError names those there are."""
        if name not in self.sizes:
            raise ValueError(f"No size {name!r}: there are {', '.join(self.sizes)}")
        return self.sizes[name]


@cache
def load() -> Parameters:
    """parameters.toml of this package. ValueError says which key is unknown, missing or does not add up."""
    text = files("saldo.simulation.world").joinpath("parameters.toml").read_text(encoding="utf-8")
    return parse(text)


def parse(text: str) -> Parameters:
    """Parameters from the text of such a file; ValueError as in ``load``."""
    parameters: Parameters = _made(Parameters, tomllib.loads(text), "")
    _check_sums(parameters)
    return parameters


def _made(kind: Any, value: Any, where: str) -> Any:
    """``value`` as ``kind``: a dataclass, a tuple or mapping of kinds, or a plain type."""
    if is_dataclass(kind):
        return _section(kind, value, where)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(_made(inner[0], each, f"{where}[{index}]") for index, each in enumerate(value))
    if origin is Mapping:
        return {inner[0](key): _made(inner[1], each, f"{where}.{key}") for key, each in value.items()}
    allowed = (int, float) if kind in (float, float | None) else kind
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise ValueError(f"{where}: {value!r} is of another kind than {kind}")
    return float(value) if allowed == (int, float) else value


def _section(kind: Any, value: Mapping[str, Any], where: str) -> Any:
    names = {field.name for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING}
    if unknown := sorted(set(value) - names):
        raise ValueError(f"{where}: unknown keys {', '.join(unknown)}")
    if missing := sorted(required - set(value)):
        raise ValueError(f"{where}: missing keys {', '.join(missing)}")
    hints = get_type_hints(kind)
    return kind(**{key: _made(hints[key], each, f"{where}.{key}".strip(".")) for key, each in value.items()})


def _check_sums(p: Parameters) -> None:
    """Shares of a whole add up to one, and names that point to others are there."""
    wholes: dict[str, list[float]] = {
        "companies.sales_share": [each.sales_share for each in p.companies],
        "sectors.weight": [each.weight for each in p.sectors.values()],
        "terms.weight": [each.weight for each in p.terms],
        "types.share": [each.share for each in p.types],
        "disputes.reasons": list(p.disputes.reasons.values()),
        "references.styles": list(p.references.styles.values()),
        "remittances.habit": list(p.remittances.habit.values()),
        "postings.lag_days": list(p.postings.lag_days.values()),
        "seasons.weekday_weights": list(p.seasons.weekday_weights),
        **{f"types.{each.name}.modes": [mode[0] for mode in each.modes] for each in p.types},
    }
    for where, parts in wholes.items():
        if abs(sum(parts) - 1.0) > 1e-9:
            raise ValueError(f"{where}: the shares come to {sum(parts):.6g}, not to 1")
    if len(p.sales.month_weights) != 12 or len(p.sales.weekday_weights) != 5:
        raise ValueError("sales: twelve month_weights and five weekday_weights are needed")
    codes = {each.code for each in p.companies}
    if strangers := sorted({each.company for each in p.banks} - codes):
        raise ValueError(f"banks: unknown companies {', '.join(strangers)}")
    names = {each.name for each in p.types}
    if set(p.contact.carried_out) != names or set(p.contact.decides) != names | {"drifting"}:
        raise ValueError("contact: carried_out and decides must name every paying type")
