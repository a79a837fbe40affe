"""Time and peak memory of a piece of work, as one row of the report."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    name: str
    target: str
    seconds: float = 0.0
    peak_mib: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    met: bool | None = None

    def line(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        mark = {True: "met", False: "MISSED", None: "-"}[self.met]
        cost = f"{self.seconds:8.2f} s  {self.peak_mib:7.0f} MiB"
        return f"{self.name:<34} {cost}  {mark:<6} {told}  (target: {self.target})"

    def as_json(self) -> str:
        return json.dumps(self.__dict__, default=str)


@contextmanager
def measured(name: str, target: str) -> Iterator[Result]:
    """Peak memory is that of this process so far (the database server's is not in it)."""
    result = Result(name, target)
    start = time.perf_counter()
    yield result
    result.seconds = time.perf_counter() - start
    result.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
