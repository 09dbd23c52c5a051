"""What a certificate claims, as structs: typed fields in the order of the document, words, the sentence of FORMAT.md.

A number of a claim is an exact dyadic. Its type says what it bounds, so that it is printed rounded to the safe side:
`Lower` down, `Upper` up, `Exact` not at all. The JSON Schema of certificates is made from these types.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from verifier.balls.exact import SHOWN_BITS, Dyadic, about, at_least, at_most, exactly

MAX_EXPONENT = 200_000
"""Of a dyadic in the format: within it a reader can print the number."""
MAX_TERM_EXPONENT = 20_000
"""Of a term of an exact array in the format."""
MAX_AXES = 8
"""Of an array in the format."""

Direction = Literal["lower", "upper", "below one", "exact"]


class Number(Struct, frozen=True, forbid_unknown_fields=True):
    """The exact number ``mantissa * 2^exponent``, as a document holds it."""

    mantissa: Annotated[str, Meta(pattern="^(0|-?[1-9][0-9]{0,1299})$")]
    exponent: Annotated[int, Meta(ge=-MAX_EXPONENT, le=MAX_EXPONENT)]

    @classmethod
    def of(cls, value: Dyadic) -> Number:
        """Write an exact number; an exponent beyond the format's is for the writer to refuse."""
        return cls(str(value.mantissa), value.exponent)

    @property
    def exact(self) -> Dyadic:
        """The number as a dyadic, for arithmetic and for printing."""
        return Dyadic(int(self.mantissa), self.exponent)


Lower = Annotated[Number, Meta(description="a lower bound", extra={"direction": "lower"})]
Upper = Annotated[Number, Meta(description="an upper bound", extra={"direction": "upper"})]
BelowOne = Annotated[Number, Meta(description="an upper bound, below 1", extra={"direction": "below one"})]
Exact = Annotated[Number, Meta(description="a chosen number", extra={"direction": "exact"})]

TensorName = Annotated[str, Meta(pattern="^[A-Za-z0-9_.-]{1,100}$")]
Precision = Annotated[int, Meta(ge=32, le=16384)]
Count = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Rational = Annotated[
    tuple[
        Annotated[str, Meta(pattern="^(0|-?[1-9][0-9]{0,1299})$")],
        Annotated[str, Meta(pattern="^[1-9][0-9]{0,1299}$")],
    ],
    Meta(description="numerator and denominator"),
]
SHORT = 24
"""Characters of a quotient that is shown as it is stated."""


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """One term of an exact array: a stored tensor times ``2^exponent``."""

    tensor: TensorName
    exponent: Annotated[int, Meta(ge=-MAX_TERM_EXPONENT, le=MAX_TERM_EXPONENT)]


class ArrayRef(Struct, frozen=True, forbid_unknown_fields=True):
    """An exact array: the sum of its terms, exactly."""

    shape: Annotated[tuple[Positive, ...], Meta(min_length=1, max_length=MAX_AXES)]
    terms: Annotated[tuple[Term, ...], Meta(min_length=1, max_length=160)]


class Interval(Struct, frozen=True, forbid_unknown_fields=True):
    """Two numbers that enclose a third one."""

    lower: Lower
    upper: Upper

    @classmethod
    def of(cls, bounds: tuple[Dyadic, Dyadic]) -> Interval:
        """Write a lower and an upper bound of the same number."""
        return cls(Number.of(bounds[0]), Number.of(bounds[1]))


class MovedParameter(Struct, frozen=True, forbid_unknown_fields=True):
    """Other values of one free parameter."""

    node: Count
    values: ArrayRef


Point = Annotated[tuple[MovedParameter, ...], Meta(min_length=1, max_length=10_000, description="another U")]


class Claim(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="label"):
    """A claim of a certificate; a class per label, in the file of its statement."""

    name: ClassVar[str]
    """The claim in a few words, after "proved, but not in the certificate"."""
    meaning: ClassVar[str]
    """What `verifier show` says, with places for the claim's numbers."""
    sentences: ClassVar[dict[str, str]]
    """What a checker says of an accepted claim: the sentences of FORMAT.md, the one of the label first."""
    needs_weights: ClassVar[bool] = True
    """Whether it is about the stored hidden weights, or a checker needs them."""
    needs_samples: ClassVar[bool] = True
    """Whether a certificate must have samples: those that the claim is about, or some that prove it."""
    needs_labels: ClassVar[bool] = False
    """Whether it is about the labels, one per sample."""
    ranks: ClassVar[bool] = False
    """Whether it states full row rank at the stored U, on which other claims may stand."""
    full_rank_somewhere: ClassVar[bool] = False
    """Whether it states full row rank at some U, stored or not: what W0 needs beside it."""
    carries: ClassVar[bool] = False
    """Whether it speaks of all U, or almost all, so that it holds for scaled and shifted samples where I is claimed."""
    swept: ClassVar[bool] = False
    """Whether a checker proves it in its one pass over the samples."""
    moves: ClassVar[bool] = False
    """Whether U moves: a checker evaluates the network at both ends and, mostly, on pieces of the way."""

    @classmethod
    def label(cls) -> str:
        """The claim's label in a certificate, such as ``R1``."""
        return str(cls.__struct_config__.tag)

    def said(self) -> str:
        """The claim in words; its numbers are rounded so that they claim no more than the certificate does.

        Returns
        -------
        str
            Guarantee: a lower bound is printed at most, an upper bound at least as large as the claim has it.
        """
        return self.meaning.format(**self.words())

    def words(self) -> dict[str, str]:
        """The claim's fields as they stand in `meaning`."""
        found = {}
        for field, kind in _directions(type(self)).items():
            value = getattr(self, field)
            found[field] = printed(value, kind) if isinstance(value, Number) else plain(value)
        return found


class Computed(Claim, frozen=True, kw_only=True):
    """A claim that a checker proves by computing with balls: the bits of working precision that suffice."""

    precision: Precision


def printed(number: Number, direction: Direction) -> str:
    """Print a number of a claim: a bound is never printed better than it is.

    Parameters
    ----------
    number : Number
        Of a claim.
    direction : str
        What it bounds.

    Returns
    -------
    str
        Guarantee: a decimal that is at most a lower bound, at least an upper bound; of a chosen number its exact
        value, or "about" before one that is rounded to nearest.
    """
    value = number.exact
    if direction == "exact":
        return exactly(value) if value.mantissa.bit_length() <= SHOWN_BITS else f"about {about(value)}"
    if direction == "lower":
        return at_least(value)
    return at_most(value, below=1) if direction == "below one" else at_most(value)


def stated(value: tuple[str, str]) -> str:
    """A quotient as it is stated; a long one by a decimal near it, and that is said."""
    found = value[0] if value[1] == "1" else "/".join(value)
    if len(found) <= SHORT:
        return found
    try:
        return f"about {int(value[0]) / int(value[1]):.4g}"
    except (ValueError, OverflowError, ZeroDivisionError):
        return "stated by long integers"


def plain(value: object) -> str:
    """Text without control characters, cut to 300: names in a certificate are not trusted."""
    return "".join(c if c.isprintable() else "?" for c in str(value)[:300])


def counted(number: int, noun: str) -> str:
    """A number of things: ``1 block``, ``2 blocks``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _directions(claim: type[Claim]) -> dict[str, Direction]:
    """What each field of a claim bounds; fields that are no numbers count as chosen."""
    hints = get_type_hints(claim, include_extras=True)
    return {field: _direction(hints[field]) for field in claim.__struct_fields__}


def _direction(hint: Any) -> Direction:
    if get_origin(hint) is Annotated:
        extra = next((part.extra for part in get_args(hint)[1:] if isinstance(part, Meta) and part.extra), {})
        found: Direction = extra.get("direction", "exact")
        return found
    parts = get_args(hint)
    return next((d for part in parts if (d := _direction(part)) != "exact"), "exact") if _optional(hint) else "exact"


def _optional(hint: Any) -> bool:
    return type(None) in get_args(hint)
