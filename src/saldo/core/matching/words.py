"""Words that tell what stands in a remittance text, and what of a name does not tell it from others."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# For a document of ours, in Italian, English, German, French, Spanish; also as letters of a number.
LEADS = _words(
    """
    F FT FTT FTE FTV FTS FA FAT FATT FATTE FATTT FATTURA FATTURE FATTURAZIONE FV FTN NFT DOC DOCC
    DOCUMENTO DOCUMENTI N NR NN NS VS VOSTRA NUM NUMERO NUMERI NO NRO NUMBER NUMBERS RIF RIFERIMENTO REF
    REFERENCE RIFT PARCELLA INV INVS INVOICE INVOICES BILL RG RE RECHNUNG RECHNUNGEN RGNR RENR RECHNR RN
    BELEG FACT FACTURE FACTURES FACTURA FACTURAS FRA
    """
)

# For a credit note.
CREDITS = _words(
    """
    NC NCR NDC NDA NOTACREDITO NOTEC CN CREDITNOTE CREDIT CREDITO ACCREDITO GUTSCHRIFT AVOIR
    """
)

# For an order or a delivery note.
ORDERS = _words(
    """
    ODA ODV ODL ORD ORDINE ORDINI ORDER ORDERS PO OC OV CONFERMA BESTELLUNG AUFTRAG COMMANDE PEDIDO
    COMMESSA CONTRATTO PROFORMA PREVENTIVO DDT BOLLA
    """
)

# For codes of the payer's own, or of its bank.
OWN_CODES = _words(
    """
    PAG PAGAM DISP DISPOSIZIONE DISPOSIZ MAND MANDATO ORDINATIVO DISTINTA DIST PROT PROTOCOLLO CLIENTE
    CLI CUSTOMER KUNDE KUNDENNR KDNR KD COD CODICE FORNITORE FORN SUPPLIER VENDOR PRATICA POLIZZA
    OPERAZIONE OP ID
    """
)

# For a due date.
DUE = _words("SCAD SCADENZA SCADENZE SC DUE VALUTA ENTRO FAELLIG")

# Between the numbers of a list, and from the word for a document to its number.
BINDERS = _words(
    """
    E ED ET AND UND Y DEL DELLA DELLE DI A AL ALLA ALLE TO BIS DA DAL DALLA DALLE FROM VON SU PER LA LE
    IL THE VARIE DIVERSE SALDO PAGAMENTO
    """
)

# Between the ends of a range.
TO = _words("A AL ALLA ALLE TO BIS")

# That say "document" only where nothing else was said: "ORDINE N. 12" stays an order.
NEUTRAL = _words("N NR NN NO NUM NUMERO NUMERI NRO NUMBER NUMBERS RIF REF DOC RE NS VS")

# Legal forms of companies, in search text.
LEGAL_FORMS = _words(
    """
    srl srls spa snc sas sapa scarl scrl scpa scpl scarlpa soc societa societe coop cooperativa
    consortile ss sc onlus ets aps asd ssd ditta impresa individuale gmbh ag kg ohg gbr ug ev mbh co ltd
    limited llc llp plc inc corp company sarl sa sasu eurl sci sl slu sca bv nv bvba sprl doo dd sro as
    ab oy zoo spzoo kft zrt unipersonale liquidazione liq uninominale semplice responsabilita limitata
    azioni
    """
)

# Words of names that are put and left out at will.
FILLERS = _words("di de del della dei degli e ed and und et y the la il le a f lli flli per in da con")

# What stands before a former name.
FORMER = _words("ex gia former formerly ehemals fka")

# Names of months, Italian and English, as a pattern.
MONTHS = (
    "GEN(?:NAIO)?|FEB(?:BRAIO|RUARY)?|MAR(?:ZO|CH)?|APR(?:ILE|IL)?|MAG(?:GIO)?|MAY|GIU(?:GNO)?|JUNE?|LUG(?:LIO)?|"
    "JULY?|AGO(?:STO)?|AUG(?:UST)?|SET(?:TEMBRE)?|SEP(?:TEMBER)?|OTT(?:OBRE)?|OCT(?:OBER)?|NOV(?:EMBRE|EMBER)?|"
    "DIC(?:EMBRE)?|DEC(?:EMBER)?|JAN(?:UARY)?"
)

MONTH_NAMES = {
    1: ("GEN", "JAN"), 2: ("FEB",), 3: ("MAR",), 4: ("APR",), 5: ("MAG", "MAY"), 6: ("GIU", "JUN"),
    7: ("LUG", "JUL"), 8: ("AGO", "AUG"), 9: ("SET", "SEP"), 10: ("OTT", "OCT"), 11: ("NOV",),
    12: ("DIC", "DEC"),
}  # fmt: skip
