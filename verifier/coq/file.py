"""A certificate as a Coq file: the network's numbers and definitions, the obligations, and a theorem for each claim."""

from __future__ import annotations

import os
from typing import Any, Final

from verifier.checker.certificate import check_limited, read_head, read_labels
from verifier.checker.container import MAX_DOCUMENT_BYTES, Arrays, load_arrays, parse_json, read_file
from verifier.checker.limits import Limits
from verifier.checker.network import read_network
from verifier.checker.schema import document as read_document
from verifier.coq.bounds import as_terms
from verifier.coq.path import PathScript, frozen_logits
from verifier.coq.rank import RankScript
from verifier.coq.script import COQ_BITS, NotShown, Script, TooLarge, write_network
from verifier.coq.terms import Unknown

MOST_NUMBERS: Final = 1000
"""Numbers with names in a file: about ten minutes for Coq."""
RANK, PATH = ("R1", "R3"), ("Z1", "P1")
HEADER: Final = """\
(** {title}
    Written by `verifier formal` from a certificate; nothing in it is to be trusted but the definitions of the numbers,
    of the network and of the theorems at the end. Check it in a clone of the repository:
    verifier/formal/check {name}
    The rows of Psi are the features of the samples, n3_s0_1 is the entry 1 of node 3 on sample 0; FORMAT.md of the
    project says what the kinds of nodes are. *)
From Coq Require Import Reals List.
From Interval Require Import Tactic.
From Landscape Require Import tables instance.
Import ListNotations.
Local Open Scope R_scope.
"""
TACTICS: Final = f"""\
Ltac parts := repeat match goal with |- _ /\\ _ => split | |- True => exact I end.
Ltac expand := cbv [near_of squares residual product gram one total every entry nth label count wrong wrong_of
  logit_margin frozen_margin sample_loss bound Nat.eqb Nat.sub INR].
Ltac enclosed := expand; interval with (i_prec {COQ_BITS}).
Ltac mean := cbv [cross_entropy total count nth INR]; interval with (i_prec {COQ_BITS}).
Ltac decide_all := expand; parts; interval with (i_prec {COQ_BITS})."""
THEOREMS: Final = """\
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import reals Rstruct.
From Landscape Require Import norms loss paths P1 instance.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope."""


class Refused(Exception):
    """A certificate that is not written as a Coq file: why, what to do, and the checker's verdict."""

    def __init__(self, message: str, verdict: str = "ACCEPTED") -> None:
        super().__init__(message)
        self.verdict = verdict


class Certificate:
    """A certificate as the checker reads it: document, arrays, network, data."""

    def __init__(self, path: str) -> None:
        """Read it; the checker has accepted it."""
        document = read_document(parse_json(read_file(path, MAX_DOCUMENT_BYTES, ""), ""), "")
        raw, self.data = document.arrays, document.data
        self.arrays = Arrays(load_arrays(path, raw.file, raw.bytes, raw.sha256))
        self.claims = document.claims
        self.network = read_network(document.network, None, self.data.samples, self.data.dimension, self.arrays)
        if self.data.inputs is not None:
            self.network.inputs = self.arrays.exact(self.data.inputs, self.data.samples, self.data.dimension)
            read_labels(self.data, self.arrays)
        read_head(self.data, self.network.columns, self.arrays)


def coq_file(path: str, name: str) -> tuple[str, list[str], list[str]]:
    """Write a certificate's claims R1, R3, Z1 and P1 as a Coq file.

    Parameters
    ----------
    path
        The certificate's ``.json``.
    name
        Of the Coq file, for its own first lines.

    Returns
    -------
    (str, list of str, list of str)
        The file's text; the names of its theorems; the labels of claims that it does not have.
        Guarantee: the file is a proposal. Coq accepts it only if each theorem follows from the definitions in it.

    Raises
    ------
    Refused
        The checker does not accept the certificate, none of its claims can be written, or it is too large.
    """
    answer = check_limited(path, 1, Limits())
    if answer.verdict != "ACCEPTED":
        why = answer.rejection
        where = f" at {why.path}" if why.path else ""
        raise Refused(f"the checker does not accept it: {why.rule}{where}: {why.message}", answer.verdict)
    certificate = Certificate(path)
    labels = [raw.label for raw in certificate.claims]
    wanted = [number for number, label in enumerate(labels) if label in RANK + PATH]
    if not wanted:
        raise Refused(f"it claims {', '.join(labels)}, and only R1, R3, Z1 and P1 can be written for Coq")
    if certificate.data.arcs is not None:
        raise Refused("arcs to the outputs are missing, and the theorems of verifier/formal move all of V")
    said = [str(claim["statement"]) for claim in answer.claims]
    try:
        text, theorems = write(certificate, wanted, said, name)
    except Unknown as missing:
        raise Refused(f"the network computes {missing}, which Coq's interval arithmetic does not know") from None
    except TooLarge as large:
        raise Refused(f"the network has {large} on these samples; certify fewer samples or units") from None
    except NotShown as lost:
        raise Refused(str(lost)) from None
    return text, theorems, [label for label in labels if label not in RANK + PATH]


def write(certificate: Certificate, wanted: list[int], said: list[str], name: str) -> tuple[str, list[str]]:
    """Return the text, and the names of the theorems."""
    data, network, script = certificate.data, certificate.network, Script(MOST_NUMBERS)
    title = comment(f"Theorems about the data {data.name!r}: {', '.join(certificate.claims[k].label for k in wanted)}.")
    script.lines += HEADER.format(title=title, name=os.path.basename(name)).splitlines()
    rows = write_network(script, network, network.samples)
    script.say("", "(* Psi: a row for each sample *)")
    script.features(rows)
    script.lines += ["", *TACTICS.splitlines()]
    claims: list[RankScript | PathScript] = []
    for number in wanted:
        raw = certificate.claims[number]
        prefix = f"claim{number}_{raw.label}"
        if raw.label in RANK:
            claims.append(RankScript(script, prefix, raw, network, certificate.arrays, rows))
            continue
        if not any(isinstance(claim, PathScript) for claim in claims):
            write_labels(script, data, network)
        claims.append(PathScript(script, prefix, raw, network, certificate.arrays, data, rows))
    for number, claim in zip(wanted, claims, strict=True):
        script.say("", f"(* claim {number}: {certificate.claims[number].label} *)")
        claim.write()
    script.lines += ["", *THEOREMS.splitlines()]
    script.say("", f"Definition Psi := matrix {network.samples} {network.columns} psi.")
    if any(isinstance(claim, PathScript) for claim in claims):
        script.say("Definition y := data consistent_data.")
        script.say(f"Definition K := matrix {network.samples} {data.classes} frozen.")
    for number, claim in zip(wanted, claims, strict=True):
        script.say("", f"(** {comment(said[number])} *)")
        script.say(*claim.theorem())
    theorems = [claim.name for claim in claims]
    script.say("", f"Definition theorems := ({', '.join(f'@{theorem}' for theorem in theorems)}).")
    return "\n".join([*script.lines, ""]), theorems


def write_labels(script: Script, data: Any, network: Any) -> None:
    """Define labels, multiplicities and frozen logits."""
    classes, samples = data.classes, network.samples
    script.say("", "(* labels, multiplicities, and the frozen logits *)")
    for name, numbers in (("labels", data.labels), ("counts", data.multiplicities)):
        script.say(f"Definition {name} : list nat := [{'; '.join(map(str, numbers))}]%nat.")
        script.constants.add(name)
    frozen = frozen_logits(data, samples)
    script.matrix("frozen", as_terms(frozen))
    drops = [row[k] - row[label] for row, label in zip(frozen, data.labels, strict=True) for k in range(classes)]
    script.number("frozen_drop", max(drops))
    script.say(f"Definition consistent_data : consistent {samples} {classes} labels counts = true := eq_refl.")
    script.prove(
        "against", f"wrong {samples} {classes} labels (fun i k => - frozen_drop <= frozen_margin labels frozen i k)"
    )


def comment(text: str) -> str:
    """Return text that can stand in a comment of Coq."""
    return text.replace("(*", "( *").replace("*)", "* )").replace('"', "'")
