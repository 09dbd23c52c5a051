"""Machine-checkable statements about loss landscapes of neural networks.

The public names, listed in ``__init__.pyi``, load on first use, so that ``import verifier`` is fast; nothing but the
standard library is loaded here, for the checker is a part of this package.
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

__version__ = "0.1.0"

_HOMES = {
    name: f"verifier.{module}" if module else "verifier"
    for module, name in re.findall(
        r"^from \.([\w.]*) import (\w+) as \w+$", Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"), re.M
    )
}
__all__ = sorted([*_HOMES, "__version__"])


class _Package(ModuleType):
    """A package in which the function `prove` is not hidden by the module of the same name once that is imported."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in _HOMES and isinstance(value, ModuleType) and hasattr(value, name):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    """Load a public name on first use, and keep it."""
    if name in _HOMES:
        home = _HOMES[name]
        found = import_module(f"{home}.{name}") if home == __name__ else getattr(import_module(home), name)
        globals()[name] = found
        return found
    from verifier.errors import nearest

    raise AttributeError(f"module 'verifier' has no attribute {name!r}; {nearest(name, __all__)}")


def __dir__() -> list[str]:
    return list(__all__)
