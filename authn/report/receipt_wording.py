"""Every word that is said about a receipt to a person: on its page and by ``assay receipt``."""

from __future__ import annotations

RECEIPT_IS_ABOUT = (
    "This is about the credential in the file. Whether the picture still fits it, assay verify examines."
)
RECEIPT_PAGE_IS = (
    "A receipt proves that a log committed itself to a record of this file. This page computes that proof "
    "again, from the file, the receipt and keys that you know."
)
RECEIPT_PAGE_KEYS_CAME = (
    "These keys came with the page. Compare them with what you know from elsewhere: whoever gives you a page "
    "can give you keys of his own."
)
RECEIPT_PAGE_KEYS_MISSING = "A proof holds for these keys only, so take them from where you have reason to."
RECEIPT_PAGE_LEAVES_OUT = (
    "Whether the picture still fits its credential: a changed picture can carry an unchanged credential.",
    "Who signed it, whether the device was revoked, and what its time-stamp proves: assay verify does.",
    "Signatures of witnesses with ML-DSA-44, which no browser knows yet; assay receipt verify does.",
    "Whether the scene is true. A log keeps what was signed, true or not.",
)
