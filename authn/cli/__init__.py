"""The one command. Groups load lazily, so that ``assay sign`` imports neither torch nor Flask.

Exit codes: 0 done; 1 a finding that the chosen policy fails on; 2 wrong usage; 3 input too large,
unsupported or unreadable; 4 cannot run; 5 a log contradicts itself; 130 interrupted (run it again to resume).
"""

from __future__ import annotations

import importlib
import sys

import click

from authn.errors import AuthnError
from detector.errors import DetectorError
from signer.accepted import ignore_accepted
from signer.errors import InputRefused, SignerError

# command -> (module, attribute, one line of help shown without importing the module)
COMMANDS = {
    "sign": ("authn.cli.sign", "sign", "Sign photos as captures of an enrolled device."),
    "watch": ("authn.cli.watch", "watch", "Sign what arrives in a folder as soon as a file is complete."),
    "capture": ("authn.cli.capture", "capture", "Take a frame from a camera and sign it."),
    "stamp": ("authn.cli.stamp", "stamp", "Fetch the time-stamps that signed captures still wait for."),
    "upload": ("authn.cli.upload", "upload", "Have captures logged; keep the receipts beside them."),
    "device": ("authn.cli.device", "device", "Enrol, list and revoke devices."),
    "verify": ("authn.cli.verify", "verify", "Report cryptographic and heuristic evidence on files."),
    "receipt": ("authn.cli.receipt", "receipt", "Check and show receipts of a log, without a service."),
    "bundle": ("authn.cli.bundle", "bundle", "Write everything that repeats a report years later."),
    "audit": ("authn.cli.audit", "audit", "Report on every file of a folder or archive; resumable."),
    "pki": ("authn.cli.pki", "pki", "Publish what was revoked; renew the issuing authority."),
    "log": ("authn.cli.log", "log", "Show and check this home's log; have witnesses sign it."),
    "witness": ("authn.cli.witness", "witness", "Witness other people's logs."),
    "access": ("authn.cli.access", "access", "Keys for machines that use the service."),
    "serve": ("authn.cli.serve", "serve", "Run the HTTP service."),
    "demo": ("authn.cli.demo", "demo", "Show the whole job on one photo."),
    "doctor": ("authn.cli.doctor", "doctor", "Say what this machine lacks and how to mend it."),
    "config": ("authn.cli.config", "config", "Show settings and where each comes from."),
    "lab": ("authn.cli.lab", "lab", "Train, evaluate and document detectors."),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="assay")
@click.option("--config", "config_file", type=click.Path(dir_okay=False), help="TOML file with settings.")
@click.pass_context
def cli(ctx: click.Context, config_file: str | None) -> None:
    """Assay: proof first, pixels second."""
    ctx.obj = config_file


def main() -> None:
    """Run the command; every expected error becomes one sentence and an exit code."""
    ignore_accepted()
    try:
        code = cli.main(standalone_mode=False)  # what ctx.exit() was given, or the command's own None
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted; run the same command again to go on", err=True)
        sys.exit(130)
    except AuthnError as e:
        click.echo(f"assay: {e.detail} [{e.code}]", err=True)
        sys.exit(e.exit_code)
    except (SignerError, DetectorError) as e:
        click.echo(f"assay: {e.detail} [{e.code}]", err=True)
        sys.exit(3 if isinstance(e, InputRefused) else 4)
