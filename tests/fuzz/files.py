"""Every reader of files from outside, each with a whole file: the readers of annotations, of text files, and of packed ones."""

from __future__ import annotations

import json
import zipfile
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hope_bench.adapters.json_files import read_object
from hope_bench.adapters.runnable import auto_map
from hope_bench.annotations import annotation_files, read_annotations
from hope_bench.annotations.coco_stream import stream_instances
from hope_bench.annotations.hf_dataset import export_images
from hope_bench.annotations.of_spec import listed_images
from hope_bench.files.benchmark import read_benchmark
from hope_bench.files.card import read_card
from hope_bench.files.language import read_language
from hope_bench.files.paraphrases import read_paraphrases
from hope_bench.files.published import find_figures
from hope_bench.files.remembered import remembered_images
from hope_bench.files.result import ModelInfo
from hope_bench.files.result_file import read_result
from hope_bench.files.run import read_answers, read_run
from hope_bench.files.spec import BenchmarkSpec, GuardsSpec, read_spec
from hope_bench.hub.names import HubName
from hope_bench.hub.pull import _pictures
from hope_bench.inference.answers import AnswersFile
from hope_bench.inspection.training import training_overlap
from hope_bench.interchange import logs_evalscope, logs_inspect, logs_lmms_eval, logs_vlmevalkit
from hope_bench.interchange.answers_files import AnswersSource, import_answers
from hope_bench.interchange.import_questions import QuestionSource, import_questions
from hope_bench.interchange.logs import Log
from hope_bench.interchange.pope_files import import_pope
from hope_bench.interchange.relabel import read_labels
from hope_bench.records import Annotations, Category, Image
from hope_bench.reviewing.claims import listed_queue
from hope_bench.reviewing.decisions import DecisionsFile, read_decisions
from hope_bench.reviewing.noise import read_label_noise
from hope_bench.search.decisions import read_decisions as read_for_generation
from hope_bench.search.description_given import read_given
from hope_bench.search.evidence_given import read_evidence
from hope_bench.search.known_words import with_words
from hope_bench.site.question_file import questions_of, read_questions_file, write_questions
from hope_bench.site.safety import read_untrusted
from hope_bench.site.settings import read_settings
from hope_bench.site.sheet import read_sheet
from tests.datasets import hf_dataset, lvis_file, open_images_folder, visual_genome_folder
from tests.runs import make_benchmark, make_run

Read = Callable[[], int]
"""Reads, and says how much it found; less than what is in the whole file only where it told of bad rows."""

TOLD = -1
"""Of rows that were left out, a count was told."""


def found(number: int, problems: object) -> int:
    return TOLD if problems else number


def annotations(path: Path, **more: str) -> Callable[[], int]:
    def read() -> int:
        made = read_annotations(path, **more)  # type: ignore[arg-type]
        annotation_files(path, **more)  # type: ignore[arg-type]
        return found(len(made.category_of), made.problems)

    return read


def lines(*rows: object) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


MODEL = ModelInfo(name="Model")
ASKED = "Is there a dog in the image?"
ROWS = [("a.jpg", "dog", "yes"), ("b.jpg", "dog", "no")]
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 3], "area": 9, "iscrowd": 0}],
    "categories": [{"id": 1, "name": "dog"}],
}
COCO_TWICE = {**COCO, "annotations": [*COCO["annotations"], {"id": 2, "image_id": 1, "category_id": 1, "bbox": [2, 2, 3, 3]}]}
SEEN = Annotations(
    categories=(Category("dog"),), images=(Image("a.jpg"),), starts=np.array([0, 1]),
    category_of=np.array([0], np.int32), crowd=np.array([False]),
)  # fmt: skip
DECISIONS = lines(*({"image": f"{one}.jpg", "object": "dog", "decision": "absent"} for one in "abc"))
VOC = b"<annotation><filename>a.jpg</filename><size><width>9</width><height>9</height></size><object><name>dog</name><bndbox>"
VOC += b"<xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox></object></annotation>"
LABELME = {"shapes": [{"label": "dog", "points": [[1, 1], [4, 4]], "shape_type": "rectangle", "group_id": None, "flags": {}}],
           "imagePath": "a.jpg", "imageWidth": 9, "imageHeight": 9, "version": "5.0", "flags": {}, "imageData": None}  # fmt: skip


def written(path: Path, content: bytes | object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def benchmark(folder: Path) -> Path:
    return make_benchmark(folder / "benchmark", {"random": ROWS}).folder


def run(folder: Path) -> Path:
    made = read_benchmark(benchmark(folder))
    return make_run(folder / "run", made, {("a.jpg", "dog"): "yes", ("b.jpg", "dog"): "no"})


def rows_of(logs: object) -> int:
    return sum(len(rows) for log in logs if isinstance(log, Log) for rows in log.parts.values())  # type: ignore[attr-defined]


def imported(folder: Path, path: Path) -> int:
    made = import_questions(QuestionSource([path], images=folder / "images"), "new", folder / "new")
    return found(sum(split.questions for split in made.splits.values()), made.notes)


def answers_imported(folder: Path, path: Path) -> int:
    made = import_answers(AnswersSource({path: "random"}), read_benchmark(benchmark(folder)), folder / "run", MODEL)
    return found(made.asked["random"], made.unmatched)


QUESTIONS = [
    {"question_id": number, "image": image, "text": ASKED, "label": label, "category": "random"}
    for number, (image, _, label) in enumerate(ROWS, 1)
]
SAMPLE = {"doc_id": 0, "target": "yes", "filtered_resps": "yes", "input": ASKED, "doc": {"question": "dog"}}
PREDICTION = {"index": 0, "model": "m", "messages": [{"role": "user", "content": ASKED}],
              "model_output": {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}}  # fmt: skip
INSPECT = {"version": 2, "eval": {"task": "pope", "model": "hf/m"}, "samples": [
    {"id": 1, "target": "yes", "input": ASKED, "output": {"choices": [{"message": {"role": "assistant", "content": "yes"}}]}}
]}  # fmt: skip
NOISE = {"benchmark": "dog", "hash": "dog", "sample": 1, "seed": 0, "reviewers": ["dog"], "estimates": [], "agreements": []}

Maker = Callable[[Path], tuple[Path, Read]]
"""Writes files to a folder; the one to damage, and how it is read."""


def file(name: str, content: bytes | object, read: Callable[[Path], int]) -> Maker:
    def make(folder: Path) -> tuple[Path, Read]:
        path = written(folder / name, content)
        return path, lambda: read(path)

    return make


def folder_of(name: str, content: bytes | object, read: Callable[[Path], int]) -> Maker:
    """A file in a folder, which is what is named."""

    def make(folder: Path) -> tuple[Path, Read]:
        return written(folder / name, content), lambda: read(folder)

    return make


def kept(make: Callable[[Path], Path], name: str, read: Callable[[Path], int]) -> Maker:
    """A file in a folder that is made otherwise."""

    def made(folder: Path) -> tuple[Path, Read]:
        root = make(folder)
        return root / name, lambda: read(root)

    return made


def both(*readers: Callable[[Path], int]) -> Callable[[Path], int]:
    """The last one's number."""
    return lambda path: [read(path) for read in readers][-1]


def yolo(folder: Path) -> Path:
    written(folder / "images" / "a.jpg", b"")
    written(folder / "labels" / "a.txt", b"0 0.5 0.5 0.2 0.2\n")
    written(folder / "data.yaml", b"train: images\nnames: [dog, cat]\n")
    return folder


def plain_yolo(folder: Path) -> Path:
    written(folder / "a.jpg", b"")
    written(folder / "a.txt", b"0 0.5 0.5 0.2 0.2\n")
    written(folder / "classes.txt", b"dog\ncat\n")
    return folder


def related(path: Path) -> int:
    spec = BenchmarkSpec(name="x", guards=GuardsSpec(ontology_table=str(path), known_synonyms=False))
    return len(with_words(SEEN, spec).categories[0].synonyms)


def notes_of(given: tuple[object, tuple[str, ...]]) -> int:
    return found(len(given[0]), given[1])  # type: ignore[arg-type]


def _gone(before: bytes, after: bytes, held: int) -> bytes:
    """What a file no longer holds; nothing where it was written anew with as many lines as it had."""
    return b"" if held == sum(bool(line.strip()) for line in before.splitlines()) else before.removeprefix(after)


def answered(path: Path) -> int:
    before = path.read_bytes() if path.is_file() else b""
    made = AnswersFile(path)
    made.close()
    lost = _gone(before, path.read_bytes(), len(made.answers))
    assert not lost.strip(b"\0") or lost.lstrip().startswith(b"{")  # what a crash left of a line
    return found(len(made.answers), lost or not before)


def decided(path: Path) -> int:
    before = path.read_bytes() if path.is_file() else b""
    made = DecisionsFile(path)
    lost = _gone(before.removeprefix(BOM_UTF8), path.read_bytes().removeprefix(BOM_UTF8), len(made.decisions))
    assert not lost or lost.startswith(b"{")  # what a crash left of a line
    return found(len(made.decisions), lost or not before)


LISTED = lines({"image": "a.jpg", "objects": ["dog"]}, {"image": "b.jpg", "objects": ["dog"]})
ANNOTATIONS: dict[str, Maker] = {
    "coco": file("a.json", COCO, lambda path: annotations(path)()),
    "coco by name": file("a.json", COCO, lambda path: annotations(path, format="coco")()),
    "coco with NaN": file("a.json", json.dumps(COCO_TWICE).replace("[2, 2, 3, 3]", "[2, NaN, 3, 3]").encode(),
    lambda path: annotations(path)()),
    "coco stream": file("a.json", COCO, lambda path: found(len(stream_instances(path).rows.boxes), ())),
    "captions": file("c.json", {"images": COCO["images"], "annotations": [{"image_id": 1, "id": 1, "caption": "a dog"}]},
                     lambda path: annotations(written(path.parent / "a.json", COCO), captions=path)()),  # type: ignore[arg-type]
    "lvis": kept(lambda folder: lvis_file(folder).parent, "lvis_v1_val.json",
                 lambda folder: annotations(folder / "lvis_v1_val.json", format="lvis")()),
    "object list": file("a.jsonl", LISTED,
                        lambda path: annotations(path, format="object-list")()),
    "object list, told": file("a.jsonl", LISTED,
                              lambda path: annotations(path)()),
    "labelme": folder_of("a.json", LABELME, lambda path: annotations(path, format="labelme")()),
    "labelme, told": folder_of("a.json", LABELME, lambda path: annotations(path)()),
    "voc": folder_of("a.xml", VOC, lambda path: annotations(path, format="voc")()),
    "voc, told": folder_of("a.xml", VOC, lambda path: annotations(path)()),
    "yolo": kept(yolo, "data.yaml", lambda folder: annotations(folder, format="yolo")()),
    "yolo labels": kept(yolo, "labels/a.txt", lambda folder: annotations(folder, format="yolo")()),
    "open images": kept(open_images_folder, "validation-annotations-bbox.csv", lambda folder: annotations(folder)()),
    "open images classes": kept(open_images_folder, "oidv7-class-descriptions-boxable.csv", lambda path: annotations(path)()),
    "open images hierarchy": kept(open_images_folder, "bbox_labels_600_hierarchy.json", lambda path: annotations(path)()),
    **{
        f"visual genome {name}": kept(visual_genome_folder, name, lambda folder: annotations(folder)())
        for name in ("objects.json", "attributes.json", "relationships.json", "image_data.json", "object_alias.txt")
    },
    "visual genome objects alone": kept(visual_genome_folder, "objects.json",
    lambda folder: annotations(folder / "objects.json")()),
    "yolo classes": kept(plain_yolo, "classes.txt", lambda folder: annotations(folder)()),
    "imagefolder": folder_of(
        "metadata.jsonl", lines({"file_name": "a.jpg", "objects": {"categories": ["dog"]}}), lambda path: annotations(path)()
    ),
}  # fmt: skip


def samples(folder: Path) -> Path:
    return written(folder / "1_samples_pope.jsonl", lines(SAMPLE))


TEXTS: dict[str, Maker] = {
    "spec": file("spec.toml", b'name = "dog"\ntitle = "dog"\nstrategies = ["random"]\nheadline = "random"\nk = 1\n'
                 b'[dataset]\nname = "dog"\nannotations = "a.json"\nimages = "."\n', lambda path: len(read_spec(path).name)),
    "card": file("card.toml", b'name = "dog"\ncheckpoint = "org/dog"\n', lambda path: len(read_card(path).name[:1])),
    "paraphrases": file("p.toml", b'dog = "dog {question}"\n', lambda path: len(read_paraphrases(path))),
    "language": file("l.toml", (Path("hope_bench/languages/de.toml")).read_bytes(),
                     lambda path: len(read_language(str(path)).code)),
    "figures": file("p.toml", Path("leaderboard/published.toml").read_bytes(),
                    lambda path: len(find_figures(path, ["llava-1.5-7b"]))),
    "site": folder_of("site.toml", b'address = "https://dog.org"\n', lambda path: 1 if read_settings(path).address else TOLD),
    "manifest": kept(benchmark, "manifest.json", lambda folder: len(read_benchmark(folder).splits["random"])),
    "split": kept(benchmark, "splits/random.jsonl", lambda folder: len(read_benchmark(folder).splits["random"])),
    "run": kept(run, "run.json", lambda folder: len(read_run(folder).name)),
    "answers": kept(run, "answers.jsonl",
                    lambda folder: found(len((made := read_answers(folder / "answers.jsonl")).answers), made.truncated)),
    "own answers": kept(run, "answers.jsonl", lambda folder: answered(folder / "answers.jsonl")),
    "decisions": file("a.jsonl", DECISIONS, lambda path: found(len(read_decisions(path)), path.read_bytes()[-1:] != b"\n")),
    "own decisions": file("a.jsonl", DECISIONS, decided),
    "review": file("a.jsonl", DECISIONS, lambda path: notes_of(read_for_generation(path))),
    "noise": folder_of("label_noise.json", NOISE, lambda path: 0 if read_label_noise(path, "dog") is None else 1),
    "listed": file("q.jsonl", lines({"image": "a.jpg", "question": ASKED}),
                   lambda path: len(listed_queue(read_benchmark(benchmark(path.parent)).splits, path))),
    "evidence": file("e.jsonl", lines({"image": "a.jpg", "category": "dog", "score": 1}),
                     lambda path: found(len((made := read_evidence(path, SEEN)).scores), made.problems)),
    "descriptions": file("d.jsonl", lines({"image": "a.jpg", "object": "dog", "true": ["a red dog"]}),
                         lambda path: found(len((made := read_given(path, SEEN)).by_image), made.problems)),
    "image list": file("l.txt", b"a.jpg\n", lambda path: notes_of(listed_images(path, SEEN))),
    "training list": file("l.txt", b"dog.jpg\n", lambda path: training_overlap(["dog.jpg"], path).listed),
    "training list of names": file("l.json", {"images": [{"file_name": "dog.jpg"}]}, lambda path: training_overlap(["dog.jpg"],
    path).listed),
    "ontology": file("o.toml", b'related = [["dog", "puppy"]]\n', lambda path: related(path)),
    "result": file("r.json", next(Path("leaderboard/results").glob("*/*.json")).read_bytes(),
                   lambda path: len(read_result(path).splits)),
    "published result": file("r.json", next(Path("leaderboard/results").glob("*/*.json")).read_bytes(),
                             lambda path: len(read_untrusted(path, path.parent).splits)),
    "sheet": file("pope-coco-0b8df172c5c0.json", Path("leaderboard/benchmarks/pope-coco-0b8df172c5c0.json").read_bytes(),
                  lambda path: len(read_sheet(path).sheet.splits)),
    "pope": file("coco_pope_random.json", lines(*QUESTIONS),
                 lambda path: import_pope({"random": path}, "n", "N", path.parent / "n").splits["random"].questions),
    "labels": file("l.jsonl", lines(*QUESTIONS), lambda path: len(read_labels([path]))),
    "questions jsonl": file("q.jsonl", lines(*QUESTIONS), lambda path: imported(path.parent, path)),
    "questions json": file("q.json", QUESTIONS, lambda path: imported(path.parent, path)),
    "questions csv": file("q.csv", f"image,question,answer,category\na.jpg,{ASKED},yes,random\n".encode(),
                          lambda path: imported(path.parent, path)),
    "questions tsv": file("q.tsv", f"image\tquestion\tanswer\tcategory\na.jpg\t{ASKED}\tyes\trandom\n".encode(),
                          lambda path: imported(path.parent, path)),
    "answers file": file("a.jsonl", lines({"question": ASKED, "answer": "no", "image": "a.jpg"}),
                         lambda path: answers_imported(path.parent, path)),
    "lmms-eval": file("1_samples_pope.jsonl", lines(SAMPLE), lambda path: rows_of(logs_lmms_eval.read([path], None))),
    "lmms-eval results": folder_of("1_results.json", {"model_name": "dog"},
                                   lambda path: rows_of(logs_lmms_eval.read([samples(path)], None))),
    "evalscope": file("pope_random.jsonl", lines(PREDICTION), lambda path: rows_of(logs_evalscope.read([path], None))),
    "inspect": file("l.json", INSPECT, lambda path: rows_of(logs_inspect.read([path], None))),
    "vlmevalkit": file("m_POPE.tsv", f"index\tquestion\tanswer\tcategory\tprediction\n1\t{ASKED}\tYes\trandom\tyes\n".encode(),
                       lambda path: rows_of(logs_vlmevalkit.read([path], None))),
    "checkpoint": file("config.json", {"model_type": "dog"}, lambda path: len(read_object(path, "dog"))),
    "auto map": file("config.json", {"auto_map": {"A": "dog"}}, lambda path: len(auto_map(path)) or TOLD),
}  # fmt: skip


def remembered(folder: Path) -> int:
    """An aid, not data: where it can't be read it is as if it had never been written."""
    return TOLD if remembered_images(folder) is None else 1


TEXTS["remembered"] = folder_of("images.json", {"images": "."}, remembered)


def parquet(folder: Path) -> tuple[Path, Read]:
    path = folder / "a.parquet"
    hf_dataset().to_parquet(path)
    return path, annotations(path)


def saved(name: str) -> Maker:
    def make(folder: Path) -> tuple[Path, Read]:
        hf_dataset().save_to_disk(folder / "saved")
        return folder / "saved" / name, annotations(folder / "saved")

    return make


def questions_parquet(folder: Path) -> tuple[Path, Read]:
    import datasets

    path = folder / "q.parquet"
    datasets.Dataset.from_list(
        [{key: row[key] for key in ("image", "text", "label", "category")} for row in QUESTIONS]
    ).to_parquet(path)
    return path, lambda: imported(folder, path)


def inspect_zip(folder: Path) -> tuple[Path, Read]:
    path = folder / "l.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples/1_epoch_1.json", json.dumps(INSPECT["samples"][0]))  # type: ignore[index]
        archive.writestr("header.json", json.dumps({"eval": INSPECT["eval"]}))
    return path, lambda: rows_of(logs_inspect.read([path], None))


def xlsx(folder: Path) -> tuple[Path, Read]:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    path = folder / "m_POPE.xlsx"
    pandas.DataFrame([{"index": 1, "question": ASKED, "answer": "Yes", "category": "random", "prediction": "yes"}]).to_excel(path)
    return path, lambda: rows_of(logs_vlmevalkit.read([path], None))


def question_file(folder: Path) -> tuple[Path, Read]:
    made = read_benchmark(benchmark(folder))
    path = write_questions(folder, questions_of(made))
    return path, lambda: len(read_questions_file(path, made.manifest.hash).splits["random"])


def saved_questions(folder: Path) -> tuple[Path, Read]:
    import datasets

    rows = [{key: row[key] for key in ("image", "text", "label", "category")} for row in QUESTIONS]
    datasets.Dataset.from_list(rows).save_to_disk(folder / "saved")
    return folder / "saved" / "data-00000-of-00001.arrow", lambda: imported(folder, folder / "saved")


def pictures_parquet(folder: Path) -> tuple[Path, Read]:
    path, _ = parquet(folder)
    return path, lambda: export_images(path, folder / "images").written


def pulled_parquet(folder: Path) -> tuple[Path, Read]:
    """As a repository of the Hub holds its benchmark's pictures."""
    import datasets

    path = folder / "data" / "random-00000-of-00001.parquet"
    path.parent.mkdir()
    picture = {"bytes": b"\xff\xd8\xff", "path": "a.jpg"}
    datasets.Dataset.from_list([{"image": picture, "image_file": "a.jpg"}]).to_parquet(path)
    name = HubName("org/name")
    return path, lambda: sum(len(data) for _, data in _pictures([path], {"a.jpg"}, name))


PACKED: dict[str, Maker] = {
    "parquet": parquet, "arrow": saved("data-00000-of-00001.arrow"), "arrow state": saved("state.json"),
    "arrow info": saved("dataset_info.json"), "questions parquet": questions_parquet, "inspect eval": inspect_zip, "xlsx": xlsx,
    "published questions": question_file, "saved questions": saved_questions, "pictures in parquet": pictures_parquet,
    "pulled pictures": pulled_parquet,
}  # fmt: skip
