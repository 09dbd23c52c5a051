"""Configuration of the documentation: `python -m sphinx -W --keep-going -j 2 -b html verifier/docs OUT`.

Nothing is fetched, at build time or by the pages: fonts are the system's, mathematics is MathML, which browsers draw by
themselves. Reference pages are made from the code when they are built (see `generated`), so that they cannot fall
behind it.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE / "_extensions")]

import verifier  # noqa: E402  (from this tree)

project = "verifier"
author = "The verifier authors"
copyright = "the verifier authors, MIT licence"
version = release = verifier.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "generated",
    "notebooks",
    "quick",
]
exclude_patterns = ["_build", "_extensions"]
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
# "shape" in the types of parameters is a word, not one of the attributes of that name
suppress_warnings = ["ref.python"]

default_role = "py:obj"  # `name` in a docstring links to what it names
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_use_type_comments = False  # there are none, and every function would be parsed for them
autodoc_mock_imports = ["torch"]  # pages are built without it
python_use_unqualified_type_names = True
maximum_signature_line_length = 88
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
toc_object_entries = False  # the theme copies the whole tree of contents for every page: a third of the build

html_theme = "furo"
html_title = "verifier"
html_static_path = ["_static"]
html_css_files = ["verifier.css"]
html_search_scorer = str(HERE / "_static" / "scorer.js")
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_math_renderer = "mathml"
html_theme_options = {"navigation_with_keys": True}
pygments_style = "tango"
