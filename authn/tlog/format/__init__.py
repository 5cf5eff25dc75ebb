"""What a transparency log writes, as bytes and values: leaves, tiles, notes, proofs, receipts."""
