"""Balance sheets: XBRL instances in the manner of Italian deposits, and tables."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from saldo.formats.credit_records import LINES, BalanceSheet
from saldo.formats.detect import detect_kind, read_file
from saldo.formats.financial_statements import italian_table, read_financial_statements
from saldo.formats.records import ReadResult
from saldo.formats.tabular import load_profile, open_table, to_records

NAMESPACES = (
    'xmlns="http://www.xbrl.org/2003/instance" xmlns:iso4217="http://www.xbrl.org/2003/iso4217" '
    'xmlns:itcc-ci="http://www.infocamere.it/itnn/fr/itcc/ci/2018-11-04" '
    'xmlns:xbrldi="http://xbrl.org/2006/xbrldi" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
INTEREST = "ProventiOneriFinanziariInteressiAltriOneriFinanziariTotaleInteressiAltriOneriFinanziari"
INSTANT = {
    "TotaleAttivo": "1000000", "TotaleAttivoCircolante": "600000", "TotaleDisponibilitaLiquide": "50000",
    "TotaleRimanenze": "200000", "TotaleCrediti": "350000", "TotalePatrimonioNetto": "300000",
    "PatrimonioNettoCapitale": "100000", "PatrimonioNettoUtilePerditaEsercizio": "40000",
    "DebitiEsigibiliEntroEsercizioSuccessivo": "450000", "TotalePassivo": "1000000",
    "PassivoRateiRisconti": "1234",
}  # fmt: skip
DURATION = {
    "ValoreProduzioneRicaviVenditePrestazioni": "2000000", "DifferenzaValoreCostiProduzione": "90000",
    INTEREST: "12000", "UtilePerditaEsercizio": "40000", "TotaleCostiProduzione": "1910000",
}  # fmt: skip


def context(name: str, period: str, scenario: str = "") -> str:
    return (
        f'<context id="{name}"><entity><identifier scheme="http://www.infocamere.it">07654320105</identifier>'
        f"</entity><period>{period}</period><scenario>{scenario}</scenario></context>"
    )


def instant(name: str, day: str, scenario: str = "") -> str:
    return context(name, f"<instant>{day}</instant>", scenario)


def duration(name: str, first: str, last: str) -> str:
    return context(name, f"<startDate>{first}</startDate><endDate>{last}</endDate>")


CONTEXTS = (
    instant("i2", "2025-12-31") + duration("d2", "2025-01-01", "2025-12-31")
    + instant("i1", "2024-12-31") + duration("d1", "2024-01-01", "2024-12-31")
    + instant("i0", "2023-12-31")
    + instant("dim", "2025-12-31", '<xbrldi:explicitMember dimension="x">y</xbrldi:explicitMember>')
)  # fmt: skip
UNITS = '<unit id="eur"><measure>iso4217:EUR</measure></unit><unit id="n"><measure>pure</measure></unit>'


def fact(name: str, value: str, context: str, unit: str = "eur", more: str = 'decimals="0"') -> str:
    return f'<itcc-ci:{name} contextRef="{context}" unitRef="{unit}" {more}>{value}</itcc-ci:{name}>'


def facts(values: dict[str, str], context: str) -> str:
    return "".join(fact(name, value, context) for name, value in values.items())


def instance(body: str, contexts: str = CONTEXTS) -> bytes:
    names = (
        '<itcc-ci:DatiAnagraficiDenominazione contextRef="i2">OFFICINE  PROVA SRL'
        "</itcc-ci:DatiAnagraficiDenominazione>"
        '<itcc-ci:DatiAnagraficiPartitaIva contextRef="i2">07654320105</itcc-ci:DatiAnagraficiPartitaIva>'
    )
    return f'<?xml version="1.0"?><xbrl {NAMESPACES}>{contexts}{UNITS}{names}{body}</xbrl>'.encode()


GOOD = facts(INSTANT, "i2") + facts(DURATION, "d2")


def first(result: ReadResult) -> BalanceSheet:
    record = result.records[0]
    assert isinstance(record, BalanceSheet)
    return record


def test_every_line_of_a_deposit() -> None:
    result = read_financial_statements(instance(GOOD))
    assert result.format == "xbrl" and result.rejections == () and len(result.records) == 1
    sheet = first(result)
    assert (sheet.kind, sheet.period_end, sheet.year, sheet.currency) == (
        "balance_sheet", date(2025, 12, 31), 2025, "EUR",
    )  # fmt: skip
    assert (sheet.tax_code, sheet.vat, sheet.name) == ("07654320105", "IT07654320105", "OFFICINE PROVA SRL")
    assert sheet.lines == {
        "total_assets": 1_000_000_000, "current_assets": 600_000_000, "cash": 50_000_000,
        "inventory": 200_000_000, "receivables": 350_000_000, "equity": 300_000_000,
        "retained_earnings": 160_000_000, "current_liabilities": 450_000_000,
        "total_liabilities": 700_000_000, "revenue": 2_000_000_000, "ebit": 90_000_000,
        "interest_expense": 12_000_000, "net_profit": 40_000_000,
    }  # fmt: skip
    assert set(sheet.lines) == set(LINES) == set(italian_table().lines)
    assert sheet.facts == {"PassivoRateiRisconti": "1234", "TotaleCostiProduzione": "1910000"}
    assert sheet.notices == ()
    assert sheet.as_json()["lines"]["retained_earnings"] == "160000.00"


def test_the_year_before_is_a_record_of_its_own() -> None:
    """The equity of the day on which the comparison starts is no balance sheet, yet is not lost."""
    body = GOOD + facts({"TotaleAttivo": "900000"}, "i1") + facts({"UtilePerditaEsercizio": "-7.5"}, "d1")
    result = read_financial_statements(instance(body + fact("Altro", "1", "i0")))
    assert [(one.year, one.position) for one in result.records] == [(2025, 1), (2024, 2)]
    assert result.records[1].lines == {"total_assets": 900_000_000, "net_profit": -7_500}


def test_parts_other_units_and_nil() -> None:
    body = (
        fact("TotaleAttivo", "5", "dim") + fact("NumeroDipendenti", "12.5", "i2", "n")
        + fact("TotaleRimanenze", "", "i1", more='xsi:nil="true"')
    )  # fmt: skip
    result = read_financial_statements(instance(GOOD + body))
    assert result.rejections == () and len(result.records) == 1
    assert first(result).lines["total_assets"] == 1_000_000_000
    assert (
        first(result).facts["TotaleAttivo@dim"] == "5" and first(result).facts["NumeroDipendenti"] == "12.5"
    )


def test_a_quarter_that_ends_with_the_year() -> None:
    contexts = CONTEXTS + duration("q4", "2025-10-01", "2025-12-31")
    body = GOOD + fact("UtilePerditaEsercizio", "9", "q4")
    assert first(read_financial_statements(instance(body, contexts))).lines["net_profit"] == 40_000_000


def test_contradictions_are_not_chosen_between() -> None:
    doubled = read_financial_statements(instance(GOOD + fact("TotaleAttivo", "1000000.00", "i2")))
    assert first(doubled).lines["total_assets"] == 1_000_000_000 and first(doubled).notices == ()
    result = read_financial_statements(
        instance(
            GOOD + fact("TotaleAttivo", "999", "i2") + fact("PatrimonioNettoUtilePerditaEsercizio", "1", "i2")
        )
    )
    sheet = first(result)
    assert [one.code for one in sheet.notices] == ["xbrl_contradiction"] * 2
    # The optional part of retained earnings is doubtful, not absent: it does not count as zero.
    assert not {"total_assets", "retained_earnings"} & sheet.lines.keys()
    assert {"1000000", "999"} <= set(sheet.facts.values())


def test_what_does_not_add_up_is_said() -> None:
    def codes(**values: str) -> list[str]:
        sheet = first(read_financial_statements(instance(facts(INSTANT | values, "i2"))))
        return [one.code for one in sheet.notices]

    assert codes() == codes(TotaleAttivo="1000003") == []
    assert codes(TotaleAttivo="1000004") == ["balance_sheet_differs"]
    assert codes(TotaleAttivoCircolante="1000004") == ["balance_sheet_part_exceeds"]


def test_refused_facts_do_not_cost_the_others() -> None:
    body = (
        GOOD + fact("TotaleDebiti", "12,50", "i2") + fact("A", "1", "nowhere") + fact("B", "1", "i2", "usd")
    )
    result = read_financial_statements(instance(body))
    assert [one.code for one in result.rejections] == ["xbrl_bad_number", "xbrl_bad_context", "xbrl_bad_unit"]
    assert len(first(result).lines) == len(LINES)
    unread = read_financial_statements(instance(GOOD.replace(">300000<", ">3E5<")))
    assert [one.code for one in unread.rejections] == ["xbrl_bad_number"]
    assert not {"equity", "retained_earnings", "total_liabilities"} & first(unread).lines.keys()


def test_other_documents_are_refused() -> None:
    def code(data: bytes) -> str:
        result = read_financial_statements(data)
        assert result.records == ()
        return result.rejections[0].code

    assert code(instance("")) == "xbrl_no_facts"
    assert code(b"<Document/>") == "xbrl_no_facts"
    assert code(instance(GOOD)[:-40]) == "xml_truncated"
    assert code(b'<!DOCTYPE x [<!ENTITY a "b">]><xbrl/>') == "xml_dtd"
    bad = instance(GOOD, CONTEXTS.replace("<instant>2025-12-31", "<instant>2025-13-31"))
    assert "xbrl_bad_context" in {one.code for one in read_financial_statements(bad).rejections}


def test_detected_by_content_and_read() -> None:
    data = instance(GOOD).replace(b"<xbrl ", b"<xbrli:xbrl ").replace(b"</xbrl>", b"</xbrli:xbrl>")
    data = data.replace(b'xmlns="http', b'xmlns:xbrli="http')
    assert detect_kind(data, "a.xml") == detect_kind(instance(GOOD), "a.bin") == "xbrl"
    assert read_file(instance(GOOD), "a.xbrl").records[0].kind == "balance_sheet"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60), st.integers(0, len(instance(GOOD))))
def test_never_raises(junk: bytes, at: int) -> None:
    whole = instance(GOOD)
    read_financial_statements(junk).as_json("it")
    read_financial_statements(whole[:at] + junk + whole[at:]).as_json("en")


ITALIAN = (
    "Codice fiscale;Partita IVA;Ragione sociale;Anno;Totale attivo;Patrimonio netto;Totale passività;"
    "Attivo circolante;Ricavi;Utile;Dipendenti;Capitale sociale\n"
    "07654320105;07654320105;Officine Prova Srl;2025;1.000,50;300,50;700,00;600,00;"
    "2.000,00;-40,10;12,5;10.000,00\n"
    "07654320105;07654320105;Officine Prova Srl;2024;1.000,00;300,00;600,00;;;;;\n"
    "07654320105;07654320105;Officine Prova Srl;2024;1.000,00;300,00;600,00;;;;;\n"
    ";;Nessuno Srl;2024;x;;;;;;;\n"
    "07654320105;;Officine Prova Srl;venti;1,00;;;;;;;\n"
    ";;;2024;1,00;;;;;;;\n"
    "07654320105;;Officine Prova Srl;;1,00;;;;;;;\n"
)


def test_table_of_balance_sheets() -> None:
    profile = load_profile("balance-sheets")
    records, rejections = to_records(open_table(ITALIAN.encode(), "b.csv", profile), profile)
    one, two = records
    assert isinstance(one, BalanceSheet) and isinstance(two, BalanceSheet)
    assert (one.period_end, one.currency, one.row) == (date(2025, 12, 31), "EUR", 2)
    assert (one.tax_code, one.vat, one.name) == ("07654320105", "IT07654320105", "Officine Prova Srl")
    assert one.lines == {
        "total_assets": 1_000_500, "equity": 300_500, "total_liabilities": 700_000,
        "current_assets": 600_000, "revenue": 2_000_000, "net_profit": -40_100,
    }  # fmt: skip
    assert one.employees == Decimal("12.5") and one.facts == {"Capitale sociale": "10.000,00"}
    assert one.notices == () and [notice.code for notice in two.notices] == ["balance_sheet_differs"]
    assert [(r.code, r.row) for r in rejections] == [
        ("duplicate_row", 4), ("amount_unreadable", 5), ("year_unreadable", 6), ("missing_customer", 7),
        ("missing_period", 8),
    ]  # fmt: skip


def test_table_in_plain_decimals() -> None:
    text = "VAT number,Period end,Total assets,Equity,Currency\nIT07654320105,2025-06-30,1000.50,300.5,USD\n"
    profile = load_profile("balance-sheets")
    records, rejections = to_records(open_table(text.encode(), "b.csv", profile), profile)
    assert rejections == []
    assert records[0].lines == {"total_assets": 1_000_500, "equity": 300_500}  # type: ignore[union-attr]
    assert (records[0].period_end, records[0].currency) == (date(2025, 6, 30), "USD")  # type: ignore[union-attr]
