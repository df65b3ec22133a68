"""The routes of the review page: parse, call the engine, show."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from owcl.engine import history
from owcl.engine.workspace import Workspace
from owcl.errors import BadInput, Conflict, NotFound, OwclError
from owcl.review import decisions, forms, inbox, pages, pictures
from owcl.review.map import SPAN, FaceMap
from owcl.review.security import CSRF_FIELD, Door, Guard, guarded, right_password, short_key
from owcl.review.snapshot import Snapshots
from owcl.review.upload import looked_up
from owcl.types import Decision
from storage import classes
from storage.names import can_sign
from storage.store import Store

HERE = Path(__file__).parent
WHO = "owcl_who"
"""The cookie that says who decides, whatever the workspace."""
KEPT = {"cache-control": "private, max-age=86400, immutable"}
"""A face's picture does not change while the page is served: its id stands for its content there."""
PATIENCE_AFTER_A_WRONG_PASSWORD = 1.0
"""Seconds."""
STATUS = {BadInput: 400, NotFound: 404, Conflict: 409}


class Review:
    """The page of one workspace.

    Args:
        workspace: open for as long as the page is.
        door: what opens it.
        who: decides, where the operator has not said so.
    """

    def __init__(self, workspace: Workspace, door: Door, who: str) -> None:
        self.workspace = workspace
        self.door = door
        self.who = who
        key = short_key(str(workspace.root.resolve()))
        self.seen, self.base = f"owcl_seen_{key}", f"owcl_base_{key}"
        # In the addresses of pictures: another workspace served here has other faces under the same ids.
        self.run = secrets.token_hex(4)
        self.snapshots = Snapshots(workspace.store)
        self.map = FaceMap(workspace)
        # Not by the ending of a template's name: a page that escapes nothing would run what operators type.
        loader = FileSystemLoader(HERE / "templates")
        self.templates = Jinja2Templates(env=Environment(loader=loader, autoescape=True))
        self.sprite = lru_cache(512)(lambda ids: pictures.sprite(workspace, ids))
        self.picture = lru_cache(512)(lambda face_id, kind: pictures.face(workspace, face_id, kind))
        self.figures = lru_cache(2)(self._figures)

    def application(self) -> Starlette:
        """Return the ASGI application."""
        changes: list[tuple[str, Callable[[Request, FormData], Awaitable[Response]]]] = [
            ("/you", self.you),
            ("/upload", self.look_up),
            ("/undo", self.undo),
            ("/redo", self.redo),
            ("/faces/{verb:str}", self.decide_on_faces),
            ("/classes/{class_id:int}/{verb:str}", self.decide_on_class),
            ("/clusters/{cluster_id:int}/adopt", self.adopt),
        ]
        shows: list[tuple[str, Callable[[Request], Awaitable[Response]]]] = [
            ("/", self.inbox),
            ("/classes/{class_id:int}", self.class_page),
            ("/classes/{class_id:int}/faces.json", self.class_faces),
            ("/classes/{class_id:int}/parts", self.parts),
            ("/classes/{class_id:int}/{kind:str}.png", self.class_picture),
            ("/faces/{face_id:int}/{kind:str}.png", self.face_picture),
            ("/faces/{face_id:int}.json", self.face_facts),
            ("/sprite.jpg", self.faces_sprite),
            ("/map", self.map_page),
            ("/map.json", self.map_points),
            ("/history", self.history),
            ("/overview", self.overview),
            ("/figures/{name:str}.svg", self.figure),
            ("/upload", self.upload_page),
        ]
        routes = [
            *(Route(path, guarded(self.door, change), methods=["POST"]) for path, change in changes),
            *(Route(path, show, methods=["GET"]) for path, show in shows),
            Route("/login", self.login_page, methods=["GET"]),
            Route("/login", self.login, methods=["POST"]),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, door=self.door)],
            # Numbers in an address may be larger than any id.
            exception_handlers={OwclError: self.refuse, 404: self.absent, OverflowError: self.absent},
        )

    async def inbox(self, request: Request) -> Response:
        """Show the provisional classes that wait for a name, and clusters that wait to be a class."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        newest = max(snapshot.classes, default=0)
        base = forms.number(request.cookies.get(self.base, request.cookies.get(self.seen))) or 0
        cards = await run_in_threadpool(inbox.provisional, self.workspace, snapshot, base)
        waiting = await run_in_threadpool(inbox.waiting, self.workspace)
        page = self._page(request, "inbox", cards=cards, waiting=waiting, others=inbox.others(snapshot))
        if self.base not in request.cookies:
            page.headers.append("set-cookie", self.door.cookie(self.base, str(base)))
        page.headers.append("set-cookie", self.door.cookie(self.seen, str(newest), lasting=True))
        return page

    async def class_page(self, request: Request) -> Response:
        """Show a class."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        shown = await run_in_threadpool(
            pages.class_page, self.workspace, snapshot, request.path_params["class_id"]
        )
        return self._page(request, "class", shown=shown)

    async def class_faces(self, request: Request) -> Response:
        """Return the faces of a class as columns."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        order = request.query_params.get("order", "surest")
        class_id = request.path_params["class_id"]
        return JSONResponse(
            await run_in_threadpool(pages.face_columns, self.workspace, snapshot, class_id, order)
        )

    async def parts(self, request: Request) -> Response:
        """Show into which parts a class would be split, before anybody does."""
        from owcl.engine.proposals import split_proposals

        class_id = request.path_params["class_id"]
        snapshot = await run_in_threadpool(self.snapshots.now)
        if class_id not in snapshot.live:
            raise NotFound(f"class {class_id}: there is no live class of this id.")
        found = await run_in_threadpool(split_proposals, self.workspace, str(class_id))
        details = snapshot.live[class_id]
        return self._page(request, "parts", found=found, entry=details.entry, version=details.version)

    async def class_picture(self, request: Request) -> Response:
        """Draw the mean residual or spectrum of a class."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        rows = snapshot.rows(request.path_params["class_id"])
        face_ids = snapshot.present.face_ids[rows]
        kind = forms.kind(request.path_params["kind"])
        drawn = await run_in_threadpool(pictures.of_class, self.workspace, face_ids, kind)
        return Response(drawn, media_type="image/png")

    async def face_picture(self, request: Request) -> Response:
        """Draw a face, its residual or its spectrum."""
        face_id, kind = request.path_params["face_id"], forms.kind(request.path_params["kind"])
        drawn = await run_in_threadpool(self.picture, face_id, kind)
        return Response(drawn, media_type="image/png", headers=self._caching(request))

    async def face_facts(self, request: Request) -> Response:
        """Return where a face came from."""
        found = await run_in_threadpool(pages.sources, self.workspace, [request.path_params["face_id"]])
        return JSONResponse({"source": found[0]})

    async def faces_sprite(self, request: Request) -> Response:
        """Draw some faces as one picture."""
        ids = tuple(forms.ids(request.query_params.get("ids", ""), pictures.LARGEST_SPRITE))
        try:
            drawn, headers = await run_in_threadpool(self.sprite, ids), self._caching(request)
        except pictures.Incomplete as error:
            drawn, headers = error.drawn, {}
        return Response(drawn, media_type="image/jpeg", headers=headers)

    async def map_page(self, request: Request) -> Response:
        """Show the map."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        names = [(key, found.entry.name) for key, found in snapshot.live.items()]
        return self._page(request, "map", names=names, span=SPAN, faces=len(snapshot.present.face_ids))

    async def map_points(self, request: Request) -> Response:
        """Return the points of the map, or say that they are being placed."""
        placed = await run_in_threadpool(self.map.points)
        if placed is None:
            return JSONResponse({"state": "drawing"}, 202)
        face_ids, places = placed
        snapshot = await run_in_threadpool(self.snapshots.now)
        return JSONResponse(
            {
                "ids": face_ids.tolist(),
                "x": places[:, 0].tolist(),
                "y": places[:, 1].tolist(),
                "classes": snapshot.class_of(face_ids).tolist(),
            }
        )

    async def history(self, request: Request) -> Response:
        """Show who decided what."""
        return self._page(request, "history", lines=await run_in_threadpool(pages.history, self.workspace))

    async def overview(self, request: Request) -> Response:
        """Show how well it goes."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        numbers = await run_in_threadpool(pages.numbers, self.workspace, snapshot)
        drawn = await run_in_threadpool(self.figures, snapshot.state)
        arrivals = pages.arrivals(snapshot)
        return self._page(request, "overview", numbers=numbers, figures=list(drawn), arrivals=arrivals)

    async def figure(self, request: Request) -> Response:
        """Return a figure of the overview."""
        snapshot = await run_in_threadpool(self.snapshots.now)
        drawn = (await run_in_threadpool(self.figures, snapshot.state)).get(request.path_params["name"])
        if drawn is None:
            raise NotFound("figure: there is none of this name.")
        # Figures carry their colours as inline styles, which are harmless inside an image.
        policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return Response(drawn, media_type="image/svg+xml", headers=policy)

    async def upload_page(self, request: Request) -> Response:
        """Show where images can be dropped."""
        return self._page(request, "upload", found=None, bad=[])

    async def look_up(self, request: Request, form: FormData) -> Response:
        """Attribute images that are not taken in."""
        found, bad = await looked_up(self.workspace, form)
        return self._page(request, "upload", found=found, bad=bad)

    async def you(self, request: Request, form: FormData) -> Response:
        """Remember who decides."""
        who = " ".join(forms.word(form, "who").split())[:60]
        if not can_sign(who):
            raise BadInput("you: a printable name is expected.")
        back = RedirectResponse("/", 303)
        back.headers.append("set-cookie", self.door.cookie(WHO, quote(who), lasting=True))
        return back

    async def undo(self, request: Request, form: FormData) -> Response:
        """Take back a decision, the newest of this person if the form names none."""
        named = forms.decision(form)
        undo = history.undo_own if named is None else partial(history.undo, decision=named)
        return await self._take_back(request, form, undo)

    async def redo(self, request: Request, form: FormData) -> Response:
        """Take back an undo."""
        return await self._take_back(request, form, partial(history.redo, decision=forms.decision(form)))

    async def _take_back(
        self, request: Request, form: FormData, verb: Callable[[Store, str], Decision]
    ) -> Response:
        taken_back = await run_in_threadpool(verb, self.workspace.store, self._who(request))
        return RedirectResponse(f"{forms.way_back(form)}?done={taken_back.id}", 303)

    async def decide_on_class(self, request: Request, form: FormData) -> Response:
        """Name, merge, split, thin out or reject a class."""
        class_id, verb = request.path_params["class_id"], request.path_params["verb"]
        store, who = self.workspace.store, self._who(request)
        await run_in_threadpool(decisions.on_class, store, who, class_id, verb, form)
        return self._to_class(class_id)

    async def decide_on_faces(self, request: Request, form: FormData) -> Response:
        """Make a class of faces, add them to one, or say that they are none."""
        verb, store, who = request.path_params["verb"], self.workspace.store, self._who(request)
        entry = await run_in_threadpool(decisions.on_faces, store, who, verb, form)
        return self._to_class(entry.id)

    async def adopt(self, request: Request, form: FormData) -> Response:
        """Make a class of a cluster that waits."""
        cluster_id, store, who = request.path_params["cluster_id"], self.workspace.store, self._who(request)
        entry = await run_in_threadpool(decisions.on_cluster, store, who, cluster_id, form)
        return self._to_class(entry.id)

    def _to_class(self, class_id: int) -> Response:
        with self.workspace.store.reading() as transaction:
            done = classes.details(transaction, class_id).decision
        return RedirectResponse(f"/classes/{class_id}?done={done}", 303)

    async def login_page(self, request: Request) -> Response:
        """Ask for the password."""
        return self._page(request, "login", wrong=False)

    async def login(self, request: Request) -> Response:
        """Open the door to whoever knows the password."""
        async with request.form(max_files=0, max_fields=5) as form:
            if right_password(self.door, forms.word(form, "password")):
                welcome = RedirectResponse("/", 303)
                welcome.headers.append(
                    "set-cookie", self.door.cookie(self.door.session_cookie, self.door.session)
                )
                return welcome
        await asyncio.sleep(PATIENCE_AFTER_A_WRONG_PASSWORD)
        return self._page(request, "login", status=403, wrong=True)

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Show an error as a person can use it."""
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
        class_id = request.path_params.get("class_id")
        known = class_id is not None and status != 404
        back = f"/classes/{class_id}" if known else "/"
        return self._page(request, "error", status=status, message=str(error), back=back, here=back)

    async def absent(self, request: Request, error: Exception) -> Response:
        """Say that there is no such page."""
        return self._page(request, "error", status=404, message="There is no such page.", back="/")

    def _page(self, request: Request, name: str, status: int = 200, **shown: Any) -> Response:
        done = forms.number(request.query_params.get("done"))
        frame = {
            "page": name,
            "csrf": self.door.csrf,
            "csrf_field": CSRF_FIELD,
            "who": self._who(request),
            "workspace": self.workspace.root.resolve().name,
            "done": None if done is None else pages.decided(self.workspace, done),
            "here": request.url.path,
            "run": self.run,
        }
        return self.templates.TemplateResponse(
            request, f"{name}.html.j2", {**frame, **shown}, status_code=status
        )

    def _caching(self, request: Request) -> dict[str, str]:
        return KEPT if request.query_params.get("run") == self.run else {}

    def _who(self, request: Request) -> str:
        said = unquote(request.cookies.get(WHO, ""))[:60]
        return said if can_sign(said) else self.who

    def _figures(self, state: tuple[int, ...]) -> dict[str, str]:
        """Draw the figures of the overview; `state` is by which they are remembered."""
        from owcl.engine.report import figures_over_time

        present = self.snapshots.now().present
        with self.workspace.store.reading() as transaction:
            return figures_over_time(transaction, present)
