"""Who chose whom, as tables and sentences for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hope_bench.errors import first_few
from hope_bench.files.result import Estimate
from hope_bench.files.spec import PANEL
from hope_bench.scoring.tables import difference, percent, plain_table, points
from hope_bench.scoring.transfer import Searcher, Transfer


def matrix_table(found: Transfer) -> Table:
    """Every model's hallucination rate by searching encoder, its own family's marked."""
    table = plain_table(f"Hallucination rate by searching encoder ({found.images:,} images, percent, 95% intervals)", gap=2)
    table.add_column("model")
    for searcher in found.searchers:
        table.add_column(Text(searcher.split.replace("@", "\n@")), justify="right", no_wrap=True)
    for model in found.models:
        own = [searcher.family is not None and searcher.family == model.family for searcher in found.searchers]
        table.add_row(Text(model.name), *map(_rate, model.rates, own))
    return table


def _rate(rate: Estimate, own: bool) -> str:
    ends = "" if rate.low is None else f"\n{percent(rate.low)}-{percent(rate.high)}"
    return percent(rate.value) + ("*" if own else "") + ends


def home_table(found: Transfer) -> Table | None:
    """Every model's home advantage, the largest first; None where no model has one."""
    table = plain_table("Home advantage (percentage points, 95% intervals paired by image)", gap=2)
    for heading in ("model", "family"):
        table.add_column(heading)
    for heading in ("own minus\nother encoders", "the same of other\nmodels (how many)", "home advantage"):
        table.add_column(heading, justify="right", no_wrap=True)
    known = [(model, model.home) for model in found.models if model.home is not None]
    for model, home in sorted(known, key=lambda one: -(one[1].advantage.value or 0)):
        others = f"{points(home.others.value)} ({len(home.compared):,})"
        table.add_row(Text(model.name), model.family, points(home.own.value), others, difference(home.advantage))
    return table if table.rows else None


def captions(found: Transfer) -> list[str]:
    """Who the encoders are, and what the numbers leave out, in sentences."""
    said = [_who(one) for one in found.searchers]
    if any(model.home is not None for model in found.models):
        said.append("* chosen by an encoder of the family of the model's own vision tower.")
    unknown = [model.name for model in found.models if model.family is None]
    if unknown:
        said.append(f"Of unknown family, by their vision towers' names, and in no home advantage: {first_few(unknown)}.")
    if found.unasked:
        said.append(f"Left out, as one of these splits was not asked: {first_few(found.unasked)}.")
    if not any(model.home is not None for model in found.models):
        said.append(
            "No home advantage: that takes a model whose family searched, another family that searched, and a model of another "
            "family."
        )
    return said


def _who(searcher: Searcher) -> str:
    if searcher.split == PANEL:
        return f"{searcher.split}: chosen by all encoders together."
    family = "of a family that its name doesn't tell" if searcher.family is None else f"family {searcher.family}"
    return f"{searcher.split}: {searcher.encoder or 'an encoder that the results do not name'}, {family}."
