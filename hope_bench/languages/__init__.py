"""How questions are asked in a language: its table filled in, noun by noun (docs/languages.md)."""
