"""hope-bench: how much does a vision-language model make up, and how hard did we look?

Importing this package is cheap: torch, transformers and open_clip are imported only where they are used.
"""

__version__ = "0.1.0"
