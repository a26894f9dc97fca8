"""The command line: ``driftline demo | worker | replay | status | alerts | topics | check | schema``."""

from __future__ import annotations

import typer
from typer.exceptions import TyperException

from driftline.schemas.errors import ConfigurationError, DriftlineError, reworded
from driftline.streams.cli.commands import app
from driftline.streams.cli.output import printable, writing

__all__ = ["run"]

_FAILED = 1
_MISUSED = 2
_INTERRUPTED = 130


def run() -> int:
    """Run the command of this process and return its exit code.

    0 is success, 1 a failure, 2 a mistake in usage or configuration, 3 an open incident where that was asked for. What
    Driftline raises on purpose is told in one sentence; anything else is a bug and shows its traceback.
    """
    try:
        code = int(app(prog_name="driftline", standalone_mode=False) or 0)
        with writing():  # what is still in the buffer
            return code
    except DriftlineError as error:
        return _say(str(error), _MISUSED if isinstance(error, ConfigurationError) else _FAILED)
    except TyperException as error:  # a wrong option, a missing argument
        message = reworded(error.format_message())
        # None of its own: the command was given nothing, and its help has just been shown.
        return _say(f"{message}{_stop(message)} See driftline --help.", _MISUSED) if message else _MISUSED
    except typer.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _INTERRUPTED
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "driftline":
            raise
        needs = "which this command needs: pip install '.[worker]' in Driftline's checkout"
        return _say(f"{error.name} is not installed, {needs}", _FAILED)


def _stop(sentence: str) -> str:
    return "" if sentence.endswith((".", "?")) else "."


def _say(message: str, code: int) -> int:
    # A configuration may have several mistakes, one a line.
    lines = [printable(line) for line in message.split("\n")]
    typer.echo("driftline: " + "\n".join(lines), err=True)
    return code
