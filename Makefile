# Two commands for a newcomer: make demo, make test. Both make the virtual environment first, where it is missing.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: demo quickstart test test-slow lint clean

demo: quickstart

quickstart: $(VENV)/ready     ## convert, train, evaluate and detect drawn shapes; a few minutes on a CPU
	$(BIN)/python3 benchmarks/quickstart.py

test: $(VENV)/ready           ## all tests but the slow ones
	$(BIN)/python3 -m pytest -m "not slow"

test-slow: $(VENV)/ready
	$(BIN)/python3 -m pytest -m slow

lint: $(VENV)/ready
	$(BIN)/ruff check .

$(VENV)/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) quickstart .pytest_cache .ruff_cache
