"""I as a statement: what is proved of these samples for all U, or almost all, holds for scaled and shifted ones."""

from __future__ import annotations

from verifier.network.input_maps import input_maps
from verifier.statements.claims.architecture import I
from verifier.statements.evidence import Known
from verifier.statements.statement import Finding, Statement, does_not_apply
from verifier.verdict import Verdict

CARRIED = ("W0", "A", "T3.4(1)", "T3.4(2)", "E4", "S(1)", "S(2)", "S+")
"""Statements about all U, or almost all, or about some U that is not given."""
SCALED_ONLY = "the same for scaled samples"
"""What is found where the input is padded, or a unit that reads it has no bias: no shift is undone there."""


def _prove(known: Known) -> Finding:
    network = known.evidence.network
    if known.evidence.data.offset is not None:
        return does_not_apply("does not apply: the frozen logits belong to these samples")
    found = input_maps(network)
    if found.obstacle:
        return does_not_apply(f"does not apply: {found.obstacle}")
    proved = tuple(label for label in CARRIED if known.found.verdict(label) is Verdict.PROVED)
    if not proved:
        return does_not_apply("does not apply: nothing is proved here for all U, or almost all")
    settles = "k/255 and (x - mean)/std" if found.shift else "k/255"
    whose = "all coordinates" if found.groups == 1 else "each group"
    by = "" if found.matrix or not found.shift else f", with one mean and deviation for {whose}"
    says = "says" if len(proved) == 1 else "say"
    words = f"what {', '.join(proved)} {says} of these samples x holds for {found}: raw pixels settle {settles}{by}"
    said = f"{words}, in exact real numbers, not their float roundings"
    return Finding(Verdict.PROVED, said, proved, name="" if found.shift else SCALED_ONLY)


SCALED_SAMPLES = Statement(
    label="I",
    source="ours",
    name="the same for scaled and shifted samples",
    sentence="If the input is read only through trained weights and biases that are used on nothing else, then what "
    "W0, A, T3.4(1), T3.4(2), E4, S(1), S(2), S+ say of the samples x holds for D x + c: D any invertible matrix where "
    "each unit reads all of the input, one factor and one shift per channel where filters read it, c = 0 beside "
    "padding. Raw pixels settle k/255 and (x - mean)/std in exact real numbers, not their float roundings.",
    formula="<w, D x + c> + b = <D^T w, x> + (b + <w, c>)",
    hypotheses="every node that reads the input, perhaps behind one-to-one maps of single coordinates or an unpadded "
    "mean, has weights (and a bias, if c is not 0) of its own; no arc past them; no frozen logits. Nothing is said of "
    "the start's own U",
    idea="the first layer's free weights and biases absorb D and c",
    proved_in=("statements/scaled_samples.py",),
    checked_in=("checker/scaled.py",),
    how="structural",
    prove=_prove,
    regression=True,
    may_rest_on=CARRIED,
    claims=(I,),
)
