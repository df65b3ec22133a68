"""From an open workspace to a page that answers."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

import uvicorn

from owcl.engine.workspace import Workspace
from owcl.errors import Conflict
from owcl.review.app import Review
from owcl.review.security import Door, hosts_with_port, loopback_hosts

MOST_AT_ONCE = 200
"""Requests; a browser that sends more is told to come back."""


def serve(
    workspace: Workspace,
    host: str,
    port: int,
    names: Sequence[str],
    password: str | None,
    secure: bool,
    who: str,
    ready: Callable[[str], None],
) -> None:
    """Serve the review page until it is interrupted.

    Args:
        workspace: whose page it is.
        host: address to listen on.
        port: 0 for any free one.
        names: under which it may be asked for, beside this machine's own.
        password: opens it beside the token, if there is one.
        secure: cookies go over TLS alone.
        who: decides, where the operator has not said so.
        ready: told the address once it answers.

    Raises:
        Conflict: if the address cannot be had.
    """
    with listening_at(host, port) as listening:
        port = listening.getsockname()[1]
        door = Door(_hosts(host, names, port), password, secure)
        application = Review(workspace, door, who).application()
        config = uvicorn.Config(
            application,
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=MOST_AT_ONCE,
            timeout_graceful_shutdown=3,
        )
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
        ready(f"http://{shown}:{port}/?token={door.token}")
        uvicorn.Server(config).run(sockets=[listening])


def listening_at(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address.

    Raises:
        Conflict: if the address cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Conflict(
            f"{host}:{port}: cannot listen there ({error.strerror}). Another owcl review may be running. "
            "Choose another --port, or 0 for any."
        ) from error


def _hosts(host: str, names: Sequence[str], port: int) -> frozenset[str]:
    own = [name if ":" not in name else f"[{name}]" for name in (host, socket.gethostname())]
    # A proxy passes on the name that it was asked by, usually without a port.
    given = {name.lower() for name in names}
    return loopback_hosts(port) | hosts_with_port([*own, *names], port) | given
