"""What every Redis client here shares: where Redis is, and what to say when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

from redis import Redis, RedisError, ResponseError
from redis.asyncio import Redis as AsyncRedis

from driftline.schemas.errors import ConfigurationError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

# In front of what went wrong in a transaction redis-py puts the command, and with it what we store; what comes after is
# the text of a tuple, which its versions before 8 forgot to fill in.
_CAUSE: Final = "of pipeline caused error: "
_FORGOTTEN: Final = "{exception.args}"

Client = TypeVar("Client", Redis, AsyncRedis)


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
            usable = _usable(parts)
        except ValueError:
            usable = False
        if not usable:  # its text is in no message: it may hold a password
            raise ConfigurationError(
                "the URL of Redis must be such as redis://host:6379/0, the password percent-encoded"
            )
        self.text = parts.netloc.rpartition("@")[2] or parts.path

    def client(self, make: Callable[[], Client]) -> Client:
        """Return the client that `make` makes from the URL, once the URL's options have been tried.

        redis-py would read some of them at the first command only, and raise what is none of its errors. Nothing is
        connected to here.

        Raises
        ------
        ConfigurationError
            If an option cannot be used.

        """
        try:
            client = make()
            pool = client.connection_pool
            pool.connection_class(**pool.connection_kwargs)
        except (AttributeError, TypeError, ValueError, RedisError) as error:
            raise ConfigurationError(f"the URL of Redis at {self.text} cannot be used: {error}") from None
        return client

    def unavailable(self, error: RedisError) -> UnavailableError:
        """Return the error to raise for one of redis-py's."""
        said = "refused" if isinstance(error, ResponseError) else "does not answer"
        _, cause, reason = str(error).rpartition(_CAUSE)
        if cause:
            reason = type(error).__name__ if reason == _FORGOTTEN else reason.strip("(\"',)")
        return UnavailableError(f"Redis at {self.text} {said}: {reason}")


def _usable(parts: SplitResult) -> bool:
    """Tell whether a URL is of Redis and whole: an unescaped /, ? or # in a password cuts its host off.

    Raises
    ------
    ValueError
        If the port is no number, which is what the cut leaves most often, or the host no name.

    """
    if parts.scheme == "unix":  # it has no host, and an @ in its path is one of a file's name
        return parts.netloc.rpartition("@")[2] == ""
    (parts.hostname or "").encode("idna")  # as connecting does
    cut = "@" in parts.path + parts.query + parts.fragment
    return parts.scheme in {"redis", "rediss"} and parts.port != 0 and not cut
