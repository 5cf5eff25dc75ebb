"""``python -m authn`` is ``assay``."""

from __future__ import annotations

from authn.core.interrupts import answer_from_now_on


def main() -> None:
    """Answer Ctrl-C first, load the rest after that."""
    answer_from_now_on()
    from authn.cli import main as run

    run()


if __name__ == "__main__":
    main()
