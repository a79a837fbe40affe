"""Facts in a reply: the promised day and amount, which items, the day of return, why it is disputed.

Each fact has a confidence of its own: that a person who reads the reply would write down the same. Rules by
clause: a day counts as promised where its clause speaks of paying to come, and not of a return, an invoice's
date or something already done.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from saldo.analytics.replies.features import Looked, cue_matches
from saldo.analytics.replies.records import Fact, Facts, Owed
from saldo.core.matching.references import Strength, document_keys, mentions
from saldo.core.spoken import SpokenDay, days_in
from saldo.core.spoken_amounts import SpokenAmount

_MOST_OWED = 500


@dataclass(frozen=True, slots=True)
class _Clause:
    start: int
    end: int
    plain: str
    is_question: bool


_CLAUSE_END = re.compile(
    r"(?<!\bft)(?<!\bn)(?<!\bsig)(?<!\bp)[.!?;\n]+(?=\s|$)|,\s*(?=(?:ma|pero|invece|mentre|but|while|"
    r"however|la \d|l'altra|il resto|il residuo|il saldo|the rest|the balance|the remaining|"
    r"the difference|la differenza|the other)\b)|\s+(?:mentre|while)\s+"
)
_PAYING = re.compile(
    r"pag\w*|sald\w*|bonific\w*|vers\w*|provved\w*|effettu\w*|dispo\w*|accredit\w*|mand\w*|invi\w*|"
    r"liquid\w*|sistem\w*|chiud\w*|"
    r"arriv\w*|ricever\w*|avrete|incasso|acconto|rat[ae]\b|mandato|esce|part[ei]\w*|fa(?:ccio|cciamo|"
    r"remo|ro)\b|tutto|soldi|valuta|esecuzione|"
    r"\bda(?:re|rvi|rle)|gir[oa]\w*|conferm\w*|corrispond\w*|impegn\w*|regol\w*|metto|cominci\w*|"
    r"inizi\w*|parte|trov\w+|entro|"
    r"pay\w*|paid|settl\w*|transfer\w*|wir(?:e|ed|ing)\b|send\w*|sent\b|remit\w*|clear\w*|releas\w*|"
    r"schedul\w*|run\b|check\b|cheque|ach\b|"
    r"money|funds|expect\w*|instal\w*|first (?:one|payment|part|transfer)|start\b|done\b|do (?:it|the)|"
    r"can do|sort\w*|credit\w*|commit\w*|offer\b|by\b|arrange\w*|balance|drop\b"
)
_PAST = re.compile(
    r"\b(?:gia (?:stat|pagat|sald|bonif|fatt|provv|eff|vers|disp)\w*|(?:abbiamo|ho|ha|"
    r"hanno) (?:gia )?(?:pagat|sald|bonific|vers|effett|esegui|dispost|provv)\w*|"
    r"(?:era|e|e'|risulta|sono|stata|stato) (?:gia )?(?:stat\w )?(?:pagat|saldat|bonificat|eseguit|"
    r"dispost|corrispost|quietanz)\w*|already|"
    r"(?:was|were|has been|have been|been) (?:\w+ )?(?:paid|settled|sent|transferred|remitted|made|"
    r"cleared|executed)|(?:we|i) (?:have )?(?:paid|settled|sent|remitted|transferred|made)|went out|"
    r"ricevut[aoe] (?:il|in data))\b"
)
_NO_PROMISE_BEFORE = re.compile(
    r"(?:\b(?:fatt?ur[ae]|ft|invoices?|ddt|bolla|ordine|order|pec|mail|lettera|letter|comunicazione|"
    r"preventivo|"
    r"offerta|contratto|reso|resi|decreto|sentenza|listino|credito|note)\b[^.;,]{0,22}"
    r"\b(?:del|dell'|di|of|dated|from|dd)\s*(?:the |il |l')?"
    r"|\b(?:scaden\w+|scadut\w+|due(?: date)?|dated|consegn\w+|deliver\w+|emess\w+|ritirat\w+|rientr\w*|"
    r"torn[aoei]\w*|riapr\w*|assen\w+|ferie|chius\w+|closed|back|return\w*|reopen\w*|riunione|dal|since|from)\b"
    r"(?:(?!\b(?:entro|by|con|will|il pagamento)\b)[^.;,]){0,14})$"
)
_AWAY = re.compile(
    r"\b(?:rientr\w*|torn[oaei]\w*|riapr\w*|riprend\w*|riapertura|fuori ufficio|assent\w*|chius\w*|"
    r"ferie|out of office|back|return\w*|reopen\w*|resum\w*|closed|leave|holiday\w*)\b"
)
_ALL = re.compile(
    r"\b(?:tutto|tutte|intero|interamente|il saldo|l'intero|totale|per intero|saldo complet\w*|"
    r"salder\w*|whole|in full|everything|the balance|full amount|all (?:of it|invoices|the)|"
    r"clear the account)\b"
)
_PART = re.compile(
    r"\b(?:acconto|una parte|parzial\w*|il resto|il residuo|intanto|per ora|un terzo|meta (?:subito|ora|"
    r"adesso)|part payment|on account|the rest|remaining|remainder|the balance (?:in|later|next)|"
    r"half now)\b"
)
_HALF = re.compile(
    r"\b(?:la meta|meta (?:subito|ora|adesso|dell'importo|del dovuto|della fattura)|il 50\s?%|"
    r"half(?! of the (?:batch|goods|tiles)))\b"
)
_REST = re.compile(
    r"\b(?:resto|residuo|restant\w*|rest|remaining|remainder|difference|differenza|balance|altra meta)\b"
)
_REF = re.compile(
    r"\b(?:cro|trn|utr|riferimento(?: bonifico)?|reference|check #|mandato n\.?)\s*(?:n\.?|nr\.?|no\.?|"
    r":|#)?\s*((?=[a-z0-9]*\d)[a-z0-9]{3,35})\b"
)
# A lawyer who writes for the customer; "diffida" and "la scrivente" stand in letters of its own as well.
_LAWYER = re.compile(
    r"\b(?:in nome e per conto d\w+|mi[ao] (?:assistit[ao]|cliente)|nostr[ao] assistit[ao]|"
    r"studio legale|avv\.|"
    r"scrivo per conto|our client|my client|(?:we|i) act for|solicitors? for|attorneys? for|"
    r"on behalf of (?:our|my) client)"
)
_CONTACT = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+")


def _clauses(plain: str) -> list[_Clause]:
    found: list[_Clause] = []
    start = 0
    ends = [(match.start(), match.end(), match[0]) for match in _CLAUSE_END.finditer(plain)]
    for end, next_start, mark in [*ends, (len(plain), len(plain), "")]:
        if plain[start:end].strip():
            found.append(_Clause(start, end, plain[start:end], "?" in mark))
        start = next_start
    return found


def facts_of(
    looked: Looked,
    text: str,
    label: str,
    scores: dict[str, float],
    owed: Sequence[Owed],
    reason: Fact | None,
) -> Facts:
    """The facts of a reply read as ``label``; ``text``: as it came, for numbers and addresses;
    reason: of a dispute."""
    cues = cue_matches(looked.body)
    clauses = _clauses(looked.body)
    conditional = _is_conditional(cues, looked.body)
    told: dict[str, Any] = {
        "is_conditional": conditional,
        "is_plan": "plan" in cues and label == "promise",
        "wants_no_more": label == "opt_out"
        or ("stop_writing" in cues and label in ("angry", "paid", "other")),
        "is_legal": label != "out_of_office" and bool(_LAWYER.search(looked.body)),
        "is_insolvent": "insolvent" in cues,
        "is_all": bool(_ALL.search(looked.body)) and not _PART.search(looked.body),
        "is_part": bool(_PART.search(looked.body)),
    }
    told["items"] = _items(text, owed)
    if label == "promise":
        told |= _promise(looked, clauses, conditional, scores["promise"], owed)
    if label == "out_of_office":
        told["return_date"] = _return_day(looked, clauses)
    if label == "dispute":
        told["dispute_reason"] = reason
        told["disputed_mills"] = _only_amount(looked.amounts)
    if label == "paid":
        told |= _payment(looked, clauses)
    if label in ("wrong_contact", "out_of_office"):
        address = _CONTACT.search(text[:20_000])
        told["contact"] = Fact(address[0], 0.9, address[0]) if address else None
    return Facts(**told)


# -- promises --------------------------------------------------------------------------------------------


_IF = re.compile(r"(?:^|[.,;\n]\s*)(?:se (?!no\b)|if |a patto che|purche|sempre che|as long as|provided)")
# The day named is that of something else, after which is paid.
_AFTERWARDS = re.compile(
    r"\b(?:after that|the day after|there and then|and then|afterwards|e poi|"
    r"dopodiche|dopo di che)\b"
)


def _is_conditional(cues: dict[str, str], body: str) -> bool:
    return "when_paid_ourselves" in cues or "condition" in cues or bool(_IF.search(body))


def _promise(
    looked: Looked, clauses: list[_Clause], conditional: bool, sure: float, owed: Sequence[Owed]
) -> dict[str, Any]:
    days = list(_promised_days(looked, clauses))
    amounts = _promised_amounts(looked, clauses)
    parts = _parts(days, amounts, clauses)
    told: dict[str, Any] = {"parts": parts if len(parts) > 1 else ()}
    if days:
        day, confidence = days[0]
        if conditional:
            confidence = min(confidence, 0.7)
        if len({each.day for each, _ in days}) > 1 and len(parts) < 2:
            confidence = min(confidence, 0.75)
        told["promised_date"] = Fact(day.day, min(confidence, _label_ceiling(sure)), day.text)
    if amounts:
        amount, confidence = amounts[0]
        if len({each.mills for each, _ in amounts}) > 1 and len(parts) < 2:
            confidence = min(confidence, 0.75)
        total = sum(each.balance_mills for each in owed)
        if owed and amount.mills > 1.02 * total > 0:
            confidence = min(confidence, 0.5)  # more than is owed: a total of something else, or misread
        told["amount_mills"] = Fact(amount.mills, min(confidence, _label_ceiling(sure)), amount.text)
        told["currency"] = amount.currency
    else:
        half = _HALF.search(looked.body)
        total = sum(each.balance_mills for each in owed)
        if half and total:
            told["amount_mills"] = Fact(total // 20 * 10, 0.6, half[0])
            told["is_part"], told["is_all"] = True, False
    return told


def _label_ceiling(sure: float) -> float:
    """A fact of a promise is no surer than that it is one, but for a rounding at the top."""
    return min(1.0, sure + 0.05)


def _promised_days(looked: Looked, clauses: list[_Clause]) -> Iterator[tuple[SpokenDay, float]]:
    """The days to come that a promise names, the surest reading first where one clause speaks of paying."""
    found: list[tuple[int, int, SpokenDay, float]] = []
    for at, clause in enumerate(clauses):
        for day in looked.days:
            if not clause.start <= day.start < clause.end or day.day < looked.today:
                continue
            before = looked.body[max(clause.start, day.start - 45) : day.start]
            confidence = day.confidence
            if _NO_PROMISE_BEFORE.search(before):
                continue
            pays = bool(_PAYING.search(clause.plain))
            if _PAST.search(clause.plain) and not re.search(
                r"\binvece\b|\bwill\b|\bvenerdi|\bentro\b", clause.plain
            ):
                confidence = min(confidence, 0.5)
            if _AWAY.search(clause.plain) and not re.search(r"pag\w+|bonific\w+|pay\w*", clause.plain):
                continue
            if _AFTERWARDS.search(clause.plain, day.end - clause.start):
                confidence = min(confidence, 0.6)
            if clause.is_question and not re.search(r"\bok\b", clause.plain):
                confidence = min(confidence, 0.6)
            if not pays and len(looked.tokens) > 8:
                confidence = min(confidence, 0.8)
            if day.is_until and not re.search(r"\b(?:until|till?)\b", before):
                confidence = min(confidence, 0.7)
            found.append((0 if pays else 1, at, day, confidence))
    found.sort(key=lambda each: (each[0], each[1], each[2].start))
    sure = [each for each in found if each[3] >= 0.5]
    for _, _, day, confidence in sure or found:
        yield day, confidence


def _promised_amounts(looked: Looked, clauses: list[_Clause]) -> list[tuple[SpokenAmount, float]]:
    found = []
    for clause in clauses:
        for amount in looked.amounts:
            if not clause.start <= amount.start < clause.end or amount.confidence < 0.5:
                continue
            before = looked.body[max(clause.start, amount.start - 40) : amount.start]
            confidence = amount.confidence
            if not _PAYING.search(clause.plain) and len(looked.tokens) > 8:
                confidence = min(confidence, 0.8)
            if re.search(
                r"\b(?:fattura|ft|invoice|differenza|difference|sconto|discount|spese|costs|trasporto|"
                r"rispetto a|invece (?:di|dei))\b[^.;]{0,25}$",
                before,
            ):
                confidence = min(confidence, 0.7)
            if re.search(
                r"\b(?:rat[ae]|instal\w+|quot[ae]|tranche|mensil\w*|al mese|payments) (?:da|di|of)?\s*$",
                before,
            ) or re.match(
                r"\s*(?:al mese|a month|monthly|each|ciascuna|cadauna|l'una|mensili|per month)",
                looked.body[amount.end : amount.end + 20],
            ):
                confidence = min(confidence, 0.5)
            if _PAST.search(clause.plain):
                confidence = min(confidence, 0.6)
            found.append((amount, confidence))
    return found


def _parts(
    days: list[tuple[SpokenDay, float]], amounts: list[tuple[SpokenAmount, float]], clauses: list[_Clause]
) -> tuple[tuple[date, int], ...]:
    """(day, amount) of each clause that names both; a rest has no amount of its own (0)."""
    found: list[tuple[date, int]] = []
    for clause in clauses:
        inside = [day for day, sure in days if clause.start <= day.start < clause.end and sure > 0.5]
        said = [
            amount for amount, sure in amounts if clause.start <= amount.start < clause.end and sure > 0.5
        ]
        if len(inside) == 1 and len(said) == 1:
            found.append((inside[0].day, said[0].mills))
        elif len(inside) == 1 and not said and _REST.search(clause.plain):
            found.append((inside[0].day, 0))
        elif len(inside) == len(said) > 1:
            found += [(day.day, amount.mills) for day, amount in zip(inside, said, strict=True)]
        elif len(inside) == 2 and len(said) == 1 and _REST.search(clause.plain):
            found += [(inside[0].day, said[0].mills), (inside[1].day, 0)]
    return tuple(found)


# -- out of office ---------------------------------------------------------------------------------------

_BACK = re.compile(
    r"\b(?:rientr\w*|torn[oaei]\w*|riapr\w*|riapertura|riprend\w*|di nuovo|operativ\w*|riprender\w*|"
    r"rispondero|rispondiamo|"
    r"ricontatter\w*|disponibil\w*|raggiungibile|ritorno|legger\w*|lett[ao]|ritrov\w*|rivediamo|"
    r"mi trovate|sentiamo|"
    r"back|return\w*|reopen\w*|resum\w*|again|reach me|see you|joining|answer|reply|available|read|"
    r"expect)\b"
)  # fmt: skip


def _return_day(looked: Looked, clauses: list[_Clause]) -> Fact | None:
    """The day after which somebody reads mail again."""
    told: list[tuple[int, Fact]] = []
    for clause in clauses:
        for day in looked.days:
            if not clause.start <= day.start < clause.end or day.day < looked.today:
                continue
            around = looked.body[max(clause.start, day.start - 60) : min(clause.end, day.end + 35)]
            until = day.is_until or re.search(
                r"\b(?:fino a\w*|sino a\w*|al|until|till|through|to)\s*(?:l'|il )?[a-z']*\s*$",
                looked.body[max(clause.start, day.start - 14) : day.start],
            )
            last_back = None
            for match in _BACK.finditer(looked.body[clause.start : day.start]):
                last_back = match
            if until and not (last_back and len(looked.body[clause.start + last_back.end() : day.start]) < 3):
                told.append((1, _after(day, around)))
            elif _BACK.search(around):
                told.append((0, Fact(day.day, day.confidence, day.text)))
            elif re.search(
                r"\b(?:dal|from)\s*(?:l'|il )?[a-z']*\s*$",
                looked.body[max(clause.start, day.start - 14) : day.start],
            ):
                told.append((3, Fact(day.day, 0.4, day.text)))
            else:
                told.append((2, Fact(day.day, 0.6, day.text)))
    if not told:
        return None
    best = min(rank for rank, _ in told)
    facts = [fact for rank, fact in told if rank == best]
    latest = max(facts, key=lambda fact: fact.value)
    if best == 0 and len({fact.value for fact in facts}) > 1:
        return Fact(latest.value, min(latest.confidence, 0.75), latest.text)
    return latest


def _after(day: SpokenDay, around: str) -> Fact:
    """The working day after the last day away; "until Monday" of English writers is Monday itself."""
    english = re.search(r"\b(?:until|till|through|to)\b", around) and not re.search(
        r"\b(?:fino|al|compres\w*)\b", around
    )
    if english and day.day.weekday() < 4 and not re.search(r"\b(?:through|from|between)\b", around):
        return Fact(day.day, 0.6, day.text)
    following = day.day + timedelta(days=1)
    while following.weekday() > 4:
        following += timedelta(days=1)
    return Fact(following, 0.75 if english else 0.85, day.text)


# -- disputes, payments, items ---------------------------------------------------------------------------


def _only_amount(amounts: Sequence[SpokenAmount]) -> Fact | None:
    sure = [amount for amount in amounts if amount.confidence > 0.5]
    if len({amount.mills for amount in sure}) != 1:
        return None
    return Fact(sure[0].mills, 0.7, sure[0].text)


def _payment(looked: Looked, clauses: list[_Clause]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    reference = _REF.search(looked.body)
    if reference:
        told["payment_ref"] = Fact(reference[1].upper(), 0.9, reference[0])
    past = [day for day in days_in(looked.body, looked.today, is_past=True) if day.day <= looked.today]
    for clause in clauses:
        inside = [day for day in past if clause.start <= day.start < clause.end]
        inside = [
            day for day in inside
            if not _NO_PROMISE_BEFORE.search(looked.body[max(clause.start, day.start - 30) : day.start])
        ]  # fmt: skip
        if len(inside) == 1 and "paid_date" not in told:
            told["paid_date"] = Fact(inside[0].day, min(inside[0].confidence, 0.95), inside[0].text)
    amount = _only_amount(looked.amounts)
    if amount:
        told["paid_mills"] = amount
    return told


def _items(text: str, owed: Sequence[Owed]) -> Fact | None:
    """Positions of the items whose numbers the text names, as the cash desk reads numbers in remittances."""
    keys: dict[str, set[int]] = {}
    for position, item in enumerate(owed[:_MOST_OWED]):
        for key in document_keys(item.number, None):
            keys.setdefault(key, set()).add(position)
    if not keys:
        return None
    named: dict[int, float] = {}
    words = []
    for mention in mentions(text[:10_000]):
        if mention.looks_like in ("date", "amount", "phone", "vat", "year") and not mention.is_led:
            continue
        for key in mention.keys:
            hits = keys.get(key, set())
            if len(hits) == 1:
                strong = mention.is_led or mention.strength >= Strength.BODY
                named.setdefault(next(iter(hits)), 0.95 if strong else 0.6)
                words.append(mention.text)
                break
    if not named:
        return None
    return Fact(tuple(sorted(named)), min(named.values()), ", ".join(dict.fromkeys(words))[:200])
