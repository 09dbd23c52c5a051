"""Files of weights as people have them: every number exact, every tensor at its place, or one line that names it."""

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from verifier.adapters.weights import read_weights
from verifier.data.arrays import dataset_from_arrays
from verifier.data.dataset import Dataset
from verifier.errors import CaseError
from verifier.network.layers import Conv, Dense
from verifier.network.network import Network

RNG = np.random.default_rng(3)
W0, B0, W1, B1 = (RNG.normal(size=shape) for shape in ((4, 3), (4,), (6, 4), (6,)))
V = RNG.normal(size=(6, 2))
NET = Network(3, [Dense(4, "tanh"), Dense(6, "tanh", skip=True)])
FLAT = np.concatenate([W0.ravel(), B0, W1.ravel(), B1])
OURS = {"layer0.weight": W0, "layer0.bias": B0, "layer1.weight": W1, "layer1.bias": B1}
TORCH = {"0.weight": W0, "0.bias": B0, "2.weight": W1, "2.bias": B1}


def classes(m: int) -> Dataset:
    """Samples of m classes, which is all that is asked of them here."""
    return dataset_from_arrays([[float(k), 0.0, 0.0] for k in range(m)], list(range(m)))


def stored(tmp_path: Path, tensors: dict, name: str = "w.safetensors") -> Path:
    file = tmp_path / name
    if name.endswith(".npz"):
        np.savez(file, **tensors)
    else:
        save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, file)
    return file


def renamed(*names: str, head: dict | None = None) -> dict:
    return dict(zip(names, (W0, B0, W1, B1), strict=True)) | (head or {})


READ = {
    "ours": (OURS | {"V": V}, "V is its V"),
    "ours, V turned": (OURS | {"V": V.T}, "V is its V transposed, 6 x 2"),
    "ours, torch's head": (OURS | {"head.weight": V.T}, "V is 'head.weight' transposed"),
    "Sequential": (TORCH | {"4.weight": V.T}, "V is '4.weight' transposed"),
    "Sequential, zero bias": (TORCH | {"4.weight": V.T, "4.bias": np.zeros(2)}, "its bias '4.bias' is zero"),
    "ModuleList": (
        renamed("layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", head={"head.weight": V.T}),
        "'head.weight' transposed",
    ),
    "fc": (renamed("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", head={"fc3.weight": V.T}), "'fc3.weight'"),
    "out of order": (renamed("z.weight", "z.bias", "a.weight", "a.bias", head={"k.weight": V.T}), "'k.weight'"),
    "V beside torch's names": (TORCH | {"V": V}, "V is its V"),
    "W1, b1": ({"W1": W0, "b1": B0, "W2": W1, "b2": B1, "W3": V.T}, "V is 'W3' transposed"),
    "kernels": (
        {"a/kernel": W0.T, "a/bias": B0, "b/kernel": W1.T, "b/bias": B1, "c/kernel": V},
        "V is 'c/kernel'",
    ),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_tensors_find_their_places(tmp_path, name, ending):
    tensors, words = READ[name]
    found = read_weights(stored(tmp_path, tensors, f"w{ending}"), NET, classes(2))
    assert found.u.tolist() == FLAT.tolist()
    assert found.v.tolist() == V.tolist()
    assert words in found.words and "\n" not in found.words


def test_without_a_head(tmp_path):
    for tensors in (OURS, TORCH):
        found = read_weights(stored(tmp_path, tensors), NET, classes(2))
        assert found.v is None and found.u.tolist() == FLAT.tolist()


def test_a_head_with_one_output(tmp_path):
    """One logit z is the pair (0, z)."""
    found = read_weights(stored(tmp_path, TORCH | {"4.weight": V[:, :1].T}), NET, classes(2))
    assert found.v.tolist() == [[0.0, v] for v in V[:, 0]]
    assert "a head with one logit z is the head (0, z) with two classes" in found.words


def test_numbers_decide_between_equal_shapes(tmp_path):
    net = Network(4, [Dense(4, "tanh"), Dense(4, "tanh"), Dense(4, "tanh", skip=True)])
    weights, biases = RNG.normal(size=(3, 4, 4)), RNG.normal(size=(3, 4))
    head = RNG.normal(size=(4, 4))
    at = (2, 9, 10)  # as texts they would come in another order
    numbered = {f"net.{at[k]}.weight": weights[k] for k in (2, 0, 1)} | {
        f"net.{at[k]}.bias": biases[k] for k in range(3)
    }
    found = read_weights(stored(tmp_path, numbered | {"net.12.weight": head}), net, classes(4))
    assert (
        found.u.tolist() == np.concatenate([np.r_[w.ravel(), b] for w, b in zip(weights, biases, strict=True)]).tolist()
    )
    assert found.v.tolist() == head.T.tolist()  # PyTorch's heads are (m, M)
    listed = {f"layers.{k}.weight": weights[k] for k in range(3)} | {f"layers.{k}.bias": biases[k] for k in range(3)}
    found = read_weights(stored(tmp_path, listed | {"head.weight": head, "head.bias": np.zeros(4)}), net, classes(4))
    assert found.v.tolist() == head.T.tolist() and found.u[:16].tolist() == weights[0].ravel().tolist()
    named = {f"{name}.weight": weights[k] for k, name in enumerate(("enc", "mid", "dec"))}
    named |= {f"{name}.bias": biases[k] for k, name in enumerate(("enc", "mid", "dec"))}
    with pytest.raises(CaseError, match=r"fit in several ways; rename them layer0\.weight"):
        read_weights(stored(tmp_path, named), net, classes(4))


@pytest.mark.parametrize("code", ["BF16", "F16", "F32", "I32", "U8"])
def test_each_type_is_exact(tmp_path, code):
    """BF16 is the upper half of a binary32: its 16 bits are shifted, and nothing is rounded."""
    if code == "BF16":
        bits = RNG.integers(0, 2**15, 12).astype("<u2") & 0xBFFF  # finite, positive
        values = [struct.unpack("<f", struct.pack("<I", int(b) << 16))[0] for b in bits]
        raw = bits.tobytes()
    else:
        dtype = {"F16": "<f2", "F32": "<f4", "I32": "<i4", "U8": "u1"}[code]
        array = RNG.integers(0, 100, 12).astype(dtype) if code[0] in "IU" else RNG.normal(size=12).astype(dtype)
        values, raw = array.astype(float).tolist(), array.tobytes()
    header, data = {}, b""
    for name, array in OURS.items():
        kind, content = (code, raw) if name == "layer0.weight" else ("F64", array.tobytes())
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    head = json.dumps(header).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(head)) + head + data)
    assert read_weights(tmp_path / "w.safetensors", NET, classes(2)).u[:12].tolist() == values


BIASED = Network(3, NET.blocks, output_bias=True)
HEAD = RNG.normal(size=2)
WITH_BIAS = {
    "a head with its bias": (TORCH | {"4.weight": V.T, "4.bias": HEAD}, np.vstack([V, HEAD]), "then its bias '4.bias'"),
    "a head without bias": (TORCH | {"4.weight": V.T}, np.vstack([V, np.zeros(2)]), "its bias zero"),
    "V": (OURS | {"V": np.vstack([V, HEAD])}, np.vstack([V, HEAD]), "its V"),
    "one logit": (
        TORCH | {"4.weight": V.T[1:], "4.bias": HEAD[1:]},
        np.vstack([V, HEAD]) * [0.0, 1.0],
        "[0, '4.weight' transposed, then its bias '4.bias']",
    ),
}


@pytest.mark.parametrize("name", WITH_BIAS)
def test_the_bias_of_a_head_is_the_last_row_of_v(tmp_path, name):
    tensors, v, words = WITH_BIAS[name]
    found = read_weights(stored(tmp_path, tensors), BIASED, classes(2))
    assert found.v.tolist() == v.tolist() and words in found.words


REFUSED = {
    "missing": (
        {k: v for k, v in OURS.items() if k != "layer1.bias"},
        "'layer1.bias' is missing; it must have shape [6]",
    ),
    "unknown": (OURS | {"running_mean": B0}, "unknown tensor 'running_mean'"),
    "unknown in torch's": (TORCH | {"1.running_mean": B0}, "unknown tensor '1.running_mean'"),
    "turned": (OURS | {"layer0.weight": W0.T}, "has shape [3, 4]; the network needs [4, 3]; its transpose fits"),
    "another width": (
        TORCH | {"2.weight": RNG.normal(size=(5, 4))},
        "'2.weight' has shape [5, 4]; the network needs [6, 4]",
    ),
    "another V": (OURS | {"V": V[:5]}, "'V' has shape [5, 2]; the network needs [6, 2]"),
    "another head": (
        TORCH | {"4.weight": RNG.normal(size=(3, 6))},
        "'4.weight' is for 3 classes, and the data have 2",
    ),
    "a head for fewer": (
        TORCH | {"4.weight": RNG.normal(size=(2, 5))},
        "'4.weight' has shape [2, 5]; the head of this network has [2, 6]",
    ),
    "a bias of the head": (
        TORCH | {"4.weight": V.T, "4.bias": np.ones(2)},
        "'4.bias' is not zero, and this network has no output bias; write output_bias = true in [network]",
    ),
    "no bias": ({k: v for k, v in TORCH.items() if k != "2.bias"}, "'2.weight' has no bias"),
    "too many": (TORCH | {"4.weight": W1, "4.bias": B1, "6.weight": V.T}, "4 pairs of weight and bias"),
    "NaN": (
        OURS | {"layer0.bias": np.full(4, np.nan)},
        "tensor 'layer0.bias': entry (0,) is nan, not a finite binary64 number",
    ),
    "2^53 + 1": (OURS | {"layer0.bias": np.full(4, 2**53 + 1)}, "9007199254740993, not exactly a binary64"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(tmp_path, name):
    tensors, words = REFUSED[name]
    with pytest.raises(CaseError) as caught:
        read_weights(stored(tmp_path, tensors), NET, classes(2))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_bias_of_a_filter_that_is_not_tied(tmp_path):
    net = Network((1, 4, 4), [Conv(2, (2, 2), "tanh", skip=True)])
    tensors = {"0.weight": RNG.normal(size=(2, 1, 2, 2)), "0.bias": RNG.normal(size=2)}
    with pytest.raises(CaseError, match=re.escape('one bias for a filter is bias = "tied" in network.layers')):
        read_weights(stored(tmp_path, tensors), net, classes(2))
    tied = Network((1, 4, 4), [Conv(2, (2, 2), "tanh", bias="tied", skip=True)])
    assert read_weights(stored(tmp_path, tensors), tied, classes(2)).u[-2:].tolist() == tensors["0.bias"].tolist()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("w.pt", b"PK\x03\x04", "safetensors.torch.save_file(torch.load('w.pt', weights_only=True)"),
        ("w.pth", b"\x80\x02", "could run any program"),
        ("pytorch_model.bin", b"x", "PyTorch's, a pickle"),
        ("w.h5", b"\x89HDF\r\n", "an HDF5 file"),
        ("w.dat", b"\x89HDF\r\n", "an HDF5 file"),
        ("w.dat", b"\x80\x04x", "a pickle"),
        ("w.npy", b"\x93NUMPY", "one array without a name"),
        ("w.safetensors", b"nonsense", "is not a safetensors file"),
        ("w.npz", b"PK\x03\x04nonsense", "is not a safetensors file"),
        ("w.safetensors", b"", "is not a safetensors file"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaseError) as caught:
        read_weights(tmp_path / name, NET, classes(2))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(CaseError, match="no weights file"):
        read_weights(tmp_path / "none.safetensors", NET, classes(2))


def test_a_head_for_more_classes_is_told_what_to_write(tmp_path):
    """The data have 2 classes, the trained head 10 or 6: the remedy is the key that says so."""
    for head in ({"4.weight": RNG.normal(size=(10, 6))}, {"V": RNG.normal(size=(6, 10))}):
        file = stored(tmp_path, (TORCH if "V" not in head else OURS) | head)
        with pytest.raises(CaseError, match=r"is for 10 classes, and the data have 2; .*in \[data\]: classes=10"):
            read_weights(file, NET, classes(2))
        assert read_weights(file, NET, classes(10)).v.shape == (6, 10)
    assert "transposed" in read_weights(stored(tmp_path, OURS | {"V": V.T}), NET, classes(2)).words
