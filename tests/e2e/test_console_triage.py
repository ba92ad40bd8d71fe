"""Findings are decided about, views are saved, and keys lead through lists, in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_world import SHOTS, WIDE, chromium, console, sign_in
from playwright.async_api import expect

pytestmark = pytest.mark.real


async def test_some_findings_are_accepted_and_one_is_opened_again(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        watched = await sign_in(await browser.new_context(viewport=WIDE), running.served)
        page = watched.page
        await page.goto(f"{running.served.url}/findings")
        rows = page.locator("#results tbody tr")
        await expect(rows).to_have_count(6)
        await expect(page.get_by_role("button", name="Decide")).to_be_hidden()
        await rows.nth(0).get_by_role("checkbox").check()
        await rows.nth(1).get_by_role("checkbox").check()
        await expect(page.get_by_text("2 selected")).to_be_visible()
        await page.get_by_label("Reason").fill("behind the gateway")
        await page.get_by_label("Owner", exact=True).last.fill("ada")
        await page.screenshot(path=SHOTS / "findings-selected-light-wide.png")
        await page.get_by_role("button", name="Decide").click()
        await expect(rows).to_have_count(4)
        await page.get_by_role("link", name="2 accepted").click()
        await expect(rows).to_have_count(2)
        await rows.first.get_by_role("link").click()
        await expect(page.locator(".facts .state")).to_have_text("accepted")
        await page.get_by_label("Decision").select_option("open")
        await expect(page.get_by_label("Until")).to_be_hidden()
        await page.get_by_role("button", name="Decide").click()
        await expect(page.locator(".facts .state")).to_have_text("open")
        await expect(page.locator(".timeline").first.locator("li")).to_have_count(2)
        assert len(running.served.planes.ledger.records) == 3
        assert watched.complaints == []


async def test_keys_walk_a_list_select_and_say_themselves(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        watched = await sign_in(await browser.new_context(viewport=WIDE), running.served)
        page = watched.page
        await page.goto(f"{running.served.url}/findings")
        for key in ("j", "j", "k", "j", "x"):
            await page.keyboard.press(key)
        await expect(
            page.locator("#results tbody tr").nth(1).get_by_role("checkbox")
        ).to_be_checked()
        await page.keyboard.press("?")
        dialog = page.get_by_role("dialog", name="Keys")
        await expect(dialog).to_be_visible()
        await page.screenshot(path=SHOTS / "help-light-wide.png")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await page.locator("[data-pick-all]").check()
        await expect(page.get_by_text("6 selected")).to_be_visible()
        await page.keyboard.press("g")
        await page.keyboard.press("s")
        await page.wait_for_url("**/scans")
        assert watched.complaints == []


async def test_a_filter_is_saved_and_found_again(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        watched = await sign_in(await browser.new_context(viewport=WIDE), running.served)
        page = watched.page
        await page.goto(f"{running.served.url}/inventory")
        await page.locator(".facets").get_by_role("link", name="agent 1").first.click()
        await expect(page.locator("#results tbody tr")).to_have_count(1)
        await page.get_by_text("Save this view").click()
        await page.get_by_label("Name").fill("our agents")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".views .chip")).to_have_text("our agents")
        await page.keyboard.press("g")
        await page.keyboard.press("v")
        await page.get_by_role("link", name="our agents").click()
        await expect(page.locator("#results tbody tr")).to_have_count(1)
        await page.goto(f"{running.served.url}/views")
        await page.get_by_role("button", name="Delete our agents").click()
        await expect(page.get_by_text("No saved views")).to_be_visible()
        assert watched.complaints == []


async def test_two_scans_are_compared(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        watched = await sign_in(await browser.new_context(viewport=WIDE), running.served)
        page = watched.page
        await page.goto(f"{running.served.url}/scans")
        await page.locator("#results tbody tr").first.get_by_role("link").first.click()
        await page.get_by_role("button", name="Compare").click()
        await expect(page.locator("h1")).to_contain_text("Drift of")
        await expect(page.get_by_text("owner: nobody → claims-team")).to_be_visible()
        await expect(page.get_by_role("link", name="claims-2025")).to_be_visible()
        assert watched.complaints == []
