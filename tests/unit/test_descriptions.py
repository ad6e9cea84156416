"""Descriptions: what is known to be true and false of present objects, from boxes, annotations, the bank and a user's file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.records import Annotations, Category, Image, Relationships
from hope_bench.search.attribute_bank import attribute_bank, named_attributes, passes_for, relation_bank
from hope_bench.search.description import Describer, Description, Descriptions
from hope_bench.search.description_geometry import usable
from hope_bench.search.description_given import _verb, read_given

LEFT, RIGHT, MIDDLE = (5, 40, 20, 20), (70, 40, 20, 20), (40, 40, 20, 20)


def scene(*objects: tuple[str, Sequence[float] | None], **more: Any) -> Annotations:
    """One image of 100 x 100 pixels with named boxes."""
    names = list(dict.fromkeys(name for name, _ in objects))
    categories = more.pop("categories", None) or tuple(Category(name) for name in names)
    column = {category.name: place for place, category in enumerate(categories)}
    boxes = np.array([box or (np.nan,) * 4 for _, box in objects], dtype=np.float32).reshape(-1, 4)
    return Annotations(
        categories=categories,
        images=(Image("a.jpg", 100, 100),),
        starts=np.array([0, len(objects)]),
        category_of=np.array([column[name] for name, _ in objects], dtype=np.int32),
        crowd=more.pop("crowd", np.zeros(len(objects), dtype=np.bool_)),
        boxes=boxes,
        **more,
    )


def describe(annotations: Annotations) -> tuple[set[str], set[str]]:
    """The true and the false questions about the only image."""
    found = Describer(annotations).describe(0)
    return {one.question for one in found.true}, {one.question for one in found.false}


def test_what_boxes_say() -> None:
    true, false = describe(scene(("cup", LEFT), ("bowl", RIGHT), ("bowl", RIGHT)))
    assert true >= {
        "Is there exactly one cup in the image?", "Are there exactly two bowls in the image?",
        "Is there a cup on the left side of the image?", "Is there a bowl on the right side of the image?",
    }  # fmt: skip
    assert false >= {
        "Are there exactly two cups in the image?", "Is there exactly one bowl in the image?",
        "Is there a cup on the right side of the image?", "Is there a bowl on the left side of the image?",
    }  # fmt: skip
    assert not any("half" in question for question in true | false), "in the middle of the height"
    assert not any("of the bowl" in question for question in true | false), "the bowl: there are two"


def test_an_instance_on_either_side_makes_both_sides_true() -> None:
    true, false = describe(scene(("cup", LEFT), ("cup", RIGHT)))
    assert {"Is there a cup on the left side of the image?", "Is there a cup on the right side of the image?"} <= true
    assert not any("side" in question for question in false)
    true, false = describe(scene(("cup", LEFT), ("cup", MIDDLE)))
    assert not any("side" in question for question in false), (
        "the other one is in the middle: the right side isn't clearly without"
    )


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((10, 5, 80, 40), {"top"}),
        ((10, 55, 80, 40), {"bottom"}),
        ((10, 0, 80, 54), set()),  # reaches into the bottom half
        ((10, 0, 80, 48), set()),  # too near the middle for a box drawn by hand
        ((10, 52, 80, 48), set()),
        ((0, 10, 45, 80), {"left"}),
        ((0, 10, 45.005, 80), set()),  # in pixels no margin is rounded
        ((0, 10, 54, 80), set()),
        ((55, 10, 45, 80), {"right"}),
        ((46, 10, 54, 80), set()),
    ],
)
def test_sides_and_halves_are_claimed_only_of_boxes_wholly_on_one(box: tuple[float, ...], said: set[str]) -> None:
    opposite = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
    found = Describer(scene(("fork", box))).describe(0)
    assert {one.value for one in found.true if one.kind in ("side", "half")} == said
    assert {one.value for one in found.false if one.kind in ("side", "half")} == {opposite[value] for value in said}


def test_a_side_is_denied_only_where_every_instance_lies_wholly_on_the_other() -> None:
    found = Describer(scene(("fork", (0, 10, 30, 80)), ("fork", (0, 10, 52, 80)))).describe(0)
    assert {one.value for one in found.true if one.kind == "side"} == {"left"}, "the first fork"
    assert not [one for one in found.false if one.kind == "side"], "the second fork reaches the right side"


def test_relations_need_boxes_apart() -> None:
    true, false = describe(scene(("cup", LEFT), ("bowl", RIGHT)))
    assert {
        "Is there a cup to the left of the bowl in the image?",
        "Is there a bowl to the right of the cup in the image?",
    } <= true
    assert {
        "Is there a cup to the right of the bowl in the image?",
        "Is there a bowl to the left of the cup in the image?",
    } <= false
    true, false = describe(scene(("cup", (5, 40, 40, 20)), ("bowl", (44, 40, 40, 20))))
    assert not any("of the bowl" in question or "of the cup" in question for question in true | false)


@pytest.mark.parametrize(
    "doubtful",
    [
        {"crowd": np.array([True, False])},
        {"not_exhaustive": {0: frozenset({0})}},
        {"also_present": {0: (0,)}},
        {"categories": (Category("person"), Category("adult", parents=("person",)), Category("woman", parents=("adult",)))},
    ],
    ids=["crowd", "not exhaustive", "present beyond its boxes", "a narrower name is present"],
)
def test_nothing_is_said_of_objects_whose_instances_are_not_all_known(doubtful: dict[str, Any]) -> None:
    colours = {0: {"color": "red"}, 1: {"color": "blue"}}
    found = Describer(scene(("person", LEFT), ("woman", RIGHT), attributes=colours, **doubtful)).describe(0)
    assert {one.object for one in (*found.true, *found.false)} == {"woman"}
    guessed = {0: {"color": "red"}, 1: {"color": "red"}}
    banked = Describer(scene(("person", LEFT), ("woman", RIGHT), **doubtful)).from_bank(0, guessed, attribute_bank())
    assert {one.object for one in (*banked.true, *banked.false)} == {"woman"}


def test_lists_without_boxes_say_nothing_of_numbers_and_neither_do_boxes_drawn_twice() -> None:
    none = scene(("cup", None), ("bowl", LEFT), ("bowl", None))
    assert describe(none) == (set(), set()), "a box without a size may be the other one's"
    listed = Annotations(
        none.categories, none.images, np.array([0, 2]), np.array([0, 1], dtype=np.int32), np.zeros(2, dtype=np.bool_)
    )
    assert describe(listed) == (set(), set())
    true, false = describe(scene(("cup", LEFT), every_instance=False))
    assert not any("exactly" in question for question in true | false)
    assert "Is there a cup on the left side of the image?" in true


def test_attributes_are_false_where_every_instance_has_another() -> None:
    colours = {0: {"color": "red"}, 1: {"color": "white"}, 2: {"color": "blue"}}
    true, false = describe(scene(("car", MIDDLE), ("car", MIDDLE), ("van", MIDDLE), attributes=colours))
    assert {"Is there a red car in the image?", "Is there a white car in the image?"} <= true
    assert "Is there a blue car in the image?" in false
    true, false = describe(scene(("car", MIDDLE), ("car", MIDDLE), ("van", MIDDLE), attributes={0: colours[0], 2: colours[2]}))
    assert "Is there a red car in the image?" in true
    assert not any("car" in question and "exactly" not in question for question in false), "the other car's colour is unknown"


def test_what_may_pass_for_the_true_value_is_not_known_to_be_false() -> None:
    colours = dict(enumerate({"color": value} for value in ("red", "orange", "blue", "dark red", "grey", "gray")))
    names = [f"thing{letter}" for letter in "abcdef"]
    _, false = describe(scene(*((name, MIDDLE) for name in names), attributes=colours))
    claims = {question.split(" in the")[0] for question in false if "exactly" not in question}
    assert "Is there a blue thinga" in claims, "a red one"
    for near in ("an orange thinga", "a dark red thinga", "a red thingd", "a gray thinge", "a grey thingf", "a grey thingc"):
        assert f"Is there {near}" not in claims
    assert passes_for("gray", "white")
    assert passes_for("white", "gray")
    assert not passes_for("red", "green")
    guessed = Describer(scene(("dog", MIDDLE))).from_bank(0, {0: {"color": "red"}}, attribute_bank())
    assert {one.value for one in guessed.false}.isdisjoint({"orange", "pink", "brown", "purple", "red"})
    assert {one.value for one in guessed.false} >= {"green", "blue", "white"}


def test_open_lists_of_attributes_are_read_by_the_banks_groups() -> None:
    assert named_attributes({"attributes": ("Red", "shiny", "wooden")}) == {"color": "red", "material": "wooden"}
    assert named_attributes({"attributes": ("red", "blue")}) == {}, "two colours: neither is known to be false"
    assert named_attributes({"color": "teal", "count": 3, "note": "", "occluded": False}) == {"color": "teal"}
    for nothing in ("unknown", "ABC 123", "true", "a long remark about it", "n/a"):
        assert named_attributes({"note": nothing}) == {}
    assert named_attributes({"note": "very dark red", "make": " half-open ", "x": "four words of it"}) == {
        "note": "very dark red", "make": "half-open",
    }  # fmt: skip
    assert named_attributes({"color": "blue", "more": ["red", 3, "wooden"]}) == {"color": "blue", "material": "wooden"}


def test_the_banks_groups_exclude_each_other() -> None:
    for group in attribute_bank():
        assert len(group.values) == len(set(group.values)) >= 2
    words = [value for group in attribute_bank() for value in group.values]
    assert len(words) == len(set(words)), "an open list's word belongs to one group"
    for group in relation_bank():
        forms = [form for value, others in group.forms.items() for form in (value, *others)]
        assert len(forms) == len(set(forms)) > 2


def test_the_banks_guesses_describe_only_objects_that_occur_once() -> None:
    groups = [group for group in attribute_bank() if group.name == "color"]
    annotations = scene(("dog", LEFT), ("cup", LEFT), ("cup", RIGHT))
    found = Describer(annotations).from_bank(0, {0: {"color": "red"}, 1: {"color": "blue"}}, groups)
    assert [one.question for one in found.true] == ["Is there a red dog in the image?"]
    assert "Is there a green dog in the image?" in {one.question for one in found.false}
    assert {(one.object, one.kind) for one in found.false} == {("dog", "bank")}
    two = attribute_bank()[:2]
    winners = {group.name: group.values[0] for group in two}
    found = Describer(annotations).from_bank(0, {0: winners}, two)
    assert {(one.group, one.value) for one in found.true} == set(winners.items())
    annotated = scene(("dog", LEFT), attributes={0: {"color": "blue"}})
    assert Describer(annotated).from_bank(0, {0: {"color": "red"}}, groups) == Descriptions(), "what is annotated is not guessed"


def related(*rows: tuple[int, str, int]) -> Relationships:
    predicates = tuple(dict.fromkeys(predicate for _, predicate, _ in rows))
    return Relationships(
        predicates, np.array([0, len(rows)]), np.array([row[0] for row in rows]),
        np.array([predicates.index(row[1]) for row in rows], dtype=np.int32), np.array([row[2] for row in rows]),
    )  # fmt: skip


def relations(annotations: Annotations) -> tuple[set[str], set[str]]:
    found = Describer(annotations, ("attributes",)).describe(0)
    assert {one.kind for one in (*found.true, *found.false)} <= {"relation"}
    return {one.question for one in found.true}, {one.question for one in found.false}


def test_annotated_relationships_exclude_others() -> None:
    objects = (("man", MIDDLE), ("horse", MIDDLE))
    true, false = relations(scene(*objects, relationships=related((0, "rides", 1), (0, "near", 1))))
    assert true == {"Is there a man riding the horse in the image?"}
    assert false == {f"Is there a man {doing} the horse in the image?" for doing in ("pushing", "pulling", "carrying")}
    true, false = relations(scene(*objects, relationships=related((0, "Behind", 1))))
    assert (true, false) == (
        {"Is there a man behind the horse in the image?"}, {"Is there a man in front of the horse in the image?"},
    )  # fmt: skip
    assert relations(scene(*objects, relationships=related((0, "behind", 1), (0, "in front of", 1)))) == (set(), set())
    assert relations(scene(*objects, ("horse", LEFT), relationships=related((0, "behind", 1)))) == (set(), set())
    assert relations(scene(*objects, relationships=related((0, "behind", 0)))) == (set(), set())


def test_descriptions_are_good_english() -> None:
    names = ("scissors", "people", "broccoli", "hourglass", "cabinet or shelf", "éclair")
    objects = [(name, LEFT if place % 2 else RIGHT) for place, name in enumerate(names)]
    attributes = {place: {"color": ["orange", "green"][place % 2]} for place in range(len(names))}
    true, false = describe(scene(*objects, attributes=attributes))
    both = true | false
    for text in (
        "Are there orange scissors in the image?",
        "Are there scissors to the right of the people in the image?",
        "Are there people on the left side of the image?",
        "Is there broccoli on the right side of the image?",
        "Is there an orange hourglass in the image?",
        "Is there an hourglass to the left of the broccoli in the image?",
        "Is there an orange cabinet or shelf in the image?",
        "Is there an éclair on the left side of the image?",
        "Are there exactly three éclairs in the image?",
    ):
        assert text in both
    for name in ("scissors", "people", "broccoli", "cabinet"):
        assert not any("exactly" in text and name in text for text in both), f"{name} can't be counted"


def test_twins_are_of_the_same_kind_and_exclude_the_false_one() -> None:
    annotations = scene(("cup", LEFT), ("bowl", RIGHT), attributes={0: {"color": "red"}, 1: {"color": "blue"}})
    found = Describer(annotations).describe(0)
    for false in found.false:
        matching = [one for one in found.true if (one.object, one.kind, one.group) == (false.object, false.kind, false.group)]
        assert matching, false.question
        assert all(one.value != false.value for one in matching)


# A user's file


def given_file(folder: Path, *lines: object) -> Path:
    path = folder / "descriptions.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_users_descriptions(tmp_path: Path) -> None:
    annotations = scene(("dog", LEFT), ("jalapeño", RIGHT))
    path = given_file(
        tmp_path,
        {
            "image": "a.jpg",
            "object": "dog",
            "true": ["a sleeping  dog."],
            "false": ["two dogs playing", "dogs in hats", "dogs on a bench", "young dogs chasing it"],
        },
        {"image": "a.jpg", "object": "jalapeño", "false": ["an orange jalapeño"]},
        "",
        "{oops",
        {"image": "b.jpg", "object": "dog", "false": ["a red dog"]},
        {"image": "a.jpg", "object": "cat", "false": ["a red cat"]},
        {"image": "a.jpg", "object": "dog", "true": ["a brown dog", ""], "false": ["a brown dog"]},
        {"image": "a.jpg", "object": "dog", "false": ["a brown dog", "a shiny dog in the image."]},
        {"image": "a.jpg", "object": "dog", "fasle": ["a wet dog"]},
    )
    given = read_given(path, annotations)
    found = given.by_image["a.jpg"]
    assert [one.question for one in found.true] == ["Is there a sleeping dog in the image?"]
    assert [one.question for one in found.false] == [
        "Are there two dogs playing in the image?",
        "Are there dogs in hats in the image?",
        "Are there dogs on a bench in the image?",
        "Are there young dogs chasing it in the image?",
        "Is there an orange jalapeño in the image?",
        "Is there a shiny dog in the image?",
    ]
    for words in (
        "2 left out, not such a line (line 4:",
        "line 9: Object contains unknown field `fasle`",
        "1 left out, the image is not in the annotations (line 5: b.jpg)",
        "1 left out, the object is not annotated in the image (line 6: cat in a.jpg)",
        "2 left out, a claim that is said to be both true and false (line 7: a brown dog, line 8: a brown dog)",
        "1 left out, an empty claim (line 7)",
    ):
        assert any(words in problem for problem in given.problems), words


@pytest.mark.parametrize(
    ("claim", "name", "verb"),
    [
        ("a red car", "car", "Is"), ("one of two dogs", "dog", "Is"), ("red", "dog", "Is"), ("twofold", "dog", "Is"),
        ("two of them", "dog", "Are"), ("exactly 12 in a row", "dog", "Are"), ("Several of the same kind", "dog", "Are"),
        ("dogs", "dog", "Are"), ("red dogs that bark", "dog", "Are"), ("wine glasses on a table", "wine glass", "Are"),
        ("wine glass on a table", "wine glass", "Is"), ("a box of wine glasses", "wine glass", "Is"), ("red", "scissors", "Are"),
    ],
)  # fmt: skip
def test_the_verb_of_what_people_claim(claim: str, name: str, verb: str) -> None:
    assert _verb(claim, name) == verb


def test_boxes_of_some_size_can_be_used() -> None:
    assert [usable(box) for box in ((1, 1, 0.5, 0.25), (0, 0, 9, 9))] == [True, True]
    boxes = (None, (1, 1, 0, 5), (1, 1, 5, 0), (1, 1, -1, 5), (1, 1, 5, -1), (1, 1, float("nan"), 5), (1, 1, 5, float("nan")))
    assert not any(usable(box) for box in boxes)


def test_a_file_without_a_usable_line_is_refused(tmp_path: Path) -> None:
    annotations = scene(("dog", LEFT))
    with pytest.raises(HopeBenchError, match=r"does not exist"):
        read_given(tmp_path / "no.jsonl", annotations)
    path = given_file(tmp_path, {"image": "b.jpg", "object": "dog", "false": ["a red dog"]})
    with pytest.raises(HopeBenchError, match=r"no usable line .* the image is not in the annotations \(line 1: b.jpg\)"):
        read_given(path, annotations)


def test_descriptions_of_one_image_are_all_different() -> None:
    objects = [(name, box) for name in ("cup", "bowl", "van") for box in (LEFT, RIGHT)]
    found: Descriptions = Describer(scene(*objects)).describe(0)
    ordered: list[Description] = sorted((*found.true, *found.false), key=lambda one: one.question)
    assert all(one.question != other.question for one, other in pairwise(ordered))
