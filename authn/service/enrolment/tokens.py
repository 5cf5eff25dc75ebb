"""Who may enrol: whoever holds the token of this service."""

from __future__ import annotations

import contextlib
import hmac
import secrets

from authn.core.config import MIN_TOKEN_CHARACTERS, Settings
from authn.core.errors import CredentialsMissing, EnrolmentRefused, FileUnusable
from signer.core.durable import create_durably

TOKEN_BYTES = 32
TOKEN_FILE = "enrolment-token"  # noqa: S105 a file's name


def verify_token(given: str, expected: str) -> None:
    """Raises ``CredentialsMissing`` for none, else ``EnrolmentRefused``; takes the same time wherever the two
    differ."""
    if not given:
        raise CredentialsMissing("send the enrolment token: Authorization: Bearer <token>")
    if not hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode()):
        raise EnrolmentRefused("the enrolment token is not the service's")


def open_enrolment_token(settings: Settings) -> str:
    """The token of the settings, else of the home's file, which is made if there is none (mode 0600).

    Raises ``Unavailable``.
    """
    if settings.enrolment_token:
        return settings.enrolment_token
    path = settings.home / TOKEN_FILE
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with contextlib.suppress(FileExistsError):  # another process was first; its token is the one
                create_durably(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise FileUnusable(f"the enrolment token {path} cannot be read or made: {e}") from e
    if len(token) < MIN_TOKEN_CHARACTERS:
        raise FileUnusable(f"the enrolment token in {path} is shorter than {MIN_TOKEN_CHARACTERS} characters")
    return token
