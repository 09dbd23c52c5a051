"""The examples in the docstrings of the room run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

from verifier import landscape

MODULES = [module.name for module in pkgutil.iter_modules(landscape.__path__, "verifier.landscape.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
