"""What every Redis client here shares: where Redis is, and what to say when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from redis import ResponseError

from driftline.schemas.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from redis import RedisError

# In front of what went wrong in a transaction redis-py puts the command, and with it what we store; what comes after is
# the text of a tuple, which its versions before 8 forgot to fill in.
_CAUSE: Final = "of pipeline caused error: "
_FORGOTTEN: Final = "{exception.args}"


class RedisAddress:
    """Where a Redis is, as far as others may know: no user and no password.

    Raises
    ------
    ConfigurationError
        If the URL cannot be used.

    Examples
    --------
    >>> RedisAddress("redis://:secret@cache:6379/0").text
    'cache:6379'

    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"redis", "rediss", "unix"} and parts.port != 0
        except ValueError:  # an unescaped / or # in a password cuts the URL short, and the port is no number then
            usable = False
        if not usable:  # its text is in no message: it may hold a password
            raise ConfigurationError(
                "the URL of Redis must be such as redis://host:6379/0, the password percent-encoded"
            )
        self.text = parts.netloc.rpartition("@")[2] or parts.path

    def unavailable(self, error: RedisError) -> UnavailableError:
        """Return the error to raise for one of redis-py's."""
        said = "refused" if isinstance(error, ResponseError) else "does not answer"
        _, cause, reason = str(error).rpartition(_CAUSE)
        if cause:
            reason = type(error).__name__ if reason == _FORGOTTEN else reason.strip("(\"',)")
        return UnavailableError(f"Redis at {self.text} {said}: {reason}")
