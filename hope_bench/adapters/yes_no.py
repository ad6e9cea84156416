"""P(yes) from the logits of the first answer position."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hope_bench.adapters.yes_no_words import yes_or_no


@dataclass(frozen=True, slots=True)
class YesNoTokens:
    """The token ids that say yes and those that say no, each int64 [n], sorted; either may be empty."""

    yes: Tensor
    no: Tensor

    def within(self, width: int) -> YesNoTokens:
        """The tokens that logits of that width score: a tokenizer may know more tokens than the model."""
        return YesNoTokens(self.yes[self.yes < width], self.no[self.no < width])

    def to(self, device: torch.device) -> YesNoTokens:
        """The same on another device."""
        return YesNoTokens(self.yes.to(device), self.no.to(device))


@dataclass(frozen=True, slots=True)
class FirstToken:
    """What the first answer position says, one row a question, on the CPU.

    `token` int64 [B] is the greedy token, `is_answer` bool [B] whether it is a yes or a no, `p_yes` and `mass` float32 [B] in
    [0, 1] (NaN where the tokenizer has no yes or no token), `finite` bool [B] whether the logits are numbers at all.
    """

    token: Tensor
    is_answer: Tensor
    p_yes: Tensor
    mass: Tensor
    finite: Tensor

    def scores(self, row: int) -> tuple[float | None, float | None]:
        """One row's (p_yes, mass), None where NaN."""
        p_yes, mass = float(self.p_yes[row]), float(self.mass[row])
        return (None, None) if math.isnan(p_yes) else (p_yes, mass)


def find_yes_no(vocabulary: Mapping[str, int]) -> YesNoTokens:
    """The tokens that, without word-boundary marks and in lower case, are "yes" or "no"."""
    found: dict[str, list[int]] = {"yes": [], "no": []}
    for token, index in vocabulary.items():
        word = yes_or_no(token)
        if word is not None:
            found[word].append(index)
    return YesNoTokens(torch.tensor(sorted(found["yes"])).long(), torch.tensor(sorted(found["no"])).long())


def read_first_token(logits: Tensor, tokens: YesNoTokens) -> FirstToken:
    """Read float32 logits [B, V] of the first answer position.

    P(yes) is the softmax mass of the yes tokens over that of yes and no tokens, `mass` both together (ENGINE: recipe 6). A
    vocabulary entry masked with -inf is fine; NaN or +inf anywhere is not, nor a row of -inf.
    """
    chosen = tokens.within(logits.shape[-1]).to(logits.device)
    finite = ~logits.isnan().any(-1) & logits.amax(-1).isfinite()
    everything = logits.logsumexp(-1)
    yes = logits[:, chosen.yes].logsumexp(-1)
    no = logits[:, chosen.no].logsumexp(-1)
    token = logits.argmax(-1)
    answers = torch.cat([chosen.yes, chosen.no])
    p_yes, mass = (yes - no).sigmoid(), (yes.logaddexp(no) - everything).exp().clamp(0, 1)
    if not (len(chosen.yes) and len(chosen.no)):
        p_yes = mass = torch.full_like(everything, torch.nan)
    return FirstToken(token.cpu(), torch.isin(token, answers).cpu(), p_yes.cpu(), mass.cpu(), finite.cpu())
