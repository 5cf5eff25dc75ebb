"""What every room of the capture side stands on: errors, durable files, digests, boxes of ISO files."""
