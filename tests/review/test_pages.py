"""What operators see and do, without a browser."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from owcl.engine import class_view, history, registry
from owcl.engine.ingest import ingest
from owcl.engine.workspace import Workspace
from owcl.review import inbox
from owcl.review.app import Review
from owcl.review.map import SPAN, placed_near_landmarks
from owcl.review.pictures import ACROSS, TILE, drawn
from owcl.review.security import Door
from owcl.review.snapshot import Snapshots
from owcl.types import UNKNOWN, Cluster
from storage import clusters, memberships
from tests.conftest import SmallWorld
from tests.review.conftest import HOST, lab

Post = Callable[..., Any]


def members(workspace: Workspace, class_id: int) -> list[int]:
    with workspace.store.reading() as transaction:
        return memberships.members(transaction, class_id).tolist()


def test_the_inbox_shows_provisional_classes_the_most_urgent_first(
    client: TestClient, workspace: Workspace
) -> None:
    cards = inbox.provisional(workspace, Snapshots(workspace.store).now(), seen_until=2)
    assert [(card.id, card.faces, card.recent) for card in cards] == [(2, 40, 40), (3, 24, 24)]
    assert [card.is_new for card in cards] == [False, True]
    shown = [face_id for ids in cards[0].strips.values() for face_id in ids]
    assert len(shown) == len(set(shown)) == 16
    assert set(shown) <= set(range(31, 71))
    page = client.get("/").text
    assert page.index("new-2") < page.index("new-3") < page.index("real")


def test_a_cluster_that_waits_is_made_a_class_of_from_the_inbox(
    client: TestClient, post: Post, workspace: Workspace
) -> None:
    assert "not sure enough" not in client.get("/").text
    loose = members(workspace, 3)[:10]
    with workspace.store.transaction() as transaction:
        memberships.end(transaction, loose)
        sighting = clusters.Sighting(1, 1, {"reasons": ["<b>20</b> faces are needed"]})
        cluster = Cluster(np.array(loose), np.zeros(8, np.float32), 0.5)
        waits = clusters.add(transaction, cluster, sighting)
    page = client.get("/").text
    assert "1 cluster is not sure enough to be a class" in page
    assert "10 faces · seen in 1 experience" in page
    assert "&lt;b&gt;20&lt;/b&gt; faces are needed" in page
    answer = post(f"/clusters/{waits}/adopt", name="Prism")
    assert (answer.status_code, answer.headers["location"]) == (303, "/classes/4?done=1")
    assert members(workspace, 4) == loose
    assert class_view.show(workspace.store, "Prism").line.status == "named"
    assert "not sure enough" not in client.get("/").text
    assert post(f"/clusters/{waits}/adopt", name="Again").status_code == 404


def test_new_means_since_the_last_visit_with_this_browser(client: TestClient, post: Post) -> None:
    assert client.get("/").text.count("new since your last visit") == 2
    again = client.get("/")
    assert again.text.count("new since your last visit") == 2  # The same visit still.
    (visit,) = (name for name in client.cookies if name.startswith("owcl_base"))
    del client.cookies[visit]
    assert client.get("/").text.count("new since your last visit") == 0


def test_what_was_seen_in_one_workspace_is_new_in_another(
    client: TestClient, door: Door, tmp_path: Path
) -> None:
    client.get("/")
    with lab(tmp_path / "other", (30, 40)) as workspace:
        application = Review(workspace, door, "anna").application()
        other = TestClient(application, base_url=f"http://{HOST}", cookies=client.cookies)
        assert other.get("/").text.count("new since your last visit") == 1


def test_naming_goes_to_the_page_of_the_class_and_offers_to_undo(
    client: TestClient, post: Post, workspace: Workspace
) -> None:
    answer = post("/classes/2/name", name="SimSwap", family="identity swap", note="case 7", version=1)
    assert (answer.status_code, answer.headers["location"]) == (303, "/classes/2?done=1")
    page = client.get("/classes/2?done=1").text
    assert "name of class 2 by anna" in page
    assert "case 7" in page
    view = class_view.show(workspace.store, "2")
    assert (view.line.name, view.line.family, view.line.status) == ("SimSwap", "identity swap", "named")
    assert "new-2" not in client.get("/").text
    undone = post("/undo", decision=1, back="/classes/2")
    assert undone.headers["location"] == "/classes/2?done=1"
    assert "undone: name of class 2 by anna" in client.get("/classes/2?done=1").text
    assert "new-2" in client.get("/").text
    post("/redo", decision=2, back="/classes/2")
    assert "undone: " not in client.get("/classes/2?done=2").text
    assert class_view.show(workspace.store, "2").line.name == "SimSwap"


@pytest.mark.parametrize(
    "page", ["/classes/{}", "/faces/{}.json", "/faces/{}/face.png", "/sprite.jpg?ids={}"]
)
def test_an_address_with_a_number_that_no_id_can_be_is_no_page(page: str, client: TestClient) -> None:
    answer = client.get(page.format(10**20))
    assert 400 <= answer.status_code < 500


def test_what_others_decided_is_undone_only_where_it_is_named(post: Post, workspace: Workspace) -> None:
    registry.name(workspace.store, "2", "Ben's", "ben")
    answer = post("/undo")
    assert answer.status_code == 404
    assert "there is nothing of anna to undo" in answer.text
    assert post("/undo", decision=1).status_code == 303


def test_emptied_fields_take_family_and_note_away(post: Post, workspace: Workspace) -> None:
    post("/classes/2/name", name="SimSwap", family="identity swap", note="case 7", version=1)
    post("/classes/2/name", name="SimSwap", family=" ", note="", version=2)
    view = class_view.show(workspace.store, "2")
    assert (view.line.family, view.note) == (None, None)


def test_merging_splitting_moving_releasing_and_rejecting(
    client: TestClient, post: Post, workspace: Workspace
) -> None:
    def version(class_id: int) -> int:
        return class_view.show(workspace.store, str(class_id)).version

    assert post("/classes/2/split", faces="31,32,33", name="part", version=1).status_code == 303
    assert members(workspace, 4) == [31, 32, 33]
    assert post("/faces/label", faces="34", into=4).headers["location"] == "/classes/4?done=2"
    assert members(workspace, 4) == [31, 32, 33, 34]
    assert post("/classes/4/release", faces="31", version=version(4)).status_code == 303
    assert members(workspace, 4) == [32, 33, 34]
    assert post("/classes/3/merge", into=4, version=version(3)).status_code == 303
    assert len(members(workspace, 4)) == 3 + 20
    assert post("/classes/4/reject", version=version(4)).status_code == 303
    assert "rejected" in client.get("/classes/4").text
    made = post("/faces/make", faces="35,36", name="lasso")
    assert made.headers["location"].startswith("/classes/5")
    dismissed = post("/faces/dismiss", faces="37,38")
    assert dismissed.headers["location"].startswith("/classes/6")
    assert class_view.show(workspace.store, "6").line.status == "rejected"
    post("/undo")
    assert {37, 38} <= set(members(workspace, 2))


def test_two_operators_do_not_lose_each_others_work(
    client: TestClient, post: Post, workspace: Workspace
) -> None:
    post("/classes/2/name", name="Anna's", version=1)
    late = post("/classes/2/name", name="Ben's", version=1)
    assert late.status_code == 409
    assert "was renamed by anna" in late.text
    assert "Reload and decide again" in late.text
    assert 'href="/classes/2"' in late.text
    assert class_view.show(workspace.store, "2").line.name == "Anna's"


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
    [
        ("/classes/99/name", {"name": "x", "version": 1}, 404, "there is no class"),
        ("/classes/2/name", {"name": " ", "version": 1}, 400, "it is empty"),
        ("/classes/2/name", {"name": "REAL", "version": 1}, 409, "belongs to class 1"),
        ("/classes/2/merge", {"into": "2", "version": 1}, 409, "cannot be merged into itself"),
        ("/classes/2/split", {"faces": "1", "version": 1}, 400, "is not a member"),
        ("/classes/2/split", {"faces": "", "version": 1}, 400, "ids with commas"),
        ("/classes/2/explode", {"version": 1}, 404, "nothing that can be done"),
        ("/faces/explode", {"faces": "1"}, 404, "nothing that can be done"),
        ("/undo", {}, 404, "there is nothing of anna to undo"),
        ("/undo", {"decision": "9" * 20}, 400, "is no id"),
        ("/undo", {"decision": 5}, 404, "decision 5"),
        ("/you", {"who": " "}, 400, "a printable name"),
        ("/upload", {}, 400, "from 1 to 20 images"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    post: Post, workspace: Workspace, path: str, fields: dict[str, Any], status: int, words: str
) -> None:
    answer = post(path, **fields)
    assert answer.status_code == status
    assert words in answer.text.replace("&#39;", "'")
    assert history.latest(workspace.store) == []


def test_who_decides_is_remembered_in_any_alphabet(client: TestClient, post: Post) -> None:
    post("/you", who="Åsa 李")
    post("/classes/2/name", name="x", version=1)
    assert "name class 2" in client.get("/history").text
    assert "Åsa 李" in client.get("/history").text


def test_the_faces_of_a_class_come_in_the_order_asked_for(client: TestClient) -> None:
    surest = client.get("/classes/2/faces.json").json()
    assert sorted(surest["ids"]) == list(range(31, 71))
    assert surest["probabilities"] == sorted(surest["probabilities"], reverse=True)
    assert surest["origins"].count("promotion") == 32
    unsure = client.get("/classes/2/faces.json?order=unsure").json()
    assert unsure["probabilities"] == sorted(surest["probabilities"])
    assert client.get("/classes/2/faces.json?order=newest").json()["ids"] == list(range(70, 30, -1))


def test_a_sprite_shows_each_face_in_its_place(client: TestClient) -> None:
    import io

    from PIL import Image

    sheet = np.asarray(Image.open(io.BytesIO(client.get("/sprite.jpg?ids=1,2,50,3,4,5,6,7,8").content)))
    assert sheet.shape == (2 * TILE, ACROSS * TILE, 3)
    middle = sheet[TILE // 2 :: TILE, TILE // 2 :: TILE].astype(int)
    assert np.abs(middle[0, 0] - (0, 0, 128)).max() < 25
    assert np.abs(middle[0, 2] - (49 * 37 % 256, 0, 128)).max() < 25
    assert np.abs(middle[1, 0] - (7 * 37 % 256, 0, 128)).max() < 25


def test_a_browser_keeps_pictures_of_this_run_and_of_no_other(
    client: TestClient, workspace: Workspace, door: Door
) -> None:
    address = html.unescape(re.findall(r'src="(/sprite[^"]*)"', client.get("/").text)[0])
    assert "immutable" in client.get(address).headers["cache-control"]
    assert "immutable" in client.get(f"/faces/1/face.png?{address.split('&')[1]}").headers["cache-control"]
    later = TestClient(Review(workspace, door, "anna").application(), base_url=f"http://{HOST}")
    later.cookies.set(door.session_cookie, door.session)
    assert later.get(address).headers["cache-control"] == "no-store"
    assert "sprite" in later.get("/").text
    assert address not in html.unescape(later.get("/").text)


def test_faces_whose_files_come_back_are_seen_again(client: TestClient, tmp_path: Path) -> None:
    run = re.findall(r'data-run="(\w+)"', client.get("/").text)[0]
    sprite, face = f"/sprite.jpg?ids=1,2&run={run}", f"/faces/1/face.png?run={run}"
    files = tmp_path / "faces.zip"
    files.rename(tmp_path / "elsewhere.zip")
    blank = client.get(sprite)
    assert (blank.status_code, blank.headers["cache-control"]) == (200, "no-store")
    gone = client.get(face)
    assert (gone.status_code, gone.headers["cache-control"]) == (404, "no-store")
    (tmp_path / "elsewhere.zip").rename(files)
    assert client.get(sprite).content != blank.content
    assert "immutable" in client.get(sprite).headers["cache-control"]
    assert client.get(face).status_code == 200


def test_a_grid_of_upsampling_shows_in_the_spectrum() -> None:
    import io

    from PIL import Image

    rng = np.random.default_rng(0)
    smooth = rng.normal(128, 10, (8, 3, 32, 32))
    smooth[:, :, ::2, ::2] += 30
    spectrum = np.asarray(Image.open(io.BytesIO(drawn(smooth.clip(0, 255).astype(np.uint8), "spectrum"))))
    peak, noise = spectrum[4, 4], spectrum[60:100, 60:100]
    assert peak > noise.mean() + 100


def test_a_page_sees_what_changed_a_moment_ago(workspace: Workspace) -> None:
    snapshots = Snapshots(workspace.store)
    before = snapshots.now()
    assert snapshots.now() is before
    registry.merge(workspace.store, "3", "2", "anna")
    after = snapshots.now()
    assert (len(before.rows(2)), len(after.rows(2)), len(after.rows(3))) == (40, 64, 0)
    registry.reject(workspace.store, "2", "anna")
    assert len(snapshots.now().rows(UNKNOWN)) == 64
    assert after.arrivals(2) == [0, 64]


def test_on_the_map_neighbours_stay_neighbours(rng: np.random.Generator) -> None:
    centres = rng.normal(size=(3, 16)) * 4
    labels = np.repeat([0, 1, 2], 700)
    vectors = (centres[labels] + rng.normal(size=(2100, 16))).astype(np.float32)
    places = placed_near_landmarks(vectors, rng)
    assert (places.min(), places.max()) == (0, SPAN)
    means = np.stack([places[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - means[None], axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.99


def test_the_map_says_that_it_is_being_drawn_and_then_shows_every_face(client: TestClient) -> None:
    import time

    for _ in range(300):
        answer = client.get("/map.json")
        if answer.status_code == 200:
            break
        assert answer.json() == {"state": "drawing"}
        time.sleep(0.1)
    found = answer.json()
    assert found["ids"] == list(range(1, 95))
    assert found["classes"] == [1] * 30 + [2] * 40 + [3] * 24
    assert set(found) == {"ids", "x", "y", "classes"}


def test_uploads_splits_and_figures_of_a_real_workspace(
    small_world: SmallWorld, tmp_path: Path, door: Door
) -> None:
    from owcl.engine.discover import discover

    with Workspace.open(small_world.copy(tmp_path)) as workspace:
        ingest(workspace, [str(small_world.arriving)])
        found = discover(workspace).promoted[0]
        application = Review(workspace, door, "anna").application()
        client = TestClient(application, base_url=f"http://{HOST}", follow_redirects=False)
        client.cookies.set(door.session_cookie, door.session)
        face = sorted((small_world.test / "sub_pixel").iterdir())[0]
        files = [("images", ("one.png", face.read_bytes())), ("images", ("two.png", b"no image"))]
        looked = client.post("/upload", data={"csrf": door.csrf}, files=files).text
        assert '<p class="verdict">sub_pixel' in looked
        assert looked.count("data:image/png;base64,") == 3
        assert "Most alike" in looked
        assert "It could not be used" in looked
        assert "looks like" in client.get(f"/classes/{found.id}/parts").text
        overview = client.get("/overview").text
        assert "/figures/arrivals.svg" in overview
        svg = client.get("/figures/arrivals.svg")
        assert svg.text.startswith("<svg")
        assert "sandbox" in svg.headers["content-security-policy"]
        assert client.get("/figures/nothing.svg").status_code == 404
        assert client.get(f"/classes/{found.id}/residual.png").content.startswith(b"\x89PNG")
