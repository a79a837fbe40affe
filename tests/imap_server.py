"""A real IMAP server on loopback (pymap), in a process of its own, with one mailbox in memory."""

from __future__ import annotations

import imaplib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

USER, PASSWORD = "crediti", "segreta"


class ImapServer:
    def __init__(self, port: int) -> None:
        self.port = port

    def client(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
        client.login(USER, PASSWORD)
        return client

    def put(self, *messages: bytes, at: datetime, folder: str = "INBOX") -> None:
        """As if they had come at that instant."""
        client = self.client()
        came = imaplib.Time2Internaldate(at)
        for raw in messages:
            told = client.append(folder, "", came, raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
            assert told[0] == "OK", told
        client.logout()

    def create(self, folder: str) -> None:
        client = self.client()
        client.create(folder)
        client.logout()

    def flags(self, folder: str = "INBOX") -> list[bytes]:
        """UIDs and flags of what is in a folder."""
        client = self.client()
        client.select(folder, readonly=True)
        found = client.uid("FETCH", "1:*", "(FLAGS)")[1]
        client.logout()
        return [line for line in found if line]

    def delete(self, uid: int) -> None:
        client = self.client()
        client.select("INBOX")
        client.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()


@contextmanager
def running(folder: Path, with_tls: bool = False) -> Iterator[ImapServer]:
    """with_tls: with the certificate that ``mail_server.certificate`` put into ``folder``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from pymap.main import main; main()",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    words += ["--no-service", "admin", "--no-service", "managesieve"]
    if with_tls:
        words += ["--cert", str(folder / "certificate.pem"), "--key", str(folder / "key.pem")]
    else:
        words.append("--no-tls")
    words += ["dict", "--demo-data", "--demo-user", USER, "--demo-password", PASSWORD]
    with (folder / "imap.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(folder)})
        try:
            _wait(process, port, folder / "imap.log")
            yield ImapServer(port)
        finally:
            process.terminate()
            process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("the IMAP server did not start: " + log.read_text())
