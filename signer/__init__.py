"""The capture side: keys, claims, credentials, time-stamps. It knows whether the mathematics holds.

    from signer import Spool, open_identity, sign_file

    device = open_identity(Path("home/devices/my-camera"))
    sign_file(Path("photo.jpg"), device, spool=Spool(Path("home/spool")))

The names in ``__all__`` are the public face, with ``signer.proof`` for what signer and verifier share and
``signer.core.errors`` for what can go wrong. Each is loaded when it is first asked for: importing this
package loads neither torch, Flask nor NumPy, nor the C2PA engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signer.core.face import face

if TYPE_CHECKING:
    from signer.camera import take_frame
    from signer.capture import SignedCapture, sign_file, sign_frame
    from signer.client import Client, Enrolment, EnrolmentChallenge, Uploaded
    from signer.core.errors import SignerError
    from signer.credential import verify_binding
    from signer.device import DeviceIdentity, choose_identity, enrolled_names, open_identity, save_identity
    from signer.formats import media_type_of
    from signer.keys import create_key, open_key
    from signer.spool import Entry, Spool, StampRun
    from signer.staple import bytes_to_stamp, has_token
    from signer.watch import HotFolder

__all__ = [
    "Client", "DeviceIdentity", "Enrolment", "EnrolmentChallenge", "Entry", "HotFolder", "SignedCapture",
    "SignerError", "Spool", "StampRun", "Uploaded", "bytes_to_stamp", "choose_identity", "create_key",
    "enrolled_names", "has_token", "media_type_of", "open_identity", "open_key", "save_identity",
    "sign_file", "sign_frame", "take_frame", "verify_binding",
]  # fmt: skip

if not TYPE_CHECKING:  # so that a name that is none is seen by a type checker
    __getattr__ = face(
        __name__,
        {
            "camera": "take_frame",
            "capture": "SignedCapture sign_file sign_frame",
            "client": "Client Enrolment EnrolmentChallenge Uploaded",
            "core.errors": "SignerError",
            "credential": "verify_binding",
            "device": "DeviceIdentity choose_identity enrolled_names open_identity save_identity",
            "formats": "media_type_of",
            "keys": "create_key open_key",
            "spool": "Entry Spool StampRun",
            "staple": "bytes_to_stamp has_token",
            "watch": "HotFolder",
        },
    )
