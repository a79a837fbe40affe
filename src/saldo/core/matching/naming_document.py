"""Which of an account's documents a person means by a number, in whatever spelling it is written.

A number names a document that it equals as a whole; else one of the same letters, number and year; else one
of the same number and year, where on either side the letters only say "document" ("12/2026", "fattura 12/26"
and "FT 12/2026"). The first of these three that holds for any document decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from saldo.core.matching.references import document_form
from saldo.core.matching.words import LEADS
from saldo.core.normalize import normalized_number

_LEADS = frozenset(word.lower() for word in LEADS)


def _says_document(series: str) -> bool:
    """Whether letters before a number say no more than "document": none, "ft", "fattura n."."""
    if not series or series in _LEADS:
        return True
    return any(series[:cut] in _LEADS and series[cut:] in _LEADS for cut in range(1, len(series)))


@dataclass(frozen=True, slots=True)
class NumberBook:
    """One account's documents: (id, number as written, date) each, to be found by their number."""

    documents: Iterable[tuple[int, str, date]]
    _whole: dict[str, list[tuple[int, date]]] = field(init=False, default_factory=lambda: defaultdict(list))
    # By the number and year as they are read beside the year of the document's date.
    _bodies: dict[tuple[int, str, int | None], list[tuple[int, date, str]]] = field(
        init=False, default_factory=lambda: defaultdict(list)
    )

    def __post_init__(self) -> None:
        for identity, number, day in self.documents:
            form = document_form(number, day)
            self._whole[normalized_number(number)].append((identity, day))
            self._bodies[day.year, form.body, form.year].append((identity, day, form.series))

    def named(self, number: str, until: date) -> list[int]:
        """The documents, dated ``until`` or before, that the number can mean: none, one, or several."""
        key = normalized_number(number)
        whole = [identity for identity, day in self._whole.get(key, ()) if day <= until] if key else []
        if whole:
            return whole
        same, near = [], []
        for year in sorted({year for year, _body, _year in self._bodies}):
            form = document_form(number, date(year, 1, 1))
            if not form.body:
                continue
            for identity, day, series in self._bodies.get((year, form.body, form.year), ()):
                if day > until:
                    continue
                if series == form.series:
                    same.append(identity)
                elif _says_document(series) or _says_document(form.series):
                    near.append(identity)
        return same or near
