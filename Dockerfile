# Two images of one core: `exec` (the default) is run once for each case, `invoke` stays and is asked
# for one case after the other (./build.sh --target invoke).
#
# The base brings torch with the CUDA that the platform's driver knows. A base without torch, such as
# python:3.11-slim-bookworm, works too: then torch is installed below.
ARG BASE_IMAGE=pytorch/pytorch:2.9.1-cuda12.6-cudnn9-runtime
FROM ${BASE_IMAGE} AS core

# Unbuffered: the log is complete even if the job is killed.
# PIP_BREAK_SYSTEM_PACKAGES: some bases mark their Python as the distribution's.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PIP_BREAK_SYSTEM_PACKAGES=1

# The platform rejects containers that would run as root.
RUN useradd --system --create-home --shell /usr/sbin/nologin nodegen \
    && install -d -o nodegen /input /output
WORKDIR /opt/nodegen

# From what changes least to what changes most: requirements, weights and library, code.
COPY requirements.txt requirements.lock ./
# Each package in the version that was tested, known by its hash (.ci/lock makes the lock). What is
# then left to install is torch, where the base has none. Where it has, pip must keep exactly that
# one: another CUDA than the driver's would silently mean CPU.
RUN python3 -c "import torch; print('torch==' + torch.__version__)" > /tmp/base.txt 2>/dev/null || true; \
    python3 -m pip install --require-hashes --requirement requirements.lock \
    && python3 -m pip install --constraint /tmp/base.txt --requirement requirements.txt \
    && python3 -c "import sys, torch; sys.exit(open('/tmp/base.txt').read().strip() not in ('', 'torch==' + torch.__version__))" \
    && rm /tmp/base.txt
COPY model/ model/
COPY nodegen/ nodegen/
COPY process.py serve.py LICENSE ./
RUN python3 -m compileall -q nodegen process.py serve.py
USER nodegen

FROM core AS invoke
LABEL org.grand-challenge.api-method="invoke"
EXPOSE 4743
ENTRYPOINT ["python3", "/opt/nodegen/serve.py"]

FROM core AS exec
# evalutils without what its readers and scorers need: process.py imports its frame alone.
COPY requirements-exec.lock ./
USER root
RUN python3 -m pip install --no-deps --require-hashes --requirement requirements-exec.lock
USER nodegen
LABEL org.grand-challenge.api-method="exec"
ENTRYPOINT ["python3", "/opt/nodegen/process.py"]
