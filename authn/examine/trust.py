"""What a reader trusts, out of settings: roots with revocation lists, logs with witnesses.

Where a file or key is named that cannot be read, that is an error: a report must not quietly rest on less.
"""

from __future__ import annotations

from pathlib import Path

from authn.core.config import Settings
from authn.core.errors import FileUnusable, NoteError
from authn.core.homes import LOG_VKEY, held
from authn.pki.own_roots import own_roots
from authn.pki.roots import TrustRoots, load_crls, load_roots
from authn.provenance.logs import LogTrust, parse_log_keys, parse_witness_keys
from authn.tlog.format.policy import read_policy
from signer.device import LOG_KEY_FILE, SIGNER_ROOTS_FILE, TSA_ROOTS_FILE
from signer.proof.usages import parse_usages


def open_roots(
    settings: Settings,
    *,
    signer_roots: tuple[Path, ...] | None = None,
    tsa_roots: tuple[Path, ...] | None = None,
    crls: tuple[Path, ...] = (),
) -> TrustRoots:
    """Given files in place of the configured ones, this home's own and those that services gave the devices
    of this home; revocation lists beside the configured ones. Raises ``Unavailable``."""
    own = own_roots(settings.home)
    signer = load_roots(signer_roots or (*held(settings, SIGNER_ROOTS_FILE), *settings.signer_roots))
    tsa = load_roots(tsa_roots or (*held(settings, TSA_ROOTS_FILE), *settings.tsa_roots))
    return TrustRoots(
        signer=signer if signer_roots else tuple(dict.fromkeys((*own.device, *signer))),
        tsa=tsa if tsa_roots else tuple(dict.fromkeys((*own.tsa, *tsa))),
        crls=load_crls((*crls, *settings.crls)),
        usages=parse_usages(settings.signer_usages),
    )


def open_logs(
    settings: Settings,
    log_keys: tuple[str, ...] = (),
    witness_keys: tuple[str, ...] = (),
    quorum: int = 1,
    policy_file: Path | None = None,
) -> LogTrust:
    """The logs whose receipts count beside this home's own and those of its devices' services, and the
    witnesses: given one by one, or by a policy. Raises ``Unavailable`` for what cannot be read."""
    own = settings.home / "pki" / LOG_VKEY
    try:
        known = (*((own,) if own.exists() else ()), *held(settings, LOG_KEY_FILE))
        published = dict.fromkeys(path.read_text(encoding="ascii").strip() for path in known)
        logs = parse_log_keys((*published, *log_keys))
        witnesses = parse_witness_keys(witness_keys, logs)
        if policy_file is not None:
            return LogTrust.of_policy(read_policy(policy_file), logs)
        return LogTrust(logs=logs, witnesses=witnesses, quorum=quorum)
    except (OSError, UnicodeDecodeError, NoteError) as e:
        raise FileUnusable(f"the key of a log or witness cannot be read: {e}") from e
