# Two images of one core: `exec` (the default) is run once for each case, `invoke` stays and is asked
# for one case after the other (./build.sh --target invoke).
#
# The base is that of the platform's own templates: it brings torch with the CUDA that the platform's
# driver knows. A base without torch, such as python:3.11-slim-bookworm, works too: then torch is
# installed below.
ARG BASE_IMAGE=pytorch/pytorch:2.13.0-cuda12.6-cudnn9-runtime
FROM ${BASE_IMAGE} AS core

# Unbuffered: the log is complete even if the job is killed.
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/opt/venv/bin:$PATH

# The platform rejects containers that would run as root.
RUN useradd --system --create-home --shell /usr/sbin/nologin nodegen \
    && install -d -o nodegen /input /output
WORKDIR /opt/nodegen

# From what changes least to what changes most: requirements, weights and library, code.
COPY requirements.txt requirements.lock ./
# The base's Python is the distribution's (PEP 668): packages go into an environment that sees the
# base's torch. Each is the version that was tested, known by its hash (.ci/lock makes the lock).
RUN python3 -m venv --system-site-packages /opt/venv \
    && python -m pip install --require-hashes --requirement requirements.lock \
    && { python -c "import torch" 2>/dev/null \
         || python -m pip install "$(grep '^torch' requirements.txt)"; }
COPY model/ model/
COPY nodegen/ nodegen/
COPY process.py serve.py grand_challenge.py LICENSE ./
RUN python -m compileall -q nodegen process.py serve.py grand_challenge.py
USER nodegen
LABEL org.opencontainers.image.version="2.0.0"

FROM core AS invoke
LABEL org.grand-challenge.api-method="invoke"
EXPOSE 4743
ENTRYPOINT ["python", "/opt/nodegen/serve.py"]

FROM core AS exec
LABEL org.grand-challenge.api-method="exec"
ENTRYPOINT ["python", "/opt/nodegen/process.py"]
