"""Signer paths at a time: what must not sign claims does not, on both walks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from authn.core.errors import CredentialExpired, CredentialInvalid, UntrustedChain
from authn.pki.chains import needs_own_walk, verify_signer_path
from signer.proof.path import PathRefused, verify_path
from signer.proof.usages import SIGNER_USAGES
from signer.proof.walk import walk_path
from tests.doubles.pki import Issued, TestPki, issue, name, new_key, now

NOW = datetime.now(UTC)
Walk = Callable[..., tuple[x509.Certificate, ...]]
BOTH = pytest.mark.parametrize("walk", [verify_path, walk_path], ids=["pyca", "own walk"])


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


def through(walk: Walk, leaf: Issued, pki: TestPki, at: datetime = NOW) -> tuple[x509.Certificate, ...]:
    return walk(leaf.certificate, leaf.intermediates, pki.device_roots, at=at, usages=SIGNER_USAGES)


@BOTH
def test_a_device_leaf_leads_over_the_issuing_authority_to_the_root(pki: TestPki, walk: Walk) -> None:
    path = through(walk, pki.leaf(), pki)
    assert path[1:] == (pki.issuing.certificate, pki.root.certificate)


@BOTH
@pytest.mark.parametrize(
    "knobs",
    [
        {"ca": True},
        {"usages": ("key_cert_sign", "digital_signature")},
        {"usages": ("key_agreement",)},
        {"ekus": (ExtendedKeyUsageOID.SERVER_AUTH,)},
        {"ekus": ()},
        {"extra": ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\5\0"), True),)},
        {"not_after": now() - timedelta(hours=1)},
        {"not_before": now() + timedelta(hours=1)},
    ],
    ids=["a CA", "may sign certificates", "cannot sign", "other usage", "no usage", "unknown critical",
         "expired", "not yet valid"],
)  # fmt: skip
def test_a_leaf_that_must_not_sign_is_refused(pki: TestPki, walk: Walk, knobs: dict[str, object]) -> None:
    with pytest.raises(PathRefused):
        through(walk, pki.leaf(**knobs), pki)  # type: ignore[arg-type]


@BOTH
def test_a_device_leaf_cannot_issue(pki: TestPki, walk: Walk) -> None:
    with pytest.raises(PathRefused):
        through(walk, pki.leaf("victim", issuer=pki.leaf()), pki)


@BOTH
def test_an_authority_below_a_path_length_of_zero_is_refused(pki: TestPki, walk: Walk) -> None:
    key = new_key()
    certificate = issue(name("rogue sub"), key.public_key(), issuer=pki.issuing, ca=True)
    rogue = Issued(certificate=certificate, key=key, intermediates=(pki.issuing.certificate,))
    with pytest.raises(PathRefused):
        through(walk, pki.leaf(issuer=rogue), pki)


@BOTH
def test_an_authority_restricted_to_another_usage_is_refused(pki: TestPki, walk: Walk) -> None:
    key = new_key()
    certificate = issue(
        name("mail only"),
        key.public_key(),
        issuer=pki.root,
        ca=True,
        ekus=(ExtendedKeyUsageOID.SERVER_AUTH,),
    )
    with pytest.raises(PathRefused):
        through(walk, pki.leaf(issuer=Issued(certificate=certificate, key=key)), pki)


ADOBE_AUTHORITY = x509.ObjectIdentifier("1.2.840.113583.1.1.7")
STAMPS, ANSWERS = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.OCSP_SIGNING


def below(pki: TestPki, *ekus: x509.ObjectIdentifier) -> Issued:
    """A leaf under an authority with an extended key usage of its own."""
    key = new_key()
    certificate = issue(name("narrow"), key.public_key(), issuer=pki.root, ca=True, ekus=ekus)
    return pki.leaf(issuer=Issued(certificate=certificate, key=key))


@BOTH
@pytest.mark.parametrize(
    "ekus",
    [
        (ADOBE_AUTHORITY,),
        (ExtendedKeyUsageOID.SERVER_AUTH,),
        (ExtendedKeyUsageOID.CLIENT_AUTH, STAMPS),
        (ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    ],
    ids=["a maker's own", "web servers", "stamps beside another", "a signer's"],
)
def test_an_authority_s_own_usage_is_ignored_for_claim_signers(
    pki: TestPki, walk: Walk, ekus: tuple[x509.ObjectIdentifier, ...]
) -> None:
    leaf = below(pki, *ekus)
    path = walk(
        leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW, usages=SIGNER_USAGES, nested=False
    )
    assert path == (leaf.certificate, *leaf.intermediates, pki.root.certificate)
    assert verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW) == path


@BOTH
@pytest.mark.parametrize("ekus", [(STAMPS,), (ANSWERS,), (STAMPS, ANSWERS)], ids=["stamps", "OCSP", "both"])
def test_an_authority_for_stamps_or_answers_alone_vouches_for_no_signer(
    pki: TestPki, walk: Walk, ekus: tuple[x509.ObjectIdentifier, ...]
) -> None:
    """Even where one root stands in both lists, as in C2PA's own."""
    leaf = below(pki, *ekus)
    with pytest.raises(PathRefused):
        walk(
            leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW, usages=SIGNER_USAGES, nested=False
        )
    with pytest.raises(UntrustedChain):
        verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW)


def test_which_usages_a_signer_may_have_is_the_reader_s_to_say(pki: TestPki) -> None:
    maker = x509.ObjectIdentifier("1.3.6.1.4.1.99999.7")
    leaf = pki.leaf(ekus=(maker,))
    with pytest.raises(CredentialInvalid):
        verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW)
    given = SIGNER_USAGES | {maker}
    assert verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW, usages=given)
    with pytest.raises(CredentialInvalid):
        verify_signer_path(
            pki.leaf().certificate, (pki.issuing.certificate,), pki.device_roots, at=NOW, usages={maker}
        )


@BOTH
def test_a_missing_intermediate_is_not_guessed(pki: TestPki, walk: Walk) -> None:
    with pytest.raises(PathRefused):
        walk(pki.leaf().certificate, (), pki.device_roots, at=NOW, usages=SIGNER_USAGES)


@BOTH
def test_a_twin_of_the_root_leads_nowhere(pki: TestPki, walk: Walk) -> None:
    with pytest.raises(PathRefused):
        through(walk, TestPki().leaf(), pki)


@BOTH
def test_a_path_is_judged_at_the_time_that_is_given(pki: TestPki, walk: Walk) -> None:
    leaf = pki.leaf(not_before=now() - timedelta(days=9), not_after=now() - timedelta(days=5))
    assert through(walk, leaf, pki, at=NOW - timedelta(days=7))
    with pytest.raises(PathRefused):
        through(walk, leaf, pki)


def test_an_ed25519_chain_takes_our_own_walk_and_is_accepted() -> None:
    root_key, leaf_key = ed25519.Ed25519PrivateKey.generate(), new_key()
    root = issue(name("Ed Root"), root_key.public_key(), issuer=None, issuer_key=root_key, ca=True)
    above = Issued(certificate=root, key=root_key)
    leaf = issue(name("leaf"), leaf_key.public_key(), issuer=above, ekus=tuple(SIGNER_USAGES))
    assert needs_own_walk((leaf, root))
    assert verify_signer_path(leaf, (root,), (root,), at=NOW) == (leaf, root)


@pytest.mark.parametrize(
    "usage",
    [
        ExtendedKeyUsageOID.TIME_STAMPING,
        ExtendedKeyUsageOID.OCSP_SIGNING,
        ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    ],
)
def test_a_certificate_for_something_exclusive_signs_no_claims(
    pki: TestPki, usage: x509.ObjectIdentifier
) -> None:
    leaf = pki.leaf(ekus=(*SIGNER_USAGES, usage))
    with pytest.raises(CredentialInvalid):
        verify_signer_path(leaf.certificate, leaf.intermediates, pki.device_roots, at=NOW)


def test_the_most_particular_reason_is_named(pki: TestPki) -> None:
    stranger = TestPki("Stranger").leaf(not_after=now() - timedelta(hours=1))
    with pytest.raises(CredentialExpired):
        verify_signer_path(stranger.certificate, stranger.intermediates, pki.device_roots, at=NOW)
    valid = TestPki("Stranger").leaf()
    with pytest.raises(UntrustedChain) as refused:
        verify_signer_path(valid.certificate, valid.intermediates, pki.device_roots, at=NOW)
    assert refused.value.code == "signingCredential.untrusted"


OTHER = x509.DirectoryName(name("somebody else"))
OURS = x509.DirectoryName(x509.Name(name("any").rdns[:1]))
SHOUTED = x509.DirectoryName(x509.Name(name("any", "ASSAY  TESTS").rdns[:1]))


@pytest.mark.parametrize(
    ("permitted", "excluded", "allowed"),
    [
        ([OTHER], None, False),
        (None, [OURS], False),
        (None, [SHOUTED], False),
        ([OURS], [OURS], False),
        ([OURS], None, True),
        ([OTHER, SHOUTED], None, True),
        (None, [OTHER], True),
        ([x509.DNSName("example.org")], None, True),
    ],
)
def test_an_authority_for_certain_names_vouches_for_no_others_though_the_constraint_is_not_critical(
    pki: TestPki,
    permitted: list[x509.GeneralName] | None,
    excluded: list[x509.GeneralName] | None,
    allowed: bool,
) -> None:
    key = new_key()
    constraints = x509.NameConstraints(permitted, excluded)
    above = issue(name("Narrow CA"), key.public_key(), issuer=pki.root, ca=True, extra=[(constraints, False)])
    leaf = pki.leaf(issuer=Issued(certificate=above, key=key))
    if allowed:
        assert len(verify_signer_path(leaf.certificate, [above], pki.device_roots, at=now())) == 3
    else:
        with pytest.raises(UntrustedChain, match="other names"):
            verify_signer_path(leaf.certificate, [above], pki.device_roots, at=now())


@pytest.mark.parametrize("missing", ["the root", "the issuing authority"])
def test_a_path_that_leads_on_to_nobody_says_so_in_words(pki: TestPki, missing: str) -> None:
    leaf = pki.leaf()
    roots = pki.tsa_roots if missing == "the root" else pki.device_roots
    below = leaf.intermediates if missing == "the root" else ()
    with pytest.raises(UntrustedChain) as refused:
        verify_signer_path(leaf.certificate, below, roots, at=NOW)
    assert str(refused.value).endswith("an issuer is not among the certificates given")
    with pytest.raises(UntrustedChain) as refused:  # another authority of the same name
        verify_signer_path(leaf.certificate, leaf.intermediates, TestPki().device_roots, at=NOW)
    assert str(refused.value).endswith("none of the signer roots: signature does not match")
