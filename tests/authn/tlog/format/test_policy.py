"""Policies: which witnesses together are enough, and which files are no policy."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from authn.core.errors import NoteError
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.note import SigningKey
from authn.tlog.format.policy import parse_policy, policy_text

LOG = SigningKey.generate("log.example").verifier
A, B, C = (
    Cosigner(name=f"w.example/{n}", key=Ed25519PrivateKey.generate(), clock=lambda: 1).verifier for n in "abc"
)
WITNESSES = f"log {LOG}\nwitness a {A} https://a.example/x\nwitness b {B}\n\n# a comment\nwitness c {C}\n"


@pytest.mark.parametrize(
    ("rest", "enough", "too_few"),
    [
        ("group g 2 a b c\nquorum g\n", ["ab", "bc", "abc"], ["", "a", "c"]),
        ("group g any a b\nquorum g\n", ["a", "bc"], ["", "c"]),
        ("group g all a b\nquorum g\n", ["ab"], ["a", "bc"]),
        ("group g any a b\ngroup h all g c\nquorum h\n", ["ac", "bc"], ["ab", "c"]),
        ("quorum c\n", ["c"], ["ab"]),
        ("quorum none\n", ["", "a"], []),
    ],
)
def test_a_quorum_is_met_by_enough_witnesses_and_no_fewer(
    rest: str, enough: list[str], too_few: list[str]
) -> None:
    policy = parse_policy(WITNESSES + rest)
    assert all(policy.satisfied_by({f"w.example/{n}" for n in names}) for names in enough)
    assert not any(policy.satisfied_by({f"w.example/{n}" for n in names}) for names in too_few)
    assert policy.logs == (LOG,)
    assert parse_policy(policy_text(policy)) == policy
    assert [w.url for w in policy.witnesses] == ["https://a.example/x", "", ""]


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "quorum d\n",
        "quorum a\nquorum b\n",
        "group g 0 a b\nquorum g\n",
        "group g 3 a b\nquorum g\n",
        "group g 2\nquorum g\n",
        "group g 2 a a b\nquorum g\n",
        "group g any h a\ngroup h any b\nquorum g\n",
        "group g any a\ngroup h any a b\nquorum h\n",
        "group a any b\nquorum a\n",
        "group none any b\nquorum none\n",
        f"witness d {A}\nquorum a\n",
        f"witness a {A}\nquorum a\n",
        f"log {A}\nquorum a\n",
        f"witness d {LOG}\nquorum a\n",
        "sunshine\nquorum a\n",
    ],
    ids=range(16),  # the keys in the cases are made anew each time, and names of tests must stay
)
def test_what_could_be_misread_is_no_policy(rest: str) -> None:
    with pytest.raises(NoteError):
        parse_policy(WITNESSES + rest)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example/", "a.example", "http://[", "https://"]
)
def test_a_witness_is_asked_over_http_alone(url: str) -> None:
    with pytest.raises(NoteError):
        parse_policy(f"witness a {A} {url}\nquorum a\n")
