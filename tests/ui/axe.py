"""Accessibility by axe (WCAG 2.0 to 2.2, levels A and AA): what it objects to on a page as it stands."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from playwright.sync_api import Page

FOUND = find_spec("axe_playwright_python")
AXE = Path(FOUND.origin).with_name("axe.min.js") if FOUND and FOUND.origin else None
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# What comes of Streamlit's own markup, and no page can change: rule and selector, with why. None is known.
OF_STREAMLIT: dict[tuple[str, str], str] = {}
ASK = """async tags => {
  const found = await axe.run(document, {runOnly: {type: "tag", values: tags}});
  return found.violations.flatMap(one => one.nodes.map(node =>
    [one.id, node.target.flat().join(" "), one.help + ": " + node.html.slice(0, 200) + " " + node.failureSummary]));
}"""
needs_axe = pytest.mark.skipif(
    AXE is None, reason="axe-playwright-python, which carries axe, is not installed"
)


def violations(page: Page) -> list[tuple[str, str, str]]:
    """What axe objects to: rule, selector, and words."""
    page.mouse.move(5, 760)  # nothing is hovered
    page.wait_for_timeout(400)  # colours change slowly
    return violations_now(page)


def violations_now(page: Page) -> list[tuple[str, str, str]]:
    """What axe objects to on what does not stand long."""
    if page.evaluate("typeof window.axe") == "undefined":
        assert AXE is not None
        page.evaluate(AXE.read_text(encoding="utf-8") + "\n;undefined")
    found: list[list[str]] = page.evaluate(ASK, TAGS)
    kept = ((rule, selector, words) for rule, selector, words in found)
    return [one for one in kept if one[:2] not in OF_STREAMLIT]
