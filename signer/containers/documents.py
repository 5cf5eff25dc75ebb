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
from defusedxml.expatreader import create_parser

from signer.containers.places import Budget, Place, from_base64
from signer.errors import ContainerUnreadable

_FED_BYTES = 64 * 1024
_SVG_PATH = ["svg", "metadata", "c2pa:manifest"]
_MAX_ASSOCIATED_FILES = 1000
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
    them, prefix and all."""
    found = _ManifestTexts(budget)
    # Most SVGs name an external DTD, and Illustrator declares entities: neither is a fault. SAX opens nothing
    # external unless it is asked to, and expat bounds what entities may grow to.
    parser = create_parser(forbid_entities=False, forbid_external=False)
    parser.setContentHandler(found)
    try:
        for at in range(0, len(data), _FED_BYTES):
            parser.feed(data[at : at + _FED_BYTES])
            yield from found.taken()
        parser.close()
    except (SAXException, DefusedXmlException, ValueError, LookupError) as e:
        yield from found.taken()
        raise ContainerUnreadable("the SVG is no XML that can be read to its end") from e
    yield from found.taken()


class _ManifestTexts(ContentHandler):
    """The text of every element that may hold a store."""

    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self._budget = budget
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._texts: list[str] = []

    def taken(self) -> Iterator[Place]:
        """Places that were closed since the last call."""
        texts, self._texts = self._texts, []
        for text in texts:
            yield Place(content=from_base64(text.encode("ascii", "replace")))

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 SAX's name
        self._budget.spend()
        self._path.append(name)
        if len(self._path) == len(_SVG_PATH) and [p.removeprefix("svg:") for p in self._path] == _SVG_PATH:
            self._text = []

    def endElement(self, name: str) -> None:  # noqa: N802
        if self._text is not None and len(self._path) == len(_SVG_PATH):
            self._texts.append("".join(self._text))
            self._text = None
        self._path.pop()

    def characters(self, content: str) -> None:
        self._budget.spend()
        if self._text is not None:
            self._text.append(content)


def pdf(data: bytes, budget: Budget) -> Iterator[Place]:
    """An embedded file that the catalogue associates as ``C2PA_Manifest`` (C2PA 2.x, A.4)."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # it quotes the file, which a stranger wrote
    try:
        catalogue: Any = PdfReader(io.BytesIO(data), strict=False).trailer["/Root"]
        for reference in catalogue.get("/AF", [])[:_MAX_ASSOCIATED_FILES]:
            budget.spend()
            associated: Any = reference.get_object()
            if associated.get("/AFRelationship") == "/C2PA_Manifest":
                yield Place(content=bytes(associated["/EF"]["/F"].get_object().get_data()))
    except (PyPdfError, *_NO_PDF) as e:
        raise ContainerUnreadable(f"the PDF cannot be read ({type(e).__name__})") from e
