# Each verb sets up the virtual environment when it is missing or out of date.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test check bench browser
.DELETE_ON_ERROR:

# uv takes torch and torchvision from the same index, so that both are of one build.
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e '.[dev]'
	touch $@

setup: $(READY)

demo: $(READY)
	$(BIN)/owcl simulate rendered --quick --workspace demo

# The review page is tested in a real browser: Debian's, installed where that is allowed.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { test "$$(id -u)" = 0 \
	  && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } \
	  || echo "No Chromium: tests of the review page will be skipped. Install it: apt install chromium"

# One thread: sums in another order make another network, and what tests ask of it should not hang on the cores.
# So each core runs files of its own.
test: $(READY) browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder \
	  --cov --cov-report=term:skip-covered --cov-fail-under=85

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python scripts/bench.py
