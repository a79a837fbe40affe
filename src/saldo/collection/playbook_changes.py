"""Changing playbooks: saving a version, putting one in force, retiring it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from django.db import transaction

from saldo.collection.models import PlaybookActivation, PlaybookVersion
from saldo.collection.playbooks import (
    SHIPPED_ACTOR,
    content_of,
    digest_of,
    not_installed,
    person,
    version_row,
)
from saldo.core.context import Context
from saldo.core.errors import SaldoError
from saldo.core.playbook_checks import check
from saldo.core.playbook_problems import Problem, mistakes, refusal
from saldo.core.playbook_text import parse, shipped
from saldo.identity.models import Company
from saldo.identity.operations import record_event, stamped

NOTE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Saved:
    """is_new: it made a version; False: the newest version says the same already."""

    id: int
    code: str
    version: int
    is_new: bool
    warnings: tuple[Problem, ...] = ()


@transaction.atomic
def save(
    ctx: Context,
    company_id: int,
    text: str | bytes,
    note: str = "",
    templates: Collection[tuple[str, str]] | None = None,
    based_on: int | None = None,
) -> Saved:
    """Keep a text as the playbook's next version; nothing changes for customers until it is activated.

    templates: (code, channel) of those there are (None: not checked). based_on: the version that was edited;
    if a newer one was saved meanwhile the save is refused. Raises SaldoError: playbook_invalid with every
    mistake in ``params["problems"]``; playbook_changed_meanwhile.
    """
    playbook = parse(text)
    problems = check(playbook, templates)
    if mistakes(problems):
        raise refusal(problems)
    _lock(company_id)
    last = _newest(company_id, playbook.code)
    content = content_of(text if isinstance(text, str) else text.decode("utf-8-sig"))
    warnings = tuple(problems)
    if last is not None and last.digest == digest_of(content):
        return Saved(last.id, last.code, last.version, False, warnings)
    if based_on is not None and last is not None and last.version != based_on:
        raise SaldoError(
            "playbook_changed_meanwhile",
            code=last.code,
            version=last.version,
            author=last.actor,
            based_on=based_on,
        )
    row = _add(stamped(ctx, company_id), playbook.code, content, note, last)
    return Saved(row.id, row.code, row.version, True, warnings)


def _lock(company_id: int) -> None:
    """One at a time: versions are numbered, and the last word on a playbook counts."""
    Company.objects.select_for_update(no_key=True).get(id=company_id)


def _newest(company_id: int, code: str) -> PlaybookVersion | None:
    return PlaybookVersion.objects.filter(company_id=company_id, code=code).order_by("-version").first()


def _add(ctx: Context, code: str, content: str, note: str, last: PlaybookVersion | None) -> PlaybookVersion:
    row = PlaybookVersion.objects.create(
        company_id=ctx.company_id,
        code=code,
        version=last.version + 1 if last else 1,
        content=content,
        digest=digest_of(content),
        note=note.strip()[:NOTE_CHARACTERS],
        actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )
    record_event(ctx, "playbook.saved", "playbook", row.id, {"code": code, "version": row.version})
    return row


@transaction.atomic
def activate(ctx: Context, company_id: int, playbook_id: int, note: str = "") -> bool:
    """Put a version in force from now on, in place of the one that was. False where it is in force already.

    Raises SaldoError: playbook_version_unknown; four_eyes, if the actor wrote this version (those that come
    with Saldo anyone may activate).
    """
    _lock(company_id)
    version = PlaybookVersion.objects.filter(id=playbook_id, company_id=company_id).first()
    if version is None:
        raise SaldoError("playbook_version_unknown", code="–", version=playbook_id, known="–")
    if person(version.actor) == person(ctx.actor):
        raise SaldoError("four_eyes", code=version.code, version=version.version, author=version.actor)
    before = _last_word(company_id, version.code)
    if before is not None and before.is_active and before.playbook_id == version.id:
        return False
    _tell(stamped(ctx, company_id), version, True, note, before)
    return True


@transaction.atomic
def retire(ctx: Context, company_id: int, code: str, note: str = "") -> bool:
    """Take the playbook out of force; its customers fall to the next one in order. False where it is retired
    already. Raises SaldoError: playbook_unknown; playbook_not_in_force, if it never was."""
    version_row(company_id, code)
    _lock(company_id)
    before = _last_word(company_id, code)
    if before is None:
        raise SaldoError("playbook_not_in_force", code=code)
    if not before.is_active:
        return False
    _tell(stamped(ctx, company_id), before.playbook, False, note, before)
    return True


def _last_word(company_id: int, code: str) -> PlaybookActivation | None:
    told = PlaybookActivation.objects.filter(company_id=company_id, code=code).select_related("playbook")
    return told.order_by("-recorded_at", "-id").first()


def _tell(
    ctx: Context, version: PlaybookVersion, is_active: bool, note: str, before: PlaybookActivation | None
) -> None:
    PlaybookActivation.objects.create(
        company_id=ctx.company_id,
        code=version.code,
        playbook=version,
        is_active=is_active,
        note=note.strip()[:NOTE_CHARACTERS],
        actor=ctx.actor,
        recorded_at=ctx.recorded_at,
    )
    was = before.playbook.version if before is not None and before.is_active else None
    data = {"code": version.code, "version": version.version, "instead_of": was}
    kind = "playbook.activated" if is_active else "playbook.retired"
    record_event(ctx, kind, "playbook", version.id, data)


@transaction.atomic
def install_shipped(ctx: Context, company_id: int) -> list[int]:
    """Add the playbooks that come with Saldo as versions, not in force; those there are already stay. Their
    author is Saldo, so that any one person may activate them."""
    _lock(company_id)
    missing = not_installed(company_id)
    if not missing:
        return []
    ctx = replace(stamped(ctx, company_id), actor=SHIPPED_ACTOR)
    texts = shipped()
    rows = [_add(ctx, code, content_of(texts[code]), "", _newest(company_id, code)) for code in missing]
    return [row.id for row in rows]
