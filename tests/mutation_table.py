"""Which tests notice a broken kernel? One mutation at a time, on a copy of the tree, as a table.

    python tests/mutation_table.py [--only PATTERN] [--sample 64 | --all] [--jobs 1]

`tests/test_mutants.py` shows that every mutant fails a check that was written for it. This asks more: do tests that
exist for another reason fail as well? Each mutant meets, in a temporary copy of the package and of its tests,

1. ``test``: the room's tests, without any of the checks of `checks*.py`;
2. ``check``: if they all pass, the room's tests of those checks, without the mutant's own;
3. ``own``: if these pass too, its own check, as in `test_mutants`.

A mutant of `mutants_ordinary` has no check of its own. In the end the tests that failed must pass on the copy as it is.
Standard output is a Markdown table; exit code 1 if a mutant survives, 2 if a test fails without one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from mutation_probe import NOTICED

HOME = Path(__file__).resolve().parent.parent
LISTS = ("kernels", "escape", "losses", "padding", "theorem", "witness", "ordinary")
SEEDS, MAX_FAILURES, SHOWN, TIMEOUT = 12, 3, 5, 240
TESTS = {
    "balls.activation": "balls/test_activation_kernel.py balls/test_features.py",
    "balls.binary64.activation": "balls/test_binary64.py",
    "balls.binary64.backend": "balls/test_product_faults.py balls/test_balls_refusals.py balls/test_binary64.py",
    "balls.binary64.bounds": "balls/test_binary64.py rank/test_float_inverse.py rank/test_gram.py",
    "balls.binary64.canary": "balls/test_canary.py balls/test_product_faults.py",
    "balls.binary64.exact_products": "balls/test_canary.py balls/test_product_faults.py",
    "balls.binary64.products": "balls/test_product_faults.py",
    "balls.binary64.elementary": "balls/test_binary64.py",
    "balls.binary64.float_enclosure": "network/test_padding.py balls/test_worst_cases.py balls/test_binary64.py"
    " balls/test_binary64_loss.py",
    "balls.binary64.loss": "balls/test_product_faults.py balls/test_binary64_loss.py",
    "balls.binary64.margins": "balls/test_product_faults.py balls/test_worst_cases.py balls/test_binary64_loss.py",
    "balls.binary64.matrix": "balls/test_binary64.py rank/test_gram.py",
    "balls.binary64.rounding": "balls/test_canary.py",
    "balls.exact": "balls/test_exact.py balls/test_margins.py rank/test_right_inverse.py landscape/test_path.py",
    "balls.feature_enclosure": "network/test_padding.py balls/test_features.py balls/test_margins.py"
    " landscape/test_path.py rank/test_certify.py",
    "balls.loss": "balls/test_loss.py landscape/test_path.py",
    "balls.margins": "balls/test_worst_cases.py balls/test_margins.py landscape/test_zero_loss.py",
    "balls.motion": "network/test_padding.py balls/test_motion.py landscape/test_escape.py",
    "balls.series": "balls/test_motion.py landscape/test_neighbourhood.py landscape/test_escape.py",
    "checker.analytic": "checker/test_checker_expression.py checker/test_checker_witness.py certificate/test_tamper.py",
    "checker.certificate": "checker/test_checker_rules.py checker/test_checker_container.py",
    "checker.claims": "checker/test_checker_rules.py checker/test_checker_expression.py checker/test_checker_last_rules.py",  # noqa: E501
    "checker.classes": "checker/test_checker_costs.py",
    "checker.common": "checker/test_checker_last_rules.py checker/test_checker_rules.py",
    "checker.container": "checker/test_checker_container.py checker/test_checker_cli.py",
    "checker.escape": "checker/test_checker_padding.py certificate/test_tamper_escape.py",
    "checker.expression": "checker/test_checker_undefined.py checker/test_checker_expression.py"
    " checker/test_checker_pointwise.py",
    "checker.losses": "checker/test_checker_losses.py",
    "checker.network": "checker/test_checker_network.py checker/test_checker_padding.py checker/test_checker_quick.py",
    "checker.pointwise": "checker/test_checker_pointwise.py checker/test_checker_losses.py",
    "checker.schema": "checker/test_checker_network.py checker/test_checker_container.py"
    " checker/test_checker_rules.py certificate/test_format.py",
    "checker.structure": "checker/test_checker_structure.py checker/test_checker_every_u.py"
    " checker/test_checker_padding.py",
    "checker.witness": "checker/test_checker_witness.py",
    "landscape.escape_separate": "landscape/test_escape.py",
    "landscape.escape_constant": "landscape/test_escape.py",
    "landscape.losses": "landscape/test_losses.py",
    "landscape.neighbourhood": "landscape/test_neighbourhood.py landscape/test_rank_ball.py",
    "landscape.path": "landscape/test_path.py",
    "landscape.pointwise": "landscape/test_pointwise.py checker/test_checker_pointwise.py",
    "landscape.segment": "landscape/test_escape.py",
    "landscape.separate": "landscape/test_separate.py landscape/test_zero_loss.py",
    "landscape.zero_loss": "landscape/test_zero_loss.py landscape/test_path.py",
    "sigma.domains": "sigma/test_domains.py",
    "network.gradient": "network/test_padding.py landscape/test_escape.py",
    "network.layers": "network/test_layers.py network/test_padding.py network/test_network.py balls/test_features.py",
    "network.network": "network/test_padding.py network/test_network.py",
    "data.samples": "data/test_samples.py rank/test_witness.py",
    "rank.certify": "rank/test_rank_refusals.py rank/test_certify.py",
    "rank.dead": "rank/test_every_u.py statements/test_negative_controls.py",
    "rank.deficiency": "rank/test_padded_rank.py rank/test_deficiency.py rank/test_every_u.py rank/test_certify.py",
    "rank.float_inverse": "balls/test_product_faults.py rank/test_float_inverse.py rank/test_ill_conditioned.py",
    "rank.gram": "balls/test_product_faults.py rank/test_gram.py rank/test_ill_conditioned.py",
    "rank.monotone": "rank/test_witness.py sigma/test_facts.py",
    "rank.norms": "rank/test_right_inverse.py rank/test_certify.py",
    "rank.right_inverse": "rank/test_right_inverse.py rank/test_certify.py rank/test_ill_conditioned.py",
    "rank.singular_values": "rank/test_singular_values.py",
    "rank.witness": "rank/test_witness.py run/test_witnessing.py",
    "rank.genericity": "rank/test_genericity.py statements/test_steps.py",
    "statements.assumption": "statements/test_padded_hypotheses.py statements/test_hypotheses.py"
    " statements/test_steps.py statements/test_negative_controls.py",
    "statements.threshold": "statements/test_threshold.py statements/test_steps.py",
}
"""The tests of each module, the cheap ones first."""


@dataclass(frozen=True)
class Mutant:
    """A module of the package, a text that is there once, what it becomes, and the check that was written for it."""

    module: str
    old: str
    new: str
    check: str | None = None

    @property
    def rank(self) -> str:
        """A number that depends on nothing but the mutant: the order in which a sample takes them."""
        return hashlib.sha256(repr((self.module, self.old, self.new)).encode()).hexdigest()

    @property
    def words(self) -> str:
        """The mutation in one line."""
        old, new = (" ".join(text.split()) for text in (self.old, self.new))
        return f"{old} → {new or '(nothing)'}"


@dataclass(frozen=True)
class Outcome:
    """What noticed the mutant: the kind of tests (None: nothing did), their names, and the time."""

    mutant: Mutant
    kind: str | None
    tests: tuple[str, ...]
    seconds: float


def known_mutants() -> list[Mutant]:
    """Return all mutants, each text once."""
    found: dict[tuple[str, str, str], Mutant] = {}
    for name in LISTS:
        for module, old, new, *check in importlib.import_module(f"mutants_{name}").MUTANTS:
            found.setdefault((module, old, new), Mutant(module, old, new, f"check_{check[0]}" if check else None))
    return list(found.values())


def path_of(home: Path, module: str) -> Path:
    """Return the file of a module in a tree."""
    return home / "verifier" / (module.replace(".", "/") + ".py")


def spread(mutants: list[Mutant], count: int) -> list[Mutant]:
    """Return so many of them: one of every module, then a second one of each, and so on."""
    rooms: dict[str, list[Mutant]] = {}
    for mutant in sorted(mutants, key=lambda mutant: mutant.rank):
        rooms.setdefault(mutant.module, []).append(mutant)
    rounds = zip_longest(*(rooms[module] for module in sorted(rooms)))
    return sorted([m for turn in rounds for m in turn if m][:count], key=lambda m: (m.module, m.rank))


class Copy:
    """A copy of the package and its tests in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.home, self.report, self.only = folder / "tree", folder / "report", folder / "only"
        self.output = folder / "output"
        waste = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
        for name in ("verifier", "tests"):
            shutil.copytree(HOME / name, self.home / name, ignore=waste)
        shutil.copy(HOME / "pyproject.toml", self.home)

    @contextlib.contextmanager
    def broken(self, mutant: Mutant):
        """Apply a mutation and take it back."""
        path = path_of(self.home, mutant.module)
        text = path.read_text(encoding="utf-8")
        try:
            self._write(path, text.replace(mutant.old, mutant.new))
            yield
        finally:
            self._write(path, text)

    @staticmethod
    def _write(path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)  # its stamp has whole seconds

    def run(self, arguments: list[str], timeout: float, **more: str) -> int | None:
        """Run Python in the copy, the package of the copy first; None is a timeout."""
        self.report.write_text("", encoding="utf-8")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COVERAGE"))}
        places = {"MUTATION_HOME": str(self.home), "MUTATION_REPORT": str(self.report)}
        places["PYTHONPATH"] = os.pathsep.join([str(self.home), str(self.home / "tests")])
        with open(self.output, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.home,
                env={**environment, "OPENBLAS_NUM_THREADS": "1", **places, **more},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return None

    def pytest(
        self, paths: list[str], leave_out: str, only: list[str] | None = None, timeout: float = TIMEOUT
    ) -> tuple[list[str], list[str]]:
        """Run tests: the names of those that fail, a crash or a timeout included, and of those that are left out."""
        more = {"MUTATION_LEAVE_OUT": leave_out}
        if only is not None:
            self.only.write_text("\n".join(only), encoding="utf-8")
            more["MUTATION_ONLY"] = str(self.only)
        options = [
            "-p",
            "mutation_probe",
            "-p",
            "no:cacheprovider",
            f"--maxfail={MAX_FAILURES}",
            "-q",
            "--tb=no",
        ]
        code = self.run(["-m", "pytest", *options, *(f"tests/{path}" for path in paths)], timeout, **more)
        lines = [json.loads(line) for line in self.report.read_text(encoding="utf-8").splitlines()]
        failed, left_out = ([name for kind, name in lines if kind == wanted] for wanted in ("failed", "left out"))
        if code is None:
            failed.append(f"timeout of {timeout:.0f} s")
        elif code not in (0, 5) and not failed:  # 5: no tests were selected
            failed.append(f"pytest ends with code {code}")
        return list(dict.fromkeys(failed)), left_out


def meet(copy: Copy, mutant: Mutant) -> Outcome:
    """Try the three kinds of tests on one mutant."""
    start, paths = time.perf_counter(), TESTS[mutant.module].split()
    with copy.broken(mutant):
        kind, (failed, left_out) = "test", copy.pytest(paths, "all")
        if not failed and left_out:
            kind, (failed, _) = "check", copy.pytest(paths, mutant.check or "none", left_out)
        if not failed and mutant.check:
            code = copy.run(["tests/mutation_probe.py", mutant.check, str(SEEDS)], TIMEOUT)
            if code not in (0, NOTICED, None):
                sys.exit(copy.output.read_text(encoding="utf-8"))
            kind, failed = "own", [] if code == 0 else [mutant.check if code else f"timeout of {TIMEOUT} s"]
    return Outcome(mutant, kind if failed else None, tuple(failed), time.perf_counter() - start)


def fail_anyway(copy: Copy, outcomes: list[Outcome]) -> list[str]:
    """Return what fails on the unbroken copy, of the tests that noticed a mutant (of all the module's, if it hung)."""
    paths, wanted = set[str](), set[str]()
    for outcome in outcomes:
        if outcome.kind in ("test", "check"):
            files = TESTS[outcome.mutant.module].split()
            paths.update(files)
            for name in outcome.tests:
                wanted.update([name] if "::" in name else [f"tests/{path}" for path in files])
    return copy.pytest(sorted(paths), "none", sorted(wanted), TIMEOUT * len(paths))[0] if paths else []


def row(outcome: Outcome) -> str:
    """Return the table's row of one mutant."""
    names = [name.removeprefix("tests/").split("/")[-1].replace("|", "¦") for name in outcome.tests]
    shown = f"{', '.join(names[:SHOWN])}" if names else "**SURVIVED**"
    cells = outcome.mutant.module, f"`{outcome.mutant.words.replace('|', '¦')}`", outcome.kind or "-", shown
    return f"| {' | '.join(cells)} | {len(names)} | {outcome.seconds:.0f} |"


def main(arguments: list[str] | None = None, mutants: list[Mutant] | None = None) -> int:
    """Print the table; 0 if every mutant is noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="PATTERN", help="only mutants with this text in module or change")
    parser.add_argument("--sample", type=int, default=64, help="how many, spread over all modules")
    parser.add_argument("--all", action="store_true", help="all mutants")
    parser.add_argument("--jobs", type=int, default=1, help="copies that work at the same time")
    options = parser.parse_args(arguments)
    chosen = [m for m in mutants or known_mutants() if options.only in f"{m.module}: {m.words}"]
    if not chosen:
        parser.error(f"no mutant has the text {options.only!r}")
    for mutant in chosen:
        if (times := path_of(HOME, mutant.module).read_text(encoding="utf-8").count(mutant.old)) != 1:
            parser.error(f"{mutant.module} has {times} times {mutant.old!r}; adapt the mutant")
    chosen = spread(chosen, len(chosen) if options.all else options.sample)
    start, copies, outcomes = time.perf_counter(), queue.SimpleQueue[Copy](), list[Outcome]()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for job in range(options.jobs):
            copies.put(Copy(Path(folder) / str(job)))

        def work(mutant: Mutant) -> Outcome:
            copy = copies.get()
            try:
                return meet(copy, mutant)
            finally:
                copies.put(copy)

        print("| module | mutation | by | noticed by | n | s |\n|---|---|---|---|---|---|", flush=True)
        with ThreadPoolExecutor(options.jobs) as pool:
            for outcome in pool.map(work, chosen):
                outcomes.append(outcome)
                print(row(outcome), flush=True)
                seconds = time.perf_counter() - start
                print(f"{len(outcomes)} of {len(chosen)} in {seconds:.0f} s", file=sys.stderr, flush=True)
        failed = fail_anyway(copies.get(), outcomes)
    if failed:
        print(f"these tests fail on the package as it is: {', '.join(failed)}", file=sys.stderr)
        return 2
    kinds = {kind: sum(o.kind == kind for o in outcomes) for kind in ("test", "check", "own", None)}
    print(f"\n{len(outcomes)} mutants: {kinds['test']} noticed by tests, {kinds['check']} by other mutants' checks,")
    print(f"{kinds['own']} by their own check only, {kinds[None]} survived; {time.perf_counter() - start:.0f} s")
    return 1 if kinds[None] else 0


if __name__ == "__main__":
    sys.exit(main())
