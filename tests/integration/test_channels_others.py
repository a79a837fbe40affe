"""Providers by HTTP, SMS gateways and letters, against peers on the loopback; the file of the channels."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from saldo.core.errors import SaldoError
from saldo.core.sending import FAILED, POSTPONED, SENT, UNKNOWN
from saldo.outreach.channels import email, letter_folder, mail_folder, pec, sms
from saldo.outreach.channels.checks import check, state
from saldo.outreach.channels.config import Anymail, Sms, channels
from saldo.outreach.channels.outgoing import Answer, Outgoing
from tests.integration.test_channels_email import NOW, outgoing
from tests.mail_server import PASSWORD, USER, Peer, free_port, mail_server

# apprise loads every gateway it knows when it is first asked, also those that use what Python will drop.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
Asked = list[tuple[str, dict[str, object]]]


@contextmanager
def http_server(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[int, Asked]]:
    """A server that keeps what it is asked and answers as told."""
    asked: Asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, json.loads(body)))
            answer(self)

        def log_message(self, *told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def says(code: int, told: object) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def says_nothing(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(1.5)


TAKEN = {"status": "success", "data": {"messages": {"rosa@beta.example": {"id": 77, "token": "t"}}}}
KEY = "chiave-del-fornitore"


def postal(port: int) -> Anymail:
    where = {"api_url": f"http://127.0.0.1:{port}/", "api_key": KEY}
    return Anymail("postal", where, "crediti@alfa.example", "Alfa S.r.l.", timeout_seconds=1)


def by_provider(port: int, out: Outgoing | None = None) -> Answer:
    out = out or outgoing()
    return email.send(postal(port), out, email.build(postal(port), out, NOW))


def test_a_provider_gets_the_message_and_names_it() -> None:
    out = outgoing(attachments=(("conto.pdf", "application/pdf", b"%PDF"),))
    with http_server(says(200, TAKEN)) as (port, asked):
        answer = by_provider(port, out)
    assert (answer.state, answer.provider_id) == (SENT, "77")
    ((path, told),) = asked
    assert path == "/api/v1/send/message" and told["subject"] == out.subject
    assert told["plain_body"] == out.text and told["to"] == ["Rosa Bianchi <rosa@beta.example>"]
    assert told["headers"]["Message-ID"] == out.rfc_id and told["reply_to"] == out.reply_to  # type: ignore[index]
    assert [each["name"] for each in told["attachments"]] == ["conto.pdf"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (says(422, {"errors": [f"bad {KEY}"]}), FAILED, "provider_refused"),
        (says(401, {}), POSTPONED, "provider_login"),
        (says(429, {}), POSTPONED, "provider_not_now"),
        (says(503, {}), POSTPONED, "provider_not_now"),
        (says(500, {}), UNKNOWN, "provider_odd_answer"),
        (says(200, b"<html>all right</html>"), UNKNOWN, "provider_odd_answer"),
        (hangs_up, UNKNOWN, "provider_no_answer"),
        (says_nothing, UNKNOWN, "provider_no_answer"),
    ],
)
def test_what_a_provider_answers(
    answer: Callable[[BaseHTTPRequestHandler], None], state: str, code: str
) -> None:
    with http_server(answer) as (port, asked):
        told = by_provider(port)
    assert (told.state, told.code) == (state, code) and len(asked) == 1
    assert KEY not in told.detail


def test_a_provider_that_is_not_there_or_not_known() -> None:
    told = by_provider(free_port())
    assert (told.state, told.code) == (POSTPONED, "provider_not_reached")
    for backend in ("../postal", "nobody", "postal"):
        broken = Anymail(backend, {}, "crediti@alfa.example")
        told = email.send(broken, outgoing(), b"")
        assert (told.state, told.code) == (POSTPONED, "provider_not_set_up")


def text_to(
    port: int, text: str = "Gentile Cliente, è scaduta la fattura 12.", to: str = "333 123 4567"
) -> Answer:
    config = Sms((f"json://127.0.0.1:{port}/sms?:to={{to}}&cto=1&rto=1",))
    return sms.send(config, Outgoing("abcdefgh", "Rosa", to, "", text))


def test_a_gateway_gets_the_text_and_the_number() -> None:
    with http_server(says(200, {})) as (port, asked):
        assert text_to(port).state == SENT
    ((path, told),) = asked
    assert path == "/sms" and told["to"] == "+393331234567"
    assert told["message"] == "Gentile Cliente, è scaduta la fattura 12."


@pytest.mark.parametrize(
    ("answer", "state", "code"),
    [
        (says(400, {}), FAILED, "gateway_refused"),
        (says(401, {}), POSTPONED, "gateway_not_now"),
        (says(503, {}), POSTPONED, "gateway_not_now"),
        (says(500, {}), UNKNOWN, "gateway_no_answer"),
        (hangs_up, UNKNOWN, "gateway_no_answer"),
        (says_nothing, UNKNOWN, "gateway_no_answer"),
    ],
)
def test_what_a_gateway_answers(
    answer: Callable[[BaseHTTPRequestHandler], None], state: str, code: str
) -> None:
    with http_server(answer) as (port, asked):
        told = text_to(port)
    assert (told.state, told.code) == (state, code) and len(asked) == 1


def test_what_a_gateway_is_not_asked_for() -> None:
    assert text_to(free_port()).code == "gateway_not_reached"
    assert (text_to(1, to="12").code, text_to(1, to="12").is_bad_address) == ("address_invalid", True)
    assert text_to(1, text="a" * 460).code == "too_long"
    told = sms.send(Sms(("nowhere://{to}",)), Outgoing("abcdefgh", "", "3331234567", "", "ciao"))
    assert (told.state, told.code) == (POSTPONED, "gateway_not_set_up")


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 1), ("a" * 160, 1), ("a" * 161, 2), ("è" * 160, 1), ("€" * 80, 1), ("€" * 81, 2), ("ç" * 70, 1),
     ("ç" * 71, 2), ("a" * 459, 3), ("a" * 460, 4)],
)  # fmt: skip
def test_parts_of_an_sms(text: str, count: int) -> None:
    assert sms.parts(text) == count


def test_a_letter_appears_whole_and_once(tmp_path: Path) -> None:
    out = outgoing(to_address="Via Roma 1, 20100 Milano", details={"registered": "yes"})
    assert letter_folder.send(str(tmp_path), out, b"%PDF-1").state == SENT
    again = letter_folder.send(str(tmp_path), out, b"%PDF-2")
    assert (again.state, again.code) == (SENT, "already_there")
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"{out.token}.json", f"{out.token}.pdf"]
    assert (tmp_path / f"{out.token}.pdf").read_bytes() == b"%PDF-1"
    sheet = json.loads((tmp_path / f"{out.token}.json").read_text())
    assert sheet["address"] == out.to_address and sheet["registered"] == "yes"
    assert letter_folder.send("", out, b"%PDF").code == "to_print"
    lost = letter_folder.send(str(tmp_path / "missing"), out, b"%PDF")
    assert (lost.state, lost.code) == (POSTPONED, "folder_not_written")
    assert letter_folder.send(str(tmp_path), outgoing(token="../../etc"), b"").code == "name_not_usable"


GOOD = """
public_url = "https://saldo.alfa.example/"
["*".smtp]
host = "mail.example.com"
from = "Ufficio crediti <crediti@example.com>"
[ALFA.smtp]
host = "127.0.0.1"
port = {port}
security = "none"
user = "{user}"
password_file = "password.txt"
from = "Alfa S.r.l. <crediti@alfa.example>"
[ALFA.imap]
host = "imap.alfa.example"
user = "crediti@alfa.example"
password_env = "TEST_IMAP_PASSWORD"
address = "crediti@alfa.example"
[ALFA.pec.smtp]
host = "smtp.pec.example"
security = "tls"
user = "alfa@pec.example"
password = "segreta-della-pec"
from = "alfa@pec.example"
[ALFA.sms]
url = "clickatell://chiave/{{to}}"
[BETA.anymail]
backend = "postal"
from = "crediti@beta.example"
settings = {{ api_url = "https://postal.example/", api_key = {{ env = "TEST_IMAP_PASSWORD" }} }}
"""


@pytest.fixture
def channels_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    path = tmp_path / "channels.toml"
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    monkeypatch.setenv("TEST_IMAP_PASSWORD", "della-casella")

    def write(text: str, mode: int = 0o600) -> Path:
        path.write_text(text)
        path.chmod(mode)
        secret = tmp_path / "password.txt"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o600)
        return path

    return write


def test_the_file_of_the_channels(channels_file: Callable[[str], Path]) -> None:
    assert channels().of("ALFA").smtp is None
    channels_file(GOOD.format(port=2525, user=USER))
    told = channels()
    alfa, beta, gamma = told.of("ALFA"), told.of("BETA"), told.of("GAMMA")
    assert told.public_url == "https://saldo.alfa.example" and told.companies == ("ALFA", "BETA")
    assert alfa.smtp is not None and (alfa.smtp.port, alfa.smtp.password) == (2525, PASSWORD)
    assert alfa.imap is not None and (alfa.imap.port, alfa.imap.password) == (993, "della-casella")
    assert alfa.pec_smtp is not None and alfa.pec_smtp.port == 465
    # A company with a way of its own is not mixed with the general one.
    assert beta.smtp is None and beta.anymail is not None
    assert beta.anymail.settings["api_key"] == "della-casella"
    assert gamma.smtp is not None and gamma.smtp.from_address == "crediti@example.com"
    for secret in (PASSWORD, "segreta-della-pec", "della-casella", "chiave"):
        assert secret not in repr(told)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('security = "none"', 'security = "ssl3"', "ALFA.smtp.security"),
        ("port = 2525", "port = 99999", "ALFA.smtp.port"),
        ("port = 2525", 'port = "25"', "ALFA.smtp.port"),
        ('host = "127.0.0.1"', "", "ALFA.smtp.host"),
        ('host = "127.0.0.1"', 'hosts = "127.0.0.1"', "ALFA.smtp.hosts"),
        ('from = "Alfa S.r.l. <crediti@alfa.example>"', 'from = "Alfa"', "ALFA.smtp.from"),
        ('password_file = "password.txt"', 'password_file = "nowhere.txt"', "ALFA.smtp.password_file"),
        ('password_file = "password.txt"', "", "ALFA.smtp.password"),
        ('password_file = "password.txt"', 'password_env = "NOT_THERE_9"', "ALFA.smtp.password_env"),
        (
            'password = "segreta-della-pec"',
            'password = "segreta"\npassword_env = "X"',
            "ALFA.pec.smtp.password_env",
        ),
        ("[ALFA.pec.smtp]", "[ALFA.pec.smpt]", "ALFA.pec.smpt"),
        ("chiave/{to}", "chiave/", "ALFA.sms.url"),
        ('public_url = "https', 'public_url = "ftp', "public_url"),
        ("[BETA.anymail]", "[BETA.anymail", "-"),
    ],
)
def test_what_is_wrong_is_told_by_its_key(
    channels_file: Callable[[str], Path], old: str, new: str, key: str
) -> None:
    good = GOOD.format(port=2525, user=USER)
    assert old in good
    channels_file(good.replace(old, new, 1))
    with pytest.raises(SaldoError) as told:
        channels()
    assert (told.value.code, told.value.params["key"]) == ("channels_invalid", key)
    assert "segreta" not in told.value.text("it") and PASSWORD not in told.value.text("en")


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_file_that_others_can_read_is_not_read(channels_file: Callable[..., Path]) -> None:
    path = channels_file(GOOD.format(port=2525, user=USER), 0o640)
    with pytest.raises(SaldoError, match="chmod 600"):
        channels()
    assert [each.code for each in state("ALFA")][:2] == ["channels_readable"] * 2
    path.chmod(0o600)
    path.parent.joinpath("password.txt").chmod(0o644)
    with pytest.raises(SaldoError, match="chmod 600"):
        channels()


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_check_connects_and_sends_nothing(channels_file: Callable[[str], Path], tmp_path: Path) -> None:
    peer = Peer()
    with mail_server(peer, logs_in=True) as port:
        text = GOOD.format(port=port, user=USER).replace(
            "imap.alfa.example", f'127.0.0.1"\nport = {free_port()}\nsecurity = "none"\n#'
        )
        channels_file(
            text.replace("smtp.pec.example", "127.0.0.1").replace('"tls"', f'"tls"\nport = {free_port()}')
        )
        told = {each.kind: each for each in check("ALFA", str(tmp_path))}
    assert told["email"].is_ok and str(port) in told["email"].detail
    assert (told["pec"].is_ok, told["pec"].code) == (False, "smtp_connect")
    assert (told["imap"].is_ok, told["imap"].code) == (False, "imap_login")
    assert told["sms"].detail == "clickatell" and told["letter"].is_ok
    assert not told["pec_imap"].is_set and not peer.taken
    assert [each.is_ok for each in check("ALFA", "/nowhere")][5] is False


# -- a folder in place of servers --------------------------------------------------------------------------


def folder_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    path = tmp_path / "channels.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("SALDO_CHANNELS", str(path))
    return path


def test_a_folder_takes_mail_and_pec_in_place_of_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_file(
        tmp_path,
        monkeypatch,
        """
        [ALFA.folder]
        path = "outbox"
        from = "Alfa S.r.l. <crediti@alfa.example>"
        pec_from = "alfa@pec.example"
        """,
    )
    own = channels().of("ALFA")
    assert own.smtp is not None and own.pec_smtp is not None
    out = outgoing()
    raw = email.build(own.smtp, out, NOW)
    first, again = email.send(own.smtp, out, raw), email.send(own.smtp, out, b"other")
    assert (first.state, first.code, again.code) == (SENT, "in_folder", "already_there")
    certified = outgoing(token="a" * 24)
    assert pec.send(own.pec_smtp, certified, raw).state == SENT
    # Both whole, readable by their owner only, and nothing half-written beside them.
    files = sorted((tmp_path / "outbox").iterdir())
    assert {file.name for file in files} == {f"{out.token}.eml", f"{certified.token}.eml"}
    assert all(file.read_bytes() == raw and file.stat().st_mode & 0o077 == 0 for file in files)
    told = {each.kind: each for each in state("ALFA")}
    assert told["email"].is_ok and told["pec"].is_ok and "outbox" in told["email"].detail


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[ALFA.folder]\nfrom = 'a@alfa.example'", "ALFA.folder.path"),
        ("[ALFA.folder]\npath = 'out'", "ALFA.folder.from"),
        ("[ALFA.folder]\npath = 'out'\nfrom = 'a@alfa.example'\nhost = 'x'", "ALFA.folder.host"),
        (
            "[ALFA.smtp]\nhost = 'x'\nfrom = 'a@alfa.example'\n"
            "[ALFA.folder]\npath = 'out'\nfrom = 'a@alfa.example'",
            "ALFA.folder",
        ),
    ],
)
def test_a_folder_is_checked_like_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, key: str
) -> None:
    folder_file(tmp_path, monkeypatch, text)
    with pytest.raises(SaldoError) as refused:
        channels()
    assert refused.value.params["key"] == key


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = mail_folder.put(str(tmp_path / "file" / "outbox"), "a" * 24, b"x")
    assert (answer.state, answer.code) == (POSTPONED, "folder_not_written")
