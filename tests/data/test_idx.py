"""Images in the IDX format and CIFAR records: planted pixels where they were put, dishonest sizes refused."""

import gzip
import struct

import numpy as np
import pytest

from verifier.data.readers import load_dataset
from verifier.errors import DataError

IDX = {0x08: (">u1", [0, 1, 255]), 0x09: (">i1", [-128, 0, 127]), 0x0B: (">i2", [-(2**15), 258, 2**15 - 1])}
IDX |= {0x0C: (">i4", [-(2**31), 16909060, 2**31 - 1]), 0x0D: (">f4", [0.1, -1.5, 2.0**-149])}
IDX |= {0x0E: (">f8", [0.1, -1e300, 5e-324])}


def write_idx(path, array, code=0x08, compress=False):
    head = bytes((0, 0, code, np.ndim(array))) + struct.pack(f">{np.ndim(array)}I", *np.shape(array))
    content = head + np.asarray(array).astype(IDX[code][0]).tobytes()
    path.write_bytes(gzip.compress(content) if compress else content)


@pytest.mark.parametrize("code", IDX)
@pytest.mark.parametrize("compress", [False, True])
def test_idx_is_read_exactly(tmp_path, code, compress):
    values = [float(np.float32(v)) if code == 0x0D else v for v in IDX[code][1]]
    images = np.array([values, values[::-1], values[1:] + values[:1]]).reshape(3, 1, 3)
    suffix = ".gz" if compress else ""
    path = tmp_path / f"t10k-images-idx3-ubyte{suffix}"
    write_idx(path, images, code, compress)
    write_idx(tmp_path / f"t10k-labels-idx1-ubyte{suffix}", [1, 0, 1], compress=compress)
    data = load_dataset(path=path, scale="none")
    assert data.inputs.tolist() == images.reshape(3, 3).tolist()
    assert (data.labels.tolist(), data.classes, data.shape) == ([1, 0, 1], 2, (1, 1, 3))


def test_idx_images_with_their_labels(tmp_path):
    """Planted pixels are found where they were put, scaled by one power of two; the labels may lie anywhere."""
    images = np.zeros((5, 4, 3), dtype=np.uint8)
    images[2, 3, 1], images[4, 0, 2] = 7, 128
    write_idx(tmp_path / "train-images.idx3-ubyte", images)
    write_idx(tmp_path / "train-labels.idx1-ubyte.gz", [0, 2, 1, 0, 2], compress=True)
    data = load_dataset(path=tmp_path / "train-images.idx3-ubyte")
    assert np.argwhere(data.inputs).tolist() == [[2, 3 * 3 + 1], [4, 2]]
    assert (data.inputs[2, 10], data.inputs[4, 2], data.scaling) == (7 / 128, 1.0, "divided by 2^7")
    assert (data.shape, data.classes, data.label_names) == ((1, 4, 3), 3, ("0", "1", "2"))
    first = load_dataset(path=tmp_path / "train-images.idx3-ubyte", samples=3)
    assert (first.inputs == data.inputs[:3]).all() and first.scaling == data.scaling and first.classes == 3
    write_idx(tmp_path / "elsewhere", [2, 1, 0, 0, 0])
    other = load_dataset(path=tmp_path / "train-images.idx3-ubyte", labels=tmp_path / "elsewhere")
    assert other.labels.tolist() == [2, 1, 0, 0, 0]
    for axes, shape in (((5, 12), (12,)), ((5, 3, 2, 2), (3, 2, 2))):
        write_idx(tmp_path / "x.idx", images.reshape(axes))
        found = load_dataset(path=tmp_path / "x.idx", labels=tmp_path / "elsewhere")
        assert found.shape == shape and (found.inputs == data.inputs).all()
    for wrong in (1, 6):
        with pytest.raises(DataError, match="from 2 to 5"):
            load_dataset(path=tmp_path / "train-images.idx3-ubyte", samples=wrong)
    with pytest.raises(DataError, match="give labels = "):
        load_dataset(path=tmp_path / "x.idx")
    with pytest.raises(DataError, match="No such file"):
        load_dataset(path=tmp_path / "none.idx", labels=tmp_path / "elsewhere")
    with pytest.raises(DataError, match="only images in an IDX file"):
        load_dataset("iris", labels=tmp_path / "elsewhere")


def test_a_folder_of_images(tmp_path):
    """One file of images is taken, where torchvision puts it, too; of several it is asked which is meant."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for place in (raw, tmp_path):
        with pytest.raises(DataError, match="is a directory"):
            load_dataset(path=place)
    write_idx(raw / "train-images-idx3-ubyte.gz", np.arange(12).reshape(2, 2, 3) % 2, compress=True)
    write_idx(raw / "train-labels-idx1-ubyte", [1, 0])
    for place in (raw, tmp_path, str(raw)):
        assert load_dataset(path=place).inputs.tolist() == [[0, 1, 0, 1, 0, 1]] * 2
    assert load_dataset(str(raw)).labels.tolist() == [1, 0]
    write_idx(raw / "train-images-idx3-ubyte", np.zeros((2, 2, 3)))  # decompressed beside its archive: the same file
    assert not load_dataset(path=raw, scale="none").inputs.any()
    write_idx(raw / "t10k-images-idx3-ubyte", np.zeros((2, 2, 3)))
    for place in (raw, tmp_path):
        with pytest.raises(DataError, match=r"2 files of images are there; write path = '.*train.*, or path = '.*t10k"):
            load_dataset(path=place)


def test_labels_are_not_taken_for_images(tmp_path):
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", [0, 1])
    with pytest.raises(DataError, match="is it the file of labels"):
        load_dataset(path=tmp_path / "t10k-labels-idx1-ubyte")


def test_idx_declared_sizes_are_compared_before_memory_is_taken(tmp_path):
    write_idx(tmp_path / "train-labels-idx1-ubyte", [0, 1])
    head = bytes((0, 0, 8, 3)) + struct.pack(">3I", 2, 1 << 14, 1 << 14)
    plain, packed = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-images-idx3-ubyte.gz"
    plain.write_bytes(head + bytes(10))
    packed.write_bytes(gzip.compress(head + bytes(1 << 20)))
    with pytest.raises(DataError, match="needs 536870912 bytes of numbers, 10 are there"):
        load_dataset(path=plain)
    with pytest.raises(DataError, match="if it was cut off, or decompress it first"):
        load_dataset(path=packed)


def test_cifar_records(tmp_path):
    images = (np.arange(3 * 3072) * 31 % 256).astype(np.uint8).reshape(3, 3072)
    labels = [1, 0, 1]
    content = b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, images, strict=True))
    (tmp_path / "data_batch_1.bin").write_bytes(content)
    data = load_dataset(path=tmp_path / "data_batch_1.bin")
    assert (data.inputs * 256 == images).all() and data.scaling == "divided by 2^8"
    assert (data.shape, data.labels.tolist()) == ((3, 32, 32), labels)
    (tmp_path / "data_batch_1.bin").write_bytes(content[:-1])
    with pytest.raises(DataError, match="9218 bytes are not records of 3073"):
        load_dataset(path=tmp_path / "data_batch_1.bin")
