"""Why a server says that an answer ended, in whichever API's words."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

Ending = Literal["done", "cut off", "refused", "broke off"]
"""done: the model ended it, or nothing else is known; cut off: its tokens were used up; refused: a filter of the server's ended
it; broke off: the server failed."""

_ENDINGS: Final[tuple[tuple[Ending, re.Pattern[str]], ...]] = (
    (
        "refused",
        re.compile(
            r"filter|safety|recitation|prohibit|block|spii|refus|guardrail|interven|sensitive|moderat|polic|toxic|harm|flagged"
            r"|armor|copyright|^language$"
        ),
    ),
    (
        "broke off",
        re.compile(
            r"error|abort|cancel|time_?out|time_limit|timed|rate_?limit|insufficient|network|disconnect|connection|interrupt"
            r"|overload|unavailable|exhaust|resource|preempt|evict|kill|fail|malformed|not_finished|incomplete|unexpected|pause"
            r"|missing|shut_?down|crash|^(?:other|load|unload|no_image|image_other)$"
        ),
    ),
    ("cut off", re.compile(r"length|max|limit|context|truncat|budget|repetition")),
)
"""The first that fits, by the words of OpenAI, Azure, Anthropic, Bedrock, Gemini, Mistral, Cohere, DeepSeek, Zhipu, watsonx,
vLLM, SGLang, llama.cpp, Ollama, TGI and OpenRouter."""


def ending(reason: Any) -> Ending:
    """What a finish reason says, be it in capitals, with a kind behind a colon, or in an object (SGLang)."""
    if isinstance(reason, dict):
        reason = reason.get("type")
    if not isinstance(reason, str):
        return "done"
    word = re.sub(r"[^a-z]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason).lower()).strip("_").removeprefix("finish_reason_")
    return next((found for found, words in _ENDINGS if words.search(word)), "done")
