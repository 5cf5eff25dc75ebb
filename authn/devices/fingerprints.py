"""The fingerprints of devices' sensors, one file for each in the home, named by the device's key.

Opt-in: a file is there only where somebody had it made. It recognises every photo of that one camera,
wherever it was published, so it is kept as a key is: readable by its owner, sealed in backups.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from authn.core.errors import FileUnusable
from signer.core.durable import write_durably

if TYPE_CHECKING:  # it loads NumPy
    from detector.forensics.sensor_print import SensorPrint

FOLDER = "fingerprints"
ON_REQUEST, ALWAYS = ".npz", ".always.npz"


class Fingerprints:
    """``home``: the service's. Raises ``Unavailable`` where a file cannot be read or written."""

    def __init__(self, home: Path) -> None:
        self.folder = home / FOLDER

    @property
    def any(self) -> bool:
        """Whether one may be there. The folder alone says nothing: a service makes it when it starts."""
        try:
            return any(self.folder.iterdir())
        except FileNotFoundError:
            return False
        except OSError:  # what is wrong is said where one is read
            return True

    def make_place(self) -> None:
        """The folder, for a process that may later read only what is there now. Raises ``FileUnusable``."""
        try:
            # The home by itself: ``parents`` makes what is missing readable for everybody.
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as e:
            raise FileUnusable(f"{self.folder} cannot be made: {e.strerror or e}") from e

    def path(self, spki_sha256: str) -> Path | None:
        """The file of the device with this key, or None."""
        both = (self.folder / f"{spki_sha256}{suffix}" for suffix in (ON_REQUEST, ALWAYS))
        return next((p for p in both if p.is_file()), None)

    def is_always(self, spki_sha256: str) -> bool:
        """Whether the device's photos are compared without anybody asking."""
        path = self.path(spki_sha256)
        return path is not None and path.name.endswith(ALWAYS)

    def read(self, spki_sha256: str) -> SensorPrint | None:
        from detector.forensics.sensor_print import read_print

        path = self.path(spki_sha256)
        if path is None:
            return None
        try:
            return read_print(path.read_bytes())
        except (OSError, ValueError) as e:
            raise FileUnusable(f"the fingerprint {path.name} cannot be read: {e}") from e

    def write(self, spki_sha256: str, found: SensorPrint, *, always: bool) -> Path:
        from detector.forensics.sensor_print import print_bytes

        old = self.path(spki_sha256)
        path = self.folder / f"{spki_sha256}{ALWAYS if always else ON_REQUEST}"
        self.make_place()
        try:
            write_durably(path, print_bytes(found))
            if old is not None and old != path:
                old.unlink()
        except OSError as e:
            raise FileUnusable(f"{path} cannot be written: {e.strerror or e}") from e
        return path

    def delete(self, spki_sha256: str) -> bool:
        """Whether there was one."""
        there = self.path(spki_sha256) is not None
        try:
            for suffix in (ON_REQUEST, ALWAYS):  # a write that was cut short leaves both
                (self.folder / f"{spki_sha256}{suffix}").unlink(missing_ok=True)
        except OSError as e:
            raise FileUnusable(f"the fingerprint cannot be deleted: {e}") from e
        return there
