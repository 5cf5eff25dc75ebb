"""Warnings about strangers' certificates that are no message for a user. Loads nothing but the standard
library, because every command starts here."""

from __future__ import annotations

import warnings

# What pyca warns of and is accepted: none of it changes what a signature proves, and the name is shown only.
ACCEPTED = (
    "Attribute's length must be",  # a name with an attribute that is longer or shorter than RFC 5280 allows
    "Invalid ASN.1 .UTF-8 characters in a VisibleString",  # in the text of a certificate policy
    "Parsed a serial number which wasn't positive",  # zero, in some old roots; else refused before it is said
)


def ignore_accepted() -> None:
    """For the whole process, at its start: a warning about a stranger's certificate is no message for the
    user. Filters belong to all threads, so they are not changed around each reading."""
    for message in ACCEPTED:
        warnings.filterwarnings("ignore", message=message)
