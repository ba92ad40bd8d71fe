"""Every screen has no violation of WCAG A and AA that axe-core knows, in light and in dark."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_screens import EMPTY, SCREENS
from console_world import NARROW, ROOT, WIDE, chromium, console, sign_in
from playwright.async_api import Browser, Page, expect

pytestmark = pytest.mark.real

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


async def violations(page: Page) -> list[str]:
    """Return what axe finds, a line each; it runs as the debugger does, so the policy holds."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}}).then((r) =>"
        " [r.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 140) + ' -> ' +"
        " n.failureSummary.slice(0, 240)).join(' | ')), r.passes.length])",
        LEVELS,
    )
    assert found[1] > 5, "axe looked at nothing"
    return list(found[0])


async def examine(browser: Browser, served, screens: dict[str, str], scheme: str, size) -> None:
    context = await browser.new_context(color_scheme=scheme, viewport=size)
    page = (await sign_in(context, served)).page
    wrong = {}
    for name, path in screens.items():
        await page.goto(served.url + path)
        if await page.locator("#graph").count():
            await expect(page.locator("#graph")).to_have_attribute("data-ready", "true")
        if found := await violations(page):
            wrong[name] = found
    await context.close()
    assert wrong == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_no_screen_violates_wcag(tmp_path: Path, scheme: str, size: dict[str, int]) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        await examine(browser, running.served, SCREENS, scheme, size)


async def test_no_empty_screen_violates_wcag(tmp_path: Path) -> None:
    async with console(tmp_path, filled=False) as running, chromium() as browser:
        await examine(browser, running.served, EMPTY, "light", WIDE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_what_opens_on_a_screen_does_not_either(tmp_path: Path, scheme: str) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        context = await browser.new_context(color_scheme=scheme, viewport=WIDE)
        page = await context.new_page()
        await page.goto(f"{running.served.url}/sign-in")
        assert await violations(page) == []
        page = (await sign_in(context, running.served, "/findings")).page
        await page.locator("[name=fingerprint]").first.check()
        await page.get_by_text("Save this view").click()
        assert await violations(page) == []
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        assert await violations(page) == []
        await page.goto(f"{running.served.url}/findings/none")
        assert await violations(page) == []
