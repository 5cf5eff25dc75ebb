"""The demo's service: the real one, with the demo's pages beside it; the demo starts it as a process."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from authn.core.config import load_settings
from authn.demo.variants import strip_metadata


def main() -> None:
    """Serve the folder that is the first argument, on a free port, until SIGTERM. Raises ``AuthnError``: the
    demo shows its sentence out of the log."""
    from authn.web.server import serve
    from authn.web.showcase import Showcase, beside

    showcase = Showcase(folder=Path(sys.argv[1]), strip=strip_metadata)
    serve(load_settings(port=0), beside=partial(beside, showcase=showcase))
