"""What is verified: samples with labels, a network, a start (U, V), and what the paths are to reach.

A `Problem` is the domain object. Case files, families, arrays in memory, modules of PyTorch are adapters that make one;
`verifier.prove.prove` proves what the theory says about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from verifier.data.dataset import Dataset
from verifier.data.grouping import Grouping, group_duplicates
from verifier.display import Brief
from verifier.errors import CaseError, NetworkError, needs, one_line
from verifier.landscape.targets import DEFAULT_TARGETS, decimal_below
from verifier.network.arguments import BoolArray, given_arcs, given_output, given_parameters
from verifier.network.network import Array, Network


@dataclass(frozen=True, eq=False, repr=False)
class Problem(Brief):
    """Samples with labels, a network, a start (U, V), and what the paths are to reach.

    Parameters
    ----------
    data : Dataset
        All samples, equal ones included.
    network : Network
        The network; it reads as many numbers as a sample has.
    u : (p,) array
        The hidden parameters U of the start.
    v : (M, m) array
        The output weights V of the start.
    targets : tuple of str, optional
        Losses, decimal numbers above 0: the path says from which t on they are reached.
    losses : tuple of str, optional
        Other convex losses for which a path is wanted (TC.3), such as ``"squared"``.
    class_weights : tuple of float, optional
        Positive weights of the m classes in these losses.
    loss_epsilon : str, optional
        How near the infimum the paths of these losses end.
    epsilon : str, optional
        How far E3 may rise above the start's loss.
    duplicates : "group" or "keep", optional
        Whether equal samples become one row of Psi (X1), or stay apart; then Psi cannot have full row rank.
    name, title : str, optional
        What the problem is called.
    start : str, optional
        Where U and V come from, if from a file.
    remark : str, optional
        What is to be said beside the description of the data.
    arcs : (M, m) array of bool, optional
        Which columns of Psi are connected to which outputs; V is 0 elsewhere and stays so. None: all.
    weight_decay : str, optional
        lambda > 0, a decimal number, if the model is trained with ``+ (lambda/2) (|U|^2 + |V|^2)``. Only WD is about
        that loss: every other statement is about the loss without it.

    Raises
    ------
    InputError
        The parts do not fit together, or a number cannot be read.

    Examples
    --------
    >>> import verifier as vf
    >>> data = vf.dataset_from_arrays([[0.0], [1.0], [1.0]], [0, 1, 1])
    >>> network = vf.Network(1, vf.Dense(4, "tanh", skip=True))
    >>> problem = vf.Problem(data, network, vf.initialise(network, seed=0), vf.output_weights(network, 2))
    >>> problem.words
    'data: 3 samples x 1, 2 classes, 1 duplicate grouped (samples 1 = 2)'
    >>> problem.rows.samples
    2
    """

    data: Dataset
    network: Network
    u: Array
    v: Array
    targets: tuple[str, ...] = DEFAULT_TARGETS
    losses: tuple[str, ...] = ()
    class_weights: tuple[float, ...] | None = None
    loss_epsilon: str = "1e-6"
    epsilon: str = "1e-3"
    duplicates: Literal["group", "keep"] = "group"
    name: str = "data"
    title: str = ""
    start: str = ""
    remark: str = ""
    arcs: BoolArray | None = None
    weight_decay: str | None = None

    def __post_init__(self) -> None:
        """Refuse parts that do not fit together, in one line."""
        needs(self.data, "Dataset", "multiplicities", "data", "make one: dataset_from_arrays(X, y)")
        if self.network.dimension != self.data.dimension:
            raise NetworkError(
                f"network: its input {list(self.network.input_shape)} has {self.network.dimension} numbers, a sample "
                f"has {self.data.dimension}"
            )
        if self.duplicates not in ("group", "keep"):
            raise CaseError(f'data.duplicates = {self.duplicates!r}; use "group" or "keep"')
        if self.data.targets is not None and (self.losses or self.class_weights or self.arcs is not None):
            raise CaseError(
                "losses, class weights and missing arcs are for classes; a regression has the squared error alone"
            )
        object.__setattr__(self, "u", given_parameters(self.network, self.u))
        object.__setattr__(self, "v", given_output(self.network, self.v, self.data.classes))
        if self.arcs is not None:
            object.__setattr__(self, "arcs", given_arcs(self.arcs, self.v))
        targets = f'{list(self.targets)} must be positive decimal numbers such as "1e-6"'
        require_positive(self.targets, f"path.targets = {targets}")
        require_positive(
            [self.epsilon], f"path.epsilon = {self.epsilon} must be a positive decimal number such as 0.001"
        )
        if self.weight_decay is not None:
            words = f"weight_decay = {one_line(self.weight_decay)} must be a positive decimal number such as 0.01"
            require_positive([self.weight_decay], f"{words}; for none leave it out")

    @cached_property
    def grouping(self) -> Grouping:
        """The samples with equal ones merged into one row each (X1)."""
        return group_duplicates(self.data)

    @property
    def rows(self) -> Dataset:
        """The samples that Psi has rows for: the distinct ones, unless duplicates are kept."""
        return self.grouping.dataset if self.duplicates == "group" else self.data

    @property
    def words(self) -> str:
        """The data in one line."""
        return in_words(self.data, self.grouping, self.duplicates == "group") + self.remark


def with_decay(decay: str | float | None) -> str:
    """Which loss the statements are about where weight decay is stated; empty where none is.

    Parameters
    ----------
    decay
        lambda.
    """
    if decay is None:
        return ""
    return (
        f"lambda = {decay} is stated: of the loss with it WD alone speaks, where it applies. All other statements are "
        "about the loss WITHOUT weight decay: W0 and T3.4(2) say nothing of the loss with it"
    )


def require_positive(texts: Sequence[str], message: str) -> None:
    """See that texts are positive decimal numbers.

    Raises
    ------
    CaseError
        One is not, with the message.
    """
    for text in texts:
        try:
            decimal_below(text)
        except (ValueError, ZeroDivisionError):
            raise CaseError(message) from None


def in_words(full: Dataset, grouping: Grouping, grouped: bool) -> str:
    """Describe a data set in one line: name, sizes, and how many samples equal another."""
    words = f"{full.name}: {full.samples} samples x {full.dimension}, {full.outputs}"
    count = full.samples - grouping.dataset.samples
    if count:
        words += f", {count} duplicate{'s' if count > 1 else ''} {'grouped' if grouped else 'kept'}"
        words += f" ({grouping.equal_words})"
    return words
