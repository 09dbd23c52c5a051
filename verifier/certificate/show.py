"""Says in words what a certificate claims. Reading is not checking: `verifier check` decides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verifier.balls.exact import SHOWN_BITS, Dyadic, about, at_least, at_most, exactly
from verifier.data.files import read_regular
from verifier.display import Facts, Shown, Table
from verifier.errors import InputError, one_line

MAX_BYTES = 16 * 2**20
MAX_EXPONENT = 200_000
"""Of a dyadic in the format."""
UPPER = frozenset({"alpha", "epsilon", "end_loss", "zero_error_t"})
"""Numbers of claims that are upper bounds, or times from which something holds; the others are rounded down."""

MEANING = {
    "R1": "full row rank by an approximate right inverse X (R1): ||I - Psi X||_2 <= {alpha} < 1, so "
    "rank Psi(U) = {rank} and sigma_N(Psi(U)) >= {sigma_lower}. In the paper: the conclusion of Lemma 3.2 at this U.",
    "R3": "full row rank by an approximate right inverse X at {precision} bits (R3): "
    "||I - Psi X||_2 <= {alpha} < 1, so rank Psi(U) = {rank} and sigma_N(Psi(U)) >= {sigma_lower}. "
    "In the paper: the conclusion of Lemma 3.2 at this U.",
    "R5": "rank deficiency by structure (R5, {reason}): rank Psi(U) <= {rank_at_most} < N.",
    "R6": "the exact rank (R6): at the stored weights all features are rational numbers, and rank Psi(U) = {rank}.",
    "Z0": "zero training error is impossible at this U (Z0): for every V {count}, with positive factors, add up to 0, "
    "exactly; so Phi(U, V) >= log(2)/n.",
    "every-u": "rank deficiency for every U (R5, {reason}): rank Psi(U) <= {rank_at_most} < N for EVERY U; the stored "
    "hidden weights do not matter. In the paper: the conclusion of Lemma 3.2 fails for this network and data.",
    "Z1": "zero training error and infimum 0 (Z1): every margin of Psi(U) V1 is at least gamma = {gamma}, so "
    "Phi(U, t V1) <= log(1 + (m-1) exp(-gamma t)) tends to 0. In the paper: the solvability of Psi(U) V = T.",
    "P1": "a path without increase (P1): from the start V0 (loss in [{loss_lower}, {loss_upper}]), {tail} "
    "In the paper: the path in the proof of Theorem 3.4(2), U fixed.",
    "E1": "a strictly decreasing path from a start whose features do not separate the classes (E1): U and V move "
    "together while the loss strictly decreases ({pieces} pieces of time, each enclosed whole), then, with U at rest, "
    "{tail} In the paper: Theorem 3.4(2), from a point that is not stationary.",
    "E2": "a non-increasing path from a start whose features do not separate the classes (E2): equal, constant or zero "
    "units hand their part of the logits over and move, the loss staying exactly constant; then, with U at rest, "
    "{tail} In the paper: Theorem 3.4(2), where the abstract promises a path without increase.",
    "E3": "a path that stays below the start's loss plus {epsilon} (E3): U moves ({pieces} pieces of time, each "
    "enclosed whole), then, with U at rest, {tail} In the paper: the sublevel form of Theorem 3.4(2).",
    "E4.path": "a non-increasing path from a start where lower layers merge samples (E4): the merged samples part, V "
    "following so that the loss stays exactly constant ({pieces} pieces of time); then, with U at rest, {tail} "
    "In the paper: Theorem 3.4(2), at a point that neither descends nor has units to spare.",
    "E4": "a non-increasing path from every point (E4): from EVERY (U, V) a path on which the cross-entropy does not "
    "increase leads to loss 0, for labels without conflict and a wide last layer of units with weights of their own "
    "over layers that separate the samples. In the paper: the abstract's 'from any point', for this network.",
    "Z2": "zero training error in a ball (Z2): for all hidden weights, biases and output weights within {radius} of "
    "the stored ones, each number, every sample is classified correctly; at the centre all margins are >= {gamma}. "
    "In the paper: Theorem 3.4(1), uncountably many solutions, with an explicit radius.",
    "B1": "full rank in a ball (B1): with the full rank also claimed, rank Psi(U') = N for every U' whose hidden "
    "weights and biases are within {radius} of the stored ones, each number.",
    "C1": "not a stationary point (C1): with the full row rank also claimed, ||grad_V Phi(U, V)||_F >= "
    "{gradient_lower} > 0 for the cross-entropy Phi, so (U, V) is no local minimum and no local maximum.",
    "C3": "no local maximum (C3): the cross-entropy's second derivative along the weight from skip unit {unit} "
    "to output {output} is at least {curvature_lower} > 0. In the paper: Theorem 3.4(4), at this point.",
    "TC.3": "a path without increase for the loss {loss}{variant} (TC.3): from the start V0 (loss in [{loss_lower}, "
    "{loss_upper}]) straight to V1, where it is at most {end_loss}; the infimum is in [{least}, {most}]{ray}. "
    "In the paper: Theorem C.3 (convex losses), the path in its proof, U fixed.",
    "W0": "full rank almost everywhere (W0): all activations are real analytic, so, with the full rank also claimed, "
    "{{U : rank Psi(U) < N}} is closed and has measure zero, and every local valley of every convex finite loss of "
    "Psi V reaches the infimum. In the paper: Lemma 3.2 and Theorem 3.4(2), for this network and these data.",
    "W1": "full row rank by construction (W1): {columns} columns in {block_count} with bounded activations are "
    "near a triangular matrix at parameters that the claim names ({links}){ball}; the other units are "
    "arbitrary. In the paper: the construction in the proof of Lemma 3.2.",
    "W2": "full row rank by construction (W2): {columns} columns with softplus are near a triangular matrix at "
    "parameters that the claim names ({links}){ball}; the other units are arbitrary. "
    "In the paper: the construction in the proof of Lemma 3.2.",
}


@dataclass(frozen=True, slots=True, repr=False)
class Description(Shown):
    """What a certificate claims, in words; as text it is what `verifier show` prints.

    Parameters
    ----------
    file : str
        The certificate.
    data, network : str
        What the claims are about.
    claims : tuple of (str, str)
        Each claim's label and meaning.
    trust : str
        The semantics, and what a reader trusts.
    left_out : tuple of str
        What the prover says that it proved and left out.
    """

    file: str
    data: str
    network: str
    claims: tuple[tuple[str, str], ...]
    trust: str
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """A paragraph per claim."""
        paragraphs = [f"Claims {meaning}\n" for _, meaning in self.claims]
        left = [f"Left out, says the program that wrote it: {'; '.join(self.left_out)}.\n"] if self.left_out else []
        return "\n".join([f"Data: {self.data}.", f"Network: {self.network}.", "", *paragraphs, *left, self.trust])

    def _facts(self) -> Facts:
        labels = ", ".join(label for label, _ in self.claims)
        values: tuple[tuple[str, str], ...] = (("data", self.data), ("network", self.network), ("claims", labels))
        values += (("trust", self.trust),)
        values += (("left out", "; ".join(self.left_out)),) if self.left_out else ()
        table = Table("What is claimed", ("label", "claim"), self.claims)
        return Facts(f"Certificate {self.file}", None, "claimed, not checked: verifier check decides", values, (table,))

    def __repr__(self) -> str:
        """Its labels."""
        labels = ", ".join(label for label, _ in self.claims)
        return f"<Description of {self.file}: claims {labels}; print it to read them>"


def describe(file: Path) -> str:
    """Describe a certificate in words, a paragraph per claim.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    return str(read_description(file))


def read_description(file: Path) -> Description:
    """Read what a certificate claims.

    Parameters
    ----------
    file : Path
        The certificate's document.

    Returns
    -------
    Description
        In words. Nothing is checked.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    document = _read(file)
    try:
        return _description(str(file), document)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise InputError(
            f"{file} is not a well-formed certificate ({one_line(str(error))}); `verifier check` says what is wrong"
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_regular(file, MAX_BYTES))
    except FileNotFoundError:
        raise InputError(
            f"no certificate file {file}; `verifier rank | path | witness CASE.toml --out {file}` writes one"
        ) from None
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; name a certificate's .json file") from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{file} is not a JSON document ({' '.join(str(error).split())}); name a certificate's .json file"
        ) from None
    if (
        not isinstance(document, dict)
        or document.get("format") != "verifier-certificate"
        or document.get("version") != 1
    ):
        raise InputError(f"{file} is not a verifier certificate of version 1; name the .json that --out wrote")
    return document


def _description(file: str, document: dict[str, Any]) -> Description:
    data, network, trust = document["data"], document["network"], document["trust"]
    standing = "" if data["total"] == data["samples"] else f" (standing for {data['total']})"
    scaling = "" if data["scaling"] == "none" else f"; {_plain(data['scaling'])}"
    layers = "; ".join(_layer(index, layer) for index, layer in enumerate(network["layers"]))
    claims = []
    for claim in document["claims"]:
        meaning = MEANING["every-u" if claim.get("reason") == "every-u" else claim["label"]]
        claims.append((_plain(claim["label"]), meaning.format(**_words(claim))))
    bits = max((claim.get("precision", 0) for claim in document["claims"]), default=0)
    precision = f" at up to {bits} bits" if bits else ""
    return Description(
        file=file,
        data=f"{_plain(data['name'])}, {data['samples']} samples{standing} x {data['dimension']}, "
        f"{data['classes']} classes{scaling}",
        network=f"input {'x'.join(str(int(n)) for n in network['input_shape'])}; {layers}; "
        f"M = {network['skip_units']} skip units",
        claims=tuple(claims),
        left_out=tuple(map(_plain, document.get("left_out", ()))),
        trust="Semantics: exact real numbers; every stored number is an exact dyadic. Trust base of the checker: "
        f"Python, python-flint (written with {_plain(trust['python_flint'])}, FLINT {_plain(trust['flint'])}), "
        f"Arb{precision}. This text repeats what the certificate claims; `verifier check` decides.",
    )


def _words(claim: dict[str, Any]) -> dict[str, str]:
    words = {key: _number(value, up=key in UPPER) for key, value in claim.items()}
    if "alpha" in claim:
        words["alpha"] = at_most(_dyadic(claim["alpha"]), below=1)
    if "kappa" in claim:
        kappa = _dyadic(claim["kappa"])
        words["kappa"] = exactly(kappa) if kappa.mantissa.bit_length() <= SHOWN_BITS else f"about {about(kappa)}"
        words["loss_lower"] = _number(claim["start_loss"]["lower"])
        words["loss_upper"] = _number(claim["start_loss"]["upper"], up=True)
        reached = "".join(
            f", at most {_number(t['loss'], up=True)} from t = {_number(t['t'], up=True)} on" for t in claim["targets"]
        )
        words["tail"] = (
            f"V goes straight to kappa V1, kappa = {words['kappa']}, then along t V1: the loss strictly decreases all "
            f"the way; below log(2)/n from t = {words['zero_error_t']} on (Lemma 2.1: zero training error){reached}."
        )
    if claim["label"] == "Z0":
        words["count"] = _count(len(claim["factors"]), "margin")
    if claim["label"] == "TC.3":
        words |= {"loss_lower": _number(claim["start_loss"]["lower"]), "least": _number(claim["infimum"]["lower"])}
        words["loss_upper"] = _number(claim["start_loss"]["upper"], up=True)
        words["most"] = _number(claim["infimum"]["upper"], up=True)
        words["variant"] = ", classes weighted" if claim["class_weights"] is not None else ""
        words["variant"] += ", equal samples with different labels" if claim["label_counts"] is not None else ""
        alone = " G_y and -G_k (k != y)" if claim["loss"] == "one-vs-rest" else ""
        ray = f"; all margins{alone} there are at least {words['gamma']}, and along t V1 the loss tends to 0"
        words["ray"] = "" if claim["gamma"] is None else ray
    if claim["label"] in ("W1", "W2"):
        words["columns"] = str(sum(block["biases"]["shape"][0] for block in claim["blocks"]))
        words["block_count"] = _count(len(claim["blocks"]), "block")
        words["links"] = _count(len(claim["chain"]), "chain unit")
        radius = claim["radius"]
        words["ball"] = "" if radius is None else f", and within {_number(radius)} of them in each parameter"
    return words


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _number(value: Any, *, up: bool = False) -> str:
    """Print a number of the certificate: a bound is never printed better than it is."""
    if isinstance(value, dict) and set(value) == {"mantissa", "exponent"}:
        return (at_most if up else at_least)(_dyadic(value))
    return _plain(value)


def _dyadic(value: dict[str, Any]) -> Dyadic:
    """Read a number of the certificate; sizes that take long to print are refused."""
    exponent = int(value["exponent"])
    if abs(exponent) > MAX_EXPONENT:
        raise ValueError(f"the exponent {exponent} is beyond the format's {MAX_EXPONENT}")
    return Dyadic(int(value["mantissa"]), exponent)


def _layer(index: int, layer: dict[str, Any]) -> str:
    size = layer.get("units", layer.get("filters", ""))
    reads = ", ".join(_plain(s if s == "input" else f"layer {s}") for s in layer["inputs"])
    return f"layer {index} {_plain(layer['kind'])} {size} {_plain(layer.get('activation', ''))} reads {reads}".replace(
        "  ", " "
    )


def _plain(value: Any) -> str:
    """Text without control characters, cut to 300: names in a certificate are not trusted."""
    text = str(value)
    return "".join(c if c.isprintable() else "?" for c in text[:300])
