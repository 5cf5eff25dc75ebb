"""Keys inside a PKCS#11 token: made there, used there, never seen here (optional extra ``assay[pkcs11]``).

``TokenPrivateKey`` is a pyca ``EllipticCurvePrivateKey``, so certificate requests, certificates and C2PA
signatures are made with it as with any key. One session per token is kept for the life of the process:
logging out in one session logs out all sessions of the application (PKCS#11 2.40 section 5.6).
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from signer.core.errors import KeyAbsent, KeyRefused, KeyUnavailable, SigningFailed
from signer.keys.held import HeldPrivateKey
from signer.keys.pkcs11_uri import TokenKey, parse_pkcs11_uri

if TYPE_CHECKING:
    import pkcs11

_SESSIONS: dict[tuple[str, bytes], pkcs11.Session] = {}
_SESSIONS_LOCK = threading.Lock()


class TokenPrivateKey(HeldPrivateKey):
    """Signs inside the token."""

    HOLDER = "token"

    def __init__(self, private: Any, public: ec.EllipticCurvePublicKey) -> None:
        super().__init__(public)
        self._private = private
        self._lock = threading.Lock()  # one operation at a time per session

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        """DER signature. Raises ``SigningFailed`` when the token will not or cannot."""
        import pkcs11
        from pkcs11.util.ec import encode_ecdsa_signature

        algorithm = signature_algorithm.algorithm
        digest = (
            bytes(data) if isinstance(algorithm, Prehashed) else hashlib.new(algorithm.name, data).digest()
        )
        try:
            with self._lock:
                raw = self._private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        except pkcs11.PKCS11Error as e:
            raise SigningFailed(f"the token refused to sign: {_words(e)}") from e
        signature: bytes = encode_ecdsa_signature(raw)
        return signature


def open_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.open_key``."""
    wanted = parse_pkcs11_uri(uri)
    with _translated(wanted):
        from pkcs11 import Attribute, KeyType, ObjectClass

        session = _session(wanted)
        private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, label=wanted.object, id=wanted.id)
        if private.key_type != KeyType.EC:
            raise KeyRefused("the key on the token is not an elliptic-curve key")
        public = session.get_key(
            object_class=ObjectClass.PUBLIC_KEY, label=wanted.object, id=private[Attribute.ID] or wanted.id
        )
        return _adapt(private, public)


def create_key(uri: str) -> ec.EllipticCurvePrivateKey:
    """See ``signer.keys.create_key``. The key is sensitive and can never be extracted from the token."""
    wanted = parse_pkcs11_uri(uri)
    with _translated(wanted):
        from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
        from pkcs11.util.ec import encode_named_curve_parameters

        session = _session(wanted)
        template: dict[Attribute, Any] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
        template |= {Attribute.LABEL: wanted.object} if wanted.object else {Attribute.ID: wanted.id}
        if any(session.get_objects(template)):
            raise KeyUnavailable("a key of that name is on the token; a key is never overwritten")
        parameters = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}, local=True
        )
        public, private = parameters.generate_keypair(
            label=wanted.object,
            id=wanted.id or secrets.token_bytes(8),
            store=True,
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
        )
        return _adapt(private, public)


def _adapt(private: Any, public: Any) -> TokenPrivateKey:
    from pkcs11.util.ec import encode_ec_public_key

    try:
        key = serialization.load_der_public_key(encode_ec_public_key(public))
    except (ValueError, UnsupportedAlgorithm) as e:
        raise KeyRefused("the key on the token is not on P-256") from e
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyRefused("the key on the token is not on P-256")
    return TokenPrivateKey(private, key)


def _session(wanted: TokenKey) -> Any:
    import pkcs11

    pin = wanted.pin()
    with _SESSIONS_LOCK:
        token = pkcs11.lib(wanted.module_path).get_token(token_label=wanted.token, token_serial=wanted.serial)
        known = (wanted.module_path, token.serial)
        if known not in _SESSIONS:
            _SESSIONS[known] = token.open(rw=True, user_pin=pin)
        return _SESSIONS[known]


@contextmanager
def _translated(wanted: TokenKey) -> Iterator[None]:
    """The library's exceptions in our two words; all of them mean that the key cannot be had."""
    try:
        import pkcs11
    except ImportError as e:
        raise KeyUnavailable("PKCS#11 keys need the extra: pip install 'assay[pkcs11]'") from e
    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange) as e:
        raise KeyUnavailable("the token refuses the PIN") from e
    except pkcs11.PinLocked as e:
        raise KeyUnavailable("the token's PIN is locked") from e
    except (pkcs11.NoSuchToken, pkcs11.TokenNotPresent) as e:
        raise KeyUnavailable("the token is not present") from e
    except pkcs11.NoSuchKey as e:
        raise KeyAbsent("no such key on the token") from e
    except (pkcs11.MultipleObjectsReturned, pkcs11.MultipleTokensReturned) as e:
        raise KeyUnavailable("the pkcs11 URI fits more than one token or key") from e
    except pkcs11.PKCS11Error as e:
        raise KeyUnavailable(f"the module {wanted.module_path} failed: {_words(e)}") from e


def _words(error: Exception) -> str:
    return f"{type(error).__name__} {error}".strip()
