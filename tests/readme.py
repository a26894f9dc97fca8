"""README.md and the blocks in it."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[tuple[str, str]]:
    """Return what follows the opening of each block, and its text."""
    return re.findall(r"^```([a-z]+(?: [a-z]+)?)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def the_block(kind: str) -> str:
    """Return the text of the one block of a kind."""
    (text,) = (text for each, text in blocks() if each == kind)
    return text


def commands() -> list[list[str]]:
    """Return every command of the shell blocks, in words, without comments."""
    lines = [line for kind, text in blocks() if kind == "sh" for line in text.replace("\\\n", "").splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]
