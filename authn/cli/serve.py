"""``assay serve``: the HTTP service, in this process and its workers."""

from __future__ import annotations

import click

from authn.cli.out import say
from authn.core.config import Settings, is_loopback, load_settings
from authn.core.extras import need
from authn.core.homes import refuse_device_home


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.")
@click.option("--workers", type=int, help="Worker processes.")
@click.pass_obj
def serve(config_file: str | None, host: str | None, port: int | None, workers: int | None) -> None:
    """Run the HTTP service until Ctrl-C or SIGTERM."""
    need("serve")
    from authn.pki.clock import kernel_clock_is_synchronised
    from authn.web.server import serve as run

    def read() -> Settings:
        return load_settings(config_file, host=host, port=port, workers=workers)

    settings = read()
    refuse_device_home(settings)
    if not is_loopback(settings.host):
        say("note: others can reach this address, and the service speaks no TLS itself", err=True)
    if not kernel_clock_is_synchronised():
        effect = (
            "nothing is time-stamped" if settings.require_clock_sync else "time-stamps are as good as it is"
        )
        say(f"note: the kernel says that this clock is not synchronised; {effect}", err=True)
    run(settings, read)
