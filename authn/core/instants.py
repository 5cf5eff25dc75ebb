"""Times: the clock, how they are written, and the one reading of one that a person, a client or a file names.

RFC 3339 with an offset, in the years that certificates, databases and ``datetime`` in any zone can hold. A
time without an offset would mean another instant on another machine. No leap second: nothing here keeps one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from authn.core.errors import BadRequest

# What certificates can be judged at, with a year to spare for the zone.
EARLIEST_YEAR, LATEST_YEAR = 1971, 9998
SHAPE = "2026-11-24T08:00:00Z"

_DAY = r"(\d{4})-(\d{2})-(\d{2})"
_RFC3339 = re.compile(
    _DAY + r"[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,30}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_LOCAL = re.compile(_DAY + r"[Tt ]\d{2}:\d{2}(:\d{2}(?:\.\d{1,30})?)?", re.ASCII)


def utc_now() -> datetime:
    """The one clock of this program; everything else gets the time as a parameter."""
    return datetime.now(UTC)


def instant(t: datetime) -> str:
    """RFC 3339 in UTC with a Z; fractions only when there are any."""
    return t.astimezone(UTC).isoformat().replace("+00:00", "Z")


def spoken(t: datetime) -> str:
    """A time for people, to the second, always in UTC."""
    t = t.astimezone(UTC)
    return f"{t.day} {t:%b %Y, %H:%M:%S} UTC"


def utc_of(text: str) -> datetime:
    """Raises ``ValueError`` with a sentence that goes after the text itself: "is not ...", "lies ...".

    Digits after the sixth of a fraction are dropped.
    """
    parts = _RFC3339.fullmatch(text)
    if parts is None:
        raise ValueError(f"is not a time in RFC 3339 with its offset, such as {SHAPE}")
    *fields, fraction, sign, hours, minutes = parts.groups()
    year, month, day, hour, minute, second = map(int, fields)
    if second == 60:
        raise ValueError("is a leap second; name the second before or after it")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    if int(minutes or 0) > 59 or offset >= timedelta(days=1):
        raise ValueError("names an offset from UTC that does not exist")
    try:
        zone = timezone(-offset if sign == "-" else offset)
        local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
    except ValueError as e:
        raise ValueError(f"is not a time that exists: {e}") from e
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        raise ValueError(f"lies outside the years {EARLIEST_YEAR} to {LATEST_YEAR}")
    return local.astimezone(UTC)


def parse_instant(text: str, name: str = "") -> datetime:
    """What a person or a client names; ``name`` is the field it stands in. Raises ``BadRequest``."""
    try:
        return utc_of(text)
    except ValueError as e:
        raise BadRequest(f"{name or text} {e}") from e


def parse_utc_field(text: str, name: str) -> datetime:
    """The value of a ``datetime-local`` field, whose offset is UTC by agreement. Raises ``BadRequest``."""
    local = _LOCAL.fullmatch(text)
    if local is None:
        raise BadRequest(f"{name} is not a time; write it like 2026-11-24T08:00")
    return parse_instant(f"{text}{'' if local.group(4) else ':00'}Z", name)
