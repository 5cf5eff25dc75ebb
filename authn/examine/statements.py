"""Sentences about the cryptographic evidence, from a versioned policy file.

``conclude`` takes ``CryptographicEvidence`` alone: its type is the guarantee that no classifier changes a
statement about provenance. The policy is data (TOML), so that two readers with different duties can differ
in the open; its digest stands in the report.

No policy can hide a refutation (docs/decisions/0015). Whatever it says, one sentence for each refuted axis
stands before its own, each of its own names them again, and none of them that could be true of a file without
a refutation is true of one with it.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from importlib import resources

from cryptography import x509
from cryptography.x509.oid import NameOID

from authn.core.errors import SettingsError
from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.instants import spoken
from authn.core.report import Statement
from authn.core.visible import visible
from authn.report.doubts import ID_PREFIX, IN_SHORT_ID, PART_PREFIX, Axes, alone, beside, doubts
from authn.report.wording import WITHHELD

MAX_NAME = 120
MAX_SENTENCE = 240
PLACEHOLDERS = ("signer", "issuer", "device", "not_after", "as_of")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    requires: tuple[tuple[Axis, Outcome], ...]
    unless: tuple[str, ...]
    texts: tuple[str, str, str]  # true, false, not evaluated

    @property
    def warns(self) -> bool:
        """It can be true only where an axis is refuted; every other statement may read as good."""
        return any(wanted is Outcome.REFUTED for _, wanted in self.requires)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    version: str
    sha256: str
    toml: bytes
    rules: tuple[Rule, ...]


def default_policy() -> Policy:
    data = resources.files("authn.examine").joinpath("policies/default.toml").read_bytes()
    return parse_policy(data, "the built-in policy")


def parse_policy(data: bytes, origin: str) -> Policy:
    """Strict: unknown keys, axes and outcomes are refused. Raises ``SettingsError``."""
    try:
        table = tomllib.loads(data.decode("utf-8"))
        rules = tuple(_rule(entry) for entry in table.pop("statement"))
        name, version = str(table.pop("name")), str(table.pop("version"))
    except (
        tomllib.TOMLDecodeError,
        UnicodeDecodeError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
    ) as e:
        raise SettingsError(f"{origin} is not a policy: {e}") from e
    if table or not rules:
        raise SettingsError(f"{origin} has unknown keys or no statements: {', '.join(table) or 'none'}")
    if len({rule.id for rule in rules}) != len(rules):
        raise SettingsError(f"{origin} has two statements of one id")
    digest = hashlib.sha256(data).hexdigest()
    return Policy(name=name, version=version, sha256=digest, toml=data, rules=rules)


def conclude(evidence: CryptographicEvidence, policy: Policy, as_of: datetime) -> tuple[Statement, ...]:
    """The refutations, then the policy's statements; one in short where none of these is true."""
    axes = {a.axis: a for a in evidence.axes}
    found = doubts(axes)
    first = tuple(Statement(id=d.id, value=True, text=d.sentence) for d in found)
    say = partial(_statement, evidence, axes, beside(found) if found else None, as_of)
    rest = tuple(map(say, policy.rules))
    if any(s.value for s in (*first, *rest)):
        return (*first, *rest)
    return (*rest, Statement(id=IN_SHORT_ID, value=True, text=alone(axes)))


def _statement(
    evidence: CryptographicEvidence, axes: Axes, refuted: str | None, as_of: datetime, rule: Rule
) -> Statement:
    """``refuted`` names the axes that are; nothing but a statement about one of these is true beside it."""
    value = _value(rule, axes)
    if value and refuted and not rule.warns:
        return Statement(id=rule.id, value=False, text=f"{refuted} {WITHHELD}")
    text = rule.texts[{True: 0, False: 1, None: 2}[value]]
    if value:
        for name, word in _words(evidence, as_of).items():
            text = text.replace("{" + name + "}", word)
    return Statement(id=rule.id, value=value, text=f"{refuted} {text}" if refuted else text)


def _value(rule: Rule, axes: Axes) -> bool | None:
    failed = [o for axis, wanted in rule.requires if (o := axes[axis].outcome) is not wanted]
    if any(o is not Outcome.NOT_EXAMINED for o in failed):
        return False
    if failed:
        return None
    unless = rule.unless
    return not (unless and any(f.code in unless for axis in axes.values() for f in axis.findings))


def _words(evidence: CryptographicEvidence, as_of: datetime) -> Mapping[str, str]:
    signer = evidence.chain[0] if evidence.chain else None
    device = next((dict(f.facts).get("name") for f in evidence.axis(Axis.DEVICE).findings), None)
    return {
        "signer": _named(signer.subject) if signer else "an unnamed signer",
        "issuer": _named(signer.issuer) if signer else "an unnamed issuer",
        "device": _short(str(device)) if device else "without a name",
        "not_after": spoken(evidence.not_after) if evidence.not_after else "an unknown time",
        "as_of": spoken(as_of),
    }


@lru_cache(maxsize=256)
def _named(distinguished_name: str) -> str:
    """Common name and organisation of an RFC 4514 string; all of it where it is not in that form."""
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


def _rule(entry: Mapping[str, object]) -> Rule:
    unknown = set(entry) - {"id", "requires", "unless", "true", "false", "null"}
    requires, unless = entry["requires"], entry.get("unless", [])
    if unknown or not isinstance(requires, dict) or not requires or not isinstance(unless, list):
        raise ValueError(f"statement {entry.get('id')!r} is malformed")
    true, false, null = (_sentence(entry, key) for key in ("true", "false", "null"))
    return Rule(
        id=_identifier(entry["id"]),
        requires=tuple((Axis(axis), Outcome(outcome)) for axis, outcome in requires.items()),
        unless=tuple(str(code) for code in unless),
        texts=(true, false, null),
    )


def _identifier(given: object) -> str:
    """A reader that looks a sentence up by its id must not get the policy's in the place of a refutation."""
    if not isinstance(given, str) or not _ID.fullmatch(given):
        raise ValueError(f"{given!r} is no id of a statement")
    if given.startswith((ID_PREFIX, PART_PREFIX)) or given == IN_SHORT_ID:
        raise ValueError(f"the id {given} is not the policy's to give")
    return given


def _sentence(entry: Mapping[str, object], key: str) -> str:
    """Raises ``ValueError`` for what would not be shown as it stands: cut off, invisible or not filled in."""
    text = entry[key]
    if not isinstance(text, str) or not text.strip() or visible(text, MAX_SENTENCE) != text:
        raise ValueError(f"{key} of statement {entry.get('id')!r} is not one visible line, or too long")
    left = text
    for name in PLACEHOLDERS if key == "true" else ():
        left = left.replace("{" + name + "}", "")
    if "{" in left or "}" in left:
        raise ValueError(f"{key} of statement {entry.get('id')!r} has a placeholder that is not filled there")
    return text
