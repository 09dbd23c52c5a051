"""Machine-checkable statements about loss landscapes of neural networks.

The public names below load on first use, so that ``import verifier`` is fast and the checker's room stays independent.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOMES = {
    "VerifierError": "verifier.errors",
    "Activation": "verifier.sigma.activations",
    "activation": "verifier.sigma.activations",
    "register": "verifier.sigma.activations",
    "Dense": "verifier.network.layers",
    "Conv": "verifier.network.layers",
    "AvgPool": "verifier.network.layers",
    "Network": "verifier.network.network",
    "initialise": "verifier.network.initialise",
    "output_weights": "verifier.network.initialise",
    "Dataset": "verifier.data.dataset",
    "load_dataset": "verifier.data.readers",
    "group_duplicates": "verifier.data.grouping",
    "read_case": "verifier.run.case",
    "Verdict": "verifier.verdict",
    "SampleSource": "verifier.data.samples",
    "ExactArray": "verifier.balls.exact",
    "FeatureEnclosure": "verifier.balls.feature_enclosure",
    "FloatEnclosure": "verifier.balls.binary64.float_enclosure",
    "MatrixEnclosure": "verifier.balls.binary64.matrix",
    "numpy_backend": "verifier.balls.binary64.backend",
    "cupy_backend": "verifier.balls.binary64.backend",
    "canary": "verifier.balls.binary64.canary",
    "float_logits": "verifier.balls.binary64.loss",
    "float_loss": "verifier.balls.binary64.loss",
    "prove_rank": "verifier.rank.certify",
    "certify_gram": "verifier.rank.gram",
    "certify_inverse64": "verifier.rank.float_inverse",
    "singular_values": "verifier.rank.singular_values",
    "matrix_singular_values": "verifier.rank.singular_values",
    "matrix": "verifier.rank.matrix",
    "MatrixResult": "verifier.rank.matrix",
    "prove_witness": "verifier.rank.witness",
    "random_witness": "verifier.rank.random_witness",
    "structural_bound_every_u": "verifier.rank.deficiency",
    "prove_zero_loss": "verifier.landscape.zero_loss",
    "prove_path": "verifier.landscape.straight_path",
    "prove_escape": "verifier.landscape.escape",
    "prove_gateway": "verifier.landscape.escape_separate",
    "prove_loss_path": "verifier.landscape.loss_path",
    "certified_ball": "verifier.landscape.neighbourhood",
    "full_rank_radius": "verifier.landscape.neighbourhood",
    "prove_not_stationary": "verifier.landscape.pointwise",
    "prove_curvature": "verifier.landscape.pointwise",
    "check_assumption": "verifier.statements.assumption",
    "full_rank_fraction": "verifier.rank.genericity",
    "sigma_along_line": "verifier.rank.genericity",
    "prove_threshold": "verifier.statements.threshold",
    "STATEMENTS": "verifier.statements.catalogue",
    "CertificateBuilder": "verifier.certificate.writer",
    "run_case": "verifier.run.case_problem",
    "run_witness": "verifier.run.witnessing",
    "Checked": "verifier.certificate.check_process",
    "Problem": "verifier.problem",
    "Options": "verifier.options",
    "Report": "verifier.outcome",
    "verify": "verifier.api",
    "check": "verifier.api",
    "show": "verifier.api",
    "Description": "verifier.certificate.show",
    "InputError": "verifier.errors",
    "RankResult": "verifier.rank.result",
    "ZeroLoss": "verifier.landscape.zero_loss",
    "PathResult": "verifier.landscape.straight_path",
    "EscapeResult": "verifier.landscape.escape",
    "WitnessResult": "verifier.rank.witness",
    "Theorem": "verifier.statements.theorem",
    "Dyadic": "verifier.balls.exact",
    "at_least": "verifier.balls.exact",
    "at_most": "verifier.balls.exact",
    "about": "verifier.balls.exact",
    "dataset_from_arrays": "verifier.data.arrays",
    "from_torch": "verifier.adapters.pytorch.convert",
    "TorchNetwork": "verifier.adapters.pytorch.convert",
}

__all__ = [
    "STATEMENTS",
    "Activation",
    "AvgPool",
    "CertificateBuilder",
    "Checked",
    "Conv",
    "Dataset",
    "Dense",
    "Description",
    "Dyadic",
    "EscapeResult",
    "ExactArray",
    "FeatureEnclosure",
    "FloatEnclosure",
    "InputError",
    "MatrixEnclosure",
    "MatrixResult",
    "Network",
    "Options",
    "PathResult",
    "Problem",
    "RankResult",
    "Report",
    "SampleSource",
    "Theorem",
    "TorchNetwork",
    "Verdict",
    "VerifierError",
    "WitnessResult",
    "ZeroLoss",
    "__version__",
    "about",
    "activation",
    "at_least",
    "at_most",
    "canary",
    "certified_ball",
    "certify_gram",
    "certify_inverse64",
    "check",
    "check_assumption",
    "cupy_backend",
    "dataset_from_arrays",
    "float_logits",
    "float_loss",
    "from_torch",
    "full_rank_fraction",
    "full_rank_radius",
    "group_duplicates",
    "initialise",
    "load_dataset",
    "matrix",
    "matrix_singular_values",
    "numpy_backend",
    "output_weights",
    "plot",
    "prove_curvature",
    "prove_escape",
    "prove_gateway",
    "prove_loss_path",
    "prove_not_stationary",
    "prove_path",
    "prove_rank",
    "prove_threshold",
    "prove_witness",
    "prove_zero_loss",
    "random_witness",
    "read_case",
    "register",
    "run_case",
    "run_witness",
    "show",
    "sigma_along_line",
    "singular_values",
    "structural_bound_every_u",
    "verify",
]

if TYPE_CHECKING:
    from verifier import plot
    from verifier.adapters.pytorch.convert import TorchNetwork, from_torch
    from verifier.api import check, show, verify
    from verifier.balls.binary64.backend import cupy_backend, numpy_backend
    from verifier.balls.binary64.canary import canary
    from verifier.balls.binary64.float_enclosure import FloatEnclosure
    from verifier.balls.binary64.loss import float_logits, float_loss
    from verifier.balls.binary64.matrix import MatrixEnclosure
    from verifier.balls.exact import Dyadic, ExactArray, about, at_least, at_most
    from verifier.balls.feature_enclosure import FeatureEnclosure
    from verifier.certificate.check_process import Checked
    from verifier.certificate.show import Description
    from verifier.certificate.writer import CertificateBuilder
    from verifier.data.arrays import dataset_from_arrays
    from verifier.data.dataset import Dataset
    from verifier.data.grouping import group_duplicates
    from verifier.data.readers import load_dataset
    from verifier.data.samples import SampleSource
    from verifier.errors import InputError, VerifierError
    from verifier.landscape.escape import EscapeResult, prove_escape
    from verifier.landscape.escape_separate import prove_gateway
    from verifier.landscape.loss_path import prove_loss_path
    from verifier.landscape.neighbourhood import certified_ball, full_rank_radius
    from verifier.landscape.pointwise import prove_curvature, prove_not_stationary
    from verifier.landscape.straight_path import PathResult, prove_path
    from verifier.landscape.zero_loss import ZeroLoss, prove_zero_loss
    from verifier.network.initialise import initialise, output_weights
    from verifier.network.layers import AvgPool, Conv, Dense
    from verifier.network.network import Network
    from verifier.options import Options
    from verifier.outcome import Report
    from verifier.problem import Problem
    from verifier.rank.certify import prove_rank
    from verifier.rank.deficiency import structural_bound_every_u
    from verifier.rank.float_inverse import certify_inverse64
    from verifier.rank.genericity import full_rank_fraction, sigma_along_line
    from verifier.rank.gram import certify_gram
    from verifier.rank.matrix import MatrixResult, matrix
    from verifier.rank.random_witness import random_witness
    from verifier.rank.result import RankResult
    from verifier.rank.singular_values import matrix_singular_values, singular_values
    from verifier.rank.witness import WitnessResult, prove_witness
    from verifier.run.case import read_case
    from verifier.run.case_problem import run_case
    from verifier.run.witnessing import run_witness
    from verifier.sigma.activations import Activation, activation, register
    from verifier.statements.assumption import check_assumption
    from verifier.statements.catalogue import STATEMENTS
    from verifier.statements.theorem import Theorem
    from verifier.statements.threshold import prove_threshold
    from verifier.verdict import Verdict


if not TYPE_CHECKING:  # an editor must see that a misspelt name does not exist

    def __getattr__(name: str) -> object:
        """Load a public name on first use, and keep it."""
        if name == "plot":  # a room, and the only import that needs matplotlib
            return import_module("verifier.plot")
        if name in _HOMES:
            found = globals()[name] = getattr(import_module(_HOMES[name]), name)
            return found
        from verifier.errors import nearest

        raise AttributeError(f"module 'verifier' has no attribute {name!r}; {nearest(name, __all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
