"""The table: every change by name, with what must come of it (``timestamp_mutations`` has the machinery)."""

from __future__ import annotations

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.core.errors import TimestampRejected
from tests.doubles.pki import name
from tests.doubles.stamps import (
    CONTENT_TYPE,
    ECDSA,
    ESS_V2,
    ID_DATA,
    MESSAGE_DIGEST,
    NULL,
    RSA,
    SHA,
    SIGNING_TIME,
    TST_INFO,
    Stamp,
    algorithm,
    attribute,
    der,
    directory_name,
    ess_id_v2,
    ess_v2,
    generalized,
    imprint,
    integer,
    issuer_serial,
    octets,
    oid,
    seq,
    sha1_of,
    tlv,
    utc,
)  # fmt: skip
from tests.signer.proof.timestamp_mutations import (  # fmt: skip
    INVALID,
    LEGAL,
    MALFORMED,
    MESSAGE,
    MISMATCH,
    NONCE,
    NOT_STRICT,
    OUTSIDE,
    UNFIT,
    UNSUPPORTED,
    UNTRUSTED,
    Change,
    Lab,
    Mutation,
    ago,
    attr,
    both,
    digest,
    extension,
    flipped,
    key_of,
    leaf,
    moved,
    names_v1,
    nothing,
    put,
    raw_time,
    tst,
    without,
)

M = Mutation

STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
CODE, EMAIL = ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION
ANY = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE

ESS_BARE = attr("ess", lambda lab: attribute(ESS_V2, ess_v2(lab.authority.certificate, named=b"")))


def with_other(lab: Lab, stamp: Stamp) -> None:
    stamp.certificates.append(der(lab.other.certificate))


def signer_of(issuer: str = "", serial: str = "") -> Change:
    """SignerInfo names somebody else; the signature is still the authority's."""

    def change(lab: Lab, stamp: Stamp) -> None:
        ours, other = lab.authority.certificate, lab.other.certificate
        above = name("Somebody") if issuer else ours.issuer
        stamp.signer = seq(above.public_bytes(), integer((other if serial else ours).serial_number))

    return change


LEGAL_ROWS = (
    M("nothing changed", LEGAL, nothing),
    M("no signingTime, as always", LEGAL, nothing),
    M(
        "a signingTime equal to genTime",
        LEGAL,
        attr("time", lambda lab: attribute(SIGNING_TIME, utc(lab.now))),
    ),
    M(
        "ESSCertIDv2 without issuer and serial",
        LEGAL,
        attr("ess", lambda lab: attribute(ESS_V2, ess_v2(lab.authority.certificate, named=b""))),
    ),
    M(
        "ESSCertIDv2 with SHA-512",
        LEGAL,
        attr("ess", lambda lab: attribute(ESS_V2, ess_v2(lab.authority.certificate, "sha512"))),
    ),
    M(
        "ESSCertID (version 1) alone",
        LEGAL,
        names_v1("ess", "authority"),
    ),
    M(
        "both versions of ESSCertID",
        LEGAL,
        names_v1("ess1", "authority"),
    ),
    M(
        "a second certificate in ESSCertIDv2",
        LEGAL,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2, seq(seq(ess_id_v2(lab.authority.certificate), ess_id_v2(lab.other.certificate)))
            ),
        ),
    ),
    M("no tsa name", LEGAL, tst("tsa", b"")),
    M("no accuracy", LEGAL, tst("accuracy", b"")),
    M(
        "accuracy in milliseconds and microseconds",
        LEGAL,
        tst("accuracy", seq(integer(0), integer(500, 0x80), integer(999, 0x81))),
    ),
    M("accuracy in milliseconds alone", LEGAL, tst("accuracy", seq(integer(1, 0x80)))),
    M("a fraction of a second", LEGAL, lambda lab, s: s.tst.update(time=generalized(lab.now, ".25"))),
    M("ordering true", LEGAL, tst("ordering", b"\x01\x01\xff")),
    M("ordering false, spelt out", LEGAL, tst("ordering", b"\x01\x01\x00")),
    M("a serial number of 160 bits", LEGAL, tst("serial", integer(2**159 + 1))),
    M("another policy", LEGAL, tst("policy", oid("1.3.6.1.4.1.99999.1.2"))),
    M("an extension that is not critical", LEGAL, extension(False)),
    M("SHA-384 over the attributes", LEGAL, digest("sha384")),
    M("SHA-512 over the attributes", LEGAL, digest("sha512")),
    M("an imprint with SHA-384", LEGAL, tst("imprint", imprint(MESSAGE, "sha384"))),
    M("an imprint with SHA-512", LEGAL, tst("imprint", imprint(MESSAGE, "sha512"))),
    M("an imprint without parameters", LEGAL, tst("imprint", imprint(MESSAGE, parameters=b""))),
    M(
        "digest algorithms with NULL parameters",
        LEGAL,
        both(
            put("digest_algorithm", algorithm(SHA["sha256"], NULL)),
            put("digest_algorithms", tlv(0x31, algorithm(SHA["sha256"], NULL))),
        ),
    ),
    M("an RSA key", LEGAL, nothing, lambda lab: lab.leaf(key=lab.rsa_key)),
    M(
        "an RSA key, named as key type",
        LEGAL,
        put("signature_algorithm", algorithm("1.2.840.113549.1.1.1", NULL)),
        lambda lab: lab.leaf(key=lab.rsa_key),
    ),
    M("a P-384 key", LEGAL, digest("sha384"), leaf(key=ec.generate_private_key(ec.SECP384R1()))),
    M("an authority between leaf and root", LEGAL, nothing, lambda lab: lab.leaf(issuer=lab.below())),
    M(
        "a stranger's certificate in the bag",
        LEGAL,
        lambda lab, s: s.certificates.append(der(lab.other.certificate)),
    ),
    M(
        "a stranger's certificate first in the bag",
        LEGAL,
        lambda lab, s: s.certificates.insert(0, der(lab.rogue.tsa_root.certificate)),
    ),
    M("an unsigned attribute", LEGAL, put("unsigned", tlv(0xA1, attribute("1.2.3.4", NULL)))),
    M("another signed attribute", LEGAL, attr("more", attribute("1.2.3.4", NULL))),
    M("an empty list of digest algorithms", LEGAL, put("digest_algorithms", tlv(0x31))),
    M("a status with words", LEGAL, put("status", seq(integer(0), seq(tlv(0x0C, b"fine"))))),
    M(
        "a certificate that ended since",
        LEGAL,
        moved(days=-400),
        leaf(not_before=ago(days=500), not_after=ago(days=300)),
    ),
    M(
        "genTime at the certificate's last second",
        LEGAL,
        moved(days=30),
        lambda lab: lab.leaf(not_after=lab.now + timedelta(days=30)),
    ),
    M("key usage contentCommitment", LEGAL, nothing, leaf(usages=("content_commitment",))),
)

CERTIFICATE_ROWS = (
    M("extended key usage not critical", NOT_STRICT, nothing, leaf(eku_critical=False)),
    M("a second extended key usage", NOT_STRICT, nothing, leaf(ekus=(STAMPING, CODE))),
    M("a second extended key usage first", NOT_STRICT, nothing, leaf(ekus=(EMAIL, STAMPING))),
    M("another extended key usage", UNFIT, nothing, leaf(ekus=(CODE,))),
    M("extended key usage any", UNFIT, nothing, leaf(ekus=(ANY,))),
    M("no extended key usage", UNFIT, nothing, leaf(ekus=())),
    M("a certificate authority that stamps", UNFIT, nothing, leaf(ca=True)),
    M(
        "a certificate authority that may sign too",
        UNFIT,
        nothing,
        leaf(ca=True, usages=("digital_signature", "key_cert_sign")),
    ),
    M("key usage for encipherment alone", UNFIT, nothing, leaf(usages=("key_encipherment",))),
    M(
        "key usage with certificate signing",
        UNFIT,
        nothing,
        leaf(usages=("digital_signature", "key_cert_sign")),
    ),
    M(
        "no key usage",
        UNFIT,
        nothing,
        leaf(usages=()),
        stricter="RFC 5280 lets an end entity leave it out; an authority that means to sign says so",
    ),
    M(
        "an unknown critical extension",
        UNFIT,
        nothing,
        leaf(extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)),
    ),
    M(
        "an RSA key of 1024 bits",
        UNFIT,
        nothing,
        lambda lab: lab.leaf(key=lab.small_rsa_key),
        stricter="no standard forbids it in the token; others can compute such a key",
    ),
    M(
        "a key on secp256k1",
        UNFIT,
        nothing,
        leaf(key=ec.generate_private_key(ec.SECP256K1())),
        stricter="no standard forbids it in the token; it is no curve of C2PA's",
    ),
    M(
        "an authority below the devices' root",
        UNTRUSTED,
        nothing,
        lambda lab: lab.leaf(issuer=lab.pki.issuing),
    ),
    M("an attacker's authority", UNTRUSTED, nothing, lambda lab: lab.rogue_leaf(with_root=False)),
    M(
        "an attacker's authority and root, both brought along",
        UNTRUSTED,
        nothing,
        lambda lab: lab.rogue_leaf(with_root=True),
    ),
    M(
        "an authority between that is none",
        UNFIT,
        nothing,
        lambda lab: lab.leaf(issuer=lab.below(ca=False)),
    ),
    M(
        "an authority between for another usage",
        UNFIT,
        nothing,
        lambda lab: lab.leaf(issuer=lab.below(ekus=(CODE,))),
    ),
    M(
        "the authority between left out",
        UNTRUSTED,
        lambda lab, s: s.certificates.pop(),
        lambda lab: lab.leaf(issuer=lab.below()),
    ),
    M(
        "an authority between that had ended",
        UNFIT,
        nothing,
        lambda lab: lab.leaf(issuer=lab.below(not_before=ago(days=300), not_after=ago(days=200))),
    ),
    M("no certificate, though asked for", UNSUPPORTED, put("certificates", [])),
    M(
        "another certificate in the signer's place",
        UNSUPPORTED,
        lambda lab, s: setattr(s, "certificates", [der(lab.other.certificate)]),
    ),
    M(
        "a broken certificate in the bag",
        MALFORMED,
        lambda lab, s: s.certificates.append(der(lab.other.certificate)[:-4]),
    ),
    M(
        "a certificate with trailing bytes in the bag",
        MALFORMED,
        lambda lab, s: s.certificates.append(der(lab.other.certificate) + b"\x05\x00\x00"),
    ),
    M("two bags of certificates", MALFORMED, put("bag", lambda body: tlv(0xA0, body) * 2)),
    M("the bag under another tag", MALFORMED, put("bag", lambda body: tlv(0xA2, body))),
    M(
        "the lists of revoked before the bag",
        MALFORMED,
        put("bag", lambda body: tlv(0xA1, b"") + tlv(0xA0, body)),
    ),
)

TIME_ROWS = (
    M("genTime before the certificate begins", OUTSIDE, moved(days=-2)),
    M(
        "genTime a second before the certificate begins",
        OUTSIDE,
        moved(seconds=-1),
        lambda lab: lab.leaf(not_before=lab.now),
    ),
    M("genTime after the certificate ended", OUTSIDE, moved(days=3650)),
    M(
        "genTime a second after the certificate ended",
        OUTSIDE,
        moved(days=30, seconds=1),
        lambda lab: lab.leaf(not_after=lab.now + timedelta(days=30)),
    ),
    M(
        "a certificate that had ended before",
        OUTSIDE,
        nothing,
        leaf(not_before=ago(days=500), not_after=ago(days=400)),
    ),
    M(
        "a certificate that begins later",
        OUTSIDE,
        nothing,
        lambda lab: lab.leaf(not_before=lab.now + timedelta(days=1)),
    ),
    M("genTime as UTCTime", MALFORMED, tst("time", lambda lab: utc(lab.now))),
    M("genTime as text", MALFORMED, tst("time", lambda lab: tlv(0x0C, b"20261124120000Z"))),
    M("genTime without seconds", MALFORMED, raw_time("202611241200Z")),
    M("genTime without a zone", MALFORMED, raw_time("20261124120000")),
    M("genTime with another zone", MALFORMED, raw_time("20261124120000+0100")),
    M("genTime with a comma", MALFORMED, raw_time("20261124120000,5Z")),
    M("genTime with an empty fraction", MALFORMED, raw_time("20261124120000.Z")),
    M("genTime with a fraction of zero", MALFORMED, raw_time("20261124120000.0Z")),
    M("genTime with a zero at the end", MALFORMED, raw_time("20261124120000.50Z")),
    M("genTime in month 13", MALFORMED, raw_time("20261324120000Z")),
    M("genTime on 30 February", MALFORMED, raw_time("20260230120000Z")),
    M("genTime at 24 o'clock", MALFORMED, raw_time("20261124240000Z")),
    M("genTime in other digits", MALFORMED, raw_time("２０２６1124120000Z")),
    M("genTime with a space", MALFORMED, raw_time("20261124 20000Z")),
    M("no genTime", MALFORMED, tst("time", b"")),
    M(
        "a signingTime an hour earlier",
        INVALID,
        attr("time", lambda lab: attribute(SIGNING_TIME, utc(lab.now - timedelta(hours=1)))),
        stricter="RFC 5652 lets it be any time; one C2PA reader shows it in the place of genTime",
    ),
    M(
        "a signingTime a year later",
        INVALID,
        attr("time", lambda lab: attribute(SIGNING_TIME, generalized(lab.now + timedelta(days=365)))),
        stricter="RFC 5652 lets it be any time; one C2PA reader shows it in the place of genTime",
    ),
    M("a signingTime that is no time", MALFORMED, attr("time", attribute(SIGNING_TIME, octets(b"now")))),
    M("accuracy negative", MALFORMED, tst("accuracy", seq(integer(-1)))),
    M("accuracy of no milliseconds", MALFORMED, tst("accuracy", seq(integer(0, 0x80)))),
    M("accuracy of 1000 milliseconds", MALFORMED, tst("accuracy", seq(integer(1000, 0x80)))),
    M("accuracy of 1000 microseconds", MALFORMED, tst("accuracy", seq(integer(1000, 0x81)))),
    M("accuracy in the wrong order", MALFORMED, tst("accuracy", seq(integer(5, 0x80), integer(1)))),
    M("accuracy with seconds twice", MALFORMED, tst("accuracy", seq(integer(1), integer(1)))),
    M("accuracy with a field of another kind", MALFORMED, tst("accuracy", seq(integer(1, 0x82)))),
)

STATEMENT_ROWS = (
    M("TSTInfo version 2", MALFORMED, tst("version", integer(2))),
    M("TSTInfo version 0", MALFORMED, tst("version", integer(0))),
    M("TSTInfo version of another kind", MALFORMED, tst("version", octets(b"\x01"))),
    M("no policy", MALFORMED, tst("policy", b"")),
    M("a policy that is no identifier", MALFORMED, tst("policy", tlv(0x0C, b"1.2.3"))),
    M("a policy with a padded arc", MALFORMED, tst("policy", tlv(0x06, b"\x2a\x80\x01"))),
    M("a policy that breaks off", MALFORMED, tst("policy", tlv(0x06, b"\x2a\x81"))),
    M("an empty policy", MALFORMED, tst("policy", tlv(0x06))),
    M("the imprint of other bytes", MISMATCH, tst("imprint", imprint(b"other bytes"))),
    M("the imprint of nothing", MISMATCH, tst("imprint", imprint(b""))),
    M("an imprint of zeros", MISMATCH, tst("imprint", imprint(MESSAGE, value=bytes(32)))),
    M(
        "an imprint with one bit changed",
        MISMATCH,
        tst("imprint", lambda lab: flipped(len(imprint(MESSAGE)) - 1)(imprint(MESSAGE))),
    ),
    M("an imprint that is too short", MALFORMED, tst("imprint", imprint(MESSAGE, value=bytes(20)))),
    M("an imprint that is too long", MALFORMED, tst("imprint", imprint(MESSAGE, value=bytes(33)))),
    M("an empty imprint", MALFORMED, tst("imprint", imprint(MESSAGE, value=b""))),
    M(
        "a SHA-256 imprint called SHA-512",
        MALFORMED,
        tst("imprint", seq(algorithm(SHA["sha512"]), imprint(MESSAGE)[-34:])),
    ),
    M("a SHA-1 imprint", MALFORMED, tst("imprint", seq(algorithm("1.3.14.3.2.26", NULL), octets(bytes(20))))),
    M(
        "an MD5 imprint",
        MALFORMED,
        tst("imprint", seq(algorithm("1.2.840.113549.2.5", NULL), octets(bytes(16)))),
    ),
    M("an imprint with parameters", MALFORMED, tst("imprint", imprint(MESSAGE, parameters=integer(1)))),
    M(
        "an imprint as a bit string",
        MALFORMED,
        tst("imprint", lambda lab: seq(algorithm(SHA["sha256"]), tlv(0x03, b"\0" + imprint(MESSAGE)[-32:]))),
    ),
    M(
        "an imprint with a third field",
        MALFORMED,
        tst("imprint", lambda lab: seq(imprint(MESSAGE)[2:], NULL)),
    ),
    M("two imprints", MALFORMED, tst("imprint", imprint(MESSAGE) * 2)),
    M("no imprint", MALFORMED, tst("imprint", b"")),
    M("no serial number", MALFORMED, tst("serial", b"")),
    M("a serial number with a leading zero", MALFORMED, tst("serial", tlv(0x02, b"\0\x01"))),
    M("an empty serial number", MALFORMED, tst("serial", tlv(0x02))),
    M("a serial number as text", MALFORMED, tst("serial", tlv(0x0C, b"4711"))),
    M("the nonce left out", MISMATCH, tst("nonce", b"")),
    M("the nonce plus one", MISMATCH, tst("nonce", integer(NONCE + 1))),
    M("the nonce negated", MISMATCH, tst("nonce", integer(-NONCE))),
    M("the nonce without its leading zero", MISMATCH, tst("nonce", tlv(0x02, NONCE.to_bytes(8, "big")))),
    M(
        "the nonce with two leading zeros",
        MALFORMED,
        tst("nonce", tlv(0x02, b"\0\0" + NONCE.to_bytes(8, "big"))),
    ),
    M("the nonce as octets", MALFORMED, tst("nonce", octets(NONCE.to_bytes(9, "big")))),
    M("two nonces", MALFORMED, tst("nonce", integer(NONCE + 1) + integer(NONCE))),
    M(
        "the nonce before the accuracy",
        MALFORMED,
        both(tst("accuracy", integer(NONCE)), tst("nonce", seq(integer(1)))),
    ),
    M("ordering neither true nor false", MALFORMED, tst("ordering", b"\x01\x01\x01")),
    M("an empty ordering", MALFORMED, tst("ordering", b"\x01\x00")),
    M("the tsa name of somebody else", NOT_STRICT, tst("tsa", tlv(0xA0, directory_name(name("Somebody"))))),
    M(
        "the tsa name of the issuer",
        NOT_STRICT,
        tst("tsa", lambda lab: tlv(0xA0, directory_name(lab.authority.certificate.issuer))),
    ),
    M("an empty tsa name", NOT_STRICT, tst("tsa", tlv(0xA0, tlv(0xA4, seq())))),
    M("no name inside the tsa", MALFORMED, tst("tsa", tlv(0xA0))),
    M(
        "two tsa names",
        MALFORMED,
        tst("tsa", lambda lab: tlv(0xA0, directory_name(lab.authority.certificate.subject) * 2)),
    ),
    M("a tsa name that is an address", MALFORMED, tst("tsa", tlv(0xA0, tlv(0x86, b"https://time.example")))),
    M("a tsa name of a host", MALFORMED, tst("tsa", tlv(0xA0, tlv(0x82, b"time.example")))),
    M(
        "the tsa name in another spelling",
        NOT_STRICT,
        tst(
            "tsa",
            lambda lab: tlv(
                0xA0,
                tlv(
                    0xA4,
                    lab.authority.certificate.subject.public_bytes().replace(
                        b"\x0c\x09time", b"\x13\x09time"
                    ),
                ),
            ),
        ),
        stricter="RFC 5280 section 7.1 would compare without regard to the kind of string",
    ),
    M("a critical extension", MALFORMED, extension(True)),
    M("an extension twice", MALFORMED, extension(False, times=2)),
    M("no extension in the list", MALFORMED, tst("extensions", tlv(0xA1))),
    M(
        "an extension of two parts that are none",
        MALFORMED,
        tst("extensions", tlv(0xA1, seq(integer(1), NULL))),
    ),
    M("a field of another kind at the end", MALFORMED, extension(False, tag=0xA2)),
    M("TSTInfo as a SET", MALFORMED, put("wrapped", lambda raw: tlv(0xA0, octets(b"\x31" + raw[1:])))),
    M("bytes behind TSTInfo", MALFORMED, put("wrapped", lambda raw: tlv(0xA0, octets(raw + NULL)))),
)

ATTRIBUTE_ROWS = (
    M("no ESSCertID", NOT_STRICT, without("ess")),
    M(
        "ESSCertIDv2 of another certificate",
        INVALID,
        attr("ess", lambda lab: attribute(ESS_V2, ess_v2(lab.other.certificate))),
    ),
    M(
        "ESSCertIDv2 with the hash of another, issuer and serial right",
        INVALID,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2, ess_v2(lab.other.certificate, named=issuer_serial(lab.authority.certificate))
            ),
        ),
    ),
    M(
        "ESSCertIDv2 with another serial number",
        NOT_STRICT,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2, ess_v2(lab.authority.certificate, named=issuer_serial(lab.other.certificate))
            ),
        ),
    ),
    M(
        "ESSCertIDv2 with another issuer",
        NOT_STRICT,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2,
                ess_v2(
                    lab.authority.certificate,
                    named=seq(
                        seq(directory_name(name("Somebody"))),
                        integer(lab.authority.certificate.serial_number),
                    ),
                ),
            ),
        ),
    ),
    M(
        "ESSCertIDv2 with an empty issuer",
        MALFORMED,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2,
                ess_v2(
                    lab.authority.certificate,
                    named=seq(seq(), integer(lab.authority.certificate.serial_number)),
                ),
            ),
        ),
    ),
    M(
        "ESSCertIDv2 in second place only",
        INVALID,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2, seq(seq(ess_id_v2(lab.other.certificate), ess_id_v2(lab.authority.certificate)))
            ),
        ),
    ),
    M(
        "ESSCertIDv2 with a hash that is too short",
        INVALID,
        attr("ess", attribute(ESS_V2, seq(seq(seq(octets(bytes(16))))))),
    ),
    M(
        "ESSCertIDv2 with SHA-1",
        MALFORMED,
        attr(
            "ess",
            lambda lab: attribute(
                ESS_V2, seq(seq(seq(algorithm("1.3.14.3.2.26"), sha1_of(lab.authority.certificate))))
            ),
        ),
        stricter="RFC 5035 has ESSCertID for that",
    ),
    M("ESSCertIDv2 with no certificate", MALFORMED, attr("ess", attribute(ESS_V2, seq(seq())))),
    M(
        "ESSCertID (version 1) of another certificate",
        INVALID,
        names_v1("ess", "other"),
    ),
    M(
        "ESSCertID versions that name two certificates",
        INVALID,
        names_v1("ess1", "other"),
    ),
    M("no contentType", MALFORMED, without("content type")),
    M("contentType data", INVALID, attr("content type", attribute(CONTENT_TYPE, oid(ID_DATA)))),
    M(
        "contentType as octets",
        MALFORMED,
        attr("content type", attribute(CONTENT_TYPE, octets(oid(TST_INFO)[2:]))),
    ),
    M("contentType twice", MALFORMED, attr("again", attribute(CONTENT_TYPE, oid(TST_INFO)))),
    M(
        "contentType with two values",
        MALFORMED,
        attr("content type", attribute(CONTENT_TYPE, oid(TST_INFO), oid(ID_DATA))),
    ),
    M("contentType without a value", MALFORMED, attr("content type", attribute(CONTENT_TYPE))),
    M("no messageDigest", MALFORMED, without("digest")),
    M(
        "messageDigest of other bytes",
        INVALID,
        attr("digest", attribute(MESSAGE_DIGEST, octets(bytes(32)))),
    ),
    M(
        "messageDigest of the message",
        INVALID,
        attr("digest", attribute(MESSAGE_DIGEST, octets(imprint(MESSAGE)[-32:]))),
    ),
    M("messageDigest cut short", INVALID, attr("digest", attribute(MESSAGE_DIGEST, octets(bytes(31))))),
    M(
        "messageDigest as a bit string",
        MALFORMED,
        attr("digest", attribute(MESSAGE_DIGEST, tlv(0x03, bytes(33)))),
    ),
    M(
        "messageDigest twice, the wrong one first",
        MALFORMED,
        attr("again", attribute(MESSAGE_DIGEST, octets(bytes(32)))),
    ),
    M(
        "a signingTime twice",
        MALFORMED,
        both(
            attr("t1", lambda lab: attribute(SIGNING_TIME, utc(lab.now))),
            attr("t2", lambda lab: attribute(SIGNING_TIME, generalized(lab.now))),
        ),
    ),
    M(
        "attributes in the reverse order",
        MALFORMED,
        put("arranged", lambda items: sorted(items, reverse=True)),
    ),
    M(
        "attributes in another order, signed in theirs",
        MALFORMED,
        put("arranged", lambda items: [items[-1], *items[:-1]]),
    ),
    M("an attribute that is no pair", MALFORMED, attr("odd", seq(oid("1.2.3.4")))),
    M("an attribute whose values are a SEQUENCE", MALFORMED, attr("odd", seq(oid("1.2.3.4"), seq(NULL)))),
    M("an attribute named by a number", MALFORMED, attr("odd", seq(integer(1), tlv(0x31, NULL)))),
    M(
        "no signed attributes, the statement itself signed",
        MALFORMED,
        lambda lab, s: setattr(s, "attributes", {"digest": b"-"}),
    ),
)

SIGNATURE_ROWS = (
    M("signed by another key", INVALID, key_of(lambda lab: lab.other.key)),
    M("signed by the root's key", INVALID, key_of(lambda lab: lab.pki.tsa_root.key)),
    M("signed over the attributes as [0]", INVALID, put("signed_tag", 0xA0)),
    M("signed over the attributes as a SEQUENCE", INVALID, put("signed_tag", 0x30)),
    M("a bit of the signature changed", INVALID, put("signature_change", flipped(20))),
    M("an empty signature", INVALID, put("signature_change", lambda s: b"")),
    M("a signature of zeros", INVALID, put("signature_change", lambda s: seq(integer(0), integer(0)))),
    M("bytes behind the signature", INVALID, put("signature_change", lambda s: s + b"\0")),
    M("the signature as r and s without DER", INVALID, put("signature_change", lambda s: bytes(64))),
    M("digest algorithm SHA-1", UNSUPPORTED, put("digest_algorithm", algorithm("1.3.14.3.2.26"))),
    M("digest algorithm unknown", UNSUPPORTED, put("digest_algorithm", algorithm("1.2.3.4"))),
    M("digest algorithm other than used", INVALID, put("digest_algorithm", algorithm(SHA["sha512"]))),
    M(
        "digest algorithm with parameters",
        MALFORMED,
        put("digest_algorithm", algorithm(SHA["sha256"], integer(5))),
    ),
    M(
        "signature algorithm of another hash",
        INVALID,
        put("signature_algorithm", algorithm(ECDSA["sha512"])),
    ),
    M(
        "signature algorithm of another key type",
        MALFORMED,
        put("signature_algorithm", algorithm(RSA["sha256"], NULL)),
    ),
    M("signature algorithm unknown", MALFORMED, put("signature_algorithm", algorithm("1.2.3.4"))),
    M(
        "signature algorithm with SHA-1",
        MALFORMED,
        put("signature_algorithm", algorithm("1.2.840.10045.4.1")),
    ),
    M(
        "signature algorithm with parameters",
        MALFORMED,
        put("signature_algorithm", algorithm(ECDSA["sha256"], integer(5))),
    ),
    M(
        "RSA with the name of another hash",
        MALFORMED,
        put("signature_algorithm", algorithm(RSA["sha512"], NULL)),
        lambda lab: lab.leaf(key=lab.rsa_key),
    ),
    M(
        "RSA with the name of an elliptic curve",
        MALFORMED,
        put("signature_algorithm", algorithm(ECDSA["sha256"])),
        lambda lab: lab.leaf(key=lab.rsa_key),
    ),
    M(
        "an Ed25519 key",
        UNSUPPORTED,
        nothing,
        leaf(key=ed25519.Ed25519PrivateKey.generate()),
        stricter="RFC 8419 allows it; neither C2PA reader reads such a time-stamp",
    ),
)

STRUCTURE_ROWS = (
    M("status grantedWithMods", TimestampRejected, put("status", seq(integer(1)))),
    M("status rejection, with a token", TimestampRejected, put("status", seq(integer(2)))),
    M("status waiting", TimestampRejected, put("status", seq(integer(3)))),
    M("status revocationNotification", TimestampRejected, put("status", seq(integer(5)))),
    M("status negative", TimestampRejected, put("status", seq(integer(-1)))),
    M("status of another kind", MALFORMED, put("status", seq(octets(b"\0")))),
    M("an empty status", MALFORMED, put("status", seq())),
    M("no status", MALFORMED, put("status", b"")),
    M("two tokens", MALFORMED, put("token_change", lambda token: token * 2)),
    M("bytes behind the token", MALFORMED, put("token_change", lambda token: token + b"\0")),
    M("the token cut by a byte", MALFORMED, put("token_change", lambda token: token[:-1])),
    M("no token", MALFORMED, put("token_change", lambda token: b"")),
    M(
        "a token of indefinite length",
        MALFORMED,
        put("token_change", lambda token: b"\x30\x80" + token[4:] + b"\0\0"),
    ),
    M(
        "a token with a padded length",
        MALFORMED,
        put("token_change", lambda token: b"\x30\x83\0" + token[2:]),
    ),
    M(
        "a token that is too large",
        UNSUPPORTED,
        put("unsigned", tlv(0xA1, attribute("1.2.3.4", octets(bytes(70_000))))),
        stricter="real ones have 1 to 8 kB",
    ),
    M("SignedData version 1", NOT_STRICT, put("signed_data_version", integer(1))),
    M("SignedData version 4", NOT_STRICT, put("signed_data_version", integer(4))),
    M("SignedData version 5", NOT_STRICT, put("signed_data_version", integer(5))),
    M("SignedData version of another kind", MALFORMED, put("signed_data_version", octets(b"\x03"))),
    M("content data in place of TSTInfo", MALFORMED, put("content_type", oid(ID_DATA))),
    M("content enveloped", MALFORMED, put("content_type", oid("1.2.840.113549.1.7.3"))),
    M("no content", MALFORMED, put("wrapped", lambda raw: b"")),
    M("content without octets", MALFORMED, put("wrapped", lambda raw: tlv(0xA0, raw))),
    M(
        "content in pieces",
        MALFORMED,
        put("wrapped", lambda raw: tlv(0xA0, tlv(0x24, octets(raw[:20]), octets(raw[20:])))),
    ),
    M("content under another tag", MALFORMED, put("wrapped", lambda raw: tlv(0xA1, octets(raw)))),
    M("two contents", MALFORMED, put("wrapped", lambda raw: tlv(0xA0, octets(raw)) * 2)),
    M("digest algorithms as a SEQUENCE", MALFORMED, put("digest_algorithms", seq(algorithm(SHA["sha256"])))),
    M("two equal signers", MALFORMED, put("signers", lambda info: info * 2)),
    M("no signer", MALFORMED, put("signers", lambda info: b"")),
    M("a signer of another kind", MALFORMED, put("signers", lambda info: b"\x31" + info[1:])),
    M("signer version 3", MALFORMED, put("signer_version", integer(3))),
    M("signer version 0", MALFORMED, put("signer_version", integer(0))),
    M(
        "signer named by its key",
        MALFORMED,
        both(
            put("signer_version", integer(3)),
            lambda lab, s: setattr(
                s,
                "signer",
                tlv(
                    0x80,
                    x509.SubjectKeyIdentifier.from_public_key(lab.authority.certificate.public_key()).digest,
                ),
            ),
        ),
        stricter="RFC 5652 allows it; every authority we know names issuer and serial",
    ),
    M("signer with the serial number of another", UNSUPPORTED, signer_of(serial="other")),
    M("signer with another issuer", UNSUPPORTED, signer_of(issuer="nobody")),
    M(
        "signer with the serial number of another, ESSCertID without",
        UNSUPPORTED,
        both(ESS_BARE, signer_of(serial="other")),
    ),
    M(
        "signer with another issuer, ESSCertID without",
        UNSUPPORTED,
        both(ESS_BARE, signer_of(issuer="nobody")),
    ),
    M(
        "signer who names another certificate of the bag",
        INVALID,
        both(
            ESS_BARE,
            signer_of(serial="other"),
            lambda lab, s: s.certificates.append(der(lab.other.certificate)),
        ),
    ),
    M(
        "signer with a field too many",
        MALFORMED,
        put("unsigned", tlv(0xA1, attribute("1.2.3.4", NULL)) + NULL),
    ),
    M(
        "unsigned attributes under another tag",
        MALFORMED,
        put("unsigned", tlv(0xA2, attribute("1.2.3.4", NULL))),
    ),
    M("lists of revoked under another tag", MALFORMED, put("crls", tlv(0xA3, seq()))),
)

TABLE = (
    *LEGAL_ROWS,
    *CERTIFICATE_ROWS,
    *TIME_ROWS,
    *STATEMENT_ROWS,
    *ATTRIBUTE_ROWS,
    *SIGNATURE_ROWS,
    *STRUCTURE_ROWS,
)
