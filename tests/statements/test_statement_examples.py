"""The examples in the docstrings of statements and certificates run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

from verifier import certificate, statements

MODULES = [
    module.name
    for room in (statements, certificate)
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
