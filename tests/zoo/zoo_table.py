"""Writes the zoo's page of the documentation: `python tests/zoo/zoo_table.py` runs every model and puts the table there.

Nothing on the page is copied by hand: verdicts, reasons and seconds are those of the run.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
PAGE = HERE.parents[1] / "verifier" / "docs" / "guide" / "zoo.md"

if TYPE_CHECKING:
    from zoo_harness import Outcome
    from zoo_specimens import Specimen

WORDS = {"PROVED": "proved", "REFUTED": "refuted", "UNDECIDED": "open", "-": "–"}
MORE = {"A": "by the architecture", "S": "path, any activation"}
COLUMNS = {
    "rank": "full rank here",
    "zero_loss": "zero error",
    "path": "path",
    "generic": "almost every $U$",
    "T3.4(2)": "no bad valley",
}
HEAD = """# A zoo of models

Models as people write them, handed over as they are: `vf.verify(X, y, model)`, where the model is a module of PyTorch, a file in ONNX, or an estimator of
scikit-learn. Widths are small and seeds are fixed; some have had a few steps of training, so that batch norms have statistics. $p$ numbers are trained behind the head,
$M$ features are read by it, $N$ samples are learned: $N = M + 1$, the most that a head with a bias allows, unless said otherwise below.

Asked of each: **full rank here**, of $[\\Psi(U) \\mid 1]$ at its own weights ([rank](#statement-rank)); **zero error**, output weights without training error
([Z1](#z1)); a **path** from its weights on which the loss never increases, to loss $10^{-6}$; full rank at **almost every $U$** ([W0](#statement-w0)), and that
**no local valley is bad** ([T3.4(2)](#statement-t3-4-2)), which also follows **by the architecture** alone ([A](#statement-a): for these samples, or for every data set), or, for any activation, from paths that never go up: one leads from
these weights, through any activation ([S](#statement-s)). Each certificate was accepted by the independent checker. Features and logits agree with the framework's own
in float64 to $10^{-11}$, and for one sample with a second evaluation of the graph in 30 digits.

`pytest -m zoo` asks all of it; `python tests/zoo/zoo_table.py` writes this page. Seconds are CPU seconds of one run on one core of a server; a conversion is mostly
`torch.export`. The last column is one forward pass of all $N$ samples by the framework, in milliseconds.

"""
TAIL = """
## Why some have fewer samples

* A head behind a **layer norm** (ConvNeXt, MLP-Mixer, ViT, the encoder with norms after): the entries of a normalised vector add up to 0, and so
  $\\sum_j (f_j - b_j)/g_j = 0$ with its shifts $b$ and gains $g$, whatever $U$ is. With the column 1 of the bias the rank is at most $M$, and $N = M$ is the most.
* A head **without a bias** (GPT on tokens, SwiGLU): $N = M$.
* **One layer of ReLU**: W0 does not apply, $U$ with a lower rank fill open sets, and these weights are in one; all the same no valley is bad ([S(1)](#statement-s-1)).
* **ReLU** and few units: dead units and regions in common lower the rank. With fewer samples it is full (VGG, ResNet-18), or it is refuted in exact arithmetic.

## What is not what it seems

* **Weight norm** $g v/|v|$ has no value at $v = 0$: what holds for almost every $U$ is stated for features that are defined at every $U$.
* An ONNX file is a model of its own: exporters fold batch norms into convolutions and store scales and epsilons in float32. What is proved is about the file.
* `nn.RMSNorm(width)` without `eps` takes that of its data type: a float32 model has another function after `.double()`. What is proved is about the model as it is.
"""


def cells(verdicts: dict[str, str]) -> str:
    """The verdicts in words."""
    return " | ".join(WORDS[verdicts[name]] for name in COLUMNS)


def row(specimen: Specimen, found: Outcome) -> str:
    """One line of the table."""
    sizes = f"{found.parameters} | {found.features} | {found.samples}"
    times = f"{found.conversion:.1f} | {found.proof:.1f} | {found.check:.1f} | {1e3 * found.forward:.2f}"
    more = " | ".join(WORDS[found.more[name]] for name in MORE)
    return f"| {specimen.name} | {sizes} | {cells(found.verdicts)} | {more} | {times} |"


def reasons(specimen: Specimen, found: Outcome) -> str:
    """What was said of the verdicts that are not PROVED; the last one rests on the one before it."""
    own = {
        name: reason for name, reason in found.reasons.items() if name != "T3.4(2)" or "generic" not in found.reasons
    }
    said = "; ".join(f"{COLUMNS[name]}: {reason}" for name, reason in own.items()).replace("*", r"\*")
    return f"* **{specimen.name}** ({specimen.framework}): {said}." if said else ""


def page(found: list[tuple[Specimen, Outcome]]) -> str:
    """The whole page."""
    lines = [HEAD.rstrip("\n")]
    for framework in dict.fromkeys(specimen.framework for specimen, _ in found):
        own = [(specimen, outcome) for specimen, outcome in found if specimen.framework == framework]
        titles = [
            "model",
            "$p$",
            "$M$",
            "$N$",
            *COLUMNS.values(),
            *MORE.values(),
            "convert (s)",
            "prove (s)",
            "check (s)",
            "forward (ms)",
        ]
        lines += ["", f"## {framework}", "", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
        lines += [row(*one) for one in own]
    lines += ["", "## What is not proved, and why", ""]
    lines += [f"{line}" for line in (reasons(*one) for one in found) if line]
    return "\n".join(lines) + "\n" + TAIL


def main() -> None:
    """Run the zoo and write the page."""
    from zoo_harness import examined
    from zoo_specimens import SPECIMENS

    found = []
    for specimen in SPECIMENS:
        with tempfile.TemporaryDirectory() as folder:
            found.append((specimen, examined(specimen, Path(folder))))
        print(row(*found[-1]), flush=True)
    PAGE.write_text(page(found), "utf-8")


if __name__ == "__main__":
    main()
