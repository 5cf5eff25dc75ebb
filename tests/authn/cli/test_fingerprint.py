"""The fingerprint of a device's sensor by hand; and the way of a stolen key, from enrolment to the report."""

from __future__ import annotations

import json

from tests.doubles.commands import Shell
from tests.doubles.sensors import Sensor

OURS, OTHER = Sensor(1), Sensor(2)


def enrolled(shell: Shell, name: str = "cam1") -> None:
    assert shell("device", "enrol", name).code == 0


def signed(shell: Shell, photos: dict[str, bytes], name: str = "cam1") -> list[str]:
    for file, data in photos.items():
        (shell.cwd / file).write_bytes(data)
    done = shell("sign", "--device", name, "--no-stamp", *photos)
    assert done.code == 0, done.said
    return list(photos)


def test_a_stolen_key_signs_and_the_sensor_denies(shell: Shell) -> None:
    enrolled(shell)
    photos = signed(shell, {f"{n}.jpg": OURS.photo(n) for n in range(20)})
    made = shell("device", "fingerprint", "cam1", *photos)
    assert made.code == 0, made.said
    assert "fingerprint of 20 photos of 640 x 512 pixels" in made.out
    signed(shell, {"own.jpg": OURS.photo(77), "thief.jpg": OTHER.photo(78)})
    fails = ("--fail-on", "assay.contradiction.wrongSensor")
    done = shell("verify", "--forensics", "--json", *fails, "thief.jpg", "own.jpg")
    assert done.code == 1
    thief, own = (json.loads(line) for line in done.out.splitlines())
    proven = ("credential", "integrity", "signer", "device", "revocation", "history")
    for report, codes, sensor in (
        (thief, ["assay.contradiction.wrongSensor"], "supports"),
        (own, [], "against"),
    ):
        assert {report["cryptographic"]["axes"][a]["outcome"] for a in proven} == {"established"}
        assert [c["code"] for c in report["contradictions"]] == codes
        (answer,) = [d["outcome"] for d in report["heuristic"]["detectors"] if d["id"] == "sensor"]
        assert answer == sensor


def test_only_photos_that_the_device_s_key_signed_teach_its_fingerprint(shell: Shell) -> None:
    enrolled(shell)
    enrolled(shell, "cam2")
    ours = signed(shell, {f"{n}.jpg": OURS.photo(n) for n in range(6)})
    signed(shell, {"theirs.jpg": OURS.photo(6)}, "cam2")
    (shell.cwd / "plain.jpg").write_bytes(OURS.photo(7))
    changed = bytearray((shell.cwd / "5.jpg").read_bytes())
    changed[-40] ^= 1
    (shell.cwd / "5.jpg").write_bytes(changed)
    signed(shell, {"dark.jpg": OURS.photo(8, light=0.05)})
    done = shell("device", "fingerprint", "cam1", *ours, "theirs.jpg", "plain.jpg", "dark.jpg")
    assert done.code == 2
    assert "needs 8 photos that fit; there are 5" in done.err
    for file, why in (
        ("theirs.jpg", "the key of cam1 did not sign it"),
        ("plain.jpg", "its bytes are not established"),
        ("5.jpg", "its bytes are not established"),
        ("dark.jpg", "more than half of it is dark"),
    ):
        assert f"{file}: not taken: {why}" in done.err


def test_a_picture_that_is_given_twice_is_not_held_out_against_itself(shell: Shell) -> None:
    enrolled(shell)
    for n in range(7):
        (shell.cwd / f"{n}.jpg").write_bytes(OURS.photo(n))
    photos = [f"{n}.jpg" for n in range(7)]
    done = shell("device", "fingerprint", "cam1", "--flat", *photos, photos[0])
    assert done.code == 2
    assert "0.jpg: not taken: it is the same picture as one before" in done.err
    assert "needs 8 photos that fit; there are 7" in done.err


def test_a_fingerprint_is_made_from_flat_fields_extended_shown_and_deleted(shell: Shell) -> None:
    enrolled(shell)
    for n in range(12):
        (shell.cwd / f"{n}.jpg").write_bytes(OURS.photo(n))
    first, more = ([f"{n}.jpg" for n in range(*r)] for r in ((0, 8), (8, 12)))
    assert "has no fingerprint" in shell("device", "fingerprint", "cam1").out
    assert shell("device", "fingerprint", "cam1", "--flat", *first).code == 0
    assert shell("device", "fingerprint", "cam1", "--flat", *more).code == 2
    done = shell("device", "fingerprint", "cam1", "--flat", "--update", "--always", *more)
    assert "fingerprint of 12 photos" in done.out
    assert "compared always" in shell("device", "fingerprint", "cam1").out
    (shell.cwd / "12.jpg").write_bytes(OURS.photo(12))
    assert shell("device", "fingerprint", "cam1", "--flat", "--update", "12.jpg").code == 0
    assert "compared always" in shell("device", "fingerprint", "cam1").out
    assert shell("device", "fingerprint", "cam1", "--on-request").code == 2
    (shell.cwd / "dark.jpg").write_bytes(OURS.photo(20, light=0.05))
    none = shell("device", "fingerprint", "cam1", "--flat", "--update", "dark.jpg")
    assert none.code == 2
    assert "no photo that fits was added" in none.err
    (kept,) = (shell.home / "fingerprints").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    assert "deleted" in shell("device", "fingerprint", "cam1", "--delete").out
    assert list((shell.home / "fingerprints").iterdir()) == []
