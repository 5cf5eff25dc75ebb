"""What a policy may say, and the house's own words around it, in each language that the house knows.

A language that the house does not know gets its words in English: a refutation is said in any case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache

from authn.core.evidence import Axis, CryptographicEvidence
from authn.core.instants import spoken
from authn.core.promises import PROMISES
from authn.core.report import Join
from authn.core.visible import visible
from authn.report.doubts import ID_PREFIX, IN_SHORT_ID, PART_PREFIX, Doubt, beside
from authn.report.language import ENGLISH, LANGUAGES, clock, speaking, t

MAX_NAME = 120
MAX_SENTENCE = 240
PLACEHOLDERS = ("signer", "issuer", "device", "not_after", "as_of")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseWords:
    """``withheld``: in the place of a sentence that a refutation takes away. ``hint``, ``contradiction`` and
    ``proof`` take the ``text`` that they stand around."""

    withheld: str
    hint: str
    nothing_found: str
    nobody_asked: str
    contradiction: str
    no_contradiction: str
    proof: str
    joins: Mapping[Join, str]
    unnamed_signer: str
    unnamed_issuer: str
    unnamed_device: str
    unknown_time: str


@cache
def house_words(language: str) -> HouseWords:
    with speaking(_table(language)):
        words = {name: t(f"policy.{name}", text="{text}") for name in ("hint", "contradiction", "proof")}
        names = (
            "nothing_found",
            "nobody_asked",
            "no_contradiction",
            "unnamed_signer",
            "unnamed_issuer",
            "unnamed_device",
        )
        return HouseWords(
            withheld=t("withheld"),
            joins={join: t(f"policy.join.{join.value}") for join in Join},
            unknown_time=t("policy.unknown_time"),
            **words,
            **{name: t(f"policy.{name}") for name in names},
        )


def refuted_beside(found: tuple[Doubt, ...], language: str) -> str:
    """What every sentence begins with while these stand; empty where none does."""
    if not found:
        return ""
    with speaking(_table(language)):
        return beside(found)


def _table(language: str) -> str:
    """A language of one country is told as that language is."""
    return language.partition("-")[0]


def filled(text: str, evidence: CryptographicEvidence, as_of: datetime, language: str) -> str:
    """``text`` of a statement that is true, with its placeholders."""
    for name in PLACEHOLDERS:
        if (place := "{" + name + "}") in text:
            text = text.replace(place, _fact(name, evidence, as_of, language))
    return text


def _fact(name: str, evidence: CryptographicEvidence, as_of: datetime, language: str) -> str:
    """One of ``PLACEHOLDERS``."""
    words = house_words(language)
    if name in ("signer", "issuer"):
        if not evidence.chain:
            return words.unnamed_signer if name == "signer" else words.unnamed_issuer
        return _named(evidence.chain[0].subject if name == "signer" else evidence.chain[0].issuer)
    if name == "device":
        device = next((dict(f.facts).get("name") for f in evidence.axis(Axis.DEVICE).findings), None)
        return _short(str(device)) if device else words.unnamed_device
    when = as_of if name == "as_of" else evidence.not_after
    return words.unknown_time if when is None else _time(when, language)


def _time(when: datetime, language: str) -> str:
    if _table(language) not in LANGUAGES or _table(language) == ENGLISH:
        return spoken(when)
    with speaking(_table(language)):
        return clock(when)


@lru_cache(maxsize=256)
def _named(distinguished_name: str) -> str:
    """Common name and organisation of an RFC 4514 string; all of it where it is not in that form."""
    from cryptography import x509  # many libraries, and few statements name anybody
    from cryptography.x509.oid import NameOID

    try:
        name = x509.Name.from_rfc4514_string(distinguished_name)
    except ValueError:
        return _short(distinguished_name)
    common = [str(a.value) for a in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organisation = [str(a.value) for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    if not common:
        return _short(distinguished_name)
    return _short(f"{common[0]} ({organisation[0]})" if organisation else common[0])


def _short(text: str) -> str:
    """Names come from certificates; braces would be taken for placeholders."""
    return text.replace("{", "(").replace("}", ")")[:MAX_NAME]


def identifier(given: object) -> str:
    """A reader that looks a sentence up by its id must not get the policy's in the place of a refutation."""
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise ValueError(f"{visible(str(given), 80)!r} is no id: letters and digits in parts, dots between")
    if given.startswith((ID_PREFIX, PART_PREFIX)) or given == IN_SHORT_ID:
        raise ValueError(f"the id {given} is not the policy's to give")
    return given


def checked(text: object, key: str, *, filled: bool, limit: int = MAX_SENTENCE) -> str:
    """Raises ``ValueError`` for what would not be shown as it stands (cut off, invisible, not filled in), and
    for what nobody can promise. ``filled``: placeholders are."""
    if not isinstance(text, str) or not text.strip() or visible(text, limit) != text:
        raise ValueError(f"{key} is not one visible line of at most {limit} characters")
    if promise := PROMISES.search(text):
        raise ValueError(f"{key} promises more than evidence can: {promise.group()!r}")
    left = text
    for name in PLACEHOLDERS if filled else ():
        left = left.replace("{" + name + "}", "")
    if "{" in left or "}" in left:
        raise ValueError(f"{key} has a placeholder that is not filled there")
    return text
