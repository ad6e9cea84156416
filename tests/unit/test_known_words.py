"""Names and words: odd names make right questions, and guards know synonyms, plurals and kinds of whatever is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hope_bench.annotations import read_annotations
from hope_bench.annotations.wording import alternatives, plain_names, spoken_names
from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec, GuardsSpec
from hope_bench.records import Annotations, Category, Image
from hope_bench.search import guards
from hope_bench.search.known_words import same_things, with_words
from hope_bench.wording import existence_question

TABLE = Path(__file__).with_name("odd_names.tsv")


def odd_names() -> dict[str, list[tuple[str, str]]]:
    """By vocabulary its odd names, each with its right question, which people wrote down."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        vocabulary, name, question = line.split("\t")
        found.setdefault(vocabulary, []).append((name, f"{question} in the image?"))
    return found


@pytest.mark.parametrize("vocabulary", odd_names())
def test_odd_names_make_right_questions(vocabulary: str) -> None:
    rows = odd_names()[vocabulary]
    names = [name for name, _ in rows]
    if vocabulary == "LVIS":
        said = plain_names(names)
    elif vocabulary == "own files":  # each of another file
        said = [spoken_names([name])[0] or name for name in names]
    else:
        said = [spoken or name for spoken, name in zip(spoken_names(names), names, strict=True)]
    asked = {name: existence_question(one, "natural") for name, one in zip(names, said, strict=True)}
    assert asked == dict(rows)
    for one in said:
        pope = existence_question(one)  # POPE's wording goes by spelling, but it speaks no more than one article
        assert "  " not in pope
        assert not any(f"{article} {more} " in pope for article in ("a", "an") for more in ("a", "an", "any", "the", "some"))


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("TrafficLight StopSign Car TVMonitor", ["traffic light", "stop sign", "car", "TV monitor"]),
        ("StopSign YouTube GoPro BusStop", ["stop sign", "YouTube", "GoPro", "bus stop"]),
        ("CAR PEDESTRIAN TRAFFIC_LIGHT SUV MP3", ["car", "pedestrian", "traffic light", "SUV", "MP3"]),
        ("LED TV SUV", ["LED", "TV", "SUV"]),
        ("bow.n.01 bow.n.02 person.n.01", ["bow.n.01", "bow.n.02", "person"]),
        ("stopSign stop_sign", ["stopSign", "stop sign"]),
    ],
)
def test_what_all_names_of_a_file_tell(names: str, said: list[str]) -> None:
    """Names that run words together, shout, or are WordNet's: read by their like, and kept where two would be one."""
    listed = names.split()
    assert [spoken or name for spoken, name in zip(spoken_names(listed), listed, strict=True)] == said


MANY = [f"Cup{number}" for number in range(19)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a a Cup", "a Cup"], [None, "Cup"]),  # not what another was called
        (["dog", "Dog cat"], [None, None]),
        (["TrafficLight", "car", "dog"], [None] * 3),  # alone in its spelling
        (["CLOCK", "TV"], ["clock", None]), (["CARS", "TV"], [None, None]),
        (["Soccer-Ballon", "Plan B"], ["soccer-balloon", "plan b"]),
        ([*MANY, "dog"], [None] * 20), ([*MANY, "Sofa", "dog"], [*map(str.lower, MANY), "sofa", None]),
        ([name.lower() for name in MANY] + ["Dog"], [None] * 20),
        (["Canned", "Curling", "French", "Soccer", "Tennis"], ["canned", "curling", None, "soccer", "tennis"]),
        (["Canned", "Curling", "French", "Soccer", "Tennis", "Tong"],
         ["canned food", "curling stone", "French horn", "soccer ball", "tennis ball", "tongs"]),
    ],
)  # fmt: skip
def test_names_are_said_otherwise_only_where_all_together_tell_it(names: list[str], said: list[str | None]) -> None:
    assert spoken_names(names)[: len(said)] == said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cup", ()),
        ("A/C unit", ()),
        ("24/70 lens", ()),
        ("2x/dog", ()),
        ("cup / ", ()),
        ("A /C", ("A", "C")),
        ("Cabinet/shelf", ("Cabinet", "shelf")),
        ("Cutting/chopping Board", ("Cutting Board", "chopping Board")),
        ("Frying/cooking/baking Pan", ("Frying Pan", "cooking Pan", "baking Pan")),
        ("Pan/frying pan", ("Pan", "frying pan")),
        ("ring/cup holding", ("ring", "cup holding")),
        ("Dining/big table", ("Dining", "big table")),
        ("Frying/cooking pan set", ("Frying", "cooking pan set")),
        (f"bb/{'c' * 497}", ("bb", "c" * 497)),
        (f"bb/{'c' * 498}", ()),
    ],
)
def test_names_that_offer_several_words(name: str, words: tuple[str, ...]) -> None:
    assert alternatives(name) == words


def test_there_are_names_of_every_vocabulary() -> None:
    found = odd_names()
    assert {"LVIS", "Objects365", "Open Images", "Visual Genome"} <= found.keys()
    assert sum(map(len, found.values())) >= 200


def coco(folder: Path, names: list[str | dict[str, object]], present: list[str], *captions: str) -> Annotations:
    """One image that shows `present`, read from a COCO file as people write it."""
    rows = [{"name": name} if isinstance(name, str) else name for name in names]
    place = {row["name"]: index for index, row in enumerate(rows)}
    image = {"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}
    boxes = [{"image_id": 1, "category_id": place[name], "bbox": [1, 1, 2, 2]} for name in present]
    categories = [{"id": index, **row} for index, row in enumerate(rows)]
    (folder / "instances.json").write_text(json.dumps({"images": [image], "annotations": boxes, "categories": categories}))
    said = [{"image_id": 1, "id": index, "caption": caption} for index, caption in enumerate(captions)]
    (folder / "captions.json").write_text(json.dumps({"annotations": said}))
    return read_annotations(folder / "instances.json", captions=folder / "captions.json")


def removed(annotations: Annotations, spec: BenchmarkSpec | None = None) -> tuple[set[str], set[str]]:
    """What the ontology and the captions guard keep from being claimed absent in the one image."""
    known = with_words(annotations, spec or BenchmarkSpec(name="x"))
    names = [category.name for category in known.categories]
    present = np.array([[name in known.present(0) for name in names]])
    ontology = guards.ontology(known.categories, present, None, 1.0)[0]
    captions = guards.captions(known, [0])[0]
    masks = (ontology & ~present[0], captions)
    first, second = ({name for name, gone in zip(names, mask, strict=True) if gone} for mask in masks)
    return first, second


def test_pairs_that_a_word_stands_for_both_of_are_given_once() -> None:
    said = [Category("person"), Category("dog"), Category("women", synonyms=("persons", "people")), Category("people")]
    assert same_things(said) == [(0, 2), (0, 3), (2, 3)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("person", "people"), ("person", "persons"), ("man", "men"), ("glove", "Gloves"), ("knife", "knives"), ("mouse", "mice"),
        ("traffic_light", "Traffic Lights"), ("t-shirt", "T shirts"), ("wine glass", "wineglasses"), ("couch", "sofa"),
        ("car", "SUV"), ("tv", "Monitor/TV"), ("dog", "puppy"), ("Other Shoes", "Sneakers"), ("cell phone", "mobile phone"),
        ("person", "woman"), ("hair drier", "Hair Dryer"), ("Wild Bird", "bird"), ("bicycle", "bikes"),
    ],
)  # fmt: skip
def test_one_thing_of_two_names_is_never_absent_beside_itself(one: str, other: str, tmp_path: Path) -> None:
    for present, absent in ((one, other), (other, one)):
        ontology, _ = removed(coco(tmp_path, [one, other, "zebra"], [present], "nothing"))
        assert ontology == {absent}


@pytest.mark.parametrize(
    ("caption", "names"),
    [
        ("A man is getting ready to hit the ball.", {"sports ball", "person"}),
        ("a couple of pizzas are sat out on a table", {"pizza", "dining table"}),
        ("Two people ride BMX bikes", {"person", "bicycle", "motorcycle"}),
        ("A person that is snowboarding in some snow.", {"person", "snowboard"}),
        ("Several suit cases next to the sofa's end", {"suitcase", "couch"}),
        ("A teddy-bear and doughnuts", {"teddy bear", "donut"}),
        ("A poodle lies by the television", {"dog", "tv"}),
        ("A chairlift passes a buster", set()),
    ],
)
def test_a_caption_speaks_of_coco_objects_in_other_words(caption: str, names: set[str], tmp_path: Path) -> None:
    vocabulary = [
        "person", "sports ball", "pizza", "dining table", "bicycle", "motorcycle", "snowboard", "suitcase", "couch", "teddy bear",
        "donut", "dog", "tv", "chair", "bus", "zebra",
    ]  # fmt: skip
    _, captions = removed(coco(tmp_path, [*vocabulary], ["zebra"], caption))
    assert captions == names


def test_words_of_ones_own(tmp_path: Path) -> None:
    """From the spec, from the annotation file, and from a table of related names that may be no categories."""
    names: list[str | dict[str, object]] = ["cup", {"name": "gizmo", "synonyms": ["thingamajig"]}, "beaker", "zebra"]
    annotations = coco(tmp_path, names, ["cup"], "Two thingamajigs, a stripy horse and a noggin")
    table = tmp_path / "related.toml"
    table.write_text('related = [["cup", "noggin"], ["beaker", "cups", "chalice"]]\n')
    spec = BenchmarkSpec(name="x", synonyms={"zebra": ("stripy horse",)}, guards=GuardsSpec(ontology_table=str(table)))
    ontology, captions = removed(annotations, spec)
    assert (ontology, captions) == ({"beaker"}, {"cup", "gizmo", "zebra"})
    off = BenchmarkSpec(name="x", guards=GuardsSpec(known_synonyms=False))
    assert removed(coco(tmp_path, ["couch", "sofa"], ["couch"], "a settee"), off) == (set(), set())
    wrong = BenchmarkSpec(name="x", synonyms={"zebar": ("stripy horse",)})
    with pytest.raises(HopeBenchError, match=r"\[synonyms\] gives words for 'zebar': no category of that name.*zebra"):
        with_words(annotations, wrong)
    table.write_text('related = [["noggin", "chalice"]]\n')
    with pytest.raises(HopeBenchError, match="none is a category"):
        with_words(annotations, spec)


def test_words_for_what_is_no_category_are_refused(tmp_path: Path) -> None:
    annotations = coco(tmp_path, ["cup", "zebra"], ["cup"])
    own = dict.fromkeys(("cups", "horse", "gnu", "emu"), ("mug",))
    with pytest.raises(HopeBenchError) as refused:
        with_words(annotations, BenchmarkSpec(name="x", synonyms=own))
    said = "[synonyms] gives words for 'cups', 'horse', 'gnu' and 1 more: no category of that name. "
    assert str(refused.value) == f"{said}Did you mean 'cup'? Known: cup, zebra."
    table = tmp_path / "related.toml"
    table.write_text('related = [["cup", "mug"], ["emu", "gnu"]]\n')
    with pytest.raises(HopeBenchError, match=r"related\.toml relates 'emu', 'gnu', of which none is a category or a synonym"):
        with_words(annotations, BenchmarkSpec(name="x", guards=GuardsSpec(ontology_table=str(table))))
    table.write_text('related = [["cpu", "zebr"]]\n')
    with pytest.raises(HopeBenchError, match=r"relates 'cpu', 'zebr', of which .* Did you mean 'cup'\?"):
        with_words(annotations, BenchmarkSpec(name="x", guards=GuardsSpec(ontology_table=str(table))))
    plain = with_words(
        annotations, BenchmarkSpec(name="x", guards=GuardsSpec(known_synonyms=False), synonyms={"zebra": ("mare",)})
    )
    assert [(one.synonyms, one.mentioned_as) for one in plain.categories] == [((), ()), (("mare",), ())]


@pytest.mark.parametrize(
    ("name", "caption"),
    [
        ("犬", "公園で犬が走っている。"),
        ("消防车", "街上停着一辆消防车"),
        ("รถ", "ผู้หญิงยืนข้างรถสีแดง"),
        ("café", "People outside a cafe\u0301."),
        ("Löwe", "ein lo\u0308we im Gras"),
    ],
)
def test_captions_in_other_scripts_and_spellings(name: str, caption: str) -> None:
    annotations = Annotations(
        categories=(Category(name), Category("zebra")), images=(Image("1.jpg"),), starts=np.array([0, 0]),
        category_of=np.zeros(0, dtype=np.int32), crowd=np.zeros(0, dtype=np.bool_), captions={0: (caption,)},
    )  # fmt: skip
    assert guards.captions(annotations, [0]).tolist() == [[True, False]]
