"""Manifest stores that lie beside a file: ``photo.c2pa`` for ``photo.jpg``."""

from __future__ import annotations

from pathlib import Path

from authn.cli.out import say
from authn.core.errors import UnreadableMedia
from authn.core.media import MAX_SIDECAR_BYTES, SIDECAR_SUFFIX, Media, media_suffixes, with_sidecar


def with_manifest(media: Media, file: Path, given: Path | None) -> Media:
    """With the store that was named, or else with the one that lies beside the file.

    The latter only where it can be this file's: of a raw file and its JPEG one is signed, and the other
    shall not be refuted for it. Raises ``UnreadableMedia``.
    """
    path = given or file.with_suffix(SIDECAR_SUFFIX)
    if given is None and (file == path or not path.is_file()):
        return media
    if given is None and _shared(file):
        say(
            f"assay: {path.name} may be another file's; name it with --manifest if it is {file.name}'s",
            err=True,
        )
        return media
    try:
        with path.open("rb") as f:
            store = f.read(MAX_SIDECAR_BYTES + 1)
    except OSError as e:
        raise UnreadableMedia(f"the manifest {path} cannot be read: {e.strerror}") from e
    return with_sidecar(media, store, path.name)


def _shared(file: Path) -> bool:
    """Whether another picture, film or sound of the same name lies there."""
    names = {file.with_suffix(s) for suffix in media_suffixes() for s in (suffix, suffix.upper())}
    return any(other != file and other.exists() and not other.samefile(file) for other in names)
