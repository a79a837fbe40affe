"""What customers answer, as mails that reach the office: they name our message; its reader writes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import polars as pl

from saldo.outreach.links import reply_address
from saldo.outreach.models import Message
from saldo.simulation.draws import Draws
from saldo.simulation.files.replies import Letter, letters, reply_file
from saldo.simulation.outreach_trial.office import LeftMessage
from saldo.simulation.world.tables import Tables


@dataclass(frozen=True, slots=True)
class Arrived:
    """A reply as it came, and what is true of it (a row of REPLIES). company: its code."""

    raw: bytes
    company: str
    truth: dict[str, Any]
    answered: LeftMessage
    writer_address: str


@dataclass(slots=True)
class Post:
    """written: the world's message -> ours. until: the day up to which replies have come."""

    draws: Draws
    written: dict[int, LeftMessage] = field(default_factory=dict)
    until: date | None = None

    def arrived(self, t: Tables, day: date) -> Iterator[Arrived]:
        """The replies by mail since the last call, up to ``day``."""
        first = day if self.until is None else self.until + timedelta(days=1)
        self.until = day
        truths = {
            row["reply_id"]: row
            for row in t.replies.filter(pl.col("reply_date").is_between(first, day)).iter_rows(named=True)
        }
        for letter in letters(t, self.draws, first, day):
            ours = self.written.get(letter.message_no)
            if ours is not None:
                file = reply_file(self.draws, _to_ours(letter, ours))
                yield Arrived(
                    file.data, letter.company["code"], truths[letter.said.reply_id], ours, letter.address
                )


def _to_ours(letter: Letter, ours: LeftMessage) -> Letter:
    """It answers the Message-ID of our message, at the signed address that stood in it."""
    token = Message.objects.values_list("token", flat=True).get(id=ours.message_id)
    to = reply_address(token, letter.company["code"]) or letter.company["email"]
    address = ours.to_address if ours.channel == "email" and ours.to_address else letter.address
    return replace(letter, message_id=ours.rfc_id, address=address, company={**letter.company, "email": to})
