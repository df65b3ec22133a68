"""Operators at work, in a real Chromium."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from owcl.engine import class_view, registry
from owcl.engine.workspace import Workspace
from tests.review.conftest import lab, served

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PAGES = ("/", "/classes/2", "/map", "/history", "/overview", "/upload")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: `make test` installs Debian's where it may, else install it by hand")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def entered(browser: Browser, address: str, **settings: Any) -> Page:
    page = browser.new_context(**settings).new_page()
    page.set_default_timeout(20_000)
    page.goto(address)
    return page


def at(address: str, path: str) -> str:
    return address.split("/?")[0] + path


def test_first_visit_name_merge_split_undo_restart(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40, 24)) as workspace:
        with served(workspace) as address:
            page = entered(browser, address)
            assert page.url.endswith("/")  # The token is gone from the address.
            expect(page.get_by_role("heading", level=1)).to_have_text("2 classes wait for you")
            page.get_by_role("link", name="new-2").click()
            page.get_by_label("Name", exact=True).fill("SimSwap <b>")
            page.get_by_label("Family").fill("identity swap")
            page.get_by_role("button", name="Name n").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("SimSwap <b> named")
            page.goto(at(address, "/classes/3"))
            page.get_by_label("Merge into").select_option(label="SimSwap <b>")
            page.get_by_role("button", name="Merge m").click()
            page.goto(at(address, "/classes/2"))
            assert "64 faces" in page.locator("main").inner_text()
            page.get_by_label("Order").select_option("newest")
            page.locator("#face-8").click()
            page.locator("#face-10").click(modifiers=["Shift"])
            page.get_by_role("status").get_by_text("3 selected").wait_for()
            page.get_by_label("Name of the part").fill("part")
            page.get_by_role("button", name="Split off s").click()
            page.get_by_role("status").get_by_text("split of class 2 by anna").wait_for()
            assert class_view.show(workspace.store, "part").members == 3
            page.get_by_role("button", name="Undo u").click()
            assert class_view.show(workspace.store, "2").members == 32 + 20
            page.context.close()
        with served(workspace) as address:
            page = entered(browser, address)
            page.goto(at(address, "/history"))
            assert page.locator("tbody tr").count() == 4
            page.get_by_role("button", name="Undo decision 2").click()
            page.goto(at(address, "/classes/3"))
            expect(page.get_by_role("heading", level=1)).to_have_text("new-3 provisional")
            page.context.close()


def test_everything_can_be_done_by_keyboard(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40, 24)) as workspace, served(workspace) as address:
        page = entered(browser, address)
        press = page.keyboard.press
        press("?")
        page.get_by_role("dialog").wait_for()
        press("Escape")
        press("j")
        press("j")
        press("k")
        press("Enter")
        page.wait_for_url("**/classes/2")
        page.locator("#face-0").wait_for()
        press("j")
        press("x")
        press("j")
        press("j")
        press("Shift+X")
        page.get_by_text("3 selected").wait_for()
        press("Escape")
        page.get_by_text("none selected").wait_for()
        press("n")
        page.keyboard.type("by keys")
        press("Enter")
        page.get_by_role("heading", name="by keys named").wait_for()
        page.wait_for_load_state()
        press("m")
        page.keyboard.type("real")
        press("Escape")
        press("u")
        page.get_by_role("heading", name="new-2 provisional").wait_for()
        page.wait_for_load_state()
        press("g")
        press("h")
        page.wait_for_url("**/history")
        page.context.close()


def test_the_key_of_undo_takes_back_what_the_page_says_else_ones_own_newest_decision(
    browser: Browser, tmp_path: Path
) -> None:
    with lab(tmp_path, (30, 40, 24, 24)) as workspace, served(workspace) as address:
        registry.name(workspace.store, "2", "first", "anna")
        page = entered(browser, address)
        page.goto(at(address, "/classes/3"))
        page.get_by_role("button", name="Reject the class").click()
        said = page.locator(".done")
        expect(said).to_contain_text("reject of class 3 by anna")
        registry.name(workspace.store, "4", "Ben's", "ben")
        for undone in ("undone: reject of class 3 by anna", "undone: name of class 2 by anna"):
            page.wait_for_load_state()
            page.keyboard.press("u")
            expect(said).to_contain_text(undone)
        page.wait_for_load_state()
        page.keyboard.press("u")
        expect(page.get_by_role("alert")).to_contain_text("there is nothing of anna to undo")
        names = [line.name for line in class_view.list_classes(workspace.store)]
        assert names == ["real", "new-2", "new-3", "Ben's"]
        page.context.close()


def test_every_picture_of_a_face_may_be_kept_while_the_page_is_served(
    browser: Browser, tmp_path: Path
) -> None:
    with lab(tmp_path, (30, 40)) as workspace, served(workspace) as address:
        page = entered(browser, address)
        asked: dict[str, str] = {}
        page.on(
            "response",
            lambda answer: asked.update({urlsplit(answer.url).path: answer.headers["cache-control"]}),
        )
        page.goto(at(address, "/"))
        page.wait_for_load_state("networkidle")
        inbox = asked.pop("/sprite.jpg")
        page.goto(at(address, "/classes/2"))
        page.locator("#face-0").click()
        page.wait_for_load_state("networkidle")
        face = page.locator("#one img").first.get_attribute("src") or ""
        kept = [inbox, asked["/sprite.jpg"], asked[urlsplit(face).path]]
        assert all("immutable" in said for said in kept)
        page.context.close()


def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40, 24)) as workspace, served(workspace) as address:
        registry.name(workspace.store, "3", "x" * 200, "anna")
        phone = {"viewport": {"width": 375, "height": 700}, "has_touch": True, "is_mobile": True}
        page = entered(browser, address, **phone)
        for path in PAGES:
            page.goto(at(address, path))
            page.wait_for_load_state("networkidle")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path
        page.context.close()


def test_two_operators_at_once_do_not_lose_each_others_work(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40)) as workspace, served(workspace) as address:
        anna, ben = entered(browser, address), entered(browser, address)
        for page, who in ((anna, "anna"), (ben, "ben")):
            page.locator(".you summary").click()
            page.get_by_label("You are").fill(who)
            page.get_by_role("button", name="Keep").click()
            page.goto(at(address, "/classes/2"))
            page.get_by_label("Name", exact=True).fill(f"{who}'s")
        anna.get_by_role("button", name="Name n").click()
        ben.get_by_role("button", name="Name n").click()
        assert "was renamed by anna" in ben.get_by_role("alert").inner_text()
        ben.get_by_role("link", name="Back to where you were").click()
        expect(ben.get_by_role("heading", level=1)).to_have_text("anna's named")
        anna.context.close()
        ben.context.close()


def test_faces_are_lassoed_on_the_map_into_a_class(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40, 24)) as workspace, served(workspace) as address:
        page = entered(browser, address)
        page.goto(at(address, "/map"))
        canvas = page.locator("#map[data-points='94']")
        canvas.wait_for()
        box = canvas.bounding_box()
        assert box is not None
        right, bottom = box["width"] - 20, box["height"] - 20
        page.get_by_text("94 of 94 faces, those that the answering model has looked at.").wait_for()
        assert page.locator("#legend li").all_inner_texts() == ["real", "new-2", "new-3"]
        page.get_by_label("Show").select_option(label="new-3")
        page.mouse.move(box["x"] + 20, box["y"] + 5)
        page.mouse.down()
        for across, down in ((right, 5), (right, bottom + 15), (20, bottom + 15)):
            page.mouse.move(box["x"] + across, box["y"] + down, steps=5)
        page.mouse.up()
        page.get_by_text("24 selected").wait_for()
        assert "&run=" in (page.locator("#preview img").get_attribute("src") or "")
        page.get_by_label("Name").fill("lassoed")
        page.get_by_role("button", name="Make a class of these").click()
        page.wait_for_url("**/classes/4?done=1")
        assert class_view.show(workspace.store, "lassoed").members == 24
        page.context.close()


def test_while_another_order_loads_nothing_can_be_chosen_in_the_former_one(
    browser: Browser, tmp_path: Path
) -> None:
    with lab(tmp_path, (30, 40)) as workspace, served(workspace) as address:
        page = entered(browser, address)
        page.goto(at(address, "/classes/2"))
        page.locator("#face-0").wait_for()
        held: list[Route] = []
        page.route("**/*order=newest*", lambda route: held.append(route))
        page.get_by_label("Order").select_option("newest")
        page.locator("#grid[aria-busy]").wait_for()
        assert page.locator(".face").count() == 0
        held[0].continue_()
        page.locator("#face-8").click()
        page.locator("#face-10").click(modifiers=["Shift"])
        page.get_by_role("status").get_by_text("3 selected").wait_for()
        page.context.close()


def test_ten_thousand_faces_scroll_without_waiting(browser: Browser, tmp_path: Path) -> None:
    with lab(tmp_path, (30, 10_000)) as workspace, served(workspace) as address:
        page = entered(browser, address, viewport={"width": 1280, "height": 800})
        page.goto(at(address, "/classes/2"))
        page.locator("#face-0").wait_for()
        waits = [_next_screen(page) for _ in range(12)]
        assert page.locator(".face").count() < 300
        # The quicker screens, since a busy machine has slow moments that are none of the page's.
        assert sorted(waits)[len(waits) // 4] < 0.2
        assert _memory_of_pages(browser) < 300e6
        page.context.close()


def _memory_of_pages(browser: Browser) -> int:
    """Return the bytes that the processes which draw pages have for themselves, pictures included."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    drawing = [psutil.Process(int(process["id"])) for process in processes if process["type"] == "renderer"]
    assert drawing
    return sum(process.memory_full_info().uss for process in drawing)


def _next_screen(page: Page) -> float:
    """Scroll on by a screen and return how many seconds its pictures took to come."""
    began = time.perf_counter()
    page.evaluate(
        """async () => {
            const grid = document.getElementById("grid");
            grid.scrollTop += grid.clientHeight;
            await new Promise(requestAnimationFrame);
            await new Promise(requestAnimationFrame);
            const wanted = new Set([...document.querySelectorAll(".face .image")].map(
                (image) => image.style.backgroundImage.slice(5, -2)));
            await Promise.all([...wanted].map((address) => {
                const image = new Image();
                image.src = address;
                return image.decode();
            }));
        }"""
    )
    return time.perf_counter() - began


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_bars_people_who_see_or_move_otherwise(browser: Browser, tmp_path: Path, scheme: str) -> None:
    with lab(tmp_path, (30, 40, 24)) as workspace, served(workspace) as address:
        registry.name(workspace.store, "3", "named", "anna", note="see https://example.org")
        page = entered(browser, address, color_scheme=scheme)
        for path in PAGES:
            page.goto(at(address, path))
            page.wait_for_load_state("networkidle")
            found = Axe().run(page).response["violations"]
            serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
            assert serious == [], path
        page.context.close()


def test_no_page_breaks_its_own_rules(browser: Browser, tmp_path: Path) -> None:
    complaints: list[str] = []
    with lab(tmp_path, (30, 40, 24)) as workspace, served(workspace) as address:
        page = entered(browser, address)
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for path in PAGES:
            page.goto(at(address, path))
            page.wait_for_load_state("networkidle")
        page.context.close()
    assert complaints == []


def test_a_workspace_opens_while_its_page_is_served(tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40)) as workspace, served(workspace), Workspace.open(workspace.root) as other:
        registry.name(other.store, "2", "from the command line", "ben")
        assert class_view.show(workspace.store, "2").line.name == "from the command line"
