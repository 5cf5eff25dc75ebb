"""Many files in one request: each is examined or told why not, and no archive takes more than its share."""

from __future__ import annotations

import io
import json
import struct
import zipfile

import jsonschema
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authn.service.access.keys import ApiKeys
from authn.service.services import Services
from authn.web import batch_uploads
from authn.web.openapi import openapi_document
from tests.authn.web.conftest import rows
from tests.authn.web.test_jobs import kept, working
from tests.doubles.media import tiny_jpeg
from tests.waiting import until

JPEG, OTHER = tiny_jpeg(), tiny_jpeg((40, 30))
ZIP = "application/zip"


def form(client: FlaskClient, *files: tuple[bytes, str], query: str = "", **headers: str) -> TestResponse:
    parts = {"file": [(io.BytesIO(data), name) for data, name in files]}
    return client.post(f"/v1/batches{query}", data=parts, headers=headers)


def archive(*files: tuple[str, bytes], packed: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", packed) as z:
        for name, data in files:
            z.writestr(name, data)
        z.comment = comment
    return whole.getvalue()


def done(client: FlaskClient, where: str, headers: dict[str, str] | None = None) -> dict[str, object]:
    batch: dict[str, object] = {}

    def is_done() -> bool:
        batch.update(client.get(where, headers=headers).get_json())
        return batch["state"] == "done"

    until(is_done, lambda: batch)
    return batch


def lines(client: FlaskClient, batch: dict[str, object]) -> list[dict[str, object]]:
    answer = client.get(str(batch["results"]))
    assert answer.content_type == "application/jsonl"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_every_file_is_examined_or_told_why_not(client: FlaskClient, services: Services) -> None:
    answer = form(client, (JPEG, "a.jpg"), (b"text", "b.txt"), (OTHER, "c.jpg"), (b"", "d.jpg"))
    assert answer.status_code == 202
    batch = answer.get_json()
    assert answer.headers["Location"] == f"/v1/batches/{batch['id']}"
    assert batch["counts"] == {"queued": 2, "running": 0, "done": 0, "not_examined": 2, "deleted": 0}
    assert len(kept(services)) == 2
    with working(services):
        batch = done(client, answer.headers["Location"])
    assert batch["counts"] == {"queued": 0, "running": 0, "done": 2, "not_examined": 2, "deleted": 0}
    found = {str(line["name"]): line for line in lines(client, batch)}
    assert found["b.txt"]["problem"]["code"] == "assay.media.unsupported"  # type: ignore[index]
    assert found["d.jpg"]["problem"]["code"] == "assay.media.unreadable"  # type: ignore[index]
    for name in ("a.jpg", "c.jpg"):
        assert found[name]["report"] == client.get(str(found[name]["verification"])).get_json()
    components = openapi_document()["components"]
    shown = [{**line, "report": None} for line in found.values()]  # the scripted report is not a whole one
    for value, schema in ((batch, "Batch"), *((line, "BatchResult") for line in shown)):
        jsonschema.validate(value, {"components": components, "$ref": f"#/components/schemas/{schema}"})
    assert kept(services) == []


@pytest.mark.parametrize("as_body", [True, False])
@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_an_archive_is_the_files_in_it(
    client: FlaskClient, services: Services, as_body: bool, comment: bytes
) -> None:
    data = archive(("x/", b""), ("x/a.jpg", JPEG), ("../../b.jpg", OTHER), ("c", b"text"), comment=comment)
    if as_body:
        answer = client.post("/v1/batches?heuristics=false", data=data, content_type=ZIP)
    else:
        parts = {"file": (io.BytesIO(data), "photos.zip", ZIP), "heuristics": "false"}
        answer = client.post("/v1/batches", data=parts)
    with working(services):
        batch = done(client, answer.headers["Location"])
    assert {line["name"]: line["state"] for line in lines(client, batch)} == {
        "a.jpg": "done",
        "b.jpg": "done",
        "c": "not_examined",
    }


def test_a_table_that_lies_about_sizes_or_is_damaged_costs_its_file_alone(client: FlaskClient) -> None:
    data = bytearray(archive(("a.jpg", JPEG), ("b.jpg", OTHER), packed=zipfile.ZIP_STORED))
    at = data.find(JPEG) + 20
    data[at] ^= 1
    assert client.post("/v1/batches", data=bytes(data), content_type=ZIP).get_json()["counts"] == {
        "queued": 1,
        "running": 0,
        "done": 0,
        "not_examined": 1,
        "deleted": 0,
    }


def test_a_name_that_is_damaged_where_its_file_lies_costs_that_file_alone(client: FlaskClient) -> None:
    data = bytearray(archive(("a.jpg", JPEG), ("\u00e9.jpg", OTHER), packed=zipfile.ZIP_STORED))
    at = data.find("\u00e9".encode())  # the table, which names it too, comes behind
    data[at : at + 2] = b"\xff\xff"
    answer = client.post("/v1/batches", data=bytes(data), content_type=ZIP)
    assert answer.status_code == 202
    counts = answer.get_json()["counts"]
    assert (counts["queued"], counts["not_examined"]) == (1, 1)


def bomb(claimed: int) -> bytes:
    """Ten megabytes of zeros in ten kilobytes, with a size that is not theirs in the table."""
    data = bytearray(archive(("a.jpg", b"\xff\xd8\xff" + bytes(10_000_000))))
    table = data.rfind(b"PK\1\2")
    data[table + 24 : table + 28] = struct.pack("<L", claimed)
    return bytes(data)


def table_of(entries: int) -> bytes:
    """A table that costs more to read than all of its files."""
    one = b"PK\1\2" + bytes(42)
    size = struct.pack("<HHLLH", entries & 0xFFFF, entries & 0xFFFF, len(one) * entries, 0, 0)
    return one * entries + b"PK\5\6" + bytes(4) + size


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (bomb(10_000_003), 413),
        (b"PK", 422),
        (b"", 422),
        (b"\0" * 100, 422),
        (archive(("a.jpg", JPEG))[:-5], 422),
        (table_of(2000)[-60_000:], 422),
        (b"PK\6\7" + bytes(16) + archive()[-22:], 422),
        (archive(), 400),
        (archive(*((f"{n}.jpg", b"") for n in range(1001))), 400),
    ],
)
def test_an_archive_that_asks_for_more_than_its_share_is_refused_and_nothing_is_kept(
    client: FlaskClient, services: Services, data: bytes, status: int
) -> None:
    answer = client.post("/v1/batches", data=data, content_type=ZIP)
    assert answer.status_code == status, answer.text
    assert kept(services) == []


def test_a_size_that_is_only_claimed_does_not_open_the_door(client: FlaskClient, services: Services) -> None:
    answer = client.post("/v1/batches", data=bomb(100), content_type=ZIP)
    assert answer.get_json()["counts"]["not_examined"] == 1
    assert kept(services) == []


def test_a_long_table_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from authn.core.errors import UnreadableMedia

    monkeypatch.setattr(batch_uploads.zipfile, "ZipFile", lambda *_: pytest.fail("its table was read"))
    with pytest.raises(UnreadableMedia):
        batch_uploads._check_table(table_of(30_000))


@pytest.mark.parametrize(
    "body", [{}, {"other": "1"}, {"file": (io.BytesIO(JPEG), "a"), "x": (io.BytesIO(b"1"), "b")}]
)
def test_a_form_that_cannot_be_meant_is_refused(client: FlaskClient, body: dict[str, object]) -> None:
    answer = client.post("/v1/batches", data=body, content_type="multipart/form-data")
    assert (answer.status_code, answer.get_json()["code"]) == (400, "assay.request.bad")


def test_a_batch_that_does_not_fit_is_refused_whole(client: FlaskClient, services: Services) -> None:
    from dataclasses import replace

    services.deferred._terms = replace(services.deferred._terms, most=2)
    assert form(client, *((JPEG, f"{n}.jpg") for n in range(3))).get_json()["code"] == "assay.job.queueFull"
    assert kept(services) == []
    assert form(client, (JPEG, "a.jpg"), (JPEG, "b.jpg")).status_code == 202


def test_a_batch_that_is_sent_again_is_one(client: FlaskClient, services: Services) -> None:
    answers = [form(client, (JPEG, "a.jpg"), (OTHER, "b.jpg"), **{"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].data == answers[1].data
    other = form(client, (JPEG, "a.jpg"), **{"Idempotency-Key": "k"})
    assert other.get_json()["code"] == "assay.request.keyReused"
    assert len(kept(services)) == 2


def test_a_batch_is_its_owner_s_and_goes_with_its_jobs(client: FlaskClient, services: Services) -> None:
    scopes = frozenset({"verifications:create", "verifications:read", "verifications:delete"})
    keys = [ApiKeys(services.engine).create(n, scopes, services.clock()).text for n in ("a", "b")]
    mine, others = ({"Authorization": f"Bearer {key}"} for key in keys)
    where = form(client, (JPEG, "a.jpg"), (OTHER, "b.jpg"), **mine).headers["Location"]
    for path in ("", "/results"):
        assert client.get(f"{where}{path}", headers=mine).status_code == 200
        for headers in (others, {}):
            assert client.get(f"{where}{path}", headers=headers).get_json()["code"] == "assay.batch.unknown"
    assert client.delete(where, headers=others).status_code == 404
    with working(services):
        done(client, where, mine)
    assert client.delete(where, headers=mine).status_code == 204
    assert client.get(where, headers=mine).status_code == 404
    assert rows(services)[2] == 2  # reports stay
    where = form(client, (JPEG, "a.jpg"), **mine).headers["Location"]
    assert client.delete(where, headers=mine).status_code == 204
    assert kept(services) == []
