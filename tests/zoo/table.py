"""Writes the zoo's page of the documentation: `python tests/zoo/table.py` runs every model and puts the table there.

Nothing on the page is copied by hand: verdicts and seconds are those of the run, the words are `TEXT` and `WHY`.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
PAGE = HERE.parents[1] / "verifier" / "docs" / "guide" / "zoo.md"
WORDS = {"PROVED": "yes", "REFUTED": "no", "UNDECIDED": "open", "None": "–"}
TEXT = """# A zoo of models

Models as people write them, converted as they are, one line each: `vf.verify(X, y, model)`. Widths are small and seeds are fixed, so that `pytest -m zoo` takes minutes;
what is asked of each is what anyone may ask of a model: full rank of its features at its weights, output weights without training error, a path on which the loss never
rises, and full rank at *almost every* $U$, with which no local valley is bad ([W0](#statement-w0)). Features and logits are compared with the framework's own in
float64 (to $10^{-11}$) and with 30 digits of a second programme; every certificate was accepted by the independent checker.

| model | $p$ | $M$ | $N$ | full rank here | zero error | path | almost every $U$, no bad valley | conversion | proof | check | forward pass |
|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def row(specimen, found) -> str:
    """One line of the table."""
    from zoo_harness import STATEMENTS

    said = dict(zip(STATEMENTS, (WORDS[found.verdicts[name]] for name in STATEMENTS), strict=True))
    everywhere = said["generic"] if said["generic"] == said["T3.4(2)"] else f"{said['generic']}, {said['T3.4(2)']}"
    name = f"{specimen.name} ({specimen.framework})"
    sizes = f"{found.parameters} | {found.features} | {found.samples}"
    times = f"{found.conversion:.2f} s | {found.proof:.2f} s | {found.check:.2f} s | {1e3 * found.forward:.2f} ms"
    return f"| {name} | {sizes} | {said['rank']} | {said['zero_loss']} | {said['path']} | {everywhere} | {times} |"


def main() -> None:
    """Run the zoo and write the page."""
    from zoo_harness import examined
    from zoo_specimens import SPECIMENS

    rows = []
    for specimen in SPECIMENS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(specimen, examined(specimen, Path(folder))))
        print(rows[-1], flush=True)
    PAGE.write_text(TEXT + "\n".join(rows) + "\n" + notes(), "utf-8")


if __name__ == "__main__":
    main()
