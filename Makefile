# The two commands a newcomer needs: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_ARGS ?=
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_ARGS ?=
BENCH_ARGS ?=
MUTANTS_ARGS ?=
LOCK_ARGS ?=
PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -q $(PIP_ARGS)

.PHONY: venv demo test test-all lint types contract tools unit slow cover soak bench bench-privacy mutants lock wheel bundle sbom audit-deps release docs clean

# The environment alone; VENV names another place.
venv: $(READY)

demo: $(READY)
	$(BIN)/securefl demo $(DEMO_ARGS)

test: lint types contract unit

# The shape, the rules, and how densely and plainly the package is written.
lint: $(READY)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check .
	$(BIN)/python tools/house.py

types: $(READY)
	$(BIN)/mypy

contract: $(READY)
	$(BIN)/lint-imports

# A browser and a reader of PDF files, for the tests of pages.
tools:
	@scripts/test_tools.sh

# The skips and their reasons are printed by -ra. Three test processes on two cores, because tests
# wait for other processes; each computes with one thread. Hundreds of processes import the package:
# it is compiled once beforehand. What pytest makes of the tests is kept, whatever the shell says: to
# rewrite their assertions takes each process as long as all else before its first test.
# What is marked slow, whole studies by processes and pages in a browser, is `make slow`: continuous
# integration runs both.
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder
unit: $(READY) tools
	$(BIN)/python -m compileall -q securefl
	$(PYTEST) -m "not slow and not soak"
	@echo "Whole studies by processes, servers of stores and pages in a browser: make slow"

# No attack of `tests/attack` is here: what must never happen is tried in `make test`.
slow: $(READY) tools
	$(BIN)/python -m compileall -q securefl
	$(PYTEST) -m "slow and not soak"

# Both, and the pure rooms are held to 97 % of branches. To count them takes half as long again.
cover: $(READY) tools
	rm -f .coverage .coverage.*
	$(BIN)/python -m compileall -q securefl
	$(PYTEST) --cov --cov-report=
	$(BIN)/coverage report --fail-under=97 --skip-covered

# Other Pythons, where they are installed; the metadata names a version only after a full green run here.
test-all: test slow
	for v in 3.12 3.13; do if command -v python$$v >/dev/null; then \
	  $(MAKE) unit slow VENV=.venv-$$v PYTHON=python$$v || exit 1; else echo "python$$v is not installed: skipped"; fi; done

# What takes minutes: long random plays of the adversary, a thousand hospitals, large models.
soak: $(READY)
	$(BIN)/pytest -m soak

# FLARE and Flower come into environments of their own; see benchmarks/README.md.
bench: $(READY)
	PIP_ARGS="$(PIP_ARGS)" $(BIN)/python benchmarks/secagg/run.py $(BENCH_ARGS)

# Ledger, audit and noised steps, beside bare SQLite, Ed25519 and Opacus.
bench-privacy: $(READY)
	$(BIN)/python benchmarks/privacy/run.py $(BENCH_ARGS)

# Small faults in the secure sum and the ledger, and whether a test notices; see benchmarks/mutants/README.md.
mutants: $(READY)
	OMP_NUM_THREADS=1 nice -n 15 $(BIN)/python benchmarks/mutants/run.py $(MUTANTS_ARGS)

# Every file that is installed is named in a lock by its SHA-256; pip refuses any other. The CPU build of torch is taken where an
# index or folder that pip looks in has it (PIP_ARGS can name one). Else it is the index's own build, which brings CUDA's packages.
$(READY): requirements.lock requirements-dev.lock requirements-cuda.lock requirements-cpu.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; $(PYTHON) is older. Name another: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV): 1 to 3 GB of downloads, a few minutes; nothing is fetched afterwards."
	$(PYTHON) -m venv $(VENV)
	@if $(PIP_INSTALL) --require-hashes --no-deps -r requirements-cpu.lock 2>/dev/null; then \
	  $(PIP_INSTALL) --require-hashes -r requirements.lock -r requirements-dev.lock; \
	else \
	  echo "No CPU build of torch is found; the index's own build is taken, with CUDA."; \
	  $(PIP_INSTALL) --require-hashes -r requirements.lock -r requirements-dev.lock -r requirements-cuda.lock; \
	fi
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@touch $(READY)

lock: $(READY)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python scripts/lock.py $(LOCK_ARGS)

# The documentation as a site in build/site, without network. A link that leads nowhere fails it.
docs: $(READY)
	$(BIN)/python scripts/docs_site.py

# What leaves this folder; docs/operation.md and CONTRIBUTING.md say how it is used. BUNDLE_ARGS: --light, --wheels DIR, --pip-args "...".
BUNDLE_ARGS ?=
wheel: $(READY)
	$(BIN)/python scripts/build_wheel.py

bundle: $(READY)
	$(BIN)/python scripts/bundle.py $(BUNDLE_ARGS)

sbom: $(READY)
	$(BIN)/python scripts/sbom.py

# Known faults of what securefl runs on. pip-audit has an environment of its own, and asks PyPI's advisories.
audit-deps:
	$(PYTHON) scripts/audit_deps.py

release: $(READY)
	@test -n "$(KEY)" || { echo "Name the key that signs: make release KEY=~/.ssh/securefl-release"; exit 1; }
	$(BIN)/python scripts/release.py --key "$(KEY)" $(BUNDLE_ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage build *.egg-info
