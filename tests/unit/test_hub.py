"""Push and pull: the exact commits that would be sent, and what comes back from a cache laid out as huggingface_hub's own."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from huggingface_hub import errors

import hope_bench as hb
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import read_benchmark, write_benchmark
from hope_bench.files.result_file import read_result
from hope_bench.hub.client import clean
from hope_bench.hub.names import hub_name
from hope_bench.records import Question
from tests.cli import hope_bench, refused
from tests.hub import COMMIT, NEXT, Edge, dataset, keep, model, offline
from tests.runs import make_run
from tests.small_benchmark import IMAGES, Small, write_small

SHIPPED = Path(__file__).resolve().parent.parent.parent / "leaderboard" / "results" / "pope-coco" / "llava-v1.5-13b.json"


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    return Edge().install(monkeypatch)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked for or kept outside."""
    monkeypatch.setattr("hope_bench.clip.store.platformdirs.user_cache_dir", lambda _: str(tmp_path / "own-cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


def missing(status: int = 404) -> errors.RepositoryNotFoundError:
    return errors.RepositoryNotFoundError("nothing", response=reply(status))  # type: ignore[arg-type]


def reply(status: int) -> SimpleNamespace:
    return SimpleNamespace(status_code=status, headers={}, request=None)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Says:
    """A model that says yes to cups."""

    identity = "v1"

    def answer(self, batch: Sequence[Any]) -> list[str]:
        return ["Yes" if "cup" in prompt else "No" for _, prompt in batch]


def test_a_new_repository_is_private_and_gets_every_byte_in_one_commit(small: Small, edge: Edge) -> None:
    edge.infos = [missing(), dataset({".gitattributes": b"x"}, commit="c" * 40)]
    (done,) = hb.push(small.folder, "hf:org/name", licence="cc-by-4.0", languages=["en"])
    assert edge.created == [{"repo_id": "org/name", "repo_type": "dataset", "private": True, "exist_ok": False}]
    (commit,) = edge.commits
    files = commit.pop("files")
    assert commit == {
        "repo_id": "org/name", "repo_type": "dataset", "revision": None, "parent_commit": "c" * 40,
        "commit_message": f"Push benchmark small (hash {read_benchmark(small.folder).manifest.hash[:12]}) with hope-bench 0.1.0",
    }  # fmt: skip
    assert {name: files[name] for name in files_of(small.folder)} == files_of(small.folder)
    assert files.keys() - files_of(small.folder).keys() == {
        "README.md", "croissant.json", "data/random.parquet", "data/content.parquet", "data/description.parquet",
    }  # fmt: skip
    assert b"PNG" not in b"".join(files.values()), "no picture goes without --images"
    assert (done.commit, {one.change for one in done.files}) == (NEXT, {"added"})
    card = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert (card["license"], card["language"], card["size_categories"]) == ("cc-by-4.0", ["en"], ["n<1K"])
    assert [one["path"] for one in card["configs"][0]["data_files"]] == [
        f"data/{name}.parquet" for name in ("random", "content", "description")
    ]
    croissant = json.loads(files["croissant.json"])
    assert (croissant["license"], croissant["url"]) == ("cc-by-4.0", "https://huggingface.co/datasets/org/name")


def test_pushed_pulled_and_evaluated_again_same_hash_same_bytes(
    small: Small, edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures included, by the name on the Hub, by its commit, and from what was pulled."""
    edge.infos = [dataset({})]
    hb.push(small.folder, "hf:org/name", images=small.images)
    keep(tmp_path / "hub", "org/name", edge.commits[0]["files"])
    offline(monkeypatch, tmp_path / "hub")
    (planned,) = hb.estimate("demo-llava", "hf:org/name")
    assert (planned.stops, planned.missing, Path("own-cache").exists()) == (None, (), False), "a look ahead downloads no picture"
    here = hb.evaluate(Says(), small.folder, images=small.images, runs="one", name="m", progress="quiet")
    answers = (here.folder / "answers.jsonl").read_bytes()
    assert here.errors == 0
    for place, name in enumerate(("hf:org/name", f"hf:org/name@{COMMIT}", "hf:org/name@main")):
        there = hb.evaluate(Says(), name, runs=f"there-{place}", name="m", progress="quiet")
        assert (there.folder / "answers.jsonl").read_bytes() == answers
        assert there.record.key == here.record.key
    loaded = hb.evaluate(Says(), hb.load_benchmark("hf:org/name"), runs="loaded", name="m", progress="quiet")
    assert (loaded.folder / "answers.jsonl").read_bytes() == answers
    pulled = hb.pull("hf:org/name", images="pictures")
    assert pulled.commit == COMMIT
    assert pulled.benchmark is not None
    assert pulled.benchmark.folder == Path("benchmarks/small")
    assert {name: data for name, data in files_of(pulled.benchmark.folder).items() if name != "images.json"} == files_of(
        small.folder
    )
    assert files_of(Path("pictures")) == files_of(small.images)
    assert set(files_of(Path("pictures"))) == set(IMAGES)
    again = hb.evaluate(Says(), "small", runs="two", name="m", progress="quiet")
    assert (again.folder / "answers.jsonl").read_bytes() == answers
    assert hb.score(here, benchmark="hf:org/name") == hb.score(again)
    assert hb.pull("hf:org/name").benchmark is not None, "what is here already, byte for byte, is in nobody's way"


def test_the_card_is_read_by_datasets(small: Small, edge: Edge, tmp_path: Path) -> None:
    import datasets

    edge.infos = [dataset({})]
    hb.push(small.folder, "hf:org/name", images=small.images)
    for name, data in edge.commits[0]["files"].items():
        (tmp_path / "as-sent" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "as-sent" / name).write_bytes(data)
    found = datasets.load_dataset(str(tmp_path / "as-sent"), cache_dir=str(tmp_path / "cache"))
    asked = read_benchmark(small.folder).splits
    assert {name: found[name]["text"] for name in found} == {name: [one.text for one in split] for name, split in asked.items()}
    assert found["random"][0]["image"].size == (160, 120)


def test_other_contents_are_never_replaced_unasked(small: Small, edge: Edge) -> None:
    edge.infos = [dataset({})]
    hb.push(small.folder, "hf:org/name")
    files = edge.commits.pop()["files"]
    edge.infos = [dataset({**files, ".gitattributes": b"x", "LICENSE": b"mine"})]
    (same,) = hb.push(small.folder, "hf:org/name")
    assert (edge.commits, same.commit, {one.change for one in same.files}) == ([], COMMIT, {"the same"})
    other = {**files, "README.md": b"edited on the Hub", "splits/old.jsonl": b"{}\n", "LICENSE": b"mine"}
    edge.infos = [dataset(other), dataset(other)]
    with pytest.raises(HopeBenchError, match=r"holds other contents \(2 files: README.md, splits/old.jsonl\).*--overwrite"):
        hb.push(small.folder, "hf:org/name")
    assert not edge.commits
    hb.push(small.folder, "hf:org/name", overwrite=True)
    (commit,) = edge.commits
    assert commit["files"] == {"README.md": files["README.md"], "splits/old.jsonl": None}, "only what differs travels"
    assert commit["parent_commit"] == COMMIT


def test_somebody_who_was_faster_is_not_run_over(small: Small, edge: Edge) -> None:
    edge.infos, edge.fails = [dataset({})], errors.HfHubHTTPError("412", response=reply(412))  # type: ignore[arg-type]
    with pytest.raises(HopeBenchError, match="changed by somebody else meanwhile, and nothing was sent"):
        hb.push(small.folder, "hf:org/name")
    edge.infos, edge.fails = [missing(), dataset({"manifest.json": b"theirs"})], None
    with pytest.raises(HopeBenchError, match="holds other contents"):
        hb.push(small.folder, "hf:org/name")
    assert not edge.commits


def test_a_public_repository_takes_nothing_that_is_not_said_to_be_public(small: Small, edge: Edge) -> None:
    edge.infos = [dataset({}, private=False), dataset({}, private=False), missing(), dataset({})]
    with pytest.raises(HopeBenchError, match=r"is public\. Say so with --public"):
        hb.push(small.folder, "hf:org/name")
    hb.push(small.folder, "hf:org/name", public=True)
    hb.push(small.folder, "hf:org/name", public=True)
    assert [one["private"] for one in edge.created] == [False]


def test_runs_and_results_go_beside_each_other_and_come_back(
    small: Small, edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = hb.evaluate(Says(), small.folder, images=small.images, name="m", progress="quiet")
    hb.score(run, benchmark=small.folder, results="leaderboard/results")
    assert "'small/m' may be the run runs/small/m or the result leaderboard/results/small/m.json" in refused(
        capsys, "push", "small/m", "hf:org/answers"
    )
    edge.infos = [dataset({})]
    hb.push("runs/small/m", "hf:org/answers")
    first = edge.commits[0]["files"]
    assert first.keys() == {"README.md", "runs/small/m/run.json", "runs/small/m/answers.jsonl"}
    edge.infos = [dataset(first)]
    hb.push("leaderboard/results/small/m.json", "hf:org/answers")
    second = edge.commits[1]["files"]
    assert second == {"results/small/m.json": Path("leaderboard/results/small/m.json").read_bytes()}, "the card stays"
    keep(tmp_path / "hub", "org/answers", first | second)
    offline(monkeypatch, tmp_path / "hub")
    pulled = hb.pull("hf:org/answers", runs="r", results="s")
    assert files_of(Path("r/small/m")) == {name: (run.folder / name).read_bytes() for name in ("answers.jsonl", "run.json")}
    assert [path.read_bytes() for path in pulled.results] == [Path("leaderboard/results/small/m.json").read_bytes()]
    assert hb.score(pulled.runs[0], benchmark=small.folder) == read_result(pulled.results[0])
    Path("r/small/m/answers.jsonl").write_text("")
    with pytest.raises(HopeBenchError, match=r"1 file is here with other contents \(r/small/m/answers.jsonl\)"):
        hb.pull("hf:org/answers", runs="r", results="s")
    hb.pull("hf:org/answers", runs="r", results="s", overwrite=True)
    assert files_of(Path("r/small/m"))["answers.jsonl"] == first["runs/small/m/answers.jsonl"]


def test_the_answers_of_all_runs_are_one_table(small: Small, edge: Edge, tmp_path: Path) -> None:
    import datasets

    benchmark = read_benchmark(small.folder)
    folder = tmp_path / "as-sent"
    for name, said in (("one", "yes"), ("two", "error")):
        make_run(Path("runs/small") / name, benchmark, {("a.jpg", "cup"): said, ("a.jpg", "vase"): "no"}, name=name)  # type: ignore[dict-item]
        edge.infos = [dataset({})]
        hb.push(f"runs/small/{name}", "hf:org/answers")
        for path, data in edge.commits[-1]["files"].items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    found = datasets.load_dataset(str(folder), "answers", cache_dir=str(tmp_path / "cache"))["train"]
    assert found["verdict"] == ["yes", "no", "error", "no"]
    assert found["error"] == [None, None, "broke", None]


def test_what_a_run_tells_of_a_server_is_said_first(small: Small, edge: Edge) -> None:
    make_run(Path("runs/small/m"), read_benchmark(small.folder), {("a.jpg", "cup"): "yes"}, addresses=("http://10.0.0.3/v1",))
    said: list[str] = []
    edge.infos = [dataset({})]
    hb.push("runs/small/m", "hf:org/answers", say=said.append)
    assert said == ["It tells whoever may read it the server that was asked (http://10.0.0.3/v1)."]


def test_a_dry_run_asks_nobody(small: Small, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", None)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    done = hope_bench(capsys, "push", small.folder, "hf:org/name", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "splits/random.jsonl" in done.out
    assert "9 files" in done.out
    assert "Nothing was sent." in done.out
    shown = json.loads(hope_bench(capsys, "push", small.folder, "hf:org/name", "--dry-run", "--json").out)
    sizes = {one["path"]: one["bytes"] for one in shown[0]["files"]}
    assert {name: sizes[name] for name in files_of(small.folder)} == {
        name: len(data) for name, data in files_of(small.folder).items()
    }
    assert shown[0]["commit"] is None


CARD = """---
license: apache-2.0
pipeline_tag: image-text-to-text
model-index:
- name: mine
  results:
  - task:
      type: image-classification
    dataset:
      type: imagenet
      name: ImageNet
    metrics:
    - type: accuracy
      value: 0.5
---

# LLaVA

Text of its own.
"""


def keep_model(tmp_path: Path, patch: pytest.MonkeyPatch, card: bytes) -> None:
    """The model's card in the cache, and its files listed nowhere else."""

    def unreachable(*_: object, **__: object) -> None:
        raise errors.OfflineModeIsEnabled("off")

    keep(tmp_path / "hub", "liuhaotian/llava-v1.5-13b", {"README.md": card}, kind="models")
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    patch.setattr("huggingface_hub.HfApi.list_repo_tree", unreachable)


def test_a_result_becomes_a_pull_request_to_its_models_card(edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_model(tmp_path, monkeypatch, CARD.encode())
    edge.infos = [model({"README.md": CARD.encode()})]
    (done,) = hb.push(SHIPPED, model_card="liuhaotian/llava-v1.5-13b")
    (commit,) = edge.commits
    assert (commit["create_pr"], commit["parent_commit"], commit["repo_type"]) == (True, COMMIT, "model")
    assert done.url.endswith("/discussions/7")
    assert commit["files"].keys() == {"README.md"}
    head, _, text = commit["files"]["README.md"].decode().removeprefix("---\n").partition("\n---\n")
    assert text == CARD.split("\n---\n")[1]
    found = yaml.safe_load(head)
    first, *new = found["model-index"][0]["results"]
    assert (found["license"], found["model-index"][0]["name"], first["metrics"][0]["value"]) == ("apache-2.0", "mine", 0.5)
    result = read_result(SHIPPED)
    assert {one["dataset"]["split"] for one in new} == {"random", "popular", "adversarial"}
    for one in new:
        split = result.splits[one["dataset"]["split"]]
        assert one["dataset"]["args"]["benchmark_hash"] == result.benchmark.hash
        for metric in one["metrics"]:
            estimate = getattr(split, metric["type"])
            assert (metric["value"], metric["args"]["low"], metric["args"]["high"]) == (
                estimate.value,
                estimate.low,
                estimate.high,
            )
    assert {metric["type"] for metric in new[0]["metrics"]} == {"accuracy", "balanced_accuracy", "f1", "hallucination_rate"}
    # The same again is no change, other numbers are refused, and then replaced in their place.
    written = commit["files"]["README.md"]
    keep(tmp_path / "hub", "liuhaotian/llava-v1.5-13b", {"README.md": written}, kind="models")
    edge.infos = [model({"README.md": written})] * 3
    (same,) = hb.push(SHIPPED, model_card="liuhaotian/llava-v1.5-13b")
    assert {one.change for one in same.files} == {"the same"}
    worse = result.splits["random"].model_copy(
        update={"f1": result.splits["random"].f1.model_copy(update={"value": 0.1, "low": 0.05})}
    )
    other = result.model_copy(update={"splits": {**result.splits, "random": worse}})
    with pytest.raises(HopeBenchError, match=r"other numbers for these questions \(f1 of random\)"):
        hb.push(other, model_card="liuhaotian/llava-v1.5-13b")
    hb.push(other, model_card="liuhaotian/llava-v1.5-13b", overwrite=True, direct=True)
    assert edge.commits[1]["create_pr"] is False
    entries = yaml.safe_load(edge.commits[1]["files"]["README.md"].decode().split("---")[1])["model-index"][0]["results"]
    values = [
        metric["value"]
        for one in entries
        for metric in one["metrics"]
        if metric["type"] == "f1" and one["dataset"].get("split") == "random"
    ]
    assert values == [0.1]


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("---\nlicense: [\n---\n", "can't be read: while parsing"),
        ("---\nmodel-index:\n- name: x\n---\n", "can't be read: Invalid `model_index`.*Mend it first"),
        ("---\nmodel-index:\n- name: a\n  results: []\n- name: b\n  results: []\n---\n", "results of several models"),
    ],
)
def test_a_card_that_cannot_be_kept_whole_is_left_alone(
    edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: str, words: str
) -> None:
    keep_model(tmp_path, monkeypatch, card.encode())
    edge.infos = [model({"README.md": card.encode()})]
    with pytest.raises(HopeBenchError, match=words):
        hb.push(SHIPPED, model_card="liuhaotian/llava-v1.5-13b")
    assert not edge.commits


def test_whatever_bytes_a_card_holds_stay(edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for card in (b"\xef\xbb\xbf---\nlicense: mit\n---\n# A\xff\n", b"---\r\nlicense: mit\r\n---\r\n# A\r\n", b"# A\n"):
        keep_model(tmp_path, monkeypatch, card)
        edge.infos = [model({"README.md": card})]
        hb.push(SHIPPED, model_card="liuhaotian/llava-v1.5-13b")
        written = edge.commits.pop()["files"]["README.md"]
        assert written.endswith(card[card.index(b"# A") :])
        assert written.count(b"---") == 2
        assert (b"license: mit" in written) == (b"license" in card)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"unranked": "only 60 questions were asked."}, "not ranked .only 60 questions were asked., so it is no number"),
        ({"convention": "pope"}, "counts by the pope convention"),
        ({}, "of liuhaotian/llava-v1.5-13b, not of other/model"),
    ],
)
def test_no_others_numbers_get_into_a_models_card(edge: Edge, change: dict[str, Any], words: str) -> None:
    to = "other/model" if not change else "liuhaotian/llava-v1.5-13b"
    with pytest.raises(HopeBenchError, match=words):
        hb.push(read_result(SHIPPED).model_copy(update=change), model_card=to)
    assert (edge.looked, edge.commits) == ([], [])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (missing(401), "none of that name, or it is private and the token here isn't its owner's"),
        (errors.GatedRepoError("g", response=reply(403)), "is gated: ask for access"),  # type: ignore[arg-type]
        (errors.RevisionNotFoundError("r", response=reply(404)), "has no revision 'v9'"),  # type: ignore[arg-type]
        (errors.HfHubHTTPError("f", response=reply(403)), "The token here may not do that"),  # type: ignore[arg-type]
        (errors.HfHubHTTPError("f", response=reply(503)), "The Hub answers 503. Try again later"),  # type: ignore[arg-type]
        (errors.OfflineModeIsEnabled("off"), "HF_HUB_OFFLINE is set"),
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full"),
        (ValueError("Bearer hf_abcdefgh1234 is odd"), "huggingface_hub can't do that"),
        (ConnectionError("refused with hf_abcdefgh1234"), "can't be reached"),
    ],
)
def test_what_goes_wrong_at_the_hub_is_said_in_words(
    small: Small, edge: Edge, error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    edge.infos = [error]
    said = refused(capsys, "push", small.folder, "hf:org/name@v9")
    assert words in said
    assert "hf_" not in said
    assert not edge.commits


def test_without_a_network_or_a_token_nothing_is_tried(
    small: Small, edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    assert "hf auth login" in refused(capsys, "push", small.folder, "hf:org/name")
    offline(monkeypatch, tmp_path / "hub")
    assert "HF_HUB_OFFLINE" in refused(capsys, "push", small.folder, "hf:org/name")
    assert "not (or not whole) in the cache" in refused(capsys, "pull", "hf:org/name")
    for words in (
        ["inspect", "hf:org/name", "--no-images"],
        ["baselines", "hf:org/name"],
        ["export", "hf:org/name", "--to", "llava", "--out", "x"],
    ):
        assert "in the cache of this machine" in refused(capsys, *words)
    assert edge.looked == []


@pytest.mark.parametrize(
    "name",
    [
        "hf:name",
        "hf:",
        "hf:a/b/c",
        "hf:a/b c",
        "hf:a/..",
        "hf:a/b@",
        "hf:a/b@../x",
        "hf:https://huggingface.co/a/b",
        "hf:datasets/a",
        "hf:/b",
    ],
)
def test_names_that_can_be_none_of_the_hub(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        "hf:ORG/NAME" in refused(capsys, "pull", name)
        or "no name of the Hub" in refused(capsys, "pull", name)
        or "behind the @" in refused(capsys, "pull", name)
    )


def test_a_name_without_the_prefix_is_never_looked_for(edge: Edge) -> None:
    with pytest.raises(HopeBenchError, match="No benchmark 'org/name'"):
        hb.load_benchmark("org/name")
    assert edge.looked == []
    assert str(hub_name("hf:org/name@v1")) == "hf:org/name@v1"
    assert clean("a hf_abcdefghij b") == "a (token) b"


def tampered(files: dict[str, bytes]) -> None:
    files["splits/random.jsonl"] = files["splits/random.jsonl"].replace(b'"label": "no"', b'"label": "yes"')


def of_another_name(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps(manifest | {"name": "../../up"}).encode()


def other_pictures(files: dict[str, bytes]) -> None:
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps(manifest | {"images": dict.fromkeys(manifest["images"], "0" * 64)}).encode()


def named_outside(files: dict[str, bytes]) -> None:
    """As somebody would who wants a picture of this machine: every hash is right."""
    folder = Path("hostile")
    splits = {"random": [Question(1, "../../secret.png", "Is there a cup in the image?", "yes", "random", "cup")]}
    write_benchmark(
        folder, splits, {"random": "pope"}, name="small", title="Small", headline="random", prompt="{question}", k=1,
        dataset="drawn", images={"../../secret.png": None},
    )  # fmt: skip
    files.clear()
    files |= files_of(folder)


def without_manifest(files: dict[str, bytes]) -> None:
    del files["manifest.json"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (tampered, r"What hf:org/name\S* holds can't be used: splits/random.jsonl was changed after it was generated"),
        (of_another_name, r"What hf:org/name\S* holds can't be used: manifest.json: A benchmark's name"),
        (other_pictures, "is not the picture that the benchmark was made with"),
        (named_outside, "no file name within a folder of images"),
        (without_manifest, "holds nothing of hope-bench's"),
    ],
)
def test_what_was_tampered_with_is_not_pulled(
    small: Small,
    edge: Edge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[dict[str, bytes]], None],
    words: str,
) -> None:
    edge.infos = [dataset({})]
    hb.push(small.folder, "hf:org/name", images=small.images)
    files = edge.commits[0]["files"]
    damage(files)
    keep(tmp_path / "hub", "org/name", files)
    offline(monkeypatch, tmp_path / "hub")
    with pytest.raises(HopeBenchError, match=words):
        hb.pull("hf:org/name", images="pictures")
    assert not Path("benchmarks").exists(), "nothing was written"
    assert not Path("pictures").exists() or not any(Path("pictures").iterdir())
    assert not (tmp_path.parent / "up").exists()


def test_files_that_are_in_the_way_of_a_pull_stay(
    small: Small, edge: Edge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edge.infos = [dataset({})]
    hb.push(small.folder, "hf:org/name")
    keep(tmp_path / "hub", "org/name", edge.commits[0]["files"])
    offline(monkeypatch, tmp_path / "hub")
    done = hope_bench(capsys, "pull", "hf:org/name")
    assert done.code == 0, done.err
    assert "hope-bench evaluate --model MODEL --benchmark benchmarks/small" in done.out
    assert "no pictures, only their names" in refused(capsys, "pull", "hf:org/name", "--images", "p")
    own = Path("benchmarks/small/label_noise.json")
    manifest = Path("benchmarks/small/manifest.json")
    manifest.write_text(manifest.read_text().replace('"Small"', '"Mine"'))
    assert "1 file is here with other contents (benchmarks/small/manifest.json)" in refused(capsys, "pull", "hf:org/name")
    own.write_text("{}")
    assert hope_bench(capsys, "pull", "hf:org/name", "--overwrite").code == 0
    assert files_of(Path("benchmarks/small")) == files_of(small.folder)
    Path("photos").mkdir()
    Path("photos/mine.txt").write_text("mine")
    assert "holds files, but no benchmark" in refused(capsys, "pull", "hf:org/name", "--out", "photos", "--overwrite")
    assert "pull it first" in refused(capsys, "label-noise", "hf:org/name", "x.jsonl", "--sample", 5)
    assert "pull it first" in refused(capsys, "review", "hf:org/name")


def test_some_splits_are_another_benchmark(small: Small, edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    some = read_benchmark(small.folder).select(["random"])
    with pytest.raises(HopeBenchError, match="Some splits alone are another benchmark"):
        hb.push(replace(some), "hf:org/name")
    assert "nothing that can be sent" in refused(capsys, "push", "smal", "hf:org/name")
    assert "--model-card takes a result" in refused(capsys, "push", small.folder, "--model-card", "a/b")
    assert "Say where to" in refused(capsys, "push", small.folder)
    assert "the Hub's name for it" in refused(capsys, "push", small.folder, "hf:a/b", "--licence", "CC BY 4.0")
    assert edge.looked == []
