# Every target does its own set-up; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The books that the default weights were made from and are measured on.
CORPUS ?= ../shared/corpus
# What making them leaves on the way: 2 GB.
WORK ?= weights-work

.PHONY: setup demo test peers check format bench bench-steering readme weights weights-check weights-check-short card

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[engine,dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/undersong demo

test: setup
	$(BIN)/pytest

# Formats, training and figures against the libraries that they come from, in an environment of their own (Python 3.11).
peers:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --editable '.[engine,peers]' pytest pytest-asyncio hypothesis
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --no-deps dictionary-learning==0.1.0
	.venv-peers/bin/pytest tests/peers tests/weights/test_sae_lens.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/latency.py

bench-steering: setup
	$(BIN)/python benchmarks/steering_default.py

readme: setup
	$(BIN)/python benchmarks/readme.py

weights: setup
	$(BIN)/python sae_weights/recipe/make.py --corpus $(CORPUS) --work $(WORK)

weights-check: setup
	$(BIN)/python sae_weights/recipe/check.py --corpus $(CORPUS)

weights-check-short: setup
	$(BIN)/python sae_weights/recipe/check.py --corpus $(CORPUS) --short

card: setup
	$(BIN)/python sae_weights/recipe/card.py
