"""A set of paraphrases (a TOML file): other ways of asking a benchmark's questions, to see how much the wording does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, RootModel

from hope_bench.errors import HopeBenchError
from hope_bench.files.card import slug
from hope_bench.files.placeholders import check_prompt
from hope_bench.files.reading import read_toml
from hope_bench.records import Prompt

_Question = Annotated[str, Field(pattern=r"\{question\}")]


class Prompts(RootModel[dict[str, _Question]]):
    """A set of paraphrases: NAME = "... {question} ..."."""


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """One prompt of a set: the set's name (its file's), its own, and how it asks."""

    set: str
    name: str
    prompt: Prompt


def read_paraphrases(path: Path) -> tuple[Paraphrase, ...]:
    """The paraphrases of a TOML file, a line each: NAME = "... {question} ...".

    Raises HopeBenchError naming the file and the name of what is no prompt, or no other one.
    """
    data = read_toml(path)
    if not data:
        raise HopeBenchError(
            f'{path} declares no prompt. Write a line for each, such as: polite = "Please tell me: {{question}}"'
        )
    found: dict[str, Paraphrase] = {}
    said: dict[str, str] = {}
    for name, template in data.items():
        if not isinstance(template, str):
            raise HopeBenchError(
                f'{path}: {name} is no prompt: it is no text. Write one that holds "{{question}}" where the question goes.'
            )
        try:
            check_prompt(template)
        except ValueError as error:
            raise HopeBenchError(f"{path}: {name} is no prompt: {str(error).rstrip('.')}.") from None
        if slug(name) in found:
            raise HopeBenchError(f"{path}: {name} and {found[slug(name)].name} would be the same run. Rename one of them.")
        if template in said:
            raise HopeBenchError(f"{path}: {name} asks exactly as {said[template]} does. Remove one of them.")
        said[template] = name
        found[slug(name)] = Paraphrase(path.stem, name, Prompt(template))
    return tuple(found.values())
