# Everything that a developer or CI runs. Needs Python >= 3.11, make and a package registry.

PYTHON ?= python3
UV := .uv/bin/uv

# One environment for the core, one per engine (they exclude one another's dependencies), one with
# the oldest Airflow that is served, and one with the vendor's own SDK.
ENGINES := airflow dagster prefect
OTHERS := $(ENGINES:%=.venv-%) .venv-airflow32 .venv-contract
ENVIRONMENTS := .venv $(OTHERS)

# The Python above is the one to use; uv must not fetch another.
export UV_PYTHON_DOWNLOADS := never
# The vendor's SDK would otherwise report our test runs to the vendor.
export RAPIDATA_DISABLE_OTLP := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

.PHONY: help
help:  ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## */\1\t/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "$(ENVIRONMENTS): one environment each"

# --- environments ---------------------------------------------------------------------------------

.PHONY: environments $(ENVIRONMENTS)
environments: $(ENVIRONMENTS)  ## install all environments
$(ENVIRONMENTS): %: %/.installed
	@:

.venv/.installed: requirements/core.txt
$(OTHERS:%=%/.installed): .venv-%/.installed: requirements/%.txt

# Holds exactly what its requirements pin, and this package, editable. Runs again only when the pins
# or the package's metadata (entry points, extras) have changed.
.%/.installed: pyproject.toml $(UV)
	@echo "installing .$*"
	@test -x .$*/bin/python || \
		$(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" .$*
	@VIRTUAL_ENV=.$* $(UV) pip sync --quiet --require-hashes $(filter requirements/%,$^)
	@VIRTUAL_ENV=.$* $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "'$(PYTHON)' is not Python 3.11 or later; try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# --- what they are for ----------------------------------------------------------------------------

.PHONY: demo
demo: .venv $(ENGINES:%=.venv-%)  ## run one labelling pipeline in every engine, on the sandbox
	@.venv/bin/python examples/demo.py

.PHONY: bench
bench: .venv .venv-contract .venv-airflow  ## measure, also against the vendor's SDK; prints JSON; ARGS="--quick --only define_urls"
	@.venv/bin/python benchmarks/run.py $(ARGS)

# --- tests ----------------------------------------------------------------------------------------

.PHONY: test test-core test-engines $(ENGINES:%=test-%) test-airflow32 test-contract
test: test-core test-contract  ## run all tests (each of the targets on its own, too)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-engines

# Real engines wait more than they work, so two at a time are quicker; each tells when it is done.
test-engines: test-airflow test-airflow32 $(filter-out test-airflow,$(ENGINES:%=test-%))

# On httpx2, then the client once more on the HTTP library that is there without the extra `speed`.
# The tests that take longest begin first.
test-core: .venv
	.venv/bin/pytest -n auto tests/chaos tests/seeds tests/core tests/sandbox
	.venv/bin/pytest -n auto tests/core/_async tests/core/_sync --http=httpx

test-contract: .venv-contract
	.venv-contract/bin/pytest -n auto tests/contract

$(ENGINES:%=test-%): test-%: .venv-%
	.venv-$*/bin/pytest tests/$*

test-airflow32: .venv-airflow32
	.venv-airflow32/bin/pytest tests/airflow

.PHONY: chaos
chaos: .venv .venv-contract  ## prove at full size that nothing is paid twice; renews the table in docs/guarantees.md; ARGS=--quick
	.venv/bin/python -m tests.chaos $(ARGS)

# --- checks ---------------------------------------------------------------------------------------

.PHONY: lint lint-style lint-sync lint-imports lint-types
lint: lint-style lint-sync lint-imports lint-types  ## check style, generated code, imports and types

lint-style: .venv
	.venv/bin/ruff format --check
	.venv/bin/ruff check

lint-sync: .venv
	.venv/bin/python scripts/unasync.py --check

lint-imports: .venv
	.venv/bin/lint-imports

# Each package where its engine's types are.
lint-types: .venv $(ENGINES:%=.venv-%)
	.venv/bin/pyright --pythonpath .venv/bin/python rapidata_core
	for engine in $(ENGINES); do \
		.venv/bin/pyright --pythonpath .venv-$$engine/bin/python rapidata_$$engine || exit 1; \
	done

.PHONY: format
format: .venv  ## format the code and renew the generated half
	.venv/bin/ruff check --fix-only --quiet
	.venv/bin/ruff format
	.venv/bin/python scripts/unasync.py

# --- pins -----------------------------------------------------------------------------------------

# Universal: the same file serves every Python from 3.11 and every platform.
COMPILE := $(UV) pip compile pyproject.toml --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

.PHONY: lock
lock: $(UV)  ## renew requirements/ after a change of pyproject.toml; UPGRADE=1 for newer versions
	$(COMPILE) --extra parquet --extra speed --extra quality --extra sandbox --group dev -o requirements/core.txt
	$(COMPILE) --extra parquet --extra sandbox --group contract-env -o requirements/contract.txt
	for engine in $(ENGINES); do \
		$(COMPILE) --extra $$engine --extra sandbox --group $$engine-env \
			-o requirements/$$engine.txt || exit 1; \
	done
	$(COMPILE) --extra airflow --extra sandbox --group airflow32-env --exclude-newer 2026-06-15 \
		-o requirements/airflow32.txt
	$(UV) pip compile --group uv --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
		-o requirements/uv.txt

.PHONY: clean
clean:  ## remove environments, caches and build output
	rm -rf .uv $(ENVIRONMENTS) .ruff_cache .import_linter_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
