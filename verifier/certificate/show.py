"""Says in words what a certificate claims. Reading is not checking: `verifier check` decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verifier.balls.exact import Dyadic
from verifier.errors import InputError, one_line

MAX_BYTES = 16 * 2**20

MEANING = {
    "R1": "full row rank by an approximate right inverse X (R1): ||I - Psi X||_2 <= {alpha} < 1, so "
    "rank Psi(U) = {rank} and sigma_N(Psi(U)) >= {sigma_lower}. In the paper: the conclusion of Lemma 3.2 at this U.",
    "R3": "full row rank by an approximate right inverse X at {precision} bits (R3): "
    "||I - Psi X||_2 <= {alpha} < 1, so rank Psi(U) = {rank} and sigma_N(Psi(U)) >= {sigma_lower}. "
    "In the paper: the conclusion of Lemma 3.2 at this U.",
    "R5": "rank deficiency by structure (R5, {reason}): rank Psi(U) <= {rank_at_most} < N.",
    "Z1": "zero training error and infimum 0 (Z1): every margin of Psi(U) V1 is at least gamma = {gamma}, so "
    "Phi(U, t V1) <= log(1 + (m-1) exp(-gamma t)) tends to 0. In the paper: the solvability of Psi(U) V = T.",
    "P1": "a path without increase (P1): from the start V0 (loss in [{loss_lower}, {loss_upper}]) straight to "
    "kappa V1, kappa = {kappa}, then along t V1: the loss strictly decreases all the way; below log(2)/n from "
    "t = {zero_error_t} on "
    "(Lemma 2.1: zero training error){targets}. "
    "In the paper: the path in the proof of Theorem 3.4(2), U fixed.",
}


def describe(file: Path) -> str:
    """Describe a certificate in words, a paragraph per claim.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    document = _read(file)
    try:
        return "\n".join(_paragraphs(document))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            f"{file} is not a well-formed certificate ({one_line(str(error))}); `verifier check` says what is wrong"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        if not file.is_file():
            raise InputError(f"no certificate file {file}")
        if file.stat().st_size > MAX_BYTES:
            raise InputError(f"{file} has more than {MAX_BYTES} bytes; a certificate's JSON document is smaller")
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not a JSON document: {one_line(str(error))}") from None
    if (
        not isinstance(document, dict)
        or document.get("format") != "verifier-certificate"
        or document.get("version") != 1
    ):
        raise InputError(f"{file} is not a verifier certificate of version 1")
    return document


def _paragraphs(document: dict[str, Any]) -> list[str]:
    data, network, trust = document["data"], document["network"], document["trust"]
    lines = [
        f"Data: {_plain(data['name'])}, {data['samples']} samples (standing for {data['total']}) x "
        f"{data['dimension']}, {data['classes']} classes; {_plain(data['scaling'])}.",
        f"Network: input {'x'.join(str(int(n)) for n in network['input_shape'])}; "
        + "; ".join(_layer(index, layer) for index, layer in enumerate(network["layers"]))
        + f"; M = {network['skip_units']} skip units.",
        "",
    ]
    for claim in document["claims"]:
        lines += ["Claims " + MEANING[claim["label"]].format(**_words(claim)), ""]
    precision = max((claim.get("precision", 0) for claim in document["claims"]), default=0)
    lines.append(
        "Semantics: exact real numbers; every stored number is an exact dyadic. Trust base of the checker: Python, "
        f"python-flint (written with {_plain(trust['python_flint'])}, FLINT {_plain(trust['flint'])}), "
        f"Arb at {precision} bits. This text repeats what the certificate claims; `verifier check` decides."
    )
    return lines


def _words(claim: dict[str, Any]) -> dict[str, str]:
    words = {key: _number(value) for key, value in claim.items()}
    if claim["label"] == "P1":
        words["loss_lower"] = _number(claim["start_loss"]["lower"])
        words["loss_upper"] = _number(claim["start_loss"]["upper"])
        words["targets"] = "".join(
            f", below {_number(t['loss'])} from t = {_number(t['t'])} on" for t in claim["targets"]
        )
    return words


def _number(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"mantissa", "exponent"}:
        return str(Dyadic(int(value["mantissa"]), int(value["exponent"])))
    return _plain(value)


def _layer(index: int, layer: dict[str, Any]) -> str:
    size = layer.get("units", layer.get("filters", ""))
    reads = ", ".join(_plain(s) for s in layer["inputs"])
    return f"layer {index} {_plain(layer['kind'])} {size} {_plain(layer.get('activation', ''))} reads {reads}".replace(
        "  ", " "
    )


def _plain(value: Any) -> str:
    """Text without control characters, cut to 300: names in a certificate are not trusted."""
    text = str(value)
    return "".join(c if c.isprintable() else "?" for c in text[:300])
