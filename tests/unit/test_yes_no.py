"""P(yes) of a first token: of all logits, and of the alternatives that a server lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from hope_bench.adapters import yes_no_words
from hope_bench.adapters.endpoint_reply import read_reply
from hope_bench.adapters.yes_no import YesNoTokens, find_own_yes_no, find_yes_no, read_first_token
from hope_bench.adapters.yes_no_words import YesNoWords, p_yes_of, strip_boundaries
from hope_bench.files.language import AnswerWords
from tests.replies import whole


def test_p_yes_of_logits_is_a_softmax_over_yes_and_no() -> None:
    tokens = YesNoTokens(*(torch.tensor(ids).long() for ids in ([0, 1], [2, 9], [3], [2])))
    rows = torch.tensor(
        [
            [1.0, 2.0, 0.0, -9.0, 0.5],
            [0.0, 0.0, 4.0, -9.0, 1.0],
            [0.0, 0.0, 0.0, 0.0, 5.0],
            [-torch.inf, 1.0, 0.0, -torch.inf, 0.0],
        ]
    )
    found = read_first_token(rows, tokens)
    weights = rows.double().exp()
    yes, no = weights[:, :2].sum(1), weights[:, 2]
    assert torch.allclose(found.mass.double(), (yes + no) / weights.sum(1), atol=1e-6)
    expected = yes / (yes + no)
    assert torch.allclose(found.p_yes[[0, 1, 3]].double(), expected[[0, 1, 3]], atol=1e-6)
    assert bool(found.p_yes[2].isnan()), "the foreign word weighs"
    assert (found.token.tolist(), found.is_answer.tolist()) == ([1, 2, 4, 1], [True, False, False, True])
    assert found.finite.tolist() == [True] * 4
    assert (found.scores(2)[0], found.scores(0)[0]) == (None, pytest.approx(float(expected[0]), abs=1e-6))
    bad = torch.tensor([[0.0, torch.nan, 0, 0, 0], [torch.inf, 0, 0, 0, 0], [-torch.inf] * 5])
    assert read_first_token(bad, tokens).finite.tolist() == [False] * 3
    for yes_ids, no_ids in (([], [1]), ([1], [])):
        none = YesNoTokens(*(torch.tensor(ids).long() for ids in (yes_ids, no_ids, [], [])))
        assert read_first_token(rows, none).scores(0) == (None, None)
    alone = read_first_token(torch.randn(500, 4, generator=torch.Generator().manual_seed(0)), YesNoTokens(
        *(torch.tensor(ids).long() for ids in ([0, 1], [2, 3], [], []))
    ))  # fmt: skip
    assert alone.mass.max() == 1, "whatever is rounded"
    share = [0.0099, 0.0101]
    for place, weight in enumerate(share):
        row = torch.tensor([[0.0, -torch.inf, 0.0, float(np.log(2 * weight)), 0.0]])
        assert bool(read_first_token(row, tokens).p_yes.isnan().all()) == bool(place)


def test_tokens_that_say_yes_or_no() -> None:
    vocabulary: dict[str | bytes, int] = {
        "Yes": 7, "▁yes": 3, "ĠNO": 5, b" no": 1, "yesterday": 2, "ja": 4, "Nein": 6, "Ne": 8, "in": 9, "J": 10, "▁": 11,
    }  # fmt: skip
    found = find_yes_no(vocabulary)
    assert [ids.tolist() for ids in (found.yes, found.no, found.foreign, found.unfinished)] == [[3, 7], [1, 5], [4, 6, 8], []]
    german = AnswerWords(code="de", yes=("ja",), no=("nein",))

    def encode(text: str) -> list[int]:
        return {"ja": [4], " ja": [11, 4], "Nein": [8, 9]}.get(text, [])

    own = find_own_yes_no(vocabulary, german, encode)
    assert [ids.tolist() for ids in (own.yes, own.no, own.foreign, own.unfinished)] == [[3, 4, 7], [1, 5, 6, 8], [], [8]]
    both = find_own_yes_no(vocabulary, german, lambda _: [10])
    assert [ids.tolist() for ids in (both.yes, both.no, both.foreign)] == [[3, 7], [1, 5], [4, 6, 8]], "one piece begins both"
    spanish = AnswerWords(code="es", yes=("sí",), no=("no",), alone=("no",))
    partly = find_own_yes_no(vocabulary, spanish, lambda _: [])
    assert [ids.tolist() for ids in (partly.yes, partly.no, partly.foreign, partly.unfinished)] == [
        [3, 7],
        [1, 5],
        [4, 6, 8],
        [1, 5],
    ]
    assert [ids.tolist() for ids in (found.within(5).yes, found.within(5).no)] == [[3], [1]]


def test_an_answer_may_begin_with_any_form_of_a_languages_word() -> None:
    forms = [f"{before}{word}" for word in ("ja", "nein") for form in (str, str.capitalize, str.upper) for before in ("", " ")
             for word in [form(word)]]  # fmt: skip
    names = {place: f"piece {place}" for place in range(3, 15)} | {3: "oui", 9: "non", 15: "sí"}
    vocabulary: dict[str | bytes, int] = {"▁": 0, "Yes": 1, "No": 2, **{name: place for place, name in names.items()}}
    own = find_own_yes_no(
        vocabulary, AnswerWords(code="de", yes=("ja",), no=("nein",)), lambda text: [0, 3 + forms.index(text), 99, 1]
    )
    assert [ids.tolist() for ids in (own.yes, own.no, own.foreign, own.unfinished)] == [
        [1, *range(3, 9)], [2, *range(9, 15)], [15], list(range(3, 15))
    ]  # fmt: skip


def listed(text: str, token: Any, top: Any, logprob: Any = -0.5, words: YesNoWords | None = None) -> Any:
    first = {"token": token, "logprob": logprob, "top_logprobs": top}
    choice = {"message": {"content": text}, "finish_reason": "stop", "logprobs": {"content": [first]}}
    return read_reply(whole(choice), words).alternatives


def top(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"token": token, "logprob": value} for token, value in pairs]


YES = top(("Yes", -0.5), ("No", -1.0))
KNOWN = (("Yes", -0.5), ("No", -1.0))


@pytest.mark.parametrize(
    ("text", "token", "pairs", "logprob", "found"),
    [
        ("Yes", "Yes", YES, -0.5, KNOWN),
        ("  Yes, there is", " Yes", YES, -0.5, KNOWN),
        ("Yes.", "Yes.", YES, -0.25, (*KNOWN, ("Yes.", -0.25))),
        ("Yes.And", "Yes.", YES, -0.25, (*KNOWN, ("Yes.", -0.25))),
        ("Yes,No", "Yes", YES, -0.5, KNOWN),
        ("A.b", "A.", YES, -0.25, (*KNOWN, ("A.", -0.25))),
        ("Yes", "Yes", [], -0.5, None),
        ("Yes", "Yes", None, -0.5, None),
        ("Yes", "", YES, -0.5, ()),
        ("Yes", 7, YES, -0.5, ()),
        ("Not", "No", YES, -0.5, ()),
        ("No-one", "No", YES, -0.5, ()),
        ("No - none", "No", YES, -0.5, KNOWN),
        ("Well, yes", "Yes", YES, -0.5, ()),
        ("Yes", "Yes", top(("Yes", 0.01), ("No", -1)), 0.01, (("Yes", 0.0), ("No", -1.0))),
        ("Yes", "Yes", top(("Yes", 0.02), ("No", -1)), 0.02, ()),
        ("Yes", "Yes", top(("Yes", -0.5), ("No", None)), -0.5, ()),
        ("Yes", "Yes", top(("Yes", -0.5), ("dog", None), (7, -1), ("cat", True)), -0.5, (("Yes", -0.5),)),
        ("Yes", "Yes", top(("No", -1.0)), -0.5, (("No", -1.0), ("Yes", -0.5))),
        ("Yes", "Yes", top(("No", -1.0)), 0.005, (("No", -1.0), ("Yes", 0.0))),
        ("Yes", "Yes", top(("No", -1.0)), None, ()),
        ("Dogs", "Dogs", top(("No", -1.0)), None, (("No", -1.0),)),
        ("Yes", "Yes", top(("Yes", -(10**400)), ("No", -1)), -1, (("No", -1.0), ("Yes", -1.0))),
    ],
)  # fmt: skip
def test_the_first_tokens_alternatives(text: str, token: Any, pairs: Any, logprob: Any, found: Any) -> None:
    assert listed(text, token, pairs, logprob) == found


GERMAN = YesNoWords.of(AnswerWords(code="de", yes=("ja",), no=("nein",)))


@pytest.mark.parametrize(
    ("text", "token", "found"),
    [
        ("Nein, keiner", "Ne", 1),
        (" Nein ", "Ne", 1),
        ("Nein", "ne", 1),
        ("Neinsager", "Ne", 0),
        ("Neu", "Ne", 0),
        ("Ja", "Ja", 1),
        ("Nein", "in", 0),
    ],
)
def test_the_first_piece_of_a_languages_own_word(text: str, token: str, found: int) -> None:
    pairs = ((token, -0.5), ("dog", -1.0))
    assert listed(text, token, top(*pairs), words=GERMAN) == (pairs if found else ())


def test_bytes_are_written_as_gpt_2_does() -> None:
    assert yes_no_words._byte_alphabet() == {char: byte for byte, char in bytes_to_unicode().items()}


def test_what_a_list_of_tokens_says() -> None:
    half, tenth = -0.6931471805599453, -2.302585092994046
    assert p_yes_of([("Yes", half), (" no", tenth), ("dog", half)]) == (pytest.approx(0.5 / 0.6), pytest.approx(0.6))
    assert p_yes_of([("Yes", half), ("yes", half), ("YES", half)]) == (1.0, 1.0)
    assert p_yes_of([("dog", half)]) == (None, 0.0)
    assert p_yes_of([]) == (None, 0.0)
    assert p_yes_of([("No", half), ("ja", half + 2 * tenth)])[0] == 0.0
    assert p_yes_of([("No", half), ("ja", half + 1.99 * tenth)]) == (None, pytest.approx(0.5))
    assert p_yes_of([("ja", half), ("Nei", tenth)], GERMAN) == (pytest.approx(0.5 / 0.6), pytest.approx(0.6))
    assert [GERMAN.begun(piece) for piece in ("N", "j", "", "x", "nein")] == ["no", "yes", None, None, "no"]
    assert [YesNoWords.of().begun(piece) for piece in ("n", "y")] == [None, None]
    assert [strip_boundaries(token) for token in ("▁Yes", "ĠNo", "Yes\n", " no ", "ĊYesĠ")] == ["Yes", "No", "Yes", "no", "Yes"]
    assert YesNoWords.of().meant("ĠsÃŃ") == "foreign", "a byte-level token"
