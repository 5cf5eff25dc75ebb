"""The formats of proof that signer and verifier share: stores, signatures, certificates, tokens, paths."""
