"""Which way questions go, with a model that is a formula: what is checked, what a failed check means, who is asked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from PIL import Image
from torch import Tensor

from hope_bench.adapters import paths as ways
from hope_bench.adapters.base import RawAnswer
from hope_bench.adapters.budget import Budget
from hope_bench.adapters.encoding import (
    ImageRows,
    NotShareableError,
    Row,
    join,
)
from hope_bench.adapters.paths import Paths, _by_image, _each_once, _joined_alike, _size_class
from hope_bench.adapters.self_check import PROBES, choose, relative_difference, threshold
from hope_bench.adapters.shared_prefix import Prefix, SharedPrefix
from hope_bench.errors import HopeBenchError
from hope_bench.files.result import SelfCheck

Pair = tuple[Image.Image, str]
ALIGNED = frozenset({"input_ids", "attention_mask"})
LIMIT = 1e-3


def row_of(image: Image.Image, prompt: str) -> Row:
    """Two tokens of an image, and one for each letter."""
    ids = torch.tensor([[7, image.size[0], *map(ord, prompt)]])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": torch.zeros(1, 4)}


def words(row: Row, place: int = 0) -> str:
    kept = row["input_ids"][place][row["attention_mask"][place].bool()].tolist()
    return "".join(map(chr, kept[2:]))


class Formula:
    """A decoder and its encoder in one: logits follow from the letters of a question, but for what a test spoils."""

    pad_token = 0
    template = SimpleNamespace(thinks=False)

    def __init__(self, batched: float = 0.0, nan: str = "", raises: Exception | None = None, odd: bool = False) -> None:
        self.batched, self.nan, self.raises, self.odd = batched, nan, raises, odd
        self.model = SimpleNamespace(device=torch.device("cpu"), dtype=torch.float32)
        self.settings = SimpleNamespace(pad_token_id=0, max_new_tokens=3)
        self.tokens = SimpleNamespace()
        self.encoder = self
        self.alone: list[str] = []
        self.asked: list[int] = []
        self.made = 0

    def row(self, image: Image.Image, prompt: str) -> Row:
        return row_of(image, prompt)

    def batch(self, pairs: Sequence[Pair]) -> Row:
        self.made += 1
        joined = join([row_of(*pair) for pair in pairs], ALIGNED, self.pad_token)
        assert joined is not None
        return {**joined, "more": torch.zeros(1)} if self.odd else joined

    def logits(self, text: str) -> Tensor:
        found = torch.sin(torch.arange(1.0, 9.0) * (1 + sum(map(ord, text))))
        return found * torch.nan if text and text == self.nan else found

    def first_logits(self, inputs: Row) -> Tensor:
        rows = len(inputs["input_ids"])
        if rows == 1:
            self.alone.append(words(inputs))
        elif self.raises is not None:
            raise self.raises
        spoilt = self.batched if rows > 1 else 0.0
        return torch.stack([self.logits(words(inputs, place)) * (1 + spoilt * place) for place in range(rows)])

    def answer(self, inputs: Row, seeds: Sequence[int] | None = None) -> list[RawAnswer]:
        rows = len(inputs["input_ids"])
        self.asked.append(rows)
        return [RawAnswer(f"{words(inputs, place)} {'' if seeds is None else seeds[place]}".strip()) for place in range(rows)]


def paths_of(decoder: Formula, path: Any, said: list[str], questions: int = 4) -> Paths:
    return Paths(cast(Any, decoder), path, Budget(questions, 9999), said.append, torch.float32)


IMAGE, OTHER = Image.new("RGB", (5, 5)), Image.new("RGB", (6, 6))
ONE_BY_ONE = "This model answers differently in a batch, so its questions are asked one by one, which is slow."


@pytest.mark.parametrize(
    ("decoder", "sizes", "check", "said"),
    [
        (Formula(), [2, 3], SelfCheck(what="", passed=True, difference=0.0, threshold=LIMIT), []),
        (Formula(odd=True), [2, 3], SelfCheck(what="", passed=True, difference=0.0, threshold=LIMIT), []),
        (Formula(batched=1.0), [1] * 5, SelfCheck(what="", passed=False, difference=1.9, threshold=LIMIT), [ONE_BY_ONE]),
        (
            Formula(raises=ValueError("odd shape.")),
            [1] * 5,
            SelfCheck(what="", passed=False, threshold=LIMIT, reason="ValueError: odd shape"),
            [ONE_BY_ONE],
        ),
        (Formula(nan="b"), [1] * 5, None, []),
    ],
    ids=["right", "not joined", "wrong", "raises", "no numbers"],
)
@pytest.mark.parametrize("drawn", [False, True])
def test_batches_of_the_plain_path_are_checked_once(
    decoder: Formula, sizes: list[int], check: SelfCheck | None, said: list[str], drawn: bool
) -> None:
    decoder.alone, decoder.asked, decoder.made = [], [], 0
    lines: list[str] = []
    paths = paths_of(decoder, "plain", lines)
    texts = ["aa", "b", "cccc", "dd", "e"]
    batch = [(IMAGE, text) for text in texts]
    seeds = list(range(10, 15)) if drawn else None
    expected = [f"{text} {seeds[place]}" if seeds else text for place, text in enumerate(texts)]
    assert [one.text for one in paths.answer(batch, seeds)] == expected
    assert (decoder.asked, lines, paths.taken) == (sizes, said, {"plain"})
    found = [one.model_copy(update={"what": "", "difference": check.difference if check else None}) for one in paths.checks]
    assert found == ([] if check is None else [check])
    assert all(one.what == "batches of the plain path" for one in paths.checks)
    # The first part of several rows, with questions of other lengths beside it: the shortest, the longest, two between.
    assert decoder.alone == ["b", PROBES[0], PROBES[1], PROBES[2]]
    joins = check is not None and check.passed and not decoder.odd
    assert decoder.made == (0 if check is None else 1 if not check.passed or joins else 3)
    decoder.alone = []
    paths.answer(batch[2:4])
    assert bool(decoder.alone) == (check is None), "checked again only where nothing could be said"


def test_a_question_alone_is_checked_against_nothing() -> None:
    decoder, lines = Formula(batched=1.0), list[str]()
    paths = paths_of(decoder, "plain", lines)
    assert [one.text for one in paths.answer([(IMAGE, "a")])] == ["a"]
    assert (decoder.alone, decoder.asked, paths.checks, lines) == ([], [1], [], [])


def test_what_was_encoded_ahead_is_used_once() -> None:
    decoder = Formula()
    paths = paths_of(decoder, "plain", [])
    paths.take([(IMAGE, "a"), (IMAGE, "b")], [row_of(IMAGE, "x"), row_of(IMAGE, "y")])
    paths.take([(IMAGE, "a")], [row_of(IMAGE, "z")])
    assert [one.text for one in paths.answer([(IMAGE, "a")])] == ["x"]
    paths.forget([(IMAGE, "a")])
    assert [one.text for one in paths.answer([(IMAGE, "a")]) + paths.answer([(IMAGE, "b")])] == ["a", "y"]


class Sharing:
    """A shared prefix over a `Formula`: what each way adds to its logits, and what it can't do."""

    packs: Any = 0.0
    rows: Any = 0.0
    packable_ = True
    together = 0.0

    def __init__(self, decoder: Formula) -> None:
        self._decoder = decoder
        self.computed: list[list[int]] = []

    def __call__(self, *_: object) -> Sharing:
        return self

    def alike(self, images: Sequence[ImageRows]) -> list[list[int]]:
        return [list(range(len(images)))]

    def length(self, _: Sequence[ImageRows]) -> int:
        return 2

    def prefix(self, images: Sequence[ImageRows]) -> Prefix:
        self.computed.append([len(image.rows) for image in images])
        return Prefix(tuple(images), 2, SimpleNamespace(layers=[]), ())

    def packable(self, _: Prefix) -> bool:
        return self.packable_

    def packed_logits(self, prefix: Prefix, chosen: Sequence[int]) -> Tensor:
        return self._logits(prefix, chosen, self.packs)

    def logits(self, prefix: Prefix, chosen: Sequence[int]) -> Tensor:
        return self._logits(prefix, chosen, self.rows)

    def _logits(self, prefix: Prefix, chosen: Sequence[int], spoilt: Any) -> Tensor:
        if isinstance(spoilt, Exception):
            raise spoilt
        if len(prefix.images) > 1:
            spoilt += self.together
        found = [self._decoder.logits(words(prefix.rows[place][1])) for place in chosen]
        self._decoder.read_ = [words(prefix.rows[place][1]) for place in chosen]  # type: ignore[attr-defined]
        return torch.stack([one * (1 + spoilt * place) for place, one in enumerate(found)])


class Reading(Formula):
    """A formula whose answers on a shared prefix are read from its logits."""

    def goes_on(self, first: Any) -> Tensor:
        return torch.zeros(len(first.token), dtype=torch.bool)

    def read(self, _: Any, row: int, generated: Tensor | None) -> RawAnswer:
        assert generated is None
        return RawAnswer("shared " + self.read_[row])  # type: ignore[attr-defined]


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Paths, Reading, Sharing, list[str]]]:
    def make(path: str = "auto", **settings: Any) -> tuple[Paths, Reading, Sharing, list[str]]:
        decoder, lines = Reading(nan=settings.pop("nan", "")), list[str]()
        sharing = Sharing(decoder)
        for name, value in settings.items():
            setattr(sharing, name, value)
        monkeypatch.setattr(ways, "SharedPrefix", sharing)
        monkeypatch.setattr(ways, "media_tokens", lambda _: frozenset({7}))
        first = SimpleNamespace(token=torch.zeros(9))
        monkeypatch.setattr(ways, "read_first_token", lambda logits, _: SimpleNamespace(token=first.token[: len(logits)]))
        return paths_of(decoder, path, lines, 99), decoder, sharing, lines

    return make


def checked(way: str, sizes: str, **fields: Any) -> SelfCheck:
    return SelfCheck(what=f"shared prefix ({way}), {sizes}", **{"threshold": LIMIT, **fields})


SMALL = "2 to 3 tokens, one image"
RIGHT = {"passed": True, "difference": 0.0}
ODD = {"passed": False, "reason": "ValueError: odd"}


@pytest.mark.parametrize(
    ("settings", "checks", "refused"),
    [
        ({}, [checked("packed", SMALL, **RIGHT)], None),
        ({"packable_": False}, [checked("rows", SMALL, **RIGHT)], None),
        ({"packs": ValueError("odd")}, [checked("packed", SMALL, **ODD), checked("rows", SMALL, **RIGHT)], None),
        (
            {"packs": ValueError("odd"), "rows": ValueError("odd")},
            [checked("packed", SMALL, **ODD), checked("rows", SMALL, **ODD)],
            "ValueError: odd",
        ),
        ({"nan": "aa"}, [], ""),
    ],
    ids=["packed", "not packable", "packed raises", "both raise", "no numbers"],
)
def test_the_first_way_of_sharing_that_is_right_is_taken(
    settings: dict[str, Any], checks: list[SelfCheck], refused: str | None, shared: Any
) -> None:
    paths, decoder, sharing, lines = shared(**settings)
    batch = [(IMAGE, "aa"), (IMAGE, "b"), (OTHER, "x"), (IMAGE, "cccc")]
    taken = "shared " if refused is None else ""
    assert [one.text for one in paths.answer(batch)] == [f"{taken}aa", f"{taken}b", "x", f"{taken}cccc"]
    assert paths.checks[: len(checks)] == checks
    # Probes are asked as well, where an image has fewer than four; of all the shortest, the longest, two between, first and last.
    assert decoder.alone[:5] == ["aa", "b", "cccc", PROBES[2], PROBES[3]]
    assert sharing.computed[:1] == ([] if refused == "" else [[7]])
    message = f"Questions of an image are not asked on a shared prefix, which would be faster: {refused}."
    assert lines == ([message] if refused else [])
    assert paths.taken == ({"shared", "plain"} if refused is None else {"plain"})
    before = len(paths.checks)
    decoder.alone.clear()
    paths.answer([(IMAGE, "dd"), (IMAGE, "e")])
    assert len(paths.checks) == before + (refused == ""), "a class of sizes is checked once, unless nothing could be said"
    paths.answer([(IMAGE, "dddddd"), (IMAGE, "eeeeee")])
    if refused is None:
        assert "8 to 15 tokens" in paths.checks[-1].what


def test_a_difference_of_logits_is_said_with_two_digits(shared: Any) -> None:
    paths, _, _, lines = shared(packs=0.01, rows=0.02)
    paths.answer([(IMAGE, text) for text in ("a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggg")])
    packed, rows = paths.checks[:2]
    assert (packed.passed, rows.passed) == (False, False)
    assert packed.difference is not None
    assert rows.difference is not None
    assert 0.005 < packed.difference < rows.difference < 0.3
    assert packed.difference == float(f"{packed.difference:.2g}")
    assert lines[0].endswith(f"which would be faster: its logits differ by {rows.difference:.2g} ({SMALL}).")
    paths, _, _, _ = shared("shared", packs=0.01, rows=0.02)
    with pytest.raises(HopeBenchError, match=r"^This model's questions can't share a prefix: its logits .*\. Use --path"):
        paths.answer([(IMAGE, "a"), (IMAGE, "b")])


def test_a_difference_that_is_no_number_is_none(shared: Any) -> None:
    paths, _, _, lines = shared(packs=torch.nan, rows=torch.nan)
    paths.answer([(IMAGE, text) for text in ("a", "bb", "ccc", "dddd")])
    assert [(one.passed, one.difference) for one in paths.checks[:2]] == [(False, None)] * 2
    assert lines[0].endswith(f"which would be faster: its logits differ by inf ({SMALL}).")


def test_the_last_check_says_why_nothing_is_shared(shared: Any) -> None:
    paths, _, _, lines = shared(packs=ValueError("odd"), rows=0.02)
    paths.checks += [checked("x", SMALL, passed=True, difference=0.5, reason="an earlier one")] * 2
    paths.answer([(IMAGE, text) for text in ("a", "bb", "ccc", "dddd")])
    assert lines[0].endswith(f"which would be faster: its logits differ by {paths.checks[3].difference:.2g} ({SMALL}).")


def test_probes_are_about_the_first_image_and_the_last_one_is_compared_too(shared: Any) -> None:
    paths, decoder, sharing, _ = shared()
    paths.together = True
    paths.answer([(IMAGE, "a"), (IMAGE, "a"), (OTHER, "b"), (OTHER, "b")])
    assert sharing.computed == [[5, 1], [2, 2]]
    assert decoder.alone[-1] == "b"
    seen: list[Image.Image] = []

    class Seeing(Formula):
        def row(self, image: Image.Image, prompt: str) -> Row:
            if prompt in PROBES:
                seen.append(image)
            return super().row(image, prompt)

    paths_of(Seeing(), "plain", []).answer([(IMAGE, "a"), (OTHER, "b"), (OTHER, "c")])
    assert seen == [IMAGE] * len(PROBES)


def test_images_go_together_where_there_is_a_gpu() -> None:
    for kind, together in (("cpu", False), ("cuda", True), ("mps", True)):
        decoder = Formula()
        decoder.model.device = torch.device(kind)
        assert paths_of(decoder, "plain", []).together == together


@pytest.mark.parametrize(("settings", "way", "held"), [({}, "packed", 2 + 10), ({"packable_": False}, "rows", 4 * 2 + 10)])
def test_each_forward_says_what_it_holds(
    settings: dict[str, Any], way: str, held: int, shared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forwards, forward = list[tuple[str, int]](), Budget.forward

    def told(self: Budget, kind: Any, tokens: int) -> Any:
        forwards.append((kind, tokens))
        return forward(self, kind, tokens)

    monkeypatch.setattr(Budget, "forward", told)
    paths, _, _, _ = shared(**settings)
    paths.answer([(IMAGE, text) for text in ("a", "bb", "cccc", "ddd")])
    checked_first = [("plain", 2 + length) for length in (1, 2, 4, 3)]
    prefixes = [("prefix", 2)] * (1 if way == "packed" else 2)
    assert forwards == [*checked_first, *prefixes, (way, held), ("prefix", 2), (way, held)]
    forwards.clear()
    paths_of(Formula(), "plain", []).answer([(IMAGE, "a"), (IMAGE, "bb"), (IMAGE, "c")])
    assert forwards[-1] == ("plain", 3 + 4 + 3)
    paths, _, _, _ = shared(**settings)
    paths._budget = Budget(99, 5)
    paths.answer([(IMAGE, text) for text in ("a", "bb", "cccc", "ddd")])
    assert len([kind for kind, _ in forwards if kind == way]) == 2 * {"packed": -(-10 // 5), "rows": -(-18 // 5)}[way]


def test_answers_that_go_on_hold_their_new_tokens_too(shared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    forwards, written = list[tuple[str, int]](), list[list[int]]()

    def texts(_: Prefix, places: list[int], __: Any) -> dict[int, int]:
        written.append(places)
        return {place: 10 + place for place in places}

    paths, decoder, sharing, _ = shared()
    decoder.goes_on = lambda first: torch.tensor([True, False, True, True])[: len(first.token)]
    decoder.read = lambda _, row, generated: RawAnswer(f"{row} {generated}")
    sharing.texts = texts
    batch = [(IMAGE, text) for text in ("a", "bb", "cccc", "ddd")]
    expected = ["0 10", "1 None", "2 12", "3 13"]
    assert [one.text for one in paths.answer(batch)] == expected
    forward = Budget.forward
    monkeypatch.setattr(Budget, "forward", lambda self, *held: (forwards.append(held), forward(self, *held))[1])
    assert [one.text for one in paths.answer(batch)] == expected
    assert forwards[-1] == ("rows", 3 * 2 + 1 + 4 + 3 + 3 * 3), "beginnings, questions and three new tokens each"
    paths._budget = Budget(99, 20)
    assert [one.text for one in paths.answer(batch)] == expected
    assert written == [[0, 2, 3], [0, 2, 3], [0], [2, 3]], "3 + 6 + 5 tokens, and three new ones each, are more than 20"


def test_the_first_and_the_last_question_are_compared_whatever_their_lengths(shared: Any) -> None:
    paths, decoder, _, _ = shared()
    texts = ["cc", "a", "dddd", "eeeee", "ffffff", "g", "hhh"]
    paths.answer([(IMAGE, text) for text in texts])
    lengths = sorted(range(7), key=lambda place: len(texts[place]))
    picks = {lengths[0], lengths[-1], lengths[2], lengths[4], 0, 6}
    assert decoder.alone == [texts[place] for place in sorted(picks)]
    paths, decoder, sharing, _ = shared()
    paths.answer([(IMAGE, "a")] * 3 + [(IMAGE, "b")] * 3)
    assert sharing.computed == [[6], [6]], "what is drawn several times is compared once, with the probes"


def test_images_that_fail_together_are_computed_one_by_one(shared: Any) -> None:
    for together, stacks in ((0.0, [[2, 2], [2, 2]]), (1.0, [[2, 2], [2, 2], [6], [2], [2]])):
        paths, _, sharing, lines = shared(together=together)
        paths.together = True
        batch = [(image, text) for image in (IMAGE, OTHER) for text in ("aa", "bb")]
        assert [one.text for one in paths.answer(batch)] == [f"shared {text}" for _, text in batch]
        assert sharing.computed == stacks
        assert paths.checks[0].what == "shared prefix (packed), 4 to 7 tokens, several images"
        assert lines == []


# What can share a prefix at all.


def image_rows(*ids: Sequence[int], pixels: int = 4) -> ImageRows:
    rows = tuple(
        {"input_ids": torch.tensor([one]), "attention_mask": torch.ones(1, len(one)), "pixel_values": torch.zeros(1, pixels)}
        for one in ids
    )
    return ImageRows(rows, ALIGNED)


def model(**settings: Any) -> Any:
    text = SimpleNamespace(is_encoder_decoder=settings.pop("text", False))
    config = SimpleNamespace(is_encoder_decoder=settings.pop("both", False), get_text_config=lambda: text)
    return SimpleNamespace(config=config, forward=settings.pop("forward", lambda pixel_values=None: pixel_values), **settings)


def test_which_models_can_go_on_from_a_cache() -> None:
    for settings in ({"text": True}, {"both": True}):
        with pytest.raises(NotShareableError, match="an encoder-decoder reads the question together with the image"):
            SharedPrefix(model(**settings), frozenset(), 0)
    plain, blip = model(), model(forward=lambda pixel_values: pixel_values, language_model="lm")
    assert SharedPrefix(plain, frozenset(), 0)._decoder is plain
    assert SharedPrefix(blip, frozenset(), 0)._decoder == "lm"
    spread = [
        SharedPrefix(model(hf_device_map=where), frozenset(), 0)._spread for where in ({}, {"a": 0, "b": 0}, {"a": 0, "b": 1})
    ]
    assert spread == [False, False, True]


def test_images_of_equal_shapes_and_nearly_equal_beginnings_go_together() -> None:
    sharing = SharedPrefix(model(), frozenset({7}), 0)
    long = [7, 1, 2, 3, 4, 5, 6]
    images = [
        image_rows([*long, 8], [*long, 9]),
        image_rows([*long[:3], 30, 4, 5, 6, 8], [*long[:3], 30, 4, 5, 6, 9]),  # four less in common than alone
        image_rows([*long[:2], 20, 3, 4, 5, 6, 8], [*long[:2], 20, 3, 4, 5, 6, 9]),  # five
        image_rows([*long, 8], [*long, 9], pixels=5),
        image_rows([70, 7, 2, 3, 4, 5, 6, 8], [70, 7, 2, 3, 4, 5, 6, 9]),  # nothing
        image_rows([*long, 3], [*long, 4]),
    ]
    assert sharing.alike(images) == [[0, 1, 5], [2], [3], [4]]
    with pytest.raises(NotShareableError):
        sharing.alike([image_rows([1, 7, 2], [3, 7, 2])])


def test_what_questions_hold_in_memory() -> None:
    layers = [SimpleNamespace(keys=torch.zeros(1, 1, tokens, 1)) for tokens in (3, 8)] + [SimpleNamespace(keys=None)]
    images = (image_rows([7, 1, 2, 3, 4], [7, 1, 2, 3]), image_rows([7, 1, 2, 5, 5, 5]))
    for kept, each in ((layers[:1], 3), (layers, 4), (layers[1:2], 8), ([], 3)):
        prefix = Prefix(images, 3, SimpleNamespace(layers=kept), ())
        assert [place for place, _ in prefix.rows] == [0, 0, 1]
        own = [2, 1, 3]
        for chosen in ([0], [0, 1], [1, 2], [0, 1, 2]):
            tokens = sum(own[place] for place in chosen)
            assert prefix.held(chosen, packed=False) == each * len(chosen) + tokens
            assert prefix.held(chosen, packed=True) == each * len({place // 2 for place in chosen}) + tokens


def bare_rows(*ids: list[int], pixels: int = 4) -> ImageRows:
    rows = tuple({"input_ids": torch.tensor([one]), "pixel_values": torch.zeros(1, pixels)} for one in ids)
    return ImageRows(rows, frozenset({"input_ids"}))


def test_questions_by_image_and_size() -> None:
    one, other = object(), object()
    assert _by_image(cast(Any, [(one, "a"), (other, "b"), (one, "c")])) == [[0, 2], [1]]
    assert [row["input_ids"].tolist() for row in _each_once(bare_rows([1, 2], [1, 2], [3])).rows] == [[[1, 2]], [[3]]]
    assert _size_class([bare_rows([1] * 8, [1] * 7)]) == (3, 3, 0)
    assert _size_class([bare_rows([1] * 8, pixels=8), bare_rows([1])]) == (4, 4, 1)
    rows = list(bare_rows([1, 2], [3]).rows)
    batch = {"input_ids": torch.tensor([[1, 2], [9, 3]]), "pixel_values": torch.zeros(2, 4)}
    assert _joined_alike(rows, batch, 9) == {"input_ids"}
    assert _joined_alike(rows, batch, 8) is None
    assert _joined_alike(rows, {**batch, "more": torch.zeros(1)}, 9) is None


@pytest.mark.parametrize(
    ("lengths", "places"),
    [
        ([5], [0]),
        ([2, 1], [0, 1]),
        ([9, 1, 5, 3, 7], [0, 1, 3, 4]),
        ([6, 1, 2, 3, 4, 5, 0], [0, 2, 4, 6]),
        ([3, 3, 3], [0, 1, 2]),
    ],
)
def test_the_shortest_the_longest_and_two_between_are_compared(lengths: list[int], places: list[int]) -> None:
    assert choose(lengths) == places


def test_a_difference_is_measured_by_the_spread_between_questions() -> None:
    expected = torch.tensor([[1.0, 5.0, -torch.inf], [3.0, 1.0, -torch.inf]])  # spread: (1, 2, -) around the mean
    found = expected + torch.tensor([[0.3, 0.0, 0.0], [0.0, -0.4, 0.0]])
    rms = (0.25 / 6) ** 0.5 / ((1 + 4 + 1 + 4) / 6) ** 0.5
    assert relative_difference(found, expected) == pytest.approx(rms, rel=1e-6)
    assert relative_difference(expected, expected) == 0
    assert relative_difference(found.nan_to_num(0.0, neginf=0.0), expected) == float("inf")
    assert relative_difference(torch.full((2, 3), torch.nan), expected) == float("inf")
    assert relative_difference(torch.ones(2, 3), torch.ones(2, 3)) == float("inf"), "no spread, no measure"
    assert [threshold(one) for one in (torch.float32, torch.bfloat16, torch.float16)] == [1e-3, 0.25, 0.25]
