"""A sample case for a model's file, with every choice explained: ``verifier init my.toml --model net.onnx``."""

from __future__ import annotations

import json
import math
import os
import textwrap
from pathlib import Path
from typing import Final

from verifier.adapters.onnx.convert import from_onnx
from verifier.adapters.translation.imported import Imported

BUILT_IN: Final = {
    (64, 10): "digits",
    (4, 3): "iris",
    (13, 3): "wine",
    (30, 2): "breast_cancer",
    (30, 1): "breast_cancer",
}
"""The built-in data by dimension and number of logits."""
SORTED: Final = ("iris", "wine")
"""Those whose first samples are of one class: they are taken whole."""
NUMBERED: Final = (None, "digits")
"""Data whose labels are numbers."""
MOST: Final = 100
"""Samples of the sample case, at most."""
WIDTH: Final = 100
"""Of comments."""

TEMPLATE: Final = """\
# A case for `verifier run {file}`: the model {model}. What is commented out has a default.
title = {title}

[data]
{data}
{samples}# the first n; M = {columns} columns of Psi: full row rank needs n <= M
scale = "none"               # the model sees exactly the file's numbers: give them as it saw them in training
{classes}
# the other keys of [data]: `verifier init other.toml`, without --model, shows them all

[network]
model = {path}
{remarks}
# freeze = [{freeze}]   # initialisers (patterns work) that are no part of U

# [start]                    # without this section U and V are the model's own weights; with any key in it
# file = "w.safetensors"     # they are read from a file, or
# init = "gaussian"          # drawn: gaussian, zeros, cloned, constant-unit
# seed = 0

[path]
targets = ["1e-6", "1e-100"]

[rank]
max_bits = 4096              # last precision tried
"""


def model_sample(model: Path, case: Path) -> str:
    """Write the text of a case for a model.

    Parameters
    ----------
    model : Path
        The ONNX file.
    case : Path
        Where the case will be written; the model's path is relative to it.

    Returns
    -------
    str
        TOML.

    Raises
    ------
    InputError
        The model cannot be taken over.
    """
    found = from_onnx(model)
    network, outputs = found.network, found.v.shape[1]
    shape = " x ".join(map(str, network.input_shape))
    classes = max(outputs, 2)
    name = BUILT_IN.get((math.prod(network.input_shape), outputs))
    if name is not None:
        data = f'name = "{name}"              # or path = "data.npz": your own samples'
    else:
        data = (
            'path = "data.npz"            # numpy.savez("data.npz", X=X, y=y): samples of shape '
            f"{shape}, and their labels; or a table"
        )
    return TEMPLATE.format(
        file=case,
        model=model.name,
        title=json.dumps(model.name),
        data=data,
        samples=f"{'# ' if name in SORTED else ''}samples = {max(1, min(MOST, network.columns))}".ljust(29),
        columns=network.columns,
        classes=f"{'' if name in NUMBERED else '# '}classes = {classes}".ljust(29)
        + "# the model's, should some not occur; for labels that are names: all of them, in the order of its outputs",
        path=json.dumps(os.path.relpath(model, case.parent)),
        remarks=_remarks(found),
        freeze=", ".join(json.dumps(view.name) for view in network.parameters[:1]),
    )


def _remarks(found: Imported) -> str:
    lines = [line for remark in found.remarks for line in textwrap.wrap(" ".join(remark.split()), WIDTH)]
    return "\n".join(f"# {line}" for line in lines)
