"""One LVLM behind load() and answer(batch): one module per kind of model."""
