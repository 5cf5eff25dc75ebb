"""Identity assertions are shown as claims, with what each engine found, and move no axis and no sentence."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path

import jsonschema
import pytest

from authn.core.evidence import Axis, IdentityFinding, IdentityView, Outcome
from authn.core.media import open_media
from authn.core.plain import Json
from authn.core.report import Report, report_json
from authn.core.visible import visible
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots, load_roots
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from authn.provenance.identity import MAX_IDENTITIES, identities
from authn.report import wording
from authn.report.html import render_report
from authn.report.text import render_text
from tests.conftest import ROOT
from tests.doubles.identities import HARD_BINDING, aggregated, answer_with, photo_with_identity
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for, media, signed_photo

SCHEMA = json.loads((ROOT / "docs/formats/report.schema.json").read_text())
HOLDS, FAILS, OPEN = IdentityFinding.HOLDS, IdentityFinding.FAILS, IdentityFinding.NOT_EXAMINED
ACCOUNT: Json = {
    "type": "cawg.social_media",
    "username": "harbour",
    "uri": "https://social.example/harbour",
    "provider": {"id": "https://social.example", "name": "Social"},
}


@pytest.fixture(scope="module")
def public(suites: Path) -> Report:
    """A file of the public suite that names somebody by X.509."""
    roots = TrustRoots(
        signer=load_roots([suites / "c2pa/roots/test_roots.pem"]),
        tsa=load_roots([suites / "c2pa/roots/digicert_tsa_root.pem"]),
    )
    examiner = Examiner(roots=roots, engines=open_engines(roots), policy=default_policy())
    return examiner.examine(open_media(suites / "c2pa/c2pa-rs-fixtures/C_with_CAWG_data.jpg"))


def test_a_public_file_shows_whom_it_names_by_what_and_what_each_engine_found(public: Report) -> None:
    (found,) = public.cryptographic.identities
    assert (found.label, found.kind) == ("cawg.identity", "x509")
    assert found.named == ("C2PA Signer (C2PA Test Signing Cert)",)
    assert [(r.engine, r.finding) for r in found.readings] == [("c2pa-rs", HOLDS), ("encypher-c2pa", HOLDS)]
    assert "cawg.x509.credential.untrusted" in found.readings[0].codes


def test_an_identity_counts_on_no_axis_and_in_no_sentence(public: Report) -> None:
    spoken = [f.code for a in public.cryptographic.axes for f in a.findings]
    assert not [c for c in spoken if "cawg" in c]
    assert public.cryptographic.axis(Axis.HISTORY).outcome is Outcome.ESTABLISHED
    assert not [s for s in public.statements if "C2PA Test Signing Cert)" in s.text and "named" in s.text]


def test_text_page_and_json_say_the_same_about_it(public: Report) -> None:
    document = report_json(public)
    jsonschema.validate(document, SCHEMA)
    assert document["cryptographic"]["identities"][0]["readings"][0]["finding"] == "holds"
    for form in (render_text(public), unescape(render_report(document))):
        said = " ".join(form.split())
        assert wording.IDENTITY_TITLE in said
        assert "C2PA Signer (C2PA Test Signing Cert)" in said
        assert "cawg.x509.signature.validated" in said
        assert wording.IDENTITY_NOT_PROVEN in said


NO_IDENTITY = "nothing that belongs there"
BROKEN: dict[str, Json] = {
    "a signature that is none": {
        "signer_payload": {"referenced_assertions": [HARD_BINDING], "sig_type": "cawg.x509.cose"},
        "signature": [1, 2, 3],
        "pad1": [0],
    },
    NO_IDENTITY: {"hello": "world"},
    "a kind that nobody knows": {
        "signer_payload": {"referenced_assertions": [HARD_BINDING], "sig_type": "org.example.stars"},
        "signature": [1],
        "pad1": [0],
    },
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_identity_is_shown_and_takes_nothing_from_the_photo(pki: TestPki, name: str) -> None:
    report = examiner_for(pki).examine(media(photo_with_identity(pki.leaf(), BROKEN[name])))
    plain = examiner_for(pki).examine(media(signed_photo(pki.leaf())))
    (found,) = report.cryptographic.identities
    assert HOLDS not in [r.finding for r in found.readings]
    outcomes = {a.axis: a.outcome for a in report.cryptographic.axes}
    if name == NO_IDENTITY:  # one engine then misses a required assertion: an opinion about structure
        assert outcomes.pop(Axis.INTEGRITY) is Outcome.NOT_EXAMINED
    else:
        assert [(s.id, s.value) for s in report.statements] == [(s.id, s.value) for s in plain.statements]
    assert outcomes.items() <= {a.axis: a.outcome for a in plain.cryptographic.axes}.items()
    assert "cawg.identity" not in " ".join(f.detail for a in report.cryptographic.axes for f in a.findings)
    jsonschema.validate(report_json(report), SCHEMA)


def only(data: Json, *codes: tuple[str, str]) -> IdentityView:
    (found,) = identities((answer_with(data, *codes),))
    return found


def test_accounts_that_a_service_has_collected_are_named_with_who_says_so() -> None:
    found = only(aggregated([ACCOUNT, {"name": "Ada", "provider": {"id": "https://id.example"}}]))
    assert found.kind == "identity_claims_aggregation"
    assert found.named == (
        "harbour, https://social.example/harbour, as Social knows them",
        "Ada, as https://id.example knows them",
    )
    assert found.vouched_by == "did:web:identities.example"


@pytest.mark.parametrize(
    ("codes", "finding"),
    [
        ((("cawg.identity.well-formed", "success"),), HOLDS),
        ((("cawg.x509.signature.mismatch", "failure"),), FAILS),
        ((("cawg.identity.well-formed", "success"), ("cawg.identity.assertion.mismatch", "failure")), FAILS),
        ((("cawg.ica.did_unavailable", "failure"),), OPEN),
        ((("cawg.x509.credential.untrusted", "failure"),), OPEN),
        ((("cawg.x509.credential.expired", "failure"), ("cawg.identity.well-formed", "success")), HOLDS),
        ((), OPEN),
    ],
)
def test_only_a_check_that_failed_is_held_against_an_identity(
    codes: tuple[tuple[str, str], ...], finding: IdentityFinding
) -> None:
    assert only(aggregated([ACCOUNT]), *codes).readings[0].finding is finding


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        {"signature_info": 3},
        aggregated([None, 1, {}]),
        aggregated([], issuer={"id": 5}),
        aggregated([], issuer=None),
    ],
)
def test_an_assertion_of_any_shape_is_read(data: Json) -> None:
    found = only(data)
    assert found.named == ()
    assert found.vouched_by in ("nobody who could be read", "did:web:identities.example")


def test_names_that_strangers_chose_are_made_visible_and_their_number_is_bounded(pki: TestPki) -> None:
    named: Json = {"username": "\x1b[31mred\u202egnp", "provider": {"name": "<b>"}}
    (found, *_) = many = identities(
        tuple(answer_with(aggregated([named] * 99), label=f"cawg.identity__{i}") for i in range(99))
    )
    assert len(many) <= MAX_IDENTITIES
    assert len(found.named) <= MAX_IDENTITIES
    report = examiner_for(pki).examine(media(signed_photo(pki.leaf())))
    document = report_json(report)
    document["cryptographic"]["identities"] = [
        {
            "label": found.label,
            "manifest": found.manifest,
            "kind": found.kind,
            "named": list(found.named),
            "vouched_by": found.vouched_by,
            "readings": [],
        }
    ]
    page = render_report(document)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert visible("\u202e") in page
    assert "<b>" not in page.partition(wording.IDENTITY_TITLE)[2].partition("</div>")[0].replace("<b>", "", 0)


def test_a_report_of_version_1_has_none_and_is_shown(pki: TestPki) -> None:
    document = report_json(examiner_for(pki).examine(media(signed_photo(pki.leaf()))))
    del document["cryptographic"]["identities"]
    assert wording.IDENTITY_TITLE not in render_report(document)
