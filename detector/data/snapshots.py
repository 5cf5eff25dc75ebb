"""Pictures out of git repositories: what a repository holds, by size, and its bytes.

A repository is a stranger's. It is asked with git's plumbing alone, which runs no hook, checks nothing out
and follows no link; nothing it answers is taken for a path, a number or a name before it has the form that
was asked for. Objects are taken by number whatever they are called, so names with odd characters, links and
submodules play no part, and an object whose size nobody asked for is never read.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from detector.core.errors import SnapshotFailed
from detector.core.files import new_folder

MAX_PICTURE_BYTES = 256 * 1024 * 1024
GITHUB = "https://github.com/"

_OBJECT = re.compile(rb"([0-9a-f]{40}(?:[0-9a-f]{24})?) blob ([0-9]{1,12})")
# Of a history, whose entries and paths end with a zero: a plain file that a commit has anew, and its path,
# which may hold anything else.
_ENTRY = re.compile(rb"\n?:[0-7]{6} 100[67][0-7]{2} [0-9a-f]{40,64} ([0-9a-f]{40}(?:[0-9a-f]{24})?) [AMT]")
_PICTURE = re.compile(rb".*\.(?:jpe?g|png|webp|tiff?|heic|heif|avif|bmp|gif|mpo)", re.IGNORECASE | re.DOTALL)
_HISTORY = (
    "log", "--all", "HEAD", "--format=", "--raw", "-z", "-m", "--root", "--no-abbrev", "--no-renames",
)  # fmt: skip
_CAREFUL = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never")
_LONGEST_LINE = 8192


def snapshot_of(mirrors: Path, repository: str) -> Path | None:
    """The git folder of ``owner/name`` in a folder of mirrors named ``owner+name``: bare, with a work
    tree, or one of these a folder deeper. None where there is none."""
    top = mirrors / repository.replace("/", "+")
    try:
        inner = sorted(p for p in top.iterdir() if p.is_dir() and not p.is_symlink())
    except OSError:
        return None
    for folder in (top, *inner):
        for git in (folder / ".git", folder):
            if (git / "HEAD").is_file() and (git / "objects").is_dir():
                return git
    return None


def objects_of(git: Path, sizes: Collection[int]) -> list[tuple[str, int]]:
    """Number and size of every blob that the repository holds, whatever commit it is of, and whose size is
    one of these. Raises ``SnapshotFailed``."""
    wanted = {n for n in sizes if n <= MAX_PICTURE_BYTES}
    return [(b[1].decode(), int(b[2])) for b in _blobs(git) if int(b[2]) in wanted]


def _blobs(git: Path) -> list[re.Match[bytes]]:
    asked = ("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "--batch-all-objects")
    with _running(git, *asked, "--unordered", "--buffer") as process:
        return [blob for line in _lines(process) if (blob := _OBJECT.fullmatch(line))]


def read_objects(git: Path, objects: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """The bytes of blobs, in order. One that the repository lists and lacks is passed over. Raises
    ``SnapshotFailed`` where git answers another thing than was asked."""
    with _running(git, "cat-file", "--batch", asks=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, size in objects:
            try:
                process.stdin.write(f"{number}\n".encode())
                process.stdin.flush()
            except BrokenPipeError as e:
                raise SnapshotFailed(f"git ended while it was read{_why(process)}") from e
            head = process.stdout.readline(_LONGEST_LINE)
            if head == f"{number} missing\n".encode():
                continue
            if head != f"{number} blob {size}\n".encode():
                raise SnapshotFailed(f"git does not give what it listed{_why(process)}")
            data = process.stdout.read(size)
            if len(data) != size or process.stdout.read(1) != b"\n":
                raise SnapshotFailed("git gave a part of an object")
            yield data


def clone(repository: str, mirrors: Path, *, host: str = GITHUB) -> Path:
    """A bare clone of the newest commit, without its files, under the mirrors' name for it. Raises
    ``SnapshotFailed``; then nothing is left under that name."""
    folder = mirrors / repository.replace("/", "+")
    asked = ("clone", "--quiet", "--bare", "--depth=1", "--filter=blob:none", f"{host}{repository}")
    with new_folder(folder) as new:
        _run(None, *asked, str(new))
    return folder


def fetch_pictures(git: Path) -> None:
    """Bring the blobs that are called like pictures into a clone that has none. Raises ``SnapshotFailed``."""
    numbers: set[bytes] = set()
    before = None
    with _running(git, *_HISTORY) as process:
        for part in _ended_by(b"\0", process):
            if before and _PICTURE.fullmatch(part):
                numbers.add(before[1])
            before = _ENTRY.fullmatch(part)
    lacking = sorted(numbers - {blob[1] for blob in _blobs(git)})
    if lacking:
        _run(git, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no",
             "--filter=blob:none", "--stdin", "origin", given=b"\n".join(lacking) + b"\n",
             settings=("-c", "fetch.negotiationAlgorithm=noop"))  # fmt: skip


def deepen(git: Path) -> bool:
    """Bring the older commits of a clone, without their files. False where they are there already. Raises
    ``SnapshotFailed``."""
    if not (git / "shallow").exists():
        return False
    _run(git, "fetch", "--quiet", "--no-tags", "--unshallow", "--filter=blob:none", "origin")
    return True


def _run(git: Path | None, *words: str, given: bytes = b"", settings: tuple[str, ...] = ()) -> None:
    with _running(git, *words, given=given, settings=settings) as process:
        for _ in _lines(process):
            pass


@contextmanager
def _running(
    git: Path | None, *words: str, given: bytes = b"", asks: bool = False, settings: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """git, ended with the block whatever ends it; its complaints wait in a file, so that it never waits for
    us. Raises ``SnapshotFailed`` where it cannot be run or, unless it ``asks``, ends badly."""
    where = () if git is None else (f"--git-dir={git}",)
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        told.write(given)
        told.seek(0)
        try:
            process = subprocess.Popen(
                ["git", "--no-replace-objects", *_CAREFUL, *settings, *where, *words], stderr=said,
                stdin=subprocess.PIPE if asks else told, stdout=subprocess.PIPE, env=_environment(),
            )  # fmt: skip
        except OSError as e:
            raise SnapshotFailed(f"git cannot be run: {e.strerror}") from e
        process.complaints = said  # type: ignore[attr-defined]  # for _why
        try:
            yield process
            if not asks and process.wait() != 0:
                raise SnapshotFailed(f"git {words[0]} failed{_why(process)}")
        finally:
            process.kill()
            process.communicate()


def _lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    while line := process.stdout.readline(_LONGEST_LINE):
        yield line.rstrip(b"\n")


def _ended_by(end: bytes, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert process.stdout is not None
    rest = b""
    while chunk := process.stdout.read(1 << 16):
        *parts, rest = (rest + chunk).split(end)
        yield from parts
    yield rest


def _why(process: subprocess.Popen[bytes]) -> str:
    """The last thing git complained of, as part of a sentence."""
    said = process.complaints  # type: ignore[attr-defined]
    said.seek(0)
    lines = said.read(65536).decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1][:200]}" if lines else ""


def _environment() -> dict[str, str]:
    """Git asks nobody, and fetches nothing that it was not told to fetch."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    return {**kept, "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "LC_ALL": "C"}
