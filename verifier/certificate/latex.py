r"""What an accepted certificate claims, as a LaTeX proposition for a paper, with how to check it again, and BibTeX.

Reading is not checking, and a paper is read for long: so the checker runs first, and each item is the sentence that it
said of the claim, word for word, with its numbers rounded to the safe side. Of a certificate that is not accepted
nothing is written.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import textwrap
from pathlib import Path

from msgspec import UNSET

from verifier import __version__
from verifier.certificate.check_process import Checked, check_file, limit_options
from verifier.certificate.latex_text import escape, typeset
from verifier.certificate.reading import MAX_BYTES, moving, network_in_words, operand, read_document
from verifier.certificate.schema import Data, Document, NetworkPart
from verifier.data.files.regular import read_regular
from verifier.errors import CertificateError
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import plain

WIDTH = 100
"""Characters of a line of the fragment."""
SHA_PART = 8
"""Digits of a SHA-256 after which a line may end."""
BREAK = r"\1\\allowbreak{}"
"""What is put behind a character after which a line may end."""
SHORT = 8
"""Digits of a SHA-256 that tell one proposition's label from another's."""
BIBTEX = f"""\
@misc{{loss-landscape-verifier,
  title  = {{loss-landscape-verifier: a proof-checking numerical verifier for loss landscapes}},
  author = {{{{The verifier authors}}}},
  note   = {{Version {__version__}}}
}}
@inproceedings{{nguyen2019loss,
  title     = {{On the loss landscape of a class of deep neural networks with no bad local valleys}},
  author    = {{Nguyen, Quynh and Mukkamala, Mahesh Chandra and Hein, Matthias}},
  booktitle = {{International Conference on Learning Representations (ICLR)}},
  year      = {{2019}},
  note      = {{arXiv:1809.10749}}
}}"""


class NotAccepted(CertificateError):
    """A certificate that is to be cited was not accepted by the checker, whose answer is ``answer``."""

    def __init__(self, answer: Checked) -> None:
        """Say what the checker said; nothing is stated of such a certificate."""
        super().__init__(f"{answer.file} is not accepted, so nothing is stated: {answer.verdict}: {answer.reason}")
        self.answer = answer


def proposition(file: Path, *, memory: float | None = None, cpu_seconds: float | None = None) -> str:
    r"""Have a certificate checked, and write what it claims as a LaTeX proposition.

    Parameters
    ----------
    file : Path
        The certificate's ``.json``.
    memory, cpu_seconds : float, optional
        The limits of the check, as for `verifier.check`.

    Returns
    -------
    str
        A fragment that needs amssymb, amsthm and ``\newtheorem{proposition}{Proposition}``; BibTeX as comments.
        Guarantee: each item is a sentence that the independent checker said of the accepted certificate, word for
        word, so that its bounds are rounded to the safe side.

    Raises
    ------
    NotAccepted
        The checker does not accept the certificate.
    InputError
        The file is missing or is no certificate of this version, or a limit is no number >= 0.
    """
    document = read_document(file)
    content = read_regular(file, MAX_BYTES)
    answer = check_file(file, memory=memory, cpu_seconds=cpu_seconds)
    if not answer.accepted:
        raise NotAccepted(answer)
    if read_regular(file, MAX_BYTES) != content or read_document(file) != document:
        raise CertificateError(f"{file} changed while it was being checked; do it again")
    command = shlex.join(["verifier", "check", *limit_options(memory, cpu_seconds), operand(plain(file.name))])
    return fragment(file.name, document, hashlib.sha256(content).hexdigest(), answer, command)


def fragment(name: str, document: Document, digest: str, answer: Checked, command: str) -> str:
    """The proposition of a certificate that was accepted.

    Parameters
    ----------
    name : str
        Of the certificate's file, without its folder.
    document : Document
        What it states of data, network and arrays.
    digest : str
        SHA-256 of the file.
    answer : Checked
        What the checker said: accepted, with a sentence for each claim.
    command : str
        What checks it again.
    """
    shown = _code(plain(name))
    return "\n".join(
        [
            _comments(
                f"Written by loss-landscape-verifier {__version__}, whose checker accepted the certificate; this is no "
                "check.\nNeeds in the preamble: \\usepackage{amssymb,amsthm} \\newtheorem{proposition}{Proposition}"
            ),
            rf"\begin{{proposition}}[{{Claims of {shown}}}]",
            rf"\label{{prop:certificate-{digest[:SHORT]}}}",
            *map(_filled, _setting(document)),
            r"\begin{enumerate}",
            *(
                _filled(rf"\item \emph{{{typeset(CLAIMS[label].name)}}} ({escape(label)}): {typeset(said)}.")
                for label, said in answer.claims
            ),
            r"\end{enumerate}",
            r"\end{proposition}",
            "",
            r"\begin{flushleft}",
            _filled(_source(shown, digest, document, answer, command)),
            r"\end{flushleft}",
            "",
            _comments("BibTeX:\n" + BIBTEX),
            "",
        ]
    )


def _setting(document: Document) -> list[str]:
    """What the items speak of: the samples, the features, the logits, the loss, and the words that they use."""
    data = document.data
    _, values = moving(document.network)
    stored = "Where an item does not say of which $U$ it speaks, it is the stored weights. " if values else ""
    words = (
        r"A \emph{local valley} of a loss is a nonempty connected component of a strict sublevel set; it \emph{reaches "
        "the infimum} if the infimum of the loss over it is the one over all $(U, V)$. "
        f"{stored}A matrix that an item names, such as $V_1$, is the one that the certificate stores for it, unless "
        r"the item says that it is any or that it is free. Between two numbers, `..' says that they enclose a third "
        "one. All of this is in exact real arithmetic; stored numbers are dyadic rationals. Then:"
    )
    counted = any(getattr(claim, "label_counts", None) is not None for claim in document.claims)
    return [_samples(data, counted), f"{_features(document.network)} {_logits(document)}", words]


def _samples(data: Data, counted: bool) -> str:
    """How many samples of which kind; `counted`: a claim stores how often each occurs with which label."""
    sizes = f"$N = {data.samples}$, $d = {data.dimension}$, $m = {data.classes}$"
    if data.inputs is None:
        return f"The certificate stores no samples. Below, {sizes}: samples are in $\\mathbb{{R}}^d$, outputs are $m$."
    if data.targets is not UNSET:
        labels = f"with real targets in $\\mathbb{{R}}^m$, $n = {data.total}$ of them"
    else:
        without = (
            "for $m$ classes (how often each has which label is stored for the item)" if counted else "for $m$ outputs"
        )
        labels = without if data.labels is None else "with the stored labels of $m$ classes"
        labels += f", and multiplicities, $n = {data.total}$ in all" if data.total != data.samples else ""
    scaling = "" if data.scaling == "none" else f", scaled: ``{escape(plain(data.scaling))}''"
    return (
        f"Let $x_1, \\dots, x_N \\in \\mathbb{{R}}^d$, {sizes}, be the samples that the certificate stores, {labels} "
        f"(called ``{escape(plain(data.name))}''{scaling}, as given, not checked)."
    )


def _features(network: NetworkPart) -> str:
    parameters, stored = moving(network)
    values = r"whose stored values are the \emph{stored weights}" if stored else "of which no values are stored"
    return (
        rf"Let $\Psi(U) \in \mathbb{{R}}^{{N \times M}}$, $M = {network.columns}$, have in row $i$ the features of "
        rf"sample $i$ in the certificate's network with parameters $U \in \mathbb{{R}}^p$, $p = {parameters}$, "
        f"{values} (the network: {escape(network_in_words(network))})."
    )


def _logits(document: Document) -> str:
    """The logits, the loss that is meant where none is named, margins."""
    data, named = document.data, any(claim.label() == "TC.3" for claim in document.claims)
    offset = "" if data.offset is UNSET else " + K"
    said = [rf"The logits are $\Psi(U) V{offset}$, $V \in \mathbb{{R}}^{{M \times m}}$"]
    said[0] += ", with the stored frozen logits $K$" if offset else ""
    said[0] += ", where $V$ is $0$ along the arcs that are stored as missing" if data.arcs is not UNSET else ""
    said[0] += "."
    if data.targets is not UNSET:
        said.append(
            r"The squared error is $\Phi(U, V) = \frac{1}{2n} \sum_i \sum_j |G_i - T_{ij}|^2$, $G_i$ the logits of "
            r"sample $i$ and $T_{ij}$ its targets."
        )
    else:
        others = ", which FORMAT.md defines (TC.3)" if named else ""
        said.append(rf"$\Phi$ is the mean cross-entropy over the samples, unless an item names another loss{others}.")
    if data.labels is not None:
        said.append(
            r"A \emph{margin} of $V$ is $\sum_j \Psi_{ij} (V_{j y_i} - V_{jk})$, $y_i$ the label of $x_i$, $k \ne y_i$."
        )
    return " ".join(said)


def _source(name: str, digest: str, document: Document, answer: Checked, command: str) -> str:
    """Where the claims are, who accepted them, and how to check them again."""
    arrays = document.arrays
    return (
        rf"\emph{{Certificate.}} The items are the claims of the certificate {name} "
        rf"(SHA-256 {_sha256(digest)}) with its arrays {_code(arrays.file)} (SHA-256 "
        rf"{_sha256(arrays.sha256)}), in the words of the checker of \cite{{loss-landscape-verifier}}, version "
        rf"{escape(__version__)}, when it accepted them ({escape(plain(answer.trust))}). "
        rf"What decides is the check, not this text: {_code(command)}. "
        r"What a claim means, and what a checker must verify, is in the file FORMAT.md of "
        r"\cite{loss-landscape-verifier}; L3.2, T3.4 and TC.3 are statements of \cite{nguyen2019loss}, "
        r"and the others go on from there."
    )


def _sha256(digest: str) -> str:
    parts = (digest[start : start + SHA_PART] for start in range(0, len(digest), SHA_PART))
    digits = r"\allowbreak ".join(parts)
    return rf"\texttt{{{digits}}}"


def _code(text: str) -> str:
    """Text as it is typed; a line may end behind a hyphen, a stop or an underscore."""
    return rf"\texttt{{{re.sub(r'(-|[.]|_)', BREAK, escape(text))}}}"


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _comments(text: str) -> str:
    return "\n".join(f"% {line}".rstrip() for line in text.splitlines())
