"""Entry point: ``python -m verifier.checker FILE``, or this file or its folder run directly, also with ``-I``."""

import importlib
import sys
import types
from pathlib import Path

EARLIEST = (3, 11)
"""The first version of Python that runs the checker."""
UNUSABLE = 2
"""The exit code where nothing can be checked: 1 would say that a certificate is rejected."""


def missing() -> str:
    """Say what is needed and not there, before any other module is read; empty if nothing is."""
    if sys.version_info < EARLIEST:
        return "Python 3.11 or newer"
    try:
        importlib.import_module("flint")
    except ImportError:
        return "python-flint (pip install python-flint)"
    return ""


if __name__ == "__main__":
    if missing():
        sys.stderr.write("checker: it needs " + missing() + "; nothing was checked\n")
        sys.exit(UNUSABLE)
    name = __package__
    if not name:  # this file was run as a script: its folder becomes a package of a private name
        name = "_verifier_checker"
        sys.modules[name] = package = types.ModuleType(name)
        package.__path__ = [str(Path(__file__).resolve().parent)]
    sys.exit(importlib.import_module(name + ".cli").main())
