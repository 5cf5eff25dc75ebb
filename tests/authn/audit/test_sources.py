"""Buckets and lists: what they name is examined, and what they fail with is no property of a file."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from authn.audit.conduct import Finished, Order, conduct
from authn.audit.plan import Question
from authn.audit.results import read_rows
from authn.audit.source import Source
from authn.core.errors import AuditError, SourceRefused, SourceUnknown, SourceUnreachable
from authn.core.media import MediaLimits
from tests.authn.audit.test_run import Silent, gif
from tests.doubles.examiners import open_scripted
from tests.doubles.object_store import BUCKET, ObjectStore, serving

AS_OF = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
LIMITS = MediaLimits(max_bytes=100_000)


def order_for(source: Source, folder: Path, *, refresh: bool = False) -> Order:
    return Order(
        opens=partial(source.open, LIMITS),
        folder=folder,
        question=Question(source=source.question, facts=()),
        build=open_scripted,
        devices=lambda: None,
        limits=LIMITS,
        readers_per_worker=source.readers_per_worker,
        page=False,
        refresh=refresh,
    )


def audited(source: Source, folder: Path, *, refresh: bool = False) -> tuple[Finished, dict[str, str]]:
    """The reason of each name, empty for those with a report."""
    order = order_for(source, folder, refresh=refresh)
    finished = conduct(order, clock=lambda: AS_OF, progress=Silent())
    rows = list(read_rows(folder / "results.jsonl"))
    found = {r["subject"]["name"]: r["error"]["detail"] if "error" in r else "" for r in rows}
    assert len(found) == len(rows)
    return finished, found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    held = ObjectStore({f"2026/p{i}.gif": gif(i) for i in range(5)})
    held.objects |= {"2026/ü ö+%20.gif": gif(9), "2026/notes.txt": b"no photo", "2026/more.zip": b"PK\3\4"}
    held.objects |= {"2026/big.jpg": bytes(200_000), "other/x.gif": gif(7)}
    with serving(held) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("authn.audit.buckets.RETRY_S", 0.2)
        yield served


BUCKETED = Source.named(f"s3://{BUCKET}/2026")


def test_a_bucket_is_listed_in_pages_and_every_object_has_a_row(store: ObjectStore, tmp_path: Path) -> None:
    _, found = audited(BUCKETED, tmp_path / "run")
    assert {n for n, why in found.items() if not why} == {*(f"p{i}.gif" for i in range(5)), "ü ö+%20.gif"}
    assert "limit" in found["big.jpg"]
    assert "only archives in folders" in found["more.zip"]
    assert "not a kind of media" in found["notes.txt"]
    assert sorted(store.asked) == sorted(
        [n for n in store.objects if n[-3:] in ("gif", "txt") and n[0] == "2"]
    )


def test_an_object_that_changes_or_goes_after_the_listing_says_so(store: ObjectStore, tmp_path: Path) -> None:
    def change(path: str) -> None:
        if path:  # no page of the listing: before anything is read
            store.objects["2026/p0.gif"] = gif(77)
            store.objects.pop("2026/p1.gif", None)

    store.fault = change
    _, found = audited(BUCKETED, tmp_path / "run")
    assert found["p0.gif"] == "it changed after the audit was planned"
    assert found["p1.gif"] == "it is gone since the audit was planned"
    assert found["p2.gif"] == ""
    store.fault = lambda _path: None
    finished, found = audited(BUCKETED, tmp_path / "run", refresh=True)
    assert found["p0.gif"] == ""
    assert "p1.gif" not in found
    assert finished.inputs == 8


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (403, "AccessDenied", SourceRefused),
        (400, "ExpiredToken", SourceRefused),
        (500, "InternalError", SourceUnreachable),
    ],
)
def test_credentials_that_are_lost_and_outages_stop_the_audit_and_cost_no_row(
    store: ObjectStore, tmp_path: Path, status: int, code: str, error: type[Exception]
) -> None:
    answered: list[str] = []

    def fault(path: str) -> tuple[int, str] | None:
        answered.append(path)
        return (status, code) if len(answered) > 8 else None

    store.fault = fault
    with pytest.raises(error):
        audited(BUCKETED, tmp_path / "run")
    assert all("error" not in r or "limit" in str(r) or "archive" in str(r) or "media" in str(r)
               for r in read_rows(tmp_path / "run" / "results.jsonl"))  # fmt: skip
    if status == 500:  # the others are gone on with in the same way
        store.fault = lambda _path: None
        _, resumed = audited(BUCKETED, tmp_path / "run")
        assert {n for n, why in resumed.items() if why} == {"big.jpg", "more.zip", "notes.txt"}
        assert len(resumed) == 9


def test_an_object_that_is_closed_to_a_key_that_opens_the_bucket_costs_its_own_row(
    store: ObjectStore, tmp_path: Path
) -> None:
    store.fault = lambda path: (403, "AccessDenied") if path.endswith("p3.gif") else None
    _, found = audited(BUCKETED, tmp_path / "run")
    assert "permission denied" in found["p3.gif"]
    assert found["p4.gif"] == ""


@pytest.mark.parametrize(
    ("address", "environment", "error"),
    [
        ("s3://nowhere/x", {}, SourceUnknown),
        (f"s3://{BUCKET}/2026", {"AWS_ACCESS_KEY_ID": "AKIDWRONG"}, SourceRefused),
        (f"s3://{BUCKET}/2026", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, SourceUnreachable),
        ("gs://", {}, SourceUnknown),
    ],
)
@pytest.mark.usefixtures("store")
def test_what_is_no_open_bucket_is_told_before_anything_is_examined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, environment: dict[str, str],
    error: type[Exception],
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error):
        audited(Source.named(address), tmp_path / "run")
    assert not (tmp_path / "run" / "results.jsonl").exists()


@pytest.fixture(params=["gs", "az"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    held = ObjectStore({f"2026/p{i}.gif": gif(i) for i in range(5)}, cloud=request.param)
    held.objects |= {"2026/ü ö+%20.gif": gif(9), "2026/big.jpg": bytes(200_000), "other/x.gif": gif(7)}
    with serving(held) as served:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("authn.audit.buckets.RETRY_S", 0.2)
        yield served


def test_other_clouds_are_listed_and_read_and_what_changes_meanwhile_says_so(
    cloud: ObjectStore, tmp_path: Path
) -> None:
    def change(path: str) -> None:
        if path:  # no page of the listing: before anything is read
            cloud.objects["2026/p0.gif"] = gif(77)
            cloud.objects.pop("2026/p1.gif", None)

    source = Source.named(f"{cloud.cloud}://{BUCKET}/2026")
    cloud.fault = change
    _, found = audited(source, tmp_path / "run")
    assert found.pop("p0.gif") == "it changed after the audit was planned"
    assert found.pop("p1.gif") == "it is gone since the audit was planned"
    assert "limit" in found.pop("big.jpg")
    assert found == dict.fromkeys(("p2.gif", "p3.gif", "p4.gif", "ü ö+%20.gif"), "")
    listed = Source.list_of(str(tmp_path / "list"), nul=False)
    (tmp_path / "list").write_text(f"{cloud.cloud}://{BUCKET}/other/x.gif\n")
    assert audited(listed, tmp_path / "of-list")[1] == {f"{cloud.cloud}://{BUCKET}/other/x.gif": ""}


def test_other_clouds_that_let_nobody_in_or_hold_no_such_bucket_are_typed_and_cost_no_row(
    cloud: ObjectStore, tmp_path: Path
) -> None:
    source = Source.named(f"{cloud.cloud}://{BUCKET}/2026")
    with pytest.raises(SourceUnknown):
        audited(Source.named(f"{cloud.cloud}://nowhere/2026"), tmp_path / "none")
    answered: list[str] = []

    def lost(path: str) -> tuple[int, str] | None:
        answered.append(path)
        return (401, "AuthenticationFailed") if len(answered) > 6 else None

    cloud.fault = lost
    with pytest.raises(SourceRefused):
        audited(source, tmp_path / "run")
    cloud.fault = lambda path: (403, "AccessDenied") if path.endswith("p3.gif") else None
    _, found = audited(source, tmp_path / "run")
    assert "permission denied" in found.pop("p3.gif")
    assert {name for name, why in found.items() if why} == {"big.jpg"}
    assert len(found) == 6


@pytest.mark.parametrize(
    ("address", "environment", "error"),
    [
        ("az://archive/x", {}, SourceUnknown),
        ("gs://archive/x", {"GOOGLE_SERVICE_ACCOUNT": "/nowhere/key.json"}, SourceUnknown),
        (
            "az://archive/x",
            {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "no"},
            SourceUnknown,
        ),
    ],
)
def test_a_cloud_without_an_account_is_told_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    environment: dict[str, str],
    error: type[Exception],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error) as told:
        audited(Source.named(address), tmp_path / "run")
    assert "\n" not in str(told.value)


def stdin(monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))


def test_a_list_names_paths_of_any_bytes_objects_and_archives(
    store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [b"a.gif", b"caf\xe9.gif", b"new\nline.gif", b"missing.gif", os.fsencode(tmp_path / "b.gif")]
    for i, name in enumerate(names):
        if not name.startswith(b"missing"):
            Path(os.fsdecode(name)).write_bytes(gif(i))
    objects = [f"s3://{BUCKET}/other/x.gif".encode(), f"s3://{BUCKET}/none.gif".encode()]
    stdin(monkeypatch, b"\0".join([*names, *objects, b"", b""]))
    _, found = audited(Source.list_of("-", nul=True), tmp_path / "run")
    assert {n: why.split(":")[0] for n, why in found.items()} == {
        "a.gif": "", "caf\\xe9.gif": "", "new\nline.gif": "", "missing.gif": "it cannot be read",
        str(tmp_path / "b.gif"): "", f"s3://{BUCKET}/other/x.gif": "",
        f"s3://{BUCKET}/none.gif": "it is gone since the audit was planned",
    }  # fmt: skip


def test_a_list_without_an_end_to_its_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, b"x" * 200_000)
    with pytest.raises(AuditError, match="-0 or not"):
        audited(Source.list_of("-", nul=True), tmp_path / "run")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if self.path == "/down.gif":
            self.send_error(503)
        elif self.path == "/cut.gif":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"GIF89a")
            self.close_connection = True
        else:
            super().do_GET()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "web").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "web"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_list_on_the_web_of_addresses_is_fetched_one_by_one(web: str, tmp_path: Path) -> None:
    (tmp_path / "web" / "a.gif").write_bytes(gif(1))
    (tmp_path / "web" / "big.gif").write_bytes(bytes(200_000))
    lines = [f"{web}/{name}" for name in ("a.gif", "none.gif", "big.gif", "cut.gif")]
    (tmp_path / "web" / "list.txt").write_text("\n".join(lines))
    _, found = audited(Source.list_of(f"{web}/list.txt", nul=False), tmp_path / "run")
    said = [found[line] for line in lines]
    assert said[0] == ""
    assert said[1] == "the server says 404 File not found"
    assert "limit" in said[2]
    assert said[3] == "it ends after 6 of 1000 bytes"
    with pytest.raises(AuditError, match="404"):
        audited(Source.list_of(f"{web}/nothing", nul=False), tmp_path / "other")


def test_a_server_that_is_down_stops_the_audit(web: str, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{web}/down.gif\n")
    with pytest.raises(SourceUnreachable, match="503"):
        audited(Source.list_of(str(tmp_path / "list"), nul=False), tmp_path / "run")
