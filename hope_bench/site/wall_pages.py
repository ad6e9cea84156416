"""The pages of questions: an index, each benchmark's wall, and its images one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup, escape

from hope_bench.site.questions import Fooling, Wall, wall_page
from hope_bench.site.views import Section
from hope_bench.site.wall import FOLDER, IMAGES_A_PAGE, Shown, image_rows, shown, spoken, unanimous


def question_pages(
    environment: Environment,
    sections: Sequence[Section],
    walls: Mapping[str, Wall],
    fooling: Mapping[str, Fooling | None],
    pictures: Mapping[str, Mapping[str, str]],
) -> Iterator[tuple[str, str]]:
    """Every page of questions by its path under the site's root; `pictures` maps a section's key to its images' addresses."""
    shared: dict[str, Any] = {"walls": walls}
    index = environment.get_template("questions.html")
    yield "questions.html", index.render(sections=sections, fooling=fooling, page=wall_page, root="", **shared)
    for section in sections:
        if (wall := walls.get(section.key)) is None:
            continue
        addresses = {image: "../" + address for image, address in pictures[section.key].items()}
        context: dict[str, Any] = {
            "section": section,
            "wall": wall,
            "pictures": addresses,
            "root": "../",
            "data": FOLDER,
            **shared,
        }
        page = environment.get_template("wall.html")
        yield wall_page(section.key), page.render(shown=shown(wall), unanimous=len(unanimous(wall)), **context)
        yield from _image_pages(environment, section, wall, context)


def _image_pages(environment: Environment, section: Section, wall: Wall, shared: dict[str, Any]) -> Iterator[tuple[str, str]]:
    rows = image_rows(section, wall)
    pages = [rows[start : start + IMAGES_A_PAGE] for start in range(0, len(rows), IMAGES_A_PAGE)]
    context = shared | {"items": listing(f"{section.key}.html"), "images": len(rows), "pages": len(pages)}
    for number, some in enumerate(pages, 1):
        first = IMAGES_A_PAGE * (number - 1) + 1
        html = environment.get_template("images.html").render(rows=some, number=number, first=first, **context)
        yield f"questions/{section.key}-images-{number}.html", html


def listing(wall: str) -> Callable[[Sequence[Shown]], Markup]:
    """What writes claims as list items that lead to the page `wall`: here and not in a template, which takes four times as long,
    and a benchmark has tens of thousands."""

    @cache
    def item(one: Shown) -> str:
        kind = "there" if one.claim.label == "yes" else "fooled" if one.yes and 2 * one.yes >= one.answered else ""
        return (
            f'<li class="{kind}"><a href="{wall}#q={quote(one.claim.id)}">{escape(spoken(one.claim))}</a> '
            f"<small>{one.yes}/{one.answered}</small></li>"
        )

    return lambda claims: Markup("".join(map(item, claims)))
