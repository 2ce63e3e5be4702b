# Every target does its own set-up; a second run installs nothing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The books that the default weights were made from and are measured on.
CORPUS ?= ../shared/corpus
# What making them leaves on the way: 2 GB.
WORK ?= weights-work
# Real editors to test in, and the scripts that install them there on Debian 12: 1.3 GB.
EDITORS := .editors
GET_EDITORS ?= ../shared/editors
VSCODE := editor-clients/vscode
NPM = $(if $(wildcard $(EDITORS)/bin/npm),$(abspath $(EDITORS)/bin/npm),npm)
NPX = $(NPM) exec --yes --

.PHONY: setup demo test editors vsix screenshots check check-neovim format bench bench-startup bench-profiles bench-threads bench-editors bench-steering bench-peers bench-decoding bench-keystroke bench-reading bench-calibration bench-rewrites bench-voices bench-tracing readme weights weights-check weights-check-short card peers

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[engine,dev]'
	touch $(STAMP)

demo: setup
	$(BIN)/undersong demo

# Two workers at most, of one thread each. Real editors are tested alone: how they are driven depends on time.
test: setup
	OMP_NUM_THREADS=1 $(BIN)/pytest -n logical --maxprocesses 2 --ignore tests/editors
	$(BIN)/pytest tests/editors

# Formats, training and figures against the libraries that they come from, in an environment of their own (Python 3.11).
peers:
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --editable '.[engine,peers]' pytest pytest-asyncio hypothesis
	.venv-peers/bin/pip install --quiet --disable-pip-version-check --no-deps dictionary-learning==0.1.0
	.venv-peers/bin/pytest tests/peers tests/weights/test_sae_lens.py

editors: $(EDITORS)/bin/emacs $(EDITORS)/bin/code-server

# Neovim and Helix with it.
$(EDITORS)/bin/emacs:
	$(GET_EDITORS)/get-neovim $(EDITORS) hx emacs-nox elpa-markdown-mode elpa-lsp-mode

$(EDITORS)/bin/code-server:
	$(GET_EDITORS)/get-code-server $(EDITORS)

# The VS Code extension with the server in it, checked and packaged; Node.js 22.18 or newer.
vsix: setup $(VSCODE)/node_modules/.package-lock.json
	rm -rf $(VSCODE)/server
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(VSCODE)/server .
	cd $(VSCODE) && $(NPM) run check && $(NPM) run package

$(VSCODE)/node_modules/.package-lock.json: $(VSCODE)/package-lock.json
	cd $(VSCODE) && $(NPM) ci --ignore-scripts
	touch $@

screenshots: setup vsix
	$(BIN)/python -m tests.editors.neovim_pictures
	$(BIN)/python -m tests.editors.vscode_pictures
	$(BIN)/python -m tests.circuits.rendering.picture

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

# stylua comes from npm; luacheck is the Debian package lua-check.
check-neovim:
	$(NPX) @johnnymorganz/stylua-bin@2.5.2 --check editor-clients/neovim
	cd editor-clients/neovim && luacheck --quiet .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python benchmarks/latency.py

bench-startup: setup
	$(BIN)/python benchmarks/startup.py

bench-profiles: setup
	$(BIN)/python benchmarks/profiles.py

bench-threads: setup
	$(BIN)/python benchmarks/threads.py

bench-editors: setup
	$(BIN)/python benchmarks/editors/measure.py

bench-peers: setup
	$(BIN)/python benchmarks/steering_peers.py --corpus $(CORPUS)

# Beside other engines, in the environment of `peers` with more of them in it.
BENCH_PEERS := .venv-peers/.bench-peers

$(BENCH_PEERS): pyproject.toml
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --quiet --disable-pip-version-check torch==2.13.0
	CMAKE_ARGS="-DGGML_NATIVE=ON" .venv-peers/bin/pip install --quiet --disable-pip-version-check --editable '.[engine,bench-peers]'
	touch $(BENCH_PEERS)

bench-decoding: $(BENCH_PEERS)
	.venv-peers/bin/python benchmarks/decoding.py

bench-keystroke: $(BENCH_PEERS)
	.venv-peers/bin/python benchmarks/keystroke.py

bench-reading: $(BENCH_PEERS)
	.venv-peers/bin/python benchmarks/reading.py

bench-calibration: setup
	$(BIN)/python benchmarks/calibration.py --corpus $(CORPUS)

bench-rewrites: setup
	$(BIN)/python benchmarks/rewrites.py --corpus $(CORPUS)

bench-voices: setup
	$(BIN)/python benchmarks/voices.py --corpus $(CORPUS)

bench-tracing: setup
	$(BIN)/python benchmarks/tracing.py --corpus $(CORPUS)

bench-steering: setup
	$(BIN)/python benchmarks/steering_default.py

readme: setup
	$(BIN)/python benchmarks/readme.py
	$(BIN)/python benchmarks/steering_tables.py
	$(BIN)/python benchmarks/tracing_table.py
	$(BIN)/python benchmarks/performance_tables.py
	$(BIN)/python editor-clients/neovim/manifest.py
	$(BIN)/python $(VSCODE)/manifest.py

weights: setup
	$(BIN)/python sae_weights/recipe/make.py --corpus $(CORPUS) --work $(WORK)

weights-check: setup
	$(BIN)/python sae_weights/recipe/check.py --corpus $(CORPUS)

weights-check-short: setup
	$(BIN)/python sae_weights/recipe/check.py --corpus $(CORPUS) --short

card: setup
	$(BIN)/python sae_weights/recipe/card.py
