"""Advisory locks of a company, and the retry of what lost a race."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TypeVar

from django.db import DatabaseError, OperationalError, connection, transaction

T = TypeVar("T")

# First key of the advisory locks: "SALD" in ASCII. The second key is the company.
RECORDING = 0x53414C44
IMPORTING = 0x53414C45
APPLYING = 0x53414C46
MAILING = 0x53414C47
TAKING = 0x53414C48
SENDING = 0x53414C49
COUNTING = 0x53414C4A
RETRIED_STATES = frozenset({"40P01", "40001"})  # deadlock detected, serialization failure
ATTEMPTS = 8


def hold_recording_lock(company_id: int) -> None:
    """Share the company's lock until the transaction ends: what is stamped now belongs to this instant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [RECORDING, company_id])


def recording_session(company_ids: Sequence[int]) -> AbstractContextManager[None]:
    """Share the locks of several companies over several transactions (an import of many chunks)."""
    return _session_locks(RECORDING, company_ids, "_shared")


def importing(company_ids: Sequence[int]) -> AbstractContextManager[None]:
    """One import at a time for each company: the next one waits."""
    return _session_locks(IMPORTING, company_ids, "")


def applying(company_id: int) -> AbstractContextManager[None]:
    """One run of cash application at a time for a company: the next one waits, and sees what it left."""
    return _session_locks(APPLYING, [company_id], "")


def reading_mail(mailbox_id: int) -> AbstractContextManager[None]:
    """One reading of a mailbox at a time: the next one waits, and finds nothing left."""
    return _session_locks(MAILING, [mailbox_id], "")


def hold_mail_lock(key: str) -> None:
    """Until the transaction ends nobody else takes in a message of this key: of one that comes twice at once,
    the second sees the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [TAKING, key])


def hold_counting_lock(company_id: int) -> None:
    """Until the transaction ends nobody else counts what the company has sent, and adds to it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [COUNTING, company_id])


@contextmanager
def sending(message_id: int) -> Iterator[bool]:
    """Whether this process is the one that sends the message; while it is, every other one gets False.

    The lock is the session's: it outlives the transactions of the sending, and dies with the process (or with
    its connection to the database). Who gets it knows that no other attempt is under way.
    """
    key = message_id & 0x7FFFFFFF
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [SENDING, key])
        is_ours = bool(cursor.fetchone()[0])
    try:
        yield is_ours
    finally:
        # A session that was lost meanwhile took its lock with it.
        if is_ours and connection.connection is not None:
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SENDING, key])


@contextmanager
def _session_locks(kind: int, company_ids: Sequence[int], mode: str) -> Iterator[None]:
    """Locks that outlive transactions, taken in id order; if the session dies they die with it.

    Inside a transaction (a dry run) they are the transaction's: one that failed could not give them back.
    """
    ordered = sorted(company_ids)
    if connection.in_atomic_block:
        with connection.cursor() as cursor:
            for company_id in ordered:
                cursor.execute(f"SELECT pg_advisory_xact_lock{mode}(%s, %s)", [kind, company_id])
        yield
        return
    with connection.cursor() as cursor:
        for company_id in ordered:
            cursor.execute(f"SELECT pg_advisory_lock{mode}(%s, %s)", [kind, company_id])
    try:
        yield
    finally:
        if connection.connection is not None:
            with connection.cursor() as cursor:
                for company_id in ordered:
                    cursor.execute(f"SELECT pg_advisory_unlock{mode}(%s, %s)", [kind, company_id])


@contextmanager
def exclusive_instant(company_id: int) -> Iterator[None]:
    """Nobody records for the company while this is held: the instant that fixes a day run's known_at."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [RECORDING, company_id])
        yield


def retried(work: Callable[[], T]) -> T:
    """Run ``work`` (a whole transaction) again when PostgreSQL chose it as the loser of a race."""
    for attempt in range(ATTEMPTS):
        try:
            return work()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if state not in RETRIED_STATES or attempt == ATTEMPTS - 1 or connection.in_atomic_block:
                raise
            # Not in step with the other loser, or both lose again.
            time.sleep(random.uniform(0.5, 1.5) * 0.02 * 2**attempt)
    raise AssertionError("unreachable")
