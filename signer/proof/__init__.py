"""The formats of proof that signer and verifier share: stores, signatures, certificates, tokens, paths.

Bytes in, values out: nothing here reads a file, a clock or the network, or knows whom anybody trusts. From
the outside inwards: ``container`` finds the manifest store in a file (one finder per kind in ``containers``),
``jumbf`` its boxes, ``cose`` the claim signature, ``certificates`` who signed it, ``path``, ``walk`` and
``reach`` how that leads to a root, ``timestamp`` when it existed; ``der``, ``cbor``, ``tst`` and
``transcript`` are what these read with. The names in ``__all__`` are the public face, loaded when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from signer.core.face import face

if TYPE_CHECKING:
    from signer.proof.cbor import NotCbor, read_cbor
    from signer.proof.certificates import (
        Certificate,
        issued_by,
        key_of,
        read_certificate,
        read_foreign,
        read_pem,
        signature_holds,
    )
    from signer.proof.container import (
        has_more_parts,
        in_places,
        manifest_spans,
        read_manifest,
        replace_manifest,
        supports,
    )
    from signer.proof.containers.places import Span, names_store
    from signer.proof.cose import (
        ClaimSignature,
        parse_claim_signature,
        stamped_message_v1,
        stamped_message_v2,
        verify_claim_signature,
        with_token,
    )
    from signer.proof.der import DerError, Element, elements, single
    from signer.proof.jumbf import ManifestBoxes, Superbox, active_manifest, manifests, torn_boxes
    from signer.proof.path import PathRefused
    from signer.proof.reach import reaches
    from signer.proof.timestamp import VerifiedTimestamp, build_request, parse_response, verify_token
    from signer.proof.tst import ParsedToken, TstInfo, parse_token
    from signer.proof.usages import (
        CLAIM_SIGNING,
        NEVER_SIGNERS,
        SIGNER_USAGES,
        parse_usages,
        usage_config,
        usage_text,
    )
    from signer.proof.walk import find_path, walk_path

__all__ = [
    "CLAIM_SIGNING", "NEVER_SIGNERS", "SIGNER_USAGES", "Certificate", "ClaimSignature", "DerError",
    "Element", "ManifestBoxes", "NotCbor", "ParsedToken", "PathRefused", "Span", "Superbox", "TstInfo",
    "VerifiedTimestamp", "active_manifest", "build_request", "elements", "find_path", "has_more_parts",
    "in_places", "issued_by", "key_of", "manifest_spans", "manifests", "names_store",
    "parse_claim_signature", "parse_response", "parse_token", "parse_usages", "reaches", "read_cbor",
    "read_certificate", "read_foreign", "read_manifest", "read_pem", "replace_manifest", "signature_holds",
    "single", "stamped_message_v1", "stamped_message_v2", "supports", "torn_boxes", "usage_config",
    "usage_text", "verify_claim_signature", "verify_token", "walk_path", "with_token",
]  # fmt: skip

if not TYPE_CHECKING:  # so that a name that is none is seen by a type checker
    __getattr__ = face(
        __name__,
        {
            "cbor": "NotCbor read_cbor",
            "certificates": "Certificate issued_by key_of read_certificate read_foreign read_pem"
            " signature_holds",
            "container": "has_more_parts in_places manifest_spans read_manifest replace_manifest supports",
            "containers.places": "Span names_store",
            "cose": "ClaimSignature parse_claim_signature stamped_message_v1 stamped_message_v2"
            " verify_claim_signature with_token",
            "der": "DerError Element elements single",
            "jumbf": "ManifestBoxes Superbox active_manifest manifests torn_boxes",
            "path": "PathRefused",
            "reach": "reaches",
            "timestamp": "VerifiedTimestamp build_request parse_response verify_token",
            "tst": "ParsedToken TstInfo parse_token",
            "usages": "CLAIM_SIGNING NEVER_SIGNERS SIGNER_USAGES parse_usages usage_config usage_text",
            "walk": "find_path walk_path",
        },
    )
