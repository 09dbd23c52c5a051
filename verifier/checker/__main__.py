"""Entry point: ``python -m verifier.checker FILE``, or this file or its folder run directly, also with ``-I``."""

import importlib
import importlib.util
import sys
from pathlib import Path


def load_package() -> str:
    """Return the name of this package, loading it under a private name if Python ran this file as a script."""
    if __package__:
        return __package__
    name = "_verifier_checker"
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"the checker's package cannot be loaded from {folder}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return name


if __name__ == "__main__":
    sys.exit(importlib.import_module(load_package() + ".cli").main())
