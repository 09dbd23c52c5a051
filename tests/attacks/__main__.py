"""``python -m tests.attacks [FRAGMENT]``: run all attacks (or those with it in their names); print a table."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from . import everything
from .sandbox import Servers, run


def main(fragment: str = "") -> int:
    """Print a line per family: attacks, exit codes, worst seconds and MiB; then what went wrong."""
    servers, start = Servers(), time.perf_counter()
    rows, wrong = defaultdict(list), []
    with tempfile.TemporaryDirectory() as room:
        for number, attack in enumerate(attack for attack in everything() if fragment in attack.id):
            outcome = run(attack, servers, Path(room, str(number)))
            rows[attack.family].append(outcome)
            wrong += [f"{attack.id}: {problem}" for problem in outcome.problems]
    servers.close()
    print(
        f"{'family':40} {'attacks':>7} "
        + " ".join(f"{f'code {k}':>7}" for k in range(4))
        + f" {'max s':>6} {'max MiB':>8}"
    )
    for family, outcomes in rows.items():
        codes = Counter(outcome.code for outcome in outcomes)
        worst = max(o.seconds for o in outcomes), max(o.mebibytes for o in outcomes)
        counts = " ".join(f"{codes[code]:7}" for code in range(4))
        print(f"{family:40} {len(outcomes):7} {counts} {worst[0]:6.2f} {worst[1]:8.0f}")
    print(f"{sum(map(len, rows.values()))} attacks in {time.perf_counter() - start:.0f} s, {len(wrong)} problems")
    print(*wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
