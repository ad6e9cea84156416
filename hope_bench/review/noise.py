"""How many labels of a split are wrong, estimated from a reviewed random sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hope_bench.records import Label, Question
from hope_bench.review.claims import Key, key_of
from hope_bench.review.decisions import Reviewed, Verdict

_CONTRADICTS: dict[Label, Verdict] = {"yes": "absent", "no": "present"}


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total`, and the Wilson 95% interval of the share behind it; None where nothing was reviewed."""

    count: int
    total: int

    @property
    def value(self) -> float | None:
        """The share in [0, 1]."""
        return self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The Wilson score interval at 95%, within [0, 1]."""
        if not self.total:
            return None
        from scipy.stats import binomtest

        low, high = binomtest(self.count, self.total).proportion_ci(confidence_level=0.95, method="wilson")
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class LabelNoise:
    """What a sample says of one label of one split: of the `reviewed` questions among the `sampled`, how many labels are wrong,
    and of how many the reviewer was unsure. Both shares are of all that were reviewed, as RePOPE counts them."""

    split: str
    label: Label
    sampled: int
    wrong: Share
    unsure: Share

    @property
    def reviewed(self) -> int:
        """How many of the sample were decided."""
        return self.wrong.total


def label_noise(samples: Mapping[str, Sequence[Question]], decisions: Mapping[Key, Reviewed]) -> list[LabelNoise]:
    """The estimate for every split and label; `samples` as `draw_samples` gives them."""
    rows = []
    labels: tuple[Label, ...] = ("no", "yes")
    for split, sample in samples.items():
        for label in labels:
            questions = [question for question in sample if question.label == label]
            found = [decisions[key].decision for question in questions if (key := key_of(question)) in decisions]
            wrong = Share(found.count(_CONTRADICTS[label]), len(found))
            rows.append(LabelNoise(split, label, len(questions), wrong, Share(found.count("unsure"), len(found))))
    return [row for row in rows if row.sampled]
