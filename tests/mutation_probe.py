"""The pytest plugin of `mutation_table`, and its last resort: one dedicated check on a broken package.

It refuses to run on any package but the copy, leaves out the checks that were written for the mutants (all of them, or
one), and writes one JSON line per test that fails or that it left out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

ROOMS = ("checks", "checks_escape", "checks_losses", "checks_theorem", "checks_witness")
NOTICED = 3
LEFT_OUT = "left out: a check that was written for a mutant"


def record(kind: str, name: str) -> None:
    """Append one line to the report."""
    with open(os.environ["MUTATION_REPORT"], "a", encoding="utf-8") as report:
        report.write(json.dumps([kind, name]) + "\n")


def require_copy() -> None:
    """End the process unless the package is imported from the copy."""
    found, home = (
        Path(importlib.import_module("verifier").__file__).resolve(),
        Path(os.environ["MUTATION_HOME"]).resolve(),
    )
    if not found.is_relative_to(home):
        sys.exit(f"verifier is imported from {found}, not from the copy in {home}")


def pytest_configure():
    """Replace checks by a skip."""
    import pytest

    def leave_out(*_):
        pytest.skip(LEFT_OUT)

    require_copy()
    own = os.environ["MUTATION_LEAVE_OUT"]
    for room in map(importlib.import_module, ROOMS):
        for name in room.CHECKS if own == "all" else {own} & room.CHECKS.keys():
            room.CHECKS[name] = leave_out
            setattr(room, name, leave_out)


def pytest_collection_modifyitems(items):
    """Keep only the tests, or all of the files, that the caller names, if it names some."""
    if wanted := os.environ.get("MUTATION_ONLY"):
        names = set(Path(wanted).read_text(encoding="utf-8").splitlines())
        items[:] = [item for item in items if item.nodeid in names or item.nodeid.split("::")[0] in names]


def pytest_runtest_logreport(report):
    """Note failures and what was left out."""
    if report.failed:
        record("failed", report.nodeid)
    elif report.skipped and LEFT_OUT in str(report.longrepr):
        record("left out", report.nodeid)


def pytest_collectreport(report):
    """Note files that cannot be imported any more."""
    if report.failed:
        record("failed", f"{report.nodeid} (import)")


def main(check: str, seeds: int) -> int:
    """Run the dedicated check of a mutant on the package: 0 if it passes with all seeds, `NOTICED` if it does not."""
    require_copy()
    for room in map(importlib.import_module, ROOMS):
        if check in room.CHECKS:
            for seed in range(seeds):
                try:
                    room.run_check(check, seed)
                except Exception:  # whatever breaks is noticed
                    return NOTICED
            return 0
    sys.exit(f"no check {check}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
