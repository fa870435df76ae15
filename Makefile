# For a newcomer: make demo, make test. Every target creates the virtual environment first if it is missing.
# VENV=FOLDER chooses another folder for it, PYTHON=python3.12 another Python.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python3
FOLDER := quickstart

.PHONY: help demo quickstart test test-slow lint clean

help:   ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' Makefile | expand -t 14

demo: $(VENV)/ready   ## run the shipped detector on a photograph
	$(RUN) ssd_demo.py --show=false

quickstart: $(VENV)/ready   ## draw shapes, convert, train, evaluate, detect, in quickstart/ (4 minutes)
	rm -rf $(FOLDER)
	$(RUN) -m datasets.shapes --output $(FOLDER)/shapes --train 200 --test 40
	$(RUN) ssd_image_to_tf.py --voc=$(FOLDER)/shapes --image_set=train --classes_file=$(FOLDER)/shapes/classes.txt \
	    --output=$(FOLDER)/tfrecords_train
	$(RUN) ssd_image_to_tf.py --voc=$(FOLDER)/shapes --image_set=test --classes_file=$(FOLDER)/shapes/classes.txt \
	    --output=$(FOLDER)/tfrecords_test
	$(RUN) ssd_train.py --backbone_network=ssd_mobilenet_v1 --training_mode=from_scratch --output=$(FOLDER)/ssd \
	    --train_records=$(FOLDER)/tfrecords_train --batch_size=8 --max_steps=400 --learning_rate=0.04 --schedule=cosine \
	    --warmup_steps=50 --batch_norm_decay=0.9 --clip_gradients=10 --augment_crop=false --augment_zoom_out=false
	$(RUN) ssd_test.py --backbone_network=ssd_mobilenet_v1 --checkpoint=$(FOLDER)/ssd --test_records=$(FOLDER)/tfrecords_test
	$(RUN) ssd_demo.py $(FOLDER)/shapes/JPEGImages/000203.jpg --backbone_network=ssd_mobilenet_v1 --checkpoint=$(FOLDER)/ssd \
	    --output=$(FOLDER)/detections.png --score_threshold=0.4

test: $(VENV)/ready   ## run all tests except the slow ones (7 minutes)
	$(RUN) -m pytest -m "not slow"

test-slow: $(VENV)/ready   ## run the slow tests: every depth of the ResNets
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
