"""Checks one certificate: reads it, checks every claim in one pass over the samples, and gives the verdict."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import flint

from .apart import check_given_data
from .architecture import check_almost_every_data_set, check_every_data_set
from .claims import MarginClaim, RankClaim
from .common import Rejection, TooExpensive, precision, require
from .connection import check_connection
from .container import MAX_DOCUMENT_BYTES, Arrays, load_arrays, parse_json, read_file
from .decay import check_weight_decay
from .descent import DescentClaim
from .escape import check_escape
from .exact import check_exact_rank, check_inseparable
from .extrema import check_no_maximum, check_no_strict_minimum
from .features import Features
from .flags import check_generic, needs_samples
from .jacobian import check_interpolant, check_memorisation, check_no_stationary
from .limits import Limits, effective, look_at_all, run_limited
from .line_barrier import check_line
from .loss_bound import check_error_bound, check_loss_bound
from .losses import LossClaim
from .minimum import check_minimum
from .network import cut_blocks, read_network
from .parting import check_gateway
from .pointwise import BallClaim, CurvatureClaim, GradientClaim, check_rank_ball
from .scaled import check_invariance
from .schema import document as read_document
from .sink import check_connected, check_path_from_almost_everywhere, check_path_from_everywhere, check_path_from_here
from .structure import check_structure
from .targets import TargetClaim
from .witness import check_witness

PARALLEL_UNITS = 100_000  # below this many hidden values a second process does not pay
TRUST = f"Arb of FLINT {flint.__FLINT_VERSION__}, python-flint {flint.__version__}; exact-real semantics"
Claim = RankClaim | MarginClaim
# who checks which label: in the pass over the samples, or on its own
SWEPT: dict[str, Callable[..., Claim]] = {"R1": RankClaim, "R3": RankClaim, "Z1": MarginClaim, "P1": MarginClaim}
SWEPT["GDV"] = DescentClaim
SWEPT |= {"Z2": BallClaim, "C1": GradientClaim, "C3": CurvatureClaim, "TC.3": LossClaim}
ALONE: dict[str, Any] = {"R5": check_structure, "W1": check_witness, "W2": check_witness, "E4": check_gateway}
ALONE["B1"] = check_rank_ball
ALONE |= {"R6": check_exact_rank, "Z0": check_inseparable}
ALONE |= {"Z0.loss": check_loss_bound, "Z0.error": check_error_bound}
ALONE |= dict.fromkeys(("E1", "E2", "E3", "E4.path", "S.path"), check_escape) | {"W0": check_generic}
ALONE |= {"D": check_almost_every_data_set, "A": check_every_data_set}
ALONE |= {"C4": check_no_maximum, "C2+": check_no_strict_minimum}
ALONE["WD"] = check_weight_decay
ALONE["BM"] = check_minimum
ALONE |= {"J1": check_no_stationary, "J2": check_interpolant, "J3": check_memorisation}
ALONE |= {"S": check_path_from_here, "S(1)": check_path_from_everywhere, "S+": check_connected}
ALONE["S(2)"] = check_path_from_almost_everywhere
ALONE |= {"A.data": check_given_data, "I": check_invariance}
ALONE |= {"MC": check_connection, "MC.line": check_line}
RANKS = {"R1", "R3", "W1", "W2"}
WITHOUT_SAMPLES = {"A", "C2+", "C4", "S(1)", "S(2)", "S+"}
WITHOUT_WEIGHTS = WITHOUT_SAMPLES | {"A.data", "D", "I", "W0", "W1", "W2"}
SAMPLES_ONLY = {"A.data"}  # claims that need the samples at hand, and no weights
WITHOUT_LABELS = WITHOUT_WEIGHTS | {"B1", "R1", "R3", "R5", "R6", "S", "Z0.error"}
# TC.3, Z0.loss and BM need labels or counts, J1 labels for differences of logits
WITHOUT_LABELS |= {"J1", "J2", "J3", "TC.3", "Z0.loss"}
WITHOUT_LABELS.add("BM")
# they speak of margins or the loss of Psi V, or of other data sets
WITHOUT_OFFSET = {"A", "D", "I", "J2", "J3", "MC", "TC.3", "WD", "Z0", "Z0.loss", "Z2"}
# they move V along all arcs, or speak of all of V
WITHOUT_ARCS = {"A", "A.data", "C1", "C2+", "C4", "D"}
WITHOUT_ARCS |= {"E1", "E2", "E3", "E4", "E4.path", "S", "S(1)", "S(2)", "S+", "S.path", "TC.3", "WD"}
WITHOUT_ARCS.add("BM")
MAX_TEXT = 4000  # characters of a claimed or computed value that the parent process is told


def check_limited(path: str, jobs: int, limits: Limits) -> SimpleNamespace:
    """Check a certificate file in a child process under limits of memory and CPU time.

    Guarantee: as `check_file`; what ran into a limit has the verdict TOO EXPENSIVE.
    """
    start, found = time.perf_counter(), blank(path)
    try:
        answer = run_limited(lambda: encode(examine(path, jobs)), limits)
        found.verdict, found.data, found.claims, why = json.loads(answer)
        found.rejection = Rejection(*why) if why else None
    except TooExpensive as rejection:
        found.rejection, found.verdict = rejection, "TOO EXPENSIVE"
    except (ChildProcessError, ValueError) as error:
        found.rejection = Rejection("", "internal", f"{type(error).__name__}: {error}")
    found.limits, found.seconds = str(effective(limits)), round(time.perf_counter() - start, 3)
    return found


def encode(found: SimpleNamespace) -> bytes:
    """Return what the parent process is told: verdict, data, claims, and why the certificate is not accepted."""
    why: list[str | None] = []
    if found.rejection is not None:
        why = [None if value is None else str(value)[:MAX_TEXT] for value in found.rejection.args]
    return json.dumps([found.verdict, found.data, found.claims, why]).encode()


def blank(path: str) -> SimpleNamespace:
    """Return a report in which nothing is accepted yet."""
    return SimpleNamespace(file=path, verdict="REJECTED", data="", claims=[], rejection=None, trust=TRUST)


def check_file(path: str, jobs: int) -> SimpleNamespace:
    """Check a certificate file in this process, under no other limits than its own.

    Guarantee: the verdict is ACCEPTED only if every obligation of every claim was proved.
    """
    try:
        return examine(path, jobs)
    except MemoryError:
        found = blank(path)
        found.verdict = "TOO EXPENSIVE"
        found.rejection = TooExpensive("", "cost.memory", "the check needs more memory than this process gets")
        return found


def examine(path: str, jobs: int) -> SimpleNamespace:
    """Check a certificate file; an unexpected exception of any kind but MemoryError is a rejection."""
    start, found = time.perf_counter(), blank(path)
    try:
        found.claims, found.verdict = check(path, jobs, found), "ACCEPTED"
    except TooExpensive as rejection:
        found.rejection, found.verdict = rejection, "TOO EXPENSIVE"
    except MemoryError:
        raise
    except Rejection as rejection:
        found.rejection = rejection
        found.verdict = "UNREADABLE" if rejection.rule == "container.unreadable" else "REJECTED"
    except Exception as error:
        found.rejection = Rejection("", "internal", f"{type(error).__name__}: {error}")
    found.seconds = round(time.perf_counter() - start, 3)
    return found


def check(path: str, jobs: int, found: SimpleNamespace) -> list[dict[str, object]]:
    """Read one certificate, check its claims in order, and return the result of each."""
    document = read_document(parse_json(read_file(path, MAX_DOCUMENT_BYTES, ""), ""), "")
    found.data, raw, data = document.data.name, document.arrays, document.data
    arrays = Arrays(load_arrays(path, raw.file, raw.bytes, raw.sha256))
    sampled = not {raw.label for raw in document.claims} <= WITHOUT_WEIGHTS  # then every unit has a value
    given = data.inputs is not None
    if given:
        arrays.require_shape(data.inputs, data.samples, data.dimension)  # the samples cost the file as many bytes
    else:
        require_unseen(document)
    network = read_network(document.network, None, data.samples, data.dimension, arrays)
    sample_bound = not SAMPLES_ONLY.isdisjoint(raw.label for raw in document.claims)
    if given and (sampled or sample_bound or needs_samples(network)):
        network.inputs = arrays.exact(data.inputs, data.samples, data.dimension)
    if given:
        read_labels(data, arrays)
    read_head(data, network.columns, arrays)
    for node in network.nodes if sampled else []:
        stored = node.kind != "parameter" or node.exact is not None
        message = f"only {', '.join(sorted(WITHOUT_WEIGHTS))} can be claimed without the parameters' values"
        require(stored, node.path, "network.values", message)
    for raw in document.claims:
        labelled = raw.label in WITHOUT_LABELS or data.labels is not None
        require(labelled, raw.path, "data.labels", "cannot be claimed without labels", raw.label)
        fits = raw.label not in WITHOUT_OFFSET or data.offset is None
        require(fits, raw.path, "data.offset", "cannot be claimed beside frozen logits", raw.label)
        fits = raw.label not in WITHOUT_ARCS or data.arcs is None
        require(fits, raw.path, "data.arcs", "cannot be claimed where arcs to the outputs are missing", raw.label)
    data.jobs = jobs
    data.labels_claimed = {raw.label for raw in document.claims}
    data.ranks = [raw for raw in document.claims if raw.label in RANKS]  # nothing is accepted if one of them fails
    swept = SWEPT if data.targets is None else SWEPT | {"TC.3": TargetClaim}
    claims = [swept[raw.label](raw, network, arrays, data) for raw in document.claims if raw.label in SWEPT]
    results = {raw.path: ALONE[raw.label](raw, network, arrays, data) for raw in document.claims if raw.label in ALONE}
    unused = ", ".join(sorted(arrays.unused))[:200]
    require(not unused, "/arrays/file", "container.unreferenced", "tensors that nothing refers to", unused)
    if claims:
        sweep(network, claims, data.labels or [0] * network.samples, jobs)
    results |= {claim.raw.path: {"precision": claim.precision, **claim.conclude()} for claim in claims}
    return [{"label": raw.label, **results[raw.path]} for raw in document.claims]


def require_unseen(document: Any) -> None:
    """Guarantee: on return nothing is said of samples that are not given but their number, and no claim needs them."""
    data = document.data
    for key in ("labels", "multiplicities"):
        require(getattr(data, key) is None, f"{data.path}/{key}", "data.inputs", "must be null without the inputs")
    require(not hasattr(data, "targets"), data.path + "/targets", "data.inputs", "must be absent without the inputs")
    data.targets = None
    path, message = data.path + "/total", "is not the number of samples"
    require(data.total == data.samples, path, "data.inputs", message, data.total, data.samples)
    for raw in document.claims:
        known = raw.label in WITHOUT_SAMPLES
        require(known, raw.path, "data.inputs", "cannot be claimed without the inputs", raw.label)


def read_labels(data: SimpleNamespace, arrays: Arrays) -> None:
    """Replace the names of labels and multiplicities by their values."""
    path, names = data.path + "/multiplicities", (data.multiplicities, data.labels)
    data.multiplicities = [1] * data.samples if names[0] is None else arrays.integers(names[0], path, data.samples)
    least, total, message = min(data.multiplicities), sum(data.multiplicities), "is not the sum of the multiplicities"
    require(least >= 1, path, "data.multiplicities", "must be at least 1", least)  # Coq: Samples mult_gt0
    require(data.total == total, data.path + "/total", "data.multiplicities", message, data.total, total)
    if data.labels is not None:
        path = data.path + "/labels"
        data.labels = arrays.integers(data.labels, path, data.samples)
        known = min(data.labels) >= 0 and max(data.labels) < data.classes  # Coq: Samples label
        require(known, path, "data.labels", "a label is not a class", [min(data.labels), max(data.labels)])
    reference, path = getattr(data, "targets", None), data.path + "/targets"
    data.targets = None if reference is None else arrays.exact(reference, data.total, data.classes)
    alone = data.targets is None or (data.labels is None and not hasattr(data, "offset"))
    require(alone, path, "data.targets", "real targets stand neither beside labels nor beside frozen logits")


def read_head(data: SimpleNamespace, columns: int, arrays: Arrays) -> None:
    """Replace frozen logits K, which are added to Psi V, and the arcs, beside which V is 0, by their values."""
    frozen, named, path = getattr(data, "offset", None), getattr(data, "arcs", None), data.path + "/arcs"
    data.offset = None if frozen is None else arrays.exact(frozen, data.samples, data.classes)
    data.arcs = None
    if named is not None:
        flat = arrays.integers(named, path, columns * data.classes)
        require(set(flat) <= {0, 1}, path, "data.arcs", "must be 0 or 1", sorted(set(flat))[:20])
        data.arcs = [flat[start : start + data.classes] for start in range(0, len(flat), data.classes)]
        connected = all(any(row[k] for row in data.arcs) for k in range(data.classes))
        require(connected, path, "data.arcs", "an output has no arc")


def sweep(network: SimpleNamespace, claims: list[Claim], labels: list[int], jobs: int) -> None:
    """Show every row of Psi to every claim, once or as often as it asks for, each distinct precision evaluated once.

    Guarantee: on return every claim has merged what it saw of all rows, each row exactly once since it began (anew);
    otherwise Rejection.
    """
    jobs = jobs if network.samples * network.units >= PARALLEL_UNITS else 1
    for bits in sorted({claim.precision for claim in claims}):
        group = [claim for claim in claims if claim.precision == bits]
        with precision(bits):
            features = Features(network)
            while group:
                others, held = max(claim.entries for claim in group), max(claim.held for claim in group)
                blocks = cut_blocks(network, labels, jobs, bits, others, held)
                look_through(features, group, blocks, jobs)
                group = [claim for claim in group if claim.again()]


def look_through(features: Features, claims: list[Claim], blocks: list[list[int]], jobs: int) -> None:
    """Show all rows of Psi, block by block, to claims of one precision.

    Guarantee: on return every claim has merged what it took of each row, exactly once; otherwise Rejection.
    """

    def look(samples: list[int]) -> list[Any]:
        rows, shared = features.rows(samples), dict[Any, Any]()
        return [claim.take(samples, rows, shared) for claim in claims]

    taken, everyone = 0, features.network.samples
    for samples, summaries in zip(blocks, look_at_all(look, blocks, jobs), strict=True):
        taken += len(samples)
        for claim, summary in zip(claims, summaries, strict=True):
            claim.merge(summary)
    require(taken == everyone, "", "internal", "not every sample was evaluated", everyone, taken)
