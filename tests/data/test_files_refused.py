"""Files that cannot be read as they are: one line names the place, and each remedy that it prints works as printed."""

import gzip
import io
import json
import re
import tomllib
import zipfile

import numpy as np
import pytest

from verifier.data.readers import load_dataset
from verifier.errors import DataError

REMEDY = re.compile(r'data\.([a-z]+) = ("[^"]*"|\[[^\]]*\]|[-\w.]+)')


def write(tmp_path, content, name="data.csv"):
    file = tmp_path / name
    file.unlink(missing_ok=True)  # a file that is cut to nothing and written again waits for the disk
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def remedies(message):
    """Read the choices in a message: each is a table of keys, as one would write them into [data]."""
    found = []
    for choice in re.split(r",? or (?=data\.|naming)", message):
        keys = {m[1]: tomllib.loads(f"value = {m[2]}")["value"] for m in REMEDY.finditer(choice)}
        if keys:
            found.append(keys)
    return found


def refused(tmp_path, content, name="data.csv", **options):
    file = write(tmp_path, content, name)
    with pytest.raises(DataError) as caught:
        load_dataset(path=file, **options)
    message = str(caught.value)
    assert "\n" not in message and (name in message or options)
    return file, message


COUNTED = "".join(f"{k},{k * k}.5,{k % 3}.25,{k % 2}\n" for k in range(1, 9))
IDS = "".join(f"{84230 + 17 * k},{k * k}.5,{k % 3}.25,{'MB'[k % 2]}\n" for k in range(12))

ASKED = {
    "missing": ("a,b,l\n1,2,x\n2,,y\n3,4,y\n", "line 3, column 2 'b': '' is a missing value", 2),
    "question mark": ("1,2,x\n2,?,y\n3,4,y\n", "line 2, column 2: '?' is a missing value", 2),
    "missing label": ("a,b,l\n1,2,x\n2,3,\n3,4,y\n", "line 3, column 3 'l': the label is missing", 1),
    "all missing": ("a,b,c,l\n1,,2,x\n2,,3,y\n", "line 2, column 2 'b': '' is a missing value", 1),
    "text": ("a,town,l\n1,Rome,x\n2,Oslo,y\n", "line 2, column 2 'town': 'Rome' is not a number", 1),
    "texts": ("a,town,zone,l\n1,Rome,e,x\n2,Oslo,f,y\n", "'Rome' is not a number (zone likewise)", 1),
    "dates": ("when,a,l\n2020-01-01,1,x\n2020-01-02,2,y\n", "column 1 'when': '2020-01-01' is a date or a time", 1),
    "percent": ("a,p,l\n1,10%,x\n2,20%,y\n", "column 2 'p': '10%' is a percentage", 1),
    "money": ("a,p,l\n1,$10.50,x\n2,€20,y\n".encode(), "'$10.50' is an amount of money", 1),
    "infinity": ("a,b,l\n1,2,x\n2,-inf,y\n", "line 3, column 2 'b': '-inf' is not finite", 1),
    "a mistake": ("a,b,l\n1,2,x\n2,3.o,y\n3,4,x\n", "line 3, column 2 'b': '3.o' is not a number", 1),
    "names with quotes": ('a,"t ""x""",l\n1,u,x\n2,v,y\n', "'u' is not a number", 1),
    "equal names": ("a,a,l\n1,u,x\n2,v,y\n", "column 2 'a': 'u' is not a number", 1),
    "counts rows": (COUNTED, "column 1 counts the rows 1, 2, ...", 2),
    "one text alone": ("1.5,s,1\n2.5,s,0\n3.5,s,1\n", "column 2 holds texts", 1),
    "identifiers": (IDS, "column 1 has integers such as 84230", 2),
    "two classes": ("a,b,no,yes\n1,2.5,1,0\n2,3.5,0,1\n", "column 3 'no' and column 4 'yes' are 0 and 1", 2),
    "get_dummies": (
        "a,k_u,k_v,s_m,s_f\n1.5,1,0,1,0\n2.5,0,1,0,1\n3.5,0,1,0,0\n4.5,1,0,0,1\n",
        "several columns of 0 and 1 may be classes",
        2,
    ),
    "two labels": ("class,a,target\n1,1.5,0\n0,2.5,1\n", "2 columns are named as labels", 2),
    "last is real": ("1,1.5,1.25\n2,2.5,2.5\n", "the last, column 3, has '1.25'", 1),
    "last has many values": (
        "".join(f"{k % 3},{k}.5,{1000 + 7 * k}\n" for k in range(12)),
        "the last, column 3, has 12 values in 12 rows",
        1,
    ),
    "text or last": ("sex,a,rings\nm,1.5,1\nf,2.5,2\nm,3.5,1\n", "column 1 'sex' holds text", 2),
    "texts, then numbers": ("sex,town,a,rings\nm,R,1.5,1\nf,O,2.5,2\nm,R,3.5,1\n", "2 columns hold texts", 3),
    "texts, real last": (
        "who,sex,class of,fare\na,m,1,7.25\nb,f,2,8.5\nc,m,1,9.25\n",
        "2 columns hold texts",
        3,
    ),
    "thousands or decimals": ("1,200;3;x\n2,300;4;y\n", "column 1: '1,200' may be 1200 or 1.200", 2),
    "german thousands alone": ("1.200;3,5;x\n2.300;4,5;y\n", "column 1: '1.200' may be 1200 or 1.200", 1),
    "points in a german file": ("1.200;2.500;x\n2.300;3.500;y\n", "'1.200' may be 1200 or 1.200", 2),
    "counts columns or a sample": ("0,1,2\n1,5,2\n2,7,1\n", "0,1,2 may count the columns or be a sample", 2),
    "wavelengths": (
        "400.5,410,420.25,k\n1.5,2,3,a\n2.5,3,4,b\n3.5,4,5,a\n3.5,4,6,b\n",
        "column 4 is 'k', which occurs nowhere below",
        2,
    ),
    "years": ("2019,2020,2021,k\n1.5,2,3,a\n2.5,3,4,b\n3.5,4,5,a\n", "may be the columns' names or a sample", 2),
    "2^53 + 1": ("9007199254740993,1,x\n9007199254740992,2,y\n", "'9007199254740993' is an integer that binary64", 1),
    "equal in binary64": ("0.1,1,x\n0.10000000000000000555,2,y\n", "are different, but the same in binary64", 1),
}


@pytest.mark.parametrize("name", ASKED)
def test_a_question_and_its_remedies(tmp_path, name):
    content, words, count = ASKED[name]
    file, message = refused(tmp_path, content)
    assert words in message
    found = remedies(message)
    assert len(found) == count
    for keys in found:
        data = load_dataset(path=file, **keys)
        assert data.samples >= 1 and data.dimension >= 1


def test_the_remedy_for_very_many_columns_is_not_cut(tmp_path):
    """A message is at most 900 characters long: names that do not fit in become indices, or the other columns."""
    count = 300
    head = ",".join(["a", *(f"a rather long name of column {k}" for k in range(count)), "l"])
    rows = "".join(",".join([f"{k}.5", *["x"] * count, "uv"[k % 2]]) + "\n" for k in range(4))
    file, message = refused(tmp_path, f"{head}\n{rows}")
    (keys,) = remedies(message)
    assert load_dataset(path=file, **keys).dimension == 1


def test_a_line_that_may_be_names_with_a_mistake(tmp_path):
    """The first line is neither taken as a sample nor left out as a header."""
    file, message = refused(tmp_path, "o.2,3.5,a\n4.9,3.0,a\n6.0,2.2,b\n")
    assert "line 1: column 1 is 'o.2', but '4.9' below" in message
    assert remedies(message) == [{"header": True}, {"header": False}]
    assert load_dataset(path=file, header=True).samples == 2
    with pytest.raises(DataError, match=r"line 1, column 1: 'o\.2' is not a number"):
        load_dataset(path=file, header=False)


FLAT = {
    "empty": ("", {}, "the file is empty"),
    "blank": ("\n \n", {}, "no lines with data"),
    "comments alone": ("# a\n# b\n", {}, "no lines with data (lines 1, 2 are comments)"),
    "header alone": ("a,b,l\n", {}, "only a header line"),
    "one row": ("a,b,l\n1,2,x\n", {}, "1 class among the labels ('x')"),
    "one column": ("a\n1\n2\n", {}, "one column only"),
    "ragged": ("a,b,l\n1,2,x\n1,x\n", {}, "line 3 has 2 cells, line 1 has 3: from column 3 on"),
    "ragged first": ("1,2\n1,2,x\n1,3,y\n", {}, "line 2 has 3 cells, line 1 has 2"),
    "both marks": ("1,5;2.25;x\n2,5;3.75;y\n", {}, "column 2 has '2.25' with a decimal point, column 1 has '1,5'"),
    "mark said": ("a,b,l\n1.5,2,x\n2.5,3,y\n", {"decimal": ","}, "'1.5' is not a number with a decimal comma"),
    "units": (
        "a,b,l\ncm,kg,k\n1.5,2,x\n2.5,3,y\n",
        {},
        "line 2, column 1 'a': 'cm' is not a number, nor are the others",
    ),
    "a quotation mark": ('1,2,x\n3,"4,y\n', {}, "line 2: unexpected end of data; close the quotation mark before it"),
    "unknown label": ("a,b,kind\n1,2,x\n2,3,y\n", {"label": "kin"}, "did you mean 'kind'"),
    "unknown drop": ("a,b,l\n1,2,x\n2,3,y\n", {"drop": ["c"]}, "data.drop = 'c' is not in the header line"),
    "index too large": ("a,b,l\n1,2,x\n2,3,y\n", {"columns": [3]}, "index -3..2"),
    "named without header": ("1,2,x\n2,3,y\n", {"label": "l"}, "no header line; give an index 0..2"),
    "label dropped": ("a,b,l\n1,2,x\n2,3,y\n", {"label": "l", "drop": ["l"]}, "which is the label"),
    "dropped and used": ("a,b,l\n1,2,x\n2,3,y\n", {"columns": ["a"], "drop": ["a"]}, "both name column 1 'a'"),
    "no input left": ("a,l\n1,x\n2,y\n", {"drop": ["a"], "label": "l"}, "no column is left as an input"),
    "drop as text": ("a,l\n1,x\n2,y\n", {"drop": "a"}, 'such as ["id"] or [0]'),
    "missing said wrongly": ("a,l\n1,x\n2,y\n", {"missing": "mean"}, 'must be "drop rows"'),
    "delimiter said wrongly": ("a,l\n1,x\n2,y\n", {"delimiter": "a"}, "must be one character"),
    "decimal said wrongly": ("a,l\n1,x\n2,y\n", {"decimal": ";"}, 'must be "." or ","'),
    "header said wrongly": ("a,l\n1,x\n2,y\n", {"header": "yes"}, "must be true or false"),
    "not one-hot": ("a,p,q\n1,1,0\n2,1,1\n", {"label": ["p", "q"]}, "line 3: 2 of the 2 label columns are 1"),
    "not 0 or 1": ("a,p,q\n1,1,0\n2,0,2\n", {"label": ["p", "q"]}, "line 3, column 3 'q': '2' is not 0 or 1"),
    "labels beyond all": ("a,b\n1,1e999999999\n2,3\n", {"label": "b"}, "label 1e999999999 is not an integer"),
    "labels near 0": ("a,b\n1,1e-999999999\n2,3\n", {"label": "b"}, "label 1e-999999999 is not an integer"),
    "one letter": ("a,s,l\n1,F,x\n2,F,y\n", {}, "column 2 's': 'F' is not a number"),
    "real label": ("a,b\n1,2.5\n2,3\n", {"label": "b"}, "line 2, column 2 'b': label 2.5 is not an integer"),
    "a first NaN": ("NaN,a\n1,b\n", {}, "line 1, column 1: 'NaN' is a missing value"),
    "longer": ("1,2,a\n\n3,4,5,b\n", {}, "line 3 has 4 cells"),
    "beyond all": ("1,a\n1e999,b\n", {}, "beyond binary64"),
    "near 0": ("1,a\n1e-999,b\n", {}, "below binary64"),
    "underscores": ("1,a\n1_0,b\n", {}, "not a number"),
    "hexadecimal": ("1,a\n0x10,b\n", {}, "not a number"),
    "one class of numbers": ("1,0\n2,0\n", {}, "1 class among the labels"),
    "nothing but reals": ("1.5,0\n2,1.5\n", {}, "no column holds classes: the last, column 2, has '1.5'"),
    "two of a name": ("x,x\n1,0\n2,1\n", {"label": "x"}, "names 2 columns"),
    **{f"label = {k}": ("1,0\n2,1\n", {"label": k}, "index -2..1") for k in (2, -3, True, 1.5)},
    "scaling loses bits": ("1e300,0\n1e-300,1\n", {"scale": "auto"}, "loses bits"),
    "scaling overflows": ("1,0\n2,1\n", {"scale": 2000}, "overflows"),
    "layout": ("a,l\n1,x\n2,y\n", {"layout": "channels last"}, "is for an .npz archive"),
    "json": ('[{"a": 1}]', {}, "JSON; it is not read here, convert it: pandas.read_json('data.csv')"),
    "html": ("<html><table></table></html>", {}, "a page of HTML"),
    "libsvm": ("1 1:0.5 3:1.2\n-1 2:0.5\n", {}, "sklearn.datasets.load_svmlight_file('data.csv')"),
    "zeros": (b"1,2\0\0\0,x\n\0\0\0", {}, "byte 3 is 0, so this is no text"),
    "noise": (bytes(range(1, 256)), {}, "neither text nor"),
    "bad utf-16": (b"\xff\xfe1\x00,", {}, "is not UTF-16-LE"),
    "bad gzip": (gzip.compress(b"1,x\n2,y\n" * 99)[:-9], {}, "not a sound gzip file"),
    "parquet": (b"PAR1....", {}, "a Parquet file"),
}


@pytest.mark.parametrize("name", FLAT)
def test_what_no_key_can_mend(tmp_path, name):
    content, options, words = FLAT[name]
    _, message = refused(tmp_path, content, **options)
    assert words in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.xlsx", "pandas.read_excel('a.xlsx')"),
        ("a.parquet", "pandas.read_parquet('a.parquet')"),
        ("a.pkl", "could run any program"),
        ("a.pt", "weights_only=True"),
        ("a.json", "pandas.read_json('a.json')"),
        ("a.mat", "scipy.io.loadmat('a.mat')"),
        ("a.npy", "numpy.load('a.npy')"),
        ("a.h5", "h5py.File('a.h5')"),
        ("a.json.gz", "JSON"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, name, words):
    _, message = refused(tmp_path, "anything", name)
    assert words in message


def test_archives_of_several_files_and_bombs(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.csv", "1,x\n")
        archive.writestr("b.csv", "1,x\n")
    assert "a zip archive of 2 files" in refused(tmp_path, stream.getvalue(), "d.zip")[1]
    assert "decompress the file first" in refused(tmp_path, gzip.compress(b"1,x\n" * 2**22), "d.csv.gz")[1]
    with pytest.raises(DataError, match="is a directory"):
        load_dataset(path=tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("@data\n", "@data\n{0 1, 3 b}\n"), "line 5: sparse data"),
        (("1.5,2,a", "1.5,2,c"), "line 5, column 3 'k': 'c' is none of the declared values"),
        (("1.5,2,a", "1.5,z,a"), "line 5, column 2 'y': 'z' is not a number"),
        (("1.5,2,a", "1.5,2"), "line 5 has 2 cells for 3 attributes"),
        (("1.5,2,a", "1.5,2,a,{5}"), "a weight {5} of a sample is not covered"),
        (("numeric\n", "relational\n"), "line 1: the attribute 'x' has type 'relational'"),
        (("@data", "@dta"), "line 4: '@dta' is no line of an ARFF header"),
        (("@attribute y", "@attribute x"), "the attribute 'x' occurs twice"),
        (("1.5,2,a\n2.5,3,b\n", ""), "no samples behind @data"),
        (("1.5,2", "1.5,?"), "line 5, column 2 'y': '?' is a missing value"),
    ],
)
def test_bad_arff(tmp_path, change, words):
    text = "@attribute x numeric\n@attribute y real\n@attribute k {a,b}\n@data\n1.5,2,a\n2.5,3,b\n"
    _, message = refused(tmp_path, text.replace(*change), "d.arff")
    assert words in message


def test_texts_of_any_bytes_end_in_one_line(tmp_path):
    """Random tables of the characters that matter: read, or refused by a `DataError`."""
    rng = np.random.default_rng(5)
    alphabet = [*"0123456789.,;:|\t \n\n\n\r\"'#%{}[]?-+eEaxyNn", "nan", "True", "@data\n", "1,2\n", "\u2212", "é"]
    for trial in range(400):
        text = "".join(rng.choice(alphabet, size=int(rng.integers(1, 80))))
        file = write(tmp_path, text.encode(["utf-8", "utf-16"][trial % 2]), ["d.csv", "d.arff"][trial % 3 == 0])
        try:
            load_dataset(path=file, missing=[None, "drop rows"][trial % 4 == 0])
        except DataError as error:
            assert "\n" not in str(error)


def test_the_remedy_in_a_case_file(tmp_path):
    """The keys of a case file are those of the messages, and a case carries them to the reader."""
    from verifier.run.case import read_case
    from verifier.run.case_problem import case_dataset

    write(tmp_path, "id,a,town,l\n7,1.5,R,x\n9,?,O,y\n8,2.5,R,y\n")
    network = '\n[network]\nlayers = [{ kind = "dense", width = 9, activation = "tanh", skip = true }]\n'
    keys: dict[str, object] = {}
    for _ in range(3):
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        (tmp_path / "c.toml").write_text(f'[data]\npath = "data.csv"\n{lines}{network}')
        try:
            data = case_dataset(read_case(tmp_path / "c.toml"))
            break
        except DataError as error:
            keys |= remedies(str(error))[0]
    assert keys == {"missing": "drop rows", "drop": ["town"]}
    assert data.inputs.tolist() == [[0.5 * 1.5], [0.5 * 2.5]] or data.inputs.shape == (2, 1)
    assert "left out" in data.understood and "'id'" in data.understood


def test_one_hot_columns_at_the_front_and_a_title_are_told_what_to_write(tmp_path):
    rows = "".join(f"{i % 3 == 0:d},{i % 3 == 1:d},{i % 3 == 2:d},{i * i / 8}\n" for i in range(12))
    _, message = refused(tmp_path, "k_a,k_b,k_c,x\n" + rows)
    assert remedies(message) == [{"label": ["k_a", "k_b", "k_c"]}]
    assert load_dataset(path=tmp_path / "data.csv", label=["k_a", "k_b", "k_c"]).classes == 3
    _, message = refused(tmp_path, "Measured in May\nx,y,k\n1,2,0\n3,4,1\n5,7,0\n")
    assert message.endswith("delete line 1 if it is a title")
    assert "title" not in refused(tmp_path, "x,y,k\n1,2,0\n3,4\n")[1]
