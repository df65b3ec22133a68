"""Nobody gets in who should not, and nothing that comes in does harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from owcl.engine import history
from owcl.engine.workspace import Workspace
from owcl.review.app import Review
from owcl.review.security import LARGEST_BODY, Door, loopback_hosts
from tests.review.conftest import HOST, lab, served

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE classes; --",
    '=HYPERLINK("http://evil","x")',
    "{{ 7 * 7 }}${7*7}",
    "../../../../etc/passwd",
    "javascript:alert(1)",
    "\u202egnp.exe",
)
Post = Callable[..., Any]


@pytest.fixture
def stranger(workspace: Workspace, door: Door) -> TestClient:
    application = Review(workspace, door, "anna").application()
    return TestClient(application, base_url=f"http://{HOST}", follow_redirects=False)


def test_without_the_token_nothing_is_shown(stranger: TestClient) -> None:
    for path in ("/", "/classes/2", "/sprite.jpg?ids=1", "/map.json", "/history", "/nowhere"):
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert "new-2" not in answer.text


def test_the_token_is_changed_for_a_cookie_that_no_script_and_no_other_site_can_use(
    stranger: TestClient, door: Door
) -> None:
    answer = stranger.get(f"/?token={door.token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert door.token not in cookie
    assert stranger.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
def test_a_wrong_token_or_cookie_opens_nothing(stranger: TestClient, door: Door, token: str) -> None:
    cookie = f"{door.session_cookie}={token.encode().hex()}"
    assert stranger.get("/", params={"token": token}).status_code == 401
    assert stranger.get("/", headers={"cookie": cookie}).status_code == 401


def test_two_reviews_on_one_machine_do_not_lock_each_other_out(workspace: Workspace) -> None:
    jar: dict[str, str] = {}  # Of a browser, which sends every cookie to every port.
    pages = []
    for port in (8765, 8766):
        door = Door(loopback_hosts(port))
        application = Review(workspace, door, "anna").application()
        page = TestClient(application, base_url=f"http://127.0.0.1:{port}", follow_redirects=False)
        jar |= page.get(f"/?token={door.token}").cookies
        pages.append(page)
    cookies = "; ".join(f"{name}={value}" for name, value in jar.items())
    assert [page.get("/", headers={"cookie": cookies}).status_code for page in pages] == [200, 200]


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "127.0.0.1:80", ""])
def test_a_name_rebound_to_this_machine_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


def test_another_site_cannot_send_a_form(client: TestClient, door: Door, workspace: Workspace) -> None:
    before = history.latest(workspace.store)
    for origin in ("http://evil.example", "null", "http://testserver:81"):
        answer = client.post("/classes/2/reject", data={"csrf": door.csrf}, headers={"origin": origin})
        assert answer.status_code == 403
    assert history.latest(workspace.store) == before


def test_every_change_needs_the_secret_of_the_form(
    client: TestClient, workspace: Workspace, door: Door
) -> None:
    changes = [
        route.path
        for route in Review(workspace, door, "anna").application().routes
        if isinstance(route, Route) and "POST" in (route.methods or ()) and route.path != "/login"
    ]
    assert len(changes) > 5
    before = history.latest(workspace.store)
    for path in changes:
        concrete = re.sub(r"{\w+:int}", "2", path).replace("{verb:str}", "reject")
        for csrf in ("", "wrong", door.token, door.session):
            answer = client.post(concrete, data={"csrf": csrf, "faces": "31,32", "version": "1"})
            assert answer.status_code == 403
    assert history.latest(workspace.store) == before


def test_reading_changes_nothing(client: TestClient, workspace: Workspace) -> None:
    before = history.latest(workspace.store)
    for path in ("/classes/2/reject", "/undo", "/faces/make"):
        assert client.get(path).status_code in (404, 405)
    assert history.latest(workspace.store) == before


def test_a_browser_is_told_to_run_nothing_of_others(client: TestClient) -> None:
    for path in ("/", "/classes/2", "/sprite.jpg?ids=1", "/static/grid.js", "/nowhere"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_only_a_name_on_every_page(client: TestClient, post: Post, hostile: str) -> None:
    answer = post("/classes/2/name", name=hostile, family=hostile, note=hostile, version=1)
    if answer.status_code == 400:  # It holds what cannot be printed.
        assert "control character" in answer.text
        return
    post("/you", who=hostile)
    for path in (
        "/",
        "/classes/2",
        "/classes/3",
        "/map",
        "/history",
        "/overview",
        answer.headers["location"],
    ):
        page = client.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert not re.search(r"\b49\b", page.split("<main")[0])
        assert not re.search(r"href=[\"']?javascript:", page)


def test_a_note_links_to_the_web_and_to_nothing_else(client: TestClient, post: Post) -> None:
    post("/classes/2/name", name="a", note='see https://example.org/x"y and javascript:alert(1)', version=1)
    page = client.get("/classes/2").text
    assert re.findall(r'<p class="note">.*?href="([^"]*)"', page) == ["https://example.org/x"]


@pytest.mark.parametrize(
    "path",
    [
        "/sprite.jpg?ids=../../etc/passwd",
        "/sprite.jpg?ids=1;DROP TABLE faces",
        "/sprite.jpg?ids=",
        "/sprite.jpg?ids=" + ",".join(map(str, range(1, 100))),
        "/sprite.jpg?ids=99999999999999999999",
        "/sprite.jpg?ids=424242",
        "/faces/424242/face.png",
        "/faces/1/..%2f..%2fowcl.toml",
        "/classes/1/passwd.png",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
    ],
)
def test_no_path_of_a_file_is_taken_from_a_request(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text


def test_an_archive_or_path_as_an_uploads_name_is_only_shown(client: TestClient, door: Door) -> None:
    files = [("images", ("../../../etc/passwd::<b>x.png", b"no image", "image/png"))]
    answer = client.post("/upload", data={"csrf": door.csrf}, files=files)
    assert "<b>x" not in answer.text


def test_thumbnails_hold_no_original_byte(client: TestClient, tmp_path: Path) -> None:
    answer = client.get("/sprite.jpg?ids=1,2")
    assert answer.content.startswith(b"\xff\xd8")
    assert b"PNG" not in answer.content
    assert b"Exif" not in answer.content


def test_a_body_that_is_too_large_is_refused(client: TestClient, door: Door, workspace: Workspace) -> None:
    answer = client.post(
        "/classes/2/name", data={"csrf": door.csrf, "name": "x", "note": "a" * LARGEST_BODY, "version": "1"}
    )
    assert answer.status_code == 413
    assert history.latest(workspace.store) == []


def test_a_redirect_never_leaves_the_page(post: Post) -> None:
    post("/classes/2/name", name="a", version=1)
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""):
        assert post("/undo", back=back).headers["location"] == "/history?done=1"
        assert post("/redo", back="/classes/2").headers["location"] == "/classes/2?done=1"


def test_with_a_password_a_wrong_one_opens_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("owcl.review.app.PATIENCE_AFTER_A_WRONG_PASSWORD", 0)
    door = Door(frozenset({HOST}), password="open sesame", secure=True)
    application = Review(workspace, door, "anna").application()
    stranger = TestClient(application, base_url=f"https://{HOST}", follow_redirects=False)
    assert stranger.get("/classes/2").headers["location"] == "/login"
    assert "Password" in stranger.get("/login").text
    assert stranger.post("/login", data={"password": "close"}).status_code == 403
    assert stranger.get("/").status_code == 303
    answer = stranger.post("/login", data={"password": "open sesame"})
    assert "Secure" in answer.headers["set-cookie"]
    assert stranger.get("/").status_code == 200


def test_loopback_names_carry_the_port() -> None:
    assert loopback_hosts(8765) == {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}


def test_a_thousand_requests_at_once_are_answered_or_put_off(tmp_path: Path) -> None:
    with lab(tmp_path, (30, 40)) as workspace, served(workspace) as address:
        place = urlsplit(address)

        def ask(number: int) -> int:
            connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
            path = f"{place.path}?{place.query}" if number % 2 else "/"
            try:
                connection.request("GET", path)
                return connection.getresponse().status
            finally:
                connection.close()

        with ThreadPoolExecutor(100) as pool:
            statuses = list(pool.map(ask, range(1000)))
        assert set(statuses) <= {303, 401, 503}
        assert statuses.count(303) > 0
        assert ask(1) == 303
