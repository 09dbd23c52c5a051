"""Says in words what a certificate claims. Reading is not checking: `verifier check` decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

from verifier.certificate.latex import proposition
from verifier.certificate.reading import data_in_words, network_in_words, read_document
from verifier.certificate.schema import Document
from verifier.display import Card, Shown, Table
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import Computed, plain


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

    Examples
    --------
    >>> import verifier as vf
    >>> print(vf.Description("c.json", "xor, 4 samples x 2, 2 classes", "input 2", (("W0", "full rank"),), "Arb"))
    Claimed, not checked: full rank at almost every U (W0).
    Data: xor, 4 samples x 2, 2 classes.
    Network: input 2.
    <BLANKLINE>
    Claims full rank
    <BLANKLINE>
    Arb
    """

    file: str
    data: str
    network: str
    claims: tuple[tuple[str, str], ...]
    trust: str
    left_out: tuple[str, ...] = ()

    def __str__(self) -> str:
        """All claims in one sentence, data, network, a paragraph for each claim, what was left out, what is trusted."""
        first = f"Claimed, not checked: {'; '.join(map(_named, (label for label, _ in self.claims)))}."
        paragraphs = [f"Claims {meaning}\n" for _, meaning in self.claims]
        left = [f"Left out, says the program that wrote it: {'; '.join(self.left_out)}.\n"] if self.left_out else []
        return "\n".join(
            [first, f"Data: {self.data}.", f"Network: {self.network}.", "", *paragraphs, *left, self.trust]
        )

    def latex(self, *, memory: float | None = None, cpu_seconds: float | None = None) -> str:
        r"""Have the certificate checked, and write what it claims as a LaTeX proposition, with how to check it again.

        Parameters
        ----------
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
            The checker does not accept the certificate: nothing is stated then.
        """
        return proposition(Path(self.file), memory=memory, cpu_seconds=cpu_seconds)

    def _card(self) -> Card:
        labels = ", ".join(label for label, _ in self.claims)
        values: tuple[tuple[str, str], ...] = (("data", self.data), ("network", self.network), ("claims", labels))
        values += (("trust", self.trust),)
        values += (("left out", "; ".join(self.left_out)),) if self.left_out else ()
        table = Table("What is claimed", ("label", "claim"), self.claims)
        return Card(f"Certificate {self.file}", None, "claimed, not checked: verifier check decides", values, (table,))

    def __repr__(self) -> str:
        """The labels of the claims, and how to read more."""
        labels = ", ".join(label for label, _ in self.claims)
        return f"<Description of {self.file}: claims {labels}; print it to read them>"


def _named(label: str) -> str:
    """A claim's name before its label."""
    return f"{CLAIMS[label].name} ({label})" if label in CLAIMS else label


def describe(file: Path) -> str:
    """Describe a certificate in words, a paragraph per claim.

    Raises
    ------
    InputError
        If the file is missing or is not a certificate of this version.
    """
    return str(read_description(file))


def read_description(file: Path) -> Description:
    """Read what a certificate claims, without checking any of it.

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
    return _description(str(file), read_document(file))


def _description(file: str, document: Document) -> Description:
    trust = document.trust
    bits = max((claim.precision for claim in document.claims if isinstance(claim, Computed)), default=0)
    precision = f" at up to {bits} bits" if bits else ""
    return Description(
        file=file,
        data=data_in_words(document.data),
        network=network_in_words(document.network),
        claims=tuple((claim.label(), claim.said()) for claim in document.claims),
        left_out=() if document.left_out is UNSET else tuple(map(plain, document.left_out)),
        trust="Semantics: exact real numbers; every stored number is an exact dyadic. Trust base of the checker: "
        f"Python, python-flint (written with {plain(trust.python_flint)}, FLINT {plain(trust.flint)}), "
        f"Arb{precision}. This text repeats what the certificate claims; `verifier check` decides.",
    )
