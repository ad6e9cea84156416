"""inflect without its check of every argument's type: with it, an import takes 2 s of CPU, not 0.1 s, and a word thrice the time.

typeguard, which checks, parses inflect's source anew for each of its methods. It offers `python -O` against that, under which its
decorator gives back the function it is given; here it does so while inflect is imported, and at no other time.
"""

from __future__ import annotations

from typing import Any

import typeguard

_checked: Any = typeguard.typechecked
typeguard.typechecked = lambda function: function  # type: ignore[assignment]
try:
    import inflect
finally:
    typeguard.typechecked = _checked

ENGINE = inflect.engine()
