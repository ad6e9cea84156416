"""Chat messages as logs hold them: the text of one, and the image's name where it is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def text_of(messages: Any) -> str | None:
    """The text of the last user's message, else of the last one, without what a model thought; plain text as it is. None
    without any."""
    if isinstance(messages, str):
        return messages
    said = [one for one in _messages(messages) if one.get("role") != "system"]
    users = [one for one in said if one.get("role") == "user"] or said
    if not users:
        return None
    content = users[-1].get("content")
    if isinstance(content, str):
        return content
    texts = [part["text"] for part in _parts(content) if part.get("type") == "text" and isinstance(part.get("text"), str)]
    return "\n".join(texts) if texts else None


def image_of(messages: Any) -> str | None:
    """The name of the picture in messages; None where they hold the picture itself, or refer to it otherwise."""
    for message in _messages(messages):
        for part in _parts(message.get("content")):
            named = part.get("image", part.get("image_url"))
            named = named.get("url") if isinstance(named, dict) else named
            if isinstance(named, str) and is_name(named):
                return named
    return None


def is_name(image: str) -> bool:
    """Whether what stands for a picture is its file's name, and not the picture itself or a reference to it."""
    return 0 < len(image) < 500 and not image.startswith(("data:", "attachment:", "http:", "https:"))


def _messages(messages: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in messages if isinstance(one, dict)) if isinstance(messages, list) else iter(())


def _parts(content: Any) -> Iterator[Mapping[str, Any]]:
    return (one for one in content if isinstance(one, dict)) if isinstance(content, list) else iter(())
