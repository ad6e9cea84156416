"""The documentation site: `make docs` builds it with Sphinx into build/site/docs, beside the leaderboard.

What is made from the code before Sphinx reads anything: the page of commands, by typer from the options themselves, and the
drawing of the house, from CONTRIBUTING's table of folders.
"""

import re
import subprocess
import sys
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

project = "hope-bench"
copyright = "the authors of hope-bench, Apache-2.0"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
html_theme = "furo"
html_title = "hope-bench"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_theme_options = {"navigation_with_keys": True}
html_show_sphinx = False
html_favicon = None
exclude_patterns = ["examples"]
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]  # types of other libraries have no page here
suppress_warnings = ["config.cache"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # tests/e2e/test_notebooks.py runs them; they are kept without outputs

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True

GENERATED = HERE / "generated"
"""What is made here anew by each build; git ignores it."""


def write_commands() -> None:
    """Every command with its options, as `--help` has them."""
    page = GENERATED / "commands.md"
    command = [sys.executable, "-m", "typer", "hope_bench.cli", "utils", "docs", "--name", "hope-bench", "--output", str(page)]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    text = page.read_text(encoding="utf-8").replace("# `hope-bench`", "# Commands\n\n`hope-bench` has these commands.", 1)
    page.write_text(re.sub(r"<span[^>]*>|</span>", "", text), encoding="utf-8")


def write_house() -> None:
    """CONTRIBUTING's table of folders as a drawing: data comes in at the bottom, and every floor stands on those below it."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("<!-- the house, top to bottom -->")[2].partition("<!-- end of the house -->")[0]
    rows = [(name.strip("`"), said) for name, said in re.findall(r"^\| (\S+) \| (.+) \|$", table, re.MULTILINE)]
    step, width = 34, 980
    floors = "".join(
        f'<g transform="translate(0 {place * step})"><rect width="{width}" height="{step - 4}" rx="4"/>'
        f'<text class="name" x="12" y="20">{escape(name)}</text><text x="170" y="20">{escape(said)}</text></g>'
        for place, (name, said) in enumerate(rows)
    )
    style = (
        "rect{fill:#eef2f6;stroke:#c9d3de}text{font:13px system-ui,sans-serif;fill:#24303c}"
        ".name{font-family:ui-monospace,monospace;font-weight:600}"
    )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {len(rows) * step}"><style>{style}</style>{floors}</svg>\n'
    )
    (GENERATED / "house.svg").write_text(drawing, encoding="utf-8")


def without_module_text(_app: object, what: str, _name: str, _obj: object, _options: object, lines: list[str]) -> None:
    """The package's own docstring is said better by the pages themselves."""
    if what == "module":
        lines.clear()


def setup(app) -> None:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", without_module_text)


GENERATED.mkdir(exist_ok=True)
write_commands()
write_house()
