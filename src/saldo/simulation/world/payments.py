"""A day at the bank: transfers with their texts and faults, slips of receipts, returns, refunds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saldo.simulation.world import days
from saldo.simulation.world.behavior import RIBA
from saldo.simulation.world.credits import REFUNDED_AFTER_DAYS, USED_AFTER_DAYS, open_notes
from saldo.simulation.world.days import NEVER
from saldo.simulation.world.references import DEPARTURES, UNUSABLE, Paid, mistyped, reference
from saldo.simulation.world.state import Credit, State

# Nobody takes a discount off, or pays twice, what is smaller than this.
WORTH_CENTS = 50_000
DUPLICATE_AFTER_DAYS = (3, 25)
FOREIGN_CHARGES_FACTOR = 10
ON_ACCOUNT_WORDS = ("ACCONTO", "BONIFICO", "ACCONTO SU FORNITURE", "")


@dataclass(frozen=True, slots=True)
class Group:
    """What one payer pays to one company on one day: lines with the cents meant for each."""

    company: int
    payer: int
    lines: list[int]
    cents: list[int]
    is_part: bool


@dataclass(frozen=True, slots=True)
class Luck:
    """The draws of one transfer."""

    pick: int
    departs: bool
    mistyped: bool
    wrong_name: bool
    charges: float
    rounds: bool
    duplicates: bool
    on_account: bool
    discount: bool
    posted: int
    has_end_to_end: bool


def pay_transfers(state: State, day: int) -> None:
    """Everything that customers pay by transfer on ``day``."""
    groups = list(_groups(state, day))
    if groups:
        for group, luck in zip(groups, _lucks(state, groups, day), strict=True):
            _transfer(state, group, luck, day)


def _groups(state: State, day: int) -> Iterator[Group]:
    lines = state.lines
    whole = np.flatnonzero(lines.plan == day)
    whole = whole[state.remaining[whole] > 0]
    part = np.flatnonzero(lines.part_day == day)
    part = part[(lines.part_cents[part] > 0) & (state.remaining[part] > lines.part_cents[part])]
    part = part[lines.plan[part] > day]
    chosen = np.concatenate([whole, part])
    if not len(chosen):
        return
    cents = np.concatenate([state.remaining[whole], lines.part_cents[part]])
    is_part = np.concatenate([np.zeros(len(whole), np.bool_), np.ones(len(part), np.bool_)])
    payer = state.payers(lines.customer[chosen], day)
    company = state.company[lines.account[chosen]]
    order = np.lexsort((chosen, lines.due[chosen], payer, company))
    key = company[order] * 10**9 + payer[order]
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])).tolist()
    companies, payers = company[order].tolist(), payer[order].tolist()
    ordered, amounts, parts = chosen[order].tolist(), cents[order].tolist(), is_part[order].tolist()
    for start, stop in zip(starts, [*starts[1:], len(ordered)], strict=True):
        yield Group(
            companies[start], payers[start], ordered[start:stop], amounts[start:stop], any(parts[start:stop])
        )


def _lucks(state: State, groups: list[Group], day: int) -> Iterator[Luck]:
    """One for each group; drawn by company, payer and day."""
    draws, faults, p = state.draws, state.p.faults, state.p
    ids = (np.array([g.company for g in groups]), np.array([g.payer for g in groups]), day)
    foreign = np.where(state.is_foreign[ids[1]], FOREIGN_CHARGES_FACTOR, 1)
    withheld = draws.happens("fault/charges", faults.charges_withheld * foreign, *ids)
    low, high = faults.charges
    charges = np.where(withheld, low + (high - low) * draws.uniform("fault/how much", *ids), 0.0)
    lags = list(p.postings.lag_days)
    lag = np.array(lags)[draws.choice("post/lag", list(p.postings.lag_days.values()), *ids)]
    columns = (
        draws.whole("text/pick", 0, 10**9, *ids),
        draws.happens("text/departs", p.references.departs, *ids),
        draws.happens("fault/typing", faults.typing_error, *ids),
        draws.happens("fault/name", faults.wrong_name, *ids),
        charges,
        draws.happens("fault/rounding", faults.rounding, *ids),
        draws.happens("fault/duplicate", faults.duplicate, *ids),
        draws.happens("fault/on account", faults.on_account, *ids),
        draws.happens("fault/discount", faults.discount_taken, *ids),
        days.add_business(day, lag),
        draws.happens("text/end to end", 0.5, *ids),
    )
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield Luck(*row)


def _transfer(state: State, group: Group, luck: Luck, day: int) -> None:
    credits = _credits_taken(state, group)
    total = sum(group.cents) - sum(credit.cents for credit in credits)
    missing, kind = _missing(state, group, luck, total)
    faults = [kind] if missing else []
    text, structured, style, name = _told(state, group, credits, luck, day, faults)
    if style in UNUSABLE:
        faults.append(style)
    payment = _book(
        state, group.company, group.payer, total - missing, day, name, text, structured,
        f"CLI{group.payer}-{day}" if luck.has_end_to_end else "NOTPROVIDED",
        missing if kind == "charges_withheld" else 0, faults,
    )  # fmt: skip
    _settle(state, group, credits, missing, kind, payment, luck, day)
    _after(state, group, luck, payment, total, text or structured, day)


def _credits_taken(state: State, group: Group) -> list[Credit]:
    """Open credit notes that this payer takes off, as long as something is left to pay."""
    room = sum(group.cents)
    taken: list[Credit] = []
    for account in dict.fromkeys(state.lines.account[group.lines].tolist()):
        for credit in open_notes(state, account) if account in state.credits else ():
            likes = state.draws.happens("notes/taken", state.p.faults.credit_taken, credit.line)
            if likes and credit.cents < room:
                room -= credit.cents
                taken.append(credit)
    return taken


def _missing(state: State, group: Group, luck: Luck, total: int) -> tuple[int, str]:
    """What does not arrive of ``total``, in cents, and the fault that explains it."""
    largest = max(group.cents)
    if luck.discount and total >= WORTH_CENTS and not group.is_part:
        return min(round(total * state.p.faults.discount_rate), largest - 1), "discount_taken"
    if luck.charges and total > 10_000:
        return min(round(luck.charges * 100), largest - 1), "charges_withheld"
    if luck.rounds and total > 10_000 and not group.is_part:
        return (total % 100 or 1) if luck.pick % 2 else 1, "rounding"
    return 0, ""


def _told(
    state: State, group: Group, credits: list[Credit], luck: Luck, day: int, faults: list[str]
) -> tuple[str, str, str, str]:
    """(text, structured reference, style, payer's name), with the faults of the writing noted."""
    payer = group.payer
    style = DEPARTURES[luck.pick % len(DEPARTURES)] if luck.departs else state.styles[payer]
    invoices = dict.fromkeys(state.lines.invoice[group.lines].tolist())
    paid = [Paid(state.numbers[n], state.invoice_dates[n], state.orders[n]) for n in invoices]
    text, structured, style = reference(
        style, paid, [credit.number for credit in credits], days.day_of(day), luck.pick,
        state.languages[payer], state.p.references.most_numbers,
    )  # fmt: skip
    if luck.mistyped and style not in UNUSABLE and text:
        text = mistyped(text, luck.pick)
        faults.append("typing_error")
    name = state.names[payer]
    if luck.wrong_name:
        faults.append("wrong_name")
        name = _wrong_name(name, luck.pick)
    if set(state.lines.customer[group.lines].tolist()) != {payer}:
        faults.append("other_payer")
    return text[: state.p.references.text_length], structured, style, name


def _wrong_name(name: str, pick: int) -> str:
    """As it was before, or as a bank cut it, or the initials."""
    words = name.split()
    if pick % 3 == 0:
        return "EX " + " ".join(words[:1]) + " DI " + words[-1]
    if pick % 3 == 1:
        return name[:12]
    return "".join(word[0] for word in words)


def _book(
    state: State, company: int, payer: int | None, cents: int, day: int, name: str, text: str,
    structured: str, end_to_end: str, charges: int, faults: list[str], kind: str = "transfer",
    use: str = "transfer", batch: int | None = None, receipt: int | None = None, reason: str | None = None,
) -> int:  # fmt: skip
    """A line of our bank account; returns its payment_id."""
    payments = state.books.payments
    ours = state.banks[use][company]
    iban = "" if payer is None else state.iban(payer, day)
    payment = payments.height
    payments.add(
        (payment, company, ours, kind, payer, day, day, cents, name, iban, text, end_to_end, structured,
         charges, batch, receipt, reason, faults)
    )  # fmt: skip
    return payment


_LINE_KINDS = {"discount_taken": "discount", "charges_withheld": "charges", "rounding": "rounding"}


def _settle(
    state: State, group: Group, credits: list[Credit], missing: int, kind: str, payment: int, luck: Luck,
    day: int,
) -> None:  # fmt: skip
    """What the payment is for, and when the ERP will have it. What is missing falls on the largest line."""
    largest = group.cents.index(max(group.cents))
    for at, (line, cents) in enumerate(zip(group.lines, group.cents, strict=True)):
        short = missing if at == largest else 0
        state.remaining[line] -= cents
        state.books.payment_lines.add((payment, line, "paid", cents - short))
        state.post_later(luck.posted, line, day, cents - short, "payment", payment)
        if short:
            state.books.payment_lines.add((payment, line, _LINE_KINDS[kind], short))
            low, high = state.p.postings.writes_off_after_days
            wait = 0 if short <= state.p.postings.tolerance * 100 else low + luck.pick % (high - low)
            written_off = int(days.next_business(luck.posted + wait))
            state.post_later(written_off, line, day, short, "write_off", None)
    for credit in credits:
        state.books.payment_lines.add((payment, credit.line, "credit", -credit.cents))
        state.post_later(luck.posted, credit.line, day, -credit.cents, "credit", payment)
        credit.cents = 0


def _after(state: State, group: Group, luck: Luck, payment: int, total: int, text: str, day: int) -> None:
    """The advice, the second payment by mistake (with the same words), the money for nothing."""
    habit = state.habits[group.payer]
    if habit != "none":
        low, high = state.p.remittances.days
        sent = day + low + luck.pick % (high - low + 1)
        state.books.remittances.add((state.books.remittances.height, payment, habit, sent))
    account = int(state.lines.account[group.lines[0]])
    who = (group.company, group.payer, account)
    if luck.duplicates and total >= WORTH_CENTS:
        low, high = DUPLICATE_AFTER_DAYS
        later = int(days.next_business(day + low + luck.pick % (high - low)))
        state.agenda.put(later, "pay for nothing", *who, total, "duplicate", text)
    if luck.on_account:
        cents = max(1, round(total / 1_000_00)) * 500_00
        words = ON_ACCOUNT_WORDS[luck.pick % len(ON_ACCOUNT_WORDS)]
        state.agenda.put(day, "pay for nothing", *who, cents, "on_account", words)


def pay_for_nothing(
    state: State, company: int, payer: int, account: int, cents: int, kind: str, text: str
) -> None:
    """A payment that belongs to no invoice: the ERP keeps it on account, then uses it up or gives it back."""
    day = state.today
    if state.customers.insolvency[payer] <= day:
        return
    name = state.names[payer]
    payment = _book(state, company, payer, cents, day, name, text, "", "NOTPROVIDED", 0, [kind])
    posted = int(days.add_business(day, 1))
    credit = state.credit("on_account", account, cents, posted, None, "")
    state.books.payment_lines.add((payment, credit.line, kind, cents))
    low, high = REFUNDED_AFTER_DAYS if kind == "duplicate" else USED_AFTER_DAYS
    wait = int(state.draws.whole("on account/wait", low, high, credit.line))
    later = int(days.next_business(posted + wait))
    state.agenda.put(later, "refund" if kind == "duplicate" else "use credit", credit)


def refund(state: State, credit: Credit) -> None:
    """Give back what is left of a credit."""
    if credit.cents:
        day, cents = state.today, credit.cents
        payer = int(state.payers(state.account_customer[credit.account], day))
        payment = _book(
            state, int(state.company[credit.account]), payer, -cents, day, state.names[payer],
            f"RIMBORSO {credit.number}", "", "NOTPROVIDED", 0, [], kind="refund",
        )  # fmt: skip
        state.books.payment_lines.add((payment, credit.line, "refund", -cents))
        state.post(credit.line, day, -cents, "refund", payment)
        credit.cents = 0


# -- receipts and direct debits --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipts:
    """RECEIPTS as columns, in order of the bank's day."""

    bank_day: NDArray[np.int64]
    line: list[int]
    account: list[int]
    batch: list[int]
    cents: list[int]
    returned: list[int]
    reason: list[Any]


def collect(state: State, receipts: Receipts, day: int) -> None:
    """The slips and batches that the bank credits on ``day``."""
    start, stop = np.searchsorted(receipts.bank_day, [day, day + 1])
    at = int(start)
    while at < stop:
        end = at
        while end < stop and receipts.batch[end] == receipts.batch[at]:
            end += 1
        _credit_batch(state, receipts, at, end, day)
        at = end


def _credit_batch(state: State, receipts: Receipts, start: int, stop: int, day: int) -> None:
    is_riba = state.lines.method[receipts.line[start]] == RIBA
    kind = "riba" if is_riba else "sdd"
    company = int(state.company[receipts.account[start]])
    batch = receipts.batch[start]
    text = f"{'RIBA DISTINTA' if is_riba else 'SDD LOTTO'} {batch:06d} N. {stop - start}"
    payment = _book(
        state, company, None, sum(receipts.cents[start:stop]), day, "", text, "", "", 0, [],
        kind=kind, use=kind, batch=batch,
    )  # fmt: skip
    posted = day if is_riba else int(days.add_business(day, 1))
    for at in range(start, stop):
        line, cents = receipts.line[at], receipts.cents[at]
        state.remaining[line] -= cents
        state.books.payment_lines.add((payment, line, "paid", cents))
        state.post_later(posted, line, day, cents, "payment", payment)
        if receipts.returned[at] < NEVER:
            state.agenda.put(receipts.returned[at], "return", at)


def take_back(state: State, receipts: Receipts, at: int) -> None:
    """A receipt or debit comes back: the money goes, the line is open again, the bank takes its fee."""
    day = state.today
    line, cents, account = receipts.line[at], receipts.cents[at], receipts.account[at]
    is_riba = state.lines.method[line] == RIBA
    kind, company = ("riba" if is_riba else "sdd"), int(state.company[account])
    payer = int(state.lines.customer[line])
    number = state.numbers[int(state.lines.invoice[line])]
    payment = _book(
        state, company, payer, -cents, day, state.names[payer],
        f"{'INSOLUTO RIBA' if is_riba else 'SDD RESPINTO'} FATT. {number}", "", f"R{at:09d}", 0, [],
        kind=f"{kind}_return", use=kind, batch=receipts.batch[at], receipt=at, reason=receipts.reason[at],
    )  # fmt: skip
    fee = round(100 * (state.p.riba.fee if is_riba else state.p.sdd.fee))
    _book(
        state, company, None, -fee, day, "", "COMMISSIONI SU INSOLUTO", "", "", 0, [], kind="fee", use=kind,
        batch=receipts.batch[at], receipt=at,
    )  # fmt: skip
    state.remaining[line] += cents
    state.is_returned[line] = True
    state.books.payment_lines.add((payment, line, "paid", -cents))
    state.post_later(int(days.add_business(day, 1)), line, day, -cents, "return", payment)
