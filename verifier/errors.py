"""The package's errors: one hierarchy, one line per message.

A message names the argument, its value, the bound it broke and the remedy. Whoever calls the library catches
`VerifierError`; the command line maps `InputError` to exit code 2 and everything else to a bug or an undecided verdict.

`one_line` and `nearest` build such messages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_SHOWN = 120
"""Longest rendering of a value inside a message; a longer one is cut and marked."""
MAX_MESSAGE = 900
"""Longest message."""


class VerifierError(Exception):
    """Root of every error that this package raises on purpose.

    Examples
    --------
    >>> import verifier as vf
    >>> try:
    ...     vf.activation("tahn")
    ... except vf.VerifierError as error:
    ...     print(error)
    activation 'tahn': no such name and no expression in t; did you mean 'tanh'?
    """

    def __init__(self, message: str) -> None:
        """Keep the message on one printable line of bounded length, whatever was interpolated into it."""
        line = " ".join(message.split())
        line = line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 3]}..."
        super().__init__("".join(c if c.isprintable() else "?" for c in line))


class InputError(VerifierError):
    """The caller's input is unusable (command line: exit code 2).

    Examples
    --------
    >>> import verifier as vf
    >>> try:
    ...     vf.Options(engine="arp")
    ... except vf.InputError as error:
    ...     print(error)
    engine = 'arp' is unknown; did you mean 'arb'?
    """


class DataError(InputError):
    """A data set cannot be read or would not be exact."""


class CaseError(InputError):
    """A case file is malformed: unknown key, wrong type, contradiction."""


class NetworkError(InputError):
    """A network's description is inconsistent: shapes, arcs, sharing, skip units."""


class ExpressionError(InputError):
    """An activation's expression is outside the grammar, or is not a real number for every real t."""


class CertificateError(VerifierError):
    """A certificate cannot be written, or cannot be read back as what it claims to be."""


class PrecisionError(VerifierError):
    """The working precision does not suffice; the remedy is more bits, never a guess."""


def installing(extra: str) -> str:
    """Say how to install an optional dependency: from a clone, for the name on the public index is another project's.

    Parameters
    ----------
    extra : str
        The extra's name in ``pyproject.toml``.

    Returns
    -------
    str
        The end of a message.
    """
    return f'run in your clone of this repository: pip install ".[{extra}]"'


def one_line(value: object, *, limit: int = MAX_SHOWN) -> str:
    """Render a value for a message: its `repr`, cut to `limit` characters.

    Parameters
    ----------
    value : object
        What the user gave.
    limit : int, optional
        Most characters shown; at least 4.

    Returns
    -------
    str
        One line.
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def needs(value: object, wanted: str, attribute: str, what: str, remedy: str) -> None:
    """Refuse an argument of another kind, in one line.

    Parameters
    ----------
    value : object
        What was given.
    wanted : str
        The kind that is needed.
    attribute : str
        What every such object has.
    what, remedy : str
        The argument's name; what to write instead.

    Raises
    ------
    InputError
        The value has no such attribute.
    """
    if not hasattr(value, attribute):
        raise InputError(f"{what}: a {type(value).__name__} is no {wanted}; {remedy}")


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known name a misspelt one was meant to be, as the end of a message.

    Parameters
    ----------
    word : str
        The unknown name.
    known : iterable of str
        The names that exist.

    Returns
    -------
    str
        `did you mean 'tanh'?`, or the list of all names when none is near.
    """
    names = sorted(known)
    if len(names) == 1:
        return f"there is only {names[0]!r}"
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.5)
    if close:
        return f"did you mean {lowered[close[0]]!r}?"
    return f"use one of {', '.join(names)}"
