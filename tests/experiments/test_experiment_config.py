"""What an experiment is to do: every key, every mistake, and which runs follow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from verifier.errors import CaseError, InputError
from verifier.experiments.config import PRESETS, Configuration, changed, preset, read_configuration, validate
from verifier.experiments.plan import COMPARED, EXPERIMENTS, TABLES, jobs_of, surface_jobs
from verifier.experiments.runner import configuration_toml, tasks_of

EVERYTHING = """
seeds = [4, 7]

[data]
name = "mnist"
root = "there"
train = 500
test = 200

[networks]
architectures = ["vgg13", "fc2"]
activations = ["softplus(20)", "tanh", "gelu", "softplus(2.5)"]
variants = ["skip"]
skip_units = 300
width = 0.25
gain = { tanh = 2.0 }

[training]
epochs = 3
epochs_of = { vgg13 = 2 }
batch = 7
measured = 2
momentum = 0.0
rate = { "softplus(20)" = 0.5 }
default_rate = 0.25
checkpoint_seconds = 0.0
device = "cpu"

[rand]
passes = 9

[certify]
enabled = false
target = "1e-400"
max_bits = 256
rank_seconds = 5.0
certificates = 0
starts = 0
entries = 0
evaluations = 0

[budget]
hours = 1.5

[[parts]]
experiment = "tables"
data = { train = 100 }
"""


def read(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "c.toml"
    file.write_text(text, "utf-8")
    return read_configuration(file)


def test_every_key_is_read(tmp_path: Path) -> None:
    found, default = read(tmp_path, EVERYTHING), Configuration()
    for section in Configuration.__struct_fields__:
        given, usual = getattr(found, section), getattr(default, section)
        for field in getattr(given, "__struct_fields__", ()):
            assert getattr(given, field) != getattr(usual, field), f"{section}.{field} is not in the example"
    assert found.networks.gain == {"tanh": 2.0} and found.training.rate == {"softplus(20)": 0.5}
    assert found.certify.target == "1e-400" and found.seeds == [4, 7]
    assert read(tmp_path, configuration_toml(found)) == found


def test_defaults(tmp_path: Path) -> None:
    assert read_configuration(None) == Configuration() == read(tmp_path, "")
    validate(Configuration(), "defaults")
    assert read(tmp_path, configuration_toml(Configuration())) == Configuration()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sedes = [0]", "seeds"),
        ("[training]\nepoch = 3", "epochs"),
        ("[data]\nname = 3", "data.name"),
        ('[data]\nname = "mnits"', "mnist"),
        ("[data]\ntrain = 1", "data.train = 1 must be at least 2"),
        ("[data]\ntest = 0", "data.test = 0 must be at least 1"),
        ('[networks]\narchitectures = ["vgg12"]', "vgg1"),
        ('[networks]\nactivations = ["relu"]', "relu"),
        ('[networks]\nactivations = ["softplus(-1)"]', "gamma = -1 must be positive"),
        ("[networks]\nactivations = []", "must not be empty"),
        ("[networks]\nvariants = []", "must not be empty"),
        ('[networks]\nvariants = ["half"]', "half"),
        ("[networks]\nskip_units = 0", "networks.skip_units = 0 must be at least 1"),
        ("[networks]\nwidth = 0.0", "networks.width = 0.0"),
        ("[networks]\nwidth = 17.0", "at most 16"),
        ("[networks]\nwidth = nan", "networks.width = nan"),
        ("[networks.gain]\nsigmoid = inf", "networks.gain.sigmoid = inf"),
        ("[networks.gain]\nsigmod = 1.0", "sigmod"),
        ("[training]\nepochs = 0", "training.epochs = 0"),
        ("[training.epochs_of]\nfc2 = 0", "training.epochs_of.fc2 = 0"),
        ("[training.epochs_of]\nfc3 = 1", "fc3"),
        ("[training]\nbatch = 0", "training.batch = 0"),
        ("[training]\nmomentum = 1.0", "training.momentum = 1.0"),
        ("[training]\nmomentum = nan", "training.momentum = nan"),
        ("[training.rate]\nsigmoid = 0.0", "training.rate.sigmoid = 0.0"),
        ("[training]\ndefault_rate = -1.0", "training.default_rate = -1.0"),
        ("[training]\ncheckpoint_seconds = -1.0", "training.checkpoint_seconds = -1.0"),
        ("[training]\ncheckpoint_seconds = nan", "training.checkpoint_seconds = nan"),
        ('[training]\ndevice = "gpu"', "training.device = 'gpu'"),
        ("[rand]\npasses = 0", "rand.passes = 0"),
        ("[certify]\nmax_bits = 52", "certify.max_bits = 52 must be at least 53"),
        ("[certify]\nrank_seconds = 0.0", "certify.rank_seconds = 0.0 must be above 0"),
        ("[certify]\ncertificates = -1", "certify.certificates = -1"),
        ("[certify]\nstarts = -1", "certify.starts = -1"),
        ("[certify]\nentries = -1", "certify.entries = -1"),
        ('[certify]\ntarget = "small"', "certify.target"),
        ('[certify]\ntarget = "1_0"', "certify.target"),
        ('[certify]\ntarget = "0"', "certify.target"),
        ("[training]\nmeasured = 0", "training.measured = 0"),
        ("[budget]\nhours = 0.0", "budget.hours = 0.0"),
        ("[[parts]]\ndata = { train = 9 }", "parts[0]: experiment = None"),
        ('[[parts]]\nexperiment = "mnist"', "parts[0]: experiment = 'mnist'"),
        ('[[parts]]\nexperiment = "tables"\ndata = { trian = 9 }', "parts[0]"),
        ('[[parts]]\nexperiment = "tables"\ndata = { train = 1 }', "parts[0]: data.train = 1"),
        ('[[parts]]\nexperiment = "tables"\nbudget = { hours = 1.0 }', "give them once"),
        ("seeds = []", "seeds = []"),
        ("seeds = [1, 1]", "different integers"),
        ("seeds = [-1]", "different integers"),
        ("seeds = [2147483648]", "below 2^31"),
        ("seeds = [true]", "seeds"),
        ("= 3", "not valid TOML"),
    ],
)
def test_each_mistake_has_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(CaseError) as caught:
        read(tmp_path, text)
    message = str(caught.value)
    assert words in message and "c.toml" in message and len(message.splitlines()) == 1


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="--defaults` prints one"):
        read_configuration(tmp_path / "none.toml")
    with pytest.raises(CaseError, match=r"cannot read|not a regular file"):
        read_configuration(tmp_path)


def test_the_command_line_changes_it(tmp_path: Path) -> None:
    found = changed(Configuration(), data="mnist", root=tmp_path, seeds=4, hours=2.0)
    assert (found.data.name, found.data.root, found.seeds) == ("mnist", str(tmp_path), [0, 1, 2, 3])
    assert found.budget.hours == 2.0
    assert changed(found) == found
    with pytest.raises(CaseError, match="cifar10"):
        changed(Configuration(), data="cifar")


def test_runs_of_the_tables() -> None:
    jobs = jobs_of("tables", Configuration())
    assert len(jobs) == len(TABLES) * 2 * 3 * 3  # activations, seeds, and skip, plain, rand
    assert Counter((job.method, job.skip) for job in jobs) == {
        ("sgd", True): 36, ("sgd", False): 36, ("rand", True): 36,
    }  # fmt: skip
    assert len({job.name for job in jobs}) == len(jobs)


def test_runs_of_the_others() -> None:
    deep = jobs_of("depth150", Configuration())
    assert {job.architecture for job in deep} == {"fc150"} and len(deep) == 2 * 3 * 2
    surface = jobs_of("surface", Configuration())
    assert [(job.skip, job.data.train, job.seed) for job in surface] == [(True, 100, 0), (False, 100, 0)]
    compared = jobs_of("rand-vs-sgd", Configuration(seeds=[3]))
    assert {job.seed for job in compared} == {3, 4, 5, 6, 7} and all(job.skip for job in compared)
    assert Counter(job.method for job in compared) == dict.fromkeys(
        ("sgd", "rand", "interpolation"), len(COMPARED) * 2 * 5
    )


def test_all_of_them_share_runs() -> None:
    configuration = Configuration()
    whole = [job.name for job in jobs_of("all", configuration)]
    parts = {job.name for name in EXPERIMENTS for job in jobs_of(name, configuration)}
    assert len(whole) == len(set(whole)) < sum(len(jobs_of(n, configuration)) for n in EXPERIMENTS)
    assert {job.seed for job in jobs_of("all", configuration)} == {0, 1, 2}
    assert parts - set(whole) == {name for name in parts if name.endswith(("seed3", "seed4"))}  # rand-vs-sgd alone
    with pytest.raises(InputError, match="depth150"):
        jobs_of("depth15", configuration)


def test_parts_are_one_experiment(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        [networks]
        architectures = ["fc2"]
        activations = ["tanh"]
        [training]
        batch = 5
        [[parts]]
        experiment = "tables"
        data = { train = 20 }
        [[parts]]
        experiment = "depth150"
        data = { train = 30 }
        training = { epochs = 7 }
        seeds = [4]
        """,
    )
    jobs = jobs_of("parts", found)
    assert Counter((job.architecture, job.data.train, job.training.batch, job.training.epochs) for job in jobs) == {
        ("fc2", 20, 5, 60): 9, ("fc150", 30, 5, 7): 2,
    }  # fmt: skip
    assert {job.seed for job in jobs if job.architecture == "fc150"} == {4}
    assert surface_jobs("parts", found) == []
    with pytest.raises(CaseError, match=r"it has \[\[parts\]\], which `verifier experiment parts"):
        jobs_of("tables", found)
    with pytest.raises(CaseError, match=r"parts needs \[\[parts\]\]"):
        jobs_of("parts", Configuration())


def test_equal_runs_of_two_parts_are_one_and_different_ones_are_refused() -> None:
    twice = Configuration(parts=[{"experiment": "tables"}, {"experiment": "rand-vs-sgd"}])
    names = [job.name for job in jobs_of("parts", twice)]
    single = {job.name for part in ("tables", "rand-vs-sgd") for job in jobs_of(part, Configuration())}
    assert len(names) == len(set(names)) and set(names) == single
    differs = Configuration(parts=[{"experiment": "tables"}, {"experiment": "tables", "training": {"batch": 3}}])
    with pytest.raises(InputError, match="two parts have a run digits-cnn13"):
        jobs_of("parts", differs)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete(name: str) -> None:
    found = read_configuration(preset(name))
    jobs = jobs_of(name, found)
    assert {job.data.name for job in jobs} == {name} and len({job.seed for job in jobs}) >= 3
    assert {job.data.train for job in jobs} == ({None, 100} if name == "digits" else {2000, 10000, 55000})
    assert bool(surface_jobs(name, found)) is (name == "digits")


def test_given_architectures_and_variants() -> None:
    configuration = Configuration()
    configuration.networks.architectures = ["fc2"]
    configuration.networks.variants = ["plain"]
    configuration.networks.activations = ["tanh"]
    assert [job.name for job in jobs_of("tables", configuration)] == [
        f"digits-fc2-tanh-plain-sgd-seed{seed}" for seed in range(3)
    ]
    assert jobs_of("rand-vs-sgd", configuration) == []


def test_rates_and_epochs() -> None:
    def job(**change: Any) -> Any:
        return msgspec.structs.replace(jobs_of("depth150", Configuration())[0], **change)

    assert (job().epochs, job(architecture="vgg11").epochs) == (80, 60)
    assert (job(activation="sigmoid").rate, job(activation="tanh").rate) == (0.2, 0.05)


def test_more_is_proved_for_the_first_seeds(tmp_path: Path) -> None:
    configuration = Configuration(seeds=[5, 6, 7])
    configuration.certify.certificates, configuration.certify.starts = 2, 1
    tasks = tasks_of("rand-vs-sgd", configuration, tmp_path)
    assert {task.job.seed for task in tasks if task.certificate} == {5, 6}
    assert {(task.job.seed, task.job.method) for task in tasks if task.start} == {(5, "sgd")}
    assert not any(task.certificate for task in tasks if task.job.method == "interpolation")
    configuration.certify.enabled = False
    assert not any(task.certificate or task.start for task in tasks_of("tables", configuration, tmp_path))
