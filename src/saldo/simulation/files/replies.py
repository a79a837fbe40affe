"""What customers write back, as mails: promises, objections, claims, absences, anger, in their own words.

The words come from replies.toml and are drawn by the reply's id alone. What kind of reply a text is, only the
truth says; the day that a promise names is its promise_date for who reads it on the day it was written.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from saldo.simulation.draws import Draws
from saldo.simulation.files._mail_parts import header_lines, mail_date, sent_message_id
from saldo.simulation.files._spoken import amount_phrases, day_phrases, due_phrases
from saldo.simulation.files.mail_text import office_time, text_message
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

OUT_OF_OFFICE, WRONG_PERSON, PROMISE = "out_of_office", "wrong_person", "promise"
_BOUNCED_SHARE = 0.3  # of what reaches nobody any more
_NAMES_AMOUNT_SHARE = 0.4  # of the promises of everything: who promises a part says how much
_SPOKEN_RELATIVE_SHARE = 0.5  # of the days that can be said by the calendar of the reader
_TYPO_SHARE, _PLAIN_SHARE, _LOWER_SHARE = 0.08, 0.08, 0.1
_SECOND_SHARE = 0.15  # adds a second sentence of its kind
_MOST_NAMED = 4
# Where a quoted message begins: as most programs do it, as Outlook does it, not at all.
_QUOTE_WEIGHTS = (0.5, 0.25, 0.25)
_ACCENTS = str.maketrans({"à": "a'", "è": "e'", "é": "e'", "ì": "i'", "ò": "o'", "ù": "u'"})


@dataclass(frozen=True, slots=True)
class Said:
    """What a reply says; kind and the others as in REPLIES. owed_cents: what it is about, in all.

    documents: numbers. writer, customer: who writes, for whom. gone: who has left, of a wrong person.
    """

    reply_id: int
    kind: str
    language: str
    reply_date: date
    promise_date: date | None = None
    promise_cents: int | None = None
    owed_cents: int = 0
    reason: str | None = None
    return_date: date | None = None
    documents: tuple[str, ...] = ()
    writer: str = ""
    customer: str = ""
    domain: str = ""
    payee: str = ""
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """What a reply answers, where it comes from and goes. message_id: "" where ours was no mail."""

    said: Said
    company: dict[str, Any]
    address: str
    message_no: int
    message_id: str
    tone: str
    purpose: str
    sent_date: date


def replies(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> Iterator[WorldFile]:
    """The mails received from ``first`` to ``last``, in order of (day, id); ``share``: part of them."""
    for letter in letters(t, draws, first, last, share):
        yield reply_file(draws, letter)


def reply_file(draws: Draws, letter: Letter) -> WorldFile:
    said = letter.said
    path = f"files/{letter.company['code']}/mail/{said.reply_date:%Y%m%d}-reply-{said.reply_id:07d}.eml"
    data = _bounce(draws, letter) if _is_bounced(draws, letter) else _mail(draws, letter)
    return WorldFile(path, data, said.reply_date)


# -- words -----------------------------------------------------------------------------------------------


@cache
def _all_words() -> dict[str, Any]:
    text = files("saldo.simulation.files").joinpath("replies.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _words(said: Said) -> dict[str, Any]:
    words: dict[str, Any] = _all_words()["en" if said.language == "en" else "it"]
    return words


def _pick(draws: Draws, purpose: str, choices: Sequence[Any], *ids: int) -> Any:
    return choices[int(draws.whole(f"reply/{purpose}", 0, len(choices) - 1, *ids).item())]


def reply_text(draws: Draws, said: Said, phrasings: Sequence[str] | None = None) -> str:
    """The new words of a reply: greeting, what it says, closing, signature. Drawn by reply_id alone.

    phrasings: say it in one of these, instead of all that can say it.
    """
    words, ix = _words(said), said.reply_id
    greeting = _pick(draws, "greeting", words["greetings"], ix).format(payee=said.payee)
    paragraphs = [greeting, _body(draws, said, phrasings), _pick(draws, "closing", words["closings"], ix)]
    signature = [said.writer] if draws.happens("reply/signs", 0.85, ix) else []
    signature += [said.customer] if draws.happens("reply/firm", 0.6, ix) else []
    footer = _pick(draws, "footer", words["footers"], ix)
    parts = [part for part in ("\n\n".join(filter(None, paragraphs)), "\n".join(signature), footer) if part]
    text = "\n\n".join(parts) if draws.happens("reply/airy", 0.5, ix) else "\n".join(parts)
    return text.translate(_ACCENTS) if draws.happens("reply/no accents", _PLAIN_SHARE, ix) else text


def _body(draws: Draws, said: Said, given: Sequence[str] | None) -> str:
    words, ix = _words(said), said.reply_id
    phrasings = _phrasings(draws, said) if given is None else given
    sentences = [_pick(draws, "phrasing", phrasings, ix)]
    bare = [each for each in phrasings if "{" not in each and each != sentences[0]]
    if said.kind != PROMISE and bare and draws.happens("reply/second", _SECOND_SHARE, ix):
        sentences.append(_pick(draws, "second phrasing", bare, ix))
    extra = _pick(draws, "extra", words["extras"][said.kind], ix)
    if extra:
        sentences.insert(0 if draws.happens("reply/extra first", 0.3, ix) else len(sentences), extra)
    sentences = [_alternatives(draws, each, ix, place) for place, each in enumerate(sentences)]
    if draws.happens("reply/typo", _TYPO_SHARE, ix):
        # Before days and amounts are put in: what they denote must stand.
        sentences[0] = _with_typo(draws, sentences[0], ix)
    facts = _facts(draws, said)
    spoken = [each.format_map(facts) for each in sentences]
    if not draws.happens("reply/lower case", _LOWER_SHARE, ix):
        spoken = [each[:1].upper() + each[1:] for each in spoken]
    return ("\n" if draws.happens("reply/lines", 0.2, ix) else " ").join(spoken)


def _phrasings(draws: Draws, said: Said) -> list[str]:
    """The phrasings that can say it: an amount only where there is one, and always of a part."""
    words = _words(said)
    every: list[str] = words["kinds"].get(said.kind, [])
    if said.kind == "dispute":
        reasons: dict[str, list[str]] = words["disputes"]
        every = reasons.get(said.reason or "") or [each for told in reasons.values() for each in told]
    fit = [each for each in every if "{invoice}" not in each or len(said.documents) == 1]
    if said.promise_date is None:
        undated = [each for each in fit if "{when}" not in each]
        fit = undated or fit
    with_amount = [each for each in fit if "{amount}" in each]
    without = [each for each in fit if "{amount}" not in each]
    if not said.promise_cents or not with_amount:
        return without
    is_part = said.promise_cents != said.owed_cents
    names = is_part or draws.happens("reply/names amount", _NAMES_AMOUNT_SHARE, said.reply_id)
    return with_amount if names else without


def _facts(draws: Draws, said: Said) -> dict[str, str]:
    words, ix = _words(said), said.reply_id
    when = _pick(draws, "vague", words["vague_when"], ix)
    if said.promise_date is not None:
        when = _day(draws, "when", due_phrases(said.language, said.reply_date, said.promise_date), ix)
    back = _pick(draws, "vague", words["vague_back"], ix)
    if said.return_date is not None:
        back = _day(draws, "back", day_phrases(said.language, said.reply_date, said.return_date), ix)
    amount = ""
    if said.promise_cents:
        amount = _pick(draws, "amount", amount_phrases(said.language, said.promise_cents), ix)
    invoices = _pick(draws, "invoices", _named(said), ix)
    return {
        "when": when, "back": back, "amount": amount, "invoices": invoices, "invoice": invoices,
        "of_invoices": _of(said.language, invoices), "gone": said.gone or said.writer, "domain": said.domain,
    }  # fmt: skip


def _day(draws: Draws, purpose: str, phrases: tuple[list[str], list[str]], ix: int) -> str:
    relative, absolute = phrases
    by_calendar = relative and draws.happens(f"reply/{purpose} relative", _SPOKEN_RELATIVE_SHARE, ix)
    phrase: str = _pick(draws, purpose, relative if by_calendar else absolute, ix)
    return phrase


def _named(said: Said) -> list[str]:
    """What the reply is about, as its writer may call it, with the article."""
    numbers = said.documents
    if said.language == "en":
        if len(numbers) == 1:
            [number] = numbers
            return [f"invoice {number}", f"your invoice {number}", f"inv. {number}", "the invoice",
                    "this invoice", f"invoice no. {number}"]  # fmt: skip
        listed = f"{', '.join(numbers[:-1])} and {numbers[-1]}" if numbers else ""
        told = [f"invoices {listed}", f"your invoices {listed}"] if 1 < len(numbers) <= _MOST_NAMED else []
        return [*told, "the invoices", "the open invoices", "the balance", "what is overdue"]
    if len(numbers) == 1:
        [number] = numbers
        return [f"la fattura {number}", f"la vostra fattura n. {number}", f"la ft. {number}",
                "la fattura in oggetto", "la fattura", f"la fatt. {number}"]  # fmt: skip
    listed = f"{', '.join(numbers[:-1])} e {numbers[-1]}" if numbers else ""
    told = [f"le fatture {listed}", f"le ft. {listed}"] if 1 < len(numbers) <= _MOST_NAMED else []
    return [*told, "le fatture in oggetto", "le fatture", "lo scaduto", "il saldo", "l'importo dovuto"]


def _of(language: str, named: str) -> str:
    """ "la fattura" -> "della fattura"."""
    if language == "en":
        return f"of {named}"
    for article, contracted in (("la ", "della "), ("le ", "delle "), ("lo ", "dello "), ("il ", "del "),
                                ("l'", "dell'")):  # fmt: skip
        if named.startswith(article):
            return contracted + named.removeprefix(article)
    return f"di {named}"


_CHOICE = re.compile(r"\[([^\[\]]*)\]")


def _alternatives(draws: Draws, template: str, *ids: int) -> str:
    """ "[ok|va bene], pago" -> one of them."""
    parts = _CHOICE.split(template)
    for place in range(1, len(parts), 2):
        parts[place] = _pick(draws, "alternative", parts[place].split("|"), *ids, place)
    return " ".join("".join(parts).split())


def _with_typo(draws: Draws, template: str, ix: int) -> str:
    """Two letters of a longer word swapped, one left out or doubled; never in what stands in braces."""
    long_words = [match for match in re.finditer(r"\{\w+\}|[^\W\d_]{5,}", template) if match[0][0] != "{"]
    if not long_words:
        return template
    word = _pick(draws, "typo word", long_words, ix)
    at = word.start() + int(draws.whole("reply/typo place", 1, len(word[0]) - 3, ix).item())
    first, second = template[at], template[at + 1]
    slip: str = _pick(draws, "typo kind", (second + first, first, first + first + second), ix)
    return template[:at] + slip + template[at + 2 :]


# -- mails -----------------------------------------------------------------------------------------------


def _mail(draws: Draws, letter: Letter) -> bytes:
    said, words, ix = letter.said, _words(letter.said), letter.said.reply_id
    at = office_time(draws, "reply/time", said.reply_date, ix)
    is_automatic = said.kind == OUT_OF_OFFICE
    prefix = _pick(draws, "subject prefix", words["automatic" if is_automatic else "replied"], ix)
    subject = _subject(draws, letter)
    quoted = "" if is_automatic else _quoted(draws, letter, subject)
    headers = [
        ("From", _mailbox(said.writer, letter.address)),
        ("To", letter.company["email"]),
        ("Subject", prefix + subject),
        ("Date", mail_date(at)),
        ("Message-ID", f"<reply-{ix}@{letter.address.partition('@')[2]}>"),
        ("In-Reply-To", letter.message_id),
        ("References", letter.message_id),
    ]
    if is_automatic:
        headers += [("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")]
    return text_message(draws, headers, reply_text(draws, said) + quoted + "\n", ix)


def _mailbox(name: str, address: str) -> str:
    plain = name.replace('"', "'")
    return f'"{plain}" <{address}>' if plain.isascii() else f"{plain} <{address}>"


def _subject(draws: Draws, letter: Letter) -> str:
    """The subject of what we sent; the same for all its replies."""
    subjects = _words(letter.said)["subjects"]
    subject: str = subjects[
        int(draws.whole("reply/subject", 0, len(subjects) - 1, letter.said.reply_id).item())
    ]
    return subject


def _quoted(draws: Draws, letter: Letter, subject: str) -> str:
    """Our message below the reply, as the writer's program repeats it; "" where it does not."""
    said, words, ix = letter.said, _words(letter.said), letter.said.reply_id
    manner = int(draws.choice("reply/quoting", _QUOTE_WEIGHTS, ix).item())
    if manner == 2:
        return ""
    tone = "plan" if letter.purpose == "plan" else letter.tone
    numbers = ", ".join(said.documents) or "-"
    ours = words["reminders"].get(tone, words["reminders"]["soft"])
    lines = ours.format(numbers=numbers, payee=said.payee).split("\n")
    sent = office_time(draws, "reply/our time", letter.sent_date, ix)
    address = letter.company["email"]
    if manner == 0:
        head: str = _pick(draws, "quote head", words["quote_heads"], ix).format(
            day=f"{sent:%d/%m/%Y}", time=f"{sent:%H:%M}", payee=said.payee, address=address
        )
        return "\n\n" + "\n".join([head, *(f"> {line}" for line in lines)])
    labels = words["outlook"]
    told = (f"{said.payee} <{address}>", f"{sent:%d/%m/%Y %H:%M}", letter.address, subject)
    heads = [f"{label}: {value}" for label, value in zip(labels, told, strict=True)]
    return "\n\n" + "\n".join(["________________________________", *heads, "", *lines])


def _is_bounced(draws: Draws, letter: Letter) -> bool:
    return letter.said.kind == WRONG_PERSON and bounces(draws, letter.said.reply_id)


def bounces(draws: Draws, reply_id: int) -> bool:
    """Whether, of a wrong person, it is the mail server that says so."""
    return bool(draws.happens("reply/bounced", _BOUNCED_SHARE, reply_id))


def _bounce(draws: Draws, letter: Letter) -> bytes:
    """A report of the customer's mail server: nobody has this address any more (RFC 3464)."""
    said = letter.said
    at: datetime = office_time(draws, "reply/time", said.reply_date, said.reply_id)
    domain = letter.address.partition("@")[2]
    boundary = f"=_report_{said.reply_id:08d}"
    headers = [
        ("From", f"Mail Delivery System <MAILER-DAEMON@{domain}>"),
        ("To", letter.company["email"]),
        ("Subject", "Undelivered Mail Returned to Sender"),
        ("Date", mail_date(at)),
        ("Message-ID", f"<reply-{said.reply_id}@{domain}>"),
        ("In-Reply-To", letter.message_id),
        ("References", letter.message_id),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
    ]
    parts = [
        "Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail system.\r\n\r\n"
        "Your message could not be delivered to one or more recipients.\r\n\r\n"
        f"<{letter.address}>: host mx.{domain} said: 550 5.1.1 User unknown\r\n",
        "Content-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; mx.{domain}\r\nArrival-Date: {mail_date(at - timedelta(minutes=1))}\r\n\r\n"
        f"Final-Recipient: rfc822; {letter.address}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\n",
        "Content-Type: text/rfc822-headers\r\n\r\n"
        + header_lines(
            [
                ("Message-ID", letter.message_id),
                ("From", letter.company["email"]),
                ("To", letter.address),
                ("Subject", _subject(draws, letter)),
            ]
        ),
    ]
    body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts)
    return f"{header_lines(headers)}\r\n{body}--{boundary}--\r\n".encode("ascii")


# -- from the tables -------------------------------------------------------------------------------------


def letters(t: Tables, draws: Draws, first: date, last: date, share: float = 1.0) -> Iterator[Letter]:
    """The content of ``replies``: those that came as mail. What was said on the telephone is no file."""
    came = t.replies.filter(pl.col("channel") == "email", pl.col("reply_date").is_between(first, last)).sort(
        "reply_date", "reply_id"
    )
    came = came.filter(
        pl.Series(draws.happens("documents/share", share, came["reply_id"].to_numpy()), dtype=pl.Boolean)
    )
    ours = t.messages.select("message_id", "sent_date", "tone", "purpose", pl.col("channel").alias("sent_by"))
    owners = t.accounts.select("account_id", "company_id", "customer_id")
    told = came.join(owners, on="account_id", how="left", maintain_order="left")
    told = told.join(ours, on="message_id", how="left", maintain_order="left")
    chosen = told.select("customer_id").unique()
    customers = {row["customer_id"]: row for row in _of_ids(t.customers, chosen, "customer_id")}
    contacts: dict[int, list[dict[str, Any]]] = {}
    for contact in _of_ids(t.contacts, chosen, "customer_id"):
        contacts.setdefault(contact["customer_id"], []).append(contact)
    companies = {row["company_id"]: row for row in t.companies.iter_rows(named=True)}
    documents = _documents(t, came)
    for row in told.iter_rows(named=True):
        customer = customers[row["customer_id"]]
        people = contacts.get(row["customer_id"], [])
        yield _letter(draws, row, customer, people, companies[row["company_id"]], documents[row["reply_id"]])


def _of_ids(frame: pl.DataFrame, ids: pl.DataFrame, key: str) -> Iterator[dict[str, Any]]:
    return frame.join(ids, on=key, how="semi", maintain_order="left").iter_rows(named=True)


def _documents(t: Tables, came: pl.DataFrame) -> dict[int, tuple[tuple[str, ...], int]]:
    """By reply, the numbers it is about and the cash that they were to bring, in cents."""
    named = came.select("reply_id", pl.col("installments").alias("installment_id")).explode("installment_id")
    rows = (
        named.join(t.installments.select("installment_id", "invoice_id", "cash_cents"), on="installment_id")
        .join(t.invoices.select("invoice_id", "number"), on="invoice_id")
        .sort("reply_id", "installment_id")
        .group_by("reply_id", maintain_order=True)
        .agg("number", pl.col("cash_cents").sum())
    )
    found = {ix: (tuple(dict.fromkeys(numbers)), cents) for ix, numbers, cents in rows.iter_rows()}
    return {ix: found.get(ix, ((), 0)) for ix in came["reply_id"]}


def _letter(
    draws: Draws,
    row: dict[str, Any],
    customer: dict[str, Any],
    people: Sequence[dict[str, Any]],
    company: dict[str, Any],
    documents: tuple[tuple[str, ...], int],
) -> Letter:
    language = "en" if customer["language"] == "en" else "it"
    reached = next((each for each in people if each["email"]), None)
    office = "accounts" if language == "en" else "amministrazione"
    name, address = (
        (reached["name"], reached["email"])
        if reached
        else (customer["name"], f"{office}@{customer['domain']}")
    )
    gone = ""
    if row["kind"] == WRONG_PERSON:
        gone, name = name, _pick(draws, "other", _all_words()[language]["others"], row["reply_id"])
    sender = {"email": company["email"], "pec": company["pec"]}.get(row["sent_by"] or "", "")
    said = Said(
        row["reply_id"], row["kind"], language, row["reply_date"], row["promise_date"], row["promise_cents"],
        documents[1], row["reason"], row["return_date"], documents[0], name, customer["name"],
        customer["domain"], company["name"], gone,
    )  # fmt: skip
    return Letter(
        said=said,
        company=company,
        address=address,
        message_no=row["message_id"],
        message_id=sent_message_id(row["message_id"], sender) if sender else "",
        tone=row["tone"] or "",
        purpose=row["purpose"] or "",
        sent_date=row["sent_date"] or row["reply_date"],
    )
