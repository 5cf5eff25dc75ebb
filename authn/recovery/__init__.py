"""Which photos that were signed here a picture looks like: found again when the credential is gone."""
