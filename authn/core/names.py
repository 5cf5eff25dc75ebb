"""The one rule for names that people give, to devices and to keys of machines."""

from __future__ import annotations

import re

from authn.core.errors import BadRequest

# It is also a folder's name on the device and the common name of the certificate (at most 64, RFC 5280).
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def parse_name(name: str) -> str:
    """The name itself. Raises ``BadRequest``."""
    if not NAME.fullmatch(name):
        raise BadRequest(
            "a device name has 1 to 64 letters, digits, dots, dashes and underscores, "
            "and starts with a letter or digit"
        )
    return name
