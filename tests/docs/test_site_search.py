"""The built site in a real headless Chromium: its search, a notebook's page, and that no page loads anything else."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from browsing import NEEDS_CHROMIUM, requests

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "verifier" / "docs"
pytestmark = NEEDS_CHROMIUM
BUILD = (sys.executable, "-m", "sphinx", "-q", "-j", "2", "-b", "html")
LEFT_OUT = "exclude_patterns=_build,_extensions,reference/api"
"""The descriptions of modules take most of the time of a build; the labels and words of a reader stand elsewhere."""

FOUND = """
const first = document.querySelector('#search-results ul.search a');
return first ? [first.getAttribute('href'), first.textContent] : null;
"""
"""Answers come in their order, one after the other: of a letter that is in every name there are thousands."""
SHOWN = """
const texts = selector => [...document.querySelectorAll(selector)].map(each => each.textContent);
return {
  pictures: [...document.querySelectorAll('img.plot')].map(each => [each.alt, each.naturalWidth]),
  cards: texts('.text_html'),
  formulas: texts('article math').length,
};
"""
LISTED = "reference/statements.html"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that prints nothing about what it serves."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for package in ("sphinx", "myst_nb", "furo"):
        pytest.importorskip(package, reason="the documentation's tools are missing: pip install '.[docs]'")
    out = Path(os.environ.get("LANDSCAPE_SITE") or tmp_path_factory.mktemp("site"))  # one that is built already
    if not (out / "index.html").exists():
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run((*BUILD, "-D", LEFT_OUT, str(DOCS), str(out)), env=environment, check=True, capture_output=True)
    handler = functools.partial(Quiet, directory=str(out))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def first_answer(url: str, browser: Chrome) -> list[str]:
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(url)
    found: list[str] = WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(FOUND))
    return found


@pytest.mark.parametrize(
    ("asked", "address", "title"),
    [
        ("T3.4(2)", f"{LISTED}#label-t3-4-2", "All statements > T3.4(2)"),
        ("a3.1(2)", f"{LISTED}#label-a3-1-2", "All statements > A3.1(2)"),
        ("S+", f"{LISTED}#label-s-plus", "All statements > S+"),
        ("MC.line", f"{LISTED}#label-mc-line", "All statements > MC.line"),
        ("R1", f"{LISTED}#label-r1", "All statements > R1"),
        ("sigma_N", f"{LISTED}#term-sigma_N", "All statements > sigma_N"),
        ("bad local valley", f"{LISTED}#term-bad-local-valley", "All statements > bad local valley"),
        ("UNDECIDED", "faq.html#index-", "Questions and answers"),
        ("float32", "faq.html#index-", "Questions and answers"),
        ("ReLU", "faq.html#index-", "Questions and answers"),
        ("own data", "guide/data.html", "Your own data"),
    ],
)
def test_the_first_answer_is_the_label_or_the_word(
    asked: str, address: str, title: str, site: str, browser: Chrome
) -> None:
    answer = first_answer(f"{site}/search.html?q={quote(asked)}", browser)
    assert answer[0].startswith(address) and answer[1] == title


def test_pages_of_notebooks_show_their_cards_and_pictures_with_descriptions(site: str, browser: Chrome) -> None:
    cells = json.loads((ROOT / "notebooks" / "00_tour.ipynb").read_text("utf-8"))["cells"]
    stored = [output.get("data", {}) for each in cells for output in each.get("outputs", [])]
    browser.get(f"{site}/notebooks/00_tour.html")
    shown = browser.execute_script(SHOWN)
    assert len(shown["pictures"]) == sum("image/png" in data for data in stored)
    assert all(alt and width > 0 for alt, width in shown["pictures"])
    assert len(shown["cards"]) == sum("text/html" in data for data in stored)
    assert "PROVED" in shown["cards"][0]
    assert shown["formulas"] > 0


def test_nothing_is_loaded_from_another_host(site: str, browser: Chrome) -> None:
    requests(browser)
    for page in ("index.html", "notebooks/00_tour.html", "search.html?q=rank"):
        browser.get(f"{site}/{page}")
        others = [url for url in requests(browser) if not url.startswith((site, "data:", "chrome:"))]
        assert not others, page
