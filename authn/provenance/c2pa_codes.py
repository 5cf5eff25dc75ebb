"""The codes of failure that C2PA lists (technical specification 1.4 to 2.4, section 15; conformance rubrics).

An engine may have codes of its own (``com.encypher.*``, ``com.adobe.prerelease``): opinions in nobody else's
words. They are shown and count on no axis. An engine that could not look says so by what it does *not* say:
without its success codes nothing is established.
"""

from __future__ import annotations

# A digest or a signature was computed, and it differs: no opinion about structure can weaken that.
MISMATCH = frozenset(
    {
        "assertion.dataHash.mismatch",
        "assertion.bmffHash.mismatch",
        "assertion.boxesHash.mismatch",
        "assertion.boxesHash.unknownBox",
        "assertion.collectionHash.mismatch",
        "assertion.multiAssetHash.mismatch",
        "assertion.hashedURI.mismatch",
        "assertion.alternativeContentRepresentation.hashMismatch",
        "assertion.external-reference.hashMismatch",
        "hashedURI.mismatch",
        "claimSignature.mismatch",
    }
)
# The reader could not do it, or does not say what it could not do: nothing is found about the file.
COULD_NOT = frozenset(
    {
        "general.error",
        "algorithm.unsupported",
        "algorithm.deprecated",
        "manifest.inaccessible",
        "assertion.inaccessible",
        "claim.inaccessible",
        "hashedURI.inaccessible",
        "ingredient.inaccessible",
    }
)
# Something of the manifest store is missing, doubled or not in its form.
STRUCTURE = frozenset(
    {
        "assertion.bmffHash.malformed",
        "assertion.boxesHash.malformed",
        "assertion.dataHash.malformed",
        "assertion.dataHash.redacted",
        "assertion.collectionHash.incorrectFileCount",
        "assertion.collectionHash.incorrectItemCount",
        "assertion.collectionHash.invalidURI",
        "assertion.collectionHash.malformed",
        "assertion.multiAssetHash.malformed",
        "assertion.multiAssetHash.missingPart",
        "assertion.alternativeContentRepresentation.malformed",
        "assertion.alternativeContentRepresentation.missing",
        "assertion.external-reference.malformed",
        "assertion.external-reference.labelMismatch",
        "assertion.external-reference.created",
        "assertion.external-reference.actions",
        "assertion.external-reference.hardBinding",
        "assertion.cloud-data.hardBinding",
        "assertion.cloud-data.labelMismatch",
        "assertion.cloud-data.malformed",
        "assertion.cloud-data.actions",
        "assertion.cbor.invalid",
        "assertion.json.invalid",
        "assertion.hardBinding.redacted",
        "assertion.ingredient.malformed",
        "assertion.metadata.disallowed",
        "assertion.missing",
        "assertion.multipleHardBindings",
        "assertion.notRedacted",
        "assertion.selfRedacted",
        "assertion.outsideManifest",
        "assertion.required.missing",
        "assertion.timestamp.malformed",
        "assertion.undeclared",
        "claim.cbor.invalid",
        "claim.hardBindings.missing",
        "claim.malformed",
        "claim.missing",
        "claim.multiple",
        "claim.required.missing",
        "claimSignature.missing",
        "hashedURI.missing",
        "manifest.html.multipleManifests",
        "manifest.missing",
        "manifest.multipleParents",
        "manifest.structuredText.emptyReference",
        "manifest.structuredText.malformedReference",
        "manifest.structuredText.multipleReferences",
        "manifest.structuredText.noManifest",
        "manifest.structuredText.noResolutionPath",
        "manifest.timestamp.invalid",
        "manifest.timestamp.wrongParents",
        "manifest.unreferenced",
    }
)
BYTES = MISMATCH | COULD_NOT | STRUCTURE

SIGNER = frozenset(
    {
        "signingCredential.untrusted",
        "signingCredential.invalid",
        "signingCredential.expired",
        "claimSignature.outsideValidity",
    }
)
REVOCATION = frozenset(
    {
        "signingCredential.revoked",
        "signingCredential.ocsp.revoked",
        "signingCredential.ocsp.unknown",
    }
)
TIME = frozenset(
    {
        "timeStamp.mismatch",
        "timeStamp.malformed",
        "timeStamp.outsideValidity",
        "timeStamp.untrusted",
        "timeStamp.credentialInvalid",
    }
)
HISTORY = frozenset(
    {
        "assertion.action.malformed",
        "assertion.action.missing",
        "assertion.action.redacted",
        "assertion.action.ingredientMismatch",
        "assertion.action.redactionMismatch",
        "assertion.action.softBindingMissing",
        "ingredient.claimSignature.mismatch",
        "ingredient.claimSignature.missing",
        "ingredient.hashedURI.mismatch",
        "ingredient.malformed",
        "ingredient.manifest.mismatch",
        "ingredient.manifest.missing",
        "manifest.compressed.invalid",
        "manifest.update.invalid",
        "manifest.update.wrongParents",
    }
)
IDENTITY_PREFIX = "cawg."
