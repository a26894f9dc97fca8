"""``driftline`` and ``python -m driftline``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the base installation is the client alone and has none."""
    try:
        from driftline.streams.cli import run  # noqa: PLC0415 - needs an extra
    except ModuleNotFoundError as error:
        sys.exit(
            f"driftline: {error.name} is not installed, which the command line needs: "
            "pip install '.[worker]' in Driftline's checkout"
        )
    sys.exit(run())


if __name__ == "__main__":
    main()
