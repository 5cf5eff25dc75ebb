"""A mechanism has one home in the laboratory, and one in the rest of the house: what may not come twice.

Each is told by the names that it cannot do without, so that a copy under any name of its own is found.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.house.source import modules, named, parsed


def calls(node: ast.AST, *names: str) -> bool:
    """A call of something whose last name is one of these."""
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) in names


def renames(node: ast.AST) -> bool:
    """``os.replace(a, b)``, ``path.replace(to)``, ``path.rename(to)``; a text is replaced with two
    arguments, and a dataclass with one and names."""
    if calls(node, "rename", "renames", "link", "hardlink_to", "move"):
        return True
    if not (calls(node, "replace") and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    of_os = isinstance(node.func.value, ast.Name) and node.func.value.id == "os"
    return of_os or (len(node.args) == 1 and not node.keywords)


def follows(node: ast.AST) -> bool:
    """A function that moves some values towards others and walks through a module's."""
    walks = ("state_dict", "parameters", "named_parameters", "buffers")
    moves = ("lerp", "lerp_", "mul_")
    return isinstance(node, ast.FunctionDef) and all(
        any(calls(n, *names) for n in ast.walk(node)) for names in (walks, moves)
    )


MECHANISMS: dict[str, tuple[str, Callable[[ast.AST], bool]]] = {
    "a file or folder that gets its name when it is whole": ("detector/core/files.py", renames),
    "an archive of arrays": ("detector/core/files.py", lambda n: calls(n, "savez", "savez_compressed")),
    "a step of Newton's method": (
        "detector/core/logistic.py",
        lambda n: calls(n, "solve", "lstsq", "minimize"),
    ),
    "an average of weights": (
        "detector/core/average.py",
        lambda n: calls(n, "_foreach_lerp_", "AveragedModel", "get_ema_multi_avg_fn") or follows(n),
    ),
    "the state of an optimiser by name": (
        "detector/core/tensors.py",
        lambda n: isinstance(n, ast.Constant) and n.value == "param_groups",
    ),
    "one thread for a while": ("detector/core/threads.py", lambda n: calls(n, "get_num_threads")),
    "the type of a picture by its first bytes": (
        "detector/zoo/sources/photos.py",
        lambda n: isinstance(n, ast.Constant) and n.value == b"\xff\xd8\xff",
    ),
}


# Signer's, which the application uses too; who else does it says why.
SHARED: dict[str, tuple[str, Callable[[ast.AST], bool], dict[str, str]]] = {
    "a file or folder that gets its name when it is whole": (
        "signer/core/durable.py",
        renames,
        {
            "signer/spool.py": "an entry that moves from one state to the next",
        },
    ),
    "bytes that are on the disk": (
        "signer/core/durable.py",
        lambda n: calls(n, "fsync", "fdatasync"),
        {
            "signer/device.py": "the counter, which is rewritten in place",
            "authn/audit/results.py": "rows, which are appended",
        },
    ),
    "a lock between processes": (
        "signer/core/locks.py",
        lambda n: calls(n, "flock", "lockf"),
        {
            "signer/mediafile.py": "a photo, which is opened to be read",
            "authn/audit/results.py": "the rows, which are opened to be appended to",
            "authn/audit/refresh.py": "the same",
        },
    ),
    "the type of a picture by its first bytes": (
        "signer/core/sniff.py",
        lambda n: isinstance(n, ast.Constant) and n.value == b"\xff\xd8\xff",
        {},
    ),
    "the bytes that a public key is named by": (
        "authn/core/keys.py",
        lambda n: isinstance(n, ast.Attribute) and n.attr == "SubjectPublicKeyInfo",
        dict.fromkeys(
            ("signer/http_signature.py", "signer/keys/tpm2_attest.py"), "signer knows nothing of authn"
        ),
    ),
    "a lock between transactions": ("authn/store/engine.py", lambda n: calls(n, "pg_advisory_xact_lock"), {}),
    "an insert that may find its row there": (
        "authn/store/engine.py",
        lambda n: isinstance(n, ast.Name) and n.id in ("postgresql", "sqlite"),
        {},
    ),
}


def written_in(found: Callable[[ast.AST], bool], *packages: str) -> set[str]:
    return {
        named(path)
        for path in modules()
        if named(path).partition("/")[0] in packages and any(found(node) for node in ast.walk(parsed(path)))
    }


@pytest.mark.parametrize("what", MECHANISMS)
def test_the_laboratory_writes_it_once(what: str) -> None:
    home, found = MECHANISMS[what]
    assert written_in(found, "detector") == {home}


@pytest.mark.parametrize("what", SHARED)
def test_the_rest_of_the_house_writes_it_once(what: str) -> None:
    home, found, others = SHARED[what]
    assert written_in(found, "signer", "authn") == {home, *others}


@pytest.mark.parametrize(
    ("what", "copy"),
    [
        ("a file or folder that gets its name when it is whole", "os.replace(a, b)"),
        ("a file or folder that gets its name when it is whole", "mine.replace(path)"),
        ("a file or folder that gets its name when it is whole", "path.with_suffix('.x').rename(path)"),
        ("a file or folder that gets its name when it is whole", "shutil.move(a, b)"),
        ("an archive of arrays", "numpy.savez_compressed(path, a=a)"),
        ("a step of Newton's method", "theta -= np.linalg.solve(curvature, gradient)"),
        ("a step of Newton's method", "found = scipy.optimize.minimize(loss, theta)"),
        ("an average of weights", "mean = torch.optim.swa_utils.AveragedModel(net)"),
        (
            "an average of weights",
            "def ema(net, mean):\n for k, v in mean.state_dict().items():\n  v.lerp_(net[k], 0.1)",
        ),
        (
            "an average of weights",
            "def ema(net, mean):\n for a, b in zip(mean.parameters(), net):\n  a.mul_(0.9).add_(b)",
        ),
        ("the state of an optimiser by name", "o.load_state_dict({'state': s, 'param_groups': g})"),
        ("one thread for a while", "before = torch.get_num_threads()"),
        ("the type of a picture by its first bytes", "data[:3] == b'\\xff\\xd8\\xff'"),
    ],
)
def test_a_copy_is_found(what: str, copy: str) -> None:
    assert any(MECHANISMS[what][1](node) for node in ast.walk(ast.parse(copy)))


@pytest.mark.parametrize("innocent", ["text.replace('a', 'b')", "replace(card, digest=x)", "link"])
def test_what_only_looks_like_a_rename_is_not_one(innocent: str) -> None:
    assert not any(renames(node) for node in ast.walk(ast.parse(innocent)))


def test_every_package_says_that_it_is_typed() -> None:
    marked = {path.parent.name for path in ROOT.glob("*/py.typed")}
    assert marked == {Path(named(path)).parts[0] for path in modules()}
