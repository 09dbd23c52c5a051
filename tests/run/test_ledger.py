"""The ledger: what is taken from it and what is not, shards, --fresh, one run at a time, files that are no ledger."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from everyday import one_in
from running import SILENT, certificates, family, ledger_rows, results, timeless, verifier

from verifier.errors import InputError
from verifier.run import ledger as module
from verifier.run.case import Case
from verifier.run.family import read_cases
from verifier.run.ledger import open_ledger
from verifier.run.record import SuiteResult
from verifier.run.runner import case_key, parse_shard, run_cases


@pytest.fixture
def cases(tmp_path: Path) -> list[Case]:
    return read_cases(family(tmp_path))


def stop_after(
    count: int, cases: Sequence[Case], out: Path, monkeypatch: pytest.MonkeyPatch, **options: object
) -> None:
    """Run, and stop when ``count`` cases have been proved."""
    from verifier.run import scheduler as work

    done = []

    def stopping(*arguments: object, **more: object) -> object:
        if len(done) == count:
            raise KeyboardInterrupt
        done.append(1)
        return work_prove(*arguments, **more)

    work_prove = work.proved
    with monkeypatch.context() as patch:
        patch.setattr(work, "proved", stopping)
        with pytest.raises(KeyboardInterrupt):
            run_cases(cases, out, SILENT, **options)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was stopped when three of its cases were done."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as monkeypatch:
        stop_after(3, read_cases(family(folder)), folder / "out", monkeypatch)
    return folder / "out"


@pytest.fixture
def begun(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it, to go on with."""
    return shutil.copytree(stopped, tmp_path / "out")


def executions(out: Path) -> dict[str, int]:
    return {name: count for name, (count, done) in ledger_rows(out / "ledger.sqlite").items() if done}


def test_what_is_done_is_not_done_again_and_the_result_is_the_same(cases: list[Case], begun: Path, calm: Path) -> None:
    assert not (begun / "results.json").exists()
    found = run_cases(cases, begun, SILENT)
    assert found.from_ledger == 3
    assert set(executions(begun).values()) == {1, 2} and sorted(executions(begun).values()) == [1, 1, 1, 1, 1, 2]
    assert timeless(results(begun)) == timeless(results(calm))
    assert certificates(begun) == certificates(calm)


@pytest.mark.thorough
def test_a_finished_run_starts_over_and_fresh_discards(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, two = tmp_path / "out", cases[:2]
    run_cases(two, out, SILENT)
    assert run_cases(two, out, SILENT).from_ledger == 0
    stop_after(1, two, out, monkeypatch)
    assert run_cases(two, out, SILENT, fresh=True).from_ledger == 0


@pytest.mark.thorough
def test_another_run_between_takes_its_own_case_only(cases: list[Case], begun: Path) -> None:
    assert run_cases(cases, begun, SILENT, only=cases[0].name).from_ledger == 1  # the unfinished run's, now finished
    assert run_cases(cases, begun, SILENT, only=cases[0].name).from_ledger == 0
    assert run_cases(cases[:4], begun, SILENT).from_ledger == 2
    assert run_cases(cases[:4], begun, SILENT).from_ledger == 0


RARE = pytest.mark.thorough


@pytest.mark.parametrize("harm", ["changed", *(pytest.param(harm, marks=RARE) for harm in ("missing", "arrays"))])
def test_a_case_whose_certificate_is_not_what_it_was_is_done_again(harm: str, cases: list[Case], begun: Path) -> None:
    first = begun / "certificates" / "line-tanh-seed0.json"
    if harm == "missing":
        first.unlink()
    else:
        harmed = first if harm == "changed" else first.with_suffix(".safetensors")
        content = harmed.read_bytes()
        harmed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = run_cases(cases[:3], begun, SILENT)
    assert found.from_ledger == 2
    assert found.exit_code == 0
    assert executions(begun)["line-tanh-seed0"] == 2


def test_another_seed_other_data_or_other_sources_are_other_cases(
    cases: list[Case], begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(0, cases, begun, monkeypatch, seed=7)
    (tmp_path / "line.csv").write_text((tmp_path / "line.csv").read_text().replace("3.5", "3.25"))
    assert run_cases(cases[:2], begun, SILENT).from_ledger == 0
    before = case_key("a", "", {}, None, "cpu")
    monkeypatch.setattr(module, "environment", lambda: "other sources")
    assert case_key("a", "", {}, None, "cpu") != before


def test_every_part_of_a_case_is_in_its_key() -> None:
    keys = {
        case_key("a", "t", {}, None, "cpu"),
        case_key("b", "t", {}, None, "cpu"),
        case_key("a", "u", {}, None, "cpu"),
        case_key("a", "t", {"data.path": b""}, None, "cpu"),
        case_key("a", "t", {"data.path": b"1"}, None, "cpu"),
        case_key("a", "t", {"start.file": b"1"}, None, "cpu"),
        case_key("a", "t", {}, 0, "cpu"),
        case_key("a", "t", {}, None, "gpu"),
    }
    assert len(keys) == 8


def test_the_environment_sees_every_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = set()
    for content in ("x = 1\n", "x = 2\n"):
        (tmp_path / "__init__.py").write_text("")
        (tmp_path / "part.py").write_text(content)
        monkeypatch.setattr(module.verifier, "__file__", str(tmp_path / "__init__.py"))
        found.add(module.environment.__wrapped__())
    assert len(found) == 2


@pytest.mark.thorough
def test_shards_split_the_cases_and_a_whole_run_combines_them(cases: list[Case], calm: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    parts = [run_cases(cases, out, SILENT, shard=(i, 3)) for i in (1, 2, 3)]
    names = [[record.name for record in part.records] for part in parts]
    assert sorted(name for part in names for name in part) == sorted(case.name for case in cases)
    assert names[0] == [cases[0].name, cases[3].name]
    assert [len(results(out, f"results-{i}-of-3.json")["cases"]) for i in (1, 2, 3)] == [2, 2, 2]
    assert not (out / "results.json").exists()
    whole = run_cases(cases, out, SILENT)
    assert whole.from_ledger == 6
    assert executions(out) == dict.fromkeys((case.name for case in cases), 1)
    assert timeless(results(out)) == timeless(results(calm))
    assert run_cases(cases, out, SILENT).from_ledger == 0  # finished: over again, and no shard counts twice
    run_cases(cases, out, SILENT, shard=(2, 3))
    assert run_cases(cases, out, SILENT).from_ledger == 2


def test_an_unfinished_or_running_shard_is_left_alone(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, four = tmp_path / "out", cases[:4]
    stop_after(1, four, out, monkeypatch, shard=(1, 2))
    run_cases(four, out, SILENT, shard=(2, 2))
    part = out / "certificates" / f".{four[2].name}.json.abcdefgh.part"
    part.write_bytes(b"the first shard is writing this")
    with open_ledger(out, (1, 2)):
        assert run_cases(four[1::2], out, SILENT).from_ledger == 2  # of the second shard, which is finished
        assert part.exists()
    assert run_cases(four, out, SILENT, shard=(1, 2)).from_ledger == 1
    assert not part.exists()


def test_two_runs_at_once_are_refused(cases: list[Case], tmp_path: Path) -> None:
    with open_ledger(tmp_path / "out", None):
        found = verifier("run", tmp_path / "line.toml", "--out", tmp_path / "out")
        assert (found.returncode, found.stdout) == (2, "")
        assert "another run is at work" in found.stderr and found.stderr.count("\n") == 1
        assert run_cases(cases[:2], tmp_path / "out", SILENT, shard=(1, 2)).exit_code == 0
    assert run_cases(cases[:2], tmp_path / "out", SILENT).exit_code == 0


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine(x)")
    connection.commit()
    connection.close()


def _newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {module.APPLICATION}")
    connection.execute(f"PRAGMA user_version = {module.FORMAT + 1}")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("not a database, but long enough to look like one" * 100)


@pytest.mark.parametrize("make", one_in(3, [_text, _foreign, _newer]))
@pytest.mark.parametrize("name", ["ledger.sqlite", pytest.param("ledger-1-of-2.sqlite", marks=RARE)])
def test_a_file_that_is_no_ledger_is_one_line_and_nothing_is_deleted(
    make: object, name: str, cases: list[Case], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    make(out / name)  # type: ignore[operator]
    before = (out / name).read_bytes()
    with pytest.raises(InputError, match=r"is not a ledger that can be read: .* discard it by --fresh"):
        run_cases(cases, out, SILENT)
    assert (out / name).read_bytes() == before
    if name == "ledger.sqlite":
        assert run_cases(cases[:1], out, SILENT, fresh=True).exit_code == 0


def test_damaged_pages_and_damaged_records_are_said(cases: list[Case], begun: Path) -> None:
    ledger = begun / "ledger.sqlite"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(InputError, match="is not a ledger that can be read"):
        run_cases(cases, begun, SILENT)
    ledger.write_bytes(whole)
    connection = sqlite3.connect(ledger)
    connection.execute("UPDATE cases SET record = x'81a46e616d6503'")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="is not a ledger that can be read"):
        run_cases(cases, begun, SILENT)


def test_cases_that_were_proved_but_not_checked_are_only_checked(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from verifier.run import scheduler as work

    out, three = tmp_path / "out", cases[:3]
    with monkeypatch.context() as patch:
        patch.setattr(work._Checks, "wait", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_cases(three, out, SILENT)
    connection = sqlite3.connect(out / "ledger.sqlite")
    rows = [msgspec.msgpack.decode(record)["check"] for (record,) in connection.execute("SELECT record FROM cases")]
    connection.close()
    assert rows == [None] * 3
    found = run_cases(three, out, SILENT)
    assert found.from_ledger == 3
    assert {record.check.verdict for record in found.records} == {"ACCEPTED"}
    assert set(executions(out).values()) == {1}


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0", "-1/3", "1/3/3", "1/99999"])
def test_shards_are_read_strictly(text: str) -> None:
    with pytest.raises(InputError, match="such as 2/8"):
        parse_shard(text)


def test_a_shard_without_cases_is_empty(cases: list[Case], tmp_path: Path) -> None:
    found: SuiteResult = run_cases(cases, tmp_path / "out", SILENT, shard=(8, 9))
    assert (found.records, found.exit_code) == ((), 0)


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with open_ledger(tmp_path, None):
        pass
    with (tmp_path / ".ledger.lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
