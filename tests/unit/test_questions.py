"""Questions of others become benchmarks: any columns, pictures in the rows, and known benchmarks in their own files' shapes."""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import hope_bench as hb
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.interchange.pope_files import import_pope
from tests.cli import hope_bench, refused

SPLITS = ("random", "popular", "adversarial")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def picture(shade: int, kind: str = "JPEG") -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (4, 4), (shade % 256, shade // 256, 0)).save(held, kind)
    return held.getvalue()


def counts(benchmark: Benchmark) -> dict[str, tuple[int, int]]:
    """Yes and no by split."""
    labels = {name: Counter(question.label for question in questions) for name, questions in benchmark.splits.items()}
    return {name: (found["yes"], found["no"]) for name, found in labels.items()}


@pytest.mark.real
def test_pope_from_the_hubs_columns_is_pope_from_its_own_files(real: Path, tmp_path: Path) -> None:
    """lmms-lab/POPE's columns, in three parquet files with the pictures in them: the same hash, and each picture written once."""
    files = {split: real / "pope" / f"coco_pope_{split}.json" for split in SPLITS}
    import_pope(files, "pope-coco", "POPE", tmp_path / "own")
    rows = [
        {"id": str(number), "question_id": str(row["question_id"]), "question": row["text"], "answer": row["label"]}
        | {"image_source": Path(row["image"]).stem, "category": split}
        for split in ("adversarial", "popular", "random")
        for number, row in enumerate(map(json.loads, files[split].read_text().splitlines()))
    ]
    shades = {name: shade for shade, name in enumerate(dict.fromkeys(row["image_source"] for row in rows))}
    hub = tmp_path / "POPE" / "data"
    hub.mkdir(parents=True)
    for part in range(3):
        own = rows[3000 * part : 3000 * part + 3000]
        table = [{**row, "image": {"bytes": picture(shades[row["image_source"]]), "path": None}} for row in own]
        pq.write_table(pa.Table.from_pylist(table), hub / f"test-0000{part}-of-00003.parquet")
    found = hb.import_questions([tmp_path / "POPE"], "x", known="pope", images=tmp_path / "pictures", out=tmp_path / "x")
    assert counts(found) == dict.fromkeys(("adversarial", "popular", "random"), (1500, 1500))
    assert len(list((tmp_path / "pictures").iterdir())) == len(found.manifest.images) == 500
    assert all(found.manifest.images.values())
    assert not [note for note in found.manifest.notes if "published" in note]
    assert found.manifest.hash == read_benchmark(tmp_path / "own").manifest.hash


@pytest.mark.real
def test_the_questions_that_lmms_eval_was_given(real: Path, tmp_path: Path) -> None:
    """Of three files one holds the pictures; the others name them by the same words."""
    task = real / "peer-logs" / "lmms-eval" / "task"
    found = hb.import_questions([task], "drawn", images=tmp_path / "pictures", out=tmp_path / "drawn")
    assert counts(found) == {"adversarial": (300, 300), "popular": (300, 300), "random": (300, 300)}
    assert len(list((tmp_path / "pictures").glob("*.png"))) == len(found.manifest.images) == 100
    (log,) = hb.import_logs(
        [real / "peer-logs" / "lmms-eval" / "three_samples_pope_demo.jsonl"], found, "lmms-eval", runs=tmp_path / "runs"
    )
    assert log.report is not None
    assert log.report.asked == {"adversarial": 600, "popular": 600, "random": 600}


def test_the_same_questions_have_one_hash_wherever_they_come_from(tmp_path: Path) -> None:
    asked = [("a.jpg", "dog", "yes"), ("a.jpg", "umbrella", "no"), ("b.jpg", "traffic light", "no")]
    before, after = "Please answer yes or no. ", " Be brief."
    rows = [
        {"question_id": number, "image": image, "text": f"{before}Is there a {thing} in the image?{after}", "label": label}
        for number, (image, thing, label) in enumerate(asked, 1)
    ]
    pope = import_pope({"random": write_lines(tmp_path / "random.json", rows)}, "x", "X", tmp_path / "x")
    renamed = [{"nr": row["question_id"], "ask": row["text"], "is": row["label"].upper(), "photo": row["image"]} for row in rows]
    columns = {"id": "nr", "question": "ask", "label": "is", "image": "photo"}
    tables = {
        "csv": lambda path: pd.DataFrame(renamed).to_csv(path, index=False),
        "tsv": lambda path: pd.DataFrame(renamed).to_csv(path, sep="\t", index=False),
        "json": lambda path: path.write_text(json.dumps(renamed)),
        "jsonl": lambda path: write_lines(path, renamed),
        "parquet": lambda path: pq.write_table(pa.Table.from_pylist(renamed), path),
        "saved": lambda path: datasets.Dataset.from_list(renamed).save_to_disk(str(path)),
    }
    for ending, write in tables.items():
        path = tmp_path / f"mine.{ending}"
        write(path)
        found = hb.import_questions([path], "mine", columns=columns, split="random", out=tmp_path / ending)
        assert found.manifest.hash == pope.hash, ending
        assert found.manifest.prompt == before + "{question}" + after
    words = [{**row, "is": {"YES": "present", "NO": "absent"}[str(row["is"])]} for row in renamed]
    path = write_lines(tmp_path / "words.jsonl", words)
    with pytest.raises(HopeBenchError, match=r"row 1|line 1.*'present', which is neither a yes nor a no.*--columns yes=WORD"):
        hb.import_questions([path], "mine", columns=columns, split="random", out=tmp_path / "w")
    found = hb.import_questions(
        [path], "mine", columns={**columns, "yes": "present", "no": "absent"}, split="random", out=tmp_path / "w"
    )
    assert found.manifest.hash == pope.hash


def test_hopes_released_set(tmp_path: Path) -> None:
    """MM-Hallu/HOPE's columns; the prompt is in the text."""
    rows = [
        {"question_id": number, "image": {"bytes": picture(number // 2), "path": f"COCO_val2014_{number // 2:012d}.jpg"}}
        | {"text": f"Please answer yes or no. Is there a {thing} in the image?", "label": label}
        for number, (thing, label) in enumerate([("person", "yes"), ("red car", "no"), ("dog", "yes"), ("cup", "no")])
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "hope-00000-of-00001.parquet")
    found = hb.import_questions([tmp_path], "hope-coco", known="hope", images=tmp_path / "pictures", out=tmp_path / "b")
    assert counts(found) == {"hope": (2, 2)}
    assert (found.manifest.prompt, found.manifest.splits["hope"].kind) == ("Please answer yes or no. {question}", "hope")
    assert {question.object for question in found.splits["hope"]} == {"person", "red car", "dog", "cup"}
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(found.manifest.images)
    assert "hope has 4 of 3,000" in found.manifest.notes[-1]


def amber(folder: Path) -> list[Path]:
    queries = [
        (1005, "AMBER_1.jpg", "Is the sky sunny in this image?", "discriminative-attribute-state", "yes"),
        (1006, "AMBER_1.jpg", "Is the sky gloomy in this image?", "discriminative-attribute-state", "no"),
        (1013, "AMBER_1.jpg", "Are there three people in this image?", "discriminative-attribute-number", "yes"),
        (1017, "AMBER_2.jpg", "Does the man sit in this image?", "discriminative-attribute-action", "yes"),
        (9000, "AMBER_2.jpg", "Is there a cloud in this image?", "discriminative-hallucination", "no"),
        (14000, "AMBER_2.jpg", "Is there direct contact between the man and the ship?", "relation", "no"),
        (14001, "AMBER_1.jpg", "Is there direct contact between the sky and the tree?", "discriminative-relation", "yes"),
    ]
    asked = [{"id": number, "image": image, "query": query} for number, image, query, _, _ in queries]
    truths: list[dict[str, Any]] = [{"id": 1, "type": "generative", "truth": ["sky"], "hallu": ["sea"]}]
    truths += [{"id": number, "type": kind, "truth": truth} for number, _, _, kind, truth in queries]
    (folder / "query_discriminative.json").write_text(json.dumps(asked))
    (folder / "annotations.json").write_text(json.dumps(truths))
    return [folder / "query_discriminative.json", folder / "annotations.json"]


def hallusion(folder: Path) -> list[Path]:
    about = {"subcategory": "illusion", "set_id": "0", "sample_note": "circle", "gt_answer_details": "They are the same size."}
    rows = [
        {**about, "category": "VD", "visual_input": "1", "figure_id": "0", "question_id": "0", "gt_answer": "1"}
        | {"question": "Is the right circle the same size as the left one?", "filename": "./hallusion_bench/VD/illusion/0_0.png"},
        {**about, "category": "VD", "visual_input": "2", "figure_id": "1", "question_id": "0", "gt_answer": "0"}
        | {"question": "Is the right circle the same size as the left one?", "filename": "./hallusion_bench/VD/illusion/0_1.png"},
        {**about, "category": "VS", "visual_input": "0", "figure_id": "0", "question_id": "0", "gt_answer": "1"}
        | {"question": "Is China larger than Niger?", "filename": None},
        {**about, "category": "VS", "visual_input": "1", "figure_id": "1", "question_id": "0", "gt_answer": "0"}
        | {"question": "According to the map, is China larger than Niger?", "filename": "./hallusion_bench/VS/map/0_1.png"},
    ]
    (folder / "HallusionBench.json").write_text(json.dumps(rows))
    return [folder / "HallusionBench.json"]


def oric(folder: Path) -> list[Path]:
    rows = [
        {"id": number, "image": "COCO_val2014_000000420963.jpg", "target_object": thing, "solution": label}
        | {"problem": [f"Is there {article} {thing} in the image?", f"Does the image contain {article} {thing}?"]}
        for number, (article, thing, label) in enumerate([("a", "handbag", "yes"), ("an", "orange", "no")], 1)
    ]
    (folder / "oric_bench.json").write_text(json.dumps(rows))
    return [folder / "oric_bench.json"]


def hallucinogen(folder: Path) -> list[Path]:
    ways = [
        "Is the {} present in the image?", "Determine whether a {} is visible in the image.",
        "Assess if a {} can be seen in the image.", "Find out if a {} appears in the photo.",
        "Verify if there is a {} in the image.",
    ]  # fmt: skip
    made = []
    for short in ("rand", "pop", "adv"):
        rows = [
            {"question_id": number, "image": "COCO_val2014_000000310196.jpg", "label": label}
            | {"text": f"Is there a {thing} in the image?"}
            | {f"query_{way}": wording.format(thing) for way, wording in enumerate(ways, 1)}
            for number, (thing, label) in enumerate([("snowboard", "yes"), ("backpack", "no")], 1)
        ]  # fmt: skip
        made.append(write_lines(folder / f"id_POPE_{short}.json", rows))
    return made


def r_bench(folder: Path) -> list[Path]:
    rows = [
        {"question_id": number, "image": "0013ea2087020901.jpg", "text": text, "label": label, "qtype": "relation"}
        for number, (text, label) in enumerate([("Is the man riding the horse?", "Yes"), ("Is the man under the horse?", "No")])
    ]
    (folder / "image-level_filterd.json").write_text(json.dumps(rows))
    return [folder / "image-level_filterd.json"]


NAMED = {
    "amber": (amber, {"attribute": (3, 1), "existence": (0, 1), "relation": (1, 1)}),
    "hallusionbench": (hallusion, {"vd": (1, 1), "vs": (0, 1)}),
    "oric": (oric, {"oric": (1, 1)}),
    "hallucinogen": (hallucinogen, {"random": (5, 5), "popular": (5, 5), "adversarial": (5, 5)}),
    "r-bench": (r_bench, {"image-level": (1, 1)}),
}


PLAIN = [("0.jpg", "dog", "yes"), ("0.jpg", "cat", "no"), ("1.jpg", "cup", "yes"), ("1.jpg", "bus", "no")]
BASE64 = base64.b64encode(picture(7, "PNG")).decode()


def as_csv(separator: str, **called: str) -> bytes:
    """As Excel saves it in countries of a decimal comma: with a mark before it, and semicolons."""
    heading = [called.get(name, name) for name in ("image", "question", "answer")]
    rows = [heading, *([image, f"Is there a {thing} in the image?", label] for image, thing, label in PLAIN)]
    return "\r\n".join(separator.join(row) for row in rows).encode("utf-8-sig")


def as_rows(**more: Any) -> list[dict[str, Any]]:
    """Rows, of which each column that is given is made of (image, thing, label)."""
    rows = []
    for one in PLAIN:
        row = {"image": one[0], "question": f"Is there a {one[1]} in the image?", "answer": one[2]}
        rows.append(row | {name: make(one) for name, make in more.items()})
    return rows


SHAPES: dict[str, tuple[str, bytes]] = {
    "a comma": ("a.csv", as_csv(",")),
    "a semicolon": ("a.csv", as_csv(";")),
    "a tab in a CSV": ("a.csv", as_csv("\t")),
    "a heading with capitals": ("a.csv", as_csv(",", image="Image Path", question="Question", answer="Label")),
    "a list in an object": ("a.json", json.dumps({"version": 1, "data": as_rows()}).encode()),
    "a label in a list": ("a.json", json.dumps(as_rows(answer=lambda one: [one[2].title() + "."])).encode()),
    "addresses": ("a.json", json.dumps(as_rows(image=lambda one: f"https://a.org/val/{one[0]}?size=1")).encode()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_tables_as_people_have_them(shape: str, tmp_path: Path) -> None:
    name, content = SHAPES[shape]
    (tmp_path / name).write_bytes(content)
    found = hb.import_questions([tmp_path / name], "x", out=tmp_path / "x")
    assert [(one.image, one.object, one.label) for one in found.splits["questions"]] == PLAIN


@pytest.mark.parametrize("written", [BASE64, f"data:image/png;base64,{BASE64}"])
def test_a_picture_written_as_text_is_no_name_however_small(written: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"image": written, "question": "Is it on?", "answer": "yes"}]))
    found = hb.import_questions([tmp_path / "a.json"], "x", images=tmp_path / "pictures", out=tmp_path / "x")
    (name,) = found.manifest.images
    assert (tmp_path / "pictures" / name).read_bytes() == picture(7, "PNG")


@pytest.mark.parametrize(
    ("held", "message"), [(["a.jpg", "b.jpg"], "'image' holds 2, and"), (7, "'image' is 7, which is neither")]
)
def test_what_is_no_image_is_said(held: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"image": held, "question": "Is it on?", "answer": "yes"}]))
    with pytest.raises(HopeBenchError, match=message):
        hb.import_questions([tmp_path / "a.json"], "x", out=tmp_path / "x")


def test_two_columns_that_say_different_labels_whatever_their_case(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(as_rows(Label=lambda one: "yes" if one else "no")))
    with pytest.raises(HopeBenchError, match="'Label' says yes, 'answer' says no"):
        hb.import_questions([tmp_path / "a.json"], "x", out=tmp_path / "x")


@pytest.mark.parametrize("known", NAMED)
def test_a_known_benchmark_by_name(known: str, tmp_path: Path) -> None:
    write, expected = NAMED[known]
    files = write(tmp_path)
    found = hb.import_questions(files, "theirs", known=known, out=tmp_path / "b")
    assert counts(found) == expected
    again = hb.import_questions(list(reversed(files)), "again", known=known, out=tmp_path / "again")
    assert again.manifest.hash == found.manifest.hash
    assert "licence: " in found.manifest.description
    assert found.manifest.title != "theirs"
    left = [note for note in found.manifest.notes if "left out" in note]
    assert left == (["1 row asked without a picture left out."] if known == "hallusionbench" else [])


def full_amber() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    kinds = ["discriminative-hallucination"] * 4924 + ["discriminative-attribute-state"] * 7628
    kinds += ["discriminative-relation"] * 975 + ["relation"] * 689
    truth = {"discriminative-hallucination": "no", "relation": "no"}
    asked = [{"id": number, "image": f"AMBER_{number % 1004}.jpg", "query": f"{number}?"} for number in range(len(kinds))]
    yield "query_discriminative.json", asked
    yield "annotations.json", [{"id": n, "type": kind, "truth": truth.get(kind, "yes")} for n, kind in enumerate(kinds)]


def full_hallusion() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    places = [("VD", "1")] * 400 + [("VD", "2")] * 191 + [("VS", "1")] * 200 + [("VS", "2")] * 160 + [("VS", "0")] * 178
    yield (
        "HallusionBench.json",
        [
            {"category": category, "subcategory": "map", "visual_input": seen, "set_id": str(number), "figure_id": seen}
            | {"sample_note": "china", "question_id": "0", "question": "Is China larger?", "gt_answer_details": "It is."}
            | {"gt_answer": str(number % 2), "filename": None if seen == "0" else f"./{category}/map/{number}_{seen}.png"}
            for number, (category, seen) in enumerate(places)
        ],
    )


def full_oric() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    yield (
        "oric_bench.json",
        [
            {"id": number + 1, "image": f"COCO_val2014_{number // 2:012}.jpg", "target_object": thing}
            | {"problem": [f"Is there a {thing} in the image?", f"Can you see a {thing} in the image?"]}
            | {"solution": "no" if number // 2 % 2 else "yes"}
            for number in range(2000)
            for thing in [("traffic light", "handbag")[number % 2]]
        ],
    )


def full_r_bench() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    said = ["Yes", "No", "yes", "no", "Yes.", "No (opposite)"]
    yield (
        "image-level_filterd.json",
        [
            {"question_id": number % 7692, "qtype": ("Positive", "Opposite")[number % 2], "image": f"{number:016x}.jpg"}
            | {"text": "Is the child wearing a hat?", "label": said[number % 6]}
            for number in range(7787)
        ],
    )


FULL = {
    "amber": (full_amber, {"existence": (0, 4924), "attribute": (7628, 0), "relation": (975, 689)}),
    "hallusionbench": (full_hallusion, {"vd": (295, 296), "vs": (180, 180)}),
    "oric": (full_oric, {"oric": (1000, 1000)}),
    "r-bench": (full_r_bench, {"image-level": (3894, 3893)}),
}


@pytest.mark.parametrize("known", FULL)
def test_published_counts(known: str, tmp_path: Path) -> None:
    """Files as large as the published ones, with their columns and odd values: nothing differs, and one question less is said."""
    write, expected = FULL[known]
    for name, rows in write():
        (tmp_path / name).write_text(json.dumps(rows))
    found = hb.import_questions([tmp_path / name for name, _ in write()], "x", known=known, out=tmp_path / "x")
    assert counts(found) == expected
    assert not [note for note in found.manifest.notes if "published" in note]
    name, rows = next(write())
    (tmp_path / name).write_text(json.dumps(rows[1:]))
    found = hb.import_questions([tmp_path / name for name, _ in write()], "x", known=known, out=tmp_path / "less")
    assert any(f"{sum(next(iter(expected.values()))):,}" in note for note in found.manifest.notes if "published" in note)


def test_published_labels(tmp_path: Path) -> None:
    name, rows = next(full_oric())
    rows[0]["solution"] = "no"
    (tmp_path / name).write_text(json.dumps(rows))
    found = hb.import_questions([tmp_path / name], "x", known="oric", out=tmp_path / "x")
    assert found.manifest.notes[-1] == "Of the questions that ORIC-Bench published, oric has 999 yes where 1,000 are."


def test_r_bench_questions_with_both_labels_are_left_out(tmp_path: Path) -> None:
    rows = [
        {"question_id": number, "image": "a.jpg", "text": text, "label": label, "qtype": "Positive"}
        for number, (text, label) in enumerate([("Is it on?", "Yes"), ("Is it on?", "No (opposite)"), ("Is it off?", "no.")])
    ]
    (tmp_path / "image-level_filterd.json").write_text(json.dumps(rows))
    found = hb.import_questions([tmp_path / "image-level_filterd.json"], "x", known="r-bench", out=tmp_path / "x")
    assert counts(found) == {"image-level": (0, 1)}
    assert "2 rows whose question has both labels left out." in found.manifest.notes
    rows[2]["label"] = "perhaps"
    (tmp_path / "image-level_filterd.json").write_text(json.dumps(rows))
    with pytest.raises(HopeBenchError, match="'perhaps', which is neither"):
        hb.import_questions([tmp_path / "image-level_filterd.json"], "x", known="r-bench", out=tmp_path / "x")


def test_wordings_of_hallucinogen_are_kept(tmp_path: Path) -> None:
    """Also where each is POPE's question with other words around it: the wordings are what it asks."""
    ways = [
        "Is there a dog in the image?",
        "Look closely. Is there a dog in the image?",
        "Is there a dog in the image? Yes or no?",
    ]
    ways += ["Verify if there is a dog in the image.", "Find out if a dog appears in the photo."]
    row = {"question_id": 1, "image": "a.jpg", "text": ways[0], "label": "yes"}
    file = write_lines(tmp_path / "id_POPE_adv.json", [row | {f"query_{way}": words for way, words in enumerate(ways, 1)}])
    found = hb.import_questions([file], "x", known="hallucinogen", out=tmp_path / "x")
    assert [question.text for question in found.splits["adversarial"]] == ways
    assert found.manifest.prompt == "{question}"


def test_hallusionbench_has_two_categories(tmp_path: Path) -> None:
    (file,) = hallusion(tmp_path)
    file.write_text(file.read_text().replace('"VD"', '"VX"'))
    with pytest.raises(HopeBenchError, match="no category 'VX'"):
        hb.import_questions([file], "x", known="hallusionbench", out=tmp_path / "x")


@pytest.mark.parametrize("known", NAMED)
def test_files_of_another_benchmark_are_refused(known: str, tmp_path: Path) -> None:
    for other, (write, _) in NAMED.items():
        if other != known:
            folder = tmp_path / other
            folder.mkdir()
            with pytest.raises(HopeBenchError, match=r"is no row of|HALLUCINOGEN|AMBER|R-Bench"):
                hb.import_questions(write(folder), "x", known=known, out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_amber_without_its_annotations(tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=r"no truth for id 1005.*annotations\.json"):
        hb.import_questions(amber(tmp_path)[:1], "x", known="amber", out=tmp_path / "x")


ROW = {"image": "a.jpg", "question": "Is there a dog in the image?", "label": "yes"}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{**ROW, "label": "maybe"}], "'maybe', which is neither a yes nor a no"),
        ([{**ROW, "answer": "no"}], r"'label' says yes, 'answer' says no. Which is it\? --columns label="),
        ([ROW, {**ROW, "label": "no"}], "is labelled no, and yes in an earlier row"),
        ([{"question": ROW["question"], "label": "yes"}], "no column that is known to hold the image"),
        ([{"image": "a.jpg", "label": "yes"}], "no column that is known to hold the question"),
        ([{"image": "a.jpg", "question": "Is there a dog?"}], r"known to hold the label \(it has image, question\)"),
        ([{**ROW, "image": "../a.jpg"}], "relative to the images folder"),
        ([{**ROW, "question": ""}], "holds no question"),
        ([ROW, {**ROW, "question": "Well? Is there a cup in the image?"}], "wrap their questions in 2 ways"),
        ([{**ROW, "image": "/a/1/x.jpg"}, {**ROW, "image": "/a/2/x.jpg"}], "are two images of one name"),
        (
            [{**ROW, "category": "random"}, {**ROW, "category": "popular", "label": "no"}],
            "is labelled yes in split random and no in popular",
        ),
        ([], "no row asks a question"),
    ],
)
def test_what_is_malformed_is_refused(rows: list[dict[str, Any]], words: str, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match=words):
        hb.import_questions([write_lines(tmp_path / "q.jsonl", rows)], "x", out=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_pictures_as_bytes_and_in_lists(tmp_path: Path) -> None:
    """A picture is the same whatever a dataset wraps it in; a prompt that asks is the question, whatever text is beside it."""
    asked = [("Is there a cup in the image?", "yes", 1), ("Is there a dog in the image?", "no", 2)]
    cells = {
        "image": lambda data: {"bytes": data, "path": None},
        "picture": lambda data: data,
        "images": lambda data: [{"bytes": data, "path": None}],
    }
    hashes = set()
    for column, cell in cells.items():
        rows = [{"text": "a caption", "prompt": text, "answer": label, column: cell(picture(n))} for text, label, n in asked]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / f"{column}.parquet")
        found = hb.import_questions([tmp_path / f"{column}.parquet"], "x", images=tmp_path / column, out=tmp_path / f"x-{column}")
        assert counts(found) == {"questions": (1, 1)}
        hashes.add(found.manifest.hash)
        assert {path.read_bytes() for path in (tmp_path / column).iterdir()} == {picture(1), picture(2)}
    assert len(hashes) == 1


def test_class_labels_are_read_by_their_names(tmp_path: Path) -> None:
    """datasets keeps a ClassLabel as a number: 0 is whatever comes first, here the yes."""
    features = datasets.Features(
        {
            "image": datasets.Value("string"),
            "question": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["yes", "no"]),
        }
    )
    held = datasets.Dataset.from_list(
        [{**ROW, "label": "yes"}, {**ROW, "image": "b.jpg", "label": "no"}, {**ROW, "image": "c.jpg", "label": "no"}], features
    )
    held.to_parquet(tmp_path / "q.parquet")
    held.save_to_disk(tmp_path / "saved")
    for source in (tmp_path / "q.parquet", tmp_path / "saved"):
        found = hb.import_questions([source], "x", out=tmp_path / f"x-{source.stem}")
        assert {one.image: one.label for one in found.splits["questions"]} == {ROW["image"]: "yes", "b.jpg": "no", "c.jpg": "no"}


def test_images_by_path_and_address(tmp_path: Path) -> None:
    """The same picture has one name, whichever machine's path stands for it; two of one name are refused."""
    names = ["val/a.jpg", "val\\a.jpg"], ["/data/a.jpg", "C:\\data\\a.jpg", "http://images.org/val/a.jpg"]
    for wanted, given in zip(("val/a.jpg", "a.jpg"), names, strict=True):
        for number, name in enumerate(given):
            file = write_lines(tmp_path / "q.jsonl", [{**ROW, "image": name}])
            assert list(hb.import_questions([file], "x", out=tmp_path / f"x{number}").manifest.images) == [wanted]
    file = write_lines(tmp_path / "q.jsonl", [{**ROW, "image": f"http://images.org/{n}/a.jpg", "label": "no"} for n in (1, 2)])
    with pytest.raises(HopeBenchError, match="two images of one name"):
        hb.import_questions([file], "x", out=tmp_path / "x")


def test_every_row_is_one_of_the_named_benchmark(tmp_path: Path) -> None:
    row = {"question_id": "1", "question": "Is there a cup in the image?", "answer": "yes", "image_source": "a"}
    file = write_lines(tmp_path / "pope.jsonl", [{**row, "category": "random"}, {**row, "image_source": "b"}])
    with pytest.raises(HopeBenchError, match="line 2 is no row of POPE: no 'category'"):
        hb.import_questions([file], "x", known="pope", out=tmp_path / "x")


def test_ambers_truths_contradict(tmp_path: Path) -> None:
    files = amber(tmp_path)
    held = json.loads(files[1].read_text())
    last = next(one for one in reversed(held) if isinstance(one["truth"], str))
    files[1].write_text(json.dumps([*held, {**last, "truth": "no" if last["truth"] == "yes" else "yes"}]))
    with pytest.raises(HopeBenchError, match="has another truth than before"):
        hb.import_questions(files, "x", known="amber", out=tmp_path / "x")


def test_a_column_called_category_is_a_split_only_where_it_names_strategies(tmp_path: Path) -> None:
    rows = [
        {**ROW, "category": "animal"},
        {**ROW, "image": "b.jpg", "category": "vehicle", "label": "no"},
        ROW | {"category": "animal"},
    ]
    found = hb.import_questions([write_lines(tmp_path / "q.jsonl", rows)], "x", out=tmp_path / "x")
    assert counts(found) == {"questions": (1, 1)}
    assert found.manifest.splits["questions"].kind == "other"
    assert "1 row repeats an earlier question" in found.manifest.notes[0]
    found = hb.import_questions([tmp_path / "q.jsonl"], "y", columns={"split": "category"}, out=tmp_path / "y")
    assert counts(found) == {"animal": (1, 0), "vehicle": (0, 1)}


def test_a_benchmark_of_others_can_be_answered_scored_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = amber(tmp_path)
    done = hope_bench(capsys, "import", "questions", *files, "--as", "amber", "--name", "amber")
    assert done.code == 0, done.err
    assert max(map(len, done.out.splitlines()[:6])) <= 80
    said = [{"image": row["image"], "question": row["query"], "response": "Yes"} for row in json.loads(files[0].read_text())]
    answers = write_lines(tmp_path / "a.jsonl", said)
    done = hope_bench(capsys, "import", "answers", answers, "--name", "m", "--prompt", "{question}", "-b", "amber")
    assert done.code == 0, done.err
    for words in (["score", "amber/m"], ["leaderboard", "build"], ["report", "amber/m"]):
        done = hope_bench(capsys, *words)
        assert done.code == 0, done.err
    assert hb.score("amber/m").splits["existence"].hallucination_rate.value == 1.0
    message = refused(capsys, "import", "questions", "q.jsonl", "--name", "x", "--as", "ambre")
    assert "Did you mean 'amber'" in message
    assert "give KEY=COLUMN" in refused(capsys, "import", "questions", files[0], "--name", "x", "--columns", "question")
    assert "no id of the Hub" in refused(capsys, "import", "questions", "nowhere.csv", "--name", "x")


def test_an_id_of_the_hub_is_read_from_what_is_kept_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As huggingface_hub keeps a dataset, and without a network."""
    commit = "0" * 40
    kept = tmp_path / "hub" / "datasets--org--questions"
    write_lines(kept / "snapshots" / commit / "data" / "test.jsonl", [ROW, {**ROW, "image": "b.jpg", "label": "no"}])
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    found = hb.import_questions(["org/questions"], "x", out=tmp_path / "x")
    assert counts(found) == {"questions": (1, 1)}
    with pytest.raises(HopeBenchError, match="org/other is no file here, and the Hub doesn't give it"):
        hb.import_questions(["org/other"], "x", out=tmp_path / "y")


@pytest.mark.real
def test_popes_own_files_are_not_hopes(real: Path, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="is no row of HOPE"):
        hb.import_questions([real / "pope" / "coco_pope_random.json"], "x", known="hope", out=tmp_path / "x")
    found = hb.import_questions([real / "repope" / "coco_repope_random.json"], "repope", split="random", out=tmp_path / "repope")
    assert len(found.splits["random"]) == 2774


@pytest.mark.parametrize(("ending", "between"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_a_first_line_of_thousands_of_columns_is_refused(ending: str, between: str, tmp_path: Path) -> None:
    """pandas takes time with the square of their number."""
    (tmp_path / f"q.{ending}").write_text(f"{between.join(['question'] * 30_000)}\n")
    with pytest.raises(HopeBenchError, match=r"has more than 5,000 columns by its first line"):
        hb.import_questions([tmp_path / f"q.{ending}"], "x", out=tmp_path / "x")
