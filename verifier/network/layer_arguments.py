"""What layers are made from: integers, axes, activations, skip units and inputs, each read strictly or refused.

Lists stand for tuples and names for activations; truth values and floats are no integers.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Literal, SupportsIndex

import numpy as np

from verifier.errors import NetworkError, one_line
from verifier.sigma.activations import Activation, activation

Source = int | Literal["input"]
"""Where a layer reads from: the network's input, or the index of an earlier layer."""

Skip = bool | tuple[int, ...]
"""Which units are connected to the outputs: all, none, or the listed unit indices."""

SkipLike = bool | Sequence[int]
"""What a layer's ``skip`` may be given as."""
InputsLike = Source | Sequence[Source]
"""What a layer's ``inputs`` may be given as."""


def whole_number(value: object, what: str) -> int:
    """Take an integer, no truth value.

    Raises
    ------
    NetworkError
        It is no integer.
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise NetworkError(f"{what} = {one_line(value)} must be an integer") from None


def positive_number(value: object, what: str) -> int:
    """Take an integer of at least 1.

    Raises
    ------
    NetworkError
        It is no integer of at least 1.
    """
    number = whole_number(value, what)
    if number < 1:
        raise NetworkError(f"{what} is {number}; it must be at least 1")
    return number


def sigma_of(given: object, where: str) -> Activation:
    """Take an activation, or a name or an expression of one.

    Raises
    ------
    NetworkError
        It is missing, or no name or expression of an activation.
    """
    if given is None:
        raise NetworkError(f"{where}: it has no activation; write for example {where}(16, 'tanh')")
    if isinstance(given, Activation):
        return given
    if isinstance(given, str):
        return activation(given)
    raise NetworkError(
        f'{where}: activation = {one_line(given)} must be a name such as "tanh", an expression in t, or an Activation'
    )


def numbers_per_axis(given: object, what: str) -> tuple[int, ...]:
    """Take integers, one for each spatial axis.

    Raises
    ------
    NetworkError
        There is not one integer per axis.
    """
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise NetworkError(f"{what} = {one_line(given)} must have a number per axis, such as (3,) or (3, 3)")
    return tuple(whole_number(entry, f"{what}: an entry") for entry in given)


def padding_of(given: object, axes: int) -> tuple[int, ...]:
    """Take a number of zeros, or one for each axis; no zeros at all are the empty padding.

    Raises
    ------
    NetworkError
        It is neither an integer nor one per axis.
    """
    if isinstance(given, bool | np.bool_ | str) or not isinstance(given, Iterable | SupportsIndex):
        raise NetworkError(
            f"Conv: padding = {one_line(given)} must be an integer, or have one per axis, such as (1, 1)"
        )
    if not isinstance(given, Iterable):
        given = (given,) * axes
    padding = numbers_per_axis(given, "Conv: padding")
    return () if padding == (0,) * axes else padding


def skip_of(given: object, where: str) -> Skip:
    """Take which units are connected to the outputs.

    Raises
    ------
    NetworkError
        It is neither a truth value nor a list of units.
    """
    if isinstance(given, bool | np.bool_):
        return bool(given)
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise NetworkError(f"{where}: skip = {one_line(given)} must be True, False or a list of unit indices")
    return tuple(whole_number(entry, f"{where}: an entry of skip") for entry in given)


def inputs_of(given: object, where: str) -> tuple[Source, ...]:
    """Take what a layer reads; the network, which knows its number, checks the names."""
    entries = given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)
    names = [
        entry if isinstance(entry, str) else whole_number(entry, f"{where}: an entry of inputs") for entry in entries
    ]
    return tuple(names)  # type: ignore[arg-type]  # the network, which knows the layer's number, checks the names


def name_of(given: object, where: str) -> str:
    """Take a layer's name, which layers that share their parameters have in common; empty for none.

    Raises
    ------
    NetworkError
        It has other characters than a name has.
    """
    if not isinstance(given, str) or (given and not given.replace("_", "").replace("-", "").isalnum()):
        raise NetworkError(f"{where}: name = {one_line(given)} must be letters, digits, - and _")
    return given
