"""The whole job on one photo, with real parts: service, device, signature, time-stamp, variants, reports."""
