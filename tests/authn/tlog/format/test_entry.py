"""Leaves: what everybody can read in them, what only the owner of a device, key or certificate can."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine, insert

from authn.store.engine import writing
from authn.store.schema import log_queue
from authn.tlog.format.entry import EntryKind, LogEntry, canonical, leaf_bytes, new_entry, parse_leaf, tag
from authn.tlog.format.receipt import parse_receipt, verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.reader import LogReader
from tests.doubles.logs import KEY, open_log

RECORD = {"certificate_sha256": "aa" * 32, "device_id": "d1", "spki_sha256": "bb" * 32, "serial": "7"}


def certificate(**members: str | None) -> LogEntry:
    return new_entry(EntryKind.CERTIFICATE, {**RECORD, **members})


def test_an_owner_finds_the_leaves_about_device_key_and_certificate() -> None:
    leaf = parse_leaf(certificate().leaf)
    assert dict(leaf.tags) == {
        "certificate": tag("certificate", leaf.commit, "aa" * 32),
        "device": tag("device", leaf.commit, "d1"),
        "key": tag("key", leaf.commit, "bb" * 32),
    }


def test_two_leaves_about_one_device_have_nothing_in_common() -> None:
    one, two = (json.loads(certificate().leaf) for _ in range(2))
    assert not {*one["tags"].values(), one["commit"]} & {*two["tags"].values(), two["commit"]}


def test_what_a_record_does_not_name_has_no_tag() -> None:
    assert [name for name, _ in parse_leaf(certificate(device_id=None).leaf).tags] == ["certificate", "key"]
    revoked = new_entry(EntryKind.REVOCATION, {"device_id": "d1", "serial": None})
    assert [name for name, _ in parse_leaf(revoked.leaf).tags] == ["device"]


@pytest.mark.parametrize("kind", [EntryKind.RECEIPT, EntryKind.TSA, EntryKind.POLICY])
def test_captures_and_changes_have_no_tags(kind: EntryKind) -> None:
    leaf = parse_leaf(new_entry(kind, RECORD).leaf)
    assert (leaf.kind, leaf.version, leaf.tags) == (kind, 1, ())


def _changed(**members: object) -> bytes:
    return json.dumps(
        {**json.loads(certificate().leaf), **members}, sort_keys=True, separators=(",", ":")
    ).encode()


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"7",
        b"[]",
        b"entry 5",
        b"\xff",
        b"[" * 100_000,
        _changed(v=1),
        _changed(v=3),
        _changed(v=True),
        _changed(kind=5),
        _changed(more=1),
        _changed(tags=[]),
        _changed(tags={"owner": "aa" * 32}),
        _changed(tags={"device": "aa"}),
        _changed(tags={"device": 5}),
        _changed(commit="AA" * 32),
        _changed(commit="aa" * 31),
        certificate().leaf + b" ",
    ],
    ids=lambda leaf: f"{len(leaf)}",  # salts differ from process to process, lengths do not
)
def test_what_this_log_would_not_have_written_is_no_leaf(leaf: bytes) -> None:
    with pytest.raises(ValueError, match=r"leaf|hex|utf|JSON|Expecting|Unexpected"):
        parse_leaf(leaf)


def test_leaves_of_before_stay_readable_and_their_receipts_verify(engine: Engine) -> None:
    record = canonical(RECORD)
    old = LogEntry(kind=EntryKind.CERTIFICATE, record=record, salt=bytes(32), version=1)
    assert old.leaf == leaf_bytes(old.kind, old.salt, record)
    log = open_log(engine)
    receipts = log.append((old, certificate()))
    assert check_log(engine, KEY.verifier).openings == 2
    for receipt, version in zip(receipts, (1, 2), strict=True):
        entry = LogReader(engine).opening(receipt.index)
        assert (entry.leaf_version, entry.leaf) == (version, LogReader(engine).leaves(0, 2)[receipt.index])
        again = parse_receipt(receipt.text())
        assert verify_receipt(again, again.leaf(entry.record), KEY.verifier).index == receipt.index


def test_what_waited_in_the_queue_is_logged_with_tags(engine: Engine) -> None:
    log = open_log(engine)
    with writing(engine) as connection:
        values = {"kind": "certificate.issued", "salt": bytes(32), "record": canonical(RECORD)}
        connection.execute(insert(log_queue).values(values))
    assert log.append_queued() == 1
    assert parse_leaf(LogReader(engine).leaves(0, 1)[0]).version == 2


def test_a_false_tag_does_not_fit_the_record() -> None:
    entry = certificate()
    other = certificate(device_id="d2")
    assert leaf_bytes(entry.kind, entry.salt, entry.record, 2) == entry.leaf
    assert leaf_bytes(entry.kind, entry.salt, other.record, 2) != entry.leaf
