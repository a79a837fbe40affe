"""What the model sees of a reply: cues, words, pairs of words and pieces of words, as (place, weight) pairs.

Days, amounts, addresses and numbers are replaced by what they are, so that no model learns a date by heart.
Cues (cues.toml) are what a credit office listens for; words carry the rest; pieces of words forgive typos.
"""

from __future__ import annotations

import math
import re
import tomllib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from saldo.core.spoken import SpokenDay, days_in, plain_text
from saldo.core.spoken_amounts import SpokenAmount, amounts_in

# Words of a text are counted up to here; more says nothing new.
MOST_READ = 4_000
BUCKETS = 1 << 15
# How much each kind of feature weighs beside the others.
_CUE, _PAIR, _REASON, _WORD, _PIECE, _SHAPE = 0.35, 0.12, 0.3, 1.4, 1.4, 0.35

_CLOSING = re.compile(
    r"^\W*(?:(?:cordiali|distinti|cari|tanti|un|i (?:piu|miei)(?: migliori)?) salut[oi]|cordialmente|"
    r"cordialita|saluti|"
    r"(?:kind|best|warm)(?: kind)? regards|regards|with kind regards|yours (?:sincerely|faithfully)|"
    r"best|cheers|"
    r"buona giornata|buon lavoro|in fede|a disposizione, saluti|grazie e saluti|many thanks|thanks|"
    r"grazie)\W*$"
)
_GREETING = re.compile(
    r"^\W*(?:buon(?:giorno|asera|di| pomeriggio)|salve|ciao|gent\w*|spett\S*|egregi\w*|hello|hi|hiya|"
    r"dear|good "
    r"(?:morning|afternoon|day)|morning|respected)\b[^,\n.!]{0,40}[,!.]?\W*"
)
_FOOTER = re.compile(
    r"(?:riservat\w+ (?:ai|esclusivamente)|informativa privacy|e-?mail is confidential|"
    r"prima di stampare|before printing|"
    r"inviato da(?:l mio)? |sent from my|get outlook|scaricato da|reg\. ue 2016/679|ricevuto per errore|"
    r"received it by mistake)"
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,300}")
_TOKEN = re.compile(r"[^\W\d_]+|\d[\d.,/:-]*|[?!]")


@dataclass(frozen=True, slots=True)
class Looked:
    """A text prepared to be read. body: folded, no greeting, signature or footer; days, amounts: in it."""

    body: str
    tokens: tuple[str, ...]
    days: tuple[SpokenDay, ...]
    amounts: tuple[SpokenAmount, ...]
    today: date


def body_of(text: str) -> str:
    """The words that say something: no greeting, closing, signature, footer; all if nothing is left."""
    kept: list[str] = []
    for line in text.splitlines():
        plain = plain_text(line.strip())
        if _FOOTER.search(plain):
            continue
        if kept and any(each.strip() for each in kept) and _CLOSING.match(plain):
            break
        kept.append(line)
    body = "\n".join(kept).strip()
    greeting = _GREETING.match(plain_text(body))
    if greeting and len(body) - greeting.end() > 2:
        body = body[greeting.end() :]
    return body.strip() or text.strip()


def look(text: str, today: date) -> Looked:
    """``text`` prepared for ``features``. Never raises."""
    body = body_of(text[: 4 * MOST_READ])[:MOST_READ]
    plain = plain_text(body)
    days, amounts = days_in(body, today), amounts_in(body)
    return Looked(plain, tuple(_tokens(plain, days, amounts)), tuple(days), tuple(amounts), today)


def _tokens(plain: str, days: Iterable[SpokenDay], amounts: Iterable[SpokenAmount]) -> Iterator[str]:
    spans = [(each.start, each.end, "xamount") for each in amounts if each.confidence > 0.5]
    spans += [(each.start, each.end, "xday") for each in days if any(c.isdigit() for c in each.text)]
    spans += [(*match.span(), "xmail") for match in _MAIL.finditer(plain)]
    spans += [(*match.span(), "xlink") for match in _LINK.finditer(plain)]
    position = 0
    for start, end, name in [*sorted(spans), (len(plain), len(plain), "")]:
        if start < position:
            continue
        for match in _TOKEN.finditer(plain, position, start):
            yield "xnumber" if match[0][0].isdigit() else match[0]
        if name:
            yield name
        position = end


# -- cues ------------------------------------------------------------------------------------------------


@cache
def _cues() -> dict[str, tuple[re.Pattern[str], ...]]:
    text = files("saldo.analytics.replies").joinpath("cues.toml").read_text(encoding="utf-8")
    return {name: tuple(map(re.compile, patterns)) for name, patterns in tomllib.loads(text).items()}


def cue_matches(body: str) -> dict[str, str]:
    """The cues found in a folded text, each with the words that gave it."""
    found = {}
    for name, patterns in _cues().items():
        match = next((match for pattern in patterns if (match := pattern.search(body))), None)
        if match:
            found[name] = match[0].strip()
    return found


@cache
def _reasons() -> dict[str, re.Pattern[str]]:
    text = files("saldo.analytics.replies").joinpath("dispute_words.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    return {code: re.compile("|".join(f"(?:{each})" for each in words)) for code, words in told.items()}


def reason_words(body: str) -> Iterator[str]:
    """Reasons of a dispute whose words are there; twice where several are."""
    for code, pattern in _reasons().items():
        found = {match[0][:6] for match in pattern.finditer(body)}
        if found:
            yield f"reason {code}"
        if len(found) > 1:
            yield f"reasons {code}"


def _shapes(looked: Looked) -> Iterator[str]:
    words = len(looked.tokens)
    yield f"length {min(6, int(math.log2(words + 1)))}"
    ahead = [day for day in looked.days if day.day >= looked.today]
    if ahead:
        yield "day ahead"
    if any(day.day < looked.today for day in looked.days):
        yield "day past"
    if any(day.is_until for day in looked.days):
        yield "until a day"
    if any(amount.confidence > 0.5 for amount in looked.amounts):
        yield "amount"
    if "?" in looked.body and looked.body.rstrip().endswith("?"):
        yield "ends in question"
    letters = [character for character in looked.body if character.isalpha()]
    if not letters:
        yield "no letters"


# -- features --------------------------------------------------------------------------------------------


def features(looked: Looked) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(places 0 to BUCKETS - 1, weights): each place once, in ascending order."""
    weights: dict[int, float] = {}
    cues = sorted(cue_matches(looked.body))
    _add(weights, [f"cue {name}" for name in cues], _CUE * math.sqrt(max(1, len(cues))))
    pairs = [f"cues {a} {b}" for at, a in enumerate(cues) for b in cues[at + 1 :]]
    _add(weights, pairs, _PAIR * math.sqrt(max(1, len(cues))))
    _add(weights, [f"shape {name}" for name in _shapes(looked)], _SHAPE * 2)
    _add(weights, list(reason_words(looked.body)), _REASON)
    _add(weights, list(word_features(looked.tokens)), _WORD)
    _add(weights, list(_pieces(looked.tokens)), _PIECE)
    places = np.array(sorted(weights), dtype=np.int64)
    return places, np.array([weights[place] for place in places.tolist()], dtype=np.float64)


def word_features(tokens: tuple[str, ...]) -> Iterator[str]:
    for at, token in enumerate(tokens):
        yield f"word {token}"
        if len(token) > 6:
            yield f"stem {token[:6]}"
        if at + 1 < len(tokens):
            yield f"two {token} {tokens[at + 1]}"


def _pieces(tokens: tuple[str, ...]) -> Iterator[str]:
    for token in tokens:
        if token.isalpha() and not token.startswith("x"):
            padded = f" {token} "
            for at in range(len(padded) - 3):
                yield f"piece {padded[at : at + 4]}"


def place_of(feature: str) -> int:
    return zlib.crc32(feature.encode()) % BUCKETS


def _add(weights: dict[int, float], names: list[str], scale: float) -> None:
    """The features of one kind, each once, together of length ``scale``."""
    different = sorted(set(names))
    if not different:
        return
    each = scale / math.sqrt(len(different))
    for name in different:
        place = place_of(name)
        weights[place] = weights.get(place, 0.0) + each
