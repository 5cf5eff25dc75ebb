"""``assay device fingerprint``: the fingerprint of a device's sensor, from photos that its key has signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import click

from authn.cli.out import say
from authn.core.config import Settings, load_settings
from authn.core.errors import AuthnError, BadRequest, SystemLacking
from authn.core.evidence import Axis, Outcome
from authn.core.homes import require_registry
from authn.core.media import MediaLimits, unparsed_file
from authn.devices import DeviceRecord
from authn.devices.fingerprints import Fingerprints

if TYPE_CHECKING:
    from authn.core.media import Media
    from authn.core.report import Report
    from detector.forensics.sensor import Look
    from detector.forensics.sensor_print import SensorPrint


@click.command()
@click.argument("name")
@click.argument("photos", nargs=-1, metavar="[PHOTO]...", type=click.Path(path_type=Path, exists=True))
@click.option("--flat", is_flag=True, help="PHOTOs are flat fields of its sensor that nobody signed.")
@click.option(
    "--always/--on-request", default=None, help="Compare its photos without --forensics too; or no longer."
)
@click.option("--update", is_flag=True, help="Add PHOTOs to the fingerprint that there is.")
@click.option("--delete", is_flag=True, help="Delete the fingerprint.")
@click.pass_obj
def fingerprint(
    config_file: str | None,
    name: str,
    photos: tuple[Path, ...],
    flat: bool,
    always: bool | None,
    update: bool,
    delete: bool,
) -> None:
    """Make, extend, show or delete the fingerprint of a device's sensor.

    From eight PHOTOs on, better twenty, of the full size in which the device signs: photos that its key has
    signed, unchanged; or flat fields. Without PHOTO it says what there is. It recognises every photo of this
    one camera: docs/operating.md says what to mind.
    """
    settings = load_settings(config_file)
    device = _device(settings, name)
    kept = Fingerprints(settings.home)
    if delete:
        if photos or update or flat or always is not None:
            raise click.UsageError("--delete takes no photos")
        say(f"{device.name}: {'deleted' if kept.delete(device.spki_sha256) else 'there was none'}")
        return
    if not photos:
        if update or flat or always is not None:
            raise click.UsageError("--update, --flat, --always and --on-request want photos")
        _show(device, kept)
        return
    before = kept.read(device.spki_sha256)
    if before is not None and not update:
        raise BadRequest(f"{device.name} has a fingerprint; --update adds photos to it, --delete deletes it")
    made = _made(settings, device, photos, flat=flat, before=before)
    always = kept.is_always(device.spki_sha256) if always is None else always
    path = kept.write(device.spki_sha256, made, always=always)
    _say(device, made)
    say(f"kept in {path} ({path.stat().st_size:,} bytes); it recognises every photo of this camera", err=True)


def _device(settings: Settings, name: str) -> DeviceRecord:
    from authn.devices.registry import open_registry

    require_registry(settings)
    return open_registry(settings.database).find(name)


def _show(device: DeviceRecord, kept: Fingerprints) -> None:
    found = kept.read(device.spki_sha256)
    if found is None:
        say(f"{device.name} has no fingerprint")
        return
    _say(device, found)
    say(
        "compared always" if kept.is_always(device.spki_sha256) else "compared where --forensics is asked for"
    )


def _say(device: DeviceRecord, found: SensorPrint) -> None:
    from detector.forensics.sensor_match import MISSING, least_shown

    least, weakest = least_shown(found), min(h.energy for h in found.held)
    width, height = found.frame
    say(f"{device.name}: fingerprint of {found.photos} photos of {width} x {height} pixels")
    say(f"weakest photo held out: PCE {weakest:.1f}; elsewhere at most {found.null_most:.1f}")
    if least < MISSING:
        say("its photos show it too faintly, or are too few: that it is missing will say nothing")
    else:
        say(f"99 in 100 photos of this device show at least {least:.0f}")


def _made(
    settings: Settings,
    device: DeviceRecord,
    photos: tuple[Path, ...],
    *,
    flat: bool,
    before: SensorPrint | None,
) -> SensorPrint:
    """Says of each photo that is not taken why."""
    try:
        from detector.core.errors import DetectorError
        from detector.forensics.sensor_print import MAX_PHOTOS, build
    except ModuleNotFoundError as e:
        raise SystemLacking("fingerprints need NumPy and OpenCV: pip install 'assay[detect]'") from e
    opened = _opened(settings, photos) if flat else _signed(settings, device, photos)
    looks = list(_looks(opened, most=MAX_PHOTOS))
    size = (
        before.frame
        if before
        else next(iter(Counter(x.frame for _, x in looks).most_common(1)), ((0, 0), 0))[0]
    )
    for path, look in looks:
        if look.frame != size:
            say(f"{path}: not taken: it has another size than the others", err=True)
    try:
        return build([look for _, look in looks if look.frame == size], before)
    except DetectorError as e:
        raise BadRequest(f"no fingerprint of {device.name}: {e.detail}") from e


def _opened(settings: Settings, photos: tuple[Path, ...]) -> Iterator[tuple[Path, Media]]:
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    for path in photos:
        try:
            yield path, unparsed_file(path, limits)
        except AuthnError as e:
            say(f"{path}: not taken: {e.detail}", err=True)


def _signed(
    settings: Settings, device: DeviceRecord, photos: tuple[Path, ...]
) -> Iterator[tuple[Path, Media]]:
    """Those whose bytes this device's key has signed, each examined as any stranger's file."""
    from authn.cli.given import Given
    from authn.examine.pooling import registry_when_asked

    with Given(no_heuristics=True).confined(settings, registry_when_asked(settings)) as examiner:
        for path, media in _opened(settings, photos):
            try:
                why = _why_not_its(examiner.examine(media).report, device)
            except AuthnError as e:
                why = e.detail
            if why:
                say(f"{path}: not taken: {why}", err=True)
            else:
                yield path, media


def _why_not_its(report: Report, device: DeviceRecord) -> str:
    if report.cryptographic.axis(Axis.INTEGRITY).outcome is not Outcome.ESTABLISHED:
        return "its bytes are not established as those that somebody signed"
    axis = report.cryptographic.axis(Axis.DEVICE)
    ours = any(dict(f.facts).get("device_id") == device.device_id for f in axis.findings)
    return "" if ours and axis.outcome is Outcome.ESTABLISHED else f"the key of {device.name} did not sign it"


def _looks(opened: Iterator[tuple[Path, Media]], *, most: int) -> Iterator[tuple[Path, Look]]:
    from detector.core.errors import DetectorError
    from detector.forensics.sensor_print import look_of, why_unfit

    taken: set[bytes] = set()
    for path, media in opened:
        try:
            look = look_of(media.data, media.media_type)
            why = f"there are {most} already" if len(taken) == most else why_unfit(look)
        except DetectorError as e:
            why = e.detail
        else:
            pixels = sha256(look.grey.tobytes()).digest()
            why = "it is the same picture as one before" if pixels in taken else why
        if why is not None:
            say(f"{path}: not taken: {why}", err=True)
            continue
        taken.add(pixels)
        yield path, look
