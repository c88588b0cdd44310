# Needs Python 3.11 or later and make; everything else goes into .venv on the first run.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
OUT ?= runs/digits
SITE ?= site
DIST ?= dist
TESTS ?=
# Lower bounds as the only versions.
LOWER := s/^\([a-z0-9_-]*\)[^>]*>=\([0-9.]*\).*/\1==\2/p
# Where the last bits of a program matter.
NUMERICS := tests/contracts/test_targets.py tests/targets/test_parity.py tests/cpu tests/test_layers.py \
  tests/test_compiling.py tests/training/test_step.py tests/gencnp

.DEFAULT_GOAL := help
.PHONY: help demo app test test-slow test-xla test-oldest wheel docs notebooks lint types clean

help:  ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 17

demo: $(READY)  ## explain a small classifier of handwritten digits; results in runs/digits
	$(BIN)/python experiments/digits.py --out $(OUT)

app: $(VENV)/ready-app  ## try the pathways of the demo in the browser; trains it first if need be
	test -e $(OUT)/generator.safetensors || $(BIN)/python experiments/digits.py --out $(OUT)
	$(BIN)/jaxpath app --weights $(OUT)/target/weights.safetensors --generator $(OUT) --reference digits --split test

test: $(READY)  ## run the tests (TESTS="tests/report -x" narrows them)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 $(TESTS)

test-slow: $(READY)  ## run the slow tests: whole experiments, killed runs
	$(BIN)/python -m pytest -n auto --maxprocesses 8 -m slow $(TESTS)

test-xla: $(READY)  ## run the tests of numerics again, compiled as users compile
	JAXPATH_TEST_XLA=users $(BIN)/python -m pytest -n auto --maxprocesses 8 $(or $(TESTS),$(NUMERICS))

test-oldest:  ## run the fast tests with the oldest packages that are allowed
	@$(MAKE) --no-print-directory test VENV=$(VENV)-oldest OLDEST=yes

wheel: $(READY)  ## build the wheel, in dist/, and try it outside the checkout
	rm -rf build $(DIST)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(DIST) .
	$(BIN)/python .ci/try_wheel.py $(DIST)/*.whl

docs: $(VENV)/ready-docs  ## build the documentation, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir $(abspath $(SITE))

notebooks: $(READY)  ## run the notebooks and keep what they say and show
	$(BIN)/python notebooks/execute.py

lint: $(READY)  ## check style, formatting and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(READY)  ## check types
	$(BIN)/mypy

clean:  ## remove the environment, caches and builds, but no results
	rm -rf $(VENV) $(VENV)-oldest .cache .mypy_cache .pytest_cache .ruff_cache build dist site *.egg-info
	find jaxpath experiments tests -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last, so that an interrupted installation starts again.
$(READY): requirements.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "jaxpath needs Python 3.11 or later, but '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -n 1)." \
	    "Install one and name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(if $(OLDEST),sed -n '$(LOWER)' requirements.txt > $(VENV)/oldest.txt)
	$(BIN)/python -m pip install --quiet $(if $(OLDEST),--constraint $(VENV)/oldest.txt) --editable '.[test]'
	@touch $@

$(VENV)/ready-app: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[app]'
	@touch $@

$(VENV)/ready-docs: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@
