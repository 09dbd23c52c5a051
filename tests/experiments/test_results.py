"""The files of an experiment: read back as written, the same for any order of runs, hostile names, the page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
import json
import math
import random
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import msgspec
import pytest

matplotlib.use("Agg")

from planted_runs import PATH, certified, curve, epoch, everything, experiment, family, run
from report.reporting import Page
from rich.console import Console

from verifier.errors import CertificateError, InputError
from verifier.experiments import results
from verifier.experiments.page import page
from verifier.experiments.record import Experiment, Run
from verifier.experiments.results import print_experiment, read_results_json, results_json, write_results
from verifier.experiments.table import certified_sentence, csv_bytes, data_tables

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "</style><style>*{display:none}",
    "</pre></details></main><h1>mine</h1>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066",
    "bell\x07 null\x00 escape\x1b[31m",
    "[bold]$\\frac$[/]",
    "=1+1,\n\"quoted\";'x'",
    "x" * 3000,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an experiment that has something of everything."""
    folder = tmp_path_factory.mktemp("experiment") / "out"
    write_results(folder, experiment(everything()))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def console_text(found: Experiment, width: int = 80) -> str:
    stream = io.StringIO()
    print_experiment(Console(file=stream, width=width, color_system=None), found)
    return stream.getvalue()


def test_everything_is_there_and_read_back(written: Path) -> None:
    names = set(files(written))
    figures = ("errors-digits", "progress-fc150-sigmoid", "trajectory-vgg11-sigmoid-skip-seed0")
    made = {f"figures/{name}{suffix}.{kind}" for name in figures for suffix in ("", "-dark") for kind in ("svg", "png")}
    assert names == {"results.json", "results.csv", "results.md", "results.html"} | made
    found = read_results_json(written)
    given = experiment(everything())
    assert sorted(found.runs, key=str) == sorted(given.runs, key=str)
    assert msgspec.structs.replace(found, runs=()) == msgspec.structs.replace(given, runs=())


def test_the_order_of_runs_changes_no_byte(tmp_path: Path) -> None:
    runs = everything()
    for seed in range(3):
        shuffled = random.Random(seed).sample(runs, len(runs))
        assert page(experiment(shuffled)) == page(experiment(runs)) and csv_bytes(shuffled) == csv_bytes(runs)
    pair = [run(seed=1, test_errors=7), run()]
    for name, order in (("a", pair), ("b", pair[::-1])):
        write_results(tmp_path / name, experiment(order))
    assert files(tmp_path / "a") == files(tmp_path / "b") and len(files(tmp_path / "a")) == 8
    assert not list(tmp_path.rglob("*.part"))


def test_numbers_that_json_lacks_are_read_back(tmp_path: Path) -> None:
    odd = msgspec.structs.replace(epoch(), train_loss=math.nan, test_loss=math.inf, distance=-math.inf)
    given = experiment([run(epochs=(epoch(), odd), certified=certified(ray_from=math.inf))])
    (tmp_path / "results.json").write_bytes(results_json(given))
    json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)  # strict JSON
    (found,) = read_results_json(tmp_path).runs
    assert math.isnan(found.last.train_loss) and found.last.test_loss == math.inf == -found.last.distance
    assert found.certified is not None and found.certified.ray_from == math.inf
    assert b"\xe2\x88\x9e of the path" in page(given)
    assert "nan" in csv_bytes(given.runs).decode()


def test_folders_without_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing; `verifier experiment NAME` makes it"):
        read_results_json(tmp_path)
    file = tmp_path / "results.json"
    for text in ("", "nonsense", "[]", '{"name": 1}', "[" * 100_000, '{"name": "\\ud800"}'):
        file.write_text(text)
        with pytest.raises(InputError, match="is not the results of an experiment") as error:
            read_results_json(tmp_path)
        assert "\n" not in str(error.value)
    file.write_bytes(b'{"name": "\xff"}')
    with pytest.raises(InputError, match="is not the results"):
        read_results_json(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match="cannot read"):
        read_results_json(tmp_path)
    with pytest.raises(CertificateError, match="cannot write"):
        write_results(tmp_path, experiment([run()]))
    with pytest.raises(InputError, match="two of digits"):
        write_results(tmp_path / "x", experiment([run(), run(test_errors=3)]))
    assert (tmp_path / "x" / "results.json").exists()  # first of all: nothing is lost


def test_csv_has_a_row_per_run_and_floats_read_back_exactly() -> None:
    runs = everything()
    odd = msgspec.structs.replace(epoch(1, 3, 4, 0.1 + 0.2), train_loss=1e-310)
    runs[0] = msgspec.structs.replace(runs[0], epochs=(epoch(), odd), note='a "b",\nc')
    rows = list(csv.DictReader(io.StringIO(csv_bytes(runs).decode())))
    assert len(rows) == len(runs)
    (row,) = [row for row in rows if row["note"].startswith("a")]
    assert row["note"] == 'a "b",\nc' and row["skip"] == "true" and row["method"] == "sgd"
    assert float(row["final_distance"]) == 0.1 + 0.2 and float(row["final_train_loss"]) == 1e-310
    assert (row["final_epoch"], row["final_train_errors"], row["test_error"]) == ("1", "3", "0.04")
    proved = [row[f"certified_{key}"] for key in ("rank", "generic", "threshold", "zero_loss", "path")]
    assert proved == ["PROVED", "PROVED", "UNDECIDED", "PROVED", "PROVED"] and row["start_generic"] == ""
    assert float(row["certified_loss_low"]) == 0.019876 and row["certified_check"] == "ACCEPTED"
    assert row["start_rank"] == row["start_loss_low"] == "" and row["path_points"] == str(len(PATH))
    scalars = {f.name for f in msgspec.structs.fields(Run)} - {"epochs", "certified", "certified_start", "path"}
    assert scalars <= row.keys() and all(None not in row.values() for row in rows)
    assert {row["seed"] for row in rows} == {"0", "1", "2"}


def test_the_table_has_the_means_and_half_widths() -> None:
    (table,) = data_tables([*family("skip", (9, 10, 11)), *family("plain", (88,)), *family("rand", (15, 17))])
    (row,) = table.rows
    plain, skip, rand = row.cells
    assert (plain.test, plain.train, plain.seeds) == ("88.00", "0.00", 1)
    assert skip.test == "10.00 ±\N{NO-BREAK SPACE}2.48"  # 4.303 / sqrt(3)
    assert rand.test == "16.00 ±\N{NO-BREAK SPACE}12.71"  # 12.706 sqrt(2) / sqrt(2)
    assert row.seeds == "1 / 3 / 2" and data_tables(family("skip", (1, 2)))[0].rows[0].seeds == "2"
    two = data_tables([run(), run(data="mnist"), run(samples=500)])
    assert [(t.data, t.samples) for t in two] == [("digits", 500), ("digits", 1000), ("mnist", 1000)]


def test_the_terminal_summary_fits_80_columns() -> None:
    text = console_text(experiment(everything()))
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    for expected in (
        "plain skip rand interpolation seeds",
        "vgg11, sigmoid 88.33 ± 1.43 10.00 ± 2.48 16.00 ± 2.48 28.00 ± 7.45 3",
        "interpolation: least-norm Psi V = onehot",
        "depth150: reproduced 1 of 1 network",
        "rand-fits: reproduced 2 of 2 networks",
        "skips-train: reproduced 2, inconclusive 1 of 3 networks",
        "sgd-generalises-better: reproduced 1, inconclusive 1 of 2 networks",
        "all networks together: inconclusive; test error with SGD minus with rand, mean over 2 networks, 1 seed",
        "interpolation-overfits: reproduced 1 of 1 network",
        "Proved at the weights of the end, of 23 runs: full rank in 10, full rank at almost every U in 10, zero",
    ):
        assert expected in words
    assert "\x1b" not in text and "not judged" not in text
    few = console_text(experiment([run()]))
    unjudged = "depth150, rand-fits, sgd-generalises-better, interpolation-overfits, skips-do-not-hurt"
    assert f"not judged: {unjudged} (no runs) Of 1 run" in " ".join(few.split()) and few.count("no runs") == 1
    assert "depth150:" not in few and "interpolation:" not in few and "rand seeds" in " ".join(few.split())
    bad = console_text(experiment(family("skip", (9, 9, 9), (500, 500, 500))))
    assert "skips-train: not reproduced 1 (vgg11, sigmoid) of 1 network" in bad
    assert certified_sentence([run()]) == "Of 1 run none was certified."


def spread(condition: str, seeds: int) -> list[Run]:
    """Errors whose means and half-widths are as wide as they get, of networks with long names."""
    tests = tuple(0 if k % 2 else 100 for k in range(seeds))
    return [
        found
        for architecture in ("densenet121", "a" * 40)
        for found in family(condition, tests, architecture=architecture, activation="softplus(20)")
    ]


@pytest.mark.parametrize("seeds", [(2, 3, 4, 5), (10, 11, 12, 13), (1, 1, 1, 1)])
def test_the_widest_numbers_fit_80_columns(seeds: Sequence[int]) -> None:
    runs = [r for c, n in zip(("plain", "skip", "rand", "interpolation"), seeds, strict=True) for r in spread(c, n)]
    text = console_text(experiment(runs))
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    widest = {1: "100.00", 2: "50.00 ± 635.31", 10: "50.00 ± 37.70"}[seeds[0]]
    assert widest in text.replace("\N{NO-BREAK SPACE}", " ")


def test_interpolation_has_a_column_where_it_has_runs() -> None:
    with_it = [*family("skip", (9, 10)), *family("interpolation", (20, 22))]
    first, second = data_tables([*with_it, run(data="mnist")])
    assert first.columns == ("plain", "skip", "rand", "interpolation") and second.columns == first.columns[:3]
    assert [cell.test[:5] for cell in first.rows[0].cells] == ["", "9.50 ", "", "21.00"]
    text = Page(page(experiment(with_it))).text
    assert "least-norm solution of the linear system Ψ V = onehot, the V of the proof" in text
    assert "Interpolation" not in Page(page(experiment([run()]))).text
    assert "L-BFGS from V = 0" in Page(page(experiment([run()]))).text
    assert "22 of 100 test samples misclassified; M" in text
    assert "0 of 1000 training and 9 of 100 test samples misclassified after 10 epochs; M" in text
    assert "after 10 passes over Ψ; M" in Page(page(experiment(family("rand", (9,))))).text


def test_the_page_pools_networks_and_says_what_that_is() -> None:
    runs = []
    for architecture in ("vgg11", "cnn13"):
        runs += family("skip", (9, 12, 10), architecture=architecture)
        runs += family("rand", (15, 16, 15), architecture=architecture)
    text = Page(page(experiment(runs))).text
    assert "all networks together: 1 reproduced" in text and "of 2 networks all together: reproduced" in text
    assert "mean over 2 networks, 3 seeds: −5.00 points" in text and "outside Holm's family" in text
    assert "not part of the family that Holm's correction is over" in text
    more = [*runs, *(msgspec.structs.replace(r, data="mnist") for r in runs)]
    text = Page(page(experiment(more))).text
    assert "all networks together; digits, N = 1000" in text and "all networks together; mnist, N = 1000" in text
    shown = " ".join(console_text(experiment(more)).split())
    assert (
        "all networks together; mnist, N = 1000: reproduced; test error with SGD minus with rand, mean over 2" in shown
    )
    assert "of 4 networks" in shown and max(map(len, console_text(experiment(more)).splitlines())) <= 80


def test_old_records_say_nothing_about_almost_every_u() -> None:
    old = {key: finding for key, finding in certified().findings.items() if key != "generic"}
    given = experiment([run(certified=certified(findings=old))])
    text = Page(page(given)).text
    assert "proved: rank 1/1, W0 0/1" in text and "Full rank at almost every U" not in text
    assert "full rank at almost every U in 0" in text


def test_the_page_says_what_was_found_and_what_was_proved(written: Path) -> None:
    found = Page((written / "results.html").read_bytes())
    assert found.open == []
    for words in (
        "23 runs of 3 networks. Of 7 claims 7 could be judged",
        "Full rank at almost every U PROVED W0 analytic, and of full rank at an explicit U",
        "proved: rank 3/3, W0 3/3, L2.1 0/3, Z1 3/3, path 3/3",
        "vgg11, sigmoid, Ψ V = onehot",
        "Training errors not decided",
        "Note least-norm",
        "below that of the least-norm solution of Ψ V = onehot (the V of the proof), U as drawn",
        "1000 training and 100 test samples",
        "10.00 ± 2.48",
        "reproduced 2 inconclusive 1 of 3 networks",
        "PROVED R1 σN ≥ 1.2·10−3, ‖I - Ψ X‖2 ≤ 0.01",
        "UNDECIDED L2.1 Φ = 0.02 is not below log(2)/n",
        "proved: exactly 0",
        "proved to lie in [0.01987, 0.02013]",
        "loss below 1e-6 from time 31.50 of the path",
        "certificates/run.json: accepted by the independent checker",
        "certified at 5 points, from loss 2.311 to at most 2.311·10−7, distance 90",
        "nothing in this figure is proved",
        "Certified: the loss of the exact network lies in the band",
        'data = "digits"',
        "torch 2.13.0",
        "This page runs no script and loads nothing",
    ):
        assert words.replace(" ", "") in found.text.replace(" ", "").replace("\xa0", ""), words
    assert len(found.all("svg")) == 6  # three figures in two looks
    unsure = certified(low=2, high=5, loss_low=None, loss_high=None, certificate="", check="", ray_from=None)
    text = Page(page(experiment([run(certified=unsure, certified_start=certified(), note="stopped early")]))).text
    for words in (
        "Training errors proved: between 2 and 5",
        "not enclosed",
        "Certificate none",
        "At the weights as drawn",
        "stopped early",
    ):
        assert words.replace(" ", "") in text.replace(" ", "")


def test_bounds_are_rounded_outwards() -> None:
    low, high = 0.1 + 1e-9, 0.3 - 1e-9
    tight = certified(loss_low=low, loss_high=high, sigma_lower=12345.6, gamma_lower=0.0)
    text = Page(page(experiment([run(certified=tight)]))).text
    assert "proved to lie in [0.1000, 0.3000]" in text and "σN ≥ 1.234·104, γ ≥ 0;" in text
    negative = certified(loss_low=-0.00012345, loss_high=0.5)
    assert "[−1.235·10−4, 0.5000]" in Page(page(experiment([run(certified=negative)]))).text


def test_the_page_needs_nothing_else(written: Path) -> None:
    content = (written / "results.html").read_bytes()
    found = Page(content)
    for tag in ("script", "link", "img", "iframe", "image", "object", "foreignobject"):
        assert not found.all(tag)
    assert len(found.all("style")) == 1
    links = [a["href"] for tag, a in found.elements if "href" in a]
    assert links and all(re.fullmatch(r"#[A-Za-z0-9_.-]+", link) for link in links)
    assert {link[1:] for link in links} <= set(found.ids) and len(found.ids) == len(set(found.ids))
    assert not [a for _, a in found.elements if set(a) & {"src", "style", "action", "srcset", "background"}]
    assert not [a for _, a in found.elements if any(name.startswith("on") for name in a)]
    (policy,) = [a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    style = re.search(r"<style>(.*?)</style>", content.decode(), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "http://" not in content.decode() and "https://" not in content.decode()


def test_the_page_is_accessible_in_its_source(written: Path) -> None:
    content = (written / "results.html").read_bytes()
    found = Page(content)
    levels = [int(tag[1]) for tag, _ in found.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1 and all(b <= a + 1 for a, b in itertools.pairwise(levels))
    for svg in found.all("svg"):
        assert svg["role"] == "img" and svg["aria-labelledby"] in found.ids
    badges = re.findall(r'<span class="[vo] ?\w?">([^<]*)</span>', content.decode())
    assert {"PROVED", "UNDECIDED", "reproduced", "inconclusive"} <= set(badges) and all(badges)


def skeleton(content: bytes) -> Iterator[tuple[str, tuple[str, ...]]]:
    return ((tag, tuple(sorted(a))) for tag, a in Page(content).elements if tag not in ("sub", "sup"))


def poisoned(text: str) -> Experiment:
    finding = msgspec.structs.replace(certified().findings["rank"], reason=text, label=text)
    proof = certified(findings={"rank": finding}, engine=text, certificate=text, check=text)
    runs = [
        run(
            data=text,
            architecture=text,
            activation=text,
            experiment=text,
            note=text or "x",
            certified=proof,
            skip=skip,
            seed=seed,
        )
        for skip in (True, False)
        for seed in (0, 1)
    ]
    return experiment(runs, name=text, configuration=text, machine=text, versions={"a": text})


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_changes_no_element(text: str) -> None:
    given = poisoned(text)
    content = page(given)
    assert list(skeleton(content)) == list(skeleton(page(poisoned("harmless"))))
    hidden = [c for c in content.decode() if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in "\n\t"]
    assert not hidden
    rows = list(csv.DictReader(io.StringIO(csv_bytes(given.runs).decode(), newline="")))
    assert len(rows) == 4 and {row["architecture"] for row in rows} == {text}
    shown = console_text(given)
    assert "[bold]$" in shown if text.startswith("[bold]") else True


@pytest.mark.thorough
def test_hostile_names_become_harmless_file_names(tmp_path: Path) -> None:
    odd = {"architecture": "../../etc/passwd", "activation": "<b>$x", "data": "a/b"}
    runs = [run(epochs=curve(True, 0), path=PATH, **odd)]
    write_results(tmp_path / "out", experiment(runs))
    names = {path.name for path in (tmp_path / "out" / "figures").iterdir()}
    assert "errors-a-b.svg" in names and "trajectory-..-..-etc-passwd-b-x-skip-seed0.png" in names
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert results._file_name({"a", "a-2"}, "a") == "a-3"


def test_figures_of_an_earlier_write_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    write_results(tmp_path, experiment([run(data="mnist")]))
    stale = {path.name for path in folder.iterdir() if "mnist" in path.name}
    assert len(stale) == 4
    (folder / "surface-fc2-dark.png").write_bytes(b"")
    mine = ("notes.txt", "mine.svg", "errors-mnist.pdf", "errors of mine.png", "errors-mnist.svg.bak")
    for name in mine:
        (folder / name).write_bytes(b"mine")
    (folder / "errors-folder.svg").mkdir()
    (tmp_path / "errors-mnist.svg").write_bytes(b"mine")  # not in the folder of figures
    write_results(tmp_path, experiment([run()]))
    kept = {f"errors-digits{look}.{kind}" for look in ("", "-dark") for kind in ("svg", "png")}
    assert {path.name for path in folder.iterdir()} == {*kept, *mine, "errors-folder.svg"}
    assert (tmp_path / "errors-mnist.svg").exists()
    write_results(tmp_path, experiment([]))
    assert {path.name for path in folder.iterdir()} == {*mine, "errors-folder.svg"}


def test_a_figure_that_cannot_be_removed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "errors-old.svg").write_bytes(b"")

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(CertificateError, match=r"cannot remove .*errors-old.svg, of an earlier.*: Permission denied"):
        write_results(tmp_path, experiment([]))


def test_an_experiment_without_runs_has_a_page() -> None:
    found = Page(page(experiment([])))
    assert found.open == [] and "No finished runs." in found.text and "none could be judged" in found.text
    assert console_text(experiment([])).count("no runs") == 1


def test_reading_results_loads_no_matplotlib() -> None:
    code = "import sys, verifier.experiments.results; assert not {'matplotlib', 'jinja2', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
