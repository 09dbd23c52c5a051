"""Specimens: what does not fit is refused, case files keep every bit, verdicts are those of the pipeline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import verifier
from verifier import Verdict, read_case, run_case
from verifier.errors import InputError
from verifier.fuzz import Specimen
from verifier.run.case import MAX_TITLE

QUICK = Path(verifier.__file__).parent / "run" / "cases" / "quick"
DENSE = {"kind": "dense", "width": 3, "activation": "tanh", "skip": True}
CONV = {"kind": "conv1d", "filters": 2, "kernel": 2, "bias": "tied", "activation": "sin", "skip": True}
POOL = {"kind": "avgpool", "kernel": [2], "stride": [1], "skip": [0, 1]}
BASE = Specimen(
    inputs=np.array([[0.0, 1.0, 2.0], [1.0, 0.5, -1.0], [1.0, 0.5, -1.0]]),
    labels=np.array([0, 1, 1]),
    layers=(DENSE,),
    u=np.linspace(-1.0, 2.0, 12),
    v=np.array([[0.5, 0.0], [1.0, -1.0], [0.0, 0.25]]),
)
EXTREME = replace(
    BASE,
    inputs=np.array([[1e308, 5e-324, -0.0], [np.nextafter(1.0, 2.0), -(2.0**-1074), 0.1], [0.0, 0.0, 0.0]]),
    u=np.array([-0.0, 2.0**-1074, 1e300, 0.1, *np.zeros(8)]),
    v=np.array([[-0.0, 1e-320], [1.7e308, 1 / 3], [0.0, 0.0]]),
)
CONVOLUTION = replace(
    BASE, layers=(CONV, POOL), shape=(1, 3), u=np.linspace(0.1, 1.0, 6), v=np.arange(12.0).reshape(6, 2)
)
EVERYTHING = replace(
    BASE,
    duplicates="keep",
    losses=("squared", "weston-watkins"),
    class_weights=(0.1, 3.0),
    escapes=("E3", "E1"),
    max_bits=128,
)
ALL = {"plain": BASE, "extreme": EXTREME, "convolution": CONVOLUTION, "everything": EVERYTHING}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": np.zeros(11)}, r"u has shape \(11,\); it needs \(12,\)"),
        ({"v": np.zeros((3, 3))}, r"v has shape \(3, 3\); it needs \(3, 2\)"),
        ({"u": np.array([np.nan, *np.zeros(11)])}, "finite"),
        ({"v": np.full((3, 2), np.inf)}, "finite"),
        ({"inputs": np.full((3, 3), np.nan)}, "inputs"),
        ({"labels": np.array([0, 1])}, "labels"),
        ({"labels": np.array([0, -1, 1])}, "labels"),
        ({"labels": np.zeros(3)}, "classes = 1"),
        ({"layers": ({**DENSE, "activation": "tanhh"},)}, "tanh"),
        ({"layers": ()}, "no layers"),
        ({"shape": (1, 2)}, r"\(1, 2\)"),
        ({"max_bits": 3}, "rank.max_bits = 3"),
        ({"escapes": ("E9",)}, "E9"),
        ({"duplicates": "drop"}, "drop"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(BASE, **changes)


def test_arrays_are_private_and_frozen() -> None:
    u = np.zeros(12)
    specimen = replace(BASE, u=u)
    u[0] = 1.0
    assert specimen.u[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        specimen.u[0] = 1.0


@pytest.mark.parametrize("name", ALL)
def test_a_case_file_keeps_every_bit(name: str, tmp_path: Path) -> None:
    specimen = ALL[name]
    where = specimen.write(tmp_path / "deep" / "folder", name="found", title="t", expect={"rank": "PROVED"})
    assert where == tmp_path / "deep" / "folder" / "found.toml"
    assert sorted(path.name for path in where.parent.iterdir()) == ["data.npz", "found.toml", "weights.safetensors"]
    again = Specimen.of_case(where)
    for key in ("u", "v", "labels"):
        assert getattr(again, key).tobytes() == getattr(specimen, key).tobytes()
    assert again.inputs.tobytes() == (specimen.inputs + 0.0).tobytes()  # data sets have no -0.0
    for key in ("layers", "shape", "duplicates", "losses", "class_weights", "escapes", "max_bits"):
        assert getattr(again, key) == getattr(specimen, key)
    assert again.data.multiplicities.tolist() == specimen.data.multiplicities.tolist()
    assert again.network.summary() == specimen.network.summary()
    assert read_case(where).expected == {"rank": Verdict.PROVED}
    if name != "extreme":
        assert again.digest == specimen.digest


@pytest.mark.parametrize("title", ["𝜎 falls, é", 'a "quoted" \\ one', "x" * MAX_TITLE])
def test_titles_survive(title: str, tmp_path: Path) -> None:
    assert read_case(BASE.write(tmp_path, title=title)).file.title == title


def test_duplicates_are_grouped_or_kept() -> None:
    assert BASE.data.samples == 2
    assert BASE.data.multiplicities.tolist() == [1, 2]
    assert EVERYTHING.data.samples == 3
    assert BASE.full.samples == 3
    assert np.array_equal(BASE.problem.rows.inputs, BASE.data.inputs)


def test_the_digest_tells_specimens_apart() -> None:
    others = [
        replace(BASE, inputs=BASE.inputs + 1.0),
        replace(BASE, labels=np.array([1, 0, 0])),
        replace(BASE, layers=({**DENSE, "activation": "sin"},)),
        replace(BASE, u=-BASE.u),
        replace(BASE, v=-BASE.v),
        replace(BASE, shape=(1, 3)),
        replace(BASE, duplicates="keep"),
        replace(BASE, losses=("squared",)),
        replace(BASE, class_weights=(1.0, 2.0)),
        replace(BASE, escapes=("E1",)),
        replace(BASE, max_bits=256),
    ]
    digests = {specimen.digest for specimen in (BASE, *others)}
    assert len(digests) == 12
    assert replace(BASE).digest == BASE.digest
    assert all(len(digest) == 8 and int(digest, 16) >= 0 for digest in digests)


def test_the_repr_reads_like_a_counterexample() -> None:
    small = replace(BASE, inputs=np.array([[1.0], [0.5]]), labels=[0, 1], u=np.zeros(6), layers=(DENSE,))
    assert repr(small) == (
        "2 samples (group): 1.0 -> 0; 0.5 -> 1\n"
        'layers: { kind = "dense", width = 3, activation = "tanh", skip = true }\n'
        "weights: layer0.weight = [[0.0], [0.0], [0.0]], layer0.bias = [0.0, 0.0, 0.0], "
        "V = [[0.5, 0.0], [1.0, -1.0], [0.0, 0.25]]"
    )
    assert "stride = [1], skip = [0, 1]" in repr(CONVOLUTION)


def test_verdicts() -> None:
    assert {key: BASE.verdict(key) for key in ("analytic", "rank", "zero_loss", "path", "generic")} == {
        key: Verdict.PROVED for key in ("analytic", "rank", "zero_loss", "path", "generic")
    }
    assert BASE.verdict("rank", engine="binary64") is Verdict.PROVED
    assert replace(BASE, duplicates="keep").verdict("rank") is Verdict.REFUTED
    with pytest.raises(InputError, match="no such step or statement"):
        BASE.verdict("nothing of the kind")
    found = BASE.rank()
    assert (found.verdict, found.samples, found.columns) == (Verdict.PROVED, 2, 3)
    assert BASE.enclosure(100).precision == 100


def test_parts_that_were_not_asked_for_are_not_proved() -> None:
    report = BASE.prove("rank", certificate=False)
    builder = report.builder
    assert report.verdict("rank") is Verdict.PROVED
    assert report.verdict("path") is None
    assert not builder.empty


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("iris-tanh", marks=pytest.mark.thorough),  # 149 samples
        *("conflicting-labels", "tied-bias", "xor", "iris-duplicate-kept"),
    ],
)
def test_a_packaged_case(name: str) -> None:
    case = read_case(QUICK / f"{name}.toml")
    specimen = Specimen.of_case(case)
    mine = specimen.prove("rank", "path", engine="binary64")
    theirs = run_case(case, parts=frozenset({"rank", "path"}))[0]
    assert [(s.key, s.label, s.verdict) for s in mine.steps] == [(s.key, s.label, s.verdict) for s in theirs.steps]
    assert [s.reason for s in mine.steps if s.key == "rank"] == [s.reason for s in theirs.steps if s.key == "rank"]
    assert specimen.network.summary() == theirs.network.summary()


def test_a_case_with_another_seed() -> None:
    where = QUICK / "xor.toml"
    assert Specimen.of_case(where, seed=1).u.tobytes() != Specimen.of_case(where, seed=2).u.tobytes()


def test_a_case_whose_last_class_does_not_occur() -> None:
    with pytest.raises(InputError, match=r"no sample is of class 2 of 0..2; .* use more samples"):
        Specimen.of_case(QUICK / "wine-conv1d.toml")


def test_a_missing_case() -> None:
    with pytest.raises(InputError, match="no case file"):
        Specimen.of_case("nowhere.toml")
