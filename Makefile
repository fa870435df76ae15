# For a newcomer: make demo, make test. Every target creates the virtual environment first if it is missing.
# VENV=FOLDER chooses another folder for it, PYTHON=python3.12 another Python.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python3
FOLDER := quickstart

.PHONY: help demo quickstart test test-slow lint clean

help:   ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 14

demo: $(VENV)/ready   ## run the shipped detector on two photographs, into photographs_detections/
	$(RUN) ssd_demo.py docs/photographs

quickstart: $(VENV)/ready   ## draw shapes, convert, train, evaluate, detect, in quickstart/ (2 minutes)
	rm -rf $(FOLDER)
	$(RUN) -m datasets.shapes --output $(FOLDER)/shapes --train 200 --test 40
	$(RUN) ssd_image_to_tf.py --recipe=shapes --image_set=train --output=$(FOLDER)/tfrecords_train
	$(RUN) ssd_image_to_tf.py --recipe=shapes --image_set=test --output=$(FOLDER)/tfrecords_test
	$(RUN) ssd_train.py --recipe=shapes
	$(RUN) ssd_test.py --recipe=shapes
	$(RUN) ssd_demo.py $(FOLDER)/shapes/JPEGImages/000210.jpg --recipe=shapes --output=$(FOLDER)/detections.png

test: $(VENV)/ready   ## run all tests except the slow ones (6 to 8 minutes on two cores)
	$(RUN) -m pytest -n auto --maxprocesses=4 --dist worksteal -m "not slow"

test-slow: $(VENV)/ready   ## run the slow tests: every depth of the ResNets, every check of gpu_check
	$(RUN) -m pytest -m slow

lint: $(VENV)/ready   ## check the code
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(VENV)/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:   ## remove the virtual environment, quickstart/ and caches
	rm -rf $(VENV) $(FOLDER) .pytest_cache .ruff_cache .mypy_cache
