"""The words of payment terms: text -> tokens. What is not in these tables is refused, never skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from functools import lru_cache

from saldo.core.normalize import folded
from saldo.core.terms_model import Base, Method


class Kind(Enum):
    NUMBER = auto()  # value: int
    SHARE = auto()  # value: Fraction; None = what the other shares leave
    DAYS = auto()
    MONTHS = auto()
    LIST = auto()  # "/" or "-", between offsets
    COMMA = auto()
    AND = auto()
    PLUS = auto()
    END_OF_MONTH = auto()
    END_OF_NEXT_MONTH = auto()
    AFTER = auto()  # "dopo"
    AFTER_END_OF_MONTH = auto()  # "dalla fine del mese"
    NEXT_MONTH = auto()  # "del mese successivo", after a day of the month
    ON_DAY = auto()  # "il", "al", "giorno fisso", before a day of the month
    BASE = auto()  # value: Base
    METHOD = auto()  # value: Method
    EXCEPT = auto()
    MONTH = auto()  # value: 1-12
    MOVED = auto()  # "spostati", after excluded months
    COUNT = auto()  # "rate", after their number
    NET = auto()  # says that a bare number is days
    FILLER = auto()


Value = int | Fraction | Base | Method | None


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    value: Value = None
    text: str = ""


class UnknownWord(ValueError):
    """A word or sign that is not in the vocabulary."""


_DFFM = ((Kind.BASE, Base.INVOICE), (Kind.END_OF_MONTH, None))
_VOCABULARY: list[tuple[tuple[tuple[Kind, Value], ...], str]] = [
    (((Kind.DAYS, None),), "g gg ggg gior giorno giorni day days dd"),
    (((Kind.MONTHS, None),), "mese mesi month months"),
    (((Kind.AND, None),), "e ed and"),
    (((Kind.PLUS, None),), "+ piu plus"),
    (((Kind.LIST, None),), "/ -"),
    (((Kind.COMMA, None),), ", ; : ( )"),
    (((Kind.END_OF_MONTH, None),),
     "fm eom finemese fmese fine_mese fine_m f_mese f_m fine_del_mese "
     "end_of_month end_of_the_month month_end"),
    (_DFFM, "dffm ffm fmdf dfm d_f_f_m f_m_d_f fine_mese_df df_fine_mese"),
    (((Kind.END_OF_NEXT_MONTH, None),),
     "fine_mese_successivo fine_mese_succ fine_mese_seguente fine_mese_prossimo fms fm_successivo "
     "end_of_next_month end_of_the_next_month end_of_following_month end_of_the_following_month"),
    (((Kind.AFTER, None),), "dopo oltre after dal dalla dall from"),
    (((Kind.AFTER_END_OF_MONTH, None),),
     "da_fine_mese da_fm dal_fine_mese dalla_fine_mese dalla_fine_del_mese dal_fm "
     "from_end_of_month from_the_end_of_the_month after_end_of_month"),
    (((Kind.NEXT_MONTH, None),),
     "del_mese_successivo mese_successivo del_mese_succ mese_succ m_s ms del_mese_seguente mese_seguente "
     "del_mese_prossimo mese_prossimo del_successivo of_the_following_month of_following_month "
     "following_month of_the_next_month of_next_month next_month"),
    (((Kind.ON_DAY, None),),
     "il al il_giorno al_giorno giorno_fisso gg_fisso gg_fissi giorno_fisso_al "
     "scadenza_fissa scadenza_fissa_al scad_fissa scad_fissa_al entro_il on_the on"),
    (((Kind.BASE, Base.INVOICE),),
     "df d_f ff f_f dt_fatt dt_fattura data_fattura data_della_fattura data_fatt data_ft data_f "
     "d_fatt d_fattura data_doc data_documento data_emissione data_emissione_fattura fattura fatt ft "
     "invoice_date date_of_invoice date_of_the_invoice invoice emissione_fattura emissione"),
    (((Kind.BASE, Base.ADVANCE),),
     "anticipato anticipata anticipo anticipati ant acconto antic in_anticipo all_ordine ordine "
     "alla_conferma alla_conferma_d_ordine alla_conferma_ordine conferma_ordine avviso_merce_pronta "
     "prepayment prepaid in_advance advance cash_in_advance upon_order with_order"),
    (((Kind.BASE, Base.DELIVERY),),
     "alla_consegna consegna data_consegna consegna_merce data_consegna_merce alla_consegna_merce "
     "ricevimento_merce al_ricevimento_merce a_ricevimento_merce data_ddt ddt data_bolla on_delivery "
     "upon_delivery delivery delivery_date"),
    (((Kind.BASE, Base.RECEIPT),),
     "vista a_vista vf v_f vista_fattura vista_fatt vista_ft a_vista_fattura ricevimento_fattura "
     "al_ricevimento_fattura a_ricevimento_fattura data_ricevimento_fattura data_ricevimento "
     "al_ricevimento ricevimento ricevuta_fattura immediato immediata subito a_presentazione pronta_cassa "
     "on_receipt upon_receipt due_on_receipt receipt immediate immediately at_sight"),
    (((Kind.METHOD, Method.RIBA),),
     "riba rb r_b ri_ba ricevuta_bancaria ricevute_bancarie ric_banc ric_bancaria"),
    (((Kind.METHOD, Method.TRANSFER),),
     "bonifico bonif bon bb b_b bonifico_bancario bonifico_sepa bonif_banc bon_banc bank_transfer "
     "wire_transfer wire transfer"),
    (((Kind.METHOD, Method.SDD),),
     "rid sdd sepa_dd sdd_core sdd_b_b sepa_direct_debit direct_debit addebito_diretto"),
    (((Kind.METHOD, Method.DIRECT),), "rimessa_diretta rim_diretta rim_dir rimessa_dir rim_dirett rd r_d"),
    (((Kind.METHOD, Method.CASH),), "contanti contante per_contanti in_contanti cash"),
    (((Kind.METHOD, Method.CASH_ON_DELIVERY),), "contrassegno c_assegno cod cash_on_delivery"),
    (((Kind.METHOD, Method.CHECK),), "assegno ass assegno_bancario assegno_circolare check cheque"),
    (((Kind.METHOD, Method.CARD),), "carta carta_di_credito carta_credito credit_card paypal"),
    (((Kind.METHOD, Method.DRAFT),), "cambiale tratta pagherò titoli"),
    (((Kind.METHOD, Method.MAV),), "mav"),
    (((Kind.SHARE, None),),
     "saldo rimanente rimanenza restante resto a_saldo il_saldo il_resto balance remainder"),
    (((Kind.EXCEPT, None),),
     "esclusi escluso esclusa escl esclude escludendo esclusione con_esclusione con_esclusione_di "
     "tranne salvo eccetto no excl excluding except"),
    (((Kind.MOVED, None),),
     "spostato spostata spostati spostate slittano slitta slittamento slittati spostamento "
     "rinviati rinviate moved"),
    (((Kind.COUNT, None),), "rata rate installments"),
    (((Kind.NET, None),), "net netto netti n"),
    (((Kind.FILLER, None),),
     "pagamento pag pagam payment payable due within a ai da di del della dei con entro scad la "
     "scadenza scadenze termini terms of the in at sbf mesi_di mese_di il_mese_di months_of"),
]  # fmt: skip
_MONTHS = (
    "gennaio gen january jan", "febbraio feb february", "marzo mar march", "aprile apr april",
    "maggio mag may", "giugno giu june jun", "luglio lug july jul", "agosto ago august aug",
    "settembre set sett september sep", "ottobre ott october oct", "novembre nov november",
    "dicembre dic december dec",
)  # fmt: skip


def _phrases() -> dict[tuple[str, ...], tuple[tuple[Kind, Value], ...]]:
    table = {
        tuple(folded(phrase).split("_")): meaning for meaning, line in _VOCABULARY for phrase in line.split()
    }
    for month, names in enumerate(_MONTHS, start=1):
        table.update({(name,): ((Kind.MONTH, month),) for name in names.split()})
    return table


_PHRASES = _phrases()
_LONGEST = max(map(len, _PHRASES))
_WORDS = frozenset(word for phrase in _PHRASES for word in phrase)
# What people run together: "60ggdffm", "fine mese.riba". Short fillers would split any word into nonsense.
_GLUED = frozenset(word for word in _WORDS if len(word) >= 4 or word in {"gg", "df", "fm", "rb", "bb"})

_SIGNS = str.maketrans({"\N{EN DASH}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": " ", "'": " ", "`": " "})
_PERCENT = re.compile(r"(\d{1,3}(?:[.,]\d{1,4})?)\s*%")
_QUOTA = re.compile(r"\bquota\s+(\d{1,9})\s*/\s*(\d{1,9})\b")
_LEXEME = re.compile(rf"\s+|{_QUOTA.pattern}|{_PERCENT.pattern}|(\d+)|([^\W\d_]+)|(.)")


@lru_cache(maxsize=1024)
def _unglued(word: str) -> tuple[str, ...]:
    """A word of the vocabulary, or the words it is made of; raises UnknownWord."""
    if word in _WORDS:
        return (word,)
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            head = best[start]
            if head is not None and word[start:end] in _GLUED:
                longer = best[end]
                best[end] = min(filter(None, (longer, (*head, word[start:end]))), key=len)
    parts = best[-1]
    if parts is None:
        raise UnknownWord(word)
    return parts


def _prepared(text: str) -> str:
    plain = folded(text).translate(_SIGNS).rstrip(" .")
    plain = re.sub(r"(?<=[^\W\d_])\.", "", plain)  # "d.f.f.m." -> "dffm", "gg.30" -> "gg30"
    plain = re.sub(r"\b([a-z])/([a-z]|assegno)\b", r"\1 \2", plain)  # "d/f", "c/assegno"
    plain = re.sub(r"(?<=\d)(?:st|nd|rd|th)\b", "", plain)  # "15th"
    plain = re.sub(r"\bn\s*/\s*(?=\d)", "net ", plain)  # "n/30"
    return re.sub(r"\bri/ba\b", "riba", plain)


def _lexemes(text: str) -> list[str | Token]:
    """Words and signs still to be looked up, with numbers and shares already tokens."""
    found: list[str | Token] = []
    for match in _LEXEME.finditer(text):
        numerator, denominator, percent, digits, word, sign = match.groups()
        if numerator is not None:
            if int(denominator) == 0:
                raise UnknownWord(match.group())
            found.append(Token(Kind.SHARE, Fraction(int(numerator), int(denominator)), match.group()))
        elif percent is not None:
            found.append(Token(Kind.SHARE, Fraction(percent.replace(",", ".")) / 100, match.group()))
        elif digits is not None:
            if len(digits) > 4:
                raise UnknownWord(digits)
            found.append(Token(Kind.NUMBER, int(digits), digits))
        elif word is not None:
            found.extend(_unglued(word))
        elif sign is not None:
            found.append(sign)
    return found


def _phrase_at(lexemes: list[str | Token], start: int) -> tuple[str, ...]:
    """The longest phrase of the vocabulary that starts there; raises UnknownWord."""
    words: list[str] = []
    longest: tuple[str, ...] = ()
    for lexeme in lexemes[start : start + _LONGEST]:
        if isinstance(lexeme, Token):
            break
        words.append(lexeme)
        if tuple(words) in _PHRASES:
            longest = tuple(words)
    if not longest:
        raise UnknownWord(words[0])
    return longest


def tokens_of(text: str) -> list[Token]:
    """The tokens of terms, fillers left out. Raises UnknownWord with the first word not understood."""
    lexemes = _lexemes(_prepared(text))
    tokens: list[Token] = []
    position = 0
    while position < len(lexemes):
        lexeme = lexemes[position]
        if isinstance(lexeme, Token):
            tokens.append(lexeme)
            position += 1
            continue
        phrase = _phrase_at(lexemes, position)
        text_read = " ".join(phrase)
        meanings = [each for each in _PHRASES[phrase] if each[0] is not Kind.FILLER]
        tokens.extend(Token(kind, value, text_read) for kind, value in meanings)
        position += len(phrase)
    return tokens
