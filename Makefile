# Two commands for a newcomer: make demo, make test. Both make the virtual environment first, where it is missing.
VENV ?= .venv
PYTHON ?= python3
RUN := $(VENV)/bin/python3
ROOM := quickstart

.PHONY: help demo quickstart test test-slow lint clean

help:          ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/:/'

demo: $(VENV)/ready   ## the detector that ships with the repository, on a photograph
	$(RUN) ssd_demo.py --show=false

quickstart: $(VENV)/ready   ## draw shapes, convert, train, evaluate, detect; everything lands in quickstart/
	rm -rf $(ROOM)
	$(RUN) -m datasets.shapes --output $(ROOM)/shapes --train 200 --test 40
	$(RUN) ssd_image_to_tf.py --voc=$(ROOM)/shapes --image_set=train --classes_file=$(ROOM)/shapes/classes.txt \
	    --output=$(ROOM)/tfrecords_train
	$(RUN) ssd_image_to_tf.py --voc=$(ROOM)/shapes --image_set=test --classes_file=$(ROOM)/shapes/classes.txt \
	    --output=$(ROOM)/tfrecords_test
	$(RUN) ssd_train.py --backbone_network=ssd_mobilenet_v1 --training_mode=from_scratch --output=$(ROOM)/ssd \
	    --train_records=$(ROOM)/tfrecords_train --batch_size=8 --max_steps=400 --learning_rate=0.04 --schedule=cosine \
	    --warmup_steps=50 --batch_norm_decay=0.9 --clip_gradients=10 --augment_crop=false --augment_zoom_out=false
	$(RUN) ssd_test.py --backbone_network=ssd_mobilenet_v1 --checkpoint=$(ROOM)/ssd --test_records=$(ROOM)/tfrecords_test
	$(RUN) ssd_demo.py $(ROOM)/shapes/JPEGImages/000203.jpg --backbone_network=ssd_mobilenet_v1 --checkpoint=$(ROOM)/ssd \
	    --output=$(ROOM)/detections.png --score_threshold=0.4

test: $(VENV)/ready   ## all tests but the slow ones
	$(RUN) -m pytest -m "not slow"

test-slow: $(VENV)/ready   ## what takes minutes: every depth of the ResNets
	$(RUN) -m pytest -m slow

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m mypy

$(VENV)/ready: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV) $(ROOM) .pytest_cache .ruff_cache .mypy_cache
