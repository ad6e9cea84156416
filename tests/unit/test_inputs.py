"""Everything that a spec names is read, checked, and told of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from hope_bench.errors import HopeBenchError
from hope_bench.files.spec import BenchmarkSpec, CalibratedSpec, ClipSpec, DatasetSpec, DescriptionSpec, GuardsSpec
from hope_bench.search.decisions import Decision, read_decisions, rejected
from hope_bench.search.inputs import encoders_used, read_inputs


def lines(path: Path, *rows: object) -> str:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three images as their folder names them, with boxes; and a CLIP's configuration, which is all that is looked for."""
    (tmp_path / "images" / "val").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        (tmp_path / "images" / "val" / name).write_bytes(b"")
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "open_clip_config.json").write_text("{}")
    names = ["dog", "cup", "owl"]
    coco = {
        "images": [{"id": one, "file_name": f"{one}.jpg", "width": 100, "height": 100} for one in (1, 2, 3)],
        "annotations": [
            {"image_id": image, "category_id": place, "bbox": [1, 1, 20, 20]} for image in (1, 2, 3) for place in range(image)
        ],
        "categories": [{"id": place, "name": name} for place, name in enumerate(names)],
    }
    (tmp_path / "instances.json").write_text(json.dumps(coco))
    return tmp_path


def spec_for(data: Path, **changes: object) -> BenchmarkSpec:
    dataset = DatasetSpec(annotations=str(data / "instances.json"), images=str(data / "images"))
    return BenchmarkSpec(name="mine", dataset=dataset, clip=ClipSpec(model=f"local-dir:{data / 'clip'}")).model_copy(
        update=changes
    )


def test_all_that_a_spec_names_is_read(data: Path) -> None:
    listed = lines(data / "list.txt", "1.jpg", "3.jpg", "9.jpg", "8.jpg", "7.jpg", "6.jpg")
    given = lines(data / "given.jsonl", {"image": "val/1.jpg", "object": "dog", "false": ["a red dog"]}, "oops")
    review = lines(
        data / "review.jsonl", {"image": "val/1.jpg", "object": "cup", "decision": "present"}, "",
        {"image": "val/1.jpg", "object": "owl", "decision": "perhaps"},
        {"image": "val/3.jpg", "object": "owl", "decision": "absent"},
    )  # fmt: skip
    seen = lines(data / "seen.jsonl", *({"image": "1.jpg", "category": name, "score": 0.5} for name in ("dog", "gnu")))
    table = lines(data / "related.toml", 'related = [["cup", "mug"]]')
    guards = GuardsSpec(review=review, evidence=seen, ontology_table=table, calibrated=CalibratedSpec(completeness=0.9))
    spec = spec_for(data, guards=guards, descriptions=DescriptionSpec(file=given), nouns={})
    spec = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"image_list": listed})})
    found = read_inputs(spec)
    assert (found.path, found.images) == (data / "instances.json", data / "images")
    own = [data / name for name in ("list.txt", "given.jsonl", "related.toml", "review.jsonl", "seen.jsonl")]
    assert found.files == (data / "instances.json", *own)
    assert [image.file_name for image in found.annotations.images] == ["val/1.jpg", "val/2.jpg", "val/3.jpg"]
    assert (found.listed, found.given.keys()) == ({0, 2}, {"val/1.jpg"})
    assert [one.object for one in found.decisions] == ["cup", "owl"]
    assert found.rejected == {("val/1.jpg", "cup", None)}
    assert found.evidence is not None
    assert found.evidence.scores == {("val/1.jpg", "dog"): 0.5}
    unlisted, not_given, not_decided, unseen = found.problems
    assert unlisted == "list.txt: 4 of its 6 images are not in the annotations (9.jpg, 8.jpg, 7.jpg and 1 more)."
    assert not_given.startswith("given.jsonl: 1 left out, not such a line (line 2: ")
    assert not_decided.startswith("review.jsonl, line 3 left out: ")
    assert unseen == "seen.jsonl: 1 line left out: categories that the annotations lack (gnu)."
    plain = read_inputs(spec_for(data))
    assert (plain.problems, plain.listed, plain.given, plain.decisions, plain.evidence) == ((), None, {}, (), None)
    assert plain.files == (data / "instances.json",)


def test_a_language_of_ones_own_is_read_and_named(data: Path) -> None:
    german = Path(__file__).parent.parent.parent / "hope_bench" / "languages" / "de.toml"
    assert german.is_file()
    table = lines(data / "own.toml", german.read_text(encoding="utf-8"))
    found = read_inputs(spec_for(data, language=table, strategies=("random",)))
    assert found.files[-1] == data / "own.toml"
    assert read_inputs(spec_for(data, language="de", strategies=("random",))).files == (data / "instances.json",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset": {"annotations": None}}, "Spec 'mine' names no annotation file. Pass --annotations FILE, or set"),
        ({"dataset": {"images": "nowhere"}}, "The images folder nowhere does not exist or is not a folder."),
        ({"dataset": {"images": None}}, "Spec 'mine' searches the images with CLIP. Pass --images DIR, or set dataset.images"),
        (
            {"clip": None},
            "Spec 'mine' searches the images with CLIP, but has no main model \\(guards use it, too\\). Pass --clip NAME",
        ),
        ({"clip": ClipSpec(model="ViT-Q-99:openai")}, "open_clip has no model 'ViT-Q-99'"),
        ({"encoders": {"b": ClipSpec(model="local-dir:none")}, "strategies": ("content@b",)}, "none holds no open_clip_config"),
    ],
)
def test_what_is_missing_is_told_before_anything_is_read(changes: Mapping[str, object], message: str, data: Path) -> None:
    spec = spec_for(data)
    more = {"dataset": spec.dataset.model_copy(update=cast(dict[str, object], changes.get("dataset", {})))}
    with pytest.raises(HopeBenchError, match=message):
        read_inputs(spec.model_copy(update={**changes, **more}))


def test_nothing_is_needed_that_no_strategy_looks_at(data: Path) -> None:
    wrong = ClipSpec(model="ViT-Q-99:openai")
    plain = spec_for(data, strategies=("random", "popular"), guards=GuardsSpec(ontology=False), clip=wrong)
    assert not plain.needs_clip
    bare = plain.model_copy(update={"dataset": plain.dataset.model_copy(update={"images": None})})
    found = read_inputs(bare)
    assert (found.images, [one.file_name for one in found.annotations.images]) == (None, ["1.jpg", "2.jpg", "3.jpg"])
    assert len(read_inputs(plain).annotations.images) == 3
    unused = spec_for(data, strategies=("content",), encoders={"b": wrong})
    assert list(encoders_used(unused)) == [""]
    assert read_inputs(unused).images == data / "images"
    assert list(encoders_used(unused.model_copy(update={"strategies": ("content", "hope@b")}))) == ["", "b"]
    assert list(encoders_used(unused.model_copy(update={"strategies": ("content-panel",)}))) == ["", "b"]


def test_a_reviewers_last_word_counts_and_any_doubt(tmp_path: Path) -> None:
    rows = [
        {"image": "a", "object": "cup", "decision": "present", "reviewer": "x"},
        {"image": "a", "object": "cup", "decision": "absent"},
        {"image": "a", "object": "cup", "decision": "absent", "reviewer": "x"},
        {"image": "a", "object": "dog", "decision": "unsure"},
        {"image": "a", "object": "dog", "decision": "absent", "reviewer": "y"},
        {"image": "b", "object": "dog", "decision": "present", "description": "a red dog"},
    ]  # fmt: skip
    decisions, problems = read_decisions(Path(lines(tmp_path / "review.jsonl", *rows, "  ", "oops", "", "[]")))
    assert decisions[3] == Decision("a", "dog", "unsure")
    assert (len(decisions), [one.partition(":")[0] for one in problems]) == (
        6, ["review.jsonl, line 8 left out", "review.jsonl, line 10 left out"],
    )  # fmt: skip
    assert rejected(decisions) == {("a", "dog", None), ("b", "dog", "a red dog")}
    with pytest.raises(HopeBenchError, match=r"none\.jsonl holds no line"):
        read_decisions(Path(lines(tmp_path / "none.jsonl", "oops")))
