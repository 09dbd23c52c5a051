"""Writes the table of joined networks on a page: `python tests/zoo/connection_table.py [IDX-FOLDER] [NAME ..]`.

Two networks of each architecture are trained from two seeds on the same samples and joined; nothing in the table is
copied by hand. NAME: only the rows whose names contain one of these. IDX-FOLDER holds MNIST as
`train-images-idx3-ubyte` and `train-labels-idx1-ubyte`, zipped or not; without it MNIST's rows stay as they are. With
``picture`` alone it draws the page's picture instead.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
PAGE = HERE.parents[1] / "verifier" / "docs" / "guide" / "findings.md"
PICTURE = PAGE.parents[1] / "pictures" / "joined.png"

import verifier as vf  # noqa: E402
from verifier.balls.exact import at_least, at_most  # noqa: E402
from verifier.data.idx import read_idx  # noqa: E402
from verifier.landscape.bezier import approx_bezier  # noqa: E402
from verifier.landscape.line_barrier import with_labels  # noqa: E402

HEAD = "| network | M | losses of A, B | straight line of all weights | after weight matching |"
"""How the table's first line begins."""
torch.set_num_threads(1)  # small products: more threads only wait for each other
STEPS = 300
"""Steps of Adam, full batch."""
RATE = 1e-2
MOST_TRAINED = 2000
"""Samples up to which a curve is trained: it takes longer than all the rest."""
MOST_CHECKED = 150
"""CPU seconds that a check may take; the row says so where they do not suffice."""


class Residual(nn.Module):
    """Two convolutions beside an identity, normalised by groups."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.norms = nn.ModuleList(nn.GroupNorm(2, width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, rectify, convolve, twice."""
        h = self.first(torch.relu(self.norms[0](x)))
        return x + self.second(torch.relu(self.norms[1](h)))


class Attention(nn.Module):
    """A block of a vision transformer, one head, pre-normalised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Attention and an MLP, each beside an identity."""
        h = self.norms[0](x)
        mixed = nn.functional.scaled_dot_product_attention(self.query(h), self.key(h), self.value(h))
        x = x + self.out(mixed)
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class SmallViT(nn.Module):
    """Square patches of an 8 x 8 image, one block, all tokens to the output."""

    def __init__(self, width: int = 8, patch: int = 4) -> None:
        super().__init__()
        tokens = (8 // patch) ** 2
        self.patches = nn.Conv2d(1, width, patch, stride=patch)
        self.place = nn.Parameter(0.1 * torch.randn(tokens, width))
        self.block, self.norm = Attention(width), nn.LayerNorm(width)
        self.head = nn.Linear(tokens * width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """From (N, 1, 8, 8) to 10 logits."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.norm(self.block(tokens)).flatten(1))


def mlp(inputs: int, widths: tuple[int, ...], unit: Callable[[], nn.Module]) -> nn.Module:
    """A plain fully connected network."""
    layers: list[nn.Module] = []
    for before, width in zip((inputs, *widths), widths, strict=False):
        layers += [nn.Linear(before, width), unit()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 10))


def conv_net() -> nn.Module:
    """Two convolutions, average pooling, a dense layer."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(8, 12, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(48, 10),
    )  # fmt: skip


def res_net() -> nn.Module:
    """A convolution with stride 2 and a residual block of two."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, stride=2), Residual(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 10)
    )


@dataclass(frozen=True)
class Entry:
    """A row: its name, the model, how many samples of what, and whether they are images."""

    name: str
    model: Callable[[], nn.Module]
    samples: int = 1000
    data: str = "digits"
    images: bool = False
    rate: float = RATE

    @property
    def words(self) -> str:
        """The row's first cell."""
        return f"{self.name}, N = {self.samples}"


ENTRIES = (
    *(Entry(f"{unit.__name__} {m}", lambda m=m, unit=unit: mlp(64, (m,), unit))
      for unit in (nn.Tanh, nn.ReLU) for m in (30, 250, 500, 1000, 2000)),
    Entry("Tanh 100 + 100", lambda: mlp(64, (100, 100), nn.Tanh)),
    Entry("ReLU 100 + 100", lambda: mlp(64, (100, 100), nn.ReLU)),
    Entry("conv net", conv_net, 200, images=True),
    Entry("ResNet", res_net, 50, images=True),
    Entry("ViT", SmallViT, 30, images=True),
    Entry("MNIST, Tanh 200", lambda: mlp(784, (200,), nn.Tanh), 1000, "mnist", rate=3e-3),
    Entry("MNIST, Tanh 200", lambda: mlp(784, (200,), nn.Tanh), 5000, "mnist", rate=3e-3),
    Entry("MNIST, ReLU 200", lambda: mlp(784, (200,), nn.ReLU), 5000, "mnist", rate=3e-3),
)  # fmt: skip


def trained(entry: Entry, seed: int, X: np.ndarray, y: np.ndarray) -> nn.Module:
    """Train by Adam, full batch, in single precision."""
    torch.manual_seed(seed)
    model, inputs, labels = entry.model(), torch.tensor(X), torch.tensor(y)
    steps = torch.optim.Adam(model.parameters(), entry.rate)
    for _ in range(STEPS if len(y) <= MOST_TRAINED else STEPS // 2):
        steps.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        steps.step()
    return model.eval()


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """All of scikit-learn's digits, from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """MNIST's training images, from 0 to 1."""
    names = (f"train-{name}*" for name in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    found = [read_idx(next(folder.glob(name)), max_bytes=2**27) for name in names]
    return (found[0].reshape(len(found[0]), -1) / 256).astype(np.float32), found[1].astype(np.int64)


def samples(entry: Entry, folder: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """The first samples, as the model reads them."""
    X, y = digits() if folder is None or entry.data == "digits" else mnist(folder)
    X, y = X[: entry.samples], y[: entry.samples]
    return (X.reshape(-1, 1, 8, 8) if entry.images else X), y


def row(entry: Entry, folder: Path | None) -> Iterator[str]:
    """Train two, join them, check the certificate: the cells of a row."""
    from zoo_harness import spent

    X, y = samples(entry, folder)
    a, b = (vf.connect(model, model, X=X, y=y).a for model in (trained(entry, seed, X, y) for seed in (0, 1)))
    began = spent()
    found = vf.connect(a, b, max_check_seconds=10**6)
    seconds = spent() - began
    yield entry.words
    yield f"{found.a.network.columns}"
    yield ", ".join(losses(found))
    yield barrier(vf.connect(a, b, line=True).line)
    yield matched(a, b)
    if len(y) > MOST_TRAINED:
        yield ""
    else:
        curve = approx_bezier(a.network, (a.u, a.v), (b.u, b.v), with_labels(a.rows, None))
        yield f"{max(0.0, curve.barrier):.2g}"
    if not found.proved:
        print(found.reason)
        yield from ("open", "", f"{seconds:.1f}", "", "")
        return
    legs = "" if found.legs == 1 else f" on {found.legs} legs"
    yield f"**0**, {len(found.pieces)} pieces{legs}"
    yield f"{len(found.weights)}"
    yield f"{seconds:.1f}"
    with tempfile.TemporaryDirectory() as name:
        file = found.write(Path(name) / "joined.json")
        size = sum(part.stat().st_size for part in Path(name).iterdir())
        began = spent()
        checked = vf.check(file, cpu_seconds=MOST_CHECKED)
        checking = spent() - began
    yield f"{size / 2**20:.1f} MiB"
    if checked.verdict == "TOO EXPENSIVE":
        yield f"more than {MOST_CHECKED}"
        return
    yield f"{checking:.0f}" if checked.accepted else "rejected"
    if not checked.accepted:
        raise SystemExit(f"{entry.name}: {checked.reason}")


def losses(found: vf.Connection) -> Iterator[str]:
    """Both ends' losses, from above."""
    for bounds in (found.start_loss, found.end_loss):
        yield "?" if bounds is None else at_most(bounds[1], 2)


def barrier(line: vf.LineBarrier | None) -> str:
    """Certified bounds of a barrier."""
    if line is None or not line.proved:
        return "open"
    return f"{at_least(line.lower, 2)} to {at_most(line.upper, 2)}"


def matched(a: vf.Problem, b: vf.Problem) -> str:
    """The same after B's units were permuted: about another point than B."""
    try:
        return barrier(vf.connect(a, b, permute=True, line=True).line)
    except vf.InputError as error:
        return str(error).split(";")[0]


def written(text: str, line: str) -> str:
    """The page with a row in the place of the one of this name, all in the order of `ENTRIES`."""
    start, table, rest = re.split(rf"(?m)(^{re.escape(HEAD)}.*\n(?:\|.*\n)*)", text, maxsplit=1)
    head, bar, *rows = table.splitlines()
    known = {each.split(" | ")[0].removeprefix("| "): each for each in [*rows, line]}
    names = [entry.words for entry in ENTRIES]
    rows = [known[name] for name in names if name in known]
    return start + "\n".join([head, bar, *rows]) + "\n" + rest


def picture(entry: Entry) -> None:
    """Draw the loss along the certified path and along the straight line of all weights."""
    X, y = samples(entry, None)
    a, b = (trained(entry, seed, X, y) for seed in (0, 1))
    ax = vf.plot.connection(vf.connect(a, b, X=X, y=y, line=True))
    ax.figure.savefig(PICTURE, dpi=110, bbox_inches="tight", metadata={"Software": None})


def main(arguments: list[str]) -> None:
    """Run the rows and write each into the page when it is there; ``picture`` draws the first narrow ReLU network."""
    if arguments == ["picture"]:
        picture(next(entry for entry in ENTRIES if entry.name == "ReLU 30"))
        return
    folder = next((Path(each) for each in arguments if Path(each).is_dir()), None)
    names = [each for each in arguments if folder is None or Path(each) != folder]
    for entry in ENTRIES:
        chosen = not names or any(name in entry.words for name in names)
        if chosen and (entry.data == "digits" or folder is not None):
            line = f"| {' | '.join(row(entry, folder))} |"
            print(line, flush=True)
            PAGE.write_text(written(PAGE.read_text("utf-8"), line), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
