"""``assay log monitor``: watch somebody else's log for two histories, and for one's own devices."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.given import read_log_keys
from authn.cli.out import say, say_json

if TYPE_CHECKING:
    from authn.tlog.format.note import Verifier
    from authn.tlog.format.policy import WitnessPolicy
    from authn.tlog.monitor.monitor import Look, Monitor, Sighting

EXIT_FOUND = 1
EXIT_NOT_EXAMINED = 4


@click.command()
@click.argument("url")
@click.option("--log-key", "log_keys", multiple=True, metavar="VKEY", help="Key of the log; repeatable.")
@click.option(
    "--policy", "policy_file", type=click.Path(path_type=Path), metavar="FILE",
    help="C2SP tlog-policy: logs, witnesses, and how many of them are enough.",
)  # fmt: skip
@click.option(
    "--state", "folder", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="Folder for what was seen, and for evidence. One for each log.",
)  # fmt: skip
@click.option(
    "--watch", "watched", multiple=True, type=click.Path(path_type=Path), metavar="PATH",
    help="Certificates that you asked for (PEM), or the folder of a device. Repeatable.",
)  # fmt: skip
@click.option(
    "--watch-device", "device_ids", multiple=True, metavar="ID", help="The id of a device of yours."
)
@click.option("--once", is_flag=True, help="Look once and end.")
@click.option(
    "--interval", "interval_s", default=60.0, show_default=True, type=click.FloatRange(0.05, 86400),
    help="Seconds between two looks.",
)  # fmt: skip
@click.option(
    "--grace", "grace_s", default=600.0, show_default=True, type=click.FloatRange(0, 604800),
    help="Seconds that the log may go on without enough witnesses.",
)  # fmt: skip
@click.option(
    "--settle", "settle_s", default=5.0, show_default=True, type=click.FloatRange(0, 3600),
    help="Seconds that a certificate may take from the log to where you keep it.",
)  # fmt: skip
@click.option(
    "--max-age", "max_age_s", default=3600.0, show_default=True, type=click.FloatRange(60, 604800),
    help="Seconds since enough witnesses last signed anything that the log shows.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_context
def monitor(
    ctx: click.Context,
    /,
    once: bool,
    interval_s: float,
    grace_s: float,
    settle_s: float,
    max_age_s: float,
    as_json: bool,
    **watching: Any,
) -> None:
    """Watch the log at URL (such as https://assay.example.org/log).

    Derives the whole tree again from the entries that the log serves, compares it with everything the log has
    ever shown here, counts witnesses, and looks for certificates of your devices and keys that you did not
    ask for.

    Exit codes: 0 all in order (--once); 1 a certificate that nobody asked for, too few witnesses for too
    long, or nothing but old signatures of theirs (--once); 4 the log cannot be read (--once); 5 the log
    contradicts itself, and the evidence is kept.
    """
    from authn.core.errors import LogContradiction

    opened = _open(**watching)
    out = _Out(as_json=as_json)
    desk = _Desk(monitor=opened, grace_s=grace_s, settle_s=settle_s, max_age_s=max_age_s, out=out)
    with opened.locked():
        while True:
            try:
                code = desk.look()
            except LogContradiction as e:
                desk.out.say({"event": e.kind, "detail": e.detail, "evidence": e.evidence}, e.detail)
                raise
            if once:
                ctx.exit(code)
            time.sleep(interval_s)


def _open(
    url: str,
    log_keys: tuple[str, ...],
    policy_file: Path | None,
    folder: Path,
    watched: tuple[Path, ...],
    device_ids: tuple[str, ...],
) -> Monitor:
    from authn.tlog.format.policy import read_policy
    from authn.tlog.monitor.monitor import Monitor
    from authn.tlog.monitor.remote import RemoteLog
    from authn.tlog.monitor.state import StateFolder
    from authn.tlog.monitor.watch_list import read_watch_list

    policy: WitnessPolicy | None = None if policy_file is None else read_policy(policy_file)
    logs: tuple[Verifier, ...] = (*read_log_keys(log_keys), *(policy.logs if policy else ()))
    if not logs:
        raise click.UsageError("name the key of the log: --log-key, or a line of the policy")
    read_watch_list(watched, device_ids)  # what cannot be read is said before anything begins
    return Monitor(
        RemoteLog(url),
        logs,
        policy,
        StateFolder(folder),
        lambda: read_watch_list(watched, device_ids),
        clock=time.time,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Out:
    as_json: bool

    def say(self, event: dict[str, object], sentence: str) -> None:
        say_json(event) if self.as_json else say(sentence)


@dataclass(slots=True, kw_only=True)
class _Desk:
    monitor: Monitor
    grace_s: float
    settle_s: float
    max_age_s: float
    out: _Out
    trouble: str = field(default="")
    trouble_said_s: float = field(default=0.0)

    def look(self) -> int:
        """The exit code that this look alone deserves. Raises ``LogContradiction``."""
        from authn.core.errors import NoteError, Unavailable

        try:
            look = self._settled()
        except (Unavailable, NoteError) as e:
            now = time.monotonic()
            if e.detail != self.trouble or now - self.trouble_said_s >= self.max_age_s:
                self.trouble_said_s = now
                said: dict[str, object] = {"event": "notExamined", "detail": e.detail, "code": e.code}
                self.out.say(said, f"not examined: {e.detail} [{e.code}]")
            self.trouble = e.detail
            return EXIT_NOT_EXAMINED
        self.trouble = ""
        self._show(look)
        self.monitor.reported()
        late = look.overdue_s > self.grace_s or self._is_stale(look)
        return EXIT_FOUND if late or any(s.unasked for s in look.sightings) else 0

    def _is_stale(self, look: Look) -> bool:
        """A log that is shown to one person only, or to nobody any more, gets no new signatures."""
        return look.signed_s is not None and look.signed_s > self.max_age_s

    def _settled(self) -> Look:
        """A certificate is in the log before its owner has it: give it the time to arrive."""
        look = self.monitor.look()
        if self.settle_s and any(s.unasked and s.new for s in look.sightings):
            time.sleep(self.settle_s)
            look = self.monitor.look()
        return look

    def _show(self, look: Look) -> None:
        overdue, stale = look.overdue_s > self.grace_s, self._is_stale(look)
        event: dict[str, object] = {
            "event": "checkpoint", "origin": look.origin, "size": look.size, "root": look.root.hex(),
            "read": look.read, "witnesses": list(look.witnesses), "witnessed_size": look.witnessed_size,
            "too_few_witnesses_s": round(look.overdue_s), "overdue": overdue,
            "witnesses_signed_s_ago": None if look.signed_s is None else round(look.signed_s), "stale": stale,
            "untagged": look.untagged, "strange": look.strange,
        }  # fmt: skip
        signed = ", ".join(look.witnesses) or "no witness of the policy"
        line = f"{look.origin}: {look.size} entries, {look.read} read now, signed by {signed}"
        if overdue:
            line += f"; too few witnesses for {look.overdue_s:.0f} s, up to entry {look.witnessed_size}"
        if stale:
            line += f"; enough witnesses last signed it {look.signed_s:.0f} s ago: it may be an old log"
        self.out.say(event, line)
        if look.untagged or look.strange:
            say(
                f"{look.untagged} entries about certificates or revocations are older than tags, and"
                f" {look.strange} have an unknown form: whom they concern was not examined",
                err=True,
            )
        for sighting in look.sightings:
            if sighting.new or sighting.unasked:
                self._show_sighting(sighting)

    def _show_sighting(self, sighting: Sighting) -> None:
        event: dict[str, object] = {
            "event": "unasked" if sighting.unasked else "entry", "index": sighting.index,
            "kind": sighting.kind, "about": list(sighting.about), "asked": sighting.asked,
            "new": sighting.new,
        }  # fmt: skip
        line = f"entry {sighting.index}: {sighting.kind}"
        if sighting.about:
            line += f" about your {' and '.join(sighting.about)}"
        if sighting.unasked:
            event["evidence"] = self.monitor.keep_unasked(sighting)
            line += f", and you did not ask for it; the evidence is in {event['evidence']}"
        self.out.say(event, line)
