"""The review without its page: what is asked in which order, the decisions file, agreement, label noise, the commands."""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hope_bench.annotations import read_annotations
from hope_bench.annotations.of_benchmark import find_annotations, find_images
from hope_bench.errors import HopeBenchError
from hope_bench.files.benchmark import Benchmark, read_benchmark, write_benchmark
from hope_bench.files.result_file import read_result
from hope_bench.records import Label, Question
from hope_bench.reviewing import fragments
from hope_bench.reviewing.agreement import agreement, merge
from hope_bench.reviewing.claims import (
    Claim,
    key_of,
    question,
    review_queue,
    unique_claims,
)
from hope_bench.reviewing.decisions import VERDICTS, DecisionsFile, Reviewed, by_claim, decide, read_decisions
from hope_bench.reviewing.noise import label_noise, read_label_noise, reviewed_claims, share
from hope_bench.reviewing.picture import Box, Pictures, draw_boxes, known_present
from hope_bench.reviewing.sampling import draw_cells, draw_samples, inclusions, sample_queue
from hope_bench.reviewing.session import Session
from hope_bench.search.decisions import ClaimKey, Decision
from hope_bench.search.decisions import read_decisions as read_for_generation
from tests.cli import hope_bench, refused
from tests.runs import Row, make_benchmark, make_run
from tests.small_benchmark import IMAGES, Small, no, questions, write_small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return write_small(tmp_path / "small")


def claim(image: str = "a.jpg", name: str = "vase", text: str = "Is there a vase in the image?") -> Claim:
    return Claim(image, name, None, text, "no", {"random": None})


def line(name: str, verdict: str, reviewer: str = "", image: str = "a.jpg") -> Reviewed:
    return Reviewed(image=image, object=name, decision=verdict, reviewer=reviewer)  # type: ignore[arg-type]


def test_a_claim_is_asked_once_with_its_highest_risk_and_every_score() -> None:
    vase = next(one for one in unique_claims(questions()) if one.object == "vase")
    assert vase.splits == {"random": None, "content": 0.31}
    assert (vase.risk, vase.standing) == (0.45, pytest.approx(2 / 3))
    assert vase.evidence == {"whole image": 0.21, "best tile": 0.27}


def test_the_likeliest_wrong_claims_come_first_and_only_absences_are_asked() -> None:
    queue = review_queue(questions())
    shown = [(one.object, one.description) for one in queue]
    assert shown == [
        ("vase", None), ("dog", None), ("bus", None), ("car", "a red car"), ("bowl", None), ("dog", None), ("apple", None),
    ]  # fmt: skip
    backwards = review_queue(dict(reversed(questions().items())))
    assert [one.key for one in backwards] == [one.key for one in queue], "the order of the splits doesn't matter"


def test_what_a_decision_can_change_is_shown_first() -> None:
    """POPE's own splits ask what they ask, whatever a reviewer finds."""
    popular = [no(1, "a.jpg", "likely", "popular", None, 0.9), no(2, "a.jpg", "shared", "popular", None, 0.1)]
    guarded = [
        no(1, "a.jpg", "shared", "adversarial-guarded", None, 0.1),
        no(2, "b.jpg", "safe", "adversarial-guarded", None, 0.0),
    ]
    queue = review_queue({"popular": popular, "adversarial-guarded": guarded})
    assert [one.object for one in queue] == ["shared", "safe", "likely"]


def test_scores_of_different_splits_are_not_compared() -> None:
    content = [no(n, "a.jpg", f"c{n}", "content", score) for n, score in enumerate((0.1, 0.2, 0.9))]
    category = [no(n, "a.jpg", f"z{n}", "category", score) for n, score in enumerate((5.0, 6.0, 7.0))]
    queue = review_queue({"content": content, "category": category})
    assert [one.object for one in queue] == ["c2", "z2", "c1", "z1", "c0", "z0"]


@pytest.mark.parametrize(
    ("text", "description", "asked"),
    [
        ("Are there exactly two dogs in the image?", "exactly two dogs", "Are there exactly two dogs in this picture?"),
        ("Is there a red car in the image?", "a red car", "Is there a red car in this picture?"),
        ("Are there two dogs playing in the image?", None, "Are there two dogs playing in this picture?"),
        ("Is the dog asleep?", None, "Is the dog asleep?"),
    ],
)
def test_the_page_asks_what_the_model_is_asked(text: str, description: str | None, asked: str) -> None:
    shown = replace(claim(text=text), label="no", description=description)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", fragments.claim(0, shown))).replace(" ?", "?").strip()
    assert words == asked
    assert fragments.verdict_words(shown) == {"present": "Yes (Y)", "absent": "No (N)", "unsure": "Unsure (U)"}
    there = claim(text="Is there a vase in the image?")
    assert fragments.verdict_words(there) == {"present": "There (T)", "absent": "Not there (N)", "unsure": "Unsure (U)"}


def test_the_page_says_how_long_is_left_and_when_to_stop(tmp_path: Path) -> None:
    """45 claims, 30 s each with a pause of an hour; the first two labels are wrong."""
    queue = [replace(claim(text=f"Is there a c{n} in the image?"), object=f"c{n}", label="no") for n in range(45)]
    now = [0.0]
    session = Session(queue, DecisionsFile(tmp_path / "a.jsonl"), "alice", clock=lambda: now[0])
    said = []
    for place in range(45):
        now[0] += 3600 if place == 10 else 30
        session.decide(place, "present" if place < 2 else "absent")
        said.append(re.sub(r"<[^>]*>", " ", fragments.progress(session)))
    assert "left." not in said[1], "two looks tell little"
    assert "About 20 minutes left. The likeliest wrong come first. You can stop when none of 20 in a row is wrong." in said[4]
    assert "About 12 minutes left. 2 of the last 20 were wrong: go on." in said[19]
    assert "About 12 minutes left. 1 of the last 20 was wrong: go on." in said[20]
    assert "About 12 minutes left. None of the last 20 was wrong, and the rest is less likely to be: you can stop" in said[21]
    assert "left" not in said[44]
    blind = Session(queue, DecisionsFile(tmp_path / "b.jsonl"), "bob", blind=True)
    assert "Stop at the end" in fragments.progress(blind)


@pytest.mark.parametrize("label", ["yes", "no"])
def test_a_blind_reviewer_is_not_told_the_label(label: Label) -> None:
    shown = replace(claim(text="Is there a vase in the image?"), label=label)
    assert str(question(shown)) == "Is there a vase in this picture?"
    assert str(question(replace(shown, text="Is the dog asleep?"))) == "Is the dog asleep?"
    page = fragments.claim(0, shown) + fragments.facts(Pictures(Path()), shown, True)
    for told in ("NO", "There", "True?", "risk", "random", "yes", "no"):
        assert told not in re.sub(r"<[^>]*>", " ", page).split()


def test_samples_are_seeded_uniform_and_shared_between_splits(small: Small) -> None:
    rng = random.Random(3)
    shared = [replace(one, label="yes") for one in (no(i, f"{i}.jpg", "cup", "random") for i in range(200))]
    own = [no(200 + i, f"{i}.jpg", rng.choice(["dog", "bus"]), "content") for i in range(200)]
    benchmark = read_benchmark(small.folder)
    benchmark = type(benchmark)(benchmark.folder, benchmark.manifest, {"random": tuple(shared), "content": (*shared, *own)})
    samples = draw_samples(benchmark, 50, 7)
    assert samples == draw_samples(benchmark, 50, 7) != draw_samples(benchmark, 50, 8)
    assert [len(sample) for sample in samples.values()] == [50, 50]
    assert all(len({(one.image, one.text) for one in sample}) == 50 for sample in samples.values())
    assert draw_samples(benchmark, 20, 7)["content"] == samples["content"][:20], "a beginning of a sample is a sample"
    assert 10 < sum(one.label == "yes" for one in samples["content"]) < 40
    together = sample_queue(samples, 7)
    assert len(together) < 90, "the splits draw what they share together"
    assert {one.key[0] for one in together} == {one.image for sample in samples.values() for one in sample}


def test_twins_are_sampled_in_a_split_of_twins_only(small: Small) -> None:
    benchmark = read_benchmark(small.folder)
    assert all(one.twin_of is None for one in draw_samples(benchmark, 99, 0)["description"])
    pairs = [one for one in benchmark.splits["description"] if one.description is not None]
    write_benchmark(
        small.folder, {"description-twins": pairs}, {"description-twins": "twin"}, name="twins", title="", prompt="{question}",
        headline="description-twins", k=1, dataset="", images={},
    )  # fmt: skip
    assert set(draw_samples(read_benchmark(small.folder), 99, 0)["description-twins"]) == set(pairs)


def test_decisions_are_appended_undone_replaced_and_read_by_generate(tmp_path: Path) -> None:
    path = tmp_path / "review" / "alice.jsonl"
    file = DecisionsFile(path)
    file.add(decide(claim(), "absent", "alice"))
    before = path.read_bytes()
    file.add(decide(claim(name="dog"), "unsure", "alice"))
    assert path.read_bytes().startswith(before)
    file.add(decide(claim(), "present", "alice"))
    assert [(one.object, one.decision) for one in read_decisions(path)] == [("dog", "unsure"), ("vase", "present")]
    assert DecisionsFile(path).decisions == file.decisions
    assert file.undo([("other.jpg", "dog", None)]) is None
    assert file.undo(file.decisions) is not None
    assert [one.object for one in read_decisions(path)] == ["dog"]
    assert file.undo(file.decisions) is not None
    assert file.undo(file.decisions) is None
    assert path.read_bytes() == b""
    file.add(decide(claim(name="dog"), "unsure", "alice"))
    found, problems = read_for_generation(path)
    assert (found, problems) == ((Decision("a.jpg", "dog", "unsure", None, "alice"),), ())


def test_a_line_cut_off_by_a_crash_is_dropped_and_any_other_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "alice.jsonl"
    good = b'{"image":"a.jpg","object":"vase","decision":"absent"}\n'
    path.write_bytes(good + b'{"image":"b.p')
    file = DecisionsFile(path)
    file.add(decide(claim(name="dog"), "absent", "alice"))
    assert [one.object for one in read_decisions(path)] == ["vase", "dog"]
    path.write_bytes(good + b'{"image":"b.png","object":"dog","decision":"maybe"}\n' + good)
    with pytest.raises(HopeBenchError, match=r"alice.jsonl, line 2: not a decision"):
        DecisionsFile(path)


def test_a_session_goes_through_the_queue_and_leaves_other_decisions_alone(tmp_path: Path) -> None:
    queue = review_queue(questions())
    file = DecisionsFile(tmp_path / "a.jsonl")
    file.add(line("zebra", "absent"))
    session = Session(queue, file, "alice")
    assert session.undo() is None
    assert len(file.decisions) == 1
    for place in range(3):
        assert session.next() == place
        session.decide(place, VERDICTS[place])
    assert session.counts() == {"absent": 1, "present": 1, "unsure": 1}
    assert session.undo() == 2
    resumed = Session(queue, DecisionsFile(file.path), "alice")
    assert resumed.next() == 2
    for place in range(2, len(queue)):
        resumed.decide(place, "absent")
    assert resumed.next() is None


def test_agreement_by_hand() -> None:
    one = by_claim([line(str(i), verdict) for i, verdict in enumerate(["absent"] * 6 + ["present"] * 3 + ["unsure"])])
    other = by_claim([line(str(i), verdict) for i, verdict in enumerate(["absent"] * 5 + ["present"] * 4 + ["absent"])])
    found = agreement({"a": one, "b": other}, ("a", "b"))
    # agreed: 5 absent, 3 present. Chance: (6 * 6 + 3 * 4 + 1 * 0) / 100 = 0.48; kappa = (0.8 - 0.48) / (1 - 0.48)
    assert (found.common, found.agreed, found.share) == (10, 8, 0.8)
    assert found.kappa == pytest.approx(0.32 / 0.52)


def test_kappa_is_none_where_it_is_undefined() -> None:
    same = by_claim([line("cup", "absent")])
    assert agreement({"a": same, "b": same}, ("a", "b")).kappa is None
    nothing = agreement({"a": same, "b": {}}, ("a", "b"))
    assert (nothing.share, nothing.kappa) == (None, None)


@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.integers(0, 9), st.sampled_from(VERDICTS)), min_size=2))
def test_merging_keeps_every_claim_and_is_unsure_where_reviewers_differ(drawn: dict[str, dict[int, str]]) -> None:
    reviews = {name: by_claim([line(str(i), said, name) for i, said in given.items()]) for name, given in drawn.items()}
    merged = merge(reviews)
    assert sorted(one.object for one in merged.decisions) == sorted({str(i) for given in drawn.values() for i in given})
    for one in merged.decisions:
        said = {given[int(one.object)] for given in drawn.values() if int(one.object) in given}
        assert one.decision == (said.pop() if len(said) == 1 else "unsure")


def test_label_noise_by_hand() -> None:
    negatives = [no(i, f"{i}.jpg", "cup", "content") for i in range(40)]
    positives = [Question(100 + i, f"{i}.jpg", "Is there a dog in the image?", "yes", "content", "dog") for i in range(10)]
    sample = [*negatives[:20], *positives, *negatives[20:]]
    said = {("cup", i): "present" if i < 3 else "unsure" if i < 5 else "absent" for i in range(30)}
    said |= {("dog", i): "absent" if i == 0 else "present" for i in range(10)}
    decisions = by_claim([line(name, verdict, image=f"{i}.jpg") for (name, i), verdict in said.items()])
    negative, positive = label_noise({"content": sample}, decisions)
    assert (negative.label, negative.sampled, negative.reviewed) == ("no", 40, 30)
    assert (negative.wrong.count, negative.unsure.count) == (3, 2)
    assert (positive.label, positive.wrong.count, positive.reviewed) == ("yes", 1, 10)
    # Wilson by its formula: z = 1.959964, n = 30, p = 0.1
    assert (negative.wrong.low, negative.wrong.high) == pytest.approx((0.034597, 0.256210), abs=1e-5)
    assert (share(0, 0).value, share(0, 0).low, share(0, 0).high) == (None, None, None)


def test_decisions_beyond_the_first_gap_of_a_sample_do_not_count() -> None:
    sample = [no(i, f"{i}.jpg", "cup", "content") for i in range(40)]
    decided = [*range(10), *range(11, 40)]  # someone looked at the riskiest claims, and found most of them there
    decisions = by_claim([line("cup", "absent" if i < 10 else "present", image=f"{i}.jpg") for i in decided])
    (row,) = label_noise({"content": sample}, decisions)
    assert (row.reviewed, row.wrong.count, row.sampled) == (10, 0, 40)


def big(folder: Path) -> Benchmark:
    """200 images; the run affirms 12 of 400 no-questions, and denies 20 of 400 yes-questions."""
    rows: dict[str, list[Row]] = {
        name: [row for i in range(200) for row in ((f"{i}.jpg", "dog", "yes"), (f"{i}.jpg", name, "no"))]
        for name in ("random", "content")
    }
    return make_benchmark(folder, rows)


def test_a_sample_says_with_what_chance_each_claim_was_drawn(tmp_path: Path) -> None:
    benchmark = big(tmp_path / "b")
    chance = inclusions(benchmark, 40)
    assert set(chance.values()) == {0.1}
    drawn: dict[ClaimKey, int] = {}
    for seed in range(300):
        for claim in sample_queue(draw_samples(benchmark, 40, seed), seed, chance):
            assert claim.inclusion == 0.1
            drawn[claim.key] = drawn.get(claim.key, 0) + 1
    assert np.mean([drawn.get(key, 0) for key in chance]) / 300 == pytest.approx(0.1, abs=0.005)


def test_cells_are_drawn_by_label_and_answer(tmp_path: Path) -> None:
    benchmark = big(tmp_path / "b")
    asked = {(one.image, one.text): one for questions in benchmark.splits.values() for one in questions}
    said = {key: one.object == "dog" if int(one.image[:-4]) >= 6 else one.object != "dog" for key, one in asked.items()}
    samples, inclusion = draw_cells(benchmark, said, 15, 0)
    cells = Counter((one.label, said[one.image, one.text]) for one in samples["content"])
    assert cells == {("yes", True): 15, ("yes", False): 6, ("no", True): 6, ("no", False): 15}
    queue = sample_queue(samples, 0, inclusion)
    chances = {(one.label, said[one.image, one.text]): one.inclusion for one in queue}
    assert chances["no", True] == chances["yes", False] == 1
    assert chances["no", False] == chances["yes", True] == pytest.approx(15 / 194)


def test_only_a_decision_on_a_drawn_claim_counts_in_a_sample(tmp_path: Path) -> None:
    benchmark = big(tmp_path / "b")
    queue = sample_queue(draw_samples(benchmark, 5, 0), 0, inclusions(benchmark, 5))
    file = DecisionsFile(tmp_path / "d.jsonl")
    file.add(decide(replace(queue[0], inclusion=None), "present", "alice"))  # looked at because it seemed wrong
    session = Session(queue, file, "alice", blind=True)
    assert (session.next(), session.counts().total()) == (0, 0)
    session.decide(0, "absent")
    assert (session.next(), file.decisions[queue[0].key].inclusion) == (1, 5 / 400)
    assert [one.inclusion for one in reviewed_claims(read_decisions(tmp_path / "d.jsonl"))] == [5 / 400]


def test_a_runs_rates_under_what_its_reviewers_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The labels say that the run hallucinates on 6 of 200; people find that on half of those the thing is there."""
    benchmark = big(tmp_path / "b")
    asked = [(i, name) for i in range(200) for name in ("dog", "random", "content")]
    said = {(f"{i}.jpg", name): "yes" if (name == "dog") == (i >= 6) else "no" for i, name in asked}
    run = make_run(tmp_path / "r", benchmark, said)  # type: ignore[arg-type]
    rows = [
        {"image": f"{i}.jpg", "object": name, "inclusion": 1.0, "reviewer": "alice",
         "decision": "present" if name == "dog" or i < 3 else "absent"}
        for i in range(200) for name in ("dog", "content")
    ]  # fmt: skip
    review = tmp_path / "alice.jsonl"
    review.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("-b", benchmark.folder, "--results", tmp_path / "results", "--reviewed", review)
    done = hope_bench(capsys, "score", run, *options)
    assert done.code == 0, done.err
    assert "Under reviewed truth" in done.out
    result = read_result(next((tmp_path / "results").rglob("*.json")))
    found = result.splits["content"].corrected
    assert found is not None
    assert found.hallucination_rate.value == pytest.approx(3 / 197, abs=1e-6)
    assert found.recall.value == pytest.approx((194 + 3) / 203, abs=1e-6)
    assert (found.reviewed, found.unsure) == (400, 0)
    for row in rows:
        del row["inclusion"]  # a review of the riskiest claims
    review.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert "no decision is on a claim that was drawn at random" in refused(capsys, "score", run, *options)
    assert "say how many questions of each label" in refused(capsys, "review", benchmark.folder, "--run", run)


def test_present_objects_come_with_boxes_from_annotations_and_without_from_questions(small: Small) -> None:
    benchmark = read_benchmark(small.folder)
    known = known_present(benchmark, read_annotations(small.annotations))
    assert known[IMAGES[2]].names == ("ox",)
    assert known[IMAGES[2]].boxes == (Box("ox", (0.125, 0.25, 0.5625, pytest.approx(100 / 120))),)  # type: ignore[arg-type]
    assert known_present(benchmark, None)[IMAGES[1]].names == ("car",)
    pictures = Pictures(small.images, known)
    assert pictures.encoded(IMAGES[2], boxes=True) != pictures.encoded(IMAGES[2], boxes=False)


def test_boxes_at_and_beyond_the_edge_are_drawn() -> None:
    picture = Image.new("RGB", (300, 200))
    draw_boxes(picture, [Box("a rather long name", (0.95, 0.0, 1.2, 1.1)), Box("dot", (1.0, 1.0, 1.0, 1.0))])
    assert len(set(picture.get_flattened_data() if hasattr(picture, "get_flattened_data") else picture.getdata())) > 3


def write_review(path: Path, reviewer: str, verdicts: dict[ClaimKey, str]) -> Path:
    rows = (
        {"image": image, "object": name, "decision": verdict, "reviewer": reviewer} | ({"description": what} if what else {})
        for (image, name, what), verdict in verdicts.items()
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_sample_reviewed_by_two_is_published_with_the_benchmark(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = read_benchmark(small.folder)
    queue = sample_queue(draw_samples(benchmark, 50, 3), 3)
    right = {one.key: "absent" if one.label == "no" else "present" for one in queue}
    alice = write_review(
        tmp_path / "a.jsonl", "alice", right | {("a.jpg", "vase", None): "present", ("z.jpg", "tv", None): "absent"}
    )
    bob = write_review(
        tmp_path / "b.jsonl", "bob", right | {("a.jpg", "vase", None): "present", ("b.png", "bus", None): "present"}
    )
    outcome = hope_bench(capsys, "label-noise", small.folder, alice, bob, "--sample", 50, "--seed", 3)
    assert outcome.code == 0, outcome.err
    assert "33.3%" in outcome.out, "one of content's three no-labels is wrong"
    estimate = read_label_noise(small.folder, benchmark.manifest.hash)
    assert estimate is not None
    assert (estimate.reviewers, estimate.sample, estimate.seed) == (("alice", "bob"), 50, 3)
    (pair,) = estimate.agreements
    assert (pair.common, pair.agreed) == (len(queue), len(queue) - 1), "claims outside the sample are no part of it"
    found = {(one.split, one.label): one for one in estimate.estimates}
    content = found["content", "no"]
    assert (content.reviewed, content.wrong.count, content.unsure.count) == (3, 1, 1), "where the two differ, it is unsure"
    assert found["content", "yes"].wrong.count == 0
    before = (small.folder / "label_noise.json").read_bytes()
    hope_bench(capsys, "label-noise", small.folder, alice, bob, "--sample", 50, "--seed", 3)
    assert (small.folder / "label_noise.json").read_bytes() == before

    shown = hope_bench(capsys, "inspect", small.folder, "--no-images", "--out", tmp_path / "gallery")
    assert "Label noise" in shown.out
    page = (tmp_path / "gallery" / "index.html").read_text(encoding="utf-8")
    assert "no 33.3 <small>[6.1, 79.2] of 3</small>" in page


def test_a_split_of_which_too_little_is_reviewed_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: dict[str, list[Row]] = {name: [(f"{i}.jpg", name, "no") for i in range(30)] for name in ("random", "content")}
    benchmark = make_benchmark(tmp_path / "b", rows)
    samples = draw_samples(benchmark, 25, 0)

    def reviewed(random: int, content: int) -> Path:
        decided = [*samples["random"][:random], *samples["content"][:content]]
        return write_review(tmp_path / "alice.jsonl", "alice", {key_of(one): "absent" for one in decided})

    command = ("label-noise", benchmark.folder, tmp_path / "alice.jsonl", "--sample", 25)
    reviewed(20, 19)
    done = hope_bench(capsys, *command)
    assert done.code == 0, done.err
    assert "content (19 of 25)" in done.err
    estimate = read_label_noise(benchmark.folder, benchmark.manifest.hash)
    assert estimate is not None
    assert [(one.split, one.reviewed) for one in estimate.estimates] == [("random", 20)]

    published = (benchmark.folder / "label_noise.json").read_bytes()
    reviewed(2, 0)
    assert "random's furthest, 2 of 25" in refused(capsys, *command)
    assert (benchmark.folder / "label_noise.json").read_bytes() == published, "what was published stays"

    small = (*command[:-1], 10)  # a smaller sample is published once all of it is decided
    reviewed(9, 9)
    assert "random's furthest, 9 of 10; 20 or the whole sample are needed" in refused(capsys, *small)
    reviewed(10, 9)
    done = hope_bench(capsys, *small)
    assert (done.code, "content (9 of 10)" in done.err) == (0, True)


def test_label_noise_of_other_questions_or_by_hand_is_not_shown(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark = read_benchmark(small.folder)
    assert read_label_noise(small.folder, benchmark.manifest.hash) is None
    right = {one.key: "absent" for one in sample_queue(draw_samples(benchmark, 50, 0), 0)}
    file = write_review(tmp_path / "alice.jsonl", "alice", right)
    assert hope_bench(capsys, "label-noise", small.folder, file, "--sample", 50).code == 0
    path = small.folder / "label_noise.json"
    published = json.loads(path.read_text())
    path.write_text(json.dumps(published | {"hash": "0" * 64}))
    assert read_label_noise(small.folder, benchmark.manifest.hash) is None
    shown = hope_bench(capsys, "inspect", small.folder, "--no-images", "--out", tmp_path / "gallery")
    assert "of other questions" in shown.err
    assert "Label noise" not in shown.out
    published["estimates"][0]["wrong"]["value"] = 0.001
    path.write_text(json.dumps(published))
    assert "don't follow from count and total" in refused(capsys, "inspect", small.folder, "--no-images")
    other = write_review(tmp_path / "bob.jsonl", "bob", {("z.jpg", "tv", None): "absent"})
    assert "No split's sample is reviewed far enough" in refused(capsys, "label-noise", small.folder, other, "--sample", 50)
    assert "given twice" in refused(capsys, "label-noise", small.folder, other, other, "--sample", 50)


def test_merging_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, verdict in (("alice", "absent"), ("bob", "present")):
        file = DecisionsFile(tmp_path / f"{name}.jsonl")
        file.add(decide(claim(), "absent", name))
        file.add(decide(claim(name="dog", text="Is there a dog in the image?"), verdict, name))  # type: ignore[arg-type]
    files = [tmp_path / "alice.jsonl", tmp_path / "bob.jsonl"]
    outcome = hope_bench(capsys, "review-merge", *files, "--out", tmp_path / "both.jsonl")
    assert outcome.code == 0
    assert "1 (50.0%)" in outcome.out
    assert "alice: absent, bob: present" in " ".join(outcome.out.split())
    merged = by_claim(read_decisions(tmp_path / "both.jsonl"))
    assert [(one.object, one.decision, one.reviewer) for one in merged.values()] == [
        ("vase", "absent", "alice+bob"), ("dog", "unsure", "alice+bob"),
    ]  # fmt: skip
    before = files[0].read_bytes()
    (tmp_path / "link.jsonl").symlink_to(files[0])
    for out in (files[0], tmp_path / "link.jsonl"):
        message = refused(capsys, "review-merge", *files, "--out", out)
        assert f"--out {out} is one of the files to merge, and would be replaced. Give another --out." in message
    assert files[0].read_bytes() == before
    assert "cut off" not in outcome.err
    files[0].write_bytes(files[0].read_bytes()[:-9])
    assert f"{files[0]}: its last line is cut off and is not counted." in hope_bench(capsys, "review-merge", *files).err
    assert "Give two or more" in refused(capsys, "review-merge", files[0])
    assert "does not exist" in refused(capsys, "review-merge", files[0], tmp_path / "nobody.jsonl")


def test_the_spec_beside_the_benchmark_names_the_data(small: Small) -> None:
    benchmark = read_benchmark(small.folder)
    assert find_annotations(benchmark, None) is None
    spec = 'name = "small"\nstrategies = ["random"]\nheadline = "random"\n'
    spec += '[dataset]\nannotations = "../instances.json"\nimages = "../images"\n'
    (small.folder / "spec.toml").write_text(spec)
    assert find_images(benchmark, None).resolve() == small.images.resolve()
    found = find_annotations(benchmark, None)
    assert found is not None
    assert len(found.images) == 3


def test_what_the_page_needs_is_asked_for(
    small: Small, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--images" in refused(capsys, "review", small.folder)
    assert "no split 'contend'. Did you mean 'content'?" in refused(capsys, "review", small.folder, "--split", "contend")
    assert "gives no file name" in refused(capsys, "review", small.folder, "--images", small.images, "--reviewer", "//")
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'hope-bench[review]'" in refused(capsys, "review", small.folder, "--images", small.images)
