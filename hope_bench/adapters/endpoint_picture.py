"""A picture as a request holds it: its address, or the picture itself."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING
from urllib.parse import quote

from PIL import Image

if TYPE_CHECKING:
    from hope_bench.files.card import ModelCard

_JPEG_QUALITY = 95


def picture_url(image: Image.Image, card: ModelCard) -> str:
    """Where the server fetches an RGB picture (`image_url_base`), or the picture itself: without loss, unless the card says
    otherwise (`image_format`, JPEG of quality 95 without colour subsampling; `image_max_side`)."""
    name = image.info.get("file_name")
    if card.image_url_base is not None and name is not None:
        return f"{card.image_url_base.rstrip('/')}/{quote(name)}"
    sent, largest = image, card.image_max_side
    if largest is not None:
        scale = min(largest / max(image.size), 1)
        width, height = (max(round(side * scale), 1) for side in image.size)
        sent = image.resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    if card.image_format == "jpeg":
        sent.save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        sent.save(buffer, "PNG", compress_level=1)
    return f"data:image/{card.image_format};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def picture_note(card: ModelCard) -> str | None:
    """In words, how pictures are changed before they are sent; None where they are not."""
    changes = [] if card.image_format == "png" else ["as JPEG"]
    if card.image_max_side is not None:
        changes.append(f"at most {card.image_max_side} pixels a side")
    return f"Pictures were sent {', '.join(changes)}." if changes else None
