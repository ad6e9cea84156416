"""P(yes) from the logits of the first answer position."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from hope_bench.adapters.yes_no_words import MOST_FOREIGN, YesNoWords, english_words, strip_boundaries
from hope_bench.files.language import AnswerWords


@dataclass(frozen=True, slots=True)
class YesNoTokens:
    """The token ids that say yes, those that say no, those that say either in another language, and those of the first two that
    are no whole answer yet (`YesNoWords.unfinished`), each int64 [n], sorted; each may be empty."""

    yes: Tensor
    no: Tensor
    foreign: Tensor
    unfinished: Tensor

    def within(self, width: int) -> YesNoTokens:
        """The tokens that logits of that width score: a tokenizer may know more tokens than the model."""
        return YesNoTokens(*(ids[ids < width] for ids in self._all()))

    def to(self, device: torch.device) -> YesNoTokens:
        """The same on another device."""
        return YesNoTokens(*(ids.to(device) for ids in self._all()))

    def _all(self) -> tuple[Tensor, ...]:
        return self.yes, self.no, self.foreign, self.unfinished


@dataclass(frozen=True, slots=True)
class FirstToken:
    """What the first answer position says, one row a question, on the CPU.

    `token` int64 [B] is the greedy token, `is_answer` bool [B] whether it is a yes or a no and all of the answer,
    `p_yes` and `mass` float32 [B] in [0, 1] (both NaN where the tokenizer has no yes or no token; `p_yes` alone where the answer
    is in another language), `finite` bool [B] whether the logits are numbers at all.
    """

    token: Tensor
    is_answer: Tensor
    p_yes: Tensor
    mass: Tensor
    finite: Tensor

    def scores(self, row: int) -> tuple[float | None, float | None]:
        """One row's (p_yes, mass), None where NaN."""
        p_yes, mass = float(self.p_yes[row]), float(self.mass[row])
        return None if math.isnan(p_yes) else p_yes, None if math.isnan(mass) else mass


def find_yes_no(vocabulary: Mapping[str | bytes, int]) -> YesNoTokens:
    """The tokens that, without word-boundary marks and in lower case, are "yes" or "no", or either in another language.

    Some vocabularies (tiktoken's) have bytes for tokens.
    """
    return _tokens(_found(vocabulary, english_words()))


def find_own_yes_no(
    vocabulary: Mapping[str | bytes, int], language: AnswerWords, encode: Callable[[str], Sequence[int]]
) -> YesNoTokens:
    """The same where questions are in another language: its words count beside the English ones.

    `encode` gives the ids of a text. A yes or no of several tokens ("Ne", "in") stands by its first piece, which says nothing
    yet. Where one piece begins both, the English words alone count: half of the answers would be lost otherwise.
    """
    words = YesNoWords.of(language)
    found = _found(vocabulary, words)
    names = {index: _text(token) for token, index in vocabulary.items()}
    pieces = [_pieces(word, encode, names) - set(found["yes"]) - set(found["no"]) for word in words.own]
    if pieces[0] & pieces[1]:
        return find_yes_no(vocabulary)
    for name, own in zip(("yes", "no"), pieces, strict=True):
        found[name] += own
        found["unfinished"] += own
    found["foreign"] = [index for index in found["foreign"] if index not in pieces[0] | pieces[1]]
    return _tokens(found)


def _found(vocabulary: Mapping[str | bytes, int], words: YesNoWords) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {"yes": [], "no": [], "foreign": [], "unfinished": []}
    for token, index in vocabulary.items():
        word = words.meant(_text(token))
        if word is not None:
            found[word].append(index)
            if word != "foreign" and not words.finishes(_text(token)):
                found["unfinished"].append(index)
    return found


def _tokens(found: Mapping[str, Sequence[int]]) -> YesNoTokens:
    return YesNoTokens(*(torch.tensor(sorted(found[kind])).long() for kind in ("yes", "no", "foreign", "unfinished")))


def _pieces(word: str, encode: Callable[[str], Sequence[int]], names: Mapping[int, str]) -> set[int]:
    """The first token of a word as an answer may begin with it, mere word boundaries aside."""
    found = set()
    for said in (word, word.capitalize(), word.upper()):
        for text in (said, f" {said}"):
            first = next((index for index in encode(text) if strip_boundaries(names.get(index, ""))), None)
            if first is not None:
                found.add(first)
    return found


def _text(token: str | bytes) -> str:
    return token if isinstance(token, str) else token.decode("utf-8", "replace")


def read_first_token(logits: Tensor, tokens: YesNoTokens) -> FirstToken:
    """Read float32 logits [B, V] of the first answer position.

    P(yes) is the softmax mass of the yes tokens over that of yes and no tokens, `mass` both together; there is no P(yes) where
    another language's words weigh, too: of "Sí" and "No", only one would count. A vocabulary entry masked with -inf is fine; NaN
    or +inf anywhere is not, nor a row of -inf.
    """
    chosen = tokens.within(logits.shape[1]).to(logits.device)
    finite = ~logits.isnan().any(1) & logits.amax(1).isfinite()
    everything = logits.logsumexp(1)
    yes = logits[:, chosen.yes].logsumexp(1)
    no = logits[:, chosen.no].logsumexp(1)
    token = logits.argmax(1)
    answers = torch.cat([chosen.yes, chosen.no])
    p_yes, mass = (yes - no).sigmoid(), (yes.logaddexp(no) - everything).exp().clamp(0, 1)
    foreign = logits[:, chosen.foreign].logsumexp(1)
    p_yes = p_yes.masked_fill((foreign - yes.logaddexp(no)).exp() > MOST_FOREIGN, torch.nan)
    if not (len(chosen.yes) and len(chosen.no)):
        p_yes = mass = torch.full_like(everything, torch.nan)
    is_answer = torch.isin(token, answers) & ~torch.isin(token, chosen.unfinished)
    return FirstToken(token.cpu(), is_answer.cpu(), p_yes.cpu(), mass.cpu(), finite.cpu())
