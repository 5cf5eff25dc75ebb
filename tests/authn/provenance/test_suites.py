"""The public C2PA test files and our attack vectors, each with the outcome expected of it.

``expected_state`` speaks of a whole file; an Assay report speaks of axes. MEANING translates one into the
other, DIFFERENCES lists every file where we answer otherwise, with the reason.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.core.errors import MediaError
from authn.core.evidence import Axis, CryptographicEvidence, Outcome
from authn.core.media import open_media
from authn.core.report import Report
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots, load_roots
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from tests.doubles.signed import answers_on, evidence_on

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
E, R, A, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.ABSENT, Outcome.NOT_EXAMINED
OUT = Outcome.OUTSIDE_LISTS
ROOTS = {
    "attacks-ours": ("attacks-ours/signer_root.pem", "attacks-ours/tsa_root.pem"),
    "public-testfiles": ("roots/test_roots.pem", "roots/digicert_tsa_root.pem"),
    "c2pa-rs-fixtures": ("roots/test_roots.pem", "roots/digicert_tsa_root.pem"),
}

# file -> axes where we answer otherwise than MEANING, and why
DIFFERENCES: dict[str, tuple[dict[Axis, Outcome], str]] = {
    "update_manifest.jpg": (
        {Axis.INTEGRITY: N},
        "encypher-c2pa calls the update manifest malformed; engines that disagree never establish",
    ),
    "legacy.mp4": (
        {Axis.INTEGRITY: N},
        "encypher-c2pa does not know the first BMFF hash; only one engine checked the binding",
    ),
    "C_with_CAWG_data.jpg": (
        {Axis.SIGNER: E},
        "the C2PA signer is trusted; the untrusted CAWG identity is a claim and counts on no axis",
    ),
    "video1.mp4": (
        {Axis.SIGNER: E, Axis.INTEGRITY: N},
        "the active signer is trusted, its ingredient's is not (history); tables of positions are not bound",
    ),
    "leaf_as_ca.jpg": ({Axis.SIGNER: R}, "signatures lead to the listed root, and one of them was a leaf's"),
    "pathlen.jpg": (
        {Axis.SIGNER: R},
        "signatures lead to the listed root, by more authorities than it allows",
    ),
    "cloud_manifest.c2pa": ({}, "a sidecar alone is no media: refused as unsupported"),
}

TIME = {
    "ok_timestamped.jpg": E,
    "ok_no_timestamp.jpg": A,
    "tsa_under_device_ca.jpg": OUT,
    "claim_v1_rogue_tsa.jpg": OUT,
    "claim_v2_rogue_tsa.jpg": OUT,
    "esscertid_wrong.jpg": R,
    "signingtime_before_gentime.jpg": R,
    "pixel_flip.jpg": E,
    "trailing_bytes.jpg": E,
}

# Nothing is wrong with these paths but where they end: in a root that was given for another purpose, or none.
OUTSIDE_ONLY = {
    "signer_under_tsa_root.jpg",
    "tsa_under_device_ca.jpg",
    "claim_v1_rogue_tsa.jpg",
    "claim_v2_rogue_tsa.jpg",
}


def cases(suites: Path) -> list[tuple[str, dict[str, str]]]:
    found = []
    for suite in ROOTS:
        with (suites / "c2pa" / suite / "expected.csv").open(newline="") as f:
            found += [(suite, row) for row in csv.DictReader(f) if row["expected_state"] != "input"]
    return found


@pytest.fixture(scope="module")
def examiners(suites: Path) -> dict[str, Examiner]:
    made = {}
    for suite, (signer, tsa) in ROOTS.items():
        roots = TrustRoots(
            signer=load_roots([suites / "c2pa" / signer]), tsa=load_roots([suites / "c2pa" / tsa])
        )
        made[suite] = Examiner(roots=roots, engines=open_engines(roots), policy=default_policy())
    return made


@pytest.fixture(scope="module")
def reports(suites: Path, examiners: dict[str, Examiner]) -> dict[str, Report | MediaError]:
    """Every case once, by suite and path."""
    found: dict[str, Report | MediaError] = {}
    for suite, row in cases(suites):
        path = suites / "c2pa" / suite / row["path"]
        try:
            found[f"{suite}/{row['path']}"] = examiners[suite].examine(open_media(path), as_of=AS_OF)
        except MediaError as e:
            found[f"{suite}/{row['path']}"] = e
    return found


def outcomes(evidence: CryptographicEvidence) -> dict[Axis, Outcome]:
    return {a.axis: a.outcome for a in evidence.axes}


def disagreements_with(row: dict[str, str], result: Report | MediaError) -> list[str]:
    """What in this result is not what the suite's expectation means for a report."""
    name, state = Path(row["path"]).name, row["expected_state"]
    if isinstance(result, MediaError):
        return [] if state == "error" or name in DIFFERENCES else [f"refused: {result}"]
    proof, got = result.cryptographic, outcomes(result.cryptographic)
    wanted = dict(MEANING.get(state, {}))
    wanted.update(DIFFERENCES.get(name, ({}, ""))[0])
    wrong = [f"{a.value} is {got[a].value}, not {o.value}" for a, o in wanted.items() if got[a] is not o]
    if state in ("Invalid", "error") and R not in got.values() and N not in got.values():
        wrong.append("nothing is refuted")
    if state == "Invalid" and R not in got.values():
        wrong.append("nothing is refuted")
    codes = {f.code for axis in proof.axes for f in axis.findings}
    codes |= {c for engine in proof.engines for c in engine.codes}
    expected = [e.split(":")[-1] for e in row["expected_codes"].split()]
    return [*wrong, *(f"no finding {e}" for e in expected if e not in codes)]


MEANING: dict[str, dict[Axis, Outcome]] = {
    "Trusted": {Axis.CREDENTIAL: E, Axis.INTEGRITY: E, Axis.SIGNER: E},
    "Valid": {Axis.CREDENTIAL: E, Axis.INTEGRITY: E, Axis.SIGNER: OUT},
    "none": {Axis.CREDENTIAL: A, Axis.INTEGRITY: A, Axis.SIGNER: A, Axis.TIME: A, Axis.HISTORY: A},
    "not_fetched": {Axis.CREDENTIAL: N, Axis.INTEGRITY: N, Axis.SIGNER: N},
}


@pytest.mark.parametrize("suite", list(ROOTS))
def test_every_file_of_the_suite_gets_the_outcome_expected_of_it(
    suite: str, suites: Path, reports: dict[str, Report | MediaError]
) -> None:
    wrong = {
        row["path"]: problems
        for name, row in cases(suites)
        if name == suite and (problems := disagreements_with(row, reports[f"{suite}/{row['path']}"]))
    }
    assert wrong == {}


def test_no_measured_bypass_ends_as_established(reports: dict[str, Report | MediaError]) -> None:
    forbidden = {
        "leaf_as_ca.jpg": Axis.SIGNER,
        "pathlen.jpg": Axis.SIGNER,
        "signer_under_tsa_root.jpg": Axis.SIGNER,
        "tsa_cert_as_signer.jpg": Axis.SIGNER,
        "timestamping_eku_as_signer.jpg": Axis.SIGNER,
        "tsa_under_device_ca.jpg": Axis.TIME,
        "claim_v1_rogue_tsa.jpg": Axis.TIME,
        "claim_v2_rogue_tsa.jpg": Axis.TIME,
        "esscertid_wrong.jpg": Axis.TIME,
        "signingtime_before_gentime.jpg": Axis.TIME,
        "pixel_flip.jpg": Axis.INTEGRITY,
        "trailing_bytes.jpg": Axis.INTEGRITY,
        "no_created_action.jpg": Axis.HISTORY,
    }
    for name, axis in forbidden.items():
        report = reports[f"attacks-ours/{name}"]
        assert isinstance(report, Report)
        wanted = OUT if name in OUTSIDE_ONLY else R
        assert report.cryptographic.axis(axis).outcome is wanted, name


def test_the_time_axis_of_every_attack_file_is_as_its_note_says(
    reports: dict[str, Report | MediaError],
) -> None:
    for name, wanted in TIME.items():
        report = reports[f"attacks-ours/{name}"]
        assert isinstance(report, Report)
        assert report.cryptographic.axis(Axis.TIME).outcome is wanted, name


def test_a_version_1_claim_is_shown_as_it_is_and_supports_no_statement(
    reports: dict[str, Report | MediaError],
) -> None:
    report = reports["public-testfiles/image/jpeg/adobe-20220124-C.jpg"]
    assert isinstance(report, Report)
    credential = report.cryptographic.axis(Axis.CREDENTIAL)
    assert "assay.policy.claimVersion" in [f.code for f in credential.findings]
    assert report.cryptographic.axis(Axis.SIGNER).outcome is Outcome.ESTABLISHED
    signed = next(s for s in report.statements if s.id == "assay.statement.signedAndUnchanged")
    assert signed.value is False


def test_where_one_engine_is_not_heard_the_report_names_the_limit(
    reports: dict[str, Report | MediaError],
) -> None:
    report = reports["public-testfiles/image/jpeg/adobe-20220124-C.jpg"]
    assert isinstance(report, Report)
    findings = report.cryptographic.axis(Axis.SIGNER).findings
    abstention = next(f for f in findings if f.code == "assay.engines.abstention")
    assert "RSASSA-PSS" in abstention.detail


def test_a_remote_manifest_is_reported_and_never_fetched(
    suites: Path, examiners: dict[str, Examiner], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    # The engines are native: what they might open is caught by a listener on the port that the file names.
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 5000))
        listener.listen()
        listener.settimeout(0.3)
        media = open_media(suites / "c2pa/c2pa-rs-fixtures/libpng-test_with_url.png")
        report = examiners["c2pa-rs-fixtures"].examine(media, as_of=AS_OF)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert report.cryptographic.axis(Axis.CREDENTIAL).findings[0].code == "manifest.inaccessible"


def test_the_short_way_finds_in_every_file_what_the_whole_way_finds(
    suites: Path, examiners: dict[str, Examiner], reports: dict[str, Report | MediaError]
) -> None:
    shortened = 0
    for suite, row in cases(suites):
        report = reports[f"{suite}/{row['path']}"]
        if not isinstance(report, Report) or not any(
            e.detail.startswith("asked ") for e in report.cryptographic.engines
        ):
            continue
        shortened += 1
        found = open_media(suites / "c2pa" / suite / row["path"])
        signer, tsa = (load_roots([suites / "c2pa" / name]) for name in ROOTS[suite])
        roots = TrustRoots(signer=signer, tsa=tsa)
        whole = evidence_on(found, answers_on(found, AS_OF, roots), AS_OF, roots)
        brief = report.cryptographic
        assert outcomes(brief) == outcomes(whole), row["path"]
        for mine, theirs in zip(brief.axes, whole.axes, strict=True):
            assert [f.code for f in mine.findings] == [f.code for f in theirs.findings], row["path"]
        assert (brief.claims, brief.chain, brief.identities) == (whole.claims, whole.chain, whole.identities)
    assert shortened > 10
