"""Identifiers and countries of customers, brought to one way of writing."""

from __future__ import annotations

from functools import lru_cache

import polars as pl
from stdnum.it import iva

from saldo.formats.tabular.columns import distinct, mapped
from saldo.formats.tabular.headers import normalized

_COUNTRIES = """
AT austria österreich aut|BE belgio belgium bel|BG bulgaria bgr|BR brasile brazil bra|CA canada can|
CH svizzera switzerland schweiz che|CN cina china chn|CY cipro cyprus cyp|
CZ repubblicaceca czechia czechrepublic cze|DE germania germany deutschland deu|
DK danimarca denmark dnk|EE estonia est|ES spagna spain españa esp|FI finlandia finland fin|
FR francia france fra|GB regnounito unitedkingdom granbretagna gbr uk|GR grecia greece grc el|
HR croazia croatia hrv|HU ungheria hungary hun|IE irlanda ireland irl|IN india ind|
IT italia italy italien ita|JP giappone japan jpn|LT lituania lithuania ltu|
LU lussemburgo luxembourg lux|LV lettonia latvia lva|MT malta mlt|
NL paesibassi olanda netherlands nld|NO norvegia norway nor|PL polonia poland pol|
PT portogallo portugal prt|RO romania rou|RS serbia srb|SE svezia sweden swe|SI slovenia svn|
SK slovacchia slovakia svk|SM sanmarino smr|TR turchia turkey turkiye tur|
US statiuniti unitedstates usa
"""
COUNTRY_OF = {
    normalized(word): entry.split()[0]
    for entry in _COUNTRIES.replace("\n", "").split("|")
    for word in entry.split()
}
_ISO2 = """
AD AE AL AM AR AT AU AZ BA BD BE BG BH BR BY CA CH CL CN CO CR CY CZ DE DK DO DZ EC EE EG ES FI FR GB GE
GR GT HK HR HU ID IE IL IN IQ IR IS IT JO JP KE KR KW KZ LB LI LT LU LV LY MA MC MD ME MG MK MT MX MY NG
NL NO NZ OM PA PE PH PK PL PT PY QA RO RS RU SA SE SG SI SK SM SN TH TN TR TW UA US UY UZ VA VE VN XK ZA
"""
ISO2 = frozenset(_ISO2.split())


def countries(texts: pl.Series) -> pl.Series:
    """ISO 2 codes from codes or names (Italian, English); null where the text is no country we know."""
    return mapped(texts, {text: country(text) for text in distinct(texts)})


def country(text: str) -> str | None:
    code = text.strip().upper()
    return COUNTRY_OF.get(normalized(text)) or (code if code in ISO2 else None)


def vat_numbers(texts: pl.Series, lands: pl.Series) -> pl.Series:
    """VAT numbers without spaces and with the country prefix where it is known."""
    frame = pl.DataFrame({"text": texts, "land": lands}).unique().drop_nulls("text")
    pairs = {(text, land): vat_number(text, land) for text, land in frame.iter_rows()}
    if len({text for text, _ in pairs}) == len(pairs):
        return mapped(texts, {text: value for (text, _), value in pairs.items()})
    table = pl.DataFrame(
        [(text, land, value) for (text, land), value in pairs.items()],
        schema={"text": pl.String, "land": pl.String, "value": pl.String},
        orient="row",
    )
    joined = pl.DataFrame({"text": texts, "land": lands}).join(
        table, on=["text", "land"], how="left", nulls_equal=True, maintain_order="left"
    )
    return joined["value"]


@lru_cache(maxsize=16_384)
def vat_number(text: str, land: str | None) -> str | None:
    """``text`` compacted. Eleven digits with a right check digit are Italian unless the country says not.

    Spreadsheets drop leading zeros: they are restored where the check digit confirms it.
    """
    compact = "".join(c for c in text.upper() if c.isalnum())
    if compact.isdigit() and land in (None, "IT"):
        padded = compact.zfill(11)
        if len(compact) >= 8 and iva.is_valid(padded):
            return f"IT{padded}"
        return f"IT{compact}" if len(compact) == 11 and land == "IT" else compact or None
    if compact.isdigit() and land and len(compact) >= 6:
        return f"{'EL' if land == 'GR' else land}{compact}"
    return compact or None


def without_leading_zeros(codes: pl.Series) -> pl.Series:
    """ "00012" becomes "12"; a code of zeros only becomes "0"."""
    stripped = codes.str.strip_chars_start("0")
    frame = pl.DataFrame({"code": codes, "stripped": stripped})
    bare = pl.when(pl.col("stripped") == "").then(pl.lit("0")).otherwise("stripped")
    return frame.select(pl.when(pl.col("code").is_not_null()).then(bare)).to_series()
