"""How deep a chat template's expressions are nested: Jinja takes time with the cube of that, and Python compiles 200 at most."""

from __future__ import annotations

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser

DEEPEST = 100
"""Expressions within each other; those of DeepSeek V3's and Qwen3's templates stand in at most 12."""


class _Generation(Extension):
    """The block that transformers adds to Jinja's."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What stands in the block."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def too_deep(source: str) -> bool:
    """Whether more than DEEPEST expressions of a template stand within each other; not so of what is no template, which Jinja
    refuses."""
    try:
        left = [(node, 0) for node in Environment(extensions=[_Generation, loopcontrols]).parse(source).iter_child_nodes()]
    except TemplateSyntaxError:
        return False
    except RecursionError:
        return True
    while left:
        node, depth = left.pop()
        depth = depth + 1 if isinstance(node, nodes.Expr) else 0
        if depth > DEEPEST:
            return True
        left += [(child, depth) for child in node.iter_child_nodes()]
    return False
