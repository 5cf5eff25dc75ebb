"""Which names of a source an audit is about: patterns as people know them from other tools."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A name is taken when it matches some of ``include`` (or there is none) and none of ``exclude``.

    A pattern without a slash is about the last part of a name; ``*`` stays within a part, ``**`` does not.
    Upper and lower case count as the same.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, name: str) -> bool:
        if self.include and not any(_matches(p, name) for p in self.include):
            return False
        return not any(_matches(p, name) for p in self.exclude)

    def enters(self, folder: str) -> bool:
        """Whether anything below a folder can be taken: not where the folder itself is excluded."""
        return not any(_matches(p.rstrip("/"), folder) for p in self.exclude)

    @property
    def says(self) -> tuple[tuple[str, str], ...]:
        """As facts of an audit; nothing where all is taken."""
        said = (("include", self.include), ("exclude", self.exclude))
        return tuple((what, json.dumps(patterns)) for what, patterns in said if patterns)

    @classmethod
    def said(cls, facts: Iterable[tuple[str, str]]) -> Selection:
        """The one that an audit states among its facts. Raises ``ValueError``."""
        stated = dict(facts)
        lists = (json.loads(stated.get(what, "[]")) for what in ("include", "exclude"))
        include, exclude = (tuple(map(str, patterns)) for patterns in lists)
        return cls(include=include, exclude=exclude)


EVERYTHING = Selection()


def _matches(pattern: str, name: str) -> bool:
    part = name if "/" in pattern else name.rpartition("/")[2]
    return _compiled(pattern.lstrip("/")).fullmatch(part) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(map(_translated, _TOKEN.findall(pattern))), re.DOTALL | re.IGNORECASE)


def _translated(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "/**":
            return "/.*"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if token.startswith("[") and len(token) > 2:
        inside = token[1:-1]
        negated = inside.startswith("!")
        inside = re.sub(r"([\\\[^])", r"\\\1", inside[negated:])
        return f"[{'^' if negated else ''}{inside}]"
    return re.escape(token)
