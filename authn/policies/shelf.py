"""The policies that ship, and finding one by its name or file."""

from __future__ import annotations

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
    return parse_policy(data, path.name)
