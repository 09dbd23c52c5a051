"""A real headless Chromium for the tests of pages: where it is, what it shows, what it asked for."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)

NEEDS_CHROMIUM = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt-get install chromium"),
    pytest.mark.skipif(DRIVER is None, reason="no chromedriver on this machine: apt-get install chromium-driver"),
]

UNFOLD = "document.querySelectorAll('details').forEach(e => e.open = true)"
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
  if (e.tagName === 'title' || e.tagName === 'desc') continue;
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
  const color = e instanceof SVGElement ? getComputedStyle(e).fill : getComputedStyle(e).color;
  const [a, b] = [luminance(color), luminance(background(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const key = e.tagName + '.' + (e.getAttribute('class') || '');
  found[key] = Math.min(found[key] || 99, ratio);
}
return found;
"""


def start_browser() -> Iterator[Chrome]:
    """Start a browser with a profile of its own, and stop it afterwards."""
    selenium = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install '.[browser]'")
    options = selenium.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    with tempfile.TemporaryDirectory(prefix="chromium-") as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = selenium.Chrome(options=options, service=selenium.ChromeService(str(DRIVER)))
        try:
            yield driver
        finally:
            driver.quit()


def emulate(browser: Chrome, *, width: int = 1200, scheme: str = "light", media: str = "") -> None:
    """Be a screen of this width, a phone below 500 pixels, with a colour scheme, or paper (``media="print"``)."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})


def messages(browser: Chrome) -> list[dict[str, Any]]:
    """What happened since the last call."""
    return [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]


def requests(browser: Chrome) -> list[str]:
    """The addresses of everything that was requested since the last call."""
    return [m["params"]["request"]["url"] for m in messages(browser) if m["method"] == "Network.requestWillBeSent"]


def faint(browser: Chrome) -> dict[str, float]:
    """The kinds of text whose contrast is below 4.5 (WCAG AA), folded ones included; there must be some text."""
    browser.execute_script(UNFOLD)
    found: dict[str, float] = browser.execute_script(CONTRAST)
    assert len(found) > 20
    return {key: ratio for key, ratio in found.items() if ratio < 4.5}
