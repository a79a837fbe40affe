"""LightGBM where it is needed and only then: a machine without its OpenMP library can do all the rest."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from saldo.core.errors import SaldoError


@cache
def library() -> ModuleType:
    """The module ``lightgbm``. Raises SaldoError("lightgbm_not_loaded") where it cannot be loaded.

    Its wheel has no copy of the OpenMP runtime (libgomp), which small Linux images lack: loading then fails
    with an OSError that names the file.
    """
    try:
        return import_module("lightgbm")
    except (OSError, ImportError) as error:
        raise SaldoError("lightgbm_not_loaded", problem=str(error).split("\n")[0][:200]) from error
