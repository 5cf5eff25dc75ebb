"""Cryptographic evidence. Nothing in this folder opens a file given by a stranger, a socket, or a clock;
``engines`` hands bytes to two foreign readers, ``roots`` reads the files that the operator names."""
