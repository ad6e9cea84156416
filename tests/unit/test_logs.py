"""Logs of other tools: LLaVA-1.5-13B's answers in every tool's shape, lmms-eval's own log, and labels that look like answers."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow.parquet as pq
import pytest

import hope_bench as hb
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark
from hope_bench.files.run import read_run
from hope_bench.files.split_score import PACKED
from hope_bench.interchange.pope_files import import_pope
from hope_bench.interchange.questions import question_key
from hope_bench.scoring.conventions import CONVENTIONS
from tests.cli import hope_bench, refused
from tests.soak import SOAK

SPLITS = ("adversarial", "popular", "random")
SUFFIX = "\nAnswer the question using a single word or phrase."


class Asked(NamedTuple):
    """A question of one of POPE's files, and what LLaVA said."""

    split: str
    id: int
    image: str
    question: str
    label: str
    said: str
    place: int


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def answered(real: Path) -> list[Asked]:
    """What LLaVA-1.5-13B answered, by the rows of POPE's own files; 90 of them it was never asked."""
    questions = {row["question_id"]: row for row in read_lines(real / "llava-v1.5-13b" / "questions.jsonl")}
    said = {}
    for row in read_lines(real / "llava-v1.5-13b" / "answers.jsonl"):
        question = questions[row["question_id"]]
        said[question["category"], question["image"], question_key(question["text"])] = row["text"]
    made, places = [], {}
    for split in SPLITS:
        for row in read_lines(real / "pope" / f"coco_pope_{split}.json"):
            key = (split, row["image"], question_key(row["text"]))
            place = places.setdefault((row["image"], row["text"]), len(places))
            if key in said:
                made.append(Asked(split, row["question_id"], row["image"], row["text"], row["label"], said[key], place))
    assert (len(made), len(places)) == (8910, 5127)
    return made


@pytest.fixture(scope="module")
def pope(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    folder = tmp_path_factory.mktemp("pope") / "pope-coco"
    files = {split: real / "pope" / f"coco_pope_{split}.json" for split in ("random", "popular", "adversarial")}
    import_pope(files, "pope-coco", "POPE", folder, prompt="{question}" + SUFFIX)
    return read_benchmark(folder)


def rounded(rows: Iterable[Asked]) -> dict[str, float]:
    """The tools' scores by their own arithmetic, of answers that are one word."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        counts[row.label, row.said.lower()] += 1
    hits, misses, false = counts["yes", "yes"], counts["yes", "no"], counts["no", "yes"]
    precision, recall = hits / (hits + false), hits / (hits + misses)
    accuracy = (hits + counts["no", "no"]) / sum(counts.values())
    return {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}


def lmms_eval(folder: Path, rows: list[Asked]) -> Path:
    """As lmms-eval writes it, with the rows of lmms-lab/POPE: adversarial, popular, random."""
    made = []
    for place, row in enumerate(rows):
        scored = {"question_id": str(row.id), "score": float(row.said.lower() == row.label), "prediction": row.said.lower()}
        scored["ground_truth"] = row.label
        made.append(
            {
                "doc_id": place, "target": row.label, "filtered_resps": row.said, "doc_hash": "74234e98",
                "pope_accuracy": scored, "pope_f1_score": scored, "input": row.question + SUFFIX,
            }
        )  # fmt: skip
    write_lines(folder / "liuhaotian__llava-v1.5-13b" / "20260101_000000_samples_pope.jsonl", made)
    f1 = {"alias": "pope", "pope_f1_score,none": rounded(rows)["f1"], "pope_f1_score_stderr,none": "N/A"}
    results = {"results": {"pope": f1}, "model_name": "liuhaotian/llava-v1.5-13b", "config": {"model": "llava"}}
    (folder / "liuhaotian__llava-v1.5-13b" / "20260101_000000_results.json").write_text(json.dumps(results))
    return folder


def lmms_eval_before(folder: Path, rows: list[Asked]) -> Path:
    """As early versions of lmms-eval wrote it: one object, indented, with the samples as its `logs`."""
    (log,) = lmms_eval(folder / "new", rows).rglob("*.jsonl")
    samples = [json.loads(line) for line in log.read_text().splitlines()]
    for sample in samples:
        sample["resps"], sample["filtered_resps"] = [[sample["filtered_resps"]]], [sample["filtered_resps"]]
        sample["arguments"] = [sample.pop("input"), {"max_new_tokens": 128}, sample["doc_id"], "pope", "test"]
    (results,) = (folder / "new").rglob("*_results.json")
    old = folder / "old" / "0312_1422_llava_pope_model_args_f1"
    old.mkdir(parents=True)
    arguments = {"model": "llava", "model_args": "pretrained=liuhaotian/llava-v1.5-13b", "tasks": "pope"}
    held = {"args": arguments, "model_configs": {"task": "pope"}, "logs": samples, "time": "0312_1422"}
    (old / "pope.json").write_text(json.dumps(held, indent=4))
    (old / "results.json").write_text(json.dumps({"results": json.loads(results.read_text())["results"]}))
    return folder / "old"


def vlmevalkit_rows(rows: list[Asked]) -> list[dict[str, Any]]:
    """Each (image, question) once, the splits that ask it in `category`, as VLMEvalKit's POPE.tsv has it; no image is named."""
    once: dict[int, list[Asked]] = defaultdict(list)
    for row in rows:
        once[row.place].append(row)
    return [
        {
            "index": place, "question": asked[0].question, "answer": asked[0].label.capitalize(),
            "category": ",".join(row.split for row in asked), "prediction": asked[0].said,
        }
        for place, asked in once.items()
    ]  # fmt: skip


def vlmevalkit(folder: Path, rows: list[Asked]) -> Path:
    """The whole output folder: the newest run in a folder of its own, linked to, and what VLMEvalKit makes of it."""
    pytest.importorskip("openpyxl")
    run = folder / "llava_v1.5_13b" / "T20260101_Gabcdef"
    run.mkdir(parents=True)
    frame = pd.DataFrame(vlmevalkit_rows(rows))
    frame.to_excel(run / "llava_v1.5_13b_POPE.xlsx", index=False)
    frame.assign(extracted=frame["answer"], prediction=frame["answer"]).to_excel(run / "llava_v1.5_13b_POPE_auxmatch.xlsx")
    scores = {split: rounded([row for row in rows if row.split == split]) for split in SPLITS} | {"Overall": rounded(rows)}
    table = [
        {
            "split": split, "Overall": 100 * one["f1"], "acc": 100 * one["accuracy"], "precision": 100 * one["precision"],
            "recall": 100 * one["recall"],
        }
        for split, one in scores.items()
    ]  # fmt: skip
    pd.DataFrame(table).to_csv(run / "llava_v1.5_13b_POPE_score.csv", index=False)
    (folder / "llava_v1.5_13b" / "llava_v1.5_13b_POPE.xlsx").symlink_to(run / "llava_v1.5_13b_POPE.xlsx")
    return folder


def evalscope(folder: Path, rows: list[Asked]) -> Path:
    prompt = "{}\nPlease answer YES or NO without an explanation."
    metrics: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for split in SPLITS:
        own = [row for row in rows if row.split == split]
        predictions, reviews = [], []
        for place, row in enumerate(own):
            parts = [
                {"type": "text", "text": prompt.format(row.question)},
                {"type": "image", "image": "data:image/png;base64,AAAA"},
            ]
            asked = [{"role": "user", "content": parts}]
            message = {
                "role": "assistant",
                "content": [{"type": "reasoning", "reasoning": "No."}, {"type": "text", "text": row.said}],
            }
            output = {"model": "llava", "choices": [{"message": message, "stop_reason": "stop"}], "error": None}
            predictions.append({"index": place, "model": "llava-13b", "model_output": output, "messages": asked})
            about = {"id": str(place), "answer": row.label.upper(), "category": split, "question_id": str(row.id)}
            score = {"value": {"acc": 1}, "extracted_prediction": row.label.upper(), "prediction": row.said}
            sample = {"score": score, "sample_id": place, "sample_metadata": about}
            reviews.append({"index": place, "input": asked, "target": row.label.upper(), "sample_score": sample})
        write_lines(folder / "predictions" / "llava-13b" / f"pope_{split}.jsonl", predictions)
        write_lines(folder / "reviews" / "llava-13b" / f"pope_{split}.jsonl", reviews)
        for name, value in rounded(own).items():
            metrics[{"f1": "f1_score"}.get(name, name)].append({"name": split, "score": round(value, 4), "num": len(own)})
    report = {
        "name": "llava-13b@pope", "dataset_name": "pope", "model_name": "llava-13b",
        "metrics": [{"name": name, "categories": [{"name": ["default"], "subsets": one}]} for name, one in metrics.items()],
    }  # fmt: skip
    (folder / "reports" / "llava-13b").mkdir(parents=True)
    (folder / "reports" / "llava-13b" / "pope.json").write_text(json.dumps(report))
    return folder


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def inspect_log(rows: list[Asked]) -> dict[str, Any]:
    samples = [
        {
            "id": place, "epoch": 1, "target": row.label, "metadata": {"split": row.split},
            "input": [{"role": "user", "content": [text(row.question + SUFFIX), {"type": "image", "image": row.image}]}],
            "output": {"model": "llava", "choices": [{"message": {"role": "assistant", "content": row.said}}]},
            "scores": {"match": {"value": "C", "answer": row.label}},
        }
        for place, row in enumerate(rows, 1)
    ]  # fmt: skip
    scores = [{"name": "match", "metrics": {"accuracy": {"name": "accuracy", "value": rounded(rows)["accuracy"]}}}]
    about = {"task": "pope", "model": "hf/llava-v1.5-13b", "dataset": {"name": "POPE"}, "packages": {"inspect_ai": "0.3.50"}}
    return {"version": 2, "status": "success", "eval": about, "results": {"scores": scores}, "samples": samples}


def inspect_json(folder: Path, rows: list[Asked]) -> Path:
    folder.mkdir(parents=True)
    (folder / "2026-01-01_pope.json").write_text(json.dumps(inspect_log(rows)))
    return folder


def inspect_eval(folder: Path, rows: list[Asked]) -> Path:
    folder.mkdir(parents=True)
    log = inspect_log(rows)
    with zipfile.ZipFile(folder / "2026-01-01_pope.eval", "w") as archive:
        for sample in log.pop("samples"):
            archive.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
        archive.writestr("header.json", json.dumps(log))
    return folder


TOOLS: dict[str, tuple[str, Callable[[Path, list[Asked]], Path]]] = {
    "lmms-eval": ("lmms-eval", lmms_eval),
    "early lmms-eval": ("lmms-eval", lmms_eval_before),
    "vlmevalkit": ("vlmevalkit", vlmevalkit),
    "evalscope": ("evalscope", evalscope),
    "inspect json": ("inspect", inspect_json),
    "inspect eval": ("inspect", inspect_eval),
}


def verdicts(benchmark: Benchmark, run: Path) -> dict[str, str]:
    return {name: split.verdicts for name, split in hb.score(run, benchmark=benchmark, replicates=100).splits.items()}


def packed(benchmark: Benchmark, rows: list[Asked]) -> dict[str, str]:
    """The verdicts that these one-word answers are, in the order of a result: the oracle."""
    said = {(row.split, row.image, question_key(row.question)): row.said.lower() for row in rows}
    places = {image: place for place, image in enumerate(benchmark.manifest.images)}
    return {
        name: "".join(
            PACKED[said.get((name, one.image, question_key(one.text)), "unasked")]
            for one in sorted(questions, key=lambda one: places[one.image])
        )
        for name, questions in benchmark.splits.items()
    }


@pytest.mark.real
@pytest.mark.parametrize("shape", TOOLS)
def test_llavas_answers_are_the_same_verdicts_in_every_shape(
    answered: list[Asked], pope: Benchmark, tmp_path: Path, shape: str
) -> None:
    tool, write = TOOLS[shape]
    if tool != "lmms-eval" and not SOAK:
        answered = answered[::4]
    (found,) = hb.import_logs([write(tmp_path / "logs", answered)], pope, tool, runs=tmp_path / "runs")
    assert found.folder is not None
    assert found.report is not None
    assert found.report.unmatched == []
    assert verdicts(pope, found.folder) == packed(pope, answered)
    assert found.scores
    assert all(score.agrees for score in found.scores)
    assert "llava" in found.folder.name


@pytest.fixture
def drawn(real: Path, tmp_path: Path) -> Benchmark:
    """The questions that lmms-eval was given, as POPE's files."""
    files = {}
    for split in ("random", "popular", "adversarial"):
        rows = pq.read_table(real / "peer-logs" / "lmms-eval" / "task" / f"{split}.parquet").to_pylist()
        files[split] = write_lines(
            tmp_path / f"{split}.json",
            [
                {"question_id": int(row["question_id"]), "image": row["image_source"] + ".png", "text": row["question"]}
                | {"label": row["answer"]}
                for row in rows
            ],
        )
    import_pope(files, "drawn", "Drawn", tmp_path / "drawn")
    return read_benchmark(tmp_path / "drawn")


@pytest.mark.real
def test_lmms_evals_own_log_gives_its_own_f1(
    real: Path, drawn: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = real / "peer-logs" / "lmms-eval" / "random_samples_pope_one.jsonl"
    options = ["--from", "lmms-eval", "--benchmark", drawn.folder, "--runs", tmp_path / "runs"]
    done = hope_bench(capsys, "import", "answers", log, *options)
    assert done.code == 0, done.err
    assert "the log's own 5 scores (F1 83.06) come out here, too" in done.out
    run = tmp_path / "runs" / "drawn" / "demo-llava"
    result = hb.score(run, benchmark=drawn, convention="lmms-eval")
    assert result.splits["random"].f1.value == pytest.approx(0.8305647840531561, abs=1e-6)
    assert result.splits["popular"].on_yes.unasked == 300
    record = read_run(run)
    assert (record.model.name, record.run.decoding, record.run.max_new_tokens) == ("demo-llava", "greedy", 128)
    assert record.run.prompt == "{question}"
    assert str(real) not in (run / "run.json").read_text()

    three = log.with_name("three_samples_pope_demo.jsonl")
    (found,) = hb.import_logs([three], drawn, "lmms-eval", runs=tmp_path / "runs")
    assert [(score.stated, score.agrees) for score in found.scores if score.metric == "f1"] == [(0.8370535714285714, True)]
    said = {row["doc_id"]: row["filtered_resps"] for row in read_lines(three)}
    order = [question for split in ("random", "popular", "adversarial") for question in drawn.splits[split]]
    answers = {(one.image, one.question): one.text for one in hb.load_run(run).answers().answers}
    assert all(answers[question.image, question.text] == said[place] for place, question in enumerate(order))


SMALL = [
    Asked("random", number, f"{number // 4}.jpg", f"Is there a {thing} in the image?", label, said, number - 1)
    for number, (thing, label, said) in enumerate(
        [(thing, label, said) for thing in ("dog", "cup", "car") for label, said in (("yes", "Yes"), ("no", "Yes"), ("no", "no"))]
        + [("tree", "yes", "No, there is no tree."), ("sink", "no", "I see a sink.")],
        1,
    )
]


@pytest.fixture
def small(tmp_path: Path) -> Benchmark:
    rows = [{"question_id": row.id, "image": f"{row.id}.jpg", "text": row.question, "label": row.label} for row in SMALL]
    import_pope({"random": write_lines(tmp_path / "random.json", rows)}, "small", "Small", tmp_path / "small")
    return read_benchmark(tmp_path / "small")


def named(row: Asked, **fields: Any) -> dict[str, Any]:
    return {"image": f"{row.id}.jpg", "question": row.question, **fields}


def imported(small: Benchmark, folder: Path, rows: Iterable[Mapping[str, Any]], **options: Any) -> list[str | None]:
    run, _ = hb.import_answers([write_lines(folder / "a.jsonl", rows)], small, "a", runs=folder / "runs", **options)
    said = {answer.image: answer.text for answer in hb.load_run(run).answers().answers}
    return [said.get(f"{row.id}.jpg") for row in SMALL]


@pytest.mark.parametrize(
    "fields",
    [
        lambda row: {"answer": row.label, "prediction": row.said},
        lambda row: {"answer": row.label, "response": row.said},
        lambda row: {"answer": row.label.capitalize(), "pred": row.said, "category": "random"},
        lambda row: {"label": row.label, "answer": row.said},
        lambda row: {"gt_answer": row.label, "answer": row.said, "score": 1.0},
        lambda row: {"answer": row.label, "model_output": row.said, "output_tokens": 1},
        lambda row: {"target": row.label, "generated_text": row.said, "answer": row.label},
        lambda row: {"text": row.said, "label": row.label, "is_correct": row.label == row.said},
        lambda row: {"answer": row.said},
        lambda row: {"answer": row.label, "outputs": [row.said]},
        lambda row: {"prediction": row.said, "image": f"/data/val2014/{row.id}.jpg"},
        lambda row: {"prediction": row.said, "image": str(row.id)},
    ],
)
def test_the_models_field_is_read_and_never_the_label(
    small: Benchmark, tmp_path: Path, fields: Callable[[Asked], dict[str, Any]]
) -> None:
    assert imported(small, tmp_path, [named(row, **fields(row)) for row in SMALL]) == [row.said for row in SMALL]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (lambda row: {"answer": row.label}, "what the benchmark's labels say, 11 times out of 11"),
        (
            lambda row: {"answer": row.label.upper(), "llava": row.said},
            "'answer' and 'llava' could each be the answer or the label",
        ),
        (lambda row: {"llava": row.said}, "'llava' could be the answer or the label"),
        (lambda row: {"answer": row.label, "model": {"response": row.said}}, "'answer' and 'model' could each be"),
        (lambda row: {"prediction": row.label, "answer": row.said}, r"differs \d times: the two seem swapped"),
        (lambda row: {"response": row.label, "gt": row.said}, r"differs \d times: the two seem swapped"),
        (lambda row: {"label": row.label}, "only 'label', which by the name is the label"),
        (lambda row: {"answer": row.label, "predicted_label": row.said}, "could each be"),
        (lambda row: {"prediction": row.said, "response": row.label}, "'prediction' and 'response' could each be the answer"),
        (lambda row: {"answer": row.label, "pred": int(row.said == "Yes")}, "'pred' is not text"),
        (
            lambda row: {"answer": row.label} if row.id < 9 else {"answer": row.label, "prediction": row.said},
            "no 'prediction', though other lines have it",
        ),
    ],
)
def test_an_answer_that_is_not_certain_is_refused_and_asked_for(
    small: Benchmark, tmp_path: Path, fields: Callable[[Asked], dict[str, Any]], words: str
) -> None:
    rows = [named(row, **fields(row)) for row in SMALL]
    with pytest.raises(HopeBenchError, match=words) as told:
        imported(small, tmp_path, rows)
    assert "--answer" in str(told.value)
    assert not (tmp_path / "runs").exists()
    if "llava" in rows[0]:
        assert imported(small, tmp_path, rows, answer="llava") == [row.said for row in SMALL]


def test_question_files_are_no_answers(small: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(HopeBenchError, match="by the name is the label"):
        imported(small, tmp_path, read_lines(tmp_path / "random.json"))
    rows = [{"question_id": str(row.id), "question": row.question, "answer": row.label, "image_source": "x"} for row in SMALL]
    with pytest.raises(HopeBenchError, match="labels say"):
        imported(small, tmp_path, rows, splits=["random"])
    extended = [{**row, "answer": asked.said} for row, asked in zip(read_lines(tmp_path / "random.json"), SMALL, strict=True)]
    assert imported(small, tmp_path, extended) == [row.said for row in SMALL]


def test_answers_as_a_list_or_a_table(small: Benchmark, tmp_path: Path) -> None:
    rows = [named(row, answer=row.label, prediction=row.said) for row in SMALL]
    (tmp_path / "a.json").write_text(json.dumps(rows, indent=1))
    (tmp_path / "b.json").write_text(json.dumps({"model": "m", "results": rows}))
    (tmp_path / "c.json").write_text(json.dumps({"model": "m", "results": rows}, indent=1))
    (tmp_path / "d.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame(rows).to_csv(tmp_path / "b.csv", index=False, sep=";", encoding="utf-8-sig")
    for name in ("a.json", "b.json", "c.json", "d.json", "a.csv", "b.csv"):
        run, _ = hb.import_answers([tmp_path / name], small, name, runs=tmp_path / "runs")
        said = {answer.image: answer.text for answer in hb.load_run(run).answers().answers}
        assert said == {f"{row.id}.jpg": row.said for row in SMALL}


@pytest.mark.real
def test_popes_labels_are_no_answers_to_repope(real: Path, tmp_path: Path) -> None:
    """Nine in ten of POPE's labels are still RePOPE's; what gives them away is that each picture has as many yes as no."""
    splits = {"random": real / "pope" / "coco_pope_random.json"}
    labels = {"random": real / "repope" / "coco_repope_random.json"}
    import_pope(labels, "repope", "RePOPE", tmp_path / "repope")
    rows = [{"image": row["image"], "question": row["text"], "answer": row["label"]} for row in read_lines(splits["random"])]
    with pytest.raises(HopeBenchError, match=r"exactly as often as no in each of 500 pictures.*--answer answer"):
        imported(read_benchmark(tmp_path / "repope"), tmp_path, rows)


def test_many_answers_without_an_error_are_worth_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question_id": n, "image": f"{n}.jpg", "text": "Is there a dog in the image?", "label": ("yes", "no")[n % 2]}
        for n in range(100)
    ]
    import_pope({"random": write_lines(tmp_path / "random.json", rows)}, "hundred", "Hundred", tmp_path / "hundred")
    file = write_lines(
        tmp_path / "a.jsonl", [{"image": row["image"], "question": row["text"], "response": row["label"]} for row in rows]
    )
    options = ["-b", tmp_path / "hundred", "--name", "a", "--runs", tmp_path / "runs"]
    said = "All 100 answers say what the labels say: make sure that they are a model's."
    assert said in hope_bench(capsys, "import", "answers", file, *options).out
    assert said in (read_run(tmp_path / "runs" / "hundred" / "a").notes or ())


def test_evalscopes_reviews_in_markdown(small: Benchmark, tmp_path: Path) -> None:
    """Newer versions write a review's question as Markdown with its picture, which is no part of the prompt."""
    for name, shown in (("data", "data:image/png;base64,AB{}"), ("file", "/home/someone/{}.jpg")):
        reviews = [
            {
                "index": row.id,
                "input": f"{row.question}\nYES or NO?\n![image]({shown.format(row.id)})",
                "target": row.label.upper(),
            }
            | {"sample_score": {"score": {"value": {"acc": 1}, "prediction": row.said}, "sample_metadata": None}}
            for row in SMALL
        ]
        file = write_lines(tmp_path / name / "reviews" / "m" / "pope_random.jsonl", reviews)
        (found,) = hb.import_logs([file], small, "evalscope", name=name, runs=tmp_path / "runs")
        assert found.folder is not None
        assert read_run(found.folder).run.prompt == "{question}\nYES or NO?"
        answers = {answer.image: answer.text for answer in hb.load_run(found.folder).answers().answers}
        assert answers == {f"{row.id}.jpg": row.said for row in SMALL}


def test_vlmevalkits_folders_of_many_runs(small: Benchmark, tmp_path: Path) -> None:
    """A model's folder links to its newest run, which counts; a model may be called like what VLMEvalKit makes of records."""
    outputs = tmp_path / "outputs"

    def record(file: Path, said: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            {"index": row.id, "question": row.question, "answer": row.label.title(), "category": "random", "prediction": said}
            | {"image_path": f"{row.id}.jpg"}
            for row in SMALL
        ]
        pd.DataFrame(rows).to_csv(file, sep="\t", index=False)

    for model in ("A_preview", "b_openai"):
        record(outputs / model / "T20250101_G1" / f"{model}_POPE.tsv", "Yes")
        record(outputs / model / "T20250202_G2" / f"{model}_POPE.tsv", "No")
        (outputs / model / f"{model}_POPE.tsv").symlink_to(Path("T20250202_G2") / f"{model}_POPE.tsv")
        record(outputs / model / f"{model}_POPE_score.tsv", "no record")
    found = hb.import_logs([outputs], small, "vlmevalkit", runs=tmp_path / "runs")
    assert [one.model for one in found] == ["A_preview", "b_openai"]
    for one in found:
        assert one.folder is not None
        assert {answer.text for answer in hb.load_run(one.folder).answers().answers} == {"No"}
    (outputs / "b_openai" / "b_openai_POPE.tsv").unlink()
    refused = hb.import_logs([outputs], small, "vlmevalkit", runs=tmp_path / "runs")[1].refused
    assert refused is not None
    assert "answered POPE twice" in refused


def log_lines(rows: Iterable[Asked], **fields: Any) -> list[dict[str, Any]]:
    return [
        {"doc_id": row.place, "target": row.label, "filtered_resps": row.said, "input": row.question}
        | {"pope_accuracy": {"question_id": row.id, "prediction": row.said.lower().strip(), "ground_truth": row.label}}
        | fields
        for row in rows
    ]


def test_logs_with_holes_repeats_and_contradictions(small: Benchmark, tmp_path: Path) -> None:
    def of(rows: list[dict[str, Any]]) -> Any:
        file = write_lines(tmp_path / "m" / "1_samples_pope.jsonl", rows)
        return hb.import_logs([file], small, "lmms-eval", name="m", runs=tmp_path / "runs")[0]

    lines = log_lines(SMALL)
    scored = [{**line, "pope_accuracy": {"question_id": number, "prediction": ""}} for number, line in enumerate(lines, 1)]
    assert of(scored).report.asked == {"random": 11}  # what the task made nothing of contradicts nothing
    found = of([*reversed(lines[3:]), lines[4]])
    assert (found.report.asked, found.report.unasked, found.report.collapsed) == ({"random": 8}, {"random": 3}, 1)
    with pytest.raises(HopeBenchError, match="answered more than once, and differently"):
        of([*lines, *log_lines([SMALL[0]._replace(said="No")])])
    gold = [{**line, "filtered_resps": line["target"]} for line in lines]
    with pytest.raises(HopeBenchError, match=r"holds 'no', but its 'prediction' 'yes'.*--answer"):
        of(gold)
    with pytest.raises(HopeBenchError, match=r"holds 'yes', but 'resps' 'No"):
        of([{**line, "resps": [["No."]]} for line in log_lines([row._replace(said="yes") for row in SMALL])])
    with pytest.raises(HopeBenchError, match="asks 'Is there a bus in the image\\?', but split random asks"):
        of([{**line, "input": "Is there a bus in the image?"} if line["doc_id"] == 5 else line for line in lines])
    swapped = log_lines([row._replace(said=row.label, label=row.said.strip(".").lower()) for row in SMALL])
    for line in swapped:
        line["target"] = "yes" if "yes" in line["target"] else "no"
    with pytest.raises(HopeBenchError, match=r"the two seem swapped|labels are not the benchmark's"):
        of(swapped)
    with pytest.raises(HopeBenchError, match="labels are not the benchmark's"):
        of([{**line, "target": "yes" if line["target"] == "no" else "no"} for line in lines])
    with pytest.raises(HopeBenchError, match="holds 2 answers"):
        of([{**line, "filtered_resps": ["yes", "no"]} for line in log_lines([row._replace(said="yes") for row in SMALL])])


def test_many_models_in_one_call(small: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each its own run under its own name; one that can't be taken is named, and the others stand."""
    for model, said in (("org__one", "yes"), ("other__one", "no"), ("org__two", "Yes")):
        write_lines(tmp_path / "logs" / model / "1_samples_pope.jsonl", log_lines([row._replace(said=said) for row in SMALL]))
    write_lines(tmp_path / "logs" / "org__two" / "2_samples_pope.jsonl", log_lines(SMALL))
    write_lines(tmp_path / "logs" / "org__two" / "2_samples_mme.jsonl", [{"no": "log of ours"}])
    done = hope_bench(
        capsys, "import", "answers", tmp_path / "logs", "--from", "lmms-eval", "-b", small.folder, "--runs", tmp_path / "runs"
    )
    assert done.code == 2
    assert "1 of 3 models were not imported. org/two: org/two answered pope twice" in done.err
    assert {run.name for run in (tmp_path / "runs" / "small").iterdir()} == {"org-one", "other-one"}
    assert max(len(line) for line in done.out.splitlines() if not line.startswith("Next:")) <= 80
    run = hb.load_run("small/other-one", tmp_path / "runs")
    assert {answer.text for answer in run.answers().answers} == {"no"}
    with pytest.raises(HopeBenchError, match="--name names one model, but these are the logs of 3"):
        hb.import_logs([tmp_path / "logs"], small, "lmms-eval", name="x", runs=tmp_path / "runs")


def test_a_stated_score_that_does_not_come_out_is_shown(
    small: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_lines(tmp_path / "m" / "1_samples_pope.jsonl", log_lines(SMALL))
    results = {"results": {"pope": {"pope_accuracy,none": 0.99}}, "model_name": "m"}
    file.with_name("1_results.json").write_text(json.dumps(results))
    options = ["--from", "lmms-eval", "-b", small.folder, "--runs", tmp_path / "runs"]
    done = hope_bench(capsys, "import", "answers", file, *options)
    assert "m: the log states accuracy 99.00; its answers give 54.55 here under the lmms-eval convention." in done.out


def test_vlmevalkits_tables(small: Benchmark, tmp_path: Path) -> None:
    """A failed call is an error, not a no; an answer's column that isn't there is asked for; pictures' numbers name no image."""
    rows = [
        {"index": row.id, "question": row.question, "answer": row.label.title(), "category": "random", "prediction": row.said}
        | {"image_path": f"/home/someone/LMUData/images/POPE/{row.id + 100}.jpg"}
        for row in SMALL
    ]
    rows[1]["prediction"] = "Failed to obtain answer via API."
    file = tmp_path / "Model-7B_POPE.tsv"
    pd.DataFrame(rows).to_csv(file, sep="\t", index=False)
    (found,) = hb.import_logs([file], small, "vlmevalkit", runs=tmp_path / "runs")
    assert found.folder == tmp_path / "runs" / "small" / "model-7b"
    answers = {answer.image: answer for answer in hb.load_run(found.folder).answers().answers}
    assert answers["2.jpg"].verdict == "error"
    assert [answers[f"{row.id}.jpg"].text for row in SMALL if row.id != 2] == [row.said for row in SMALL if row.id != 2]
    assert "doesn't show the prompt" in found.report.unranked[0]
    pd.DataFrame(rows).drop(columns="prediction").to_csv(file, sep="\t", index=False)
    with pytest.raises(HopeBenchError, match="no 'prediction'"):
        hb.import_logs([file], small, "vlmevalkit", runs=tmp_path / "runs")
    pd.DataFrame(rows).assign(question=[row["question"] for row in reversed(rows)]).to_csv(file, sep="\t", index=False)
    with pytest.raises(HopeBenchError, match="in none of the orders"):
        hb.import_logs([file], small, "vlmevalkit", runs=tmp_path / "runs")


def test_what_is_no_such_log(small: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_lines(tmp_path / "1_samples_pope.jsonl", log_lines(SMALL))
    options = ["-b", small.folder, "--name", "x", "--runs", tmp_path / "runs"]
    assert "Read it with --from lmms-eval" in refused(capsys, "import", "answers", file, *options)
    early = tmp_path / "pope.json"
    early.write_text(json.dumps({"args": {}, "logs": [json.loads(line) for line in file.read_text().splitlines()]}, indent=4))
    assert "Read it with --from lmms-eval" in refused(capsys, "import", "answers", early, *options)
    (tmp_path / "empty").mkdir()
    for tool in ("lmms-eval", "vlmevalkit", "evalscope", "inspect"):
        assert "log of POPE" in refused(capsys, "import", "answers", tmp_path / "empty", "--from", tool, *options)
        assert "does not exist" in refused(capsys, "import", "answers", tmp_path / "nowhere", "--from", tool, *options)
    assert "Did you mean 'lmms-eval'" in refused(capsys, "import", "answers", file, "--from", "lmms", *options)
    assert "no log of Inspect" in refused(
        capsys, "import", "answers", tmp_path / "small" / "manifest.json", "--from", "inspect", *options
    )


def test_evalscope_reads_against_the_label() -> None:
    """Its code calls an answer right where the label is anywhere in it, and reads the opposite where it isn't."""
    way = CONVENTIONS["evalscope"]
    assert way.against is not None
    read = {
        (said, label): way.against(said, label)
        for said in ("Yes", "no.", "Yes and no", "maybe", "snow")
        for label in ("yes", "no")
    }
    assert [read[said, "yes"] for said in ("Yes", "no.", "Yes and no", "maybe", "snow")] == ["yes", "no", "yes", "no", "no"]
    assert [read[said, "no"] for said in ("Yes", "no.", "Yes and no", "maybe", "snow")] == ["yes", "no", "no", "yes", "no"]
