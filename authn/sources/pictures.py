"""The pixels of the file at hand: decoded once for all sources that look at them, and gone with the file."""

from __future__ import annotations

import weakref

from authn.core.media import Media
from detector.core.errors import DetectorError
from detector.pixels.decode import Pixels, decode


class Pictures:
    """Keeps what the last file decoded to, or why it did not, for as long as somebody holds that file. For
    one thread; the pixels are everybody's and are not to be written to."""

    def __init__(self) -> None:
        self._media: weakref.ref[Media] | None = None
        self._found: Pixels | DetectorError | None = None

    def of(self, media: Media) -> Pixels:
        """Raises as ``decode``."""
        if self._media is None or self._media() is not media:
            self._media = self._found = None  # the last one's room is free before this one's is taken
            self._found = _decoded(media)
            self._media = weakref.ref(media, self._forget)
        if isinstance(self._found, DetectorError):
            raise type(self._found)(self._found.detail)
        assert self._found is not None
        return self._found

    def _forget(self, gone: weakref.ref[Media]) -> None:
        if gone is self._media:
            self._media = self._found = None


def _decoded(media: Media) -> Pixels | DetectorError:
    try:
        pixels = decode(media.data, media.media_type)
    except DetectorError as e:
        return e.with_traceback(None)
    pixels.flags.writeable = False
    return pixels
