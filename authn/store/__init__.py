"""What the service remembers: devices, certificates, verifications. SQLite in WAL mode by default."""
