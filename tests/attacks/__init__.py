"""Malformed and malicious files of every kind that the package reads: none may hang it, fill the memory or be believed.

`corpus` has small valid files, `mutations` changes them by seeded accident, `certificates`, `cases` and `samples` have
the attacks, `sandbox` runs one in a forked child of `server` and judges it, `truth` says what a certificate may claim.
"""

from __future__ import annotations

from functools import cache


@cache
def everything():
    """Return all attacks, in a fixed order."""
    from . import cases, certificates, samples

    return (*certificates.attacks(), *cases.attacks(), *samples.attacks())
