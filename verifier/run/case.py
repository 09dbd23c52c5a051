"""Case files: a TOML document that says what is verified, and what is expected of it.

Unknown keys are errors that name the nearest known key. Relative paths are relative to the case file.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from verifier.data.files.regular import read_regular
from verifier.errors import CaseError, nearest, one_line
from verifier.landscape.escape_kinds import ORDER
from verifier.landscape.targets import DEFAULT_TARGETS
from verifier.network.network import Network, network_for
from verifier.options import BITS, MAX_CHECK
from verifier.run.layer_tables import build_layers as build_layers
from verifier.run.node_tables import build_graph
from verifier.run.structs import convert
from verifier.statements.catalogue import OF_A_PROBLEM
from verifier.verdict import Verdict

MAX_CASE_BYTES = 2**20
MAX_ENTRIES = {
    "network.layers": 1000,
    "network.nodes": 10_000,
    "path.targets": 64,
    "path.escapes": 16,
    "losses.kinds": 16,
}
MAX_TITLE = 200
ESCAPES = tuple(sorted(ORDER))


class DataSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[data]``: a built-in data set or a file."""

    name: str | None = None
    path: str | None = None
    samples: int | None = None
    label: str | int | list[str | int] | None = None
    labels: str | None = None
    columns: list[str | int] | None = None
    drop: list[str | int] | None = None
    missing: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None
    inputs: str | None = None
    layout: str | None = None
    scale: str | int = "auto"
    shape: list[int] | None = None
    duplicates: str = "group"
    offset: str | None = None
    classes: int | list[str | int] | None = None


class NetworkSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[network]``: a model's file, the layers in order, or nodes; an output bias, and what stays as at the start.

    ``input_shape`` is the shape of a sample where there are no data.
    """

    layers: list[dict[str, Any]] = msgspec.field(default_factory=list)
    nodes: list[dict[str, Any]] = msgspec.field(default_factory=list)
    features: list[dict[str, Any]] = msgspec.field(default_factory=list)
    output_bias: bool = False
    input_shape: list[int] | None = None
    arcs: str | None = None
    freeze: list[str] = msgspec.field(default_factory=list)
    model: str | None = None


class StartSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[start]``: the hidden parameters U and the output weights V."""

    init: str = "gaussian"
    output: str = "gaussian"
    scale: float = 1.0
    output_scale: float = 1.0
    fan_in: bool = False
    seed: int = 0
    units: int | None = None
    file: str | None = None


class PathSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[path]``: which losses the path must reach, and how it may leave a start that P1 cannot begin from."""

    targets: list[str | float] = msgspec.field(default_factory=lambda: list(DEFAULT_TARGETS))
    escapes: list[str] = msgspec.field(default_factory=lambda: list(ORDER))
    epsilon: str | float = "1e-3"


class LossesSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[losses]``: other convex losses for which a path is wanted, how near the infimum it must end, class weights."""

    kinds: list[str] = msgspec.field(default_factory=list)
    class_weights: list[int | float] | None = None
    epsilon: str | float = "1e-6"
    weight_decay: str | float | None = None


class RankSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[rank]``: the last precision tried."""

    max_bits: int = 4096


class CertificateSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[certificate]``: what checking it may take, as predicted: CPU seconds and GiB."""

    max_check_seconds: float | None = None
    max_check_gib: float | None = None


class ExpectSection(msgspec.Struct, forbid_unknown_fields=True):
    """``[expect]``: the verdicts that the suite expects; of statements by their labels."""

    analytic: str | None = None
    rank: str | None = None
    zero_loss: str | None = None
    path: str | None = None
    generic: str | None = None
    statements: dict[str, str] = msgspec.field(default_factory=dict)


class CaseFile(msgspec.Struct, forbid_unknown_fields=True):
    """The whole case file, section by section; only what is said of all data sets needs no ``[data]``."""

    network: NetworkSection
    data: DataSection = msgspec.field(default_factory=DataSection)
    start: StartSection = msgspec.field(default_factory=StartSection)
    path: PathSection = msgspec.field(default_factory=PathSection)
    losses: LossesSection = msgspec.field(default_factory=LossesSection)
    rank: RankSection = msgspec.field(default_factory=RankSection)
    certificate: CertificateSection = msgspec.field(default_factory=CertificateSection)
    expect: ExpectSection = msgspec.field(default_factory=ExpectSection)
    title: str = ""


@dataclass(frozen=True)
class Case:
    """A parsed case: its name (the file's stem), its folder and its sections."""

    name: str
    folder: Path
    file: CaseFile
    expected: dict[str, Verdict] = field(default_factory=dict)


def read_case(path: str | Path) -> Case:
    """Read and check a case file.

    Parameters
    ----------
    path : str or Path
        A TOML file; `verifier init` writes a sample.

    Returns
    -------
    Case
        What the file says, with its name, its folder and what it expects.

    Raises
    ------
    CaseError
        Missing or unreadable file, invalid TOML, an unknown key (the nearest known key is named), a wrong type or
        value.

    Examples
    --------
    >>> from pathlib import Path
    >>> import verifier as vf
    >>> case = vf.read_case(Path(vf.__file__).parent / "run/cases/quick/xor.toml")
    >>> case.name, case.file.title
    ('xor', 'Four points of XOR')
    """
    where = Path(path)
    try:
        text = read_regular(where, MAX_CASE_BYTES).decode("utf-8")
    except FileNotFoundError:
        raise CaseError(f"no case file {where}; `verifier init` writes a sample") from None
    except IsADirectoryError:
        raise CaseError(f"{where} is a folder; name a TOML case file") from None
    except UnicodeDecodeError as error:
        raise CaseError(f"{where} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise CaseError(
            f"cannot read case file {one_line(str(where))}: {error.strerror}; a case file is a small TOML document"
        ) from None
    return parse_case(text, name=where.stem, folder=where.parent, label=str(where))


def parse_case(text: str, *, name: str = "case", folder: Path | None = None, label: str = "case") -> Case:
    """Parse a case from text; relative paths in it are taken from ``folder``.

    Raises
    ------
    CaseError
        As `read_case`.
    """
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise CaseError(f"{label}: not valid TOML: {error}") from None
    return case_of(document, name=name, folder=folder, label=label)


def case_of(document: dict[str, Any], *, name: str, folder: Path | None, label: str) -> Case:
    """Make a case of a TOML document that has been read already.

    Parameters
    ----------
    document : dict
        What TOML's reader returns; members of a family are made like that.
    name : str
        Name of the case, and of its certificate.
    folder : Path or None
        Relative paths in the document are taken from here.
    label : str
        What error messages call the document.

    Returns
    -------
    Case

    Raises
    ------
    CaseError
        As `read_case`.
    """
    file = convert(document, CaseFile, label)
    for section, kind in (("data", DataSection), ("start", StartSection)):
        for key, value in document.get(section, {}).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise CaseError(f"{label}: {section}.{key} = {value} must be a finite number ({kind.__name__})")
            if isinstance(value, str) and not value.isprintable() and (section, key) != ("data", "delimiter"):
                raise CaseError(f"{label}: {section}.{key} = {one_line(value)} has characters that cannot be printed")
    if len(file.title) > MAX_TITLE or not file.title.isprintable():
        raise CaseError(f"{label}: title = {one_line(file.title)} must be at most {MAX_TITLE} printable characters")
    for name_of, most in MAX_ENTRIES.items():
        section, key = name_of.split(".")
        count = len(getattr(getattr(file, section), key))
        if count > most:
            raise CaseError(f"{label}: {name_of} has {count} entries, more than {most}; leave some out")
    for escape in file.path.escapes:
        if escape not in ESCAPES:
            raise CaseError(f"{label}: path.escapes has {one_line(escape)}; use {', '.join(ESCAPES)}")
    keys = ("analytic", "rank", "zero_loss", "path", "generic")
    expected = {}
    for key, value in [*((key, getattr(file.expect, key)) for key in keys), *file.expect.statements.items()]:
        if key not in keys and key not in OF_A_PROBLEM:
            raise CaseError(f"{label}: expect.statements has {one_line(key)}; {nearest(key, OF_A_PROBLEM)}")
        if value is not None:
            if value not in Verdict.__members__:
                raise CaseError(f"{label}: expect.{key} = {value!r}; {nearest(value, Verdict.__members__)}")
            expected[key] = Verdict(value)
    if file.data.duplicates not in ("group", "keep"):
        raise CaseError(f'{label}: data.duplicates = {file.data.duplicates!r}; use "group" or "keep"')
    if not BITS[0] <= file.rank.max_bits <= BITS[1]:
        raise CaseError(f"{label}: rank.max_bits = {file.rank.max_bits} must be in {BITS[0]}..{BITS[1]}")
    for key in ("max_check_seconds", "max_check_gib"):
        most = getattr(file.certificate, key)
        if most is not None and not 0 < most <= MAX_CHECK:
            raise CaseError(f"{label}: certificate.{key} = {most} must be above 0 and at most {MAX_CHECK}")
    return Case(name, folder or Path("."), file, expected)


def network_of(section: NetworkSection, input_shape: tuple[int, ...]) -> Network:
    """Build a network from the section ``[network]``.

    Raises
    ------
    CaseError, NetworkError, ExpressionError
        Naming the layer or the node.
    """
    if not section.nodes:
        return network_for(input_shape, build_layers(section.layers), section.output_bias)
    if section.layers or section.output_bias:
        other = "layers" if section.layers else "output_bias"
        raise CaseError(
            f"network.{other} does not go with network.nodes; state the network by layers or by nodes, an output bias "
            "as a last feature, a constant 1 of shape [1]"
        )
    return build_graph(section.nodes, section.features)
