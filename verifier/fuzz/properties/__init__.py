"""The built-in properties of soundness: importing this package imports its modules, each of which registers its own."""

import pkgutil
from importlib import import_module

from verifier.fuzz.properties.core import PROPERTIES, Check, Falsified, Property, holds_for

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["PROPERTIES", "Check", "Falsified", "Property", "holds_for"]
