"""Every screen in a real browser: it renders, breaks no policy, and is pictured to be looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_screens import EMPTY, SCREENS
from console_world import NARROW, SHOTS, WIDE, Watched, chromium, console, sign_in
from playwright.async_api import Browser

pytestmark = pytest.mark.real


async def picture(watched: Watched, name: str) -> None:
    page = watched.page
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    width = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], f"{name} is wider than its window"
    assert watched.complaints == [], name


async def shoot(browser: Browser, served, screens: dict[str, str], prefix: str) -> None:
    for scheme in ("light", "dark"):
        for size, viewport in (("wide", WIDE), ("narrow", NARROW)):
            context = await browser.new_context(color_scheme=scheme, viewport=viewport)
            watched = await sign_in(context, served)
            for name, path in screens.items():
                answer = await watched.page.goto(served.url + path)
                assert answer is not None
                assert answer.status == 200
                await watched.page.wait_for_function("window.htmx !== undefined")
                if name == "events":
                    await watched.page.wait_for_selector("[data-state=live]")
                if (
                    name.startswith(("graph", "asset"))
                    and await watched.page.locator("#graph").count()
                ):
                    await watched.page.wait_for_selector("#graph[data-ready=true]")
                await picture(watched, f"{prefix}{name}-{scheme}-{size}")
            await context.close()


async def test_every_screen_renders_in_light_and_dark_wide_and_narrow(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        await shoot(browser, running.served, SCREENS, "")


async def test_every_screen_says_what_to_do_when_there_is_nothing(tmp_path: Path) -> None:
    async with console(tmp_path, filled=False) as running, chromium() as browser:
        await shoot(browser, running.served, EMPTY, "empty-")


async def test_sign_in_and_error_screens(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        for scheme in ("light", "dark"):
            context = await browser.new_context(color_scheme=scheme, viewport=WIDE)
            page = await context.new_page()
            answer = await page.goto(f"{running.served.url}/incidents/inc-1")
            assert answer is not None
            assert answer.status == 401
            await page.get_by_label("Password").fill("wrong")
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_role("alert").get_by_text("not the password").wait_for()
            await page.screenshot(path=SHOTS / f"sign-in-{scheme}-wide.png")
            await page.get_by_label("Password").fill(running.served.password)
            await page.get_by_role("button", name="Sign in").click()
            await page.wait_for_url("**/incidents/inc-1")
            answer = await page.goto(f"{running.served.url}/findings/none")
            assert answer is not None
            assert answer.status == 404
            await page.screenshot(path=SHOTS / f"not-found-{scheme}-wide.png")
            await context.close()
