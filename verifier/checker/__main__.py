"""Entry point: ``python -m verifier.checker FILE``, or this file or its folder run directly, also with ``-I``."""

import importlib
import sys
import types
from pathlib import Path

if __name__ == "__main__":
    name = __package__
    if not name:  # this file was run as a script: its folder becomes a package of a private name
        name = "_verifier_checker"
        sys.modules[name] = package = types.ModuleType(name)
        package.__path__ = [str(Path(__file__).resolve().parent)]
    sys.exit(importlib.import_module(name + ".cli").main())
