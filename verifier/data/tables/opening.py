"""Opening a file of data: decompressed, decoded, or refused by the name of what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, Final, cast

from verifier.data.files import UNSOUND, is_bomb, open_regular
from verifier.errors import DataError, one_line

MAX_BYTES: Final = 4 * 2**30
"""Largest file, and largest array inside an archive: 4 GiB."""
CHUNK: Final = 2**20

ENDINGS: Final = (".gz", ".bz2", ".xz", ".zip")
"""Endings of compressed files, which say nothing about what is inside."""
_MAGIC: Final = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"PK\x03\x04": "zip"}
_ARRAYS: Final = "numpy.savez('data.npz', X=X, y=y)"
_FOREIGN: Final = {
    "xlsx xlsm xlsb xls ods": ("a spreadsheet", "pandas.read_excel({0}).to_csv('data.csv', index=False)"),
    "parquet pq": ("a Parquet file", "pandas.read_parquet({0}).to_csv('data.csv', index=False)"),
    "feather arrow": ("a Feather file", "pandas.read_feather({0}).to_csv('data.csv', index=False)"),
    "json": ("JSON", "pandas.read_json({0}).to_csv('data.csv', index=False)"),
    "jsonl ndjson": ("JSON lines", "pandas.read_json({0}, lines=True).to_csv('data.csv', index=False)"),
    "pkl pickle p joblib": (
        "a pickle, which could run any program when it is read",
        f"pandas.read_pickle({{0}}), only if you trust it, then {_ARRAYS}",
    ),
    "pt pth ckpt": (
        "a file of PyTorch, a pickle",
        f"torch.load({{0}}, weights_only=True), then {_ARRAYS}",
    ),
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
    b"\x80\x02": "pkl",
    b"\x80\x03": "pkl",
    b"\x80\x04": "pkl",
    b"\x80\x05": "pkl",
    b"7z\xbc\xaf": "7z",
    b"RDX": "rda",
}


def foreign(name: str, ending: str) -> DataError:
    """Make the refusal of a file of another kind, by its ending without the dot."""
    words, remedy = next(found for endings, found in _FOREIGN.items() if ending in endings.split())
    shown = repr(name) if len(name) <= 80 else "FILE"
    return DataError(f"{name}: {words}; it is not read here, convert it: {remedy.format(shown)}")


def is_foreign(name: str) -> str | None:
    """Return the ending, without the dot, of a name that says what cannot be read here."""
    ending = Path(bare_name(name)).suffix.lower().lstrip(".")
    return ending if any(ending in endings.split() for endings in _FOREIGN) else None


def bare_name(name: str) -> str:
    """Return a file's name without the endings of compression."""
    lowered = name.lower()
    ending = next((end for end in ENDINGS if lowered.endswith(end)), "")
    return name[: len(name) - len(ending)] if ending else name


def opened(file: Path) -> BinaryIO:
    """Open a file that is there, regular and not empty; the caller closes it.

    Raises
    ------
    DataError
        One line that says why it cannot be.
    """
    try:
        stream = open_regular(file, MAX_BYTES)
    except IsADirectoryError:
        raise DataError(f"path = {one_line(str(file))}: is a directory; give one file, such as .csv or .npz") from None
    except OSError as error:
        raise DataError(f"path = {one_line(str(file))}: {error.strerror}; check the path") from None
    if os.fstat(stream.fileno()).st_size == 0:
        stream.close()
        raise DataError(f"path = {one_line(str(file))}: the file is empty; write samples into it")
    return stream


def read_content(file: Path) -> tuple[str, bytes]:
    """Read a file, decompressed if it is compressed.

    Parameters
    ----------
    file : Path
        Plain, or one file compressed by gzip, bzip2, xz or zip.

    Returns
    -------
    name : str
        The name of what was inside, without the ending of the compression.
    content : bytes
        At most `MAX_BYTES`.

    Raises
    ------
    DataError
        It cannot be read, is a decompression bomb, holds several files, or is of a kind that is not read here.
    """
    with opened(file) as stream:
        size = os.fstat(stream.fileno()).st_size
        start = stream.read(8)
        stream.seek(0)
        packing = next((words for magic, words in _MAGIC.items() if start.startswith(magic)), None)
        try:
            if packing is None:
                name, content = file.name, stream.read()
            elif packing == "zip":
                name, content = _unzipped(file.name, stream)
            else:
                name, content = bare_name(file.name), _unpacked(file.name, _decompressor(packing, stream), size)
        except (*UNSOUND, lzma.LZMAError, zlib.error) as error:
            raise DataError(
                f"{file.name}: not a sound {packing} file ({one_line(str(error))}); fetch it again"
            ) from None
    if not content:
        raise DataError(f"path = {one_line(str(file))}: the file is empty; write samples into it")
    kind = next((ending for magic, ending in _BEGINNINGS.items() if content.startswith(magic)), None)
    if kind is not None or is_foreign(name) is not None:
        raise foreign(file.name, kind or is_foreign(name) or "")
    return name, content


def _decompressor(packing: str, stream: BinaryIO) -> IO[bytes]:
    if packing == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    return cast(IO[bytes], bz2.BZ2File(stream) if packing == "bzip2" else lzma.LZMAFile(stream))


def _unpacked(name: str, stream: IO[bytes], size: int) -> bytes:
    """Read a compressed stream, and stop where it becomes more than data."""
    found = io.BytesIO()
    while chunk := stream.read(CHUNK):
        found.write(chunk)
        if found.tell() > MAX_BYTES or is_bomb(found.tell(), size):
            raise DataError(f"{name}: {size} bytes hold more than {found.tell() - 1}; decompress the file first")
    return found.getvalue()


def _unzipped(name: str, stream: BinaryIO) -> tuple[str, bytes]:
    with zipfile.ZipFile(stream) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and "__MACOSX" not in info.filename]
        names = [info.filename for info in members]
        if "[Content_Types].xml" in names:
            raise foreign(name, "xlsx")
        if any(member.endswith("data.pkl") for member in names):
            raise foreign(name, "pt")
        if "mimetype" in names:
            raise foreign(name, "ods")
        if len(members) != 1:
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise DataError(
                f"{name}: a zip archive of {len(members)} files ({one_line(shown)}); give one of them alone"
            )
        with archive.open(members[0]) as inside:
            return Path(members[0].filename).name, _unpacked(name, inside, max(1, members[0].compress_size))


def decoded(name: str, content: bytes) -> tuple[str, str]:
    """Decode a text: UTF-8, UTF-16 or UTF-32 with their marks, UTF-16 without, else Windows-1252 or Latin-1.

    Returns
    -------
    text : str
        Without a byte order mark.
    encoding : str
        What it was, in words; empty for UTF-8.

    Raises
    ------
    DataError
        It is no text.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strict(name, content[len(mark) :], encoding), "" if encoding == "utf-8" else encoding.upper()
    pairs = content[: 2 * (len(content[:4096]) // 2)][:4096]
    if pairs and b"\0" in pairs:
        for encoding, zeros, others in (("utf-16-le", pairs[1::2], pairs[::2]), ("utf-16-be", pairs[::2], pairs[1::2])):
            if zeros.count(0) > 0.8 * len(zeros) and others.count(0) == 0:
                return _strict(name, content, encoding), encoding.upper()
        raise DataError(
            f"{name}: byte {content.index(0)} is 0, so this is no text; give a text file such as CSV, or a .npz"
        )
    try:
        return content.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    if re.search(rb"[\x01-\x08\x0e-\x1a\x7f]", content[:65536]):
        raise DataError(
            f"{name}: neither text nor an archive that is read here; give a text file such as CSV, or a .npz"
        )
    try:
        return content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return content.decode("latin-1"), "Latin-1"


_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def _strict(name: str, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name}: byte {error.start} is not {encoding.upper()}, which its first bytes announce; save the file as"
            " UTF-8 text"
        ) from None
