"""What customers would do if nobody asked them: when each installment is paid, in parts, by which means.

The truth of a world. A contact can only change what is decided here (``respond``), so that two policies tried
on one world differ by their contacts and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.draws import Draws
from saldo.simulation.world import days
from saldo.simulation.world.days import NEVER, Days
from saldo.simulation.world.parameters import Parameters
from saldo.simulation.world.sales import Sales

Flags = NDArray[np.bool_]
METHODS = ("transfer", "riba", "sdd")
TRANSFER, RIBA, SDD = range(3)
RIBA_UNPAID, SDD_UNPAID, SDD_REFUND = "30010", "AM04", "MD06"
# A part payment makes sense only on what is this late, and is written in round hundreds of euro.
LATE_ENOUGH_DAYS = 10
ROUND_CENTS = 10_000
MIN_DAYS_FROM_INVOICE = 3


@dataclass(slots=True)
class Customers:
    """What the behavior needs of the customers, as arrays by customer_id. Days are whole numbers."""

    kind: NDArray[np.int64]
    slowness: NDArray[np.float64]
    weekday: NDArray[np.int64]
    sector: NDArray[np.int64]
    drift_from: Days
    drift_to: Days
    drift_days: NDArray[np.float64]
    recovered: Days
    insolvency: Days

    @classmethod
    def of(cls, p: Parameters, frame: pl.DataFrame) -> Customers:
        kinds = {kind.name: index for index, kind in enumerate(p.types)}
        sectors = {name: index for index, name in enumerate(p.sectors)}
        return cls(
            kind=frame["paying_type"].replace_strict(kinds, return_dtype=pl.Int64).to_numpy(),
            slowness=frame["slowness"].to_numpy(),
            weekday=frame["pay_weekday"].cast(pl.Int64).to_numpy(),
            sector=frame["sector"].replace_strict(sectors, return_dtype=pl.Int64).to_numpy(),
            drift_from=numbers(frame["drift_from"]),
            drift_to=numbers(frame["drift_to"]),
            drift_days=frame["drift_days"].fill_null(0.0).to_numpy(),
            recovered=numbers(frame["recovered_date"]),
            insolvency=numbers(frame["insolvency_date"]),
        )

    def drift(self, customer: NDArray[np.int64], day: Days) -> NDArray[np.float64]:
        """How far the drift has come on ``day``: 0 before, 1 at its height, back to 0 where it ends well."""
        start, top, back = self.drift_from[customer], self.drift_to[customer], self.recovered[customer]
        rising = np.clip((day - start) / np.maximum(top - start, 1), 0.0, 1.0)
        falling = np.clip((back - day) / np.maximum(back - top, 1), 0.0, 1.0)
        return np.minimum(rising, np.where(back < NEVER, falling, 1.0))


def numbers(column: pl.Series) -> Days:
    """Dates as whole numbers, NEVER where there is none."""
    return column.cast(pl.Int32).cast(pl.Int64).fill_null(NEVER).to_numpy()


@dataclass(slots=True)
class Intentions:
    """One entry an installment. plan: day of the transfer that pays it (NEVER: none), of which part_cents
    come on part_day already. is_disputed: its invoice has a reason to be objected to. For receipts and
    direct debits: bank_day, and returned_day (NEVER: paid), with the code of the return.
    """

    account: NDArray[np.int64]
    customer: NDArray[np.int64]
    invoice: NDArray[np.int64]
    issued: Days
    due: Days
    cash: NDArray[np.int64]
    method: NDArray[np.int64]
    plan: Days
    part_day: Days
    part_cents: NDArray[np.int64]
    is_disputed: Flags
    bank_day: Days
    returned_day: Days
    return_reason: NDArray[np.str_]


def make_intentions(
    p: Parameters,
    draws: Draws,
    customers: Customers,
    accounts: pl.DataFrame,
    sales: Sales,
    first_day: int,
) -> Intentions:
    """The intentions for every installment of ``sales``."""
    lines = sales.installments
    ids = lines["installment_id"].cast(pl.Int64).to_numpy()
    account = lines["account_id"].cast(pl.Int64).to_numpy()
    invoice = lines["invoice_id"].cast(pl.Int64).to_numpy()
    customer = accounts["customer_id"].cast(pl.Int64).to_numpy()[account]
    issued = sales.invoices["date"].cast(pl.Int32).cast(pl.Int64).to_numpy()[invoice]
    due = lines["due_date"].cast(pl.Int32).cast(pl.Int64).to_numpy()
    cash = lines["cash_cents"].to_numpy()
    method = (
        accounts["method"].replace_strict({name: n for n, name in enumerate(METHODS)}, return_dtype=pl.Int64)
    ).to_numpy()[account]
    kind = customers.kind[customer]
    drift = customers.drift(customer, due)
    late = _delay(p, draws, customers, customer, kind, due, drift, ids, first_day)
    disputed = _disputed(p, draws, kind, invoice)
    bank_day, returned, reason = _returns(
        p, draws, accounts, account, customers, customer, kind, drift, method, due, disputed, ids
    )
    wanted = np.maximum(issued + MIN_DAYS_FROM_INVOICE, due + np.round(late).astype(np.int64))
    after_return = returned + draws.whole("pays/after return", *p.riba.paid_after_return_days, ids)
    wanted = np.where(method == TRANSFER, wanted, np.maximum(wanted, after_return))
    unasked = due + draws.whole("disputes/unasked", *p.disputes.unasked_days, ids)
    wanted = np.where(disputed, np.maximum(wanted, unasked), wanted)
    plan = transfer_day(p, draws, customers, customer, wanted, ids)
    never = draws.happens("pays/never", np.array([each.never for each in p.types])[kind], ids)
    never |= disputed & draws.happens("disputes/never", p.disputes.unasked_never, invoice)
    collected = (method != TRANSFER) & (returned == NEVER)
    plan = np.where(never | collected, NEVER, plan)
    part_day, part_cents = _parts(p, draws, kind, drift, due, plan, cash, ids, method)
    gone = customers.insolvency[customer]
    plan = np.where(plan >= gone, NEVER, plan)
    part_cents = np.where(part_day >= gone, 0, part_cents)
    return Intentions(
        account, customer, invoice, issued, due, cash, method, plan, part_day, part_cents, disputed,
        bank_day, returned, reason,
    )  # fmt: skip


def _delay(
    p: Parameters,
    draws: Draws,
    customers: Customers,
    customer: NDArray[np.int64],
    kind: NDArray[np.int64],
    due: Days,
    drift: NDArray[np.float64],
    ids: NDArray[np.int64],
    first_day: int,
) -> NDArray[np.float64]:
    """Days after the due date: a mode of the type, the customer's slowness, its sector's month, its drift."""
    most = max(len(each.modes) for each in p.types)
    modes = np.array([[*each.modes, *[(0.0, 0.0, 0.0)] * (most - len(each.modes))] for each in p.types])
    steps = np.cumsum(modes[:, :, 0], axis=1)[kind]
    mode = (draws.uniform("pays/mode", ids)[:, None] >= steps).sum(axis=1).clip(max=most - 1)
    late = modes[kind, mode, 1] + modes[kind, mode, 2] * draws.normal("pays/delay", ids)
    late = np.where(late > 0, late * customers.slowness[customer], late)
    months = days.month_of(due) - int(days.month_of(first_day))
    states = sector_states(p, draws, int(months.max(initial=0)) + 1)
    pull = np.array([sector.shock for sector in p.sectors.values()])[customers.sector[customer]]
    shock = p.shocks.delay_days * pull * states[customers.sector[customer], np.maximum(months, 0)]
    return np.where(late > 0, np.maximum(late + shock, 0.0), late) + customers.drift_days[customer] * drift


def sector_states(p: Parameters, draws: Draws, months: int) -> NDArray[np.float64]:
    """State of each sector in each month, in standard deviations: (sectors, months), autoregressive."""
    at = np.arange(months)
    common = draws.normal("shock/common", at)
    share = p.shocks.common_share
    memory = p.shocks.monthly_memory
    result = np.zeros((len(p.sectors), months))
    for sector in range(len(p.sectors)):
        news = np.sqrt(share) * common + np.sqrt(1 - share) * draws.normal("shock/sector", sector, at)
        for month in range(months):
            before = result[sector, month - 1]
            result[sector, month] = (
                memory * before + np.sqrt(1 - memory**2) * news[month] if month else news[0]
            )
    return result


def _disputed(p: Parameters, draws: Draws, kind: NDArray[np.int64], invoice: NDArray[np.int64]) -> Flags:
    base = p.disputes.base_share
    rate = np.array([base if each.disputes is None else each.disputes for each in p.types])
    return draws.happens("disputes/invoice", rate[kind], invoice)


def _returns(
    p: Parameters,
    draws: Draws,
    accounts: pl.DataFrame,
    account: NDArray[np.int64],
    customers: Customers,
    customer: NDArray[np.int64],
    kind: NDArray[np.int64],
    drift: NDArray[np.float64],
    method: NDArray[np.int64],
    due: Days,
    disputed: Flags,
    ids: NDArray[np.int64],
) -> tuple[Days, Days, NDArray[np.str_]]:
    """Receipts and direct debits: the bank's day, the day of the return (NEVER: paid) and its code."""
    bank_day = days.next_business(due)
    rate = np.array([each.returned for each in p.types])[kind] + p.insolvency.returned * drift
    comes_back = draws.happens("returns/comes back", rate, ids) | disputed
    comes_back |= customers.insolvency[customer] <= bank_day
    comes_back &= method != TRANSFER
    usual = np.where(
        method == RIBA,
        draws.whole("returns/riba", *p.riba.insoluto_days, ids),
        draws.whole("returns/sdd", *p.sdd.return_days, ids),
    )
    is_core = (accounts["scheme"] == "CORE").to_numpy()[account]
    refund = is_core & draws.happens("returns/refund", p.sdd.refund_share, ids)
    refund_day = days.next_business(bank_day + draws.whole("returns/refund day", *p.sdd.refund_days, ids))
    returned = np.where(refund, refund_day, days.add_business(bank_day, usual))
    reason = np.where(method == RIBA, RIBA_UNPAID, np.where(refund, SDD_REFUND, SDD_UNPAID))
    return bank_day, np.where(comes_back, returned, NEVER), np.where(comes_back, reason, "")


def transfer_day(
    p: Parameters,
    draws: Draws,
    customers: Customers,
    customer: NDArray[np.int64],
    wanted: Days,
    ids: NDArray[np.int64],
) -> Days:
    """The banking day on which a transfer wanted on a day reaches the account: pay runs, habits, holidays."""
    day = wanted
    for index, each in enumerate(p.types):
        if each.pay_days:
            run = np.minimum.reduce([days.next_of_month(wanted, of_month) for of_month in each.pay_days])
            day = np.where(customers.kind[customer] == index, days.previous_business(run), day)
    has_run = np.array([bool(each.pay_days) for each in p.types])[customers.kind[customer]]
    habit = customers.weekday[customer]
    to_habit = np.where((habit >= 0) & ~has_run, (habit - days.weekday(day)) % 7, 0)
    day = day + to_habit
    put_off = draws.happens("pays/put off", p.seasons.put_off, ids)
    for window in p.seasons.windows:
        inside, end = _in_window(day, window)
        day = np.where(inside & put_off, end + 1, day)
    return days.next_business(day)


def _in_window(day: Days, window: tuple[int, ...]) -> tuple[Flags, Days]:
    """Whether each day lies in a yearly window (which may pass the end of the year), and the window's end."""
    month, first, last_month, last = window
    years = days.year_of(day)
    inside = np.zeros(len(day), dtype=np.bool_)
    end = np.zeros(len(day), dtype=np.int64)
    for shift in (-1, 0):
        start = days.month_start((years + shift - 1970) * 12 + month - 1) + first - 1
        next_year = 1 if last_month < month else 0
        stop = days.month_start((years + shift + next_year - 1970) * 12 + last_month - 1) + last - 1
        here = (day >= start) & (day <= stop)
        inside |= here
        end = np.where(here, stop, end)
    return inside, end


def _parts(
    p: Parameters,
    draws: Draws,
    kind: NDArray[np.int64],
    drift: NDArray[np.float64],
    due: Days,
    plan: Days,
    cash: NDArray[np.int64],
    ids: NDArray[np.int64],
    method: NDArray[np.int64],
) -> tuple[Days, NDArray[np.int64]]:
    """Late transfers paid in two times: the day and the amount of the first one (0: paid at once)."""
    rate = np.array([each.partial for each in p.types])[kind] + p.insolvency.partial * drift
    late = (plan - due > LATE_ENOUGH_DAYS) & (plan < NEVER) & (method == TRANSFER)
    share = draws.between("pays/part", 0.3, 0.6, ids)
    cents = np.round(cash * share / ROUND_CENTS).astype(np.int64) * ROUND_CENTS
    day = days.next_business(due + np.where(late, (plan - due) // 2, 0))
    is_split = draws.happens("pays/in parts", rate, ids) & late & (cents > 0) & (cents < cash) & (day < plan)
    return np.where(is_split, day, NEVER), np.where(is_split, cents, 0)
