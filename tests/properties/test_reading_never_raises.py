"""Damaged input of any kind becomes rejections: reading never raises, and every text can be shown."""

from __future__ import annotations

from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.detect import read_file
from saldo.formats.receivables import frame_of
from tests.fatturapa_samples import body, invoice, payment, summary
from tests.unit.test_detect import zipped
from tests.unit.test_p7m import envelope

XML = invoice(
    body(summaries=summary("100.00", "22.00", "S"), payments=payment("122.00", "2026-03-31"))
).encode()
MAIL = EmailMessage()
MAIL["Subject"], MAIL["From"], MAIL["Message-ID"] = "Fattura", "a@example.com", "<1@example.com>"
MAIL.set_content("In allegato")
MAIL.add_attachment(XML, "application", "xml", filename="a.xml")
SAMPLES = [
    XML,
    XML.decode().encode("utf-16"),
    envelope(XML),
    zipped({"a.xml": XML, "b.p7m": envelope(XML)}),
    bytes(MAIL),
]

damage = st.lists(
    st.tuples(st.integers(min_value=0, max_value=10**6), st.binary(max_size=4)), min_size=1, max_size=6
)


@given(st.sampled_from(SAMPLES), damage)
@settings(max_examples=400, deadline=None)
def test_damaged_documents(sample: bytes, changes: list[tuple[int, bytes]]) -> None:
    data = sample
    for place, replacement in changes:
        place %= len(data) + 1
        data = data[:place] + replacement + data[place + 1 :]
    result = read_file(data, "x.bin")
    assert result.invoices or result.records or result.rejections or result.notices
    for language in ("it", "en"):
        result.as_json(language)
    frame_of(result.invoices)


@given(st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    assert read_file(data, "x.xml").rejections
