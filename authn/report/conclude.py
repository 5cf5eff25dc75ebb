"""Sentences about the cryptographic evidence, from a versioned policy file.

``conclude`` takes ``CryptographicEvidence`` alone: its type is the guarantee that no classifier changes a
statement about provenance. The policy is data (TOML), so that two readers with different duties can differ
in the open; its digest stands in the report.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from authn.errors import SettingsError
from authn.evidence import Axis, CryptographicEvidence, Outcome
from authn.report.model import Statement, instant

MAX_NAME = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    id: str
    requires: tuple[tuple[Axis, Outcome], ...]
    unless: tuple[str, ...]
    texts: tuple[str, str, str]  # true, false, not evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    name: str
    version: str
    sha256: str
    toml: bytes
    rules: tuple[Rule, ...]


def default_policy() -> Policy:
    data = resources.files("authn.report").joinpath("policies/default.toml").read_bytes()
    return parse_policy(data, "the built-in policy")


def load_policy(path: Path) -> Policy:
    """Raises ``SettingsError`` for a file that is missing or no policy."""
    try:
        return parse_policy(path.read_bytes(), str(path))
    except OSError as e:
        raise SettingsError(f"the policy {path} cannot be read: {e.strerror}") from e


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
    digest = hashlib.sha256(data).hexdigest()
    return Policy(name=name, version=version, sha256=digest, toml=data, rules=rules)


def conclude(evidence: CryptographicEvidence, policy: Policy, as_of: datetime) -> tuple[Statement, ...]:
    return tuple(_statement(rule, evidence, as_of) for rule in policy.rules)


def _statement(rule: Rule, evidence: CryptographicEvidence, as_of: datetime) -> Statement:
    value = _value(rule, evidence)
    text = rule.texts[{True: 0, False: 1, None: 2}[value]]
    if value:
        for name, word in _words(evidence, as_of).items():
            text = text.replace("{" + name + "}", word)
    return Statement(id=rule.id, value=value, text=text)


def _value(rule: Rule, evidence: CryptographicEvidence) -> bool | None:
    outcomes = {axis: evidence.axis(axis).outcome for axis, _ in rule.requires}
    failed = [o for axis, wanted in rule.requires if (o := outcomes[axis]) is not wanted]
    if any(o is not Outcome.NOT_EXAMINED for o in failed):
        return False
    if failed:
        return None
    codes = {f.code for axis in evidence.axes for f in axis.findings}
    return not codes.intersection(rule.unless)


def _words(evidence: CryptographicEvidence, as_of: datetime) -> Mapping[str, str]:
    signer = evidence.chain[0] if evidence.chain else None
    device = next((dict(f.facts).get("name") for f in evidence.axis(Axis.DEVICE).findings), None)
    return {
        "signer": _named(signer.subject) if signer else "an unnamed signer",
        "issuer": _named(signer.issuer) if signer else "an unnamed issuer",
        "device": _short(str(device)) if device else "without a name",
        "not_after": instant(evidence.not_after) if evidence.not_after else "an unknown time",
        "as_of": instant(as_of),
    }


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
    return Rule(
        id=str(entry["id"]),
        requires=tuple((Axis(axis), Outcome(outcome)) for axis, outcome in requires.items()),
        unless=tuple(str(code) for code in unless),
        texts=(str(entry["true"]), str(entry["false"]), str(entry["null"])),
    )
