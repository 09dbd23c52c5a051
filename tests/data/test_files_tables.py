"""Tables as people have them: each dialect gives exactly the numbers and labels that its text says."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zipfile
from fractions import Fraction

import pytest

from verifier.data.readers import load_dataset

NAMES = ("sl", "sw", "pl", "pw")
HEAD = "sl,sw,pl,pw,species\n"
ROWS = (
    ("5.1", "3.5", "1.4", "0.2", "setosa"),
    ("4.9", "3.0", "1.4", "0.2", "setosa"),
    ("6.0", "2.2", "4.0", "1.0", "versicolor"),
    ("6.1", "2.9", "4.7", "1.4", "versicolor"),
    ("5.8", "2.7", "5.1", "1.9", "virginica"),
    ("7.1", "3.0", "5.9", "2.1", "virginica"),
)
BODY = "".join(",".join(row) + "\n" for row in ROWS)
CODED = BODY.replace("setosa", "0").replace("versicolor", "1").replace("virginica", "2")
TRUE = [(row[:4], row[4]) for row in ROWS]


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return stream.getvalue()


def numbered(text, start=0, head=""):
    """The lines with a column that counts them, as pandas and R write it."""
    lines = text.splitlines()
    first = [f"{head},{lines.pop(0)}\n"] if not lines[0][0].isdigit() else []
    return "".join([*first, *(f"{k},{line}\n" for k, line in enumerate(lines, start))])


SAME = {
    "plain.csv": HEAD + BODY,
    "bare.data": BODY + "\n\n",
    "semi.csv": (HEAD + BODY).replace(",", ";"),
    "tabs.tsv": (HEAD + BODY).replace(",", "\t"),
    "bars.txt": (HEAD + BODY).replace(",", "|"),
    "blanks.txt": BODY.replace(",", "   "),
    "aligned.dat": "".join(" ".join(f"{cell:>12}" for cell in row) + "\n" for row in ROWS),
    "double-tabs.txt": BODY.replace(",", "\t").replace("\t3", "\t\t3"),
    "spaced.csv": (HEAD + BODY).replace(",", " , "),
    "german.csv": (HEAD + BODY).replace(",", ";").replace(".", ","),
    "german.txt": (HEAD + BODY).replace(",", "\t").replace(".", ","),
    "german-bare.txt": BODY.replace(",", " ").replace(".", ","),
    "comments.csv": "# by hand\n\n" + HEAD + "% in between\n" + BODY + "# end\n",
    "savetxt.csv": "# sl,sw,pl,pw,species\n" + BODY,
    "trailing.csv": (HEAD + BODY).replace("\n", ",\n"),
    "trailing-rows.csv": HEAD + BODY.replace("\n", ",\n"),
    "trailing-head.csv": HEAD.replace("\n", ",\n") + BODY,
    "excel.csv": "sep=;\r\n" + (HEAD + BODY).replace(",", ";").replace("\n", "\r\n"),
    "mac.csv": (HEAD + BODY).replace("\n", "\r"),
    "bom.csv": ("\ufeff" + HEAD + BODY).encode(),
    "utf-16.csv": (HEAD + BODY).encode("utf-16"),
    "utf-16-be.csv": ("\ufeff" + HEAD + BODY).encode("utf-16-be"),
    "utf-16-bare.csv": (HEAD + BODY).encode("utf-16-le"),
    "utf-32.csv": (HEAD + BODY).encode("utf-32"),
    "quoted.csv": "".join('"' + line.replace(",", '","') + '"\n' for line in (HEAD + BODY).splitlines()),
    "short.csv.gz": gzip.compress((HEAD + BODY).encode()),
    "short.csv.bz2": bz2.compress((HEAD + BODY).encode()),
    "short.csv.xz": lzma.compress((HEAD + BODY).encode()),
    "short.zip": zipped(d_csv=HEAD + BODY),
    "really-gzip.csv": gzip.compress(BODY.encode()),
    "no-ending": BODY,
    "index.csv": numbered(HEAD + BODY),
    "unnamed.csv": numbered(HEAD + BODY, head="Unnamed: 0"),
    "filtered.csv": numbered(HEAD + BODY).replace("\n4,", "\n40,").replace("\n5,", "\n50,"),
    "r.csv": HEAD + numbered(BODY, 1),
    "id.csv": numbered(HEAD + BODY, 1, "Id"),
    "positions.csv": "0,1,2,3,4\n" + BODY,
    "positions-index.csv": ",0,1,2,3,4\n" + numbered(BODY),
    "positions-target.csv": "0,1,2,3,target\n" + BODY,
    "scikit-learn.csv": "6,4,setosa,versicolor,virginica\n" + CODED,
    "empty-column.csv": HEAD.replace("\n", ",Unnamed: 5\n") + BODY.replace("\n", ",\n"),
}


def check(data, expected):
    """Inputs are the binary64 nearest to the fractions of the texts; labels are the named classes."""
    assert data.inputs.tolist() == [[float(Fraction(cell)) for cell in cells] for cells, _ in expected]
    assert [data.label_names[k] for k in data.labels] == [label for _, label in expected]
    assert "\n" not in data.understood
    assert f"{len(expected)} rows x {len(expected[0][0])} column" in data.understood


@pytest.mark.parametrize("name", SAME)
def test_each_dialect_gives_the_same_samples(tmp_path, name):
    content = SAME[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    data = load_dataset(path=tmp_path / name, scale="none")
    check(data, TRUE)
    assert data.label_names == ("setosa", "versicolor", "virginica")
    assert "setosa = 0, versicolor = 1, virginica = 2" in data.understood


AB = [(("1.5", "2"), "x"), (("2.5", "3"), "y"), (("3.5", "3"), "x")]
OTHERS = {
    "first": ("y,a,b\nx,1.5,2\ny,2.5,3\nx,3.5,3\n", {}, AB, "label y: 2 classes, x = 0, y = 1"),
    "named": ("a,Class,b\n1.5,x,2\n2.5,y,3\n3.5,x,3\n", {}, AB, "label Class"),
    "text": ("1.5,x,2\n2.5,y,3\n3.5,x,3\n", {}, AB, "label column 2"),
    "by name": ("a,k,b\n1.5,x,2\n2.5,y,3\n3.5,x,3\n", {"label": "k"}, AB, "label k"),
    "by index": ("1.5,2,x\n2.5,3,y\n3.5,3,x\n", {"label": -1, "header": False}, AB, "no header"),
    "from 1": ("1.5,1\n2.5,2\n3.5,1\n", {}, [(("1.5",), "1"), (("2.5",), "2"), (("3.5",), "1")], "1 = 0, 2 = 1"),
    "+-1": ("1.5,-1\n2.5,1\n3.5,+1\n", {}, [(("1.5",), "-1"), (("2.5",), "1"), (("3.5",), "1")], "-1 = 0, 1 = 1"),
    "floats": ("a,y\n1.5,1.0\n2.5,2.0\n", {}, [(("1.5",), "1"), (("2.5",), "2")], "1 = 0, 2 = 1"),
    "german labels": ("1,5;1,0\n2,5;2,0\n", {}, [(("1.5",), "1"), (("2.5",), "2")], "decimal commas"),
    "huge": (
        "1.5,9007199254740993\n2.5,9007199254740992\n",
        {},
        [(("1.5",), "9007199254740993"), (("2.5",), "9007199254740992")],
        "9007199254740992 = 0, 9007199254740993 = 1",
    ),
    "signs": ("1.5,2,+\n2.5,3,-\n", {}, [(("1.5", "2"), "+"), (("2.5", "3"), "-")], "+ = 0, - = 1"),
    "truth labels": ("1.5,True\n2.5,False\n", {}, [(("1.5",), "True"), (("2.5",), "False")], "False = 0, True = 1"),
    "gap": ("1,0\n2,2\n", {}, [(("1",), "0"), (("2",), "2")], "0 = 0, 2 = 1"),
    "numbers and texts": ("1,7\n2,a\n", {}, [(("1",), "7"), (("2",), "a")], "7 = 0, a = 1"),
    "first by index": ("a,1\nb,2\n", {"label": 0}, [(("1",), "a"), (("2",), "b")], "label column 1"),
    "untidy": ("\ufeff1,0\r\n\r\n 2 , 1 \r\n,\r\n", {}, [(("1",), "0"), (("2",), "1")], "line of empty cells left out"),
    "a comma in quotation marks": ('"1","x, y"\n2,z\n', {}, [(("1",), "x, y"), (("2",), "z")], "x, y = 0, z = 1"),
    "accents": ("1.5,é\n2.5,ü\n".encode("latin-1"), {}, [(("1.5",), "é"), (("2.5",), "ü")], "Windows-1252"),
    "many lines": ('1.5,"a\nb"\n2.5,c\n', {}, [(("1.5",), "a b"), (("2.5",), "c")], "a b = 0"),
    "forms": (
        "a,b,l\n+1.5,1e-3,x\n1E5,.5,y\n5.,-.25e+1,x\n\u22122,0,x\n",
        {},
        [(("1.5", "0.001"), "x"), (("100000", "0.5"), "y"), (("5", "-2.5"), "x"), (("-2", "0"), "x")],
        "4 rows",
    ),
    "thousands": (
        'a,b,l\n"1,200",3.5,x\n"2,300,400.25",4.5,y\n',
        {},
        [(("1200", "3.5"), "x"), (("2300400.25", "4.5"), "y")],
        "2 numbers with marks between thousands",
    ),
    "german thousands": (
        "a;b;l\n1.200,5;3,5;x\n1.300;4,5;y\n",
        {},
        [(("1200.5", "3.5"), "x"), (("1300", "4.5"), "y")],
        "2 numbers with marks between thousands",
    ),
    "spaces in numbers": (
        "1\u00a0200,5;2;x\n1\u202f300,5;3;y\n",
        {},
        [(("1200.5", "2"), "x"), (("1300.5", "3"), "y")],
        "",
    ),
    "digits without end": (
        f"a,b,l\n0.5{'0' * 5000},{'0' * 5000}1,x\n0.5,0e999999999,y\n2,{1:.17f},y\n-0e-99999999999999999999,0,x\n",
        {},
        [(("0.5", "1"), "x"), (("0.5", "0"), "y"), (("2", "1"), "y"), (("0", "0"), "x")],
        "4 rows",
    ),
    "a comma within, semicolons between": (
        "a;when;l\n1,5;01.02.2020;x\n2,5;02.02.2020;y\n",
        {"drop": ["when"]},
        [(("1.5",), "x"), (("2.5",), "y")],
        "semicolon-separated",
    ),
    "decimal said": ("1,234;5;x\n2,345;6;y\n", {"decimal": ","}, [(("1.234", "5"), "x"), (("2.345", "6"), "y")], ""),
    "truth values": (
        "a,b,l\nTrue,3.5,x\nFalse,4.5,y\n",
        {},
        [(("1", "3.5"), "x"), (("0", "4.5"), "y")],
        "a: True = 1, False = 0",
    ),
    "one-hot": (
        "a,b,red,green,blue\n1.5,2,1,0,0\n2.5,3,0,1,0\n3.5,3,0,0,1\n",
        {},
        [(("1.5", "2"), "red"), (("2.5", "3"), "green"), (("3.5", "3"), "blue")],
        "label columns red, green, blue: 3 classes, red = 0, green = 1, blue = 2",
    ),
    "several 1s are no one-hot": (
        "a,p,q,r\n1.5,1,1,0\n2.5,0,0,1\n3.5,1,0,0\n",
        {},
        [(("1.5", "1", "1"), "0"), (("2.5", "0", "0"), "1"), (("3.5", "1", "0"), "0")],
        "label r: 2 classes, 0 to 1",
    ),
    "a sign of comments in a cell": (
        '1.5,"a\n# b"\n2.5,c # d\n',
        {},
        [(("1.5",), "a # b"), (("2.5",), "c # d")],
        "a # b = 0, c # d = 1; comma-separated, no header",
    ),
    "one-hot said": (
        "no,yes,a\n1,0,1.5\n0,1,2.5\n",
        {"label": ["no", "yes"]},
        [(("1.5",), "no"), (("2.5",), "yes")],
        "no = 0, yes = 1",
    ),
    "columns": ("a,b,c,l\n9,1.5,2,x\n9,2.5,3,y\n", {"columns": ["b", 2]}, AB[:2], "1 column that data.columns"),
    "drop": ("a,b,c,l\nu,1.5,2,x\nv,2.5,3,y\n", {"drop": ["a"]}, AB[:2], "left out: column 1 'a' (data.drop)"),
    "kept index": (
        ",b,l\n0,2,x\n1,3,y\n",
        {"drop": []},
        [(("0", "2"), "x"), (("1", "3"), "y")],
        "columns (column 1, b)",
    ),
    "drop beside an index": (",s,a,b,l\n0,u,1.5,2,x\n1,v,2.5,3,y\n", {"drop": ["s"]}, AB[:2], "unnamed, which counts"),
    "rows dropped": (
        "a,b,l\n1.5,2,x\n?,3,y\n2.5,3,y\n3.5,NA,x\n3.5,3,x\n",
        {"missing": "drop rows"},
        AB,
        "2 rows with missing values left out (lines 3, 5)",
    ),
    "delimiter said": ("1.5:2:x\n2.5:3:y\n", {"delimiter": ":"}, AB[:2], "':'-separated"),
    "delimiter by name": ("1.5 2 x\n2.5  3 y\n", {"delimiter": "whitespace"}, AB[:2], "whitespace-separated"),
    "header said": (
        "1,2,3\n1.5,2,0\n2.5,3,1\n",
        {"header": True},
        [(("1.5", "2"), "0"), (("2.5", "3"), "1")],
        "header in line 1",
    ),
    "no header said": ("0,1,2\n1,5,0\n", {"header": False}, [(("0", "1"), "2"), (("1", "5"), "0")], "no header"),
    "17 digits": (
        "0.1,0.30000000000000004,x\n0.10000000000000002,0.3,y\n",
        {},
        [(("0.1", "0.30000000000000004"), "x"), (("0.10000000000000002", "0.3"), "y")],
        "",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_labels_numbers_and_choices(tmp_path, name):
    content, options, expected, words = OTHERS[name]
    file = tmp_path / "data.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    data = load_dataset(path=file, scale="none", **options)
    check(data, expected)
    assert words in data.understood


ARFF = """% a comment
@RELATION 'two words'
@attribute 'a b' NUMERIC
@attribute c real
@ATTRIBUTE flag {0,1}
@attribute kind {'not much', "lots", none}

@data
1.5, 2, 0, 'not much'
% between
2.5,?,1,lots
-1e-3,3,1,"lots"
"""


def test_arff(tmp_path):
    (tmp_path / "d.arff").write_text(ARFF)
    data = load_dataset(path=tmp_path / "d.arff", scale="none", missing="drop rows")
    check(data, [(("1.5", "2", "0"), "not much"), (("-0.001", "3", "1"), "lots")])
    assert data.label_names == ("not much", "lots")  # in the declared order, not the sorted one
    assert "(a b, c, flag)" in data.understood and "line 11" in data.understood
    assert "'none' of kind" in data.understood  # declared, but in no row


def test_what_was_understood_stays_with_the_data(tmp_path):
    """It is in the data set's own display, and says so if only the first samples are taken."""
    (tmp_path / "d.csv").write_text(HEAD + BODY)
    data = load_dataset(str(tmp_path / "d.csv"), samples=3)
    assert data.samples == 3 and data.understood.endswith("of these the first 3")
    assert data.understood in str(data) or data.understood in data._repr_html_()
    assert load_dataset("iris").understood == ""  # nothing had to be found out


def test_a_long_label_takes_no_memory_for_the_short_ones(tmp_path):
    """Labels are no array of the longest label's width: 400 x 130,000 characters of 4 bytes were 208 MB."""
    lines = "".join(f"{k},{'x' * 130_000 if k == 0 else 'y'}\n" for k in range(400))
    (tmp_path / "d.csv").write_text(lines)
    tracemalloc.start()
    data = load_dataset(path=tmp_path / "d.csv")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.labels.tolist() == [0] + [1] * 399 and peak < 10_000_000
