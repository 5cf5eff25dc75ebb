"""What ``assay receipt`` says of a receipt to a person; its page has words of its own in each language."""

from __future__ import annotations

RECEIPT_IS_ABOUT = (
    "This is about the credential in the file. Whether the picture still fits it, assay verify examines."
)
