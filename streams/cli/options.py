"""The options that several commands have, and the settings of a command: its options, else the environment."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from driftline.schemas.errors import ConfigurationError
from driftline.streams.settings import Settings

KafkaOption: TypeAlias = Annotated[
    str | None, typer.Option("--kafka", metavar="HOST:PORT", help="Instead of DRIFTLINE_KAFKA.")
]
RedisOption: TypeAlias = Annotated[
    str | None, typer.Option("--redis", metavar="URL", help="Instead of DRIFTLINE_REDIS.")
]
ConfigOption: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The YAML file, instead of DRIFTLINE_CONFIG.")
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, one document a line, for scripts.")]


def settings_of(kafka: str | None = None, redis: str | None = None, config: Path | None = None) -> Settings:
    """Return the settings of this process, those that a command was given above those of the environment.

    Raises
    ------
    ConfigurationError
        If one cannot be used; it names the option, or else the variable.

    """
    options = {"DRIFTLINE_KAFKA": ("--kafka", kafka), "DRIFTLINE_REDIS": ("--redis", redis)}
    given = {variable: text for variable, (_, text) in options.items() if text is not None}
    for variable, (option, text) in options.items():
        if text == "":
            raise ConfigurationError(f"{option} is empty: leave it out, and {variable} or its default is taken")
    if config is not None:
        given["DRIFTLINE_CONFIG"] = str(config)
    try:
        return Settings.from_environment({**os.environ, **given})
    except ConfigurationError as error:
        message = str(error)
        for variable in given.keys() & options.keys():
            message = re.sub(rf"\b{variable}\b", options[variable][0], message)
        raise ConfigurationError(message) from None
