"""The contract of ``assay receipt``: what a file, a receipt and keys are enough for, and its exit codes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from authn.core.errors import AuthnError, Unavailable
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.entry import EntryKind
from tests.doubles.logs import KEY
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.receipts import receipt_for, receipt_of, witness
from tests.doubles.signed import signed_photo

A, B, PQ = witness("a.example/w"), witness("b.example/w"), witness("pq.example/w", post_quantum=True)
LOG = ("--log-key", str(KEY.verifier))
RECORD = {"device_id": "front-desk", "serial": None}


@dataclass(frozen=True)
class Case:
    folder: Path

    def run(self, *arguments: str) -> Result:
        return CliRunner(env={"ASSAY_HOME": str(self.folder / "home")}).invoke(cli, ["receipt", *arguments])

    def receipt(self, *witnesses: Cosigner, data: str = "a.jpg") -> str:
        path = self.folder / f"{data}.tlog-proof"
        path.write_text(receipt_of((self.folder / data).read_bytes(), witnesses))
        return str(path)

    def policy(self, quorum: str) -> tuple[str, str]:
        named = zip("abp", (A, B, PQ), strict=True)
        lines = [f"log {KEY.verifier}", *(f"witness {n} {w.verifier}" for n, w in named)]
        path = self.folder / "policy.txt"
        path.write_text("\n".join((*lines, "group two 2 a b p", f"quorum {quorum}")) + "\n")
        return "--log-policy", str(path)


@pytest.fixture(scope="module")
def photos() -> tuple[bytes, bytes]:
    pki = TestPki()
    return signed_photo(pki.leaf()), signed_photo(pki.leaf(), data=photo(seed=4))


@pytest.fixture
def case(tmp_path: Path, photos: tuple[bytes, bytes]) -> Case:
    for name, data in zip(("a.jpg", "b.jpg"), photos, strict=True):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "plain.jpg").write_bytes(photo())
    return Case(tmp_path)


def test_a_receipt_lies_beside_its_file_and_needs_nothing_but_the_log_s_key(case: Case) -> None:
    done = case.run("verify", case.receipt(), *LOG)
    assert done.exit_code == 0
    assert "Recorded in a public log [Established]" in done.output
    assert "unwitnessed" in done.output
    assert "Does not prove:" in done.output


def test_json_names_the_findings(case: Case) -> None:
    done = case.run("verify", case.receipt(A), str(case.folder / "a.jpg"), *LOG, "--json")
    body = json.loads(done.stdout)
    assert (body["file"], body["receipt"], body["outcome"]) == ("a.jpg", "a.jpg.tlog-proof", "established")
    assert [f["code"] for f in body["findings"]] == ["assay.log.included", "assay.log.unwitnessed"]


@pytest.mark.parametrize(
    ("witnesses", "quorum", "code"),
    [
        ((A, B), "two", 0),
        ((A, PQ), "two", 0),
        ((A,), "two", 1),
        ((), "two", 1),
        ((B,), "b", 0),
        ((A,), "b", 1),
        ((), "none", 0),
    ],
    ids=[
        "two-of-three",
        "one-is-post-quantum",
        "one-of-two",
        "none-of-two",
        "that-one",
        "another",
        "unasked",
    ],
)
def test_a_policy_asks_for_its_quorum(
    case: Case, witnesses: tuple[Cosigner, ...], quorum: str, code: int
) -> None:
    done = case.run("verify", case.receipt(*witnesses), *case.policy(quorum), "--json")
    assert done.exit_code == code
    assert json.loads(done.stdout)["outcome"] == "established"
    witnessed = "assay.log.witnessed" in done.stdout
    assert witnessed == (code == 0 and quorum != "none")


def test_witnesses_named_one_by_one_are_asked_for_too(case: Case) -> None:
    keys = [w for witness in (A, B) for w in ("--witness-key", str(witness.verifier))]
    receipt = case.receipt(A)
    assert case.run("verify", receipt, *LOG, *keys).exit_code == 0
    assert case.run("verify", receipt, *LOG, *keys, "--quorum", "2").exit_code == 1


def test_one_key_under_two_names_is_not_two_witnesses(case: Case) -> None:
    second = replace(A, name="a.example/second")
    keys = [w for witness in (A, second) for w in ("--witness-key", str(witness.verifier))]
    done = case.run("verify", case.receipt(A, second), *LOG, *keys, "--quorum", "2")
    assert isinstance(done.exception, Unavailable)
    assert "one key stands for two witnesses" in done.exception.detail


@pytest.mark.parametrize(
    "change", ["other file", "index", "salt", "proof", "root", "signature", "note", "kind"]
)
def test_a_receipt_that_does_not_prove_it_is_exit_code_1(case: Case, change: str) -> None:
    receipt = Path(case.receipt(A))
    lines = receipt.read_text().split("\n")
    blank = lines.index("")
    at = {"salt": 1, "proof": 4, "root": blank + 3, "signature": blank + 5}.get(change)
    if at is not None:
        line = lines[at]
        lines[at] = line[:20] + ("A" if line[20] != "A" else "B") + line[21:]
    elif change == "index":
        lines[2] = "index 4"
    elif change == "note":
        lines = lines[:blank]
    elif change == "kind":
        lines = receipt_for(EntryKind.POLICY, {}).split("\n")
    receipt.write_text("\n".join(lines))
    about = "b.jpg" if change == "other file" else "a.jpg"
    if change == "kind":
        (case.folder / "record.json").write_text('{"other":1}')
        about = "record.json"
    done = case.run("verify", str(receipt), str(case.folder / about), *LOG, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["findings"][0]["code"] == "assay.log.receiptRefused"


def test_a_photo_without_a_signature_is_not_examined_and_exit_code_1(case: Case) -> None:
    done = case.run("verify", case.receipt(), str(case.folder / "plain.jpg"), *LOG, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["outcome"] == "not_examined"


def test_entries_that_are_no_captures_are_verified_with_their_record(case: Case) -> None:
    receipt, record = case.folder / "r.tlog-proof", case.folder / "r"
    receipt.write_text(receipt_for(EntryKind.REVOCATION, RECORD))
    record.write_text(json.dumps(RECORD, indent=2))
    assert case.run("verify", str(receipt), *LOG).exit_code == 0
    record.write_text(json.dumps({**RECORD, "device_id": "another"}))
    assert case.run("verify", str(receipt), *LOG).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("a.jpg.tlog-proof",), 2),
        (("a.jpg.tlog-proof", *LOG, "--log-policy", "policy.txt", "--quorum", "2"), 2),
        (("renamed", *LOG), 2),
        (("a.jpg.tlog-proof", "missing.jpg", *LOG), 3),
        (("missing.tlog-proof", *LOG), 3),
        (("a.jpg.tlog-proof", "--log-key", "nonsense"), 4),
        (("a.jpg.tlog-proof", "--log-policy", "missing.txt"), 4),
        (("a.jpg.tlog-proof", "--log-policy", "a.jpg"), 4),
    ],
    ids=[
        "no-key",
        "two-quorums",
        "no-file",
        "lost-file",
        "lost-receipt",
        "no-vkey",
        "lost-policy",
        "no-policy",
    ],
)
def test_what_cannot_be_used_ends_with_one_sentence_and_its_code(
    case: Case, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int
) -> None:
    case.receipt()
    case.policy("two")
    (case.folder / "renamed").write_text(Path(case.receipt()).read_text())
    monkeypatch.chdir(case.folder)
    done = case.run("verify", *arguments)
    if isinstance(done.exception, AuthnError):
        assert done.exception.exit_code == code
    else:
        assert done.exit_code == code


def test_show_prints_what_a_receipt_says_and_that_nothing_was_checked(case: Case) -> None:
    done = case.run("show", case.receipt(A))
    assert "entry:    5 of 11 in the log log.test/receipts" in done.stdout
    assert "a.example/w" in done.stdout
    assert "Nothing of this was checked" in done.stderr


def test_another_file_s_receipt_accuses_no_log(case: Case) -> None:
    done = case.run("verify", case.receipt(), str(case.folder / "b.jpg"), *LOG)
    assert done.exit_code == 1
    assert "The receipt does not hold for this file [Refuted]" in done.output
    assert "log contradicts" not in done.output
