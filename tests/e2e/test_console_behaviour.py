"""What a person does in the console, done in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_world import SHOTS, WIDE, chromium, console, sign_in
from playwright.async_api import expect
from server_samples import HOSTILE, SUBJECT, event

from keepwall.vocabulary.decision import Effect

pytestmark = pytest.mark.real


async def test_events_come_in_live_survive_an_outage_and_can_be_held(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        served = running.served
        watched = await sign_in(await browser.new_context(viewport=WIDE), served, "/events")
        page = watched.page
        state, rows = page.locator("#live-state"), page.locator("#live-rows tr")
        await expect(state).to_have_text("live")
        await expect(rows).to_have_count(8)

        served.happen(event(50, target=HOSTILE))
        await expect(rows).to_have_count(9)
        await expect(rows.first).to_contain_text("<img src=x onerror=alert(1)>")
        assert await page.locator("#live-rows img").count() == 0
        assert watched.complaints == []

        await running.stop()
        await expect(state).to_have_text("reconnecting")
        await page.screenshot(path=SHOTS / "events-reconnecting-light-wide.png")
        served.store.events.append([event(51, target="happened while nobody looked")])
        await running.start()
        await expect(state).to_have_text("live", timeout=20_000)
        await expect(rows.first).to_contain_text("happened while nobody looked")
        await expect(rows).to_have_count(10)

        await page.get_by_role("button", name="Pause").click()
        served.happen(event(52, target="held back"))
        await expect(page.get_by_role("button", name="Resume (1 new)")).to_be_visible()
        await expect(rows).to_have_count(10)
        await page.get_by_role("button", name="Resume").click()
        await expect(rows.first).to_contain_text("held back")
        await expect(rows).to_have_count(11)

        served.live.publish("event", 3, event(3))  # an old one again
        served.happen(event(53, Effect.ALLOW, target="the newest"))
        await expect(rows.first).to_contain_text("the newest")
        await expect(rows).to_have_count(12)


async def test_a_list_that_opens_while_the_stream_is_refused_comes_alive_later(
    tmp_path: Path,
) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        held = [running.live.subscribe() for _ in range(64)]
        watched = await sign_in(await browser.new_context(), running.served, "/events")
        state = watched.page.locator("#live-state")
        await expect(state).to_have_text("reconnecting")
        for each in held:
            each.close()
        await expect(state).to_have_text("live", timeout=20_000)
        running.served.happen(event(60, target="at last"))
        await expect(watched.page.locator("#live-rows tr").first).to_contain_text("at last")


async def test_an_incident_is_contained_and_released_by_keyboard_alone(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        served = running.served
        context = await browser.new_context(viewport=WIDE)
        watched = await sign_in(context, served, "/incidents/inc-1")
        page = watched.page
        await page.get_by_text("Contain the subject…").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text(f"new actions of {SUBJECT}")).to_be_visible()
        await page.screenshot(path=SHOTS / "incident-confirm-light-wide.png")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Contain now")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".state")).to_have_text("contained")
        assert served.planes.contained == {"inc-1": SUBJECT}
        await expect(page.locator(".timeline")).to_contain_text(f"{SUBJECT} is contained")
        await page.screenshot(path=SHOTS / "incident-contained-light-wide.png", full_page=True)

        other = await context.new_page()  # shares the session, and sees the release happen
        await other.goto(f"{served.url}/incidents/inc-1")
        await expect(other.locator(".state")).to_have_text("contained")
        await other.wait_for_timeout(500)
        await page.get_by_text("Release the subject…").click()
        await page.get_by_role("button", name="Release now").click()
        await expect(page.locator(".state")).to_have_text("open")
        await expect(other.locator(".state")).to_have_text("open")
        assert watched.complaints == []


async def test_planes_that_do_not_answer_are_said_on_the_page(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        running.served.planes.reachable = False
        context = await browser.new_context(viewport=WIDE)
        page = (await sign_in(context, running.served, "/incidents/inc-1")).page
        await page.get_by_text("Contain the subject…").click()
        await page.get_by_role("button", name="Contain now").click()
        await expect(page.get_by_role("alert").first).to_contain_text("the bus does not answer")
        await expect(page.locator(".state")).to_have_text("open")
        await page.screenshot(path=SHOTS / "incident-error-light-wide.png")


async def test_keys_lead_everywhere(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        served = running.served
        watched = await sign_in(await browser.new_context(), served)
        page = watched.page
        for key, path in (
            ("i", "/inventory"),
            ("f", "/findings"),
            ("e", "/events"),
            ("n", "/incidents"),
        ):
            await page.keyboard.press("g")
            await page.keyboard.press(key)
            await page.wait_for_url(f"{served.url}{path}")
        await page.keyboard.press("g")
        await page.keyboard.press("o")
        await page.wait_for_url(f"{served.url}/")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        await page.goto(f"{served.url}/findings")
        await page.keyboard.press("/")
        await expect(page.get_by_role("searchbox")).to_be_focused()
        await page.keyboard.type("g i/")
        await expect(page.get_by_role("searchbox")).to_have_value("g i/")
        assert page.url.startswith(f"{served.url}/findings")


async def test_filters_work_while_typing_and_stay_in_the_address(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        served = running.served
        watched = await sign_in(await browser.new_context(), served, "/findings")
        page = watched.page
        rows = page.locator("#results tbody tr")
        await expect(rows).to_have_count(6)
        await page.get_by_label("Search").fill("shell")
        await expect(rows).to_have_count(1)
        assert "search=shell" in page.url
        await page.reload()
        await expect(rows).to_have_count(1)
        await page.get_by_label("Search").fill("")
        await page.get_by_label("Severity").select_option("high")
        await expect(rows).to_have_count(2)
        await page.get_by_label("Search").fill("no such thing")
        await expect(page.locator("#results")).to_contain_text("No finding matches")
        await page.go_back()
        await expect(rows).to_have_count(2)
        assert watched.complaints == []
        await running.stop()
        await page.get_by_label("Search").fill("x")
        await expect(page.locator("#notice")).to_contain_text("does not answer")
        await expect(rows).to_have_count(2)
        await page.screenshot(path=SHOTS / "findings-unreachable-light-wide.png")


async def test_signing_out_in_one_tab_signs_every_tab_out(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        context = await browser.new_context()
        first = (await sign_in(context, running.served, "/findings")).page
        second = await context.new_page()
        await second.goto(f"{running.served.url}/events")
        await expect(second.locator("#live-state")).to_have_text("live")
        await second.get_by_role("button", name="Sign out").click()
        await second.wait_for_url("**/sign-in")
        await first.get_by_label("Search").fill("x")
        await first.wait_for_url("**/sign-in?next=/findings")
        assert await context.cookies() == []


async def test_everything_can_be_read_and_ordered_without_scripts(tmp_path: Path) -> None:
    async with console(tmp_path) as running, chromium() as browser:
        served = running.served
        context = await browser.new_context(java_script_enabled=False)
        page = await context.new_page()
        await page.goto(f"{served.url}/findings")
        await page.get_by_label("Password").fill(served.password)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_label("Search").fill("shell")
        await page.get_by_role("button", name="Filter").click()
        await expect(page.locator("#results tbody tr")).to_have_count(1)
        await page.goto(f"{served.url}/incidents/inc-1")
        await page.get_by_text("Contain the subject…").click()
        await page.get_by_role("button", name="Contain now").click()
        await expect(page.locator(".state")).to_have_text("contained")
