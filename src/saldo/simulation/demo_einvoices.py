"""E-invoices (FatturaPA) of the demo company's last days, which its ERP has not posted yet.

Element names and codes follow the technical specifications of the Agenzia delle Entrate, version 1.2.2.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta

from asn1crypto import cms
from lxml import etree
from stdnum import luhn

from saldo.core.calendar import is_business_day
from saldo.simulation.demo_customers import DemoCustomer, table
from saldo.simulation.demo_sales import (
    CREDIT_NOTE,
    DemoDocument,
    DemoInstallment,
    invoice_of,
    numbered,
    posted_until,
    vat_cents,
    withholding_cents,
)

NAMESPACE = "http://ivaservizi.agenziaentrate.gov.it/docs/xsd/fatture/v1.2"
METHODS = {"RB": "MP12", "BB": "MP05"}
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Contents of an element: its text, or its children as (name, contents); None leaves the element out.
Node = tuple[str, "str | list[Node] | None"]


def make_einvoices(
    seed: int, customers: Sequence[DemoCustomer], posted: Sequence[DemoDocument], as_at: date
) -> list[DemoDocument]:
    """Invoices after the last posted day: among them one to a public body (split payment), one to a
    condominium (withholding), some by RiBa in three installments, and one credit note."""
    rng = random.Random(f"{seed}:e-invoices")
    count = table("demo")["einvoices"]["count"]
    days = _days(as_at)
    italian = [customer for customer in customers if customer.country == "IT" and not customer.special]
    three = [customer for customer in italian if len(customer.terms.plan.installments) == 3]
    chosen = [customer for customer in customers if customer.special] + rng.sample(three, min(2, len(three)))
    others = [customer for customer in italian if customer not in chosen]
    chosen += rng.sample(others, count - 1 - len(chosen))
    documents = []
    for customer in chosen:
        taxable = round(100 * rng.lognormvariate(7.4, 0.8))
        order_ref = f"ODA {rng.randrange(10_000, 99_999)}" if rng.random() < 0.5 else ""
        documents.append(invoice_of(rng, customer, rng.choice(days), taxable, as_at, order_ref))
    documents.append(_credit_note(rng, posted, as_at))
    before = Counter((document.kind, document.document_date.year) for document in posted)
    return numbered(documents, before)


def _days(as_at: date) -> list[date]:
    first = posted_until(as_at) + timedelta(days=1)
    span = (first + timedelta(days=offset) for offset in range((as_at - first).days + 1))
    return [day for day in span if is_business_day(day)]


def _credit_note(rng: random.Random, posted: Sequence[DemoDocument], as_at: date) -> DemoDocument:
    """For part of an open, single-installment invoice, which it names in order_ref."""
    invoice = rng.choice(
        [
            document
            for document in posted
            if document.customer.country == "IT"
            and not document.customer.special
            and len(document.installments) == 1
            and document.installments[0].open_cents(as_at) == document.installments[0].amount_cents > 100_000
        ]
    )
    taxable = invoice.taxable_cents // 5
    vat = vat_cents(invoice.customer, taxable)
    part = DemoInstallment(1, as_at, -(taxable + vat), date.max)
    return DemoDocument(CREDIT_NOTE, as_at, invoice.customer, taxable, vat, (part,), invoice.number)


# -- XML -------------------------------------------------------------------------------------------------


def company_vat() -> str:
    body = table("demo")["company"]["vat_body"]
    return str(body + luhn.calc_check_digit(body))


def company_iban() -> str:
    bban = table("demo")["company"]["iban_body"]
    digits = "".join(str(DIGITS.index(character)) for character in bban + "IT00")
    return f"IT{98 - int(digits) % 97:02d}{bban}"


def file_name(ordinal: int) -> str:
    """Sender and a progressive of five characters in base 36."""
    progressive = ""
    for _ in range(5):
        ordinal, digit = divmod(ordinal, 36)
        progressive = DIGITS[digit] + progressive
    return f"IT{company_vat()}_{progressive}.xml"


def einvoice_xml(document: DemoDocument, progressive: int) -> bytes:
    """The document as FatturaPA: FPA12 for a public body, FPR12 for the others."""
    to_public_body = document.customer.special == "public_body"
    root = etree.Element(
        f"{{{NAMESPACE}}}FatturaElettronica",
        nsmap={"p": NAMESPACE},
        versione="FPA12" if to_public_body else "FPR12",
    )
    _append(root, [("FatturaElettronicaHeader", _header(document, progressive, to_public_body))])
    _append(
        root,
        [
            (
                "FatturaElettronicaBody",
                [
                    ("DatiGenerali", _general(document)),
                    ("DatiBeniServizi", _goods(document, to_public_body)),
                    ("DatiPagamento", _payment(document)),
                ],
            )
        ],
    )
    etree.indent(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))


def _append(parent: etree._Element, nodes: list[Node]) -> None:
    for name, contents in nodes:
        if contents is None:
            continue
        element = etree.SubElement(parent, name)
        if isinstance(contents, str):
            element.text = contents
        else:
            _append(element, contents)


def _header(document: DemoDocument, progressive: int, to_public_body: bool) -> list[Node]:
    company, customer = table("demo")["company"], document.customer
    public_code = table("demo_words")["special"]["public_body_code"]
    return [
        (
            "DatiTrasmissione",
            [
                ("IdTrasmittente", [("IdPaese", "IT"), ("IdCodice", company_vat())]),
                ("ProgressivoInvio", f"{progressive:05d}"),
                ("FormatoTrasmissione", "FPA12" if to_public_body else "FPR12"),
                ("CodiceDestinatario", public_code if to_public_body else "0000000"),
                ("PECDestinatario", None if to_public_body else customer.pec),
            ],
        ),
        (
            "CedentePrestatore",
            [
                (
                    "DatiAnagrafici",
                    [
                        ("IdFiscaleIVA", [("IdPaese", "IT"), ("IdCodice", company_vat())]),
                        ("CodiceFiscale", company_vat()),
                        ("Anagrafica", [("Denominazione", company["name"])]),
                        ("RegimeFiscale", "RF01"),
                    ],
                ),
                ("Sede", _seat(company["address"], company["zip"], company["city"], company["province"])),
            ],
        ),
        (
            "CessionarioCommittente",
            [
                (
                    "DatiAnagrafici",
                    [
                        ("IdFiscaleIVA", _vat_id(customer)),
                        ("CodiceFiscale", customer.tax_code or None),
                        ("Anagrafica", [("Denominazione", customer.name)]),
                    ],
                ),
                ("Sede", _seat(customer.address, customer.zip, customer.city, customer.province)),
            ],
        ),
    ]


def _vat_id(customer: DemoCustomer) -> list[Node] | None:
    return [("IdPaese", customer.vat[:2]), ("IdCodice", customer.vat[2:])] if customer.vat else None


def _seat(address: str, zip_code: str, city: str, province: str) -> list[Node]:
    return [
        ("Indirizzo", address),
        ("CAP", zip_code),
        ("Comune", city),
        ("Provincia", province),
        ("Nazione", "IT"),
    ]


def _general(document: DemoDocument) -> list[Node]:
    is_note = document.kind == CREDIT_NOTE
    withheld: list[Node] | None = None
    if document.customer.special == "condominium":
        withheld = [
            ("TipoRitenuta", "RT02"),
            ("ImportoRitenuta", _amount(withholding_cents(document.taxable_cents))),
            ("AliquotaRitenuta", "4.00"),
            ("CausalePagamento", "W"),
        ]
    reference: list[Node] | None = [("IdDocumento", document.order_ref)] if document.order_ref else None
    return [
        (
            "DatiGeneraliDocumento",
            [
                ("TipoDocumento", "TD04" if is_note else "TD01"),
                ("Divisa", "EUR"),
                ("Data", document.document_date.isoformat()),
                ("Numero", document.number),
                ("DatiRitenuta", withheld),
                ("ImportoTotaleDocumento", _amount(document.taxable_cents + document.vat_cents)),
            ],
        ),
        ("DatiOrdineAcquisto", None if is_note else reference),
        ("DatiFattureCollegate", reference if is_note else None),
    ]


def _goods(document: DemoDocument, to_public_body: bool) -> list[Node]:
    products = table("demo_words")["products"]
    rate = f"{round(table('demo')['sales']['vat_rate'] * 100)}.00"
    line: list[Node] = [
        ("NumeroLinea", "1"),
        ("Descrizione", products[document.taxable_cents % len(products)]),
        ("Quantita", "1.00"),
        ("PrezzoUnitario", _amount(document.taxable_cents)),
        ("PrezzoTotale", _amount(document.taxable_cents)),
        ("AliquotaIVA", rate),
        ("Ritenuta", "SI" if document.customer.special == "condominium" else None),
    ]
    summary: list[Node] = [
        ("AliquotaIVA", rate),
        ("ImponibileImporto", _amount(document.taxable_cents)),
        ("Imposta", _amount(document.vat_cents)),
        ("EsigibilitaIVA", "S" if to_public_body else "I"),
    ]
    return [("DettaglioLinee", line), ("DatiRiepilogo", summary)]


def _payment(document: DemoDocument) -> list[Node] | None:
    if document.kind == CREDIT_NOTE:
        return None
    method = document.customer.terms.method
    details: list[Node] = [
        (
            "DettaglioPagamento",
            [
                ("ModalitaPagamento", METHODS[method]),
                ("DataScadenzaPagamento", part.due_date.isoformat()),
                ("ImportoPagamento", _amount(part.amount_cents)),
                ("IBAN", company_iban() if method == "BB" else None),
            ],
        )
        for part in document.installments
    ]
    return [("CondizioniPagamento", "TP01" if len(details) > 1 else "TP02"), *details]


def _amount(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def in_p7m(xml: bytes) -> bytes:
    """The envelope of a signed file (CMS SignedData, DER), with no signature in it: a demo signs nothing."""
    content = cms.ContentInfo({"content_type": "data", "content": xml})
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": "sha256"}],
            "encap_content_info": content,
            "signer_infos": [],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump())
