"""What the search may look at, by an encoder made up here: every embedding is told by what it is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import PIL.Image
import pytest

from hope_bench.clip.crew import EncoderCrew
from hope_bench.clip.embed import View
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import ClipInfo, PrototypeInfo
from hope_bench.files.spec import BenchmarkSpec, CalibratedSpec, CategorySpec, ClipSpec, DescriptionSpec, GuardsSpec
from hope_bench.records import Annotations, Category, Image
from hope_bench.search import encoder_session, risk
from hope_bench.search.attribute_bank import attribute_bank
from hope_bench.search.crops import Crops, draw_crops, share_box
from hope_bench.search.encode import encode
from hope_bench.search.encoder_session import EncoderSession, Pictures
from hope_bench.search.evidence_given import GivenEvidence
from hope_bench.search.inputs import Inputs
from hope_bench.search.sample import Sample
from tests.search_space import WORDS, make_annotations, unit

OBJECTS = [["dog", "cup", "owl"], ["cup"], ["egg", "fork", "dog"], ["dog", "dog"], ["owl", "egg", "dog"]]


def vector(of: str, size: int = 6) -> np.ndarray:
    return unit(np.random.default_rng(int.from_bytes(hashlib.sha256(of.encode()).digest()[:8], "big")), size)


@dataclass
class Encoder:
    """What a search asks of `ClipEncoder`."""

    name: str = "made-up"
    sha256: str = "a" * 64
    activation: str = "gelu"
    logit_scale: float | None = 50.0
    logit_bias: float | None = None
    text: Any = field(default_factory=lambda: SimpleNamespace(note=None))
    embed: Callable[[str], np.ndarray] = vector

    @property
    def numbers(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()

    def encode_categories(self, names: Sequence[str], templates: Sequence[str], *_: object) -> np.ndarray:
        return np.stack([self.embed(f"{name} {templates[0]}") for name in names])

    def encode_captions(self, captions: Sequence[str], *_: object) -> np.ndarray:
        return np.stack([self.embed(caption) for caption in captions])


class Crew:
    """What a session asks of `EncoderCrew`; pictures in `broken` can't be decoded."""

    def __init__(self, *encoders: Encoder, broken: Sequence[str] = ()) -> None:
        self.encoders, self.broken = {one.name: one for one in encoders or (Encoder(),)}, set(broken)
        self.batches: list[list[str]] = []

    def load(self, name: str, _: object) -> Encoder:
        return self.encoders[name]

    def views(
        self, key: tuple[str, object], path_of: Mapping[str, Path], todo: Mapping[str, Sequence[View]]
    ) -> Iterator[tuple[dict[View, np.ndarray], dict[str, str]]]:
        assert todo.keys() <= path_of.keys()
        self.batches.append(list(todo))
        encoder = self.encoders[key[0]]
        for sha256, views in todo.items():
            if sha256 in self.broken:
                yield {}, {sha256: "truncated"}
            else:
                yield {view: encoder.embed(view.key) for view in views}, {}

    def texts(self, *_: object) -> None:
        raise AssertionError


def session(crew: Crew, folder: Path, name: str = "made-up") -> EncoderSession:
    return EncoderSession(ClipSpec(model=name, templates=("{category}!", "a {category}")), folder, cast(EncoderCrew, crew))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[object]]:
    """What each bar of progress was called, its length, and how far it came."""
    bars: list[list[object]] = []

    @contextmanager
    def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
        bars.append([what, total, 0])
        own = bars[-1]
        yield lambda count: own.__setitem__(2, cast(int, own[2]) + count)

    monkeypatch.setattr(encoder_session, "progress_bar", bar)
    monkeypatch.setattr(risk, "progress_bar", bar)
    return bars


def pictures(annotations: Annotations) -> Pictures:
    return Pictures(
        Path("folder"), tuple(range(len(annotations.images))), tuple(f"sha{n}" for n in range(len(annotations.images)))
    )


@pytest.mark.parametrize("at_once", [2, 5, 100])
def test_embeddings_are_of_what_they_say(
    at_once: int, tmp_path: Path, told: list[list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_session, "_PICTURES_AT_ONCE", at_once)
    annotations = make_annotations(OBJECTS, np.random.default_rng(0))
    seen, crew = pictures(annotations), Crew(Encoder(logit_bias=-3.0))
    used = session(crew, tmp_path)
    assert used.unreadable(seen, annotations) == {}
    found = used.encode(seen, annotations, tiles=True, crops=None)
    assert told == [["Embedding images with made-up", 5, 5], ["Embedding images and tiles with made-up", 50, 50]]
    assert [len(batch) for batch in crew.batches] == [min(at_once, 5 - start) for start in range(0, 5, at_once)] * 2
    assert found.images == pytest.approx(np.stack([vector(sha256) for sha256 in seen.sha256]))
    categories = np.stack([vector(f"{name} {{category}}!") for name in WORDS])
    assert found.categories == pytest.approx(categories)
    assert found.prototypes is found.categories
    best = [[max(vector(View(one, box).key) @ text for box in risk.TILES) for text in categories] for one in seen.sha256]
    assert found.best_tile == pytest.approx(np.array(best), abs=1e-6)
    assert (found.logit_scale, found.logit_bias) == (50.0, -3.0)
    assert used.encode(seen, annotations, tiles=False, crops=None).best_tile is None
    assert told[2:] == [["Embedding images with made-up", 5, 5]]
    assert used.notes == []
    assert used.info == ClipInfo(model="made-up", sha256="a" * 64, templates=("{category}!", "a {category}"), activation="gelu")
    used.close()
    assert found.encode_captions(["a dog", "a cup"]) == pytest.approx(np.stack([vector("a dog"), vector("a cup")]))
    noted = Encoder(name="other", text=SimpleNamespace(note="it pads"))
    assert session(Crew(noted), tmp_path, "other").notes == ["other: it pads"]


def test_what_cannot_be_decoded_is_told_by_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_session, "_PICTURES_AT_ONCE", 2)
    annotations = make_annotations(OBJECTS, np.random.default_rng(0))
    found = session(Crew(broken=("sha0", "sha3")), tmp_path).unreadable(pictures(annotations), annotations)
    assert found == {0: "truncated", 3: "truncated"}


def drawn_crops(annotations: Annotations, drawn: Sequence[Sequence[int]]) -> Crops:
    image_of = {row: int(np.searchsorted(annotations.starts, row, side="right")) - 1 for own in drawn for row in own}
    sha256 = {image: f"sha{image}" for image in image_of.values()}
    return Crops(Path("folder"), annotations, tuple(map(tuple, drawn)), image_of, sha256, {})


def test_prototypes_are_the_mean_of_a_categorys_crops(tmp_path: Path, told: list[list[object]]) -> None:
    annotations = make_annotations(OBJECTS, np.random.default_rng(0))
    of = [np.flatnonzero(annotations.category_of == column).tolist() for column in range(7)]
    crops = drawn_crops(annotations, of)
    used = session(Crew(broken=("sha1",)), tmp_path)  # the second picture holds one of two cups
    assert used.unusable(crops) == {"sha1": "truncated"}
    assert told == [["Embedding object crops with made-up", 12, 12]]
    found = used.encode(pictures(make_annotations([["dog"]], np.random.default_rng(0))), annotations, tiles=False, crops=crops)
    for column, name in enumerate(WORDS):
        made = []
        for row in of[column]:
            image = crops.image_of[row]
            box = share_box(annotations, image, row)
            assert box is not None
            if image != 1:
                made.append(vector(View(f"sha{image}", box).key))
        mean = np.mean(made, axis=0) if made else vector(f"{name} {{category}}!")
        assert found.prototypes[column] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert found.categories[WORDS.index("dog")] == pytest.approx(vector("dog {category}!")), "the texts stay"


def test_an_attribute_wins_clearly_or_not_at_all(tmp_path: Path, told: list[list[object]]) -> None:
    """By how much each leads its group, in logits: e^2 is odds of about 7 to 1."""
    kinds = (Category("dog", supercategory="animal"), Category("cup", supercategory="kitchen"), Category("owl"))
    leads = {"sha0": 2.0, "sha1": 1.75, "sha2": 4.0}

    def embed(of: str) -> np.ndarray:
        """Captions are axes, by how they end; a crop's first two values lead the third."""
        if of.startswith("sha"):
            return np.array([leads[of.partition("@")[0]] / 2, 0, 0, 0], dtype=np.float32)
        words = of.split()
        first = [group.values[0] for group in attribute_bank()]
        return np.eye(4, dtype=np.float32)[0 if words[1] in first else 1]

    boxes = np.array([[10, place, 50, 50] for place in range(7)], dtype=np.float32)
    boxes[5] = 0, 0, 1, 1
    made = Annotations(
        categories=kinds, images=tuple(Image(f"{n}.png", 100, 100) for n in range(4)), starts=np.array([0, 2, 3, 6, 7]),
        category_of=np.array([0, 1, 0, 0, 2, 1, 2], dtype=np.int32), crowd=np.arange(7) == 3, boxes=boxes,
    )  # fmt: skip
    crew = Crew(Encoder(embed=embed, logit_scale=2.0), broken=("sha3",))
    guessed = session(crew, tmp_path).guess_attributes(pictures(made), made)
    winners = {
        kind: {one.name: one.values[0] for one in attribute_bank() if not one.supercategories or kind in one.supercategories}
        for kind in ("animal", "kitchen", "none")
    }
    assert {"sleep", "color"} <= winners["animal"].keys()
    assert "material" in winners["kitchen"].keys() - winners["animal"].keys()
    assert guessed == {0: winners["animal"], 1: winners["kitchen"], 4: winners["none"]}, "no crowd, nothing tiny, nothing broken"
    assert told == [["Embedding objects with made-up", 5, 5]]
    nothing = Annotations(kinds, made.images[:1], np.array([0, 0]), made.category_of[:0], made.crowd[:0], boxes[:0])
    assert session(crew, tmp_path).guess_attributes(pictures(nothing), nothing) == {}
    with pytest.raises(
        HopeBenchError, match="The encoder made-up has no logit scale, so nothing says which attribute wins clearly"
    ):
        session(Crew(Encoder(logit_scale=None)), tmp_path).guess_attributes(pictures(made), made)


@pytest.mark.parametrize("most", [1, 2, 3, 50])
def test_crops_are_drawn_of_usable_boxes(most: int, tmp_path: Path) -> None:
    annotations = make_annotations([["dog"] * 6 + ["cup", "owl"], ["dog", "cup"]], np.random.default_rng(0))
    assert annotations.boxes is not None
    annotations.boxes[0, 2], annotations.boxes[1, 3], annotations.boxes[7, 2] = 0, 0, -1
    annotations.boxes[4, 2] = annotations.boxes[5, 3] = 0.25
    annotations = replace(annotations, crowd=np.arange(10) == 2)
    crops = draw_crops(annotations, most, 3, tmp_path)
    usable = [[], [], [6, 9], [3, 4, 5, 8], [], [], []]
    rng = np.random.default_rng(3)  # nothing is drawn where all are taken
    expected = [sorted(rng.choice(own, most, replace=False).tolist()) if len(own) > most else own for own in usable]
    assert [list(own) for own in crops.drawn] == expected
    assert crops.image_of == {row: int(row >= 8) for own in crops.drawn for row in own}
    assert draw_crops(annotations, most, 3, tmp_path).drawn == crops.drawn
    if most < 3:
        assert any(draw_crops(annotations, most, seed, tmp_path).drawn != crops.drawn for seed in range(9))


def test_what_crops_are_made_of_and_what_is_lost(tmp_path: Path) -> None:
    annotations = make_annotations([[name] for name in ("dog", "cup", "owl", "egg", "dog", "bus")], np.random.default_rng(0))
    images = (*annotations.images[:3], Image("3.png"), replace(annotations.images[4], width=50), annotations.images[5])
    annotations = replace(annotations, images=images)
    for place in (0, 1, 4, 5):
        PIL.Image.new("RGB", (100, 100), (place, 0, 0)).save(tmp_path / f"{place}.png")
    (tmp_path / "3.png").write_bytes(b"no picture")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (100, 100)).save(tmp_path / "1.png", exif=exif)
    digests = {one: hashlib.sha256((tmp_path / f"{one}.png").read_bytes()).hexdigest() for one in (0, 1, 3, 4, 5)}
    crops = draw_crops(annotations, 9, 0, tmp_path)
    assert crops.sha256 == digests
    turned = crops.reasons[1].removeprefix("it is turned (").partition(")")[0]
    assert crops.reasons == {
        2: "the file is missing",
        4: "its shape is 100 x 100, not 50 x 100",
        1: f"it is turned ({turned}), and nothing says if its boxes are",
        3: "its size can't be read",
    }
    assert sorted(crops.usable) == [0, 5]
    used = {f"{one}.png": digests[one] for one in (0, 5)}
    canonical = json.dumps(used, sort_keys=True, separators=(",", ":"))
    assert crops.info() == PrototypeInfo(crops=2, pictures=2, sha256=hashlib.sha256(canonical.encode()).hexdigest())
    (note,) = crops.notes()
    assert note == (
        f"4 of 6 object crops could not be used (1.png: {crops.reasons[1]}, 2.png: the file is missing, 3.png: its size can't be "
        "read and 1 more); 5 categories are compared by their name alone."
    )
    less = crops.without({digests[5]: "truncated", "other": "gone"})
    assert less.reasons == {**crops.reasons, 5: "truncated"}
    assert sorted(less.usable) == [0]
    assert crops.paths() == {sha256: tmp_path / f"{one}.png" for one, sha256 in digests.items()}


class World:
    """Five pictures on disk; the encoder can't decode the second."""

    def __init__(self, folder: Path, **spec: object) -> None:
        self.annotations = make_annotations(OBJECTS, np.random.default_rng(0))
        for place in range(5):
            PIL.Image.new("RGB", (100, 100), (place, 0, 0)).save(folder / f"{place}.png")
        self.sha256 = {one: hashlib.sha256((folder / f"{one}.png").read_bytes()).hexdigest() for one in range(5)}
        self.spec = BenchmarkSpec(
            name="x", k=1, clip=ClipSpec(model="made-up"), encoders={"b": ClipSpec(model="b"), "c": ClipSpec(model="c")}
        ).model_copy(update=spec)
        self.sample = Sample(self.annotations, (4, 1, 0, 3), {}, self.sha256, {3: "gone"}, ("first",))
        self.inputs = Inputs(self.spec, Path("a.json"), folder, (), self.annotations, {}, (), frozenset(), ())
        encoders = (Encoder(), Encoder(name="b", sha256="b" * 64, text=SimpleNamespace(note="it pads")), Encoder(name="c"))
        self.crew, self.cache = Crew(*encoders, broken=(self.sha256[1],)), folder / "cache"

    def encode(self, **changes: object) -> Any:
        return encode(replace(self.inputs, **changes), self.sample, self.cache, cast(EncoderCrew, self.crew))


def test_what_a_spec_asks_for_is_encoded(tmp_path: Path) -> None:
    made = World(tmp_path, strategies=("content", "category@b"), descriptions=DescriptionSpec(sources=("geometry", "bank")))
    found = made.encode()
    assert found.sample.skipped == {3: "gone", 1: "truncated"}
    assert found.space.images == found.sample.left() == (4, 0)
    assert {name: one.model for name, one in found.encoders.items()} == {"": "made-up", "b": "b"}
    assert found.sample.notes[:2] == ("first", "b: it pads")
    (note,) = found.sample.notes[2:]
    assert note == ("1 of 12 object crops could not be used (1.png: truncated); 2 categories are compared by their name alone.")
    assert (found.prototypes.crops, found.prototypes.pictures, found.guessed) == (11, 4, {})
    main, other = found.space.encoded[""], found.space.encoded["b"]
    assert main.prototypes is main.categories
    assert other.prototypes is not other.categories
    assert (main.best_tile, other.best_tile, found.space.seen) == (None, None, None)
    assert main.images == pytest.approx(np.stack([vector(made.sha256[image]) for image in (4, 0)]))


def test_tiles_and_guesses_and_what_others_saw(tmp_path: Path) -> None:
    guards = GuardsSpec(calibrated=CalibratedSpec(completeness=0.9))
    bank = DescriptionSpec(sources=("bank",))
    made = World(tmp_path, strategies=("hope", "content@c"), descriptions=bank, guards=guards)
    evidence = GivenEvidence({("4.png", "dog"): 0.9, ("2.png", "dog"): 0.8}, 0.0)
    found = made.encode(evidence=evidence)
    assert found.sample.notes[-1] == "No evidence was given for 1 of 2 images (0.png)."
    assert found.space.seen[0].tolist() == [0.9 if name == "dog" else 0.0 for name in WORDS]
    main, other = found.space.encoded[""], found.space.encoded["c"]
    assert main.best_tile is not None
    assert other.best_tile is None
    assert other.prototypes is other.categories
    assert main.prototypes is not main.categories
    assert found.guessed.keys() <= {*range(0, 3), *range(9, 12)}
    elsewhere = made.encode(evidence=GivenEvidence({("2.png", "dog"): 0.8}, 0.0))
    assert elsewhere.space.seen is None
    assert elsewhere.sample.notes[-1] == "No evidence was given for 2 of 2 images (4.png, 0.png)."


@pytest.mark.parametrize(
    ("category", "boxes"), [(CategorySpec(prototype="text"), True), (CategorySpec(), False), (CategorySpec(), True)]
)
def test_prototypes_are_texts_where_nothing_else_is_had(category: CategorySpec, boxes: bool, tmp_path: Path) -> None:
    made = World(tmp_path, strategies=("category",), category=category)
    if not boxes:
        made.sample = replace(made.sample, annotations=replace(made.annotations, boxes=None))
    found = made.encode()
    pictured = boxes and category.prototype == "crops"
    assert (found.prototypes is not None) == pictured
    assert (found.space.encoded[""].prototypes is not found.space.encoded[""].categories) == pictured


def test_nothing_is_encoded_where_nothing_looks(tmp_path: Path) -> None:
    guards = GuardsSpec(ontology=False)
    made = World(tmp_path, strategies=("random",), guards=guards)
    assert not made.spec.needs_clip
    for changes in ({}, {"images": None}):
        found = made.encode(**changes)
        assert (found.space.encoded, found.encoders, found.prototypes, found.guessed) == ({}, {}, None, {})
        assert found.space.images == (4, 1, 0)
    made.sample = replace(made.sample, skipped=dict.fromkeys(range(5), "gone"))
    with pytest.raises(HopeBenchError, match="all 4 sampled images were skipped"):
        made.encode()
    searched = World(tmp_path, strategies=("content",))
    searched.crew.broken = set(searched.sha256.values())
    with pytest.raises(HopeBenchError, match="all 4 sampled images were skipped"):
        searched.encode()
