"""The demo's users, with random passwords that can be shown again."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from saldo.core.context import Context
from saldo.core.errors import SaldoError

# login, role, what for
LOGINS = (
    ("admin", "administrator", "everything"),
    ("responsabile", "credit_manager", "the mail, playbooks, settings of sending"),
    ("crediti", "collector", "the worklist, the mail"),
    ("incassi", "cash_specialist", "the cash desk"),
    ("direzione", "cfo", "the dashboard, reading only"),
)
PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Login:
    """password is None where somebody made this user before the demo did."""

    username: str
    role: str
    purpose: str
    password: str | None


PASSWORDS = "logins.txt"
# Of those who were needed before the demo was complete.
EARLY_PASSWORDS = "logins.part"


def has_logins(folder: Path) -> bool:
    """Whether a demo was made to its end in this folder: its logins are the last thing made."""
    return (folder / PASSWORDS).exists()


def ensure_logins(ctx: Context, folder: Path) -> tuple[Login, ...]:
    """The demo's users. Their passwords are random and kept, for this demo only, in a file of its owner.

    A user that already exists keeps its password; one that the file does not know has none to show.
    """
    from saldo.identity.operations import add_user

    folder.mkdir(parents=True, exist_ok=True)
    path, early = folder / PASSWORDS, folder / EARLY_PASSWORDS
    known = _read_passwords(early) | _read_passwords(path)
    wanted = {login: known.get(login) or secrets.token_urlsafe(PASSWORD_BYTES) for login, _, _ in LOGINS}
    # Written first: a password that is in the database and nowhere else would lock people out of the demo.
    _write_passwords(path, {**known, **wanted})
    logins = []
    for login, role, purpose in LOGINS:
        password: str | None = wanted[login]
        try:
            add_user(ctx, login, wanted[login], role)
        except SaldoError as error:
            if error.code != "user_exists":
                raise
            password = known.get(login)
        logins.append(Login(login, role, purpose, password))
    strangers = {login.username for login in logins if login.password is None}
    if strangers:
        _write_passwords(path, {login: word for login, word in wanted.items() if login not in strangers})
    early.unlink(missing_ok=True)
    return tuple(logins)


def ensure_early(ctx: Context, folder: Path, login: str) -> None:
    """One of the demo's users, who acts before it is complete."""
    from saldo.identity.operations import add_user

    folder.mkdir(parents=True, exist_ok=True)
    early = folder / EARLY_PASSWORDS
    known = _read_passwords(early) | _read_passwords(folder / PASSWORDS)
    if login in known:
        password = known[login]
    else:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        _write_passwords(early, {**_read_passwords(early), login: password})
    role = next(role for name, role, _ in LOGINS if name == login)
    try:
        add_user(ctx, login, password, role)
    except SaldoError as error:
        if error.code != "user_exists":
            raise
        # Somebody made this user before the demo did, unless an interrupted demo did it.
        if login not in known:
            early.unlink()


def _read_passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _write_passwords(path: Path, passwords: dict[str, str]) -> None:
    """Created with mode 0600, never readable by others even for a moment."""
    text = "".join(f"{login} {password}\n" for login, password in passwords.items())
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
