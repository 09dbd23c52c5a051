"""The report in a real headless Chromium: no console errors, no requests, unfolding, phones, dark mode, printing."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browsing import NEEDS_CHROMIUM, UNFOLD, emulate, faint, messages, requests

from verifier.report.page import write_report

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def several(finished: Path) -> str:
    return write_report(finished).as_uri()


@pytest.fixture(scope="module")
def alone(single: Path) -> str:
    return write_report(single).as_uri()


def count(browser: Chrome, selector: str) -> int:
    """How many elements are shown."""
    return int(
        browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility()).length", selector
        )
    )


def keys(browser: Chrome, *pressed: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(*pressed).perform()


@pytest.mark.parametrize("page", ["several", "alone"])
def test_it_opens_without_console_errors_and_requests_nothing_but_itself(
    page: str, browser: Chrome, request: pytest.FixtureRequest
) -> None:
    address = request.getfixturevalue(page)
    emulate(browser)
    requests(browser), browser.get_log("browser")
    browser.get(address)
    browser.execute_script(UNFOLD)
    assert requests(browser) == [address]
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.compatMode") == "CSS1Compat"


def test_the_policy_is_in_force(browser: Chrome, alone: str) -> None:
    """A style, a script or an image that somebody adds is refused, and the log says so."""
    emulate(browser)
    browser.get(alone)
    messages(browser), browser.get_log("browser")
    browser.execute_script(
        "document.body.insertAdjacentHTML('beforeend', '<p id=odd style=\"color:red\">x</p><img src=\"x.png\">');"
        "const s = document.createElement('script'); s.text = 'window.ran = 1'; document.body.append(s)"
    )
    assert browser.execute_script("return getComputedStyle(document.getElementById('odd')).color") != "rgb(255, 0, 0)"
    assert browser.execute_script("return window.ran") is None
    log = [entry["message"] for entry in browser.get_log("browser")]
    assert len(log) >= 3 and all("Content Security Policy" in message for message in log)
    failed = [m["params"] for m in messages(browser) if m["method"] == "Network.loadingFailed"]
    assert [entry["blockedReason"] for entry in failed] == ["csp"]


def test_the_style_sheet_is_applied(browser: Chrome, alone: str) -> None:
    """A hash that does not fit would leave the page bare, silently for a reader."""
    emulate(browser)
    browser.get(alone)
    assert (
        browser.execute_script("return getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "6px"
    )


def test_steps_unfold_by_click(browser: Chrome, alone: str) -> None:
    emulate(browser)
    browser.get(alone)
    assert count(browser, ".step") > 15 and count(browser, ".step p") == 0
    summary = browser.find_element("css selector", ".step summary")
    summary.click()
    assert count(browser, ".step p") >= 3
    summary.click()
    assert count(browser, ".step p") == 0


def test_everything_is_reached_by_keyboard(browser: Chrome, alone: str) -> None:
    from selenium.webdriver import Keys

    emulate(browser)
    browser.get(alone)
    keys(browser, Keys.TAB)
    focused = "const e = document.activeElement; return [e.tagName, e.className, e.getAttribute('href')]"
    assert browser.execute_script(focused) == ["A", "skip", "#main"]
    assert browser.execute_script("return document.activeElement.getBoundingClientRect().left >= 0")
    assert browser.execute_script("return getComputedStyle(document.activeElement).outlineWidth") == "3px"
    seen = []
    for _ in range(60):
        keys(browser, Keys.TAB)
        seen.append(browser.execute_script("return document.activeElement.tagName"))
        if seen[-1] == "SUMMARY":
            break
    assert seen[-1] == "SUMMARY" and "A" in seen
    assert browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keys(browser, Keys.ENTER)
    assert count(browser, ".step p") >= 3
    keys(browser, Keys.SPACE)
    assert count(browser, ".step p") == 0


def test_a_link_into_a_folded_case_or_step_unfolds_it(browser: Chrome, several: str, alone: str) -> None:
    emulate(browser)
    browser.get(several)
    assert count(browser, ".case .verdict") == 0
    browser.find_element("link text", "tied-bias").click()
    assert count(browser, ".case .verdict") == 1
    shown = browser.execute_script("return document.querySelector('.case[open] h3').textContent")
    assert shown == "tied-bias"
    browser.get(alone)
    browser.execute_script("document.querySelector('.step a[href$=\"-in\"]').closest('details').open = true")
    browser.find_element("css selector", '.step[open] a[href$="-in"]').click()
    assert count(browser, ".step[open]") == 2


def test_filters_work_without_script(browser: Chrome, several: str) -> None:
    emulate(browser)
    browser.get(several)
    rows = count(browser, ".index tbody tr")
    assert rows == 9 == count(browser, ".case")
    for choice in ("valley-U", "valley-P", "valley-A", "path-U", "path-P", "rank-R", "rank-A", "path-A"):
        browser.find_element("id", choice).click()
        checked = [c.split("-") for c in (choice,) if not c.endswith("A")]
        for group, code in checked:
            assert count(browser, f"tr[data-{group}]") == count(browser, f"tr[data-{group}={code}]") > 0
        assert count(browser, ".case") == count(browser, ".index tbody tr")
    assert count(browser, ".index tbody tr") == rows
    browser.find_element("id", "bad").click()
    assert count(browser, ".index tbody tr") == 0


@pytest.mark.parametrize("page", ["several", "alone"])
@pytest.mark.parametrize("width", [390, 320])
def test_no_horizontal_scroll_on_a_phone(
    width: int, page: str, browser: Chrome, request: pytest.FixtureRequest
) -> None:
    emulate(browser, width=width)
    browser.get(request.getfixturevalue(page))
    browser.execute_script(UNFOLD)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter(e => e.checkVisibility() && "
        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 100))"
    )
    assert beyond == []
    small = browser.execute_script(
        "return [...document.querySelectorAll('.panels svg')].filter(e => e.checkVisibility()).map(e =>"
        " 26 * e.getBoundingClientRect().width / 680)"
    )
    assert small and min(small) >= 9  # pixels of a label


def test_the_index_hides_nothing_on_a_phone(browser: Chrome, several: str) -> None:
    """Every cell has its words and its verdict on the screen, inside of it, at a size that can be read."""
    emulate(browser, width=390)
    browser.get(several)
    cells = browser.execute_script(
        "return [...document.querySelectorAll('.index tbody tr')].map(r => [...r.children].map(c => {"
        " const b = c.getBoundingClientRect(); return [c.innerText, b.left, b.right, b.height, c.checkVisibility(),"
        " Math.min(...[c, ...c.querySelectorAll('*')].map(e => parseFloat(getComputedStyle(e).fontSize)))] }))"
    )
    heads = browser.execute_script("return [...document.querySelectorAll('.index thead th')].map(e => e.textContent)")
    assert len(cells) == 9 and heads[1] == "no bad local valley"
    for row in cells:
        assert len(row) == len(heads) == 7
        for head, (words, left, right, height, visible, size) in zip(heads, row, strict=True):
            assert visible and left >= 0 and right <= 390 and height > 10 and size >= 10
            assert head == "Case" or (head in words and len(words) > len(head) + 1), words
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    emulate(browser, width=1280)
    words = browser.execute_script("return document.querySelector('.index tbody td').innerText")
    assert words.strip() in ("PROVED", "UNDECIDED")  # the head says the rest


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["several", "alone"])
def test_contrast_is_at_least_aa(page: str, scheme: str, browser: Chrome, request: pytest.FixtureRequest) -> None:
    emulate(browser, scheme=scheme)
    browser.get(request.getfixturevalue(page))
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert faint(browser) == {}


def test_pictures_and_verdicts_have_names(browser: Chrome, several: str) -> None:
    emulate(browser)
    browser.get(several)
    browser.execute_script(UNFOLD)
    browser.execute_cdp_cmd("Accessibility.enable", {})
    tree: list[dict[str, Any]] = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    pictures = [node for node in tree if node.get("role", {}).get("value") in ("image", "img")]
    assert len(pictures) == browser.execute_script("return document.querySelectorAll('svg').length") > 10
    assert all(node["name"]["value"].startswith("Loss along the ") for node in pictures)
    assert all("ertified at" in node["description"]["value"] for node in pictures)
    marks = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") == "StaticText"]
    assert "PROVED" in marks and "REFUTED" in marks and "UNDECIDED" in marks
    browser.execute_cdp_cmd("Accessibility.disable", {})


def test_printing_opens_everything(browser: Chrome, alone: str, tmp_path: Path) -> None:
    emulate(browser)
    browser.get(alone)
    reasons = browser.execute_script("return [...document.querySelectorAll('.step strong')].length")
    emulate(browser, media="print")
    assert count(browser, ".step strong") == reasons > 15
    assert count(browser, "nav.top") == 0
    emulate(browser)
    content = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert content.startswith(b"%PDF-")
    reader = shutil.which("pdftotext")
    if reader is not None:
        (tmp_path / "report.pdf").write_bytes(content)
        text = subprocess.run([reader, tmp_path / "report.pdf", "-"], capture_output=True, text=True, check=True).stdout
        assert len(re.findall("Here:", text)) == reasons
        assert "verifier check certificates/xor.json" in text
