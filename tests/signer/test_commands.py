"""``assay sign``, ``stamp``, ``watch`` and ``capture`` as they are typed."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from authn.cli import cli
from signer.capture import sign_file
from signer.staple import has_token
from tests.conftest import ROOT
from tests.doubles import makers
from tests.doubles.devices import Camera, enrolled_camera
from tests.doubles.http_server import Answer, serving
from tests.doubles.iso import box
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.readers import read_with_c2pa
from tests.waiting import PATIENCE_S, until

Assay = Callable[..., Result]
REPLY = {"Content-Type": "application/timestamp-reply"}
HEAVY = ("torch", "flask", "numpy", "cv2", "matplotlib")


@pytest.fixture
def assay(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> Assay:
    """The command inside this process, in the camera's home."""
    monkeypatch.setenv("ASSAY_HOME", str(camera.home))

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, ...]:
    made = tuple(tmp_path / f"{i}.jpg" for i in range(3))
    for path in made:
        path.write_bytes(photo())
    return made


def stamped(path: Path) -> bool:
    return has_token(path.read_bytes(), "image/jpeg")


def test_photos_are_signed_and_stamped_in_one_go(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "roots.pem").write_bytes(pem_of(*camera.pki.tsa_roots))
    with serving(lambda q: Answer(headers=REPLY, body=camera.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", f"{url}/tsa")
        monkeypatch.setenv("ASSAY_TSA_ROOTS", str(tmp_path / "roots.pem"))
        result = assay("sign", *photos)
    assert result.exit_code == 0, result.output
    assert [line.split("(")[1] for line in result.stdout.splitlines()] == [
        f"no. {i} of this device; time-stamped)" for i in (1, 2, 3)
    ]
    assert all(stamped(path) for path in photos)
    assert read_with_c2pa(photos[0].read_bytes(), "image/jpeg", camera.pki).state == "Trusted"


def test_an_unreachable_authority_leaves_a_pending_entry_and_exit_code_0(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_TSA_URL", "http://127.0.0.1:9/tsa")
    result = assay("sign", *photos)
    assert result.exit_code == 0
    assert "waits for its time-stamp" in result.stdout
    assert "waiting for a time-stamp: 3 (" in result.stderr
    assert "run `assay stamp` later" in result.stderr
    assert len(camera.spool.pending()) == 3
    again = assay("stamp")
    assert again.exit_code == 4
    with serving(lambda q: Answer(headers=REPLY, body=camera.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", url)
        done = assay("stamp")
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 3
    assert all(stamped(path) for path in photos)


def test_without_any_authority_signing_works_and_makes_none(
    assay: Assay, camera: Camera, photos: tuple[Path, ...]
) -> None:
    result = assay("sign", photos[0])
    assert result.exit_code == 0
    assert "no time-stamp authority is known" in result.stderr
    assert not (camera.home / "pki").exists()


def test_one_refused_photo_does_not_stop_the_next_and_ends_in_exit_code_3(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no photo")
    result = assay("sign", "--no-stamp", photos[0], tmp_path / "text.jpg", tmp_path / "absent.jpg", photos[1])
    assert result.exit_code == 3
    assert len(result.stdout.splitlines()) == 2
    assert "text.jpg" in result.stderr
    assert "[assay.input.unsupported]" in result.stderr
    assert "[assay.input.unreadable]" in result.stderr


def test_signed_again_a_photo_is_named_and_left_as_it_is_and_the_next_one_is_signed(
    assay: Assay, camera: Camera, photos: tuple[Path, ...]
) -> None:
    """As after a kill: the same command goes on where it stopped."""
    assert assay("sign", "--no-stamp", *photos[:2]).exit_code == 0
    receipt = photos[0].with_name(f"{photos[0].name}.tlog-proof")
    receipt.write_text("a receipt")
    before = [path.read_bytes() for path in photos[:2]]
    again = assay("sign", "--no-stamp", *photos)
    assert again.exit_code == 0, again.output
    waits = "waits for its time-stamp)"
    assert again.stdout.splitlines() == [
        *(f"already signed {path} (by this device before; {waits}" for path in photos[:2]),
        f"signed {photos[2]} (no. 3 of this device; {waits}",
    ]
    assert [path.read_bytes() for path in photos[:2]] == before
    assert receipt.read_text() == "a receipt"
    assert len(camera.spool.pending()) == 3
    said = json.loads(assay("sign", "--no-stamp", "--json", photos[0]).stdout)
    assert (said["already"], said["counter"], said["time_stamp"]) == (True, None, "waiting")


def test_a_copy_of_a_signed_photo_that_is_said_to_wait_for_its_time_stamp_waits_for_it(
    assay: Assay, camera: Camera, photos: tuple[Path, ...]
) -> None:
    assert assay("sign", "--no-stamp", photos[0]).exit_code == 0
    copy = photos[0].with_name("copy.jpg")
    copy.write_bytes(photos[0].read_bytes())
    for _ in range(2):
        assert "waits for its time-stamp" in assay("sign", "--no-stamp", copy).stdout
        assert [entry.path for entry in camera.spool.pending()] == [str(photos[0]), str(copy)]


def test_what_somebody_else_signed_or_changed_since_is_refused(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    stranger = enrolled_camera(tmp_path / "elsewhere", TestPki("Elsewhere"))
    sign_file(photos[0], stranger.identity, spool=stranger.spool, key=stranger.key)
    assert assay("sign", "--no-stamp", photos[1]).exit_code == 0
    changed = bytearray(photos[1].read_bytes())
    changed[-20] ^= 1  # in the picture
    photos[1].write_bytes(changed)
    before = [path.read_bytes() for path in photos]
    for path in photos[:2]:
        result = assay("sign", "--no-stamp", path)
        assert (result.exit_code, result.stdout) == (3, "")
        assert "[assay.input.alreadySigned]" in result.stderr
    assert [path.read_bytes() for path in photos] == before


def bad_files(folder: Path) -> tuple[Path, ...]:
    """Of every stage of a signing one that fails there."""
    contents = {
        "many.tif": makers.chained_tiff(1100),
        "looped.tif": looped_tiff(),
        "cut.jpg": photo()[:-300],
        "junk.wav": makers.FILMS["lists.wav"]() + b"more than one byte behind the end",
        "raw.cr3": box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"mdat", bytes(40)),
        "text.heic": b"no photo",
        "torn.jpg": b"\xff\xd8\xff\xeb\0\x20JP\0\1\0\0\0\5\0\0\0\x10jumb0123456789" + photo()[2:],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(folder / name for name in contents)


def looped_tiff() -> bytes:
    data = bytearray(makers.chained_tiff(1))
    data[-4:] = data[4:8]
    return bytes(data)


def test_files_that_cannot_be_signed_cost_themselves_and_never_the_run(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    bad = bad_files(tmp_path)
    before = {path: path.read_bytes() for path in bad}
    result = assay("sign", "--no-stamp", photos[0], *bad, photos[1])
    assert result.exit_code == 3
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("signed")][-1] == str(
        photos[1]
    )
    refused = [line for line in result.stderr.splitlines() if line.startswith("not signed")]
    signed = [path for path in bad if path.read_bytes() != before[path]]
    assert len(refused) == len(bad) - len(signed)
    assert [path.name for path in signed] in ([], ["torn.jpg"])  # boxes that are no manifest may be anything
    assert all("[assay.input." in line for line in refused)


def test_watching_goes_on_behind_a_file_that_cannot_be_signed(assay: Assay, tmp_path: Path) -> None:
    hot = tmp_path / "hot"
    hot.mkdir()
    bad = bad_files(hot)
    (hot / "zuletzt.jpg").write_bytes(photo())
    result = assay("watch", hot, "--once", "--interval", "0.05", "--settle", "0.1", "--no-stamp")
    assert result.exit_code == 3
    assert f"signed {hot / 'zuletzt.jpg'} " in result.stdout
    assert result.stderr.count("not signed") >= len(bad) - 1


def test_stamping_by_name_goes_on_behind_a_file_that_cannot_be_stamped(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bad = bad_files(tmp_path)
    assert assay("sign", "--no-stamp", photos[0]).exit_code == 0
    moved = photos[0].rename(photos[0].with_name("moved.jpg"))
    with serving(lambda q: Answer(headers=REPLY, body=camera.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", url)
        result = assay("stamp", *bad, moved)
    assert result.exit_code == 3
    assert stamped(moved)
    assert result.stderr.count("not stamped") == len(bad)


def test_a_stamp_of_an_authority_that_nobody_here_knows_is_not_stapled(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger = enrolled_camera(tmp_path / "elsewhere", TestPki("Elsewhere"))
    with serving(lambda q: Answer(headers=REPLY, body=stranger.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", url)
        result = assay("sign", photos[0])
        assert result.exit_code == 0
        assert "chains to none of the roots" in result.stderr
        assert assay("stamp").exit_code == 4
        assert not stamped(photos[0])
        assert len(camera.spool.pending()) == 1
        (tmp_path / "roots.pem").write_bytes(pem_of(*stranger.pki.tsa_roots))
        monkeypatch.setenv("ASSAY_TSA_ROOTS", str(tmp_path / "roots.pem"))
        assert assay("stamp").exit_code == 0
    assert stamped(photos[0])


def test_where_no_root_is_known_no_stamp_is_asked_for(
    pki: TestPki, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    camera = enrolled_camera(tmp_path / "bare", pki)
    (camera.identity.folder / "tsa-roots.pem").write_bytes(b"")
    asked: list[bytes] = []
    monkeypatch.setenv("ASSAY_HOME", str(camera.home))
    with serving(lambda q: Answer(headers=REPLY, body=asked.append(q.body) or camera.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", url)
        result = CliRunner().invoke(cli, ["sign", str(photos[0])])
    assert result.exit_code == 0, result.output
    assert "name one in tsa_roots" in result.stderr
    assert asked == []
    assert len(camera.spool.pending()) == 1


def test_json_gives_one_object_per_photo(assay: Assay, photos: tuple[Path, ...], tmp_path: Path) -> None:
    result = assay("sign", "--no-stamp", "--json", photos[0], tmp_path / "absent.jpg")
    signed, refused = (json.loads(line) for line in result.stdout.splitlines())
    assert signed == {
        "photo": str(photos[0]),
        "signed": str(photos[0]),
        "media_type": "image/jpeg",
        "device_id": "id-of-cam",
        "counter": 1,
        "time_stamp": "waiting",
        "already": False,
    }
    assert refused["photo"] == str(tmp_path / "absent.jpg")
    assert refused["error"]["code"] == "assay.input.unreadable"


def test_out_writes_into_a_folder_and_leaves_the_photos(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    result = assay("sign", "--no-stamp", "--out", tmp_path / "new" / "signed", *photos)
    assert result.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "new" / "signed").iterdir()) == ["0.jpg", "1.jpg", "2.jpg"]
    assert all(path.read_bytes() == photo() for path in photos)


def test_into_a_folder_too_what_an_earlier_run_signed_is_left_and_other_photos_are_not_taken_for_it(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "signed"
    assert assay("sign", "--no-stamp", "--out", folder, *photos[:2]).exit_code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = assay("sign", "--no-stamp", "--out", folder, *photos)
    assert again.exit_code == 0, again.output
    assert [line.split("(")[0] for line in again.stdout.splitlines()] == [
        *(f"already signed {folder / path.name} " for path in photos[:2]),
        f"signed {folder / photos[2].name} ",
    ]
    photos[0].write_bytes(photo(seed=2))
    (folder / "1.jpg").write_bytes(photo())
    other = assay("sign", "--no-stamp", "--out", folder, *photos[:2])
    assert other.exit_code == 3
    assert other.stderr.count("exists; nothing is overwritten") == 2
    assert (folder / "0.jpg").read_bytes() == before["0.jpg"]


def test_without_a_device_or_with_several_the_error_says_what_to_do(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enrolled_camera(camera.home, camera.pki, "second")
    several = run_as_typed(camera.home, "sign", "--no-stamp", photos[0])
    assert several.returncode == 4
    assert "cam, second" in several.stderr
    assert assay("sign", "--no-stamp", "--device", "second", photos[0]).exit_code == 0
    none = run_as_typed(tmp_path / "empty", "sign", photos[1])
    assert none.returncode == 4
    assert "assay device enrol" in none.stderr
    assert "Traceback" not in none.stderr + several.stderr


def test_stamp_by_name_stamps_a_signed_photo_where_it_lies_now(
    assay: Assay, camera: Camera, photos: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assay("sign", "--no-stamp", photos[0])
    moved = photos[0].rename(photos[0].with_name("moved.jpg"))
    with serving(lambda q: Answer(headers=REPLY, body=camera.stamp(q.body))) as url:
        monkeypatch.setenv("ASSAY_TSA_URL", url)
        lost = assay("stamp")
        assert lost.exit_code == 3
        assert "gone" in lost.stderr
        assert assay("stamp", moved).exit_code == 0
        assert stamped(moved)
        assert "time-stamp already" in assay("stamp", moved).stderr
        assert assay("stamp", photos[1]).exit_code == 3  # not signed at all


def test_watch_once_signs_what_is_there_and_reports_what_is_not_signed(
    assay: Assay, camera: Camera, tmp_path: Path
) -> None:
    hot = tmp_path / "hot"
    hot.mkdir()
    (hot / "a.jpg").write_bytes(photo())
    (hot / "b.jpg.part").write_bytes(photo())
    (hot / "notes.txt").write_text("no photo")
    quick = ("--once", "--interval", "0.05", "--settle", "0.1", "--no-stamp")
    result = assay("watch", hot, *quick)
    assert result.exit_code == 3
    assert result.stdout == f"signed {hot / 'a.jpg'} (no. 1 of this device)\n"
    assert result.stderr.count("not signed") == 1
    (hot / "notes.txt").unlink()
    again = assay("watch", hot, *quick)
    assert (again.exit_code, again.stdout) == (0, "")
    assert (hot / "b.jpg.part").read_bytes() == photo()


def test_watch_into_another_folder_signs_each_photo_once(assay: Assay, tmp_path: Path) -> None:
    hot = tmp_path / "hot"
    hot.mkdir()
    (hot / "a.jpg").write_bytes(photo())
    quick = ("--once", "--interval", "0.05", "--settle", "0.1", "--no-stamp", "--out", tmp_path / "signed")
    assert assay("watch", hot, *quick).exit_code == 0
    assert (hot / "a.jpg").read_bytes() == photo()
    assert assay("watch", hot, *quick).stdout == ""
    assert assay("watch", hot, "--out", hot).exit_code == 2


def test_watch_signs_what_arrives_and_ends_cleanly_on_ctrl_c(camera: Camera, tmp_path: Path) -> None:
    hot = tmp_path / "hot"
    hot.mkdir()
    command = assay_command("watch", hot, "--interval", "0.05", "--settle", "1", "--no-stamp")
    with subprocess.Popen(
        command,
        env=environment(camera.home),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        assert "Ctrl-C" in process.stderr.readline()
        with (hot / "slow.jpg").open("wb") as slow:  # a slow camera: two bursts
            slow.write(photo()[:1000])
            slow.flush()
            time.sleep(0.08)
            slow.write(photo()[1000:])
        assert "slow.jpg" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in complaint
    assert read_with_c2pa((hot / "slow.jpg").read_bytes(), "image/jpeg", camera.pki).state == "Trusted"


def test_capture_without_a_camera_says_so(camera: Camera, tmp_path: Path) -> None:
    done = run_as_typed(camera.home, "capture", "--device-index", "250", "--out", tmp_path / "frame.jpg")
    assert done.returncode == 4
    assert "[assay.camera.failed]" in done.stderr
    assert not (tmp_path / "frame.jpg").exists()


def test_a_device_enrolled_in_this_home_signs_and_stamps_offline_and_loads_nothing_heavy(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    (tmp_path / "a.jpg").write_bytes(photo())
    assert run_as_typed(home, "device", "enrol", "camera-one").returncode == 0
    code = (
        "import sys, authn.cli\n"
        "try: authn.cli.main()\n"
        f"finally: print('loaded', sorted(set(sys.modules) & set({HEAVY!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "sign", str(tmp_path / "a.jpg")],
        env=environment(home), cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("signed ")
    assert "time-stamped" in done.stdout
    assert done.stdout.splitlines()[-1] == "loaded []"
    assert stamped(tmp_path / "a.jpg")


def test_a_counter_that_is_damaged_ends_the_run_with_its_reason(
    camera: Camera, photos: tuple[Path, ...]
) -> None:
    (camera.identity.folder / "counter").write_text("damaged")
    done = run_as_typed(camera.home, "sign", "--no-stamp", photos[0])
    assert (done.returncode, done.stdout) == (4, "")
    assert "[assay.device.unusable]" in done.stderr


def test_ctrl_c_in_a_long_run_says_what_was_done_and_leaves_every_photo_whole(
    camera: Camera, tmp_path: Path
) -> None:
    many = [tmp_path / f"{i:03}.jpg" for i in range(400)]
    for path in many:
        path.write_bytes(photo())
    command = assay_command("sign", "--no-stamp", *many)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env=environment(camera.home), cwd=ROOT, text=True, **pipes) as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # full before the last photo, until it is read
        until(lambda: camera.spool.pending() or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        out, complaint = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Traceback" not in complaint
    changed = [path for path in many if path.read_bytes() != photo()]
    assert 0 < len(changed) < len(many)
    assert all(read_with_c2pa(p.read_bytes(), "image/jpeg", camera.pki).state == "Trusted" for p in changed)
    # The photo that was at work may have been finished without being said.
    said = [line.split()[1] for line in out.splitlines()]
    assert said == [str(path) for path in changed[: len(said)]]
    assert len(changed) - len(said) in (0, 1)
    assert len(camera.spool.pending()) == len(changed)
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_out_folder_that_cannot_be_made_is_wrong_usage(
    assay: Assay, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    for command in (("sign", photos[0]), ("watch", tmp_path, "--once")):
        result = assay(*command, "--out", photos[1] / "below")
        assert result.exit_code == 2
        assert "cannot be made" in result.stderr


def assay_command(*arguments: object) -> list[str]:
    start = "from authn.cli import main; main()"
    return [sys.executable, "-c", start, *(str(argument) for argument in arguments)]


def environment(home: Path) -> dict[str, str]:
    return {"ASSAY_HOME": str(home), "PATH": "/usr/bin:/bin", "HOME": str(home)}


def run_as_typed(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = assay_command(*arguments)
    return subprocess.run(command, env=environment(home), cwd=ROOT, capture_output=True, text=True)
