"""The page about two networks: what it says is what was found, and it is as closed as the other pages."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from browsing import NEEDS_CHROMIUM, UNFOLD, emulate, faint, requests

import verifier as vf
from verifier.network.forward import approx_features
from verifier.report.connection import connection_page, write_connection_report


def needs_chromium(test):
    """Apply the marks that other modules have as a whole."""
    for mark in NEEDS_CHROMIUM:
        test = mark(test)
    return test


def problem(scale: float, labels: tuple[int, ...] = (0, 1, 1), name: str = "<b>three</b>") -> vf.Problem:
    """Output weights of their own at one U: a page with one picture, which tests/plot has more of."""
    data = vf.dataset_from_arrays([[0.0], [1.0], [1.0 if labels[2] != labels[1] else 2.0]], labels)
    network = vf.Network(1, vf.Dense(5, "tanh", skip=True))
    u = vf.initialise(network, seed=1)
    target = scale * np.eye(data.classes)[list(labels)]
    v = np.linalg.lstsq(approx_features(network, u, data.inputs), target, rcond=None)[0]
    return vf.Problem(data, network, u, v, name=name)


@pytest.fixture(scope="module")
def page() -> str:
    return connection_page(
        vf.connect(problem(3.0), problem(4.0), line=True), starts=("seed 1", "<i>seed 2</i>")
    ).decode()


def test_it_says_what_was_proved_and_shows_it_twice(page: str) -> None:
    assert "PROVED</span> A and B are joined by a continuous path" in page and "the barrier is 0." in page
    assert (
        page.count("<svg") == page.count("<desc") == page.count("aria-describedby") == 2
        and page.count('class="light"') == page.count('class="dark"') == 1
    )
    assert "has a barrier of at least" in page and "Certified: on the path" in page
    assert "Certified: at every time of the path it is at most" in page


def test_names_are_escaped_and_nothing_is_loaded(page: str) -> None:
    assert "&lt;b&gt;three&lt;/b&gt;" in page and "<b>three" not in page and "<i>seed 2" not in page
    assert "default-src &#39;none&#39;" in page and "<script" not in page and " style=" not in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    identifiers = re.findall(r"\bid=\"([^\"]*)\"", page)
    assert len(set(identifiers)) == len(identifiers)


def test_without_a_path_it_draws_nothing_and_says_why(tmp_path) -> None:
    conflict = problem(1.0, (0, 0, 1))
    assert not conflict.grouping.labels_agree
    turned = replace(conflict, u=conflict.u.reshape(2, -1)[:, ::-1].ravel(), v=conflict.v[::-1])
    written = write_connection_report(vf.connect(conflict, turned, permute=True), tmp_path)
    text = written.read_text(encoding="utf-8")
    assert written.name == "connection.html" and "UNDECIDED</span>" in text and "<svg" not in text
    assert "is not decided" in text and "another point than B" in text and "different labels" in text


@needs_chromium
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser_it_fits_asks_for_nothing_and_can_be_read(page, width, tmp_path, browser) -> None:
    file = tmp_path / "connection.html"
    file.write_text(page, encoding="utf-8")
    emulate(browser, width=width)
    requests(browser), browser.get_log("browser")
    browser.get(file.as_uri())
    browser.execute_script(UNFOLD)
    assert requests(browser) == [file.as_uri()] and browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert faint(browser) == {}
