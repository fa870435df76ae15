# docker build -t ssd .   and   docker run --rm ssd python3 ssd_demo.py --show=false
# On a GPU: --build-arg BASE=tensorflow/tensorflow:2.21.0-gpu, and docker run --gpus all
ARG BASE=python:3.12-slim
FROM ${BASE}
WORKDIR /ssd
COPY requirements.txt requirements-dev.txt ./
RUN python3 -m pip install --no-cache-dir -r requirements-dev.txt
COPY . .
CMD ["python3", "-m", "pytest", "-m", "not slow"]
