"""The companies of web_world with a post: playbooks in force, planned messages, some sent, replies that wait.

Everything is made by the real flows, without a mail server: what became of a message is told by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from saldo.collection import playbook_changes
from saldo.flows.cut_over import Starting, go_live
from saldo.flows.day import run_day
from saldo.flows.queue_messages import approve
from saldo.flows.read_mail import take
from saldo.outreach import deliveries
from tests.web_world import AS_OF, CUSTOMERS, World, build, context, user

ADDRESS = "amministrazione@{}.test"
PROMISE = "Buongiorno,\npagheremo tutto lo scaduto con bonifico il 28/03/2025.\nCordiali saluti"


@dataclass(frozen=True)
class PostWorld:
    """planned, message, reply: by company code, of its first customer but planned (of its last one)."""

    world: World
    planned: dict[str, int]
    message: dict[str, int]
    reply: dict[str, int]

    @property
    def companies(self) -> dict[str, int]:
        return self.world.companies


def address_of(company: str, place: int) -> str:
    return ADDRESS.format(f"{company.lower()}{place}")


def reply_bytes(message_id: int, text: str, sender: str, token: str = "1") -> bytes:
    """An answer to a message of ours, as a mail program writes it."""
    from saldo.outreach.models import Message

    sent = Message.objects.get(id=message_id)
    head = [
        f"From: Amministrazione <{sender}>", "To: crediti@example.com", f"Subject: Re: {sent.subject}",
        f"Message-ID: <risposta-{message_id}-{token}@cliente.test>", f"In-Reply-To: {sent.rfc_id}",
        "Date: Thu, 20 Mar 2025 05:50:00 +0000", "Content-Type: text/plain; charset=utf-8",
    ]  # fmt: skip
    return ("\r\n".join(head) + f"\r\n\r\n{text}\r\n").encode()


def build_post() -> PostWorld:
    world = build()
    approver = user("approvatrice", "credit_manager").username
    told: dict[str, dict[str, int]] = {"planned": {}, "message": {}, "reply": {}}
    for company, company_id in world.companies.items():
        ctx = replace(context("system:test"), company_id=company_id)
        _contacts(world, company)
        _begin(ctx, company_id)
        run = run_day(ctx, company_id, refresh=True)
        actions = _actions(run, company_id)
        first, last = (world.account(company, place)[0] for place in (0, len(CUSTOMERS[company]) - 1))
        (made,) = approve(replace(ctx, actor=approver), [actions[first]]).done
        deliveries.add(ctx, made, "sending", attempt=1)
        deliveries.add(ctx, made, "sent")
        sender = address_of(company, 0)
        reply = take(ctx, reply_bytes(made, PROMISE, sender), f"{company}:email", company_id)
        told["planned"][company] = actions[last]
        told["message"][company] = made
        told["reply"][company] = int(reply.reply_id or 0)
    return PostWorld(world, **told)


def _contacts(world: World, company: str) -> None:
    from saldo.parties.models import Contact

    for place in range(len(CUSTOMERS[company])):
        Contact.objects.create(
            account_id=world.account(company, place)[0], name="Amministrazione", role="contabilità",
            email=address_of(company, place), phone="+39 02 5550100",
        )  # fmt: skip


def _begin(ctx: Any, company_id: int) -> None:
    for version in playbook_changes.install_shipped(ctx, company_id):
        playbook_changes.activate(replace(ctx, actor="capo"), company_id, version, "si parte")
    go_live(ctx, company_id, AS_OF, Starting({0: 0}), accept_missing=True)


def _actions(run: Any, company_id: int) -> dict[int, int]:
    """The day's planned reminder of each account."""
    from saldo.collection.models import PlaybookAction

    found = PlaybookAction.objects.filter(day_run__company_id=company_id, track="overdue", blocked="")
    return dict(found.order_by("day_run_id").values_list("account_id", "id"))
