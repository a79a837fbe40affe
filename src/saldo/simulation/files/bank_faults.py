"""What happens to the files of banks on their way: sent twice, late, out of order, damaged.

``with_delivery_faults`` makes the first three, which no reader may notice and every import must handle. The
others damage one file each and say in ``refusals`` what a reader must find: codes of rejections, or of the
notice for which it puts a statement in quarantine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from zlib import crc32

from saldo.simulation.draws import Draws
from saldo.simulation.files.world_file import WorldFile
from saldo.simulation.world.parameters import Files

# A file comes again this many days after the first time.
_AGAIN_DAYS = (0, 3)
_DAY_IN_NAME = re.compile(r"_\d{8}(?=[_.])")


def with_delivery_faults(files: Iterable[WorldFile], draws: Draws, shares: Files) -> Iterator[WorldFile]:
    """The files, some late, some sent again under another name, some after the next one of their account.

    A file's fate is drawn by its path, whatever window is written; only the last of an account has no next
    one to come after. Days are changed in place: who needs files by day of arrival sorts them.
    """
    held: dict[str, WorldFile] = {}
    for file in files:
        series = _DAY_IN_NAME.sub("", file.path)
        key = crc32(file.path.encode())
        before = held.pop(series, None)
        if before is None and draws.happens("file/out_of_order", shares.out_of_order, key):
            held[series] = file
            continue
        late_days = int(draws.whole("file/late_days", *shares.late_days, key))
        if draws.happens("file/late", shares.late, key):
            file = replace(file, day=file.day + timedelta(days=late_days))
        yield file
        if draws.happens("file/duplicate", shares.duplicate, key):
            again = int(draws.whole("file/again_days", *_AGAIN_DAYS, key))
            yield replace(file, path=_renamed(file.path), day=file.day + timedelta(days=again))
        if before is not None:
            yield replace(before, day=max(before.day, file.day))
    yield from held.values()


def _renamed(path: str) -> str:
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}_bis{dot}{suffix}"


def truncated(file: WorldFile) -> WorldFile:
    """``file`` without its end, as a broken transmission leaves it: cut within its last line or receipt."""
    cut = _LAST_PIECE[_kind(file)].match(file.data)
    if cut is None:
        raise ValueError(f"{file.path} has nothing to cut")
    return replace(file, data=cut[1], refusals=_TRUNCATED[_kind(file)])


def with_dot_decimals(file: WorldFile) -> WorldFile:
    """An MT940 file whose amounts have a point instead of the comma: read all the same, with a notice."""
    data, count = _MT940_AMOUNT.subn(rb"\1.\2", file.data)
    if not count:
        raise ValueError(f"{file.path} has no amounts of MT940")
    return replace(file, data=data, refusals={})


def wrong_closing(file: WorldFile) -> WorldFile:
    """``file`` with one euro more in its closing balance, or in the total of a flow of receipts."""
    data, count = _CLOSING[_kind(file)].subn(_one_more, file.data, count=1)
    if not count:
        raise ValueError(f"{file.path} states no closing balance")
    return replace(file, data=data, refusals=_UNBALANCED[_kind(file)])


def _kind(file: WorldFile) -> str:
    """camt053, camt054, mt940, rh or riba, by the beginning of the name."""
    return file.path.rpartition("/")[2].partition("_")[0]


def _one_more(found: re.Match[bytes]) -> bytes:
    return found[1] + b"%0*d" % (len(found[2]), int(found[2]) + 1) + found[3]


# What is left of a file: up to its last line (of receipts: up to the first record of the last one).
_LAST_PIECE = {
    "camt053": re.compile(rb"(.*<Ntry>.{40})", re.DOTALL),
    "camt054": re.compile(rb"(.*<Ntry>.{40})", re.DOTALL),
    "mt940": re.compile(rb"(.*\r\n:61:[^\r]*\r\n)", re.DOTALL),
    "rh": re.compile(rb"(.*\r\n 62[^\r]*\r\n)", re.DOTALL),
    "riba": re.compile(rb"(.*\r\n 14[^\r]*\r\n)", re.DOTALL),
}
_TRUNCATED: Mapping[str, Mapping[str, int]] = {
    "camt053": {"xml_truncated": 1},
    "camt054": {"xml_truncated": 1},
    "mt940": {"bank_balances_missing": 1},
    "rh": {"cbi_flow_cut": 1, "cbi_statement_cut": 1},
    "riba": {"cbi_flow_cut": 1},
}
_CLOSING = {
    "camt053": re.compile(rb'(<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">)(\d+)(\.)'),
    "mt940": re.compile(rb"(:62F:[CD]\d{6}EUR)(\d+)(,)"),
    "rh": re.compile(rb"(\n 64\d{7}EUR\d{6}[CD])(\d{12})(,)"),
    "riba": re.compile(rb"(\n EF.{49})(\d{13})(\d\d)"),
}
_UNBALANCED: Mapping[str, Mapping[str, int]] = {
    "camt053": {"bank_statement_unbalanced": 1},
    "mt940": {"bank_statement_unbalanced": 1},
    "rh": {"bank_statement_unbalanced": 1},
    "riba": {"riba_total_differs": 1},
}
_MT940_AMOUNT = re.compile(rb"(?m)^(:61:\d{10}[CD]\d+|:6[024]F?:[CD]\d{6}EUR\d+),(\d\d)")
