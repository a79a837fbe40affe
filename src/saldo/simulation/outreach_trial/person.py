"""The person at the desk: confirms what is proposed and sure, reads the rest, and what is read is right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from saldo.cash.claims import end_claim
from saldo.core.errors import SaldoError
from saldo.flows.handle_reply import confirm, propose
from saldo.flows.read_mail import REPLY, take
from saldo.outreach.models import ReplyHandling, ReplyReading
from saldo.simulation.outreach_trial.mail import Arrived
from saldo.simulation.outreach_trial.office import Office
from saldo.simulation.replies.corpus import LABEL_OF_KIND
from saldo.simulation.world.tables import Tables

if TYPE_CHECKING:
    from saldo.simulation.outreach_trial.run import Lived

# The cash desk looks for a payment that a customer says it made for so long.
LOOK_DAYS = 14
# A promise without a day is given so long.
VAGUE_DAYS = 10
REASONS = {"missing_pod": "delivery", "price": "price", "quality": "quality", "discount_taken": "price"}


@dataclass(slots=True)
class Person:
    """disputes: Saldo's dispute -> the installments it is about; claims: open claims and their last day."""

    office: Office
    acts: Counter[str]
    disputes: dict[int, frozenset[int]] = field(default_factory=dict)
    claims: dict[int, date] = field(default_factory=dict)

    def work(self, day: date, t: Tables, items: dict[int, int]) -> None:
        """What has been decided or found since: disputes end, claims without a payment do too."""
        still = t.disputes.filter((pl.col("resolved_date") > day) | pl.col("resolved_date").is_null())
        done = set(t.disputes.filter(pl.col("resolved_date") <= day)["installment_id"].to_list())
        settled = frozenset(done - set(still["installment_id"].to_list()))
        self.office.settle_disputes(self.disputes, settled)
        for claim_id, last in list(self.claims.items()):
            if day > last:
                try:
                    end_claim(self.office.person(), claim_id, "not_found")
                except SaldoError as error:
                    self.office.count(f"claim {error.code}")
                del self.claims[claim_id]

    def handle(self, reply: Arrived, items: dict[int, int], lived: Lived) -> None:
        """A mail comes in; what it is read as is compared with the truth; what it means is recorded."""
        company = self.office.desk.companies[reply.company]
        taken = take(
            self.office.context(company.id), reply.raw, f"{reply.company}:email", company_id=company.id
        )
        self.acts[f"mail {taken.kind}"] += 1
        if taken.kind != REPLY or taken.reply_id is None:
            return
        kind = reply.truth["kind"]
        label = ReplyReading.objects.filter(reply_id=taken.reply_id).latest("id").label
        is_right = label == LABEL_OF_KIND[kind]
        told = lived.read.setdefault(kind, [0, 0])
        told[0] += is_right
        told[1] += 1
        handled = ReplyHandling.objects.filter(reply_id=taken.reply_id).order_by("-id").first()
        if handled is not None and handled.act not in ("", "brake", "assigned"):
            self.acts[f"by itself {handled.act}"] += 1
            return
        ctx = self.office.person(company.id)
        proposal = propose(ctx, taken.reply_id)
        try:
            if proposal.one_key and proposal.is_filled:
                lived.by_key[0] += is_right
                lived.by_key[1] += 1
                self.acts[f"key {proposal.act}"] += 1
                fields = dict(proposal.fields)
                if proposal.act == "promise":
                    fields["replaces"] = True
                done = confirm(ctx, taken.reply_id, proposal.act, **fields)
            else:
                act, fields = self._meant(reply, items)
                self.acts[f"read {act}"] += 1
                done = confirm(ctx, taken.reply_id, act, **fields)
        except SaldoError as error:
            self.office.count(f"reply {error.code}")
            return
        self._remember(done, reply)

    def _meant(self, reply: Arrived, items: dict[int, int]) -> tuple[str, dict[str, Any]]:
        """What a reader who understands would record."""
        truth, day = reply.truth, self.office.desk.day
        wanted = set(truth["installments"] or ())
        named = [item for item, line in items.items() if line in wanted]
        match truth["kind"]:
            case "promise" | "plan_accepted":
                promised = truth["promise_date"] or day + timedelta(days=VAGUE_DAYS)
                cents = truth["promise_cents"]
                return "promise", {
                    "promised_date": max(promised, day), "amount_mills": cents * 10 if cents else None,
                    "item_ids": named, "replaces": True,
                }  # fmt: skip
            case "dispute":
                return "dispute", {"item_ids": named, "reason": REASONS.get(truth["reason"] or "", "other")}
            case "already_paid":
                return "paid_claim", {"item_ids": named}
            case "out_of_office":
                until = (truth["return_date"] or day + timedelta(days=8)) - timedelta(days=1)
                return "hold", {"until_date": max(until, day), "reason": "out_of_office"}
            case "wrong_person":
                return "wrong_contact", {"address": reply.answered.to_address or reply.writer_address}
            case "angry":
                return "complaint", {"until_date": day + timedelta(days=7)}
            case _:
                return "nothing", {}

    def _remember(self, handling_id: int, reply: Arrived) -> None:
        data = ReplyHandling.objects.values_list("data", flat=True).get(id=handling_id)
        if dispute := data.get("dispute_id"):
            self.disputes[dispute] = frozenset(reply.truth["installments"] or ())
        if claim := data.get("claim_id"):
            self.claims[claim] = self.office.desk.day + timedelta(days=LOOK_DAYS)
