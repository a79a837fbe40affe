"""Reading playbooks: which are in force at an instant, their versions, who wrote and who activated them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db.models import F, OuterRef, QuerySet, Subquery

from saldo.collection.models import PlaybookActivation, PlaybookVersion
from saldo.core.errors import SaldoError
from saldo.core.playbook import Playbook
from saldo.core.playbook_text import parse, shipped
from saldo.identity.models import Grant

# Who may write playbooks, and who may put one in force or out of it; never the same person for one version.
MAY_EDIT_PLAYBOOKS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
MAY_ACTIVATE_PLAYBOOKS = frozenset({Grant.Role.ADMINISTRATOR, Grant.Role.CREDIT_MANAGER})
# The author of the playbooks that come with Saldo.
SHIPPED_ACTOR = "system:saldo"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version as it was saved."""

    id: int
    company_id: int
    code: str
    version: int
    content: str
    note: str
    actor: str
    recorded_at: datetime

    @property
    def playbook(self) -> Playbook:
        return parsed(self.content)


@dataclass(frozen=True, slots=True)
class ActivationRow:
    """A version was put in force, or (is_active false) the playbook was retired."""

    code: str
    version: int
    is_active: bool
    note: str
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class PlaybookRow:
    """A playbook of a company: its newest version, and the one in force with its activation, if any is."""

    code: str
    newest: VersionRow
    active: VersionRow | None
    activation: ActivationRow | None

    @property
    def shown(self) -> VersionRow:
        return self.active or self.newest

    @property
    def has_draft(self) -> bool:
        """A version was saved after the one in force (or none is in force)."""
        return self.active is None or self.newest.version > self.active.version


@lru_cache(maxsize=256)
def parsed(content: str) -> Playbook:
    """The playbook of a stored text, read once."""
    return parse(content)


def content_of(text: str) -> str:
    """The text as it is stored: line ends of one kind, none trailing."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def digest_of(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def in_force(company_id: int, known_at: datetime | None = None) -> list[tuple[int, Playbook]]:
    """(PlaybookVersion id, playbook) of those in force at an instant (None: now), in the order they are
    tried."""
    last = _last_activations(company_id, known_at).filter(is_active=True)
    found = [(row.playbook_id, parsed(row.playbook.content)) for row in last.select_related("playbook")]
    return sorted(found, key=lambda pair: (pair[1].order, pair[1].code))


def _last_activations(company_id: int, known_at: datetime | None) -> QuerySet[PlaybookActivation]:
    """The last word on each playbook by then."""
    told = PlaybookActivation.objects.filter(company_id=company_id)
    if known_at is not None:
        told = told.filter(recorded_at__lte=known_at)
    last = told.filter(code=OuterRef("code")).order_by("-recorded_at", "-id").values("id")[:1]
    return told.annotate(last_id=Subquery(last)).filter(id=F("last_id"))


def playbook_of(version_id: int) -> Playbook:
    """The playbook of one version, in force or not (what decided an action)."""
    return parsed(PlaybookVersion.objects.values_list("content", flat=True).get(id=version_id))


def versions(company_id: int, code: str | None = None) -> list[VersionRow]:
    """Every version, newest first."""
    found = PlaybookVersion.objects.filter(company_id=company_id)
    if code is not None:
        found = found.filter(code=code)
    return [_version(row) for row in found.order_by("code", "-version")]


def version_row(company_id: int, code: str, version: int | None = None) -> VersionRow:
    """One version; without a number the newest. Raises SaldoError: playbook_unknown,
    playbook_version_unknown."""
    found = PlaybookVersion.objects.filter(company_id=company_id, code=code).order_by("-version")
    rows = list(found.values_list("version", flat=True))
    if not rows:
        codes = PlaybookVersion.objects.filter(company_id=company_id).values_list("code", flat=True)
        raise SaldoError("playbook_unknown", code=code, known=", ".join(sorted(set(codes))) or "–")
    if version is not None and version not in rows:
        known = ", ".join(str(each) for each in rows)
        raise SaldoError("playbook_version_unknown", code=code, version=version, known=known)
    row = found.get(version=rows[0] if version is None else version)
    return _version(row)


def playbooks(company_id: int) -> list[PlaybookRow]:
    """Every playbook of a company in the order they are tried; those that are not in force come last."""
    newest = {row.code: row for row in reversed(versions(company_id))}
    last = _last_activations(company_id, None).select_related("playbook")
    told = {row.code: row for row in last}
    rows = []
    for code, version in newest.items():
        activation = told.get(code)
        is_active = activation is not None and activation.is_active
        rows.append(
            PlaybookRow(
                code,
                version,
                _version(activation.playbook) if activation and is_active else None,
                _activation(activation) if activation else None,
            )
        )
    return sorted(rows, key=lambda row: (row.active is None, row.shown.playbook.order, row.code))


def activations(company_id: int, code: str) -> list[ActivationRow]:
    """When which version was put in force or the playbook retired, newest first."""
    found = PlaybookActivation.objects.filter(company_id=company_id, code=code).select_related("playbook")
    return [_activation(row) for row in found.order_by("-recorded_at", "-id")]


def person(actor: str) -> str:
    """Who it is: one person is the same on the command line and in the browser."""
    return actor.removeprefix("cli:").casefold()


def not_installed(company_id: int) -> list[str]:
    """Codes of shipped playbooks that the company does not have in this form."""
    own = set(PlaybookVersion.objects.filter(company_id=company_id).values_list("code", "digest"))
    return [code for code, text in shipped().items() if (code, digest_of(content_of(text))) not in own]


def _version(row: PlaybookVersion) -> VersionRow:
    return VersionRow(
        row.id, row.company_id, row.code, row.version, row.content, row.note, row.actor, row.recorded_at
    )


def _activation(row: PlaybookActivation) -> ActivationRow:
    return ActivationRow(row.code, row.playbook.version, row.is_active, row.note, row.actor, row.recorded_at)
