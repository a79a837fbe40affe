"""Who acts, as of which day, and when it is recorded: the first argument below the interfaces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of one query, operation or flow.

    actor: the user's login, or "system:<what>" for scheduled work.
    as_of: the legal day the figures count for.
    clock: tells the present instant (UTC, aware). Only ``interfaces.clock`` makes a real one; below the
        interfaces nothing else may tell the time, so a simulated day is a matter of passing another clock.
    recorded_at: when what is written now is known; None until ``identity.operations.stamped`` has set it
        under the company's advisory lock.
    known_at: only facts recorded up to this instant are seen; None means all that is known.
    key: idempotency key of the request, if the caller has one.
    company_id: the company this is limited to; None means every company the actor may see.
    language: "it" or "en", for texts made for the actor.
    """

    actor: str
    as_of: date
    clock: Callable[[], datetime]
    recorded_at: datetime | None = None
    known_at: datetime | None = None
    key: str = ""
    company_id: int | None = None
    language: str = "it"

    def at(self, as_of: date, known_at: datetime | None = None) -> Context:
        """The same actor looking at another day, with what was known then."""
        return replace(self, as_of=as_of, known_at=known_at)

    def within(self, company_id: int) -> Context:
        """The same context limited to one company."""
        return replace(self, company_id=company_id)
