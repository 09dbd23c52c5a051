"""The statements, as a list to hold next to the paper: L2.1 to TC.3 are the paper's, W0 to X1 are this project's.

``How`` says by what means a statement is checked: *symbolic* (once, for all instances), *rigorous* (enclosures or exact
arithmetic on this instance), *structural* (from the architecture and exact equalities), *sampled* (evidence only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["symbolic", "rigorous", "structural", "sampled"]


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its label, where it comes from, its words and formula, what it assumes, how it is checked."""

    label: str
    source: Literal["paper", "ours"]
    title: str
    words: str
    formula: str
    assumes: str
    how: How


_ALL = (
    Statement(
        "L2.1",
        "paper",
        "Lemma 2.1: a small loss has no errors",
        "If the cross-entropy is below log(2)/n, every sample is classified correctly.",
        "Phi < log(2)/n  =>  margin_i > 0 for all i",
        "cross-entropy; n samples, counted with multiplicity",
        "symbolic",
    ),
    Statement(
        "A3.1(1)",
        "paper",
        "Assumption 3.1(1): activations",
        "Every hidden activation is real analytic and strictly increasing.",
        "sigma in C^omega(R), sigma' > 0 off a discrete set",
        "nothing",
        "symbolic",
    ),
    Statement(
        "A3.1(2)",
        "paper",
        "Assumption 3.1(2): enough skip units",
        "N skip units without shared weights have a bounded activation with limit 0 at -oo, or softplus and a clean "
        "backward path to the first layer.",
        "#{suitable, unshared skip units} >= N",
        "nothing",
        "structural",
    ),
    Statement(
        "A3.1(3)",
        "paper",
        "Assumption 3.1(3): distinct patches",
        "The input patches that each first-layer unit sees are pairwise distinct over the samples.",
        "x_i|patch != x_j|patch for i != j",
        "nothing",
        "rigorous",
    ),
    Statement(
        "LA.1",
        "paper",
        "Lemma A.1: zeros of analytic functions",
        "An analytic function on a connected open set that is not identically zero vanishes on a null set only; here: "
        "det(Psi Psi^T) as a function of U, defined and analytic on all of R^p.",
        "f != 0 analytic on R^p  =>  |{f = 0}| = 0",
        "every activation real analytic on R",
        "symbolic",
    ),
    Statement(
        "W1",
        "ours",
        "Witness for bounded activations (with W3: through depth)",
        "Units whose thresholds lie between consecutive samples make Psi nearly triangular: an explicit U of full "
        "rank, from O(N) numbers.",
        "N delta ||T^-1||_inf < 1",
        "dense layers with units of their own weights, a bounded monotone activation, distinct samples",
        "rigorous",
    ),
    Statement(
        "W2",
        "ours",
        "Witness for softplus (with W3: through depth)",
        "Softplus units with thresholds at the samples make Psi / lambda a small perturbation of a triangular matrix.",
        "(4/s)(log 2 + 2 e^(rho s)/(e^s - 1)) + 4 rho < 1",
        "a dense softplus layer, distinct samples",
        "rigorous",
    ),
    Statement(
        "W3",
        "ours",
        "Chains through depth",
        "One unit per layer carries an increasing function of <a, x> upwards, so W1 and W2 apply in any dense layer.",
        "h_1 < ... < h_N certified by balls",
        "one spare unit per layer below the columns",
        "rigorous",
    ),
    Statement(
        "L3.2 construction",
        "paper",
        "Lemma 3.2: some U has full rank",
        "There is a U* at which the feature matrix has full row rank.",
        "rank Psi(U*) = N",
        "nothing: one certified U* is enough (W1, W2, or a dense random witness by R1, R2, R3)",
        "rigorous",
    ),
    Statement(
        "W0",
        "ours",
        "One witness settles almost every U",
        "If Psi is analytic in U on R^p and has full row rank at one U*, then at almost every U, and every local "
        "valley of every convex finite loss of Psi V reaches the infimum.",
        "rank Psi(U*) = N  =>  |{U : rank Psi(U) < N}| = 0",
        "analytic activations, V free, no output bias, no regulariser",
        "structural",
    ),
    Statement(
        "L3.2 genericity",
        "paper",
        "Lemma 3.2: almost every U has full rank",
        "The set of U where Psi(U) has rank below N has Lebesgue measure zero.",
        "|{U : rank Psi(U) < N}| = 0",
        "A3.1 in the paper; here W0",
        "structural",
    ),
    Statement(
        "rank",
        "ours",
        "Full rank at the given U",
        "The feature matrix at the start's own U has full row rank, with a lower bound of its smallest singular value.",
        "sigma_N(Psi(U)) >= s > 0",
        "nothing",
        "rigorous",
    ),
    Statement(
        "X1",
        "ours",
        "Duplicate samples",
        "Equal samples are grouped; if their labels agree everything holds for the distinct ones, else the infimum is "
        "the entropy of the groups.",
        "inf phi = (1/n) sum_g n_g H(c_g / n_g)",
        "nothing",
        "rigorous",
    ),
    Statement(
        "D3.3",
        "paper",
        "Definition 3.3: bad local valley",
        "A local valley is a connected component of {Phi < a}; it is bad if Phi does not come arbitrarily close to its "
        "infimum there.",
        "inf over the component > inf Phi",
        "nothing: a definition; the infimum is 0 unless labels conflict (X1)",
        "symbolic",
    ),
    Statement(
        "T3.4(1)",
        "paper",
        "Theorem 3.4(1): uncountably many solutions",
        "Some (U, V) has zero training error, and so has a whole ball around it.",
        "margins > 0 on a ball of positive radius",
        "nothing beyond Z2",
        "rigorous",
    ),
    Statement(
        "Z2",
        "ours",
        "Certified ball of solutions",
        "Zero training error survives every change of the parameters by at most r.",
        "|U' - U|, |V' - V| <= r  =>  all margins > 0",
        "Z1: a V with certified margins",
        "rigorous",
    ),
    Statement(
        "T3.4(2)",
        "paper",
        "Theorem 3.4(2): no bad local valley",
        "Every local valley contains points of loss arbitrarily close to the infimum.",
        "inf over every component of {Phi < a} = inf Phi",
        "A3.1 in the paper; here W0",
        "structural",
    ),
    Statement(
        "path",
        "ours",
        "A path to the infimum from the given start",
        "From the start (U, V) a continuous path leads to loss 0: one on which the loss never increases (P1, after E1, "
        "E2 or E4 where needed), or one that first stays below the start's loss plus epsilon (after E3). Where equal "
        "samples have different labels, the loss decreases to within epsilon of its positive infimum (X1).",
        "Phi never increases, or (E3) Phi <= Phi_0 + epsilon; -> inf Phi",
        "nothing",
        "rigorous",
    ),
    Statement(
        "E4",
        "ours",
        "A non-increasing path from every start",
        "For a wide last layer of free units over layers that separate the samples, a non-increasing path to loss 0 "
        "leads from EVERY point.",
        "for all (U, V)",
        "cross-entropy, equal samples have equal labels, analytic non-polynomial activation, M >= N, nothing reads the "
        "last layer",
        "structural",
    ),
    Statement(
        "T3.4(3)",
        "paper",
        "Theorem 3.4(3): no suboptimal strict local minimum",
        "No point is a strict local minimum: for softmax losses adding v 1^T to V changes nothing (C2).",
        "Phi(U, V + v 1^T) = Phi(U, V)",
        "cross-entropy",
        "symbolic",
    ),
    Statement(
        "T3.4(4)",
        "paper",
        "Theorem 3.4(4): no local maximum",
        "The start is not a local maximum of the cross-entropy (C3); wherever Psi(U) != 0 the same argument applies. "
        "(False for hinge losses, which are 0 on open sets.)",
        "d^2 Phi / dV^2 > 0 in some direction",
        "cross-entropy, Psi(U) != 0",
        "rigorous",
    ),
    Statement(
        "C1",
        "ours",
        "The start is not stationary",
        "At a full-rank U the gradient of the cross-entropy in V is not zero, at any V.",
        "||grad_V Phi|| >= sigma_N ||P|| / n > 0",
        "cross-entropy, full rank at this U, equal samples have equal labels",
        "rigorous",
    ),
    Statement(
        "C2",
        "ours",
        "No strict local minimum anywhere",
        "The loss is constant along V + v 1^T. (Non-strict bad local minima do exist: cloned units.)",
        "Phi(U, V + v 1^T) = Phi(U, V)",
        "a softmax loss",
        "symbolic",
    ),
    Statement(
        "C3",
        "ours",
        "The start is not a local maximum",
        "Along one output weight the second derivative is positive.",
        "(1/n) sum_i mult_i Psi_ij^2 p_ik (1 - p_ik) > 0",
        "cross-entropy, equal samples have equal labels, a column of Psi that is not zero",
        "rigorous",
    ),
    Statement(
        "TC.3",
        "paper",
        "Theorem C.3: other convex losses",
        "No bad local valley for any convex loss of the logits (of T3.4 only (2): that there is no local maximum is "
        "false for hinge losses); with certified paths for the losses asked for.",
        "inf over every component of {phi(Psi V) < a} = inf phi; h'(1) <= 0 along V0 -> V1",
        "phi convex and finite everywhere (the paper: bounded below, too); A3.1 in the paper, here W0",
        "rigorous",
    ),
)

STATEMENTS: dict[str, Statement] = {statement.label: statement for statement in _ALL}
"""By label, in the order in which a reader of the paper meets them."""
