"""Who chose whom: hallucination rates by searching encoder and model, home advantages, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hope_bench.errors import counted, first_few
from hope_bench.files.spec import PANEL
from hope_bench.files.split_score import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from hope_bench.tables import Summary


@dataclass(frozen=True, slots=True)
class Searcher:
    """A column of the matrix: the `split`, the `encoder` that chose its distractors (None where results don't tell, and of a
    panel, which is all of them) and the `family` that the encoder's name tells, None where it doesn't."""

    split: str
    encoder: str | None
    family: str | None


@dataclass(frozen=True, slots=True)
class HomeAdvantage:
    """How much more a model is fooled by the distractors that encoders of its own family chose.

    `own` is its hallucination rate on the splits that those searched minus its rate on those of other families' encoders, each
    side the mean of its splits; `others` the same difference of the models of other families (`compared`), their answers pooled;
    `advantage` is `own` minus `others`. All in [-2, 2], with 95% intervals paired by image: for these models, over images.
    """

    own: Estimate
    others: Estimate
    advantage: Estimate
    compared: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A row of the matrix: the model, its vision tower and the `family` that tells (each None where unknown), its hallucination
    rates in the order of the searchers, and its home advantage: None where its family is unknown or searched nothing, where
    no other searched, where there is no model of another family, or where a rate is undefined."""

    name: str
    vision_tower: str | None
    family: str | None
    rates: tuple[Estimate, ...]
    home: HomeAdvantage | None


@dataclass(frozen=True, slots=True)
class Transfer:
    """The matrix of one `strategy`, by the questions that all of its models were asked, about `images` images. `unasked` names
    the models left out, which were asked no no-question of one of the splits."""

    strategy: str
    images: int
    searchers: tuple[Searcher, ...]
    models: tuple[ModelRow, ...]
    unasked: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """A row a model and searcher: `name, vision_tower, family, split, encoder, encoder_family`, then `hallucination_rate`
        with `_low` and `_high`, and the model's `own, others, home_advantage` with theirs (float64, NaN where undefined)."""
        from hope_bench.files.frames import typed_frame

        words = ("name", "vision_tower", "family", "split", "encoder", "encoder_family")
        numbers = ("hallucination_rate", "own", "others", "home_advantage")
        ends = [f"{number}{end}" for number in numbers for end in ("", "_low", "_high")]
        rows = []
        for model in self.models:
            home = (
                (Estimate(value=None),) * 3 if model.home is None else (model.home.own, model.home.others, model.home.advantage)
            )
            for searcher, rate in zip(self.searchers, model.rates, strict=True):
                row = (model.name, model.vision_tower, model.family, searcher.split, searcher.encoder, searcher.family)
                rows.append([*row, *(end for one in (rate, *home) for end in (one.value, one.low, one.high))])
        return typed_frame(rows, dict.fromkeys(words, "string") | dict.fromkeys(ends, "float64"))

    def summary(self) -> Summary:
        """What print and the command line show first: whom its own family's encoders fool more, and a line a model."""
        from rich.text import Text

        from hope_bench.tables import Summary, plain_table

        table = plain_table("", "model", *(">" + one.split.replace("@", "\n@") for one in self.searchers))
        for model in self.models:
            own = [one.family is not None and one.family == model.family for one in self.searchers]
            table.add_row(Text(model.name), *map(_rate, model.rates, own))
        return Summary(self._verdict(), table, tuple(self._notes()))

    def home_table(self) -> Table | None:
        """Every model's home advantage, the largest first; None where no model has one."""
        from rich.text import Text

        from hope_bench.tables import plain_table

        headings = (">own minus\nother encoders", ">the same of other\nmodels (how many)", ">home advantage")
        table = plain_table("Home advantage (points, 95% intervals paired by image)", "model", "family", *headings)
        known = [(model, model.home) for model in self.models if model.home is not None]
        for model, home in sorted(known, key=lambda one: -(one[1].advantage.value or 0)):
            own, others = (Estimate(value=one.value).points() for one in (home.own, home.others))
            row = (model.family, own, f"{others} ({len(home.compared):,})", home.advantage.points())
            table.add_row(Text(model.name), *row)
        return table if table.rows else None

    def __str__(self) -> str:
        """The summary as text of 80 columns."""
        return self.summary().as_text()

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def _verdict(self) -> tuple[str, ...]:
        models, images = counted(len(self.models), "model"), counted(self.images, "image")
        about = f"Hallucination rates on {self.strategy} by searching encoder, {models}, {images}."
        known = [(model.name, model.home.advantage) for model in self.models if model.home is not None]
        if not known:
            return (about,)
        more = [name for name, one in known if one.low is not None and one.low > 0]
        less = [name for name, one in known if one.high is not None and one.high < 0]
        alike = [name for name, _ in known if name not in (*more, *less)]
        said = (
            ("Fooled more by what their own family chose than models of other families are: ", more),
            ("Fooled less by it than they: ", less),
            ("Not told apart from models of other families in this: ", alike),
        )
        return (about, *(f"{words}{first_few(names)}." for words, names in said if names))

    def _notes(self) -> list[str]:
        """Who the encoders are, and what the numbers leave out, in sentences."""
        said = ["Percent, 95% intervals.", *map(_who, self.searchers)]
        if any(model.home is not None for model in self.models):
            said[0] += " * chosen by an encoder of the family of the model's own vision tower."
        else:
            said.append(
                "No home advantage is known: that takes models of two families, one of which searched, and an encoder of another."
            )
        if unknown := [model.name for model in self.models if model.family is None]:
            said.append(f"Of unknown family, by their vision towers' names, and in no home advantage: {first_few(unknown)}.")
        if self.unasked:
            said.append(f"Left out, as they were not asked all of these splits: {first_few(self.unasked)}.")
        return said


def _rate(rate: Estimate, own: bool) -> str:
    """A rate, marked where the own family chose, with its interval below."""
    value, *ends = [f"{100 * one:.1f}" for one in (rate.value, rate.low, rate.high) if one is not None] or ["-"]
    return value + ("*" if own else "") + (f"\n{ends[0]}-{ends[1]}" if len(ends) == 2 else "")


def _who(searcher: Searcher) -> str:
    if searcher.split == PANEL:
        return f"{searcher.split}: chosen by all encoders together."
    family = "of a family that its name doesn't tell" if searcher.family is None else f"family {searcher.family}"
    return f"{searcher.split}: {searcher.encoder or 'an encoder that the results do not name'}, {family}."
