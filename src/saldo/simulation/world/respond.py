"""What customers do when they are asked: pay sooner or not, answer, object, get angry.

By paying type, tone, channel, timing and fatigue ([contact] of parameters.toml). A contact changes what the
customer meant to do (``Intentions.plan``) and nothing else; who is not asked is not changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from saldo.simulation.world import days
from saldo.simulation.world.days import NEVER
from saldo.simulation.world.state import State

TONES = ("courtesy", "soft", "firm", "formal")
COURTESY = "courtesy"
PLAN = "plan"
DRIFTING, FORGETFUL = "drifting", "forgetful"
# A drift this far gone makes a customer behave as one that drifts, whatever it was before.
DRIFT_SHOWS = 0.25
AUGUST = 8
REPLY_WITHIN_DAYS = 3
# Nobody is moved for certain.
MOST_LIKELY = 0.95
# What a customer says that has decided nothing, compared with one that has.
INSINCERE_SHARE = 0.35
# Money that is on its way when the message comes.
UNDER_WAY_DAYS = 3


@dataclass(frozen=True, slots=True)
class Message:
    """One message and its draws, each in [0, 1)."""

    message: int
    account: int
    channel: str
    tone: str
    purpose: str
    lines: list[int]
    reach: float
    answer: float
    decide: float
    keep: float
    annoy: float
    kind: float
    pick: int
    within: int
    type: str


def respond(state: State, messages: pl.DataFrame) -> None:
    """The effects of the messages of today; their replies come in the next days."""
    for message in _with_draws(state, messages):
        _Hearing(state, message).heard()


def _with_draws(state: State, messages: pl.DataFrame) -> list[Message]:
    """Drawn by account, day and channel, so that the same contact meets the same mood under every policy."""
    account = messages["account_id"].cast(pl.Int64).to_numpy()
    channels = list(state.p.contact.reach)
    channel = (
        messages["channel"]
        .replace_strict({name: n for n, name in enumerate(channels)}, return_dtype=pl.Int64)
        .to_numpy()
    )
    ids = (account, state.today, channel)
    draws = [
        state.draws.uniform(f"contact/{name}", *ids)
        for name in ("reach", "answer", "decide", "keep", "annoy", "kind")
    ]
    pick = state.draws.whole("contact/pick", 0, 10**9, *ids)
    within = state.draws.whole("contact/within", *state.p.contact.pay_within, *ids)
    types = _types(state, account)
    columns = messages.select("message_id", "account_id", "channel", "tone", "purpose", "installments")
    return [
        Message(*row, *drawn)
        for row, drawn in zip(
            columns.iter_rows(),
            zip(*(draw.tolist() for draw in draws), pick.tolist(), within.tolist(), types, strict=True),
            strict=True,
        )
    ]


def _types(state: State, account: NDArray[np.int64]) -> list[str]:
    """The paying type by which each account hears today; a drift that shows comes before the type."""
    customer = state.account_customer[account]
    drift = state.customers.drift(customer, np.full(len(customer), state.today))
    names = [kind.name for kind in state.p.types]
    return [
        DRIFTING if shows else names[kind]
        for shows, kind in zip(
            (drift > DRIFT_SHOWS).tolist(), state.customers.kind[customer].tolist(), strict=True
        )
    ]


class _Hearing:
    """One customer hearing one message."""

    def __init__(self, state: State, message: Message) -> None:
        self.state, self.message, self.contact = state, message, state.p.contact
        self.day = state.today
        self.customer = int(state.account_customer[message.account])
        self.type = message.type
        lines = np.asarray(message.lines, dtype=np.int64)
        # A message may name credits too: nobody owes them.
        lines = lines[lines < len(state.remaining)]
        lines = lines[state.is_payable(lines)]
        self.owed = owed = lines[state.remaining[lines] > 0]
        self.overdue = owed[state.lines.due[owed] < self.day]
        self.fails = int(state.customers.insolvency[self.customer])
        log = state.contacts.setdefault(self.customer, [])
        recent = [day for day in log if self.day - day < self.contact.fatigue_days]
        self.recent = len(recent)
        recent.append(self.day)
        state.contacts[self.customer] = recent

    def heard(self) -> None:
        message, contact = self.message, self.contact
        if self.fails <= self.day:
            return
        if self._does_not_arrive():
            return
        if message.reach >= contact.reach[message.channel]:
            return
        if self._annoyed():
            self._reply("angry")
            if message.kind < 0.5:
                return
        self._decides()

    # -- who does not hear it ------------------------------------------------------------------------

    def _does_not_arrive(self) -> bool:
        """No address; one whose owner has left; somebody on holiday: an e-mail is answered by a machine."""
        if not self.state.has_address(self.message.channel, self.customer):
            return True
        if self.message.channel != "email":
            return False
        left = self.state.left_day[self.customer]
        if left <= self.day:
            if self.message.answer < self.contact.reply.email:
                self._reply("wrong_person")
            return True
        reply = self.contact.reply
        today = days.day_of(self.day)
        away = reply.out_of_office_august if today.month == AUGUST else reply.out_of_office
        # The upper end of the draw: who is away is not who answers.
        if self.message.answer > 1.0 - away:
            back = int(days.next_business(self.day + 3 + self.message.pick % 14))
            self._reply("out_of_office", return_day=back, at_once=True)
            return True
        return False

    def _annoyed(self) -> bool:
        complaint = self.contact.complaint
        chance = complaint.tone[TONES.index(self.message.tone)] + complaint.per_recent_contact * self.recent
        chance *= complaint.types[self.type] * (
            1.0 if len(self.overdue) else complaint.nothing_overdue_factor
        )
        return self.message.annoy < chance

    # -- what they do --------------------------------------------------------------------------------

    def _answers(self) -> bool:
        if self.message.channel == "call":
            return True
        share: float = getattr(self.contact.reply, self.message.channel, 0.0)
        return self.message.answer < share

    def _decides(self) -> None:
        if not len(self.owed):
            if self._answers():
                self._reply("already_paid", honest=True)
            return
        if self.message.tone == COURTESY and not len(self.overdue):
            self._reminded_early()
            return
        self._object()
        free = self._free(self.overdue)
        if not len(free):
            return
        if self._under_way(free):
            if self._answers():
                self._reply("already_paid", honest=True)
        elif self.message.purpose == PLAN and self._accepts_plan(free):
            return
        elif self.message.decide < self._willing():
            self._pays(free)
        else:
            self._puts_off(free)

    def _free(self, lines: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lines that a contact can move. Who objects and was not heard does not pay for being asked."""
        return lines[~self.state.is_bound[lines] & ~self.state.lines.is_disputed[lines]]

    def _willing(self) -> float:
        contact, message = self.contact, self.message
        likely = contact.decides[self.type][TONES.index(message.tone)] * contact.strength[message.channel]
        return min(MOST_LIKELY, likely * contact.fatigue**self.recent)

    def _under_way(self, lines: NDArray[np.int64]) -> bool:
        return bool((self.state.lines.plan[lines] <= self.day + UNDER_WAY_DAYS).all())

    def _reminded_early(self) -> None:
        """Before the due date only the forgetful are moved: to pay on it."""
        contact, lines = self.contact, self._free(self.owed)
        soon = lines[self.state.lines.due[lines] <= self.day + contact.courtesy_days]
        chance = contact.courtesy_share * contact.fatigue**self.recent
        if len(soon) and self.type == FORGETFUL and self.message.decide < chance:
            # What is due today is paid tomorrow at the earliest: today's transfers have been made.
            self._bring_forward(
                soon, days.next_business(np.maximum(self.state.lines.due[soon], self.day + 1))
            )

    def _pays(self, lines: NDArray[np.int64]) -> None:
        day = int(days.next_business(self.day + self.message.within))
        kind = self.state.p.types[int(self.state.customers.kind[self.customer])].name
        honest = self.message.keep < self.contact.carried_out[kind] and day < self.fails
        if honest:
            self._bring_forward(lines, np.full(len(lines), day))
        if self._answers() and self.message.kind < self.contact.reply.promise[self.type]:
            self._reply("promise", lines, promise_day=day, honest=honest)

    def _puts_off(self, lines: NDArray[np.int64]) -> None:
        """Nothing changes; some say something all the same."""
        if not self._answers():
            return
        reply, kind = self.contact.reply, self.message.kind
        promise = INSINCERE_SHARE * reply.promise[self.type]
        if kind < promise:
            day = int(days.next_business(self.day + 3 + self.message.pick % 20))
            kept = bool((self.state.lines.plan[lines] <= day).all())
            self._reply("promise", lines, promise_day=day, honest=kept)
        elif kind < promise + reply.already_paid_claim:
            self._reply("already_paid", lines, honest=False)
        elif kind < promise + reply.already_paid_claim + reply.question:
            self._reply("question", lines)

    def _bring_forward(self, lines: NDArray[np.int64], day: days.Days) -> None:
        """Pay on ``day`` what was to be paid later; nobody pays once it has failed."""
        plan = self.state.lines.plan
        plan[lines] = np.where(day < self.fails, np.minimum(plan[lines], day), plan[lines])

    def _accepts_plan(self, lines: NDArray[np.int64]) -> bool:
        """Milestones of whole lines, the oldest first; who does not keep it pays the first one only."""
        plan = self.contact.plan
        if self.message.decide >= plan.accepts[self.type]:
            return False
        lines = lines[np.lexsort((lines, self.state.lines.due[lines]))]
        low, high = plan.milestones
        count = min(len(lines), low + self.message.pick % (high - low + 1))
        milestone = np.arange(len(lines)) * count // len(lines)
        when = days.next_business(self.day + self.message.within + plan.days_between * milestone)
        kept = self.message.keep < plan.keeps[self.type]
        chosen = np.ones(len(lines), dtype=np.bool_) if kept else milestone == 0
        self._bring_forward(lines[chosen], when[chosen])
        self.state.is_bound[lines[chosen]] = True
        self._reply("plan_accepted", lines, promise_day=int(when[0]), honest=kept and when[-1] < self.fails)
        return True

    def _object(self) -> None:
        """Whoever has a reason to object says so once it is asked and answers; then it is dealt with."""
        state, lines = self.state, self.overdue
        objected = lines[state.lines.is_disputed[lines] & ~state.is_bound[lines]]
        if not len(objected) or not self._answers():
            return
        p = state.p.disputes
        for invoice in np.unique(state.lines.invoice[objected]).tolist():
            own = state.lines_of_invoice(invoice)
            # A receipt that the bank still has comes back by itself, and is objected to then.
            own = own[state.is_payable(own)]
            state.is_bound[own] = True
            wait = int(state.draws.whole("disputes/resolution", *p.resolution_days, invoice))
            resolved = int(days.next_business(self.day + wait))
            state.lines.plan[own] = NEVER
            open_dispute(state, invoice, own, self.day, resolved)
        self._reply("dispute", objected, reason=dispute_reason(state, int(state.lines.invoice[objected[0]])))

    def _reply(
        self,
        kind: str,
        lines: NDArray[np.int64] | None = None,
        promise_day: int | None = None,
        return_day: int | None = None,
        reason: str | None = None,
        honest: bool = True,
        at_once: bool = False,
    ) -> None:
        message, state = self.message, self.state
        lines = self.owed if lines is None else lines
        channel = "call" if message.channel == "call" else "email"
        wait = 0 if at_once or channel == "call" else message.pick % REPLY_WITHIN_DAYS
        day = self.day if not wait else int(days.next_business(self.day + wait))
        owed = int(state.remaining[lines].sum()) if kind == "promise" else None
        state.books.replies.add(
            (state.books.replies.height, message.message, message.account, day, channel, kind,
             promise_day, owed, reason, return_day, lines.tolist(), honest)
        )  # fmt: skip


# -- disputes ----------------------------------------------------------------------------------------------


def dispute_reason(state: State, invoice: int) -> str:
    reasons = state.p.disputes.reasons
    return list(reasons)[int(state.draws.choice("disputes/reason", list(reasons.values()), invoice))]


def open_dispute(state: State, invoice: int, lines: NDArray[np.int64], day: int, resolved: int) -> None:
    """Put down the dispute of an invoice and its end."""
    p = state.p.disputes
    valid = bool(state.draws.happens("disputes/valid", p.valid_share, invoice))
    part = float(state.draws.between("disputes/part", *p.credit_part, invoice))
    owed = int(state.remaining[lines].sum())
    credit = min(owed, max(1, round(owed * part))) if valid else 0
    reason = dispute_reason(state, invoice)
    for line in lines.tolist():
        share = credit * int(state.remaining[line]) // max(owed, 1)
        state.books.disputes.add((line, reason, valid, day, resolved, share))
    state.agenda.put(resolved, "resolve", invoice, credit, reason)
