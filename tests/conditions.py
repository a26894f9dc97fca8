"""Waiting for something to become true, with a limit: what tests do instead of sleeping."""

import time
from collections.abc import Callable

_POLL_SECONDS = 0.02


def eventually(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Return as soon as `condition` gives something true; fail when it has not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {condition}")
        time.sleep(_POLL_SECONDS)
