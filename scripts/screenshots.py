"""Pictures of every review page, light and dark, for the documentation.

python scripts/screenshots.py WORKSPACE [--into docs/images]
"""

from __future__ import annotations

import argparse
import shutil
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from owcl.engine.workspace import Workspace
from owcl.review.app import Review
from owcl.review.security import Door, loopback_hosts
from owcl.review.serve import listening_at
from storage import classes, faces

SIZE = {"width": 1280, "height": 860}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Serve a workspace and look at its pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, help="one with discovered classes, that of `make demo` say")
    parser.add_argument("--into", type=Path, default=Path("docs/images"), help="where the pictures go")
    arguments = parser.parse_args()
    with Workspace.open(arguments.workspace) as workspace, listening_at("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        door = Door(loopback_hosts(port))
        server = uvicorn.Server(
            uvicorn.Config(Review(workspace, door, "anna").application(), log_level="warning")
        )
        threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
        while not server.started:
            time.sleep(0.05)
        for scheme in ("light", "dark"):
            _look(workspace, f"http://127.0.0.1:{port}", door.token, scheme, arguments.into)
        server.should_exit = True


def _look(workspace: Workspace, address: str, token: str, scheme: str, into: Path) -> None:
    with workspace.store.reading() as transaction:
        shown = next(entry for entry in classes.live(transaction) if entry.status == "provisional")
        face = faces.by_ids(transaction, [1])[0]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_context(viewport=SIZE, color_scheme=scheme).new_page()
        page.goto(f"{address}/?token={token}")
        _shot(page, into / f"review-inbox-{scheme}.png")
        page.goto(f"{address}/classes/{shown.id}")
        page.locator("#face-9").wait_for()
        page.locator("#face-2").click()
        page.locator("#face-5").click(modifiers=["Shift"])
        _shot(page, into / f"review-class-{scheme}.png")
        page.goto(f"{address}/map")
        page.locator("#map[data-points]").wait_for(timeout=120_000)
        _shot(page, into / f"review-map-{scheme}.png")
        for name in ("history", "overview"):
            page.goto(f"{address}/{name}")
            _shot(page, into / f"review-{name}-{scheme}.png")
        page.goto(f"{address}/upload")
        page.get_by_label("Drop up to 20 images").set_input_files(face.source)
        page.get_by_role("button", name="Look").click()
        page.locator(".verdict").wait_for()
        _shot(page, into / f"review-upload-{scheme}.png")
        browser.close()


def _shot(page: Page, picture: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=picture)
    print(picture, flush=True)


if __name__ == "__main__":
    main()
