"""The operators of ai.onnx that can be stated, by name: a rule for each, which adds nodes by the translation."""

from __future__ import annotations

from verifier.adapters.onnx.call import Rule
from verifier.adapters.onnx.operators import (
    moving,
    normalising,
    piecewise,
    pointwise,
    products,
    recurrent,
    reducing,
    windows,
)

RULES: dict[str, Rule] = {
    **pointwise.RULES,
    **piecewise.RULES,
    **products.RULES,
    **windows.RULES,
    **normalising.RULES,
    **reducing.RULES,
    **moving.RULES,
    **recurrent.RULES,
}
"""By operator."""

QUANTISED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "MatMulInteger"}
    | {"ConvInteger"}
)
RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
JUMPS = frozenset(
    {"Floor", "Ceil", "Round", "Sign", "Hardmax", "ArgMax", "ArgMin", "TopK", "Unique", "NonZero", "Compress"}
)
COMPARISONS = frozenset({"Equal", "Not", "And", "Or", "Xor", "IsNaN"})
BODIES = frozenset({"If", "Loop", "Scan", "SequenceMap"})


def reason(kind: str) -> str:
    """Why an operator without a rule cannot be stated, and the remedy."""
    if kind in QUANTISED:
        return "the model is quantised, so its real function jumps; export the float model that it was made of"
    if kind in RANDOM:
        return "it draws random numbers; export the model for evaluation"
    if kind in JUMPS:
        return "its real function jumps where entries change order or sign; leave it out of the exported model"
    if kind in COMPARISONS:
        return "it compares values that depend on the data or on trained weights; export a model without such a choice"
    if kind in BODIES:
        return "its body depends on the data; export a model without data-dependent control flow, loops unrolled"
    if kind == "ConvTranspose":
        return "transposed convolutions are not stated; use Resize (nearest) and Conv"
    return "this operator is not stated here; write it by those that are (see the guide's page on ONNX)"
