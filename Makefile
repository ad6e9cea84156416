# make demo   the whole path on the embedded world: scenes, questions, a real tiny LVLM's answers, scores, a page
# make test   the test suite on all cores, as continuous integration runs it
# make test-min   the tests that need no browser on the lowest supported versions (constraints-min.txt), in an environment of its own
# make lint   ruff and mypy
# make mutants  200 one-token changes of the code, seeded, and whether a unit test notices each (about an hour; ALL=1 for all 11,000)
# make bench  speed and memory, written to build/bench.json
# make soak   200 kill -9 points during an evaluation, each ending with the same bytes; every command struck at 28 points; all of the families, forgeries, searches, simulations, pages, widths and documented commands of which make test takes some
# make fuzz   damaged inputs for every reader of outside data and every server reply: 30 CPU minutes; and docs/reliability.md made anew
# make studies  simulations behind the intervals, tests and ranks (minutes), in build/studies; and docs/validity.md made anew
# make interop  lmms-eval itself, in build/interop, on an exported task with the demo's LLaVA: its answers and scores beside ours
# make site   the static leaderboard from leaderboard/results, in build/site
# make docs   the documentation as pages, in build/site/docs, beside the leaderboard (make docs-links also tries links to other sites)
# make pictures   the pictures of the leaderboard in docs/, taken again in Chromium from leaderboard/results
# make demo-weights   train the embedded CLIP and LVLM again (docs/demo.md)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-min lint format mutants bench studies soak fuzz interop site docs docs-links pictures demo-weights clip-weights llava-weights clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(BIN)/python:
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# Two stamps, so that the demo doesn't wait for the test tools; either is quick when nothing changed.
$(VENV)/run.stamp: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing hope-bench into $(VENV) (about two minutes and 6 GB the first time: torch brings its CUDA libraries)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	@echo "Installing the test tools"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/run.stamp
	@rm -rf build/demo
	@$(BIN)/python run_eval.py --out build/demo

test: $(VENV)/dev.stamp
	@sh tests/install_chromium.sh
	@OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder --durations 10

build/min/dev.stamp: pyproject.toml constraints-min.txt
	@echo "Installing the lowest supported versions into build/min"
	@$(PYTHON) -m venv build/min
	@build/min/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-min.txt -e '.[dev]'
	@touch $@

# What these assert of the words of transformers and huggingface_hub, only the pinned versions say.
LATER = test_chat_template.py::test_real_language_models_templates test_hub.py::test_a_new_repository_is_private_and_gets_every_byte_in_one_commit \
	test_damaged_folders.py::test_what_fails_on_every_question_is_refused_before_the_first \
	test_transformers_adapter.py::test_what_a_library_warns_of_is_seen_and_what_is_understood_is_not

test-min: build/min/dev.stamp
	@OMP_NUM_THREADS=1 build/min/bin/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder -m 'not browser' \
		$(LATER:%=--deselect tests/unit/%) tests/unit tests/e2e/test_demo.py

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/dev.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

mutants: $(VENV)/dev.stamp
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.mutants $(if $(ALL),--each 0)

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.bench

studies: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.studies

soak: $(VENV)/dev.stamp
	@HOPE_BENCH_SOAK=200 $(BIN)/python -m pytest $$(grep -rlE --include='test_*.py' 'tests.soak|in_turn' tests)

fuzz: $(VENV)/dev.stamp
	@OMP_NUM_THREADS=1 HOPE_BENCH_FUZZ=20000 $(BIN)/python -m pytest --quiet tests/unit/test_fuzz.py -k "any or may_not"
	@OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 nice $(BIN)/python -m tests.fuzz --minutes 30

interop: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.interop

site: $(VENV)/run.stamp
	@$(BIN)/hope-bench leaderboard build

docs: $(VENV)/dev.stamp site
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --doctree-dir build/doctrees docs build/site/docs
	@$(BIN)/hope-bench leaderboard build > /dev/null
	@echo "build/site/docs/index.html"

docs-links: $(VENV)/dev.stamp
	@$(BIN)/python -m sphinx --builder linkcheck --doctree-dir build/doctrees docs build/links

pictures: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.site_pictures

demo-weights: $(VENV)/run.stamp
	@$(MAKE) --no-print-directory -j 2 clip-weights llava-weights

clip-weights:
	@$(BIN)/python -m hope_bench.demo.train_clip --out benchmarks/demo/clip

llava-weights:
	@$(BIN)/python -m hope_bench.demo.train_llava --out models/demo-llava

clean:
	rm -rf build mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis
