"""C2SP tlog-policy: which log, which witnesses, and how many of them have to agree.

Pure but for ``read_policy``. Groups may hold groups; a name means the witness or group of an earlier line, so
there are no cycles.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from authn.core.errors import FileUnusable, NoteError
from authn.tlog.format.cosignature import WitnessKey, parse_witness_key
from authn.tlog.format.note import VerifyingKey, parse_vkey

MAX_CHARACTERS = 1 << 16
MAX_MEMBERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWitness:
    """``url`` is where its add-checkpoint lies; empty where nobody is to ask it."""

    label: str
    key: WitnessKey
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Satisfied when ``threshold`` of its members are."""

    label: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessPolicy:
    """``quorum`` is the label of a witness or a group; empty where no witness is asked for."""

    logs: tuple[VerifyingKey, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def satisfied_by(self, names: Collection[str]) -> bool:
        """Whether the witnesses with these key names are enough."""
        met = {w.label for w in self.witnesses if w.key.name in names}
        for group in self.groups:
            if sum(member in met for member in group.members) >= group.threshold:
                met.add(group.label)
        return not self.quorum or self.quorum in met

    def witnessed_by(self, names: Collection[str]) -> bool:
        """The same, but nobody is never enough, also where the policy asks for nobody."""
        return bool(self.quorum) and self.satisfied_by(names)


def policy_text(policy: WitnessPolicy) -> str:
    """The policy as a file that reads back as the same."""
    lines = [f"log {log}" for log in policy.logs]
    lines += [" ".join(filter(None, ("witness", w.label, str(w.key), w.url))) for w in policy.witnesses]
    lines += [f"group {g.label} {g.threshold} {' '.join(g.members)}" for g in policy.groups]
    return "\n".join((*lines, f"quorum {policy.quorum or 'none'}")) + "\n"


def parse_policy(text: str) -> WitnessPolicy:
    """Raises ``NoteError`` naming the line."""
    if len(text) > MAX_CHARACTERS:
        raise NoteError("the policy is too long")
    reading = _Reading()
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.line(words)
        except NoteError as e:
            raise NoteError(f"line {number} of the policy: {e.detail}") from e
    return reading.policy()


def read_policy(path: Path) -> WitnessPolicy:
    """Raises ``Unavailable`` for a file that cannot be read or is no policy."""
    try:
        with path.open("rb") as file:
            return parse_policy(file.read(MAX_CHARACTERS + 1).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as e:
        raise FileUnusable(f"the policy {path} cannot be read") from e
    except NoteError as e:
        raise FileUnusable(f"the policy {path} cannot be used: {e.detail}") from e


class _Reading:
    def __init__(self) -> None:
        self._logs: list[VerifyingKey] = []
        self._witnesses: list[PolicyWitness] = []
        self._groups: list[Group] = []
        self._quorum: str | None = None

    def line(self, words: list[str]) -> None:
        match words:
            case ["log", key, *url] if len(url) <= 1:
                self._logs.append(parse_vkey(key))
            case ["witness", label, key, *url] if len(url) <= 1:
                self._witness(label, key, _address(url[0]) if url else "")
            case ["group", label, threshold, *members]:
                self._group(label, threshold, members)
            case ["quorum", label] if self._quorum is None:
                if label != "none" and label not in self._labels():
                    raise NoteError(f"{label} is no witness or group above")
                self._quorum = "" if label == "none" else label
            case _:
                raise NoteError("this is no line of a policy, or a second quorum")

    def policy(self) -> WitnessPolicy:
        if self._quorum is None:
            raise NoteError("the policy names no quorum")
        if {log.public for log in self._logs} & {w.key.public for w in self._witnesses}:
            raise NoteError("a log's own key stands as its witness")
        return WitnessPolicy(
            logs=tuple(self._logs),
            witnesses=tuple(self._witnesses),
            groups=tuple(self._groups),
            quorum=self._quorum,
        )

    def _witness(self, label: str, key: str, url: str) -> None:
        witness = PolicyWitness(label=self._new(label), key=parse_witness_key(key), url=url)
        if any(w.key.name == witness.key.name for w in self._witnesses):
            raise NoteError("one name of a key stands for two witnesses")  # one would count for both
        if any(w.key.public == witness.key.public for w in self._witnesses):
            raise NoteError("one key stands for two witnesses")
        self._witnesses.append(witness)

    def _group(self, label: str, threshold: str, members: list[str]) -> None:
        if not 0 < len(members) <= MAX_MEMBERS or len(set(members)) != len(members):
            raise NoteError("a group has members, each once")
        taken = {m for group in self._groups for m in group.members}
        for member in members:
            if member not in self._labels():
                raise NoteError(f"{member} is no witness or group above")
            if member in taken:
                raise NoteError(f"{member} is in another group already")
        count = _threshold(threshold, len(members))
        self._groups.append(Group(label=self._new(label), threshold=count, members=tuple(members)))

    def _labels(self) -> set[str]:
        return {w.label for w in self._witnesses} | {g.label for g in self._groups}

    def _new(self, label: str) -> str:
        if label == "none" or label in self._labels():
            raise NoteError(f"the name {label} is taken")
        return label


def _threshold(word: str, members: int) -> int:
    if word in ("any", "all"):
        return 1 if word == "any" else members
    if not (word.isascii() and word.isdigit() and len(word) <= 3) or not 1 <= int(word) <= members:
        raise NoteError("so many of so few members cannot be asked for")
    return int(word)


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a number that can be a port, or ValueError
    except ValueError as e:
        raise NoteError("the address of a witness cannot be read") from e
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise NoteError("a witness has an http or https address")
    return url.rstrip("/")
