"""The one command. Groups load lazily, so that ``assay sign`` imports neither torch nor Flask.

Exit codes: 0 done; 1 a finding that the chosen policy fails on; 2 wrong usage; 3 input too large,
unsupported or unreadable; 4 cannot run; 5 a log contradicts itself; 70 a defect of ours; 130 interrupted (run
it again to resume); 141 whoever read the output went away. A crash never ends with a code that says something
about a file.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from authn.cli.out import say, say_block, say_usage
from authn.core.errors import AuthnError, BadRequest, Unavailable
from authn.core.extras import not_installed
from authn.core.interrupts import EXIT_INTERRUPTED, SENTENCE, begun
from detector.core.errors import DetectorError
from signer.core.accepted import ignore_accepted
from signer.core.errors import InputRefused, SignerError

# command -> (module, attribute, one line of help shown without importing the module)
COMMANDS = {
    "sign": ("authn.cli.sign", "sign", "Sign photos as captures of an enrolled device."),
    "watch": ("authn.cli.watch", "watch", "Sign what arrives in a folder as soon as a file is complete."),
    "capture": ("authn.cli.capture", "capture", "Take a frame from a camera and sign it."),
    "burst": ("authn.cli.burst", "burst", "Say whether photos are one signed set, and how they move."),
    "stamp": ("authn.cli.stamp", "stamp", "Fetch the time-stamps that signed captures still wait for."),
    "upload": ("authn.cli.upload", "upload", "Have captures logged; keep the receipts beside them."),
    "device": ("authn.cli.device", "device", "Enrol, list and revoke devices."),
    "verify": ("authn.cli.verify", "verify", "Report cryptographic and heuristic evidence on files."),
    "view": ("authn.cli.view", "view", "Draw views of a picture for people; a view is no evidence."),
    "recover": ("authn.cli.recover", "recover", "Find signed photos again that files look like."),
    "receipt": ("authn.cli.receipt", "receipt", "Check and show receipts of a log, without a service."),
    "bundle": ("authn.cli.bundle", "bundle", "Write everything that repeats a report years later."),
    "audit": (
        "authn.cli.audits",
        "audit",
        "Report on every file of a folder, archive, bucket or list; resumable.",
    ),
    "policy": ("authn.cli.policy", "policy", "Policies: what reports say, shown, checked and tried."),
    "calibrate": ("authn.cli.calibrate", "calibrate", "Measure detectors on your own pictures."),
    "feedback": ("authn.cli.feedback", "feedback", "Keep what turned out to be true of a file."),
    "pki": ("authn.cli.pki", "pki", "Publish what was revoked; renew the issuing authority."),
    "log": ("authn.cli.log", "log", "Show and check this home's log; have witnesses sign it."),
    "witness": ("authn.cli.witness", "witness", "Witness other people's logs."),
    "access": ("authn.cli.access", "access", "Keys for machines that use the service."),
    "serve": ("authn.cli.serve", "serve", "Run the HTTP service."),
    "backup": ("authn.cli.backup", "backup", "Write the home of a service into one file, or check one."),
    "restore": ("authn.cli.restore", "restore", "Make a home out of a backup."),
    "demo": ("authn.cli.demo", "demo", "Show the whole job on one photo."),
    "doctor": ("authn.cli.doctor", "doctor", "Say what this machine lacks and how to mend it."),
    "config": ("authn.cli.config", "config", "Show settings and where each comes from."),
    "lab": ("authn.cli.lab.group", "lab", "Train, evaluate and document detectors."),
}


EXIT_CANNOT_RUN, EXIT_DEFECT = 4, 70  # 70: EX_SOFTWARE of sysexits.h
EXIT_NO_READER = 141  # what a shell says of a program that SIGPIPE ended
DEBUG_VARIABLE = "ASSAY_DEBUG"


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        begun()
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """click would end with 1 where nobody reads the output any more, as if something had been found."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _to_nowhere(1)
            ctx.exit(EXIT_NO_READER)

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
    """Run the command; every error becomes one sentence and an exit code, the unexpected ones too."""
    ignore_accepted()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # no character may be one that a terminal's encoding lacks
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False)  # what ctx.exit() was given, or the command's own None
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as e:
        _end(e, e.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _end(SENTENCE, EXIT_INTERRUPTED)
    except AuthnError as e:
        _end(f"assay: {e.detail} [{e.code}]", e.exit_code)
    except (SignerError, DetectorError) as e:
        _end(f"assay: {e.detail} [{e.code}]", 3 if isinstance(e, InputRefused) else EXIT_CANNOT_RUN)
    except (OSError, MemoryError) as e:
        _end(f"assay: {_lacking(e)} [{Unavailable.code}]", EXIT_CANNOT_RUN)
    except UnicodeEncodeError as e:
        if all(_is_text(text) for text in (*sys.argv, *os.environ.values())):
            _end(f"assay: {_defect(e)} [{AuthnError.code}]", EXIT_DEFECT)
        _end(f"assay: a name or value that was given is not text [{BadRequest.code}]", BadRequest.exit_code)
    except Exception as e:  # noqa: BLE001 one of four places: between a command and its caller
        if (lacking := not_installed(e)) is not None:
            _end(f"assay: {lacking.detail} [{lacking.code}]", lacking.exit_code)
        _end(f"assay: {_defect(e)} [{AuthnError.code}]", EXIT_DEFECT)


def _end(why: str | click.ClickException, code: int) -> NoReturn:
    """An output that cannot be written must not change the exit code."""
    try:
        if os.environ.get(DEBUG_VARIABLE):
            say_block(traceback.format_exc(), err=True)
        say_usage(why) if isinstance(why, click.ClickException) else say(why, err=True)
    except OSError:
        _to_nowhere(2)
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):  # a full disk, or a stream that the caller closed
        _to_nowhere(1)
    sys.exit(code)


def _to_nowhere(descriptor: int) -> None:
    """What is still buffered for it would be tried again when Python ends, and end with another code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _is_text(argument: str) -> bool:
    """False for bytes that are not UTF-8: good in the name of a file, and nowhere else."""
    return not any("\ud800" <= c <= "\udfff" for c in argument)


def _lacking(error: OSError | MemoryError) -> str:
    """What the machine did not give: space, a permission, memory."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}"


def _defect(error: Exception) -> str:
    """Where a defect shows itself, for whoever reports it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"this is a defect of Assay and says nothing about any file: {type(error).__name__} in"
        f" {Path(last.filename).name}, line {last.lineno}: {error}; set {DEBUG_VARIABLE}=1 to see all of it"
    )
