"""Payment terms as people write them, read in one way or refused."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest

from saldo.core.errors import LANGUAGES, SaldoError
from saldo.core.terms import (
    Base,
    EarlyPayment,
    Installment,
    Method,
    PaymentTerms,
    due_dates,
    parse_terms,
    render,
)

# spelling | canonical form | due dates of a document of 31 January 2026 (month-day)
READABLE = """
30 GG DF                                        | 30 gg DF                      | 03-02
30 gg                                           | 30 gg DF                      | 03-02
30gg                                            | 30 gg DF                      | 03-02
gg. 30                                          | 30 gg DF                      | 03-02
Pagamento a 30 gg data fattura                  | 30 gg DF                      | 03-02
30 giorni dalla data della fattura              | 30 gg DF                      | 03-02
30 giorni dalla fattura                         | 30 gg DF                      | 03-02
30 gg d.f.                                      | 30 gg DF                      | 03-02
30 gg D/F                                       | 30 gg DF                      | 03-02
net 30                                          | 30 gg DF                      | 03-02
NET 30 DAYS                                     | 30 gg DF                      | 03-02
n/30                                            | 30 gg DF                      | 03-02
60 days from invoice date                       | 60 gg DF                      | 04-01
within 30 days of invoice date                  | 30 gg DF                      | 03-02
30-60-90 ff                                     | 30/60/90 gg DF                | 03-02 04-01 05-01
30/60                                           | 30/60 gg DF                   | 03-02 04-01
30 e 60 gg                                      | 30/60 gg DF                   | 03-02 04-01
30, 60, 90 giorni d.f.                          | 30/60/90 gg DF                | 03-02 04-01 05-01
30gg/60gg/90gg                                  | 30/60/90 gg DF                | 03-02 04-01 05-01
30 gg DF / 60 gg DF                             | 30/60 gg DF                   | 03-02 04-01
3 rate 30/60/90 gg DF                           | 30/60/90 gg DF                | 03-02 04-01 05-01
0/30 gg df                                      | 0/30 gg DF                    | 01-31 03-02
30 gg DF + 10                                   | 40 gg DF                      | 03-12
RiBa 60 gg f.m.                                 | RiBa 60 gg DFFM               | 03-31
RIBA - 60 GG F.M.                               | RiBa 60 gg DFFM               | 03-31
RB 30/60 FM                                     | RiBa 30/60 gg DFFM            | 02-28 03-31
R.B. 30/60 F. M.                                | RiBa 30/60 gg DFFM            | 02-28 03-31
Ri.Ba. 30/60/90 gg. D.F. F.M.                   | RiBa 30/60/90 gg DFFM         | 02-28 03-31 04-30
ricevuta bancaria 30 giorni fine mese           | RiBa 30 gg DFFM               | 02-28
RIBA60GGDFFM                                    | RiBa 60 gg DFFM               | 03-31
60gg d.f.f.m.                                   | 60 gg DFFM                    | 03-31
60 gg FMDF                                      | 60 gg DFFM                    | 03-31
90 giorni fine mese data fattura                | 90 gg DFFM                    | 04-30
Bonifico 90 giorni data fattura fine mese       | bonifico 90 gg DFFM           | 04-30
45 gg fm                                        | 45 gg DFFM                    | 03-31
30 days end of month                            | 30 gg DFFM                    | 02-28
Net 30 EOM                                      | 30 gg DFFM                    | 02-28
2 mesi FM                                       | 2 mesi DFFM                   | 03-31
1 mese data fattura                             | 1 mese DF                     | 02-28
fine mese                                       | DFFM                          | 01-31
fine mese successivo                            | 1 mese DFFM                   | 02-28
B.B. 60 GG F.M. +10                             | bonifico 60 gg DFFM+10        | 04-10
60 gg fm 10                                     | 60 gg DFFM+10                 | 04-10
a 30 giorni fine mese più 5                     | 30 gg DFFM+5                  | 03-05
FM+10                                           | DFFM+10                       | 02-10
il 10 del mese successivo                       | DFFM+10                       | 02-10
15th of the following month                     | DFFM+15                       | 02-15
60 gg. 10 m.s.                                  | 60 gg DFFM+10                 | 04-10
60 gg FM il 10 del mese successivo              | 60 gg DFFM+10                 | 04-10
il 31 del mese successivo                       | DFFM+1 giorno fisso 31        | 02-28
30 gg FM giorno fisso 15                        | 30 gg DFFM giorno fisso 15    | 03-15
30 gg DF al 15                                  | 30 gg DF giorno fisso 15      | 03-15
30 gg dopo fine mese                            | DFFM+30                       | 03-02
30 gg dalla fine del mese                       | DFFM+30                       | 03-02
fine mese data fattura + 30 gg                  | DFFM+30                       | 03-02
fm + 30/60                                      | DFFM+30/60                    | 03-02 04-01
vista fattura                                   | vista fattura                 | 01-31
RD V.F.                                         | rimessa diretta vista fattura | 01-31
rimessa diretta a vista                         | rimessa diretta vista fattura | 01-31
Rimessa diretta 30 gg                           | rimessa diretta 30 gg DF      | 03-02
due on receipt                                  | vista fattura                 | 01-31
30 gg data ricevimento fattura                  | 30 gg vista fattura           | 03-02
30 gg dopo la consegna                          | 30 gg data consegna           | 03-02
30 gg data consegna                             | 30 gg data consegna           | 03-02
Contanti alla consegna                          | contanti alla consegna        | 01-31
per contanti                                    | contanti data fattura         | 01-31
Contrassegno                                    | contrassegno alla consegna    | 01-31
COD                                             | contrassegno alla consegna    | 01-31
bonifico anticipato                             | bonifico anticipato           | 01-31
cash in advance                                 | anticipato                    | 01-31
SDD 30 gg d.f.                                  | SDD 30 gg DF                  | 03-02
R.I.D. 30 gg                                    | SDD 30 gg DF                  | 03-02
50% alla consegna 50% 60 gg                     | 50% alla consegna, 50% 60 gg DF | 01-31 04-01
alla consegna 50%, 60 gg 50%                    | 50% alla consegna, 50% 60 gg DF | 01-31 04-01
acconto 30% saldo a 60 gg                       | 30% anticipato, 70% 60 gg DF  | 01-31 04-01
30% all'ordine, saldo 30/60 gg DF    | 30% anticipato, 35% 30 gg DF, 35% 60 gg DF | 01-31 03-02 04-01
RiBa 50% 30 gg 50% 60 gg FM          | 50% RiBa 30 gg DF, 50% RiBa 60 gg DFFM | 03-02 03-31
30% bonifico anticipato, saldo RB 60 | 30% bonifico anticipato, 70% RiBa 60 gg DF | 01-31 04-01
2/10 net 30                                     | sconto 2% entro 10 gg, 30 gg DF | 03-02
2% 10 days, net 30 EOM                        | sconto 2% entro 10 gg, 30 gg DFFM | 02-28
1,5/15, n/60                                    | sconto 1,5% entro 15 gg, 60 gg DF | 04-01
60 gg DF con sconto 3% per pagamento entro 8 gg | sconto 3% entro 8 gg, 60 gg DF | 04-01
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in READABLE.strip().splitlines()]
EXCLUDED = ", esclusi agosto e dicembre al {} del mese successivo"


@pytest.mark.parametrize(("text", "canonical", "days"), ROWS, ids=[row[0] for row in ROWS])
def test_spellings(text: str, canonical: str, days: str) -> None:
    terms = parse_terms(text)
    assert render(terms) == canonical
    assert [f"{day:%m-%d}" for day, _ in due_dates(terms, date(2026, 1, 31), 100_000)] == days.split()
    assert parse_terms(canonical) == terms
    assert parse_terms(text.upper()) == terms


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("60 gg FM, esclusi agosto e dicembre", 10),
        ("60 gg FM escl. ago/dic", 10),
        ("escl. ago/dic 60 gg FM", 10),
        ("60 gg FM no agosto, dicembre", 10),
        ("60 gg FM escl. 8 e 12", 10),
        ("60 gg FM (esclusi agosto e dicembre, spostati al 15 del mese successivo)", 15),
        ("60 gg FM esclusi agosto e dicembre al 5", 5),
        ("60 gg FM tranne agosto e dicembre spostati a fine mese successivo", 31),
    ],
)
def test_excluded_months(text: str, day: int) -> None:
    assert render(parse_terms(text)) == "60 gg DFFM" + EXCLUDED.format(day)


def test_day_that_excluded_months_move_to_is_a_parameter() -> None:
    assert parse_terms("30 gg FM esclusi agosto", moved_to_day=15).moved_to_day == 15
    assert parse_terms("30 gg FM esclusi agosto al 20", moved_to_day=15).moved_to_day == 20


REFUSED = {
    "": "terms_empty",
    " - ": "terms_empty",
    "da concordare": "terms_unknown_word",
    "come da accordi": "terms_unknown_word",
    "30/ab/90": "terms_unknown_word",
    "NAH4": "terms_unknown_word",
    "30.60 gg": "terms_unknown_word",
    "acconto 1000 euro, saldo 30 gg": "terms_unknown_word",
    "quota 1/0 30 gg": "terms_unknown_word",
    "bonifico": "terms_no_days",
    "rimessa diretta": "terms_no_days",
    "RiBa": "terms_no_days",
    "30": "terms_ambiguous",
    "12/05": "terms_ambiguous",
    "60/30 gg": "terms_ambiguous",
    "30//60 gg": "terms_ambiguous",
    "30/60/": "terms_ambiguous",
    "60+10 gg": "terms_ambiguous",
    "30 + 10 gg FM": "terms_ambiguous",
    "60 gg 2 mesi": "terms_ambiguous",
    "30 gg dal 10 del mese successivo": "terms_ambiguous",
    "1,5 mesi": "terms_ambiguous",
    "60 gg fine mese successivo": "terms_ambiguous",
    "fine mese fine mese": "terms_ambiguous",
    "60 gg FM esclusi agosto e dicembre +10": "terms_ambiguous",
    "60 gg FM esclusi agosto, il 10 del mese successivo": "terms_ambiguous",
    "60 gg FM esclusi": "terms_ambiguous",
    "alla consegna e 30 gg": "terms_ambiguous",
    "vista fattura, 30 gg": "terms_ambiguous",
    "30 gg, alla consegna": "terms_ambiguous",
    "bonifico o riba 30 gg": "terms_unknown_word",
    "bonifico riba 30 gg": "terms_ambiguous",
    "30 gg DF data consegna": "terms_ambiguous",
    "30/60 net 90": "terms_ambiguous",
    "il 32 del mese successivo": "terms_ambiguous",
    "30% anticipo": "terms_shares",
    "50% 30 gg 40% 60 gg": "terms_shares",
    "60% 30 gg 60% 60 gg": "terms_shares",
    "100% 30 gg saldo 60 gg": "terms_shares",
    "0% alla consegna 100% 60 gg": "terms_shares",
    "acconto": "terms_shares",
    "4 rate 30/60/90 gg": "terms_shares",
    "50% 50% 30 gg": "terms_no_days",
    "999 gg": "terms_out_of_range",
    "anticipato 30 gg": "terms_out_of_range",
    "contrassegno 30 gg": "terms_out_of_range",
}


@pytest.mark.parametrize(("text", "code"), REFUSED.items(), ids=list(REFUSED))
def test_refused_with_a_reason(text: str, code: str) -> None:
    with pytest.raises(SaldoError) as caught:
        parse_terms(text)
    assert caught.value.code == code
    assert all(caught.value.why(language) and caught.value.remedy(language) for language in LANGUAGES)


def test_refusal_names_the_word_at_fault() -> None:
    with pytest.raises(SaldoError) as caught:
        parse_terms("30/ab/90")
    assert "30/ab/90" in caught.value.why("it") and ": ab." in caught.value.why("it")


def test_record_of_full_example() -> None:
    terms = parse_terms("RB 30/60 gg DFFM+10, esclusi agosto e dicembre; sconto 2% entro 10 gg")
    part = Installment(
        share=Fraction(1, 2), days=30, end_of_month=True, plus_days=10, base=Base.INVOICE, method=Method.RIBA
    )
    assert terms.installments[0] == part
    assert terms.excluded_months == (8, 12) and terms.moved_to_day == 10
    assert terms.discount == EarlyPayment(Fraction(2, 100), 10)
    assert terms.method is Method.RIBA


def dates(text: str, day: date, **options: bool) -> list[date]:
    return [each for each, _ in due_dates(parse_terms(text), day, 1000, **options)]


def test_excluded_month_counts_on_the_final_date_and_moves_past_all_excluded() -> None:
    assert dates("30 gg FM esclusi agosto", date(2026, 7, 15)) == [date(2026, 9, 10)]
    assert dates("30 gg FM + 10 esclusi agosto", date(2026, 7, 15)) == [date(2026, 9, 10)]  # 31 Aug + 10
    assert dates("30 gg FM + 10 esclusi agosto", date(2026, 6, 15)) == [date(2026, 9, 10)]  # 10 Aug moved
    assert dates("30 gg FM esclusi agosto e settembre", date(2026, 7, 15)) == [date(2026, 10, 10)]
    assert dates("30 gg FM esclusi dicembre", date(2026, 11, 30)) == [date(2027, 1, 10)]
    assert dates("30 gg FM esclusi gennaio al 31", date(2026, 12, 1)) == [date(2027, 2, 28)]


def test_days_as_months_only_with_end_of_month_and_multiples_of_30() -> None:
    january = date(2026, 1, 31)
    assert dates("60 gg FM", january) == [date(2026, 3, 31)]
    assert dates("60 gg FM", january, days_as_months=False) == [date(2026, 4, 30)]
    assert dates("60 gg DF", january) == dates("60 gg DF", january, days_as_months=False)
    assert dates("45 gg FM", january) == dates("45 gg FM", january, days_as_months=False)
    assert dates("30 gg FM", date(2024, 1, 31)) == [date(2024, 2, 29)]


def test_due_date_is_not_rolled_to_a_business_day() -> None:
    assert dates("30 gg DF", date(2026, 7, 16)) == [date(2026, 8, 15)]  # Saturday and a public holiday


def test_known_base_date_replaces_the_document_date() -> None:
    terms = parse_terms("50% alla consegna 50% 60 gg DF")
    found = due_dates(terms, date(2026, 1, 31), 1000, base_dates={Base.DELIVERY: date(2026, 2, 20)})
    assert [day for day, _ in found] == [date(2026, 2, 20), date(2026, 4, 1)]
    assert terms.bases == {Base.DELIVERY, Base.INVOICE}


def test_last_installment_takes_the_cents_that_do_not_divide() -> None:
    thirds = parse_terms("30/60/90 gg")
    day = date(2026, 1, 1)
    assert [part for _, part in due_dates(thirds, day, 100_000)] == [33_330, 33_330, 33_340]
    assert [part for _, part in due_dates(thirds, day, -100_000)] == [-33_330, -33_330, -33_340]
    assert [part for _, part in due_dates(thirds, day, 10)] == [0, 0, 10]
    yen = due_dates(thirds, day, 100_000, quantum_mills=1000)
    assert [part for _, part in yen] == [33_000, 33_000, 34_000]


@pytest.mark.parametrize(
    "build",
    [
        lambda: PaymentTerms(()),
        lambda: PaymentTerms((Installment(Fraction(1, 2)),)),
        lambda: PaymentTerms((Installment(),), excluded_months=(12, 8)),
        lambda: PaymentTerms((Installment(),), excluded_months=tuple(range(1, 13))),
        lambda: PaymentTerms((Installment(),), moved_to_day=15),
        lambda: Installment(days=30, months=1),
        lambda: Installment(plus_days=10),
        lambda: Installment(days=-1),
        lambda: EarlyPayment(Fraction(1, 3), 10),
    ],
)
def test_impossible_terms_cannot_be_built(build) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError):
        build()
