"""Each detector is asked about each picture in each view, once; what it said is kept line by line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from detector.core.lines import Log
from detector.core.progress import Report
from detector.lab.benchmark.asking import Detector
from detector.lab.benchmark.said import Opinion, Outcome, Said
from detector.lab.benchmark.showing import Look
from detector.lab.benchmark.views import SUFFIXES, Opened, Shown, file_in_view, opened
from detector.lab.trial.pictures import Picture, bytes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """``detector`` is the identity, not the name: an answer of another version counts for nothing."""

    sha256: str
    view: str
    side: int
    detector: str
    said: Said

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.sha256, self.view, self.side, self.detector


def ask_all(
    detectors: Sequence[Detector], pictures: Sequence[Picture], views: Sequence[str],
    looks: Mapping[tuple[str, str], Look], path: Path, report: Report,
) -> dict[tuple[str, str, str], Said]:  # fmt: skip
    """By name of the detector, view and digest; pictures that a view cannot show are not asked about. The
    file that a detector is given has a name that tells nothing. Raises ``FileFailed``, ``CorpusError``."""
    identities = {d.name: d.identity for d in detectors}
    kept: dict[tuple[str, str, int, str], Said] = {}
    with Log(path) as log, tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        kept |= {a.key: a.said for a in _read(log.lines)}
        for n, picture in enumerate(pictures):
            shown = [look for view in views if not (look := looks[picture.sha256, view]).reason]
            open_: Opened | None = None
            for look in shown:
                wanted = [d for d in detectors if (*look.key, identities[d.name]) not in kept]
                if not wanted:
                    continue
                open_ = open_ or opened(bytes_of(picture), picture.media_type, picture.sha256)
                found = list(
                    _asked(wanted, identities, file_in_view(open_, look.view, look.side), look, folder)
                )
                log.add(asdict(a) for a in found)
                kept |= {a.key: a.said for a in found}
            report("asking the detectors", n + 1, len(pictures))
    return {
        (d.name, look.view, look.sha256): kept[*look.key, identities[d.name]]
        for look in looks.values()
        if not look.reason
        for d in detectors
    }


def _asked(
    wanted: Sequence[Detector], identities: Mapping[str, str], shown: Shown, look: Look, folder: str
) -> Iterator[Answered]:
    path = Path(folder) / f"picture{SUFFIXES[shown.media_type]}"
    for detector in wanted:
        path.write_bytes(shown.data)  # each time: a program may write into what it is given
        yield Answered(
            sha256=look.sha256, view=look.view, side=look.side, detector=identities[detector.name],
            said=detector.ask(shown, path),
        )  # fmt: skip
    path.unlink(missing_ok=True)


def _read(lines: Sequence[dict[str, Any]]) -> Iterator[Answered]:
    for line in lines:
        try:
            said = line["said"]
            opinion = None if said["opinion"] is None else Opinion(said["opinion"])
            outcome = Outcome(said["outcome"])
            yield Answered(**{**line, "said": Said(**{**said, "opinion": opinion, "outcome": outcome})})
        except (TypeError, KeyError, ValueError):  # of another version of this program
            continue
