"""Exports read back with the libraries that their readers use: whatever the target can hold comes back."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import PIL.Image
import pytest
import yaml

from hope_bench.api.exchange import import_logs
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result import ModelInfo
from hope_bench.files.run import read_answers, read_run
from hope_bench.images import open_rgb
from hope_bench.interchange.answers_files import AnswersSource, import_answers
from hope_bench.interchange.export_datasets import export_datasets
from hope_bench.interchange.export_llava import export_llava
from hope_bench.interchange.export_lmms_eval import export_lmms_eval
from hope_bench.interchange.export_vlmevalkit import export_vlmevalkit
from hope_bench.interchange.parquet import hub_split_names, write_parquet
from hope_bench.records import Question
from hope_bench.reviewing.noise import LabelNoise, NoiseEstimate, read_label_noise, share, write_label_noise
from tests.cli import hope_bench, refused
from tests.small_benchmark import IMAGES, Small, write_small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


@pytest.fixture
def benchmark(small: Small) -> Benchmark:
    return read_benchmark(small.folder)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def question(row: dict[str, Any]) -> Question:
    """A question from its row in a Parquet file."""
    evidence = row["evidence"]
    fields = {key: value for key, value in row.items() if key not in ("image", "image_file", "evidence")}
    return Question(image=row["image_file"], evidence=None if evidence is None else json.loads(evidence), **fields)


def test_llava_files_hold_every_question_under_an_id_of_its_own(benchmark: Benchmark, tmp_path: Path) -> None:
    count = export_llava(benchmark, tmp_path / "out")
    rows = lines(tmp_path / "out" / "questions.jsonl")
    assert count == len(rows) == len({row["question_id"] for row in rows}) == 17
    assert rows[0] == {
        "question_id": 1, "image": "a.jpg", "text": "Is there a cup in the image?\nAnswer yes or no.", "category": "random",
    }  # fmt: skip
    for split, questions in benchmark.splits.items():
        mine = [row for row in rows if row["category"] == split]
        gold = lines(tmp_path / "out" / "annotations" / f"coco_pope_{split}.json")
        assert [row["image"] for row in mine] == [row["image"] for row in gold], "eval_pope.py pairs them by position"
        assert [Question(**row) for row in gold] == list(questions)


def test_answers_to_llava_files_come_back(benchmark: Benchmark, tmp_path: Path) -> None:
    export_llava(benchmark, tmp_path / "out")
    asked = tmp_path / "out" / "questions.jsonl"
    answered = "".join(
        json.dumps({"question_id": row["question_id"], "prompt": row["text"], "text": "Yes"}) + "\n" for row in lines(asked)
    )
    (tmp_path / "answers.jsonl").write_text(answered, encoding="utf-8")
    source = AnswersSource({tmp_path / "answers.jsonl": None}, asked)
    report = import_answers(source, benchmark, tmp_path / "runs" / "small" / "x", ModelInfo(name="x"))
    assert (report.unmatched, set(report.unasked.values())) == ([], {0})


@pytest.mark.parametrize(
    "prompt", ["{question}", "Please answer yes or no. {question}", "{question} Yes or no?", "Look.\n{question}\nOne word."]
)
def test_questions_of_every_kind_come_back_whatever_the_prompt(prompt: str, tmp_path: Path) -> None:
    """Descriptions, relations and natural wording: not all say "in the image", and one may stand within another."""
    texts = [
        "Is there a cup in the image?", "Is there a red cup in the image?", "Is there broccoli in the image?",
        "Are there scissors in the image?", "Is there a person in the bottom half of the image?", "Is there a dog?",
        "Is there a dog left of the person?", "Is the dog asleep?",
    ]  # fmt: skip
    splits = {
        name: [
            Question(0, image, text, "no" if place % 2 else "yes", name) for image in ("a.jpg", "b.jpg") for place, text in asked
        ]
        for name, asked in (("random", list(enumerate(texts))[:4]), ("description", list(enumerate(texts))))
    }
    write_benchmark(
        tmp_path / "bench", splits, {"random": "pope", "description": "hope"}, name="kinds", title="Kinds",
        headline="description", prompt=prompt, k=None, dataset="drawn", images={"a.jpg": None, "b.jpg": None},
    )  # fmt: skip
    benchmark = read_benchmark(tmp_path / "bench")
    export_llava(benchmark, tmp_path / "out")
    asked = tmp_path / "out" / "questions.jsonl"
    rows = lines(asked)
    answered = [
        {"question_id": row["question_id"], "prompt": row["text"], "text": "Yes" if "dog" in row["text"] else "No"}
        for row in rows
    ]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in answered), encoding="utf-8")
    folder = tmp_path / "runs" / "kinds" / "x"
    report = import_answers(AnswersSource({tmp_path / "answers.jsonl": None}, asked), benchmark, folder, ModelInfo(name="x"))
    assert (report.unmatched, set(report.unasked.values()), report.reworded) == ([], {0}, [])
    assert set(report.templates) == {prompt}
    assert {one.question: one.verdict for one in read_answers(folder / "answers.jsonl").answers} == {
        text: "yes" if "dog" in text else "no" for text in texts
    }
    record = read_run(folder)
    assert (record.unranked is None) == (prompt != "{question}"), "asked bare, the lines don't show a prompt"


def test_vlmevalkit_rows_hold_each_image_once_and_every_line(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    count = export_vlmevalkit(benchmark, tmp_path / "out", small.images)
    table = pd.read_csv(tmp_path / "out" / "POPE_small.tsv", sep="\t")  # as VLMEvalKit's load()
    assert len(table) == count == 11
    assert table["index"].is_unique
    assert set(table["answer"]) == {"Yes", "No"}
    asked = table.assign(category=table["category"].str.split(",")).explode("category")  # as its POPE_rating
    assert asked["category"].value_counts().to_dict() == {"random": 6, "content": 6, "description": 5}
    assert list(table) == ["index", "image", "image_path", "question", "answer", "category", "details"]
    contents = {str(index): picture for index, picture in zip(table["index"], table["image"], strict=True)}
    back: dict[str, list[Question]] = {split: [] for split in benchmark.splits}
    for _, row in table.iterrows():
        picture = contents[row["image"]] if len(row["image"]) <= 64 else row["image"]  # as its ImageBaseDataset
        details = {split: Question(**line) for split, line in json.loads(row["details"]).items()}
        for split, one in details.items():
            assert row["image_path"] == f"{one.image}.png"
            assert base64.b64decode(picture) == (small.images / one.image).read_bytes()
            assert row["question"] == benchmark.prompt.fill(one.text)
            assert row["answer"].lower() == one.label
            back[split].append(one)
    assert sum(len(picture) > 64 for picture in contents.values()) == 3
    for split, questions in benchmark.splits.items():
        assert sorted(back[split], key=lambda one: one.question_id) == list(questions)
    assert 'DATASET_URL["POPE_small"]' in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


def pixels(picture: PIL.Image.Image) -> tuple[str, tuple[int, int], bytes]:
    return picture.mode, picture.size, picture.tobytes()


def test_what_other_tools_would_show_otherwise_goes_in_as_hope_bench_shows_it(
    benchmark: Benchmark, small: Small, tmp_path: Path
) -> None:
    """Turned by EXIF, transparent, and greys of 16 bits. lmms-eval takes the RGB of what it opens; VLMEvalKit does so, too, and
    saves that under the name in `image_path`, unless a picture of that name is there (dump_image of its ImageBaseDataset)."""
    turned, clear, deep = (small.images / name for name in IMAGES)
    picture = PIL.Image.effect_noise((60, 40), 90).convert("RGB")
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture.save(turned, "JPEG", exif=exif)
    picture.putalpha(PIL.Image.linear_gradient("L").resize(picture.size))
    picture.save(clear, "PNG")
    PIL.Image.linear_gradient("L").convert("I").point(lambda grey: grey * 200).convert("I;16").save(deep, "PNG")
    before = {name: pixels(open_rgb(small.images / name)) for name in IMAGES}
    export_lmms_eval(benchmark, tmp_path / "lmms", small.images)
    shown = load_task(tmp_path / "lmms" / "hope_small_random.yaml")["doc_to_visual"]
    assert {name: pixels(shown({"image_file": name})[0]) for name in IMAGES} == before
    export_vlmevalkit(benchmark, tmp_path / "kit", small.images)
    table = pd.read_csv(tmp_path / "kit" / "POPE_small.tsv", sep="\t")
    for _, row in table.iterrows():
        kept = tmp_path / row["image_path"]
        if len(row["image"]) > 64:
            assert not kept.exists(), "each picture once"
            opened: PIL.Image.Image = PIL.Image.open(io.BytesIO(base64.b64decode(row["image"])))
            (opened.convert("RGB") if opened.mode in ("RGBA", "P", "LA") else opened).save(kept)
        assert pixels(open_rgb(kept)) == before[row["image_path"].removesuffix(".png")]
    turned.write_bytes(b"no picture")
    for export in (export_lmms_eval, export_vlmevalkit):
        with pytest.raises(HopeBenchError, match=r"a\.jpg: not an image"):
            export(benchmark, tmp_path / export.__name__, small.images)


def test_vlmevalkit_without_images_names_them(benchmark: Benchmark, tmp_path: Path) -> None:
    export_vlmevalkit(benchmark, tmp_path / "out", None)
    table = pd.read_csv(tmp_path / "out" / "POPE_small.tsv", sep="\t")
    assert list(table) == ["index", "image_path", "question", "answer", "category", "details"]
    assert set(table["image_path"]) == set(IMAGES)


def test_vlmevalkit_refuses_splits_that_contradict_each_other(benchmark: Benchmark, tmp_path: Path) -> None:
    splits = dict(benchmark.splits)
    splits["content"] = tuple(replace(one, label="yes") if one.object == "vase" else one for one in splits["content"])
    with pytest.raises(HopeBenchError, match=r"a.jpg: 'Is there a vase in the image\?' is labelled yes in split content"):
        export_vlmevalkit(replace(benchmark, splits=splits), tmp_path / "out", None)
    assert not list((tmp_path / "out").glob("*.tsv"))


@pytest.mark.parametrize("pictures", [True, False])
def test_datasets_reads_every_field_back(
    benchmark: Benchmark, small: Small, tmp_path: Path, pictures: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    rows = export_datasets(benchmark, tmp_path / "out", small.images if pictures else None)
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(found) == list(benchmark.splits)
    assert rows == sum(found.num_rows.values())
    for split, questions in benchmark.splits.items():
        assert [question(row) for row in found[split].remove_columns(["image"] if pictures else [])] == list(questions)
    if pictures:
        assert found["random"][4]["image"].size == (160, 120)
        raw = found["random"].cast_column("image", datasets.Image(decode=False))[4]["image"]
        assert raw == {"bytes": (small.images / IMAGES[2]).read_bytes(), "path": IMAGES[2]}
    header, body = (tmp_path / "out" / "README.md").read_text(encoding="utf-8").removeprefix("---\n").split("\n---\n", 1)
    assert yaml.safe_load(header)["configs"][0]["data_files"][1] == {"split": "content", "path": "data/content.parquet"}
    assert "| content | content | hope | 3 | 3 |" in body


def test_published_label_noise_goes_along(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    export_datasets(benchmark, tmp_path / "without", None)
    assert not (tmp_path / "without" / "label_noise.json").exists()
    found = LabelNoise(split="content", label="no", sampled=9, wrong=share(1, 8), unsure=share(0, 8))
    estimate = NoiseEstimate(
        benchmark="small", hash=benchmark.manifest.hash, sample=9, seed=0, reviewers=("alice",), estimates=(found,)
    )  # fmt: skip
    write_label_noise(small.folder, estimate)
    export_datasets(benchmark, tmp_path / "with", None)
    assert read_label_noise(tmp_path / "with", benchmark.manifest.hash) == estimate
    card = (tmp_path / "with" / "README.md").read_text(encoding="utf-8")
    assert "| content | no | 8 | 12.5 | 2.2 to 47.1 |" in card


def test_parquet_keeps_one_copy_of_an_image_and_gives_the_same_bytes(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    noise = b"".join(bytes([(i * i * 31 + i // 7) % 256]) for i in range(200_000))
    (small.images / "a.jpg").write_bytes(noise)
    many = tuple(replace(benchmark.splits["random"][0], question_id=number) for number in range(50))
    chosen = replace(benchmark, splits={"random": many})
    first = write_parquet(chosen, tmp_path / "one", small.images)
    assert first == write_parquet(chosen, tmp_path / "two", small.images)
    assert (tmp_path / "one" / "data" / "random.parquet").stat().st_size < 2 * len(noise)


def test_split_names_that_datasets_does_not_allow_are_replaced_and_stay_different() -> None:
    names = hub_split_names(["content", "content@vit-b", "content_vit_b", "content-vit.b"])
    assert list(names.values()) == ["content", "content_vit_b", "content_vit_b_2", "content_vit_b_3"]


def test_croissant_describes_every_file_and_column(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    export_datasets(benchmark, tmp_path / "out", small.images)
    found = json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert [file["@id"] for file in found["distribution"]] == [f"data/{split}.parquet" for split in benchmark.splits]
    for records, file in zip(found["recordSet"], found["distribution"], strict=True):
        columns = pq.read_schema(tmp_path / "out" / file["contentUrl"]).names
        assert [one["source"]["extract"]["column"] for one in records["field"]] == columns


def test_mlcroissant_reads_the_records(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    import mlcroissant  # type: ignore[import-untyped]

    export_datasets(benchmark, tmp_path / "out", small.images)
    found = mlcroissant.Dataset(jsonld=str(tmp_path / "out" / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    texts = [record["content/text"].decode() for record in found.records("content")]
    assert texts == [one.text for one in benchmark.splits["content"]]


class Loader(yaml.SafeLoader):
    """YAML as lmms-eval reads it: `!function utils.name` is that function of the file beside it."""

    module: ModuleType


def _function(loader: Loader, node: yaml.ScalarNode) -> Any:
    return getattr(loader.module, loader.construct_scalar(node).split(".")[1])


Loader.add_constructor("!function", _function)


def load_task(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("task_utils", path.parent / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    Loader.module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(Loader.module)
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)
    if "include" in found:
        found = {**load_task(path.parent / found.pop("include")), **found}
    return found


def test_an_lmms_eval_task_loads_asks_and_scores(benchmark: Benchmark, small: Small, tmp_path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    export_lmms_eval(benchmark, tmp_path / "out", small.images)
    group = yaml.safe_load((tmp_path / "out" / "hope_small.yaml").read_text(encoding="utf-8"))
    assert group == {"group": "hope_small", "task": [f"hope_small_{split}" for split in benchmark.splits]}
    task = load_task(tmp_path / "out" / "hope_small_content.yaml")
    docs = datasets.load_dataset(
        task["dataset_path"], name=None, cache_dir=str(tmp_path / "cache"), **task["dataset_kwargs"]
    )[task["test_split"]]  # fmt: skip
    around = task["lmms_eval_specific_kwargs"]["default"]
    assert [task["doc_to_text"](doc, around) for doc in docs] == [
        benchmark.prompt.fill(one.text) for one in benchmark.splits["content"]
    ]
    for doc, one in zip(docs, benchmark.splits["content"], strict=True):
        with PIL.Image.open(small.images / one.image) as picture:
            assert task["doc_to_visual"](doc) == [picture.convert("RGB")]
    assert [question(doc) for doc in docs] == list(benchmark.splits["content"])
    copied = [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".jpg", ".png")]
    assert sorted(path.name for path in copied) == sorted(IMAGES), "each picture once, however many splits"
    said = ["Yes.", "yes, a vase", "**No**", "No", "It seems so", "nothing, but yes"]  # labels: yes no yes no yes no
    results = [task["process_results"](doc, [text]) for doc, text in zip(docs, said, strict=True)]
    scores = {
        metric["metric"]: metric["aggregation"]([result[metric["metric"]] for result in results])
        for metric in task["metric_list"]
    }
    assert scores == pytest.approx({
        "hope_accuracy": 2 / 6, "hope_precision": 1 / 3, "hope_recall": 1 / 3, "hope_f1": 2 / 6, "hope_hallucination_rate": 2 / 3,
        "hope_yes_ratio": 3 / 6,
    })  # fmt: skip
    assert all(metric["aggregation"]([]) is None for metric in task["metric_list"])
    assert {metric["metric"]: metric["higher_is_better"] for metric in task["metric_list"]}["hope_yes_ratio"] is None
    # what lmms-eval 0.7.3 logs of it (make interop): no document, no image, no split but in the task's name
    logs = tmp_path / "logs" / "some-model"
    logs.mkdir(parents=True)
    logged = [
        {"doc_id": place, "target": doc["label"], "filtered_resps": text, "input": task["doc_to_text"](doc, around)}
        | task["process_results"](doc, [text])
        for place, (doc, text) in enumerate(zip(docs, [*said[:4], "I can't tell.", "Yes"], strict=True))
    ]  # of "It seems so" and "nothing, but yes" strict makes something else
    scores = {
        metric["metric"]: metric["aggregation"]([row[metric["metric"]] for row in logged]) for metric in task["metric_list"]
    }
    (logs / "20260101_000000_samples_hope_small_content.jsonl").write_text("".join(json.dumps(row) + "\n" for row in logged))
    stated = {"results": {"hope_small_content": {f"{name},none": value for name, value in scores.items()}}, "model_name": "m"}
    (logs / "20260101_000000_results.json").write_text(json.dumps(stated))
    (found,) = import_logs([tmp_path / "logs"], benchmark, "lmms-eval", runs=tmp_path / "runs")
    assert found.report is not None
    assert (found.report.asked, found.report.unmatched) == ({"random": 0, "content": 6, "description": 0}, [])
    assert {score.metric: (score.convention, score.stated, score.agrees) for score in found.scores} == {
        name.removeprefix("hope_"): ("strict", value, True) for name, value in scores.items()
    }


def test_the_command(small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = hope_bench(capsys, "export", small.folder, "--to", "vlmevalkit", "--images", small.images, "--out", tmp_path / "v")
    assert outcome.code == 0
    assert "11 rows (17 questions; those that several splits share are one row) of 3 splits" in outcome.out
    outcome = hope_bench(capsys, "export", small.folder, "--to", "llava", "--split", "content", "--out", tmp_path / "l")
    assert "6 rows of 1 split " in outcome.out
    message = refused(capsys, "export", small.folder, "--to", "llava", "--split", "random", "--out", tmp_path / "l")
    assert f"{tmp_path / 'l'} holds files already. Give another --out, or remove it." in message
    assert [path.name for path in (tmp_path / "l" / "annotations").iterdir()] == ["coco_pope_content.json"]
    message = refused(capsys, "export", small.folder, "--to", "lmms-eval", "--out", tmp_path / "x")
    assert "--images" in message
    (small.images / "b.png").unlink()
    message = refused(capsys, "export", small.folder, "--to", "datasets", "--images", small.images, "--out", tmp_path / "x")
    assert "b.png: the file is missing" in message
