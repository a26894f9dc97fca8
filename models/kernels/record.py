"""What a kernel is given of a bank: one of its records."""

from __future__ import annotations

from typing import Any, TypeAlias

Record: TypeAlias = Any
"""A record of a structured array, seen in place: its fields are attributes in a kernel, which mypy cannot know."""
