"""FatturaPA documents made for tests: invented parties, VAT numbers with a valid check digit."""

from __future__ import annotations

from xml.sax.saxutils import escape


def check_digit(ten: str) -> str:
    """The last digit of an Italian VAT number, by the rule of the law (Luhn over ten digits)."""
    total = 0
    for position, digit in enumerate(map(int, ten)):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


SELLER = ("IT", "0123456015" + check_digit("0123456015"))
BUYER = ("IT", "0987654058" + check_digit("0987654058"))


def payment(amount: str | None, due: str | None = None, method: str = "MP05", extra: str = "") -> str:
    parts = [f"<ModalitaPagamento>{method}</ModalitaPagamento>", extra]
    if due is not None:
        parts.append(f"<DataScadenzaPagamento>{due}</DataScadenzaPagamento>")
    if amount is not None:
        parts.append(f"<ImportoPagamento>{amount}</ImportoPagamento>")
    return f"<DettaglioPagamento>{''.join(parts)}</DettaglioPagamento>"


def summary(taxable: str, tax: str, chargeability: str = "I") -> str:
    return (
        f"<DatiRiepilogo><AliquotaIVA>22.00</AliquotaIVA><ImponibileImporto>{taxable}</ImponibileImporto>"
        f"<Imposta>{tax}</Imposta><EsigibilitaIVA>{chargeability}</EsigibilitaIVA></DatiRiepilogo>"
    )


def withholding(amount: str, kind: str = "RT02") -> str:
    return (
        f"<DatiRitenuta><TipoRitenuta>{kind}</TipoRitenuta>"
        f"<ImportoRitenuta>{amount}</ImportoRitenuta></DatiRitenuta>"
    )


def body(
    number: str = "12/2026",
    document_type: str = "TD01",
    day: str = "2026-01-31",
    total: str | None = "122.00",
    summaries: str | None = None,
    payments: str = "",
    general: str = "",
    currency: str = "EUR",
    other: str = "",
) -> str:
    stated = f"<ImportoTotaleDocumento>{total}</ImportoTotaleDocumento>" if total is not None else ""
    lines = summary("100.00", "22.00") if summaries is None else summaries
    paid = f"<DatiPagamento><CondizioniPagamento>TP01</CondizioniPagamento>{payments}</DatiPagamento>"
    return (
        "<FatturaElettronicaBody><DatiGenerali><DatiGeneraliDocumento>"
        f"<TipoDocumento>{document_type}</TipoDocumento><Divisa>{currency}</Divisa><Data>{day}</Data>"
        f"<Numero>{escape(number)}</Numero>{general}{stated}</DatiGeneraliDocumento>{other}</DatiGenerali>"
        f"<DatiBeniServizi>{lines}</DatiBeniServizi>{paid if payments else ''}</FatturaElettronicaBody>"
    )


def party(role: str, vat: tuple[str, str] | None, name: str, tax_code: str | None = None) -> str:
    ident = (
        f"<IdFiscaleIVA><IdPaese>{vat[0]}</IdPaese><IdCodice>{vat[1]}</IdCodice></IdFiscaleIVA>"
        if vat
        else ""
    )
    code = f"<CodiceFiscale>{tax_code}</CodiceFiscale>" if tax_code else ""
    return (
        f"<{role}><DatiAnagrafici>{ident}{code}<Anagrafica><Denominazione>{name}</Denominazione></Anagrafica>"
        f"</DatiAnagrafici><Sede><Nazione>{vat[0] if vat else 'IT'}</Nazione></Sede></{role}>"
    )


def invoice(
    *bodies: str,
    buyer: str | None = None,
    declaration: str = '<?xml version="1.0" encoding="UTF-8"?>',
    namespace: str = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2",
) -> str:
    seller = party("CedentePrestatore", SELLER, "Officine Prova Srl")
    customer = (
        buyer if buyer is not None else party("CessionarioCommittente", BUYER, "Cliente d&apos;Esempio SpA")
    )
    return (
        f'{declaration}<p:FatturaElettronica versione="FPR12" xmlns:p="{namespace}">'
        "<FatturaElettronicaHeader><DatiTrasmissione><CodiceDestinatario>0000000</CodiceDestinatario>"
        f"</DatiTrasmissione>{seller}{customer}</FatturaElettronicaHeader>"
        f"{''.join(bodies) or body()}</p:FatturaElettronica>"
    )


def simplified(number: str = "S-1", document_type: str = "TD07", amount: str = "61.00") -> str:
    return (
        '<?xml version="1.0"?><p:FatturaElettronicaSemplificata versione="FSM10" '
        'xmlns:p="http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.0"><FatturaElettronicaHeader>'
        f"<CedentePrestatore><IdFiscaleIVA><IdPaese>IT</IdPaese><IdCodice>{SELLER[1]}</IdCodice></IdFiscaleIVA>"
        "<Denominazione>Bottega Prova</Denominazione></CedentePrestatore><CessionarioCommittente>"
        "<IdentificativiFiscali><CodiceFiscale>rssmra80a01h501u</CodiceFiscale></IdentificativiFiscali>"
        "<AltriDatiIdentificativi><Nome>Maria</Nome><Cognome>Rossi</Cognome></AltriDatiIdentificativi>"
        "</CessionarioCommittente></FatturaElettronicaHeader><FatturaElettronicaBody><DatiGenerali>"
        f"<DatiGeneraliDocumento><TipoDocumento>{document_type}</TipoDocumento><Divisa>EUR</Divisa>"
        f"<Data>2026-02-02</Data><Numero>{number}</Numero></DatiGeneraliDocumento></DatiGenerali>"
        f"<DatiBeniServizi><Descrizione>Riparazione</Descrizione><Importo>{amount}</Importo>"
        "<DatiIVA><Imposta>11.00</Imposta></DatiIVA></DatiBeniServizi></FatturaElettronicaBody>"
        "</p:FatturaElettronicaSemplificata>"
    )
