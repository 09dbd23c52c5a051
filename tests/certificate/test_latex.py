"""`verifier show --latex`: the checker's sentences word for word, nothing of a certificate's author as a command."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
import pytest
from commands import verifier as command
from hypothesis import given, settings
from hypothesis import strategies as st

import verifier as vf
from verifier.certificate.check_process import Checked, CheckerProcess
from verifier.certificate.latex import BIBTEX, NotAccepted, fragment
from verifier.certificate.latex_text import escape, typeset
from verifier.certificate.reading import network_in_words, read_document
from verifier.statements.claims.catalogue import CLAIMS

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "certificates"
ACCEPTED = sorted((CORPUS / "accepted").glob("*.json"))
HOSTILE = (
    r"\input{/etc/passwd}\write18{id}%$&#_^~{}}\end{proposition}" + "\n\\csname x\\endcsname ^^5cinput --,,''``?` "
    'x"y<z>|ä数\N{RIGHT-TO-LEFT OVERRIDE}'
)
PRINTED = {
    *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "textquotedblright"),
    *("textquotesingle", "textasciigrave"),
}
OURS = {
    *("begin", "end", "label", "item", "emph", "texttt", "cite", "allowbreak", "mathbb", "frac", "times", "cdot"),
    *("dots", "in", "sum", "ne", "le", "ge", "nabla", "Psi", "Phi", "theta", "sigma", "kappa", "lambda", "gamma"),
    *("epsilon", "phi"),
}
BACK = {
    r"\le": "<=",
    r"\ge": ">=",
    r"\nabla": "grad",
    r"\|": "||",
    r"\cdot": "",
    r"\textasciicircum{}": "^",
    r"\_": "_",
}


@pytest.fixture(scope="module")
def fragments() -> list[tuple[Checked, str]]:
    """What is written of every accepted certificate of the corpus, and what the checker said of it."""
    return [(answer, written(file, answer)) for file, answer in zip(ACCEPTED, answers(ACCEPTED), strict=True)]


def answers(files: list[Path]) -> list[Checked]:
    return CheckerProcess(files, jobs=1).wait()


def written(file: Path, answer: Checked, name: str = "", data: dict[str, str] | None = None) -> str:
    document = read_document(file)
    document = msgspec.structs.replace(document, data=msgspec.structs.replace(document.data, **(data or {})))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return fragment(name or file.name, document, digest, answer, "verifier check c.json")


def obeys(text: str) -> None:
    """A grammar that is enough for TeX: known commands, environments and braces that close, formulas that end."""
    assert text.isascii()
    body = "\n".join(line for line in text.splitlines() if not line.startswith("% "))
    assert set(re.findall(r"\\([A-Za-z]+)", body)) <= OURS | PRINTED
    assert set(re.findall(r"\\([^A-Za-z])", body)) <= set("{}$&#%_|,\"'`^~")
    opened: list[str] = []
    for which, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if which == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert not opened
    bare = re.sub(r"\\[^A-Za-z]", "", body)
    depth = 0
    for each in bare:
        depth += {"{": 1, "}": -1}.get(each, 0)
        assert depth >= 0
    assert depth == 0
    parts = bare.split("$")
    assert len(parts) % 2 == 1
    assert not re.search(r"[%&#~]", bare)
    assert not any(re.search(r"[\^_]", part) for part in parts[::2])


def words(latex: str) -> str:
    """What a reader of the page reads, as the checker writes it."""
    latex = re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"E\1", latex)
    for tex, said in BACK.items():
        latex = latex.replace(tex, said)
    latex = re.sub(r"\\mathbb\{R\}\^\{(\w) \\times (\w)\}", r"R^(\1 x \2)", latex)
    return re.sub(r"\\text\w+\{\}|\\mathbb|[\\{}()$_*' ]", "", latex).replace("^", "").replace("theta0", "theta")


def test_every_accepted_certificate_becomes_a_proposition(fragments: list[tuple[Checked, str]]) -> None:
    assert {label for answer, _ in fragments for label, _ in answer.claims} == set(CLAIMS)
    for answer, text in fragments:
        obeys(text)
        assert "PROVED" not in text
        assert text.count(r"\item ") == len(answer.claims)


def test_items_are_the_checkers_sentences_word_for_word(fragments: list[tuple[Checked, str]]) -> None:
    for answer, text in fragments:
        body = text.split(r"\begin{enumerate}")[1].split(r"\end{enumerate}")[0]
        items = [" ".join(item.split()) for item in body.split(r"\item ")[1:]]
        for (label, said), item in zip(answer.claims, items, strict=True):
            name, _, rest = item.partition(f" ({escape(label)}): ")
            assert words(name) == words(rf"\emph{{{CLAIMS[label].name}}}")
            assert rest == typeset(said) + "."
            assert words(typeset(said)) == words(said)
            assert re.findall(r"\d+", words(typeset(said))) == re.findall(r"\d+", words(said))


def test_what_a_certificates_author_chose_is_printed_and_does_nothing() -> None:
    file = CORPUS / "accepted" / "full-rank.json"
    answer = Checked(str(file), "ACCEPTED", "", 0.1, (("R1", "rank Psi = N = 2"),), HOSTILE)
    text = written(file, answer, HOSTILE, {"name": HOSTILE, "scaling": HOSTILE})
    obeys(text)
    assert r"\textbackslash{}input\{/etc/passwd\}" in text


@settings(max_examples=30)
@given(st.text())
def test_any_text_is_escaped(text: str) -> None:
    obeys(escape(text))
    assert "\n" not in escape(text)


def test_numbers_and_formulas() -> None:
    assert typeset("at least 1.97626E-323, U' of R^(N x m)") == (
        r"at least $1.97626 \cdot 10^{-323}$, $U'$ of $\mathbb{R}^{N \times m}$"
    )
    assert typeset("e^(1 - t 2) in A, a, I, i and S(1)") == r"$e^{1 - t \cdot 2}$ in A, a, I, i and S(1)"


def test_a_certificate_that_is_not_accepted_is_not_stated() -> None:
    rejected = CORPUS / "rejected" / "a-behind-a-mask-with-a-0.json"
    done = command("show", "--latex", rejected)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "is not accepted, so nothing is stated: REJECTED: A.layer at /claims/0" in done.stderr
    with pytest.raises(NotAccepted, match="REJECTED"):
        vf.show(rejected).latex()
    done = command("show", "--memory", 2, rejected)
    assert (done.returncode, "show checks with --latex only" in done.stderr) == (2, True)


def test_the_command_checks_and_names_the_files_by_sha256() -> None:
    file = CORPUS / "accepted" / "full-rank.json"
    done = command("show", "--latex", "--cpu-seconds", 60, file)
    assert done.returncode == 0, done.stderr
    obeys(done.stdout)
    said = done.stdout.replace(r"\allowbreak", "").replace("\n", " ").replace("{}", "").replace(" ", "")
    for each in (file, file.with_suffix(".safetensors")):
        assert hashlib.sha256(each.read_bytes()).hexdigest() in said
    assert r"\texttt{verifiercheck--cpu-seconds60full-rank.json}" in said.replace("-{}", "-")


def test_the_papers_are_those_of_the_citation_file() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    (paper,) = re.findall(r'title: "(On the loss.*)"', citation)
    assert f"{{{paper}}}" in BIBTEX
    assert set(re.findall(r"arXiv:([\d.]+)", citation)) == set(re.findall(r"arXiv:([\d.]+)", BIBTEX))
    assert f"Version {vf.__version__}" in BIBTEX
    assert f"version: {vf.__version__}" in citation


def test_a_parameters_name_does_not_describe_the_network() -> None:
    document = read_document(CORPUS / "accepted" / "attention.json")
    nodes = list(document.network.nodes)
    place = next(i for i, node in enumerate(nodes) if getattr(node, "name", "") == "value.weight")
    for name, shown in (("w; node 3 tanh(t) of input", "'w; node 3 tanh(t) of input'"), ("input", "'input'")):
        nodes[place] = msgspec.structs.replace(nodes[place], name=name)
        network = msgspec.structs.replace(document.network, nodes=tuple(nodes))
        assert f"node 2 affine last of input, {shown};" in network_in_words(network)


def test_the_weights_are_the_stored_ones_where_no_others_are_named(fragments: list[tuple[Checked, str]]) -> None:
    for _, text in fragments:
        said = "it is the stored weights" in " ".join(text.split())
        assert said == (r"\emph{stored weights}" in " ".join(text.split()))
