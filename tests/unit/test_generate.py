"""Generation end to end with a tiny CLIP: what every split must hold, the same bytes again, and bad images survived."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import hope_bench as hb
from hope_bench.annotations import read_annotations
from hope_bench.annotations.fitting import fit_boxes
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.result import ModelInfo
from hope_bench.files.spec import (
    STRATEGY_KINDS,
    BenchmarkSpec,
    CalibratedSpec,
    ClipSpec,
    DatasetSpec,
    DescriptionSpec,
    GuardsSpec,
)
from hope_bench.records import Answer, Question
from hope_bench.search import encoder_session
from hope_bench.search.encoder_session import EncoderSession, Pictures
from hope_bench.search.generate import generate
from tests.clips import save_tiny_clip
from tests.runs import make_run, write_answers

NAMES = ["apple", "bus", "cup", "dog", "egg", "fork", "gate", "hat", "owl", "pan"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """12 pictures of noise, 2 to 5 categories in each."""
    rng = np.random.default_rng(5)
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    images, rows = [], []
    for index in range(12):
        name = f"{index:03}.png"
        pixels = rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / name)
        images.append({"id": index, "file_name": name})
        chosen = rng.choice(len(NAMES), size=2 + index % 4, replace=False).tolist()
        rows += [{"image_id": index, "category_id": category, "bbox": [0, 0, 5, 5]} for category in chosen]
    categories = [{"id": index, "name": name} for index, name in enumerate(NAMES)]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return folder


def spec_for(data: Path, encoder: str, **changes: object) -> BenchmarkSpec:
    return BenchmarkSpec(
        name="test",
        sample_images=8,
        k=3,
        dataset=DatasetSpec(annotations=str(data / "instances.json"), images=str(data / "images")),
        clip=ClipSpec(model=encoder),
        guards=GuardsSpec(ontology=False, annotated=False),  # a random CLIP finds all names alike, and one is never annotated
    ).model_copy(update=changes)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check_invariants(benchmark: Benchmark, present: dict[str, tuple[str, ...]], k: int) -> None:
    yes = {name: [q for q in questions if q.label == "yes"] for name, questions in benchmark.splits.items()}
    first = next(iter(yes.values()))
    for name, questions in benchmark.splits.items():
        assert [(q.image, q.object, q.text) for q in yes[name]] == [(q.image, q.object, q.text) for q in first]
        assert [q.question_id for q in questions] == list(range(1, len(questions) + 1))
        for image in benchmark.manifest.images:
            mine = [q for q in questions if q.image == image]
            assert [q.label for q in mine] == ["yes", "no"] * k
            assert [q.object for q in mine if q.label == "yes"] == list(present[image][:k])
            negatives = [q.object for q in mine if q.label == "no"]
            assert len(set(negatives)) == k
            assert not set(negatives) & set(present[image])


def test_splits_share_images_and_yes_questions_and_never_claim_a_present_object(data: Path, clip: str, tmp_path: Path) -> None:
    manifest = generate(spec_for(data, clip, title="Pictures of noise"), tmp_path / "out", tmp_path / "cache")
    benchmark = read_benchmark(tmp_path / "out")
    assert (manifest.name, manifest.title) == ("test", "Pictures of noise")
    assert list(benchmark.splits) == ["random", "popular", "adversarial", "adversarial-guarded", "content", "control-content"]
    annotations = read_annotations(data / "instances.json")
    present = {image.file_name: annotations.present(index) for index, image in enumerate(annotations.images)}
    check_invariants(benchmark, present, 3)
    assert manifest == benchmark.manifest
    for image, digest in manifest.images.items():
        assert digest == hashlib.sha256((data / "images" / image).read_bytes()).hexdigest()
    assert all(q.distractor_score is not None for q in benchmark.splits["content"] if q.label == "no")
    line = (tmp_path / "out" / "splits" / "content.jsonl").read_text().splitlines()[0]
    assert list(json.loads(line))[:4] == ["question_id", "image", "text", "label"]  # POPE's keys first
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


def test_content_takes_the_likeliest_absent_categories(data: Path, clip: str, tmp_path: Path) -> None:
    """Against open_clip called by hand, image by image."""
    import open_clip
    import torch

    generate(spec_for(data, clip), tmp_path / "out", tmp_path / "cache")
    benchmark = read_benchmark(tmp_path / "out")
    assert benchmark.manifest.title == "test", "its name, where it is given none"
    model, _, preprocess = open_clip.create_model_and_transforms(clip)
    model.eval()
    tokens = open_clip.get_tokenizer(clip)([f"a photo of {'an' if name[0] in 'aeiou' else 'a'} {name}." for name in NAMES])
    annotations = read_annotations(data / "instances.json")
    present = {image.file_name: annotations.present(index) for index, image in enumerate(annotations.images)}
    with torch.no_grad():
        texts = torch.nn.functional.normalize(model.encode_text(tokens), dim=-1)
        for image in benchmark.manifest.images:
            pixels = preprocess(Image.open(data / "images" / image).convert("RGB"))[None]
            logits = model.logit_scale.exp() * torch.nn.functional.normalize(model.encode_image(pixels), dim=-1)[0] @ texts.T
            probability = dict(zip(NAMES, logits.softmax(-1).tolist(), strict=True))
            expected = sorted((name for name in NAMES if name not in present[image]), key=lambda name: -probability[name])[:3]
            asked = [q for q in benchmark.splits["content"] if q.image == image and q.label == "no"]
            assert [q.object for q in asked] == expected
            for question in asked:
                assert question.distractor_score == pytest.approx(probability[question.object or ""], abs=2e-4)


def test_same_seed_same_bytes_whatever_the_threads_and_cache(data: Path, clip: str, tmp_path: Path) -> None:
    generate(spec_for(data, clip), tmp_path / "one", tmp_path / "cache")
    generate(spec_for(data, clip), tmp_path / "two", tmp_path / "cache")
    generate(spec_for(data, clip), tmp_path / "three", tmp_path / "other")
    assert files(tmp_path / "one") == files(tmp_path / "two") == files(tmp_path / "three")
    generate(spec_for(data, clip, sample_images=3), tmp_path / "few", tmp_path / "interrupted")
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        generate(spec_for(data, clip), tmp_path / "four", tmp_path / "interrupted")
    finally:
        torch.set_num_threads(before)
    assert files(tmp_path / "four") == files(tmp_path / "one")
    generate(spec_for(data, clip, seed=1), tmp_path / "five", tmp_path / "cache")
    assert files(tmp_path / "five") != files(tmp_path / "one")


def test_missing_and_truncated_images_are_listed_and_survived(data: Path, clip: str, tmp_path: Path) -> None:
    whole = generate(spec_for(data, clip), tmp_path / "whole", tmp_path / "cache")
    missing, truncated = list(whole.images)[:2]
    (data / "images" / missing).unlink()
    picture = data / "images" / truncated
    picture.write_bytes(picture.read_bytes()[:200])
    said: list[str] = []
    manifest = generate(spec_for(data, clip), tmp_path / "out", tmp_path / "cache", said.append)
    assert {skip.image: skip.reason.split(":")[0] for skip in manifest.skipped} == {
        missing: "the file is missing",
        truncated: "truncated or corrupt",
    }
    assert list(manifest.images) == list(whole.images)[2:]
    assert any("2 of 8 sampled images" in line and missing in line for line in said)
    # the others keep the very questions they had
    before, after = read_benchmark(tmp_path / "whole"), read_benchmark(tmp_path / "out")
    for split in ("random", "popular", "adversarial", "content"):
        assert [(q.image, q.text) for q in after.splits[split]] == [
            (q.image, q.text) for q in before.splits[split] if q.image not in (missing, truncated)
        ]


def test_pictures_that_prototypes_come_from_are_named_and_missed(data: Path, clip: str, tmp_path: Path) -> None:
    """Prototypes are made of pictures that were not sampled, too: sizes that annotations leave out are read off the files."""
    spec = spec_for(data, clip, strategies=("category-similarity", "category-similarity@other"), headline="category-similarity",
                    encoders={"other": ClipSpec(model=save_tiny_clip(tmp_path / "other", seed=1))})  # fmt: skip
    annotations = read_annotations(data / "instances.json")
    whole = generate(spec, tmp_path / "whole", tmp_path / "cache")
    assert whole.notes == ()
    assert whole.prototypes is not None
    assert (whole.prototypes.crops, whole.prototypes.pictures) == (len(annotations.category_of), 12)
    unsampled = sorted({image.file_name for image in annotations.images} - whole.images.keys())
    picture = data / "images" / unsampled[1]
    Image.effect_noise((30, 40), 80).save(picture)
    other = generate(spec, tmp_path / "other-picture", tmp_path / "cache")
    assert other.images == whole.images
    assert other.prototypes is not None
    assert (other.prototypes.crops, other.notes) == (whole.prototypes.crops, ())
    assert other.prototypes.sha256 != whole.prototypes.sha256
    (data / "images" / unsampled[0]).unlink()
    picture.write_bytes(picture.read_bytes()[:200])
    said: list[str] = []
    less = generate(spec, tmp_path / "less", tmp_path / "cache", said.append)
    lost = sum(len(annotations.instances(index)) for index in range(12) if annotations.images[index].file_name in unsampled[:2])
    assert less.prototypes is not None
    assert (less.prototypes.crops, less.prototypes.pictures) == (whole.prototypes.crops - lost, 10)
    (note,) = less.notes
    assert note.startswith(f"{lost} of {whole.prototypes.crops} object crops could not be used ")
    assert f"({unsampled[0]}: the file is missing, {unsampled[1]}: truncated or corrupt" in note
    assert said.count(note) == 1


def test_an_image_without_enough_absent_categories_is_listed(tmp_path: Path) -> None:
    rows = [("a.png", ["a", "b", "c", "d", "e"]), ("b.png", ["b", "c", "d"]), ("c.png", ["e", "f", "g"])]
    path = tmp_path / "objects.jsonl"
    path.write_text("".join(json.dumps({"image": image, "objects": objects}) + "\n" for image, objects in rows))
    spec = BenchmarkSpec(
        name="test",
        sample_images=3,
        strategies=("random", "popular"),
        headline="popular",
        dataset=DatasetSpec(annotations=str(path)),
    )
    manifest = generate(spec, tmp_path / "out", tmp_path / "cache")
    assert [skip.image for skip in manifest.skipped] == ["a.png"]
    assert sorted(manifest.images) == ["b.png", "c.png"]
    assert set(manifest.images.values()) == {None}  # no images given: POPE's splits need none


def test_impossible_requests_are_refused_and_write_nothing(data: Path, clip: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    cases: list[tuple[BenchmarkSpec, str]] = [
        (spec_for(data, clip, sample_images=10), r"9 images with at least 3 present categories, but 10 are wanted"),
        (spec_for(data, clip, dataset=DatasetSpec(images=str(data))), "--annotations"),
        (spec_for(data, clip, dataset=DatasetSpec(annotations=str(data / "instances.json"))), "--images"),
        (
            spec_for(data, clip, dataset=DatasetSpec(annotations=str(data / "instances.json"), images=str(data / "no"))),
            "does not exist",
        ),
        (spec_for(data, clip, clip=None), "--clip"),
    ]
    for spec, words in cases:
        with pytest.raises(HopeBenchError, match=words):
            generate(spec, out, tmp_path / "cache")
    shutil.rmtree(data / "images")
    (data / "images").mkdir()
    with pytest.raises(HopeBenchError, match="all 8 sampled images were skipped"):
        generate(spec_for(data, clip), out, tmp_path / "cache")
    assert not out.exists()


def test_a_changed_split_file_is_noticed(data: Path, clip: str, tmp_path: Path) -> None:
    generate(spec_for(data, clip), tmp_path / "out", tmp_path / "cache")
    path = tmp_path / "out" / "splits" / "random.jsonl"
    path.write_text(path.read_text().replace('"label": "no"', '"label": "yes"', 1))
    with pytest.raises(HopeBenchError, match="changed after it was generated"):
        read_benchmark(tmp_path / "out")
    path.write_text('{"question_id": 1}\n')
    with pytest.raises(HopeBenchError, match="line 1"):
        read_benchmark(tmp_path / "out")


def test_every_strategy_and_source_of_descriptions_at_once(data: Path, clip: str, tmp_path: Path) -> None:
    given = tmp_path / "given.jsonl"
    annotations = read_annotations(data / "instances.json")
    claims = {"true": ["an old one"], "false": ["a new one"]}
    lines = [
        json.dumps({"image": image.file_name, "object": annotations.present(index)[0], **claims})
        for index, image in enumerate(annotations.images)
    ]
    given.write_text("\n".join([*lines, "broken"]) + "\n")
    spec = spec_for(
        data,
        clip,
        strategies=(*STRATEGY_KINDS, "content@other", "hope@other"),
        encoders={"other": ClipSpec(model=save_tiny_clip(tmp_path / "other", seed=1))},
        descriptions=DescriptionSpec(sources=("geometry", "attributes", "bank"), file=str(given)),
        guards=GuardsSpec(same_name=1.0, calibrated=CalibratedSpec(completeness=0.99, most_risk=1.0)),
    )
    said: list[str] = []
    manifest = generate(spec, tmp_path / "out", tmp_path / "cache", said.append)
    benchmark = read_benchmark(tmp_path / "out")
    described = [one for questions in benchmark.splits.values() for one in questions if one.description is not None]
    own, bank = (len({(one.image, one.text) for one in described if one.description_kind == kind}) for kind in ("given", "bank"))
    assert own > 0
    assert any(line.startswith(f"given.jsonl: {own} of its 24 claims are asked about (") for line in said)
    assert f"The attribute bank: {bank} of its claims are asked about." in said
    assert set(benchmark.splits) == {*spec.strategies, "description-twins", "hope-twins", "hope@other-twins"}
    assert benchmark.splits["content"] != benchmark.splits["content@other"]
    assert manifest.encoders.keys() == {"other"}
    assert any("given.jsonl: 1 left out, not such a line (line 13:" in note for note in manifest.notes)
    assert all(question.risk is not None for question in benchmark.splits["content"] if question.label == "no")
    for encoder in ("", "@other"):
        alone = {
            base: {
                (one.image, one.text, one.distractor_score)
                for one in benchmark.splits[base + (encoder if base == "content" else "")]
            }
            for base in ("content", "category", "description")
        }
        hope = [one for one in benchmark.splits[f"hope{encoder}"] if one.label == "no"]
        assert {one.found_by for one in hope} == set(alone), "each score is its own search's"
        for one in hope:
            compared = encoder == "" or one.found_by == "content"
            assert not compared or (one.image, one.text, one.distractor_score) in alone[one.found_by or ""]
    assert all(one.found_by is None for one in benchmark.splits["content"])
    for name in ("description", "hope", "hope@other"):
        twins = benchmark.splits[f"{name}-twins"]
        by_id = {question.question_id: question for question in benchmark.splits[name]}
        for false, true in zip(twins[::2], twins[1::2], strict=True):
            assert (false.label, true.label, false.image, false.object) == ("no", "yes", true.image, true.object)
            assert true.twin_of is not None
            assert by_id[true.twin_of].text == false.text != true.text


def test_attributes_are_guessed_of_each_pictures_own_objects(
    data: Path, clip: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_session, "_CLEAR_WINNER", 0.0)
    images = (1, 4, 7)
    annotations, _ = fit_boxes(read_annotations(data / "instances.json"), images, data / "images")
    digests = [
        hashlib.sha256((data / "images" / annotations.images[image].file_name).read_bytes()).hexdigest() for image in images
    ]
    session = EncoderSession(ClipSpec(model=clip), tmp_path / "cache")
    guessed = session.guess_attributes(Pictures(data / "images", images, tuple(digests)), annotations)
    session.close()
    starts = annotations.starts
    assert sorted(guessed) == [row for image in images for row in range(starts[image], starts[image + 1])]


def test_a_rejected_claim_is_replaced_by_the_next_best(data: Path, clip: str, tmp_path: Path) -> None:
    generate(spec_for(data, clip), tmp_path / "before", tmp_path / "cache")
    before = read_benchmark(tmp_path / "before").splits["content"]
    bad = next(question for question in before if question.label == "no")
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text(json.dumps({"image": bad.image, "object": bad.object, "decision": "present", "reviewer": "a"}) + "\n")
    guards = GuardsSpec(ontology=False, annotated=False, review=str(decisions))
    manifest = generate(spec_for(data, clip, guards=guards), tmp_path / "after", tmp_path / "cache")
    after = read_benchmark(tmp_path / "after").splits["content"]

    def asked(questions: tuple[Question, ...]) -> list[str | None]:
        return [question.object for question in questions if question.image == bad.image and question.label == "no"]

    assert asked(after)[:2] == asked(before)[1:]
    assert [q for q in after if q.image != bad.image] == [q for q in before if q.image != bad.image]
    assert manifest.guards["review"].displaced["content"] == 1


def test_a_review_says_what_it_changed_and_what_pope_asks_all_the_same(data: Path, clip: str, tmp_path: Path) -> None:
    spec = spec_for(data, clip, strategies=("popular", "content"))
    generate(spec, tmp_path / "before", tmp_path / "cache")
    before = read_benchmark(tmp_path / "before").splits
    popular, content = ({(q.image, q.object) for q in before[name] if q.label == "no"} for name in ("popular", "content"))
    one_each = ({image: (image, name) for image, name in sorted(claims)} for claims in (popular - content, content - popular))
    only_popular, only_content = (list(claims.values()) for claims in one_each)
    rejected = [*only_popular[:3], *only_content[-2:], ("elsewhere.png", "cup")]
    rows = [{"image": image, "object": name, "decision": "present"} for image, name in rejected]
    decisions = tmp_path / "decisions.jsonl"
    decisions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said: list[str] = []
    reviewed = spec.model_copy(update={"guards": GuardsSpec(ontology=False, review=str(decisions))})
    manifest = generate(reviewed, tmp_path / "after", tmp_path / "cache", said.append)
    told = (
        "The review rejects 6 claims, 5 of them about the images asked about. 2 questions gave way to the next best "
        "(2 in content). 3 are still asked, as POPE asks them by definition (3 in popular); the same splits that heed a review "
        "can be had as popular-guarded."
    )
    assert told in said
    assert told in manifest.notes
    after = read_benchmark(tmp_path / "after").splits
    assert {(q.image, q.object) for q in after["popular"] if q.label == "no"} == popular


@pytest.mark.parametrize("sources", [("geometry",), ()])
def test_peoples_own_descriptions_come_first_and_their_images_are_sampled(
    sources: tuple[str, ...], data: Path, clip: str, tmp_path: Path
) -> None:
    annotations = read_annotations(data / "instances.json")
    able = [image for image in range(12) if len(annotations.present(image)) >= 3]
    about = able[-3:]  # the last ones in the file
    lines = [
        {"image": annotations.images[image].file_name, "object": annotations.present(image)[place],
         "false": [f"a pink {annotations.present(image)[place]}"], "true": [f"a plain {annotations.present(image)[place]}"]}
        for image in about for place in range(3)
    ]  # fmt: skip
    given = tmp_path / "given.jsonl"
    given.write_text("".join(json.dumps(line) + "\n" for line in lines))
    spec = spec_for(data, clip, strategies=("popular", "description"), headline="description", sample_images=3,
                    descriptions=DescriptionSpec(sources=sources, file=str(given)))  # fmt: skip
    said: list[str] = []
    manifest = generate(spec, tmp_path / "out", tmp_path / "cache", said.append)
    assert set(manifest.images) == {annotations.images[image].file_name for image in about}
    assert not manifest.skipped
    questions = read_benchmark(tmp_path / "out").splits["description"]
    assert {q.description for q in questions if q.label == "no"} == {line["false"][0] for line in lines}
    expected = (
        "given.jsonl: {} of its 18 claims are asked about (9 of 9 false ones, {} of 9 true ones as their twins), in 3 of its 3"
    )
    twins = sum(q.twin_of is not None for q in read_benchmark(tmp_path / "out").splits.get("description-twins", ()))
    assert any(line.startswith(expected.format(9 + twins, twins)) for line in said)


def test_the_manifest_counts_what_guards_did_to_each_split(data: Path, clip: str, tmp_path: Path) -> None:
    """Of the distractors chosen without guards, those that a guard removed: recounted from a benchmark made without it."""
    spec = spec_for(data, clip, strategies=("adversarial", "adversarial-guarded", "content", "description", "hope"))
    generate(spec, tmp_path / "before", tmp_path / "cache")
    before = read_benchmark(tmp_path / "before").splits
    chosen = {split: [q for q in before[split] if q.label == "no"] for split in ("content", "description", "hope", "adversarial")}
    bad = [*chosen["content"][:2], chosen["description"][3], *chosen["hope"][6:9], chosen["adversarial"][4]]
    decisions = tmp_path / "decisions.jsonl"
    claims = {(q.image, q.object, q.description) for q in bad}
    rows = [{"image": image, "object": name, "decision": "present", "description": said} for image, name, said in claims]
    decisions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    guards = GuardsSpec(ontology=False, annotated=False, review=str(decisions))
    stats = generate(spec.model_copy(update={"guards": guards}), tmp_path / "after", tmp_path / "cache").guards["review"]
    assert stats.removed == len(claims)
    expected = {split: sum((q.image, q.object, q.description) in claims for q in asked) for split, asked in chosen.items()}
    assert stats.displaced == {
        "adversarial-guarded": expected["adversarial"],
        **{split: expected[split] for split in ("content", "description", "hope")},
    }
    for split in ("content", "description", "hope", "adversarial-guarded"):
        after = read_benchmark(tmp_path / "after").splits[split]
        assert not any((q.image, q.object, q.description) in claims for q in after if q.label == "no")


def test_evidence_from_a_detector_keeps_its_categories_out(data: Path, clip: str, tmp_path: Path) -> None:
    """A detector is sure of what is labelled, and of a cup that isn't: nobody is asked about that cup."""
    made = json.loads((data / "instances.json").read_text())
    shown = {(row["image_id"], row["category_id"]) for row in made["annotations"]}
    cup = NAMES.index("cup")
    image = next(index for index in range(12) if index % 4 and (index, cup) not in shown)
    rows = [
        {
            "image": f"{index:03}.png",
            "category": name,
            "score": float((index, column) in shown or (index, column) == (image, cup)),
        }
        for index in range(12)
        for column, name in enumerate(NAMES)
    ]
    (tmp_path / "seen.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows[:-10]))  # not the last picture
    calibrated = GuardsSpec(ontology=False, calibrated=CalibratedSpec(completeness=0.9))
    spec = spec_for(data, clip, strategies=("content",), sample_images=9, guards=calibrated)

    def asked(out: str, guards: GuardsSpec) -> tuple[Benchmark, list[Question]]:
        generate(spec.model_copy(update={"guards": guards}), tmp_path / out, tmp_path / "cache")
        benchmark = read_benchmark(tmp_path / out)
        return benchmark, [question for question in benchmark.splits["content"] if question.label == "no"]

    _, before = asked("before", calibrated)
    benchmark, after = asked("after", calibrated.model_copy(update={"evidence": str(tmp_path / "seen.jsonl")}))
    assert not any((question.image, question.object) == (f"{image:03}.png", "cup") for question in after)
    assert {tuple(question.evidence or ()) for question in before} == {("whole", "tile", "lookalikes")}
    assert {tuple(question.evidence or ()) for question in after} == {("whole", "tile", "given", "lookalikes")}
    assert {question.evidence["given"] for question in after if question.evidence and question.image != "011.png"} == {0.0}
    manifest = json.loads((tmp_path / "after" / "manifest.json").read_text())
    assert "seen.jsonl" in json.dumps(manifest)
    assert any("No evidence was given for 1 of 9 images (011.png)." in note for note in benchmark.manifest.notes)


def test_a_panel_is_of_all_encoders_of_the_spec(data: Path, tmp_path: Path) -> None:
    """Generated, answered, scored: results name every encoder, and who chose whom is told by their names."""
    encoders = {"openai": save_tiny_clip(tmp_path / "tiny-openai"), "siglip": save_tiny_clip(tmp_path / "tiny-siglip", seed=1)}
    spec = spec_for(data, encoders["openai"], strategies=("content", "content@siglip", "content-panel"), headline="content",
                    encoders={"siglip": ClipSpec(model=encoders["siglip"])})  # fmt: skip
    manifest = generate(spec, tmp_path / "out", tmp_path / "cache")
    assert (manifest.splits["content-panel"].kind, manifest.splits["content-panel"].questions) == ("hope", 48)
    benchmark = read_benchmark(tmp_path / "out")
    chosen = {
        name: {(one.image, one.text) for one in questions if one.label == "no"} for name, questions in benchmark.splits.items()
    }
    assert all(chosen["content-panel"] != chosen[name] for name in ("content", "content@siglip"))
    results = []
    for tower, split in (("openai/clip-vit-large-patch14-336", "content"), ("SigLIP, 1152 wide", "content@siglip")):
        run = make_run(tmp_path / split, benchmark, {}, model=ModelInfo(name=split, vision_tower=tower))
        asked = {(one.image, one.text) for questions in benchmark.splits.values() for one in questions}
        said = [(image, text, "yes" if (image, text) in chosen[split] else "no") for image, text in asked]
        write_answers(run, [Answer(image, text, verdict, verdict) for image, text, verdict in said])
        results.append(hb.score(run, benchmark=benchmark))
    assert results[0].benchmark.encoders == {"siglip": "local-dir:tiny-siglip"}
    found = hb.transfer(results)
    assert [one.family for one in found.searchers] == ["openai", "siglip", None]
    shared = len(chosen["content"] & chosen["content@siglip"]) / 24  # what both chose fools both models in both splits
    for row in found.models:
        assert row.home is not None
        assert row.home.advantage.value == pytest.approx(2 * (1 - shared), abs=1e-5)

    panel = spec.model_copy(update={"strategies": ("content-panel",), "headline": "content-panel"})
    alone = generate(panel, tmp_path / "alone", tmp_path / "cache")
    assert alone.encoders.keys() == {"siglip"}
    questions = read_benchmark(tmp_path / "alone").splits["content-panel"]
    assert {(one.image, one.text) for one in questions if one.label == "no"} == chosen["content-panel"]
