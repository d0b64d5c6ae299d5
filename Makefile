# RobustIQA. `make help` lists the targets. All that is installed goes into .venv.

# The interpreter of .venv; empty: the first on PATH that fits.
PYTHON ?=
# Where the app listens. No PORT: 8501, or the next free one.
ADDRESS ?= localhost
PORT ?=
# More for streamlit, such as STREAMLIT_ARGS='--server.fileWatcherType auto' to reload while you edit.
STREAMLIT_ARGS ?=
# The browser of the browser tests; empty: the first on PATH.
CHROMIUM ?=
# Processes that share the tests; each then computes with one thread. Empty: as many as there are processors, at most
# eight. The browser tests always run one at a time: each wants the machine for itself.
WORKERS ?=
# More for pytest, such as PYTEST_ARGS='-k pgd'.
PYTEST_ARGS ?=
BENCHMARKS ?= benchmarks/*.py

export PYTHON CHROMIUM

python := .venv/bin/python
processors := $(shell n=$$(nproc 2>/dev/null || echo 1); echo $$((n < 8 ? n : 8)))
workers := $(or $(WORKERS),$(processors))
# One process has no need of workers.
pytest := $(if $(filter-out 1,$(workers)),OMP_NUM_THREADS=1 )$(python) -m pytest $(if $(filter-out 1,$(workers)),-n $(workers))
browser_pytest := CHROMIUM="$$(sh scripts/browser.sh --find)" ROBUSTIQA_REQUIRE_BROWSER=1 $(python) -m pytest -m browser

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help app test fast lint format bench pins clean distclean app-environment dev-environment browser

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Settings: PYTHON ADDRESS PORT STREAMLIT_ARGS CHROMIUM WORKERS PYTEST_ARGS BENCHMARKS,"
	@echo "as in: make app PORT=8600; the head of the Makefile explains them."

app: app-environment ## Install what the app needs and start it (PORT=, ADDRESS=)
	$(python) -m streamlit run app.py --server.address '$(ADDRESS)' $(if $(PORT),--server.port '$(PORT)') \
		--server.showEmailPrompt false --server.fileWatcherType none $(STREAMLIT_ARGS)

test: dev-environment browser lint ## Everything: format, lint, types, import contracts, all tests with the browser's
	@# Both parts run, whatever the first one says; 5 is a selection (PYTEST_ARGS) without a test of that part.
	failed=0; $(pytest) -m 'not slow and not browser' $(PYTEST_ARGS) || { code=$$?; [ $$code = 5 ] || failed=$$code; }; \
	$(browser_pytest) $(PYTEST_ARGS) || { code=$$?; [ $$code = 5 ] || failed=$$code; }; exit $$failed

fast: dev-environment lint ## Without the browser's and the thorough tests; with PYTEST_ARGS, all tests that it selects
	$(pytest) -m 'not slow and not browser$(if $(PYTEST_ARGS),, and not thorough)' $(PYTEST_ARGS)

lint: dev-environment ## Format, lint, types and import contracts only
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m mypy
	$(python) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'

format: dev-environment ## Format the code and repair what ruff can repair
	$(python) -m ruff check --fix .
	$(python) -m ruff format .

bench: dev-environment ## Run the benchmarks (BENCHMARKS=benchmarks/attack_overhead.py for one)
	set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(python) "$$script"; done

pins: ## Rewrite constraints.txt after a change of the requirements
	sh scripts/environment.sh pins

clean: ## Remove caches and other generated files, but not .venv
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build
	find . -name .venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	rm -rf .venv robustiqa.egg-info

app-environment:
	@sh scripts/environment.sh app

dev-environment:
	@sh scripts/environment.sh dev

browser:
	@sh scripts/browser.sh
