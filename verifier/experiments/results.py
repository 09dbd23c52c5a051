"""The files of an experiment: results.json, .csv, .md, .html, figures; all are made from the record alone."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from verifier.certificate.files import atomic_write
from verifier.data.files.regular import read_regular
from verifier.errors import CertificateError, InputError, one_line
from verifier.experiments.claims import DEEP
from verifier.experiments.groups import condition_of, group_of, in_order
from verifier.experiments.record import Experiment, Run
from verifier.experiments.table import csv_bytes, data_tables, print_experiment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from verifier.experiments.page import Picture

__all__ = ["print_experiment", "read_results_json", "write_results"]

JSON, CSV, TEXT, PAGE, FIGURES = "results.json", "results.csv", "results.md", "results.html", "figures"
MAX_BYTES: Final = 2**30
"""Most bytes of a results.json that is read."""
MOST_INLINE: Final = 6
"""So many pictures of paths are part of the page; the folder of figures has all."""
_OURS: Final = re.compile(r"((?:errors|progress|trajectory|surface)(?:-[A-Za-z0-9.-]*)?)\.(?:svg|png)")
"""Names of figures that an experiment can have made."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure to be drawn: its file's name, how, its caption; the table that it belongs to, or whose path it shows."""

    name: str
    draw: Callable[[], Figure]
    caption: str
    about: str = ""
    path: str = ""

    @property
    def title(self) -> str:
        """The caption's first words: what the figure is about."""
        return re.split(r"[:.] ", self.caption, maxsplit=1)[0]


def write_results(folder: Path, experiment: Experiment, extra: Sequence[Drawing] = ()) -> None:
    """Write everything about an experiment, each file whole or not at all; figures of an earlier write are removed.

    Parameters
    ----------
    folder
        Made if it is missing. ``results.json`` is written first: all other files can be made again from it.
    experiment
        In any order of runs: the same runs give the same bytes.
    extra
        Further figures, which are not made from the record alone.

    Raises
    ------
    InputError
        Two runs with the same network, condition and seed.
    CertificateError
        The folder cannot be written, or an old figure not removed.
    """
    experiment = msgspec.structs.replace(experiment, runs=in_order(experiment.runs))
    atomic_write(folder / JSON, results_json(experiment))
    atomic_write(folder / CSV, csv_bytes(experiment.runs))
    from verifier.experiments.findings import markdown
    from verifier.experiments.page import page

    atomic_write(folder / TEXT, markdown(experiment))
    drawn = [*_figures(experiment.runs), *extra]
    pictures = _write_figures(folder / FIGURES, drawn)
    _remove_stale(folder / FIGURES, {figure.name for figure in drawn})
    atomic_write(folder / PAGE, page(experiment, pictures))


def results_json(experiment: Experiment) -> bytes:
    """The record as JSON; numbers that JSON lacks (a diverged loss) are the texts "nan", "inf" and "-inf"."""
    return msgspec.json.format(msgspec.json.encode(writable(msgspec.to_builtins(experiment))), indent=1) + b"\n"


def read_results_json(folder: Path) -> Experiment:
    """Read the record of an experiment back from its folder.

    Raises
    ------
    InputError
        There is none, or it is not the results of an experiment.
    """
    file = folder / JSON
    try:
        content = read_regular(file, MAX_BYTES)
    except FileNotFoundError:
        raise InputError(f"no results in {folder}: {file} is missing; `verifier experiment NAME` makes it") from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from None
    try:
        return msgspec.json.decode(content, type=Experiment, strict=False)  # lax: "nan" is a float
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{file} is not the results of an experiment: {one_line(str(error))}; run it again") from None


def writable(value: Any) -> Any:
    """Plain values with numbers that JSON lacks as texts; a lax reader takes them as numbers again."""
    if isinstance(value, dict):
        return {key: writable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [writable(entry) for entry in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _write_figures(folder: Path, figures: Sequence[Drawing]) -> list[Picture]:
    """Draw each figure light and dark, as SVG and PNG; those of the page are returned."""
    from verifier.experiments.page import Picture
    from verifier.plot.description import content
    from verifier.plot.style import style
    from verifier.report.inline import inline_svg

    pictures = []
    for index, drawn in enumerate(figures):
        inline = {}
        for name, suffix in (("light", ""), ("dark", "-dark")):
            with style(name):  # type: ignore[arg-type]  # one of the two
                figure = drawn.draw()
                for kind in ("svg", "png"):
                    found = content(figure, kind, drawn.title, drawn.caption)
                    atomic_write(folder / f"{drawn.name}{suffix}.{kind}", found)
                found = content(figure, "svg", drawn.title, drawn.caption)
            prefix = f"f{index}{name[0]}"
            inline[name] = inline_svg(found, prefix=prefix, name=drawn.title, description=drawn.caption)
        pictures.append(Picture(inline["light"], inline["dark"], drawn.caption, drawn.about, drawn.path))
    paths = [picture for picture in pictures if picture.path]
    return [picture for picture in pictures if picture not in paths[MOST_INLINE:]]


def _remove_stale(folder: Path, names: Set[str]) -> None:
    """Remove pictures that an earlier write made and this one did not; whatever else is there stays."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        made = _OURS.fullmatch(path.name)
        if made and made[1].removesuffix("-dark") not in names and made[1] not in names and path.is_file():
            try:
                path.unlink()
            except OSError as error:
                raise CertificateError(
                    f"cannot remove {path}, of an earlier experiment: {error.strerror or error}; remove it yourself"
                ) from None


def _figures(runs: Sequence[Run]) -> Iterator[Drawing]:
    """Test errors of each table; Figure 4 of the deep networks; of each network the first path that there is."""
    from verifier.experiments import figures
    from verifier.experiments.page import table_key
    from verifier.experiments.styles import STYLES

    used: set[str] = set()
    tables = data_tables(runs)
    for table in tables:
        about = table_key(table.data, table.samples, table.tests)
        name = _file_name(used, "errors", table.data)
        yield Drawing(name, partial(figures.errors_figure, table.runs), figures.errors_caption(table.runs), about)
    for table in tables:
        for row in table.rows:
            deep = [run for run in table.runs if run.method == "sgd" and group_of(run) == row.group]
            if deep and row.group.architecture == DEEP:
                name = _file_name(used, "progress", DEEP, row.group.activation)
                yield Drawing(name, partial(figures.progress_figure, deep), figures.progress_caption(deep))
    for run in figures.first_with_path(runs).values():
        name = _file_name(used, "trajectory", run.architecture, run.activation, condition_of(run), f"seed{run.seed}")
        path = f"{group_of(run).words}, {STYLES[condition_of(run)].words}, seed {run.seed}"
        yield Drawing(name, partial(figures.trajectory_figure, run), figures.trajectory_caption(run), path=path)


def _file_name(used: set[str], *parts: str) -> str:
    """A name of a file that no other figure has, of harmless characters."""
    base = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(parts)).strip("-.")[:100]
    name = next(n for n in (base, *(f"{base}-{k}" for k in range(2, len(used) + 3))) if n not in used)
    used.add(name)
    return name
