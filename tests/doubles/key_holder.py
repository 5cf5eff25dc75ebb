"""A process that begins one request with an Idempotency-Key and then only stays alive.

Usage: python -m tests.doubles.key_holder DATABASE_URL LEASE_SECONDS
"""

from __future__ import annotations

import sys
import time

from authn.core.instants import utc_now
from authn.service.repeats import Repeats
from authn.store.engine import open_engine

if __name__ == "__main__":
    Repeats(open_engine(sys.argv[1]), float(sys.argv[2]), utc_now).begin("a", "k", "1")
    print("held", flush=True)
    time.sleep(60)
