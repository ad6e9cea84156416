"""DataTables and plotly.js as the site serves them: taken out of the installed itables and plotly packages when it is built.

Both come from their packages unchanged but for a few characters around them, which the code below adds and explains. Pages load
them from the site itself; neither is committed here, nor fetched from anywhere.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from hope_bench.errors import HopeBenchError

TABLES, CHARTS, CHART_STYLE = "assets/datatables.js", "assets/plotly.js", "assets/plotly.css"

_EXPORT = re.compile(r"export\{([^}]*)\};")
_OWN_STYLE = re.compile(r'getElementById\("([0-9a-f]{64})"\)\)\{var \w+=document\.createElement\("style"\)')
_RULES = re.compile(r"\"(X[ ,][^\"]*)\":(?:\"([^\"]*)\"|'([^']*)')")


@cache
def library_files() -> dict[str, bytes]:
    """The libraries' files by their paths under the site's root.

    Raises HopeBenchError where a package is missing, or is of a version that isn't put together as these lines expect.
    """
    charts = _packaged("plotly", "package_data/plotly.min.js")
    return {
        TABLES: _tables(_packaged("itables", "html/dt_bundle.js")).encode(),
        CHARTS: (_chart_styles_elsewhere(charts) + charts).encode(),
        CHART_STYLE: _chart_style(charts).encode(),
    }


def _packaged(package: str, file: str) -> str:
    """A text file of an installed package, found without importing it."""
    spec = find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    path = Path(folders[0], file) if folders else None
    if path is None or not path.is_file():
        raise HopeBenchError(f"The leaderboard needs {file} of the package {package}. Install hope-bench again.")
    return path.read_text(encoding="utf-8")


def _tables(module: str) -> str:
    """DataTables as a classic script. itables ships a module, and a browser loads no module from disk (file://), so its exports
    become the global `DataTable`."""
    exports = _EXPORT.findall(module)
    names = dict(reversed(one.split(" as ")) for one in exports[0].split(",")) if len(exports) == 1 else {}
    if "default" not in names:
        raise _unknown("itables")
    return "(()=>{" + _EXPORT.sub(lambda _: f"globalThis.DataTable={names['default']};", module) + "\n})();\n"


def _chart_styles_elsewhere(script: str) -> str:
    """What runs before plotly.js: it would add two inline style sheets, which the site's policy forbids. It leaves out the first
    where the page has an element of that id and class, and that of its maps, which no page draws, where it has one of that id."""
    found = _OWN_STYLE.findall(script)
    if len(found) != 1 or '"plotly.js-style-"' not in script or ".no-inline-styles" not in script:
        raise _unknown("plotly")
    ids = f'["plotly.js-style-global","{found[0]}"]'
    return (
        f'for(const id of {ids})document.head.append(Object.assign(document.createElement("meta"),'
        '{id,className:"no-inline-styles"}));\n'
    )


def _chart_style(script: str) -> str:
    """The rules of the first of those style sheets, as a file."""
    rules = [(selector, plain or quoted) for selector, plain, quoted in _RULES.findall(script)]
    if not any(".main-svg" in selector for selector, _ in rules):
        raise _unknown("plotly")
    scoped = (re.sub(r"\bX\b", ".js-plotly-plot .plotly", selector) + "{" + rule + "}\n" for selector, rule in rules)
    return "".join(scoped)


def _unknown(package: str) -> HopeBenchError:
    return HopeBenchError(
        f"The installed {package} isn't put together as the leaderboard expects. Install the version that constraints.txt names."
    )
