"""``python -m authn`` is ``assay``."""

from authn.cli import main

main()
