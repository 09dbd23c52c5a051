"""Coverage-guided fuzzing of the checker's readers with atheris; run by ``test_atheris.py``, or by hand.

``python -m tests.attacks.atheris_checker CORPUS -max_total_time=300``. The first byte of an input chooses what reads
the rest: the document (JSON and schema), the arrays (safetensors), an activation, or the whole checker on both files.
Only a verdict is an answer; any other exception, a verdict by the rule "internal", and an accepted false claim are
crashes.
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import tempfile
from pathlib import Path

from .corpus import text, toy_certificate, witness_certificate
from .truth import claims_hold

DOCUMENT, ARRAYS, ACTIVATION, WHOLE = range(4)
ACTIVATIONS = (
    "tanh(t) + t/10",
    "1/(exp(-t) + 1)",
    "log(exp(2*t) + 1)/2",
    "Max(0, t)*Min(t, 1)",
    "t**(3/2)",
    "erf(t)**-2",
)


def whole(document: dict, arrays: bytes) -> bytes:
    """Return both files as one input."""
    content = text(document)
    return bytes([WHOLE]) + struct.pack("<H", len(content)) + content + arrays


def seeds() -> dict[str, bytes]:
    """Return the inputs to begin with."""
    found = {f"activation{k}": bytes([ACTIVATION]) + a.encode() for k, a in enumerate(ACTIVATIONS)}
    for name, make in (("toy", toy_certificate), ("witness", witness_certificate)):
        document, arrays = make()
        document["arrays"]["sha256"] = "0" * 64
        document["arrays"]["bytes"] = 1000
        found[f"{name}-document"] = bytes([DOCUMENT]) + text(document)
        found[f"{name}-arrays"] = bytes([ARRAYS]) + arrays
        found[f"{name}-whole"] = whole(document, arrays)
    return found


def words() -> str:
    """Return libFuzzer's dictionary: keys, labels, functions."""
    document = json.dumps([toy_certificate()[0], witness_certificate()[0]])
    found = {f'"{word}"' for word in document.split('"')[1::2]} | {"exp(", "log(", "sqrt(", "**", "/", "pi", "Max("}
    found |= {f'"{label}"' for label in ("R5", "Z2", "B1", "C1", "C3", "TC.3", "E1", "E2", "E3", "E4", "E4.path", "W2")}
    return "".join(f"{json.dumps(word)}\n" for word in sorted(found) if word.isascii())


def main(arguments: list[str]) -> None:
    """Fuzz until the time given is over; a crash ends the process with a report and another exit status."""
    import atheris

    for name in [name for name in sys.modules if name.startswith("verifier.checker")]:
        del sys.modules[name]  # the corpus has imported it, without instruments
    with atheris.instrument_imports(include=["verifier.checker"]):
        from verifier.checker import analytic, certificate, common, container, expression, schema

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))

    def read_document(content: bytes) -> None:
        schema.read(schema.DOCUMENT, container.parse_json(content, ""), "")

    def read_activation(content: bytes) -> None:
        activation = expression.parse(content.decode("utf-8", "replace")[:2000], "/activation")
        analytic.monotone(activation.tree)
        with common.precision(64):
            expression.build(activation.tree, expression.GUARDED)(common.arb(0.5, 0.25))

    def read_whole(content: bytes) -> None:
        length = int.from_bytes(content[:2], "little")
        document, arrays = content[2 : 2 + length], content[2 + length :]
        try:  # with the arrays' true size and hash, so that what they say is read
            parsed = json.loads(document)
            parsed["arrays"] = {
                "file": "c.safetensors",
                "bytes": len(arrays),
                "sha256": hashlib.sha256(arrays).hexdigest(),
            }
            document = json.dumps(parsed).encode()
        except (ValueError, TypeError, RecursionError):
            return
        (folder / "c.json").write_bytes(document)
        (folder / "c.safetensors").write_bytes(arrays)
        found = certificate.check_file(str(folder / "c.json"), 1)
        assert found.verdict in ("ACCEPTED", "REJECTED", "UNREADABLE"), found.verdict
        assert found.verdict == "ACCEPTED" or found.rejection.rule != "internal", found.rejection.message
        if found.verdict == "ACCEPTED":
            assert (wrong := claims_hold(folder)) is None, wrong

    readers = {DOCUMENT: read_document, ARRAYS: container.Arrays, ACTIVATION: read_activation, WHOLE: read_whole}

    def once(content: bytes) -> None:
        reader = readers.get(content[0] if content else -1)
        if reader is None:
            return
        try:
            reader(content[1:])
        except common.Rejection:
            return

    atheris.Setup([sys.argv[0], *arguments], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
