"""The site's pages: which there are, and what each template is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from hope_bench.reporting.environment import page_environment, template_folder
from hope_bench.scoring.score import tower_family
from hope_bench.scoring.transfer import Transfer
from hope_bench.scoring.who_chose_whom import answers_all, strategies_of, transfer
from hope_bench.site import about, board, charts, validity, views
from hope_bench.site.elsewhere import read_elsewhere
from hope_bench.site.frame import CARD, card, frame
from hope_bench.site.front import TOP, front, in_order
from hope_bench.site.model_pages import SameModel, drill_down, drill_of, model_page
from hope_bench.site.overlap import DatasetOverlap, dataset_overlap, published_training, read_overlap
from hope_bench.site.questions import Wall, image_link, most_fooling, wall_page
from hope_bench.site.settings import SiteSettings
from hope_bench.site.sheet import Described
from hope_bench.site.striking import striking
from hope_bench.site.views import Section
from hope_bench.site.wall import image_rows
from hope_bench.site.wall_pages import listing, question_pages

GENERATOR = '<meta name="generator" content="hope-bench leaderboard">'
"""Stands in every page, so that a rebuild removes pages of results that are gone, and nothing else."""

EXAMPLE_IMAGES = 3
"""Images that a benchmark's page shows with all that is asked about them."""

ASSETS = {
    "style.css": "style.css", "favicon.svg": "favicon.svg", "front.js": "assets/front.js", "board.js": "assets/board.js",
    "charts.js": "assets/charts.js", "copy.js": "assets/copy.js", "pairs.js": "assets/pairs.js",
    "questions.css": "assets/questions.css", "questions.js": "assets/questions.js",
}  # fmt: skip
"""Files beside the templates, and where they go."""

MOST_RUNS = 6
"""Training runs whose checkpoints a ranking page draws."""

POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'"
"""Nothing but the site's own style sheet, scripts and pictures: no inline script or style, no request to elsewhere."""


_BRAND = (
    '<svg viewBox="0 0 32 20" aria-hidden="true" focusable="false"><circle class="pope" cx="8" cy="10" r="6"/>'
    '<path class="hope" d="M15 10 23 2l8 8-8 8z"/></svg>'
)


def asset_files(sections: Sequence[Section]) -> dict[str, bytes]:
    """The style sheet, our own scripts and the site's picture by their paths under its root."""
    return {target: (template_folder() / name).read_bytes() for name, target in ASSETS.items()} | {CARD: card(sections)}


def picture_path(key: str, file: str) -> str:
    """Where a picture of a benchmark lies."""
    return f"images/{key}/{file}"


def pages(
    sections: Sequence[Section], described: Mapping[str, Described], walls: Mapping[str, Wall], settings: SiteSettings
) -> Iterator[tuple[str, str]]:
    """Every page by its path under the site's root; `described` and `walls` hold what is known of a benchmark and its questions,
    by its section's key."""
    environment = _environment()
    environment.globals["frame"] = frame(sections, settings)
    folder = template_folder().parent
    overlaps = read_overlap(folder / "overlap.json")
    order = in_order(sections)
    shared = {"sections": order, "root": ""}
    pictures = {section.key: shown_pictures(section.key, described.get(section.key)) for section in sections}
    fooling = {key: most_fooling(wall, pictures[key]) for key, wall in walls.items()}
    asked = {section.key: fooling.get(section.key) or striking(section, pictures[section.key]) for section in order[:1]}
    fronts = [front(section) for section in order]
    yield "index.html", environment.get_template("index.html").render(shared, fronts=fronts, asked_of=asked, top=TOP)
    for name in ("method.html", "submit.html", "cite.html"):
        yield name, environment.get_template(name).render(shared)
    reported = read_elsewhere(folder / "elsewhere.json")
    yield "elsewhere.html", environment.get_template("elsewhere.html").render(root="", tables=reported)
    yield from question_pages(environment, sections, walls, fooling, pictures)
    elsewhere = SameModel(sections)
    for section in sections:
        known = described.get(section.key)
        rows = board.board_rows(section)
        context: dict[str, Any] = {
            "section": section,
            "rows": rows,
            "people": about.people(section, None if known is None else known.sheet),
            "data": board.board_data(section, rows, walls.get(section.key)),
            "plots": _plots(section, rows),
            "root": "../",
        }
        yield f"benchmarks/{section.key}.html", environment.get_template("ranking.html").render(context)
        yield f"benchmarks/{section.key}-about.html", _about_page(environment, section, known, overlaps, walls.get(section.key))
        shown, drill = _pictures(section, known), drill_down(walls.get(section.key))
        template = environment.get_template("result.html")
        for row in section.rows:
            own = drill_of(drill, walls.get(section.key), row)
            yield row.entry.page, template.render(model_page(section, row, shown, elsewhere, own))


def _plots(section: Section, rows: Sequence[board.BoardRow]) -> dict[str, Any]:
    """What the ranking page draws below its table: size, days, and the checkpoints of training runs."""
    sized = charts.by_size({one.row.entry.page: one.size for one in rows}, section.ranked)
    dated, runs = charts.by_day(section.ranked), charts.checkpoints([one.row for one in rows])[:MOST_RUNS]
    return {
        "size": (sized, charts.data_block(charts.size_chart(sized))) if len(sized) > 1 else None,
        "days": (dated, charts.data_block(charts.day_chart(dated))) if dated else None,
        "runs": [(name, some, charts.data_block(charts.step_chart(some))) for name, some in runs],
    }


def shown_pictures(key: str, known: Described | None) -> dict[str, str]:
    """The address of each image that may be shown, from the site's root."""
    pictures = {} if known is None else known.sheet.pictures
    return {image: picture_path(key, file) for image, file in pictures.items()}


def _pictures(section: Section, known: Described | None) -> dict[str, str]:
    """The same from the pages of a folder of the site."""
    return {image: "../" + address for image, address in shown_pictures(section.key, known).items()}


def _about_page(
    environment: Environment,
    section: Section,
    known: Described | None,
    overlaps: Sequence[DatasetOverlap],
    wall: Wall | None,
) -> str:
    sheet = None if known is None else known.sheet
    splits = about.split_abouts(section, sheet)
    family = tower_family(section.about.benchmark.clip)
    towers = [row for row in section.rows if family and tower_family(row.entry.result.model.vision_tower) == family]
    overlap = dataset_overlap(overlaps, section.about.benchmark.dataset)
    risk = charts.risk(sheet, section.about.benchmark.headline)
    return environment.get_template("about.html").render(
        section=section,
        splits=splits,
        has_blind=any(split.blind is not None for split in splits),
        has_risk=any(split.risk is not None for split in splits),
        noise=None if sheet is None else sheet.label_noise,
        sheet=sheet,
        blind=validity.blind_rows(section, sheet),
        ways=validity.WAYS,
        added=validity.added(section),
        wall=wall,
        drill=drill_down(wall),
        has_reviewed=wall is not None and any(one.reviewed for one in wall.claims),
        images=[] if wall is None else image_rows(section, wall, EXAMPLE_IMAGES),
        items=listing("../" + wall_page(section.key)),
        pictures=_pictures(section, known),
        risk=None if risk is None else charts.data_block(risk),
        facts=about.made_from(sheet),
        towers=towers,
        chosen=_who_chose_whom(section),
        overlap=overlap,
        trained=[(row, None if overlap is None else published_training(overlap, row.entry.result)) for row in section.rows],
        root="../",
    )


def _who_chose_whom(section: Section) -> Transfer | None:
    """The ranked models by searching encoder; None where one encoder searched alone, or no model answered all of that."""
    several = strategies_of(section.about)
    answered = [row.entry.result for row in section.ranked if all(answers_all(row.entry.result, one) for one in several.values())]
    return transfer(answered) if several and answered else None


def _environment() -> Environment:
    environment = page_environment()
    environment.globals |= {
        "generator": GENERATOR,
        "policy": POLICY,
        "here": "",
        "brand": Markup(_BRAND),
        "place": views.place_in_words,
        "image_link": image_link,
    }
    return environment
