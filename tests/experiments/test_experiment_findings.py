"""results.md: the tables that the findings page has, of planted runs; subsets apart; text that breaks no table."""

from __future__ import annotations

import re

import pytest
from planted_runs import certified, everything, experiment, family, run

from verifier.experiments.findings import markdown
from verifier.experiments.record import Budget, Planned


def rows_of(text: str) -> list[list[str]]:
    """The cells of all rows of all tables."""
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_errors_and_verdicts_are_those_of_the_runs() -> None:
    text = markdown(experiment(everything())).decode()
    rows = rows_of(text)
    errors, proved = rows[0], next(row for row in rows if row[1:3] == ["", "M"])
    of_vgg = dict(zip(errors, next(row for row in rows if row[0] == "vgg11, sigmoid"), strict=True))
    assert of_vgg["skip: test"] == "10.00 ±\u00a02.48" and of_vgg["plain: train"].startswith("89.17")
    assert of_vgg["interpolation: test"] == "28.00 ±\u00a07.45" and of_vgg["seeds"] == "3"
    skip = next(row for row in rows if row[:2] == ["vgg11, sigmoid", "SGD with skips"])
    assert dict(zip(proved, skip, strict=True)) == {
        "network": "vgg11, sigmoid",
        "": "SGD with skips",
        "M": "1000",
        "Full rank": "3 / 0 / 0",
        "Full rank at almost every U": "3 / 0 / 0",
        "Zero error by the loss": "0 / 0 / 3",
        "Zero error for some V": "3 / 0 / 0",
        "Path to 1e-6": "3 / 0 / 0",
        "errors exact": "3 of 3",
        "accepted": "3",
        "seconds a run": "12",
    }
    plain = next(row for row in rows if row[:2] == ["vgg11, sigmoid", "SGD without skips"])
    assert plain[3:8] == ["–"] * 5 and plain[8] == "0 of 3"
    assert "* **sgd-generalises-better**: The test error of SGD on all weights" in text
    assert "all networks together: " in text and "Not run" not in text


def test_subsets_are_tables_of_their_own_whatever_the_order() -> None:
    runs = [made for n in (2000, 10000) for made in family("skip", (9, 10, 11), samples=n, data="mnist")]
    text = markdown(experiment(runs)).decode()
    assert text == markdown(experiment(runs[::-1])).decode()
    assert text.index("**mnist, N = 2000,") < text.index("**mnist, N = 10000,")
    assert "  * mnist, N = 2000: reproduced 1 of 1 network" in text
    assert text.count("network | plain: train |") == 2


def test_what_was_not_run_is_listed_by_its_seeds() -> None:
    def planned(seed: int, chosen: bool, finished: bool) -> Planned:
        words = f"mnist, N = 10000: fc2, sigmoid, SGD with skips, seed {seed}"
        return Planned(name=f"r{seed}", words=words, seconds=1800.0, chosen=chosen, finished=finished)

    plans = (planned(0, True, True), planned(1, True, False), planned(2, False, False), planned(3, False, False))
    text = markdown(experiment([run()], budget=Budget(hours=0.5, width=2, runs=plans))).decode()
    assert "Budget: 0.5 h with 2 runs at a time. Estimated: 1 h for all 4 runs; 2 of them are chosen, 0.5 h." in text
    assert "Not run, 3 runs:\n" in text
    assert "* mnist, N = 10000: fc2, sigmoid, SGD with skips, seed 1: the hours were over\n" in text
    assert "* mnist, N = 10000: fc2, sigmoid, SGD with skips, seeds 2, 3\n" in text


@pytest.mark.parametrize("odd", ["a|b", "\n\n# mine", "<script>x</script>", "[x](y)", "`|`", "*_\\|"])
def test_hostile_text_ends_no_cell_and_is_no_markup(odd: str) -> None:
    given = {"data": odd, "architecture": odd, "activation": odd, "certified": certified()}
    plain, found = (markdown(experiment([run(**change)])).decode() for change in ({**given, "data": "d"}, given))
    assert [len(row) for row in rows_of(found)] == [len(row) for row in rows_of(plain)] == [8] * 3 + [11] * 3
    assert len(found.splitlines()) == len(plain.splitlines())
    assert "<script>" not in found and not re.search(r"(?<!\\)(`|\]\()", found)
