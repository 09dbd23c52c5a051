"""Writes the page of what is proved of five networks: `python tests/zoo/statement_table.py` runs them, a few minutes.

Nothing on the page is copied by hand: verdicts, reasons and seconds are those of the run.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
PAGE = HERE.parents[1] / "verifier" / "docs" / "guide" / "statements.md"

import verifier as vf  # noqa: E402
from verifier.run.case import read_case  # noqa: E402
from verifier.run.case_problem import run_case  # noqa: E402
from verifier.statements.groups import grouped  # noqa: E402

CASES = Path(vf.__file__).parent / "run" / "cases"
WORDS = {"PROVED": "proved", "REFUTED": "refuted", "UNDECIDED": "open", "-": ""}
HEAD = """# What is proved, statement by statement

Five networks, at the weights they were drawn with or that training found, and every statement that applies to one of them at least:

{problems}

An empty cell: the statement does not apply, and the report says why. *refuted* is of a hypothesis, or of a property of this start; *open* is no synonym of false. The names link to the proofs.
Not here: [MC](#statement-mc) and [MC.line](#statement-mc-line), about two networks (`verifier connect`), and [BM](#statement-bm), about a point that is found (`verifier minimum`).
`python tests/zoo/statement_table.py` writes this page; seconds are CPU seconds of one run.

"""


def of_case(name: str) -> vf.Report:
    """A case of the package."""
    return run_case(read_case(CASES / f"{name}.toml"))[0]


def of_zoo(name: str, framework: str) -> vf.Report:
    """A model of the zoo, as it is."""
    from zoo_specimens import SPECIMENS

    specimen = next(each for each in SPECIMENS if (each.name, each.framework) == (name, framework))
    with tempfile.TemporaryDirectory() as folder:
        return vf.verify(*specimen.data(specimen.samples), specimen.model(Path(folder)))


PROBLEMS: dict[str, Callable[[], vf.Report]] = {
    "digits-wide": lambda: of_case("main/digits-wide"),
    "ReLU MLP": lambda: of_zoo("MLPClassifier, one layer of ReLU", "scikit-learn"),
    "plain conv net": lambda: of_case("quick/digits-plain-conv"),
    "ViT": lambda: of_zoo("ViT", "PyTorch"),
    "XOR": lambda: of_case("quick/xor"),
}


def slug(label: str) -> str:
    """The target of a statement's section."""
    return "statement-" + re.sub("[^a-z0-9]+", "-", label.lower().replace("+", "-plus")).strip("-")


def main() -> None:
    """Run the five and write the page."""
    from zoo_harness import spent

    reports, proofs, checks = [], [], []
    for name, prove in PROBLEMS.items():
        began = spent()
        report = prove()
        proofs.append(spent() - began)
        with tempfile.TemporaryDirectory() as folder:
            file = report.write(Path(folder) / "certificate.json")
            began = spent()
            checked = vf.check(file)
        checks.append(spent() - began)
        if not checked.accepted:
            raise SystemExit(f"{name}: {checked.reason}")
        reports.append(report)
        print(f"{name}: {proofs[-1]:.1f} s, checked in {checks[-1]:.1f} s", flush=True)
    PAGE.write_text(page(reports, proofs, checks), "utf-8")


def page(reports: list[vf.Report], proofs: list[float], checks: list[float]) -> str:
    """The whole page."""
    about = [f"* **{name}**: {report}" for name, report in zip(PROBLEMS, map(described, reports), strict=True)]
    lines = [HEAD.format(problems="\n".join(about)).rstrip("\n"), ""]
    lines += [f"| statement | | {' | '.join(PROBLEMS)} |", "|---" * (2 + len(PROBLEMS)) + "|"]
    shown = [{step.label: step.shown for step in report.theorem.steps} for report in reports]
    applying = [label for label in vf.STATEMENTS if any(each[label] != "-" for each in shown)]
    for heading, labels in grouped(applying, str):
        lines.append(f"| **{heading}** | | {' | '.join('' for _ in PROBLEMS)} |")
        for label in labels:
            cells = " | ".join(WORDS[each[label]] for each in shown)
            lines.append(f"| [{label}](#{slug(label)}) | {vf.STATEMENTS[label].name} | {cells} |")
    for words, numbers in (("prove (s)", proofs), ("check (s)", checks)):
        lines.append(f"| {words} | | {' | '.join(f'{number:.1f}' for number in numbers)} |")
    return "\n".join(lines) + "\n"


def described(report: vf.Report) -> str:
    """Data and network in one line."""
    return f"{report.problem.words.split(';')[0]}; {report.network.size_words}"


if __name__ == "__main__":
    main()
