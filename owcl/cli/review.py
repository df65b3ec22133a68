"""`owcl review`."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import click

from owcl.cli import output
from owcl.cli.commands import TaughtCommand
from owcl.cli.options import who_option, workspace_option
from owcl.cli.session import opened


@click.command(cls=TaughtCommand)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free one."
)
@click.option(
    "--allowed-host", "names", multiple=True, metavar="NAME", help="A name that it may be asked by."
)
@click.option("--password", envvar="OWCL_PASSWORD", help="Opens it too; needed for addresses of the network.")
@click.option(
    "--behind-tls-proxy", is_flag=True, help="A proxy speaks TLS and asks for a password; cookies need TLS."
)
@click.option("--no-browser", is_flag=True, help="Do not open a browser; print the address alone.")
@who_option
@workspace_option
def review(
    host: str,
    port: int,
    names: tuple[str, ...],
    password: str | None,
    behind_tls_proxy: bool,
    no_browser: bool,
    who: str,
    root: Path,
) -> None:
    """Look at discoveries in a browser and decide about them.

    The page is served from this machine to this machine, and opens only with the address that is printed.
    Stop it with Ctrl-C; every decision is kept at once.

    Examples:
      owcl review
      OWCL_PASSWORD=... owcl review --host 0.0.0.0 --allowed-host lab.example.org --no-browser
    """
    if not _is_loopback(host) and password is None and not behind_tls_proxy:
        raise click.UsageError(
            f"--host {host} opens the page to the network, where anybody could decide in your name. Set a "
            "--password (better: OWCL_PASSWORD), or put a TLS proxy before it and say --behind-tls-proxy."
        )
    with opened(root) as workspace:
        from owcl.review.serve import serve

        def ready(address: str) -> None:
            output.line(address)
            output.note("Stop with Ctrl-C.")
            if not no_browser:
                click.launch(address)

        serve(workspace, host, port, names, password, behind_tls_proxy, who, ready)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
