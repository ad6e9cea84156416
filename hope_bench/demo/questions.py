"""What can truly or falsely be said of a scene: phrases, captions and the LVLM's training questions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hope_bench.demo.world import CATEGORIES, COLORS, SCENES, SceneObject

SIZES: Final = ("small", "large")
SIDES: Final = ("left", "right")
HALVES: Final = ("top", "bottom")
NUMBERS: Final = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five"}
_CAPTIONED: Final = (2, 3, 4)
"""Numbers that captions mention."""
ATTRIBUTE_WEIGHTS: Final = {"color": 3.0, "size": 1.5, "side": 1.5, "half": 1.5, "relation": 1.0, "count": 0.6}
"""How often the LVLM is asked about each kind of attribute in training."""
_VALUES: Final = {"color": tuple(COLORS), "size": SIZES, "side": SIDES, "half": HALVES}

INSTRUCTION: Final = "Please answer yes or no."
_INSTRUCTION_RATE: Final = 0.25
_OTHER_INSTRUCTIONS: Final = ("Answer the question using a single word or phrase.", "Answer with yes or no.")


def with_article(noun: str) -> str:
    """ "a mug", "an apple"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def plural(noun: str) -> str:
    """ "mugs", "buses", "benches"."""
    return noun + ("es" if noun.endswith(("s", "sh", "ch")) else "s")


def phrase(category: str, kind: str, value: str = "") -> str:
    """A noun phrase of `category`: kind "object", or an attribute's kind with its value ("color", "red")."""
    if kind in ("color", "size"):
        return with_article(f"{value} {category}")
    if kind == "side":
        return f"{with_article(category)} on the {value} side"
    if kind == "half":
        return f"{with_article(category)} in the {value} half"
    return with_article(category)


def question(category: str, kind: str = "object", value: str = "") -> str:
    """The yes/no question about `phrase`; kind "count" takes a number word ("two")."""
    if kind == "count":
        verb, noun = ("Is", category) if value == "one" else ("Are", plural(category))
        return f"{verb} there exactly {value} {noun} in the image?"
    where = "of" if kind in ("side", "half") else "in"
    return f"Is there {phrase(category, kind, value)} {where} the image?"


def attribute(item: SceneObject, kind: str) -> str | None:
    """The object's value of an attribute ("color", "size", "side", "half"), None where it is not clear."""
    return {"color": item.color, "size": item.size, "side": item.side, "half": item.half}[kind]


def caption(kind: str, objects: Sequence[SceneObject], rng: random.Random) -> str:
    """One true sentence about a scene of `kind`, large objects more often than small ones; "" for an empty scene."""
    if not objects:
        return with_article(kind)
    form = rng.random()
    if form < 0.4:
        return f"{_opening(rng)}{_described(_prominent(objects, 1, rng)[0], objects, rng)}"
    if form < 0.52:
        return f"{_described(_prominent(objects, 1, rng)[0], objects, rng, places=False)} in {with_article(kind)}"
    chosen = _prominent(objects, rng.choice((2, 2, 3, 4)), rng)
    # One place at most: longer captions would not fit the CLIP's context.
    said = [_described(item, objects, rng, places=index == 0) for index, item in enumerate(chosen)]
    said = list(dict.fromkeys(said))
    rng.shuffle(said)
    joined = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"{with_article(kind)} with {joined}" if rng.random() < 0.3 else f"{_opening(rng)}{joined}"


def _opening(rng: random.Random) -> str:
    openings = ("a photo of ", "", "a picture of ", "an image of ", "a photo with ")
    return rng.choices(openings, (6, 2, 1, 1, 0.5))[0]


def _prominent(objects: Sequence[SceneObject], count: int, rng: random.Random) -> list[SceneObject]:
    pool = list(objects)
    chosen: list[SceneObject] = []
    while pool and len(chosen) < count:
        chosen.append(pool.pop(rng.choices(range(len(pool)), [item.area**0.5 for item in pool])[0]))
    return chosen


def _described(item: SceneObject, objects: Sequence[SceneObject], rng: random.Random, places: bool = True) -> str:
    kinds = ("object", "color", "size", "side", "half", "both", "count")
    kind = rng.choices(kinds, (3, 1.5, 1, 1 if places else 0, 1 if places else 0, 0.7, 0.5))[0]
    number = sum(other.category == item.category for other in objects)
    if kind == "count" and number in _CAPTIONED:
        return f"{NUMBERS[number]} {plural(item.category)}"
    if kind == "both" and item.size:
        return with_article(f"{item.size} {item.color} {item.category}")
    if kind in _VALUES and (value := attribute(item, kind)):
        return phrase(item.category, kind, value)
    return with_article(item.category)


@dataclass(frozen=True)
class WorldQuestion:
    """A yes/no question about a scene; `kind` is "object" or an attribute's."""

    text: str
    answer: bool
    kind: str


class QuestionSampler:
    """Draws questions as POPE would ask them: absent objects are uniform, frequent or co-occurring, a third each.

    `scenes` are the objects of the scenes that say what is frequent and what co-occurs. No CLIP takes part.
    """

    def __init__(self, scenes: Iterable[Sequence[SceneObject]]) -> None:
        index = {category: position for position, category in enumerate(CATEGORIES)}
        self._together = np.zeros((len(CATEGORIES), len(CATEGORIES)))
        for objects in scenes:
            present = sorted({index[item.category] for item in objects})
            self._together[np.ix_(present, present)] += 1
        self._index = index

    def objects(self, objects: Sequence[SceneObject], rng: random.Random, count: int = 3) -> list[WorldQuestion]:
        """`count` questions about present objects, then `count` about absent ones."""
        present = list(dict.fromkeys(item.category for item in objects))
        rng.shuffle(present)
        asked = [WorldQuestion(question(category), True, "object") for category in (present * count)[:count]]
        taken = set(present)
        for _ in range(count):
            category = self._absent(present, taken, rng)
            taken.add(category)
            asked.append(WorldQuestion(question(category), False, "object"))
        return asked

    def _absent(self, present: Sequence[str], taken: set[str], rng: random.Random) -> str:
        allowed = [category for category in CATEGORIES if category not in taken]
        columns = [self._index[category] for category in allowed]
        strategy = rng.randrange(3)
        if strategy == 0:
            return rng.choice(allowed)
        if strategy == 1:
            weights = self._together.diagonal()[columns]
        else:
            rows = [self._index[category] for category in present]
            weights = self._together[rows].sum(0)[columns] ** 2
        return rng.choices(allowed, list(weights + 1e-9))[0]

    def attributes(self, objects: Sequence[SceneObject], rng: random.Random, count: int) -> list[WorldQuestion]:
        """`count` questions on attributes of present objects, half of them false for every instance of the object."""
        asked: list[WorldQuestion] = []
        kinds, weights = list(ATTRIBUTE_WEIGHTS), list(ATTRIBUTE_WEIGHTS.values())
        while len(asked) < count:
            found = attribute_question(objects, rng.choices(kinds, weights)[0], rng.random() < 0.5, rng)
            if found:
                asked.append(found)
        return asked


def attribute_question(objects: Sequence[SceneObject], kind: str, answer: bool, rng: random.Random) -> WorldQuestion | None:
    """A question of this kind and answer about one of the objects, or None where the scene allows none."""
    if kind == "count":
        return _count_question(objects, answer, rng)
    if kind == "relation":
        return _relation_question(objects, answer, rng)
    item = rng.choice(objects)
    value = attribute(item, kind)
    if not answer:
        values = {attribute(other, kind) for other in objects if other.category == item.category}
        # An unclear instance may be what the value says: then nothing is clearly false.
        wrong = [option for option in _VALUES[kind] if option not in values] if None not in values else []
        value = rng.choice(wrong) if wrong else None
    return WorldQuestion(question(item.category, kind, value), answer, kind) if value else None


def _count_question(objects: Sequence[SceneObject], answer: bool, rng: random.Random) -> WorldQuestion | None:
    number = rng.choices(list(NUMBERS), (1, 4, 1, 0.3, 0.2))[0]
    counts = Counter(item.category for item in objects)
    fitting = [category for category, count in counts.items() if (count == number) == answer]
    # Few scenes show a category twice: without this, "exactly two" would be false nearly always.
    if not fitting or (number > 1 and not answer and rng.random() < 0.6):
        return None
    return WorldQuestion(question(rng.choice(fitting), "count", NUMBERS[number]), answer, "count")


def _relation_question(objects: Sequence[SceneObject], answer: bool, rng: random.Random) -> WorldQuestion | None:
    """Left or right of another object, where both occur once and their boxes don't overlap sideways."""
    counts = Counter(item.category for item in objects)
    single = [item for item in objects if counts[item.category] == 1]
    if len(single) < 2:
        return None
    item, other = rng.sample(single, 2)
    if item.box[0] + item.box[2] > other.box[0] and other.box[0] + other.box[2] > item.box[0]:
        return None
    direction = "left" if (item.box[0] < other.box[0]) == answer else "right"
    place = f"{with_article(item.category)} to the {direction} of the {other.category}"
    return WorldQuestion(f"Is there {place} in the image?", answer, "relation")


_OPEN: Final = {
    "color": "What color is the {} in the image?",
    "size": "What size is the {} in the image?",
    "side": "Which side of the image is the {} on?",
    "half": "Which half of the image is the {} in?",
}


def open_question(objects: Sequence[SceneObject], rng: random.Random) -> tuple[str, str]:
    """A question with one right word for an answer, and that word; about a number where nothing else is unambiguous.

    They teach the LVLM to find an object's attributes; from yes and no alone it learns that much more slowly.
    """
    category = rng.choice(objects).category
    kind = rng.choices(list(_OPEN), (2, 1, 1.5, 1.5))[0]
    items = [item for item in objects if item.category == category]
    values = {attribute(item, kind) for item in items}
    value = values.pop()
    if values or value is None:
        return f"How many {plural(category)} are in the image?", NUMBERS[min(len(items), max(NUMBERS))]
    return _OPEN[kind].format(category), value


def instructed(text: str, rng: random.Random) -> str:
    """The question as users put it: a quarter of the time with an instruction before or after it."""
    if rng.random() >= _INSTRUCTION_RATE:
        return text
    instruction = INSTRUCTION if rng.random() < 0.7 else rng.choice(_OTHER_INSTRUCTIONS)
    return f"{text} {instruction}" if rng.random() < 0.5 else f"{instruction} {text}"


def caption_vocabulary() -> list[str]:
    """The words that the CLIP's tokenizer has merges for, sorted; another list makes another tokenizer, to be trained anew."""
    sentences = [INSTRUCTION, *_OTHER_INSTRUCTIONS, "a photo picture image of with and , . ? : user assistant system"]
    sentences += ["the this what which is are there exactly on in at to next not only scene objects object any"]
    sentences += [*SCENES, *COLORS, *SIZES, "one two three four", *CATEGORIES, *map(plural, CATEGORIES)]
    sentences += [question("cup", kind, value) for kind, values in _VALUES.items() for value in values]
    return sorted(_words(sentences) | {"yes", "no", "an", "be"})


def question_vocabulary() -> list[str]:
    """Every word and mark of the questions, their answers and the instructions, lower case, sorted."""
    return sorted({*caption_vocabulary()} | _words([*NUMBERS.values(), *_OPEN.values(), "how many"]) - {"{", "}", "{}"})


def _words(sentences: Iterable[str]) -> set[str]:
    text = " ".join(sentences).lower()
    for mark in ",.?:":
        text = text.replace(mark, f" {mark} ")
    return set(text.split())
