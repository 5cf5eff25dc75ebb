"""Which captures are remembered by their looks, whose are shown to whom, and the parts that it takes.

Nothing here is opened, and no NumPy loaded, where the setting ``recovery`` is off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from authn.core.config import Settings
from authn.core.errors import Unavailable
from authn.core.extras import need
from authn.core.likeness import Viewer
from authn.devices import DeviceRecord
from authn.service.access import Kind, Principal
from authn.service.captures import Judged
from authn.store.pictures import SignedPicture, SignedPictures
from authn.tlog.log.log import Log

if TYPE_CHECKING:
    from authn.recovery.lookup import Recovery

SCOPE = "recovery:read"
OFF, MANIFESTS = "off", "manifests"
FOLDER = "recovery"
REMEMBERED = "remembered"
NOT_OF_DEVICE = "nothing is kept of this device's captures"


def open_recovery(settings: Settings, engine: Engine, log: Log) -> Recovery | None:
    """None where the setting says off. Raises ``SystemLacking`` without the extra that looks at pixels."""
    if settings.recovery == OFF:
        return None
    need("detect")
    from authn.recovery.lookup import Recovery

    return Recovery(
        SignedPictures(engine),
        log,
        settings.home / FOLDER,
        keeps_manifests=settings.recovery == MANIFESTS,
    )


def viewer_of(settings: Settings, principal: Principal | None) -> Viewer | None:
    """A device sees its own captures; others see all with the scope ``SCOPE``, or where nobody needs any;
    None sees nothing."""
    if principal is not None and principal.kind is Kind.DEVICE:
        return Viewer(device_id=principal.id)
    if settings.access == "required" and (principal is None or SCOPE not in principal.scopes):
        return None
    return Viewer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovering:
    """``Remembers`` of ``authn.service.captures``, for the devices that the settings name."""

    recovery: Recovery
    devices: frozenset[str]
    clock: Callable[[], datetime]

    def remember(self, judged: Judged, record_sha256: str, subject_sha256: str, device: DeviceRecord) -> str:
        """``REMEMBERED``, or why not. Never fails: the capture is logged already."""
        if self.devices and device.name not in self.devices:
            return NOT_OF_DEVICE
        from authn.recovery.lookup import inner_of

        looks, manifest = judged.looks, judged.manifest
        if looks is None or looks.whole is None:
            return looks.why_not if looks else "nobody looked"
        if manifest is None:
            return "its manifest cannot be read"
        picture = SignedPicture(
            record_sha256=record_sha256,
            subject_sha256=subject_sha256,
            manifest_id=manifest.manifest_id,
            device_id=device.device_id,
            pdq=bytes.fromhex(looks.whole.turned[0]),
            inner=inner_of(looks),
            quality=looks.whole.quality,
            signed_at=judged.stamped_at,
            taken_at=self.clock(),
        )
        try:
            self.recovery.remember(picture, manifest.store)
        except Unavailable as e:
            return e.detail
        return REMEMBERED
