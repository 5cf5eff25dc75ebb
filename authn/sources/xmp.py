"""XMP packets (ISO 16684-1) as flat properties. Strangers write them, so no DTD, no entity, no endless
tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from xml.etree.ElementTree import Element, ParseError  # the types only; parsing is defusedxml's

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from authn.sources.containers import MAX_XMP_BYTES
from detector.core.errors import NotApplicable

MAX_NODES = 20_000
MAX_VALUE = 2_000

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ADOBE = "http://ns.adobe.com"
XMP, EVENT = f"{_ADOBE}/xap/1.0/", f"{_ADOBE}/xap/1.0/sType/ResourceEvent#"
PHOTOSHOP, TIFF = f"{_ADOBE}/photoshop/1.0/", f"{_ADOBE}/tiff/1.0/"
IPTC_EXT = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    namespace: str
    name: str
    value: str


def parse_xmp(packet: bytes) -> tuple[Property, ...]:
    """Every attribute and every text of the tree, in document order. List items carry the name of their list.
    Raises ``NotApplicable`` for a packet that is too large, not XML, or uses what XMP does not need."""
    if len(packet) > MAX_XMP_BYTES:
        raise NotApplicable(f"an XMP packet of {len(packet)} bytes is not read")
    try:
        root = fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except DefusedXmlException as e:
        raise NotApplicable("an XMP packet declares a DTD or entities and is not read") from e
    except (ParseError, ValueError, LookupError) as e:
        raise NotApplicable("an XMP packet is not well-formed XML") from e
    properties = tuple(islice(_walk(root), MAX_NODES + 1))
    if len(properties) > MAX_NODES:
        raise NotApplicable(f"an XMP packet with more than {MAX_NODES} properties is not read")
    return properties


def _walk(root: Element) -> Iterator[Property]:
    """Iterative, because nesting is the sender's choice."""
    stack: list[tuple[Element, tuple[str, str]]] = [(root, ("", ""))]
    while stack:
        element, owner = stack.pop()
        name = _split(element.tag)
        here = owner if name[0] == _RDF else name
        for key, value in element.attrib.items():
            space, local = _split(key)
            if space != _RDF:
                yield Property(namespace=space, name=local, value=value[:MAX_VALUE])
            elif local == "resource":
                yield Property(namespace=here[0], name=here[1], value=value[:MAX_VALUE])
        text = (element.text or "").strip()
        if text:
            yield Property(namespace=here[0], name=here[1], value=text[:MAX_VALUE])
        stack += [(child, here) for child in reversed(element)]


def _split(tag: object) -> tuple[str, str]:
    """``{namespace}name``; comments and instructions have no such tag."""
    if not isinstance(tag, str):
        return "", ""
    space, _, local = tag.rpartition("}")
    return space.removeprefix("{"), local
