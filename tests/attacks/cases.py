"""Attacks through case files: TOML, sizes, activations, and names of files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from .certificates import ACTIVATIONS
from .corpus import CASE, CSV, case
from .mutations import of_bytes
from .sandbox import Attack

REFUSED, RUN = frozenset({2}), frozenset({0, 1, 2, 3})


def put(folder: Path, content: bytes | str, command: str = "rank", *options: str) -> list[str]:
    """Write the case and its data; return a command on it."""
    (folder / "case.toml").write_bytes(
        content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    )
    (folder / "data.csv").write_bytes(CSV)
    return [command, "case.toml", *options]


def layer(text: str) -> str:
    return case(layers=f"[{{ {text}, skip = true }}]")


def dense(**changes: str) -> str:
    found = {"kind": '"dense"', "width": "5", "activation": '"tanh"'} | changes
    return layer(", ".join(f"{key} = {value}" for key, value in found.items()))


def quoted(text: str) -> str:
    """Write a text as TOML writes it."""
    return (
        '"' + "".join(c if c.isalnum() or c in " +-*/()._,'^@%<>=:{}[]#!" else f"\\u{ord(c):04x}" for c in text) + '"'
    )


HUGE = "9" * 4000
TOML: dict[str, str | bytes] = {
    "empty": "",
    "NUL": b"\0" * 100,
    "byte order mark": b"\xef\xbb\xbf" + CASE.encode(),
    "UTF-16": CASE.encode("utf-16"),
    "not UTF-8": CASE.replace("XOR", "\xff").encode("latin-1"),
    "control character": CASE.replace("XOR", "\x1b[2J"),
    "escape sequence in a key": CASE + '"\\u001b[2J" = 1\n',
    "bidirectional key": CASE + '"\\u202ehtap" = 1\n',
    "surrogate": CASE.replace('"XOR"', '"\\ud800"'),
    "key twice": CASE.replace("seed = 1", "seed = 1\nseed = 2"),
    "table twice": CASE + "[data]\n",
    "inline table twice": CASE.replace("width = 5", "width = 5, width = 6"),
    "arrays 100,000 deep": "a = " + "[" * 100_000,
    "arrays 100,000 deep, closed": "a = " + "[" * 100_000 + "]" * 100_000,
    "tables 100,000 deep": "a = " + "{b=" * 100_000 + "1" + "}" * 100_000,
    "dotted 10,000 deep": ".".join("a" * 10_000) + " = 1",
    "dotted header 10,000 deep": "[" + ".".join("a" * 10_000) + "]",
    "a layer 500 deep": case(layers="[" * 500 + "]" * 500),
    "a number of a million digits": case(start=f"units = {'9' * 10**6}"),
    "an unknown key": CASE + "[extra]\n",
    "a full-width key": case(data='"ｐath" = "x.csv"'),
    "a key in Cyrillic": case(start='"sееd" = 1'),
    "a date": case(title="1979-05-27"),
    "no network": CASE.replace("layers", "# layers"),
    "layers is a number": case(layers="1"),
    "layers is empty": case(layers="[]"),
    "a layer is a number": case(layers="[1]"),
    "100,000 layers": case(layers="[" + '{kind="dense",width=1,activation="tanh"},' * 100_000 + "]"),
    "20,000 layers": case(layers="[" + '{kind="dense",width=1,activation="tanh",skip=true},' * 20_000 + "]"),
    "1,001 layers": case(layers="[" + '{kind="dense",width=1,activation="tanh",skip=true},' * 1_001 + "]"),
    "a title of 10^5 characters": case(title='"' + "x" * 10**5 + '"'),
    "a title with escapes": case(title='"\\u001b[2J\\u202e"'),
    "a file name with escapes": case(path='"\\u001b[2J.csv"'),
    "5 MiB": CASE + "#" * (5 << 20),
}
NETWORKS: dict[str, str] = {
    **{f"width {n}": dense(width=n) for n in ("0", "-1", "1000000000", "50000000", "9223372036854775807", HUGE)},
    **{f"width {n}": dense(width=n) for n in ("nan", "inf", "5.0", "true", '"5"', "[5]", "１")},
    "two layers of 100,000": case(
        layers='[{kind="dense",width=100000,activation="tanh"},{kind="dense",width=100000,activation="tanh",skip=true}]'
    ),
    **{
        f"skip {s[:20]}": dense().replace("skip = true", f"skip = {s}")
        for s in ("[]", "[5]", "[-1]", "[1, 1]", "1", HUGE)
    },
    **{
        f"inputs {s}": dense(inputs=s)
        for s in ('["inputs"]', "[0]", "[-1]", "[1000000000]", '["input", "input"]', "[true]")
    },
    "activation is a number": dense(activation="1"),
    "no activation": layer('kind = "dense", width = 5'),
    "kind unknown": dense(kind='"conv9d"'),
    "kind is a list": dense(kind="[]"),
    **{
        f"kernel {k}": layer(f'kind = "conv1d", filters = 2, activation = "tanh", kernel = {k}')
        for k in ("0", "-1", "3", "1000000000", "[]", "[1, 1]", "[1, 1, 1]", "1.5", "true")
    },
    **{
        f"stride {s}": layer(f'kind = "conv1d", filters = 2, activation = "tanh", kernel = 1, stride = {s}')
        for s in ("0", "-1", "[1, 1]")
    },
    "filters 1000000000": layer('kind = "conv1d", filters = 1000000000, activation = "tanh", kernel = 1'),
    "pool 0": layer('kind = "avgpool", kernel = 0'),
    "pool in no plane": layer('kind = "avgpool", kernel = 2'),
    **{
        f"shape {s}": case(data=f"shape = {s}")
        for s in ("[1]", "[-1, -2]", "[0, 2]", "[1000000000, 1000000000]", "[4294967296, 4294967296]", "[2.0]")
    },
    **{
        f"samples {n[:20]}": case(data=f"samples = {n}")
        for n in ("0", "1", "-4", "5", "9223372036854775808", HUGE, "nan", "true")
    },
    **{
        f"label {n[:20]}": case(data=f"label = {n}")
        for n in ("3", "-4", '"none"', "9223372036854775808", HUGE, '""', '"x1\\u0000"')
    },
    **{
        f"scale {n[:20]}": case(scale=n) for n in ("2001", "-2001", HUGE, "1.5", "nan", "inf", '"most"', "true", "2000")
    },
    "duplicates": case(data='duplicates = "drop"'),
    "labels for CSV": case(data='labels = "data.csv"'),
    "name and path": case(data='name = "iris"'),
    "name unknown": case(path='"data.csv"\nname = "../iris"').replace('path = "data.csv"\n', ""),
}
STARTS: dict[str, str] = {
    **{
        f"{key} = {value[:20]}": case(start=f"{key} = {value}")
        for key, value in (
            ("units", "-1"),
            ("units", "6"),
            ("units", HUGE),
            ("units", "nan"),
            ("output_scale", "nan"),
            ("output_scale", "inf"),
            ("output_scale", "-1.0"),
            ("output_scale", "1e308"),
            ("output_scale", HUGE),
            ("init", '"ones"'),
            ("init", "1"),
            ("output", '"ones"'),
            ("fan_in", "1"),
        )
    },
    **{
        f"scale = {v}": CASE.replace("scale = 3.0", f"scale = {v}")
        for v in ("nan", "inf", "-1.0", "1e308", "1e-308", '"1"')
    },
    **{f"seed = {v[:20]}": CASE.replace("seed = 1", f"seed = {v}") for v in ("-1", "nan", "1.0", "true")},
}
PATHS: dict[str, str] = {
    **{
        f"targets {t[:30]}": f"[path]\ntargets = [{t}]\n"
        for t in (
            '"1e-999999999"',
            '"1e-99999999999999999999"',
            '"1e999999999"',
            "nan",
            "inf",
            "-1.0",
            "0.0",
            '"0"',
            '"-1e-6"',
            '"nan"',
            '"Infinity"',
            '"1e-6 "',
            '"１e-6"',
            '"1_0e-6"',
            '""',
            "true",
            "[]",
            '"0x1p-3"',
            '"1/3"',
            f'"1e-{HUGE}"',
            f'"0.{"0" * 10**5}1"',
        )
    },
    "a million targets": "[path]\ntargets = [" + "1e-6," * 700_000 + "]\n",
    "100,000 targets": "[path]\ntargets = [" + '"1e-6",' * 100_000 + "]\n",
    **{f"epsilon {e[:20]}": f'[path]\nescapes = ["E3"]\nepsilon = {e}\n[extra]\n' for e in ('"nan"',)},
    **{f"escapes {e[:20]}": f"[path]\nescapes = [{e}]\n" for e in ('"E5"', "1", '"e1"')},
    **{f"max_bits {n[:20]}": f"[rank]\nmax_bits = {n}\n" for n in ("0", "63", "16385", "-64", HUGE, "64.0", "nan")},
    **{f"expect {e}": f"[expect]\nrank = {e}\n" for e in ('"proved"', '"PROVED\\u200b"', "1", '"TRUE"')},
}
LOSSES: dict[str, str] = {
    **{f"kinds {k}": f"[losses]\nkinds = [{k}]\n" for k in ('"hinge"', "1", '"Squared"')},
    **{
        f"class_weights {w}": f'[losses]\nkinds = ["squared"]\nclass_weights = [{w}]\n'
        for w in (
            "nan, 1.0",
            "inf, 1.0",
            "-1.0, 1.0",
            "0.0, 1.0",
            "1.0",
            "1.0, 1.0, 1.0",
            '"1", "2"',
        )
    },
    **{
        f"epsilon {e}": f'[losses]\nkinds = ["squared"]\nepsilon = {e}\n'
        for e in ('"nan"', '"-1"', '"0"', "inf", '"1e-99999999999"')
    },
}
SURVIVED: dict[str, str] = {  # legitimate, however odd
    "seed 2^64": CASE.replace("seed = 1", f"seed = {2**64}"),
    "seed of 4000 digits": CASE.replace("seed = 1", f"seed = {HUGE}"),
    "scale = 1e-30": CASE.replace("scale = 3.0", "scale = 1e-30"),
    "scale = 1e30": CASE.replace("scale = 3.0", "scale = 1e30"),
    "scale 1e3": case(scale="1000"),
    "output_scale 1e30": case(start="output_scale = 1e30"),
}
SLOW_ACTIVATIONS = {
    "nested Max": "Max(" * 50 + "t" + ", t/2)" * 50,
    "nested Max and Min": "Max(t, Min(t/2, " * 25 + "t" + "))" * 25,
    "product of powers": "*".join(f"(t**2 + {k})**900" for k in range(1, 60)),
    "power of a sum": "(t + 1)**1000*(t + 2)**1000",
    "nested roots": "sqrt(1 + " * 50 + "t**2" + ")" * 50,
    "nested roots of numbers": "t + " + "sqrt(2 + " * 50 + "3" + ")" * 50,
    "nested exp": "exp(" * 50 + "t" + ")" * 50,
    "nested exp of a constant": "t + " + "exp(" * 50 + "1" + ")" * 50,
    "nested sin": "sin(" * 55 + "t" + ")" * 55,
    "sum of tanh": " + ".join(f"tanh(t + {k})" for k in range(100)),
    "product of tanh": "*".join(f"tanh(t + {k})" for k in range(100)),
    "Max of 100": "Max(" + ", ".join(f"t*{k} - {k * k}" for k in range(100)) + ")",
    "sin of a huge number": "t + sin(9**900)",
    "almost zero": "t + sin(22) - sin(22 - 9**-500)",
    "cancelling roots": "t*(sqrt(2) + sqrt(3) - sqrt(5 + 2*sqrt(6)))",
    "log of almost one": "t/log(1 + 9**-900)",
    "rational powers": "*".join(f"(t**2 + 1)**({k}/997)" for k in range(1, 60)),
    "decimals": " + ".join(f"t*1.{'3' * 80}{k}" for k in range(15)),
    "1e1000": "t*1e1000",
    "1e-1000": "t*1e-1000",
}


def files() -> Iterator[Attack]:
    """What is no case file, or data that are no regular file."""

    def special(make: Callable[[Path], object]) -> Callable[[Path], list[str]]:
        def place(folder: Path) -> list[str]:
            put(folder, CASE)
            (folder / "case.toml").unlink()
            make(folder / "case.toml")
            return ["rank", "case.toml"]

        return place

    yield Attack("case files", "pipe", "prover", special(os.mkfifo), REFUSED, "regular")
    yield Attack("case files", "folder", "prover", special(Path.mkdir), REFUSED, "folder")
    for target in (
        "/dev/zero",
        "/dev/stdin",
        "/dev/tty",
        "case.toml",
        "nowhere",
        "/proc/self/mem",
        "/proc/self/environ",
        ".",
    ):
        link = special(lambda path, target=target: path.symlink_to(target))
        yield Attack("case files", f"link to {target}", "prover", link, REFUSED)
    for name in (
        "case.toml\0",
        "x" * 5000,
        "/dev/zero",
        "none.toml",
        "case.toml/x",
        "\ud800.toml",
        "a\nb.toml",
        "\x1b[2J.toml",
    ):
        place = lambda folder, name=name: [put(folder, CASE)[0], name]  # noqa: E731
        yield Attack("case files", f"named {name[:20]!r}", "prover", place, REFUSED)
    for suffix in ("csv", "npz", "idx", "bin", "npy", "safetensors"):
        for target in (
            "/dev/zero",
            "/dev/stdin",
            "loop",
            "nowhere",
            "PIPE",
            "FOLDER",
            "/proc/self/mem",
            "/proc/self/maps",
        ):

            def place(folder: Path, suffix=suffix, target=target) -> list[str]:
                name, key = f"x.{suffix}", "start" if suffix == "safetensors" else "path"
                path = folder / name
                match target:
                    case "PIPE":
                        os.mkfifo(path)
                    case "FOLDER":
                        path.mkdir()
                    case _:
                        path.symlink_to(name if target == "loop" else target)
                text = case(start=f'file = "{name}"') if key == "start" else case(path=f'"{name}"')
                return put(folder, text, "witness" if suffix == "npy" else "rank")

            yield Attack("data files", f"{suffix}: {target}", "prover", place, REFUSED)
    for name in (
        "/dev/zero",
        "/dev/zero.csv",
        "data.csv\0",
        "../../../../etc/passwd",
        "",
        ".",
        "..",
        "data.pkl",
        "x" * 5000 + ".csv",
    ):
        place = lambda folder, name=name: put(folder, case(path=quoted(name)))  # noqa: E731
        yield Attack("data files", f"path {name[:20]!r}", "prover", place, REFUSED)
    for name in ("data.csv", "../canary.safetensors", "/dev/zero", "w\0", "", "none.safetensors"):
        place = lambda folder, name=name: put(folder, case(start=f"file = {quoted(name)}"))  # noqa: E731
        yield Attack("data files", f"start.file {name[:20]!r}", "prover", place, REFUSED)


def attacks() -> list[Attack]:
    """All attacks of this module."""
    found = list(files())
    for family, texts, codes, command in (
        ("case TOML", TOML, REFUSED, "rank"),
        ("case networks and data", NETWORKS, REFUSED, "rank"),
        ("case starts", STARTS, REFUSED, "rank"),
        ("case [path], [rank], [expect]", {k: CASE + v for k, v in PATHS.items()}, REFUSED, "path"),
        ("case [losses]", {k: CASE + v for k, v in LOSSES.items()}, REFUSED, "run"),
        ("odd cases that are valid", SURVIVED, RUN - {2}, "rank"),
    ):
        for name, text in texts.items():
            options = ("--out", "../out") if command == "run" else ()
            place = lambda folder, text=text, command=command, options=options: put(folder, text, command, *options)  # noqa: E731
            found.append(Attack(family, name, "prover", place, codes))
    for name, activation in ACTIVATIONS.items():
        place = lambda folder, text=activation: put(folder, dense(activation=quoted(text)))  # noqa: E731
        codes = REFUSED if name not in ALLOWED_HERE else RUN
        found.append(Attack("activation (case)", name, "prover", place, codes))
    for name, activation in SLOW_ACTIVATIONS.items():
        place = lambda folder, text=activation: put(folder, dense(activation=quoted(text)))  # noqa: E731
        found.append(Attack("activation (slow?)", name, "prover", place, RUN))
    for name, content in of_bytes(CASE.encode(), 60, 7000):
        place = lambda folder, content=content: put(folder, content)  # noqa: E731
        found.append(Attack("case mutants", name, "prover", place, RUN))
    return found


ALLOWED_HERE = {
    "None",  # what other libraries call the identity
    "comment",
    "inf",
    "tanh 300 deep",
    "sum of 990",
    "float",
    "digits",
    "minus signs",
    "two lines",
    "too long",
}
