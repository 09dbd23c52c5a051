"""The script that asks which tests notice a broken kernel: what it prints and returns for mutants of known fate."""

from __future__ import annotations

import pytest
from mutation_table import HOME, TESTS, Mutant, known_mutants, main, path_of, spread

NOTICED = [
    Mutant("balls.exact", "-lower_float(-value)", "lower_float(value)"),
    Mutant("checker.claims", "sigma > 0 and sigma * norm <= 1 - claimed", "sigma > 0 and sigma * norm <= 1"),
    Mutant("balls.margins", "if value.is_nan():", "if False:", "check_smallest_margin_counts_radii"),
]
EQUIVALENT = Mutant("balls.exact", "-lower_float(-value)", "-lower_float(-1 * value)")


def test_samples_are_spread_over_all_modules_and_do_not_depend_on_the_order():
    mutants = known_mutants()
    sample = spread(mutants, 64)
    assert len(mutants) >= 400 and len(sample) == 64 and sample == spread(mutants[::-1], 64)
    assert {m.module for m in sample} == {m.module for m in mutants} == set(TESTS)


@pytest.mark.slow
def test_mutants_that_are_noticed(capsys):
    assert main(["--all"], NOTICED) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| b") or row.startswith("| c")]
    kinds = {row.split(" | ")[0].strip("| "): row.split(" | ")[2] for row in rows}
    assert kinds["balls.exact"] == kinds["checker.claims"] == "test" and set(kinds) == {m.module for m in NOTICED}


@pytest.mark.slow
def test_a_mutant_that_changes_nothing_survives(capsys):
    assert main(["--all"], [EQUIVALENT]) == 1
    assert "**SURVIVED**" in capsys.readouterr().out


def test_patterns_without_mutants_and_texts_that_are_not_there_once_are_refused(capsys):
    for arguments, mutants, words in (
        (["--only", "no such module"], None, "no mutant has the text"),
        (["--all"], [Mutant("balls.exact", "no such text", "")], "0 times 'no such text'; adapt the mutant"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(arguments, mutants)
        assert stopped.value.code == 2 and words in capsys.readouterr().err


def test_the_text_of_every_mutant_is_there_once():
    for mutant in known_mutants():
        assert path_of(HOME, mutant.module).read_text(encoding="utf-8").count(mutant.old) == 1, mutant
