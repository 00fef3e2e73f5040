# Guided Descent. `make demo` and `make test` need python3 (3.11 to 3.13) with venv, and make.
#
# Variables:
#   PYTHON       the interpreter for .venv; by default the first of python3.13, python3.12,
#                python3.11 and python3 that has a fitting version and venv
#   TORCH_INDEX  where torch comes from. The default package index carries torch for CUDA, several
#                GB; a machine without a GPU saves them with
#                    make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
#   PIP_FLAGS    more flags for pip, such as --no-index --find-links wheels
#   PYTEST_FLAGS more flags for pytest, such as -k mlp
#   OUT          the folder of the demo's results (demo)
#   SUBMISSIONS  those that are probed (probes); by default all that ship; the verdicts of others stay
#   PROBE_FLAGS  flags of harness probe (probes), such as --time-limit 3600
#   GPU_FLAGS    flags of benchmarks/gpu.py (gpu), such as --time-limit 1800 --data-dir data
#   BOARD_FLAGS  flags of benchmarks/reference_board.py (board), such as --time-limit 28800 --store runs/board
#   KILL_INSTANTS, KILL_SEED   at how many instants processes are killed, and which (nightly):
#                100 (at least 1) and 0 by default

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.13 python3.12 python3.11 python3)
OUT ?= demo
TORCH_INDEX ?=
PIP_FLAGS ?=
PYTEST_FLAGS ?=
GPU_FLAGS ?=
SUBMISSIONS ?= $(patsubst submissions/%/space.toml,%,$(wildcard submissions/*/space.toml))
BOARD_FLAGS ?=
PROBE_FLAGS ?=
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check \
	--constraint constraints.txt $(PIP_FLAGS)
# Without the variable, the theme advertises its successor at each build.
MKDOCS = NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
# The oldest Python that the project promises; ruff reads the same line.
FLOOR = $(shell sed -n 's/^requires-python = ">=\([0-9.]*\),.*/\1/p' pyproject.toml)
SYSTEM := system and not slow and not nightly and not gpu
TIMED = $(BIN)/python -m pytest -m '$(SYSTEM) and timed'
CHECKED := harness workloads submissions scoring experiments tests benchmarks docs examples

.PHONY: gpu help demo test test-system test-user test-nightly test-containers test-slurm test-ray lint docs algorithms oracles board bench experiments probes clean

help:
	@echo "make demo             muon and adamw on the quick mlp workload, scored, with a report"
	@echo "make test             what is pure or fast, and one real trial of each kind"
	@echo "make test-system      what starts referees, workers and commands"
	@echo "make test-user        the first as an ordinary user with the oldest Python here"
	@echo "make test-nightly     every test but the engines': all cases, the kill tests in full"
	@echo "make test-containers  the image, built and run in a Docker engine; as root on Debian it sets one up"
	@echo "make test-slurm       trials on a Slurm of one node, which it sets up as root on Debian"
	@echo "make test-ray         trials on a Ray cluster of several nodes on this machine"
	@echo "make lint             ruff, vermin, mypy --strict, and the documentation's links"
	@echo "make docs             the documentation as a site, in site/"
	@echo "make algorithms       docs/ALGORITHMS.md, from the submissions"
	@echo "make oracles          the table of docs/ORACLES.md, measured by the tests that it names"
	@echo "make experiments      the small form of every experiment of the thesis, in runs/experiments"
	@echo "make probes           docs/PROBES.md: what breaks each submission; goes on where it stopped"
	@echo "make board            the reference board, for hours, resumable; see BOARD_FLAGS"
	@echo "make bench            what the harness costs over a bare training loop"
	@echo "make gpu              what only a card can settle, in pieces; GPU_FLAGS=--small on a processor"
	@echo "make clean            remove .venv and every cache"

demo: $(VENV)/installed
	$(BIN)/harness run --workload mlp --submission muon --out $(OUT)
	$(BIN)/harness run --workload mlp --submission adamw --out $(OUT)
	$(BIN)/harness score $(OUT)
	$(BIN)/harness report $(OUT)
	@echo "Open $(abspath $(OUT))/report.html"

# What JAX compiles runs once or twice here: optimising it would take longer than it saves.
test: $(VENV)/installed-dev
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(BIN)/python -m pytest -n 2 --dist loadscope $(PYTEST_FLAGS)

test-system: $(VENV)/installed-dev
	JAX_DISABLE_MOST_OPTIMIZATIONS=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m '$(SYSTEM) and not timed' $(PYTEST_FLAGS)
	@$(TIMED) $(PYTEST_FLAGS) || { [ $$? -eq 1 ] && echo "Once more, as other load misleads these tests:" \
		&& $(TIMED) --last-failed --last-failed-no-failures none $(PYTEST_FLAGS); }

test-user:
	@.ci/as-user test

test-nightly: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m 'not containers and not slurm and not ray and not gpu' --hypothesis-profile nightly $(PYTEST_FLAGS)

test-containers: $(VENV)/installed-dev
	@VENV=$(VENV) .ci/with-engine $(BIN)/python -m pytest -m containers -rs tests/containers $(PYTEST_FLAGS)

test-slurm: $(VENV)/installed-dev
	@$(INSTALL) --editable '.[slurm]'
	@.ci/with-slurm $(BIN)/python -m pytest -m slurm -rs tests/slurm $(PYTEST_FLAGS)

test-ray: $(VENV)/installed-dev
	@$(INSTALL) --editable '.[ray]'
	$(BIN)/python -m pytest -m ray -rs tests/ray $(PYTEST_FLAGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/vermin --quiet --no-tips --violations --target=$(FLOOR)- $(CHECKED)
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/mypy benchmarks docs tests
	$(MKDOCS) --quiet

docs: $(VENV)/installed-dev
	$(MKDOCS)
	@echo "Open $(abspath site)/index.html"

algorithms: $(VENV)/installed-dev
	$(BIN)/python docs/algorithms.py

oracles: $(VENV)/installed-dev
	$(BIN)/python docs/oracles.py

experiments: $(VENV)/installed
	@for file in experiments/*.toml; do \
		$(BIN)/harness experiment $$(basename $$file .toml) --quick || exit; \
	done

probes: $(VENV)/installed
	$(BIN)/harness probe $(SUBMISSIONS) --jobs 2 --threads 1 $(PROBE_FLAGS)
	$(BIN)/python docs/probes.py runs/probes

board: $(VENV)/installed
	$(BIN)/python benchmarks/reference_board.py $(BOARD_FLAGS)

bench: $(VENV)/installed
	$(BIN)/python benchmarks/overhead.py

# JAX reaches a card by gigabytes of its own, which a processor needs not.
gpu: $(VENV)/installed-dev
	@$(if $(findstring --small,$(GPU_FLAGS)),,$(INSTALL) --editable '.[jax-cuda]')
	$(BIN)/python benchmarks/gpu.py $(GPU_FLAGS)

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A venv without pip would be taken for a finished one, so the interpreter is checked first.
$(VENV)/made:
	@for python in $(PYTHONS); do \
		if $$python -c "import sys, venv, ensurepip; \
			sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python --version)"; \
			$$python -m venv --clear $(VENV) && touch $@; exit; \
		fi; \
	done; \
	echo "No Python 3.11 to 3.13 with venv among: $(PYTHONS)." >&2; \
	echo "On Debian or Ubuntu: sudo apt install python3 python3-venv; elsewhere name one with" >&2; \
	echo "make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/installed: $(VENV)/made pyproject.toml constraints.txt
	@echo "Installing (torch is large; this takes a few minutes the first time)"
	@$(if $(TORCH_INDEX),$(INSTALL) --index-url $(TORCH_INDEX) torch)
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(INSTALL) --editable '.[jax,images,text,docs,dev]'
	@touch $@
