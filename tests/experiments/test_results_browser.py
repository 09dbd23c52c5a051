"""results.html in a real headless Chromium: no console errors, no requests, phones, dark mode, contrast."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import pytest

matplotlib.use("Agg")

from planted_runs import everything, experiment

from verifier.experiments.results import write_results

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on this machine: apt-get install chromium-driver"),
]

CONTRAST = """
function luminance(c) {
  const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function background(e) {
  for (; e; e = e.parentElement) {
    const c = getComputedStyle(e).backgroundColor;
    if (!/rgba\\(.*, 0\\)/.test(c)) return c;
  }
  return 'rgb(255, 255, 255)';
}
const found = {};
for (const e of document.querySelectorAll('body *')) {
  if (e instanceof SVGElement || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  const [a, b] = [luminance(getComputedStyle(e).color), luminance(background(e))];
  const key = e.tagName + '.' + (e.getAttribute('class') || '');
  found[key] = Math.min(found[key] || 99, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
}
return found;
"""
OPEN = "document.querySelectorAll('details').forEach(e => e.open = true)"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("experiment")
    write_results(folder, experiment(everything()))
    return Path(folder / "results.html").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Chrome]:
    selenium = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install '.[browser]'")
    options = selenium.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1200,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = selenium.Chrome(options=options, service=selenium.ChromeService(str(DRIVER)))
        try:
            yield driver
        finally:
            driver.quit()


def emulate(browser: Chrome, *, width: int = 1200, scheme: str = "light") -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})


def test_it_opens_without_console_errors_and_requests_nothing_but_itself(browser: Chrome, address: str) -> None:
    emulate(browser)
    browser.get_log("performance"), browser.get_log("browser")
    browser.get(address)
    browser.execute_script(OPEN)
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requests = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"]
    assert requests == [address] and browser.get_log("browser") == []
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
    browser.execute_script(OPEN)
    found: dict[str, float] = browser.execute_script(CONTRAST)
    assert len(found) > 20 and {key: ratio for key, ratio in found.items() if ratio < 4.5} == {}


@pytest.mark.parametrize("width", [360, 320])
def test_no_horizontal_scroll_on_a_phone(width: int, browser: Chrome, address: str) -> None:
    emulate(browser, width=width)
    browser.get(address)
    browser.execute_script(OPEN)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility()"
        " && !e.closest('.scroll *, .long svg') && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map(e => e.outerHTML.slice(0, 100))"
    )
    assert beyond == []
