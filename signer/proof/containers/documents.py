"""SVG and PDF, each with a reader of its own kind: an XML parser without entities, and pypdf."""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator
from typing import Any
from xml.sax import SAXException
from xml.sax.handler import ContentHandler  # parsing is defusedxml's
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException

from signer.core.errors import ContainerUnreadable
from signer.proof.containers.places import MAX_PARTS, Budget, Place, from_base64

_MAX_SVG_BYTES = 64 * 1024 * 1024
_SVG_PATH = ["svg", "metadata", "c2pa:manifest"]
_SVG_NAMES = tuple(_SVG_PATH[-1].encode(coding) for coding in ("ascii", "utf-16-le", "utf-16-be"))
_MAX_ASSOCIATED_FILES = 1000
_MAX_PDF_READS = 1_000_000
_PDF_TAIL_BYTES = 2048
# pypdf documents its own errors only; on bytes that are no PDF these come as well.
_NO_PDF = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,  # RecursionError, NotImplementedError
    AssertionError,
    OSError,
    EOFError,
    struct.error,
)


def svg(data: bytes, budget: Budget) -> Iterator[Place]:
    """``svg/metadata/c2pa:manifest``, in base64 (C2PA 2.x, A.3). The names are taken as the engines take
    them, prefix and all, so a drawing in which the element's name stands nowhere was looked through."""
    if not any(name in data for name in _SVG_NAMES):
        return
    if len(data) > _MAX_SVG_BYTES:
        raise ContainerUnreadable(f"an SVG of more than {_MAX_SVG_BYTES} bytes is not parsed")
    found = _ManifestTexts(budget)
    # Most SVGs name an external DTD, and Illustrator declares entities: neither is a fault. SAX opens nothing
    # external unless it is asked to, and expat bounds what entities may grow to.
    from defusedxml.expatreader import create_parser  # with it come clients of HTTP and FTP

    parser = create_parser(forbid_entities=False, forbid_external=False)
    parser.setContentHandler(found)
    broken: Exception | None = None
    try:
        parser.feed(data)  # in one piece: expat begins a token anew with every piece
        parser.close()
    except (SAXException, DefusedXmlException, ValueError, LookupError) as e:
        broken = e
    except ContainerUnreadable as e:
        broken = e
    for text in found.texts:
        yield Place(content=from_base64(text.encode("ascii", "replace")))
    if isinstance(broken, ContainerUnreadable):
        raise broken
    if broken:
        raise ContainerUnreadable("the SVG is no XML that can be read to its end") from broken


class _ManifestTexts(ContentHandler):
    """The text of every element that may hold a store."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget
        self._path: list[str] = []
        self._text: list[str] | None = None
        self.texts: list[str] = []

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 SAX's name
        self._budget.spend()
        self._path.append(name)
        if len(self._path) == len(_SVG_PATH) and [p.removeprefix("svg:") for p in self._path] == _SVG_PATH:
            self._text = []

    def endElement(self, name: str) -> None:  # noqa: N802
        if self._text is not None and len(self._path) == len(_SVG_PATH):
            self.texts.append("".join(self._text))
            self._text = None
        self._path.pop()

    def characters(self, content: str) -> None:
        self._budget.spend()
        if self._text is not None:
            self._text.append(content)


class _Counted(io.BytesIO):
    """pypdf reads tokens byte by byte; an honest table of 100,000 objects needs a tenth of these reads."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._budget = Budget(_MAX_PDF_READS)

    def read(self, size: int | None = -1, /) -> bytes:
        self._budget.spend()
        return super().read(size)


def pdf(data: bytes, budget: Budget) -> Iterator[Place]:
    """An embedded file that the catalogue associates as ``C2PA_Manifest`` (C2PA 2.x, A.4).

    Strictly: without its table a document would be searched for objects, which costs a second a megabyte,
    and so would the search for the end of one without an end.
    """
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    before, place, _ = data[-_PDF_TAIL_BYTES:].rpartition(b"startxref")
    if not place or not before.strip():  # pypdf would look back through all white space for more
        raise ContainerUnreadable("the PDF does not end with the place of its table")
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it quotes the file, which a stranger wrote
    try:
        reader = PdfReader(_Counted(data), strict=True, xref_stream_maximum_entries=MAX_PARTS)
        catalogue: Any = reader.trailer["/Root"]
        for reference in catalogue.get("/AF", [])[:_MAX_ASSOCIATED_FILES]:
            budget.spend()
            associated: Any = reference.get_object()
            if associated.get("/AFRelationship") == "/C2PA_Manifest":
                yield Place(content=bytes(associated["/EF"]["/F"].get_object().get_data()))
    except (PyPdfError, *_NO_PDF) as e:
        raise ContainerUnreadable(f"the PDF cannot be read ({type(e).__name__})") from e
