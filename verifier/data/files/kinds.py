"""Kinds of files that are not read here, by their endings and first bytes: what they are, and how to convert them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from verifier.errors import DataError

Kinds: TypeAlias = Mapping[str, tuple[str, str]]
"""By endings without their dots: what such a file is, and how to convert it, ``{0}`` for its name."""

PICKLE: Final = "a pickle, which could run any program when it is read"
_ARRAYS: Final = "numpy.savez('data.npz', X=X, y=y)"
NOT_SAMPLES: Final = {
    "xlsx xlsm xlsb xls ods": ("a spreadsheet", "pandas.read_excel({0}).to_csv('data.csv', index=False)"),
    "parquet pq": ("a Parquet file", "pandas.read_parquet({0}).to_csv('data.csv', index=False)"),
    "feather arrow": ("a Feather file", "pandas.read_feather({0}).to_csv('data.csv', index=False)"),
    "json": ("JSON", "pandas.read_json({0}).to_csv('data.csv', index=False)"),
    "jsonl ndjson": ("JSON lines", "pandas.read_json({0}, lines=True).to_csv('data.csv', index=False)"),
    "pkl pickle p joblib": (PICKLE, f"pandas.read_pickle({{0}}), only if you trust it, then {_ARRAYS}"),
    "pt pth ckpt": ("a file of PyTorch, a pickle", f"torch.load({{0}}, weights_only=True), then {_ARRAYS}"),
    "mat": ("a MATLAB file", f"scipy.io.loadmat({{0}}), then {_ARRAYS}"),
    "h5 hdf5 hdf": ("an HDF5 file", f"h5py.File({{0}}), then {_ARRAYS}"),
    "npy": ("one array, without labels", f"X = numpy.load({{0}}), then {_ARRAYS}"),
    "svm libsvm svmlight": (
        "a LIBSVM file",
        "X, y = sklearn.datasets.load_svmlight_file({0}), then numpy.savez('data.npz', X=X.toarray(), y=y)",
    ),
    "dta": ("a Stata file", "pandas.read_stata({0}).to_csv('data.csv', index=False)"),
    "sav": ("an SPSS file", "pandas.read_spss({0}).to_csv('data.csv', index=False)"),
    "sas7bdat xpt": ("a SAS file", "pandas.read_sas({0}).to_csv('data.csv', index=False)"),
    "rds rda rdata": ("a file of R", "write.csv(data, 'data.csv', row.names = FALSE) in R"),
    "xml": ("XML", "pandas.read_xml({0}).to_csv('data.csv', index=False)"),
    "html htm": ("a page of HTML", "pandas.read_html({0})[0].to_csv('data.csv', index=False)"),
    "db sqlite sqlite3": ("a database", "write a table of it as CSV"),
    "tar tgz 7z rar": ("an archive of several files", "unpack it and give one file"),
    "png jpg jpeg gif bmp tif tiff": ("a picture", f"make an array of all pictures, then {_ARRAYS}"),
    "safetensors onnx": ("a file of weights, not of samples", "give it as start.file"),
    "toml": ("a case file, not one of samples", "verifier run {0}"),
}
"""Files that hold no samples, or not in a way that is read here."""
_BEGINNINGS: Final = {
    b"PAR1": "parquet",
    b"ARROW1": "feather",
    b"\x89HDF": "h5",
    b"\x93NUMPY": "npy",
    b"\xd0\xcf\x11\xe0": "xls",
    b"SQLite": "db",
    b"MATLAB": "mat",
    b"\x89PNG": "png",
    b"\xff\xd8\xff": "jpg",
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "pkl"),  # the protocols of pickle
    b"7z\xbc\xaf": "7z",
    b"RDX": "rda",
}
"""First bytes of files whatever they are called, and their usual ending."""


def ending_of(name: str) -> str:
    """Return a file's ending in lower case and without the dot, "" if it has none."""
    return Path(name).suffix.lower().lstrip(".")


def ending_by_beginning(content: bytes) -> str | None:
    """Return the usual ending of files that begin with such bytes; None if these bytes say nothing."""
    return next((ending for magic, ending in _BEGINNINGS.items() if content.startswith(magic)), None)


def kind_of(kinds: Kinds, ending: str | None) -> tuple[str, str] | None:
    """Return what files with an ending are and how to convert them; None if ``kinds`` has no such ending."""
    return next((kind for endings, kind in kinds.items() if ending in endings.split()), None)


def not_samples(name: str, ending: str) -> DataError:
    """Make the refusal of a file without samples: what it is, by an ending of `NOT_SAMPLES`, and how to convert it."""
    words, remedy = kind_of(NOT_SAMPLES, ending) or ("of an unknown kind", "write it as CSV")
    shown = repr(name) if len(name) <= 80 else "FILE"
    return DataError(f"{name}: {words}; it is not read here, convert it: {remedy.format(shown)}")
