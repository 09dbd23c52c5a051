"""The claim structs of the statements, FORMAT.md and the checker say the same, label by label."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

import verifier.certificate
from verifier.checker.schema import CLAIMS as CHECKED
from verifier.checker.sentences import SENTENCES
from verifier.landscape.losses import LOSSES
from verifier.landscape.target_loss import SQUARED_ERROR
from verifier.statements.catalogue import STATEMENTS
from verifier.statements.claims.catalogue import CLAIMS
from verifier.statements.claims.claim import ArrayRef, Number, printed
from verifier.statements.claims.losses import LossName
from verifier.statements.claims.paths import EscapeClaim

FORMAT = (Path(verifier.certificate.__file__).parent / "FORMAT.md").read_text(encoding="utf-8")
BOUND = Number("3", -1)


def described(label: str) -> set[str]:
    """The keys that FORMAT.md lists for a claim of this label, nested ones left out."""
    if issubclass(CLAIMS[label], EscapeClaim):
        line = re.search(rf"^{re.escape(label)}: +(.*)$", FORMAT, re.MULTILINE)
        assert line is not None, label
        return described("P1") | set(re.findall(r'"(\w+)":', line[1]))
    label = "R1" if label == "R3" else label
    block = next(
        b
        for b in re.findall(r"```\n(.*?)```", FORMAT, re.DOTALL)
        if re.search(rf'"label": [^,}}]*"{re.escape(label)}"', b)
    )
    head = block.split("\nLINK:")[0].split("#")[0].strip().removeprefix("{").removesuffix("}")
    while "{" in head:
        head = re.sub(r"\{[^{}]*\}", "", head)
    return set(re.findall(r'"(\w+)":', head))


def table() -> dict[str, list[str]]:
    """The rows of FORMAT.md's table of what a claim requires, by label."""
    rows = FORMAT.split("| label | nodes |")[1].split("\n\n")[0].splitlines()[2:]
    found = {}
    for row in rows:
        labels, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        for label in labels.replace(", not `every-u`", "").split(", "):
            found[label] = cells
    return found


def test_the_checker_knows_the_same_labels_with_the_same_fields() -> None:
    assert sorted(CLAIMS) == sorted(CHECKED)
    for label, claim in CLAIMS.items():
        assert set(claim.__struct_fields__) == set(CHECKED[label]) == described(label) - {"label"}, label


def test_the_sentences_are_the_checkers() -> None:
    stated: dict[str, str] = {}
    for label, claim in CLAIMS.items():
        assert next(iter(claim.sentences)) == label
        stated |= claim.sentences
    assert stated == SENTENCES


@pytest.mark.parametrize("label", sorted(CLAIMS))
def test_what_a_claim_requires_is_in_the_table(label: str) -> None:
    claim, (_, _, labels, weights, besides) = CLAIMS[label], table()[label]
    assert claim.needs_weights == weights.startswith("yes")
    assert claim.needs_labels == (labels.partition(" (")[0] == "one per sample")
    assert besides.startswith("a claim R1") == (label in ("B1", "C1", "W0", "D"))


def test_what_may_be_claimed_without_labels_or_weights() -> None:
    without = dict(re.findall(r"(labels|`values: null`)[^\n]*: (?:then )?only ([^\n]*?) may be claimed", FORMAT))
    assert set(re.split(", | and ", without["labels"])) == {c for c in CLAIMS if not CLAIMS[c].needs_labels}
    assert set(re.split(", | and ", without["`values: null`"])) == {c for c in CLAIMS if not CLAIMS[c].needs_weights}


def numbers(claim: type[Any]) -> list[str]:
    """The fields of a claim that are numbers."""
    return [field for field, kind in get_type_hints(claim).items() if kind is Number or Number in get_args(kind)]


@pytest.mark.parametrize("label", CLAIMS)
def test_every_number_says_what_it_bounds(label: str) -> None:
    upper = {"gradient", "alpha", "epsilon", "end_loss", "zero_error_t", "distance", "loss", "value", "loss_upper"}
    hints = get_type_hints(CLAIMS[label], include_extras=True)
    for field in numbers(CLAIMS[label]):
        text = str(hints[field])
        free = field in ("kappa", "rho", "smoothness") or (label, field) == ("BM", "radius")
        chosen = "a chosen number" if free else "a lower bound"
        kind = "an upper bound" if field in upper else chosen
        assert kind in text, (label, field)


@pytest.mark.parametrize("label", CLAIMS)
def test_the_meaning_has_places_for_what_the_claim_says(label: str) -> None:
    claim = CLAIMS[label]
    places = {name for _, name, _, _ in string.Formatter().parse(claim.meaning) if name}
    made = {"tail", "loss_lower", "loss_upper", "count", "columns", "block_count", "links", "ball"}
    made |= {"variant", "least", "most", "ray", "where", "rows", "what", "data", "how", "bad"}
    made |= {"start_lower", "start_upper", "end_lower", "end_upper", "at"}
    assert places <= set(claim.__struct_fields__) | made


def test_bounds_are_printed_on_the_safe_side() -> None:
    third = Number(str((1 << 70) // 3), -70)
    assert float(printed(third, "lower")) <= third.exact.fraction() <= float(printed(third, "upper"))
    assert printed(BOUND, "exact") == "1.5" and printed(third, "exact").startswith("about ")
    assert printed(Number(str(2**90 - 1), -90), "below one").startswith("0.99")


def test_unknown_and_missing_fields_are_refused() -> None:
    kind = msgspec.inspect.type_info(ArrayRef)
    assert isinstance(kind, msgspec.inspect.StructType) and kind.forbid_unknown_fields
    for claim in CLAIMS.values():
        assert claim.__struct_config__.forbid_unknown_fields and not claim.__struct_defaults__


def test_the_losses_are_those_of_the_prover() -> None:
    assert get_args(LossName) == (*LOSSES, SQUARED_ERROR)


def test_each_claim_belongs_to_one_statement() -> None:
    claims = [claim for statement in STATEMENTS.values() for claim in statement.claims]
    assert len(claims) == len(set(claims)) == len(CLAIMS)
