"""Other tools' files"""

from __future__ import annotations

from pathlib import Path


def another_tool(path: Path) -> str | None:
    """TODO"""
    return None
