"""Everything that the banks of a world write, in one row of files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from saldo.simulation.files.bank_camt import bank_camt053, bank_camt054
from saldo.simulation.files.bank_mt940 import bank_mt940
from saldo.simulation.files.bank_rh import bank_rh
from saldo.simulation.files.riba_files import bank_riba_outcomes, bank_riba_presented
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.tables import Tables

WRITERS = (bank_camt053, bank_camt054, bank_mt940, bank_rh, bank_riba_presented, bank_riba_outcomes)


def bank_files(t: Tables, first: date, last: date) -> Iterator[WorldFile]:
    """Files about the days from ``first`` to ``last``, by kind; statements arrive a banking day later."""
    for writer in WRITERS:
        yield from writer(t, first, last)
