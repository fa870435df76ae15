# docker build -t ssd .
# docker run --rm --user $(id -u):$(id -g) -v "$PWD:/data" -w /data ssd python3 /ssd/ssd_demo.py image.jpg
# On a GPU: docker build --build-arg BASE=tensorflow/tensorflow:2.21.0-gpu ..., and docker run --gpus all ...
# docker run --rm ssd   runs the tests
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /ssd
COPY requirements.txt requirements-dev.txt ./
RUN python3 -m pip install --no-cache-dir -r requirements-dev.txt
COPY . .
# For python3 -m datasets.browse and others in /data, and for users without a home.
ENV PYTHONPATH=/ssd MPLCONFIGDIR=/tmp
CMD ["python3", "-m", "pytest", "-m", "not slow", "-n", "auto", "--maxprocesses=4", "--dist", "worksteal"]
