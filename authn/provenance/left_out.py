"""What the hard binding of ISO media leaves out (C2PA 2.x, A.5, "Exclusion list"). Pure.

A signer may leave out any box, and a digest over the rest fits whatever stands in it. The store and what no
player shows are left out by the specification itself. Its first edition left out the tables of positions too
(``stco``, ``iloc``): whoever has no key can then append other pictures in a box that is not bound either, and
have the tables point there.
"""

from __future__ import annotations

from collections.abc import Mapping

_STORE_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_UUID_AT = 8  # behind the length and the name of its box
_WITHOUT_CONTENT = frozenset(("/ftyp", "/mfra", "/free", "/skip"))


def bmff_left_out(content: Mapping[object, object]) -> str:
    """The first box that is content and not bound; empty where there is none."""
    exclusions = content.get("exclusions")
    in_pieces = bool(content.get("merkle"))  # the samples have digests of their own
    for item in exclusions if isinstance(exclusions, list | tuple) else ():
        path = str(item.get("xpath")) if isinstance(item, Mapping) else "?"
        if path in _WITHOUT_CONTENT or (path == "/mdat" and in_pieces):
            continue
        if path == "/uuid" and isinstance(item, Mapping) and _is_store(item.get("data")):
            continue
        return f"the box {path[:60]}"
    return ""


def _is_store(conditions: object) -> bool:
    """Whether only boxes with C2PA's own identifier fit."""
    return isinstance(conditions, list | tuple) and any(
        isinstance(c, Mapping) and c.get("offset") == _UUID_AT and c.get("value") == _STORE_UUID
        for c in conditions
    )
