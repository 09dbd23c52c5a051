"""results.html in a real headless Chromium: no console errors, no requests, phones, dark mode, contrast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import pytest

matplotlib.use("Agg")

from browsing import NEEDS_CHROMIUM, UNFOLD, emulate, faint, requests
from planted_runs import everything, experiment

from verifier.experiments.results import write_results

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("experiment")
    write_results(folder, experiment(everything()))
    return Path(folder / "results.html").as_uri()


def test_it_opens_without_console_errors_and_requests_nothing_but_itself(browser: Chrome, address: str) -> None:
    emulate(browser)
    requests(browser), browser.get_log("browser")
    browser.get(address)
    browser.execute_script(UNFOLD)
    assert requests(browser) == [address] and browser.get_log("browser") == []
    assert browser.execute_script("return getComputedStyle(document.querySelector('.o')).borderTopStyle") == "dashed"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_scheme_shows_its_pictures_in_colour(scheme: str, browser: Chrome, address: str) -> None:
    emulate(browser, scheme=scheme)
    browser.get(address)
    shown = browser.execute_script(
        "return [...document.querySelectorAll('svg')].filter(e => e.checkVisibility())"
        ".map(e => [e.parentElement.className, e.querySelectorAll('path').length,"
        " getComputedStyle(e.querySelector('path')).fill])"
    )
    ground = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 28)"}[scheme]
    assert len(shown) == 3 and {(name, fill) for name, _, fill in shown} == {(scheme, ground)}
    assert min(paths for _, paths, _ in shown) > 50
    assert faint(browser) == {}


@pytest.mark.parametrize("width", [360, 320])
def test_no_horizontal_scroll_on_a_phone(width: int, browser: Chrome, address: str) -> None:
    emulate(browser, width=width)
    browser.get(address)
    browser.execute_script(UNFOLD)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()"
        " && !e.closest('.scroll *, .long svg') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 100))"
    )
    assert beyond == []
