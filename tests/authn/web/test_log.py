"""The log over HTTP: what is enrolled and revoked is in it, and a client derives its root from tiles."""

from __future__ import annotations

import re
from base64 import b64decode

import pytest
from flask.testing import FlaskClient
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey, VkeySet

from authn.service.services import Services
from authn.tlog.format.checkpoint import parse
from authn.tlog.format.entry import EntryKind, canonical, new_entry
from authn.tlog.format.merkle import Frontier, leaf_hash
from authn.tlog.format.note import verify
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.format.tiles import parse_entry_bundle
from authn.tlog.log.check import check_log
from tests.doubles.requests import csr_of


def fill(services: Services, size: int) -> None:
    services.log.append([new_entry(EntryKind.POLICY, {"number": i}) for i in range(size)])


def test_a_client_derives_the_signed_root_from_the_entries(services: Services, client: FlaskClient) -> None:
    fill(services, 600)
    answer = client.get("/log/checkpoint")
    assert answer.content_type == "text/plain; charset=utf-8"
    checkpoint = parse(verify(answer.text, (services.log.verifier,)).text)
    assert (checkpoint.origin, checkpoint.size) == ("assay.local/log", 600)
    frontier = Frontier()
    for path in ("000", "001", "002.p/88"):
        bundle = client.get(f"/log/tile/entries/{path}")
        hashes = client.get(f"/log/tile/0/{path}").data
        assert "immutable" in bundle.headers["Cache-Control"]
        leaves = parse_entry_bundle(bundle.data)
        assert b"".join(map(leaf_hash, leaves)) == hashes
        for leaf in leaves:
            frontier.append(leaf_hash(leaf))
    assert frontier.root() == checkpoint.root
    assert len(client.get("/log/tile/1/000.p/2").data) == 64


def test_a_tile_that_has_grown_still_begins_as_it_did(services: Services, client: FlaskClient) -> None:
    fill(services, 3)
    old = client.get("/log/tile/0/000.p/3").data
    fill(services, 3)
    assert client.get("/log/tile/0/000.p/3").data == old
    assert client.get("/log/tile/0/000.p/6").data[:96] == old


@pytest.mark.parametrize(
    "path",
    ["0/000", "0/000.p/4", "0/001", "1/000.p/1", "0/0", "0/x000/000", "9/000", "entries/000",
     "entries/000.p/4", "entries/001.p/1", "entries/..", "-1/000", "0/000.p/0",
     "0/x999/x999/x999/x999/x999/999"],
)  # fmt: skip
def test_what_the_log_does_not_have_is_not_found(services: Services, client: FlaskClient, path: str) -> None:
    fill(services, 3)
    assert client.get(f"/log/tile/{path}").status_code == 404


def test_a_certificate_is_in_the_log_before_it_is_handed_out(services: Services) -> None:
    enrolled = services.intake.enrol("phone", csr_of(ask="phone"), services.clock())
    record = services.log.reader.opening(0).record
    assert f'"serial":"{enrolled.chain[0].serial_number:x}"'.encode() in record
    receipt = services.log.receipt(0)
    assert receipt.kind == "certificate.issued"
    assert verify_receipt(receipt, receipt.leaf(record), services.log.verifier).size == 1


def test_a_revocation_is_in_the_log_without_its_reason(services: Services) -> None:
    now = services.clock()
    device = services.intake.enrol("phone", csr_of(ask="phone"), now).device
    services.revocations.revoke_device("phone", reason="lost by Ada", now=now)
    opening = services.log.reader.opening(1)
    assert opening.kind is EntryKind.REVOCATION
    said = {"cause": "unspecified", "device_id": device.device_id, "serial": None}
    when = dict.fromkeys(
        ("invalid_since", "revoked_at"), now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    )
    assert opening.record == canonical({**said, **when})
    assert check_log(services.engine, services.log.verifier).size == 2


def test_the_vkey_of_the_log_is_what_other_programs_read(services: Services) -> None:
    match = re.fullmatch(r"assay\.local/log\+[0-9a-f]{8}\+(.+)", str(services.log.verifier))
    assert match is not None
    assert b64decode(match.group(1)) == b"\1" + services.log.verifier.public


class OverTheClient:
    """tlog-scales' way to a log, answered by the application itself."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client

    def get(self, *path: str) -> bytes | None:
        answer = self._client.get("/log/" + "/".join(path))
        return answer.data if answer.status_code == 200 else None


def test_tlog_scales_reads_verifies_and_proves_the_whole_log(services: Services, client: FlaskClient) -> None:
    fill(services, 300)
    old = services.log.reader.head()
    fill(services, 700)
    reader = TilesReader(OverTheClient(client))
    checkpoint = reader.get_checkpoint()
    key = Vkey.from_string(str(services.log.verifier))
    assert len(VkeySet(key).verify(checkpoint.signatures, checkpoint)) == 1
    assert (checkpoint.size, reader.calculate_root_hash()) == (1000, checkpoint.root_hash)
    for index in (0, 255, 256, 999):
        leaf = reader.get_entry(index)
        reader.get_inclusion_proof(index, 1000).check(leaf_hash(leaf), checkpoint.root_hash)
        assert leaf == services.log.reader.leaves(index, index + 1)[0]
    reader.get_consistency_proof(300, 1000).check(old.root, checkpoint.root_hash)
