"""The policies that ship, and finding one by its name or file: a policy, or an Asset Rubric as one."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

from authn.core.errors import PolicyError
from authn.policies.policy import Policy
from authn.policies.reading import MAX_POLICY_BYTES, parse_policy

DEFAULT = "default"
SUFFIX = ".toml"


def shipped() -> tuple[str, ...]:
    """Names of the policies that ship; the default one first."""
    folder = resources.files("authn.policies").joinpath("shipped")
    names = (f.name.removesuffix(SUFFIX) for f in folder.iterdir() if f.name.endswith(SUFFIX))
    return tuple(sorted(names, key=lambda name: (name != DEFAULT, name)))


def default_policy() -> Policy:
    return open_policy(DEFAULT)


def open_policy(named: str) -> Policy:
    """One that ships, by its name, or the file at a path. Raises ``PolicyError``."""
    if named in shipped():
        file = resources.files("authn.policies").joinpath("shipped").joinpath(named + SUFFIX)
        return parse_policy(file.read_bytes(), f"the policy {named}")
    path = Path(named).expanduser()
    try:
        with path.open("rb") as f:
            data = f.read(MAX_POLICY_BYTES + 1)
    except (OSError, ValueError) as e:
        known = ", ".join(shipped())
        why = (e.strerror if isinstance(e, OSError) else None) or str(e)
        raise PolicyError(f"{named} is no policy that ships ({known}) and no file: {why}") from e
    return read_policy(data, path.name)


def read_policy(data: bytes, origin: str) -> Policy:
    """A policy's file, or an Asset Rubric's. ``origin`` names it in errors. Raises ``PolicyError``.

    A rubric brings its labels and what follows from them; what is said of proof is the default policy's."""
    from authn.policies.rubric_file import is_rubric, read_rubric

    if not is_rubric(data):
        return parse_policy(data, origin)
    found = read_rubric(data, origin)
    return replace(
        default_policy(),
        name=found.key,
        version=found.version,
        issuer=found.issuer,
        description="An Asset Rubric beside the default policy.",
        sha256=found.sha256,
        toml=data,
        rubric=found,
    )
