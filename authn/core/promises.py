"""Words that no sentence about a picture may use, whoever wrote it: nobody can prove them."""

from __future__ import annotations

import re

PROMISES = re.compile(
    r"\b(authenti[ck]\w*|authentisch\w*|genuin\w+|real|trustworth\w+|vertrauenswürdig\w*|echt|echt(e[rsnm]?|heit)"
    r"|unverfälscht\w*|proven true|deepfake[- ]free)\b",
    re.IGNORECASE,
)
