"""Amounts survive any locale; no row of any file is lost."""

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from saldo.core.money import MAX_MILLS
from saldo.formats.tabular.amounts import read_amounts
from saldo.formats.tabular.convert import convert
from saldo.formats.tabular.mapping import parse_profile
from saldo.formats.tabular.read import open_table

LOCALES = [
    (",", "."),
    (",", ""),
    (",", " "),
    (".", ","),
    (".", ""),
    (".", "'"),
    (",", "\u00a0"),
    (".", "\u2019"),
]
SIGNS = ["-{}", "{}-", "({})", "- {}", "{} CR", "{} H", "€ -{}", "-{} EUR", "\u2212{}"]
PROFILE = parse_profile(
    """
[format]
decimal = ","
thousands = "."
[columns]
customer_code = "Cliente"
number = "Fattura"
document_date = "Data"
amount = "Importo"
kind = "Tipo"
[kinds]
X = "ignore"
""",
    "p",
)


@given(
    st.integers(-MAX_MILLS, MAX_MILLS),
    st.sampled_from(LOCALES),
    st.sampled_from(SIGNS),
    st.booleans(),
    st.booleans(),
)
def test_amounts_written_in_a_locale_read_back_exactly(
    mills: int, locale: tuple[str, str], sign: str, grouped: bool, trimmed: bool
) -> None:
    decimal, thousands = locale
    whole, fraction = divmod(abs(mills), 1000)
    text = f"{whole:,}".replace(",", thousands) if grouped else str(whole)
    digits = f"{fraction:03d}"
    if trimmed:
        digits = digits.rstrip("0").ljust(2, "0")
    text += decimal + digits
    if mills < 0:
        text = sign.format(text)
    declared = thousands if thousands in (".", ",", " ", "'") else ""
    read = read_amounts(pl.Series([text, None, text]), None, decimal, declared)
    assert read.mills.to_list() == [mills, None, mills]
    assert not read.bad.any()
    assert read.decimals[0] == len(f"{fraction:03d}".rstrip("0"))


_CELL = st.text(st.sampled_from('aB1,.;"\n \x00€-/'), max_size=8)
_LINE = st.one_of(
    st.lists(_CELL, min_size=1, max_size=7).map(";".join),
    st.just('C1;F"1;05/01/2026;1,00;'),
    st.integers(1, 3).map(lambda i: f"C1;F{i};05/01/2026;1.000,00;FT"),
    st.integers(1, 3).map(lambda i: f'"C\n{i}";"F;{i}";05/01/2026;1.000,00;X'),
)


@given(st.lists(_LINE, max_size=12))
@example(['C1;F"1;05/01/2026;1,00;', '"C\n1";"F;1";05/01/2026;1.000,00;X', ';""'])
def test_every_line_is_read_refused_or_counted(lines: list[str]) -> None:
    text = "\n".join(["Cliente;Fattura;Data;Importo;Tipo", *lines])
    raw = open_table(text.encode(), "f.csv", PROFILE)
    result = convert(raw, PROFILE, "EUR")
    refused = [*raw.rejections, *result.rejections]
    rows = [*result.frame["row"], *(r.row for r in refused), *result.ignored["row"]]
    assert len(rows) == len(set(rows)), "a row was accounted for twice"
    # Each physical line belongs to a row, or is ignored; only quoted line breaks join lines.
    physical = len(text.rstrip("\n").split("\n")) - 1
    in_cells = sum(cell.count("\n") for row in raw.frame.drop("row").iter_rows() for cell in row if cell)
    in_refused = sum(r.excerpt.count("\u00b7") for r in refused)
    assert len(rows) + raw.ignored + in_cells + in_refused >= physical
