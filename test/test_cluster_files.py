"""The manual's files for Slurm, Snakemake and Kubernetes: what of them can be run here is run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ROOT / "docs" / "cluster"
SHARES = 3


@pytest.fixture
def run(tmp_path):
    """Run a command where `nodegen` only notes its arguments; returns the lines that it noted."""
    (tmp_path / "bin").mkdir()
    noted = tmp_path / "noted"
    stand_in = tmp_path / "bin" / "nodegen"
    # The set is finished by whoever comes last, as the real command does.
    stand_in.write_text(
        f'#!/bin/sh\necho "$*" >> {noted}\nmkdir -p set\n'
        f"[ $(wc -l < {noted}) -lt {SHARES} ] || touch set/SHA256SUMS\n"
    )
    stand_in.chmod(0o755)
    path = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def call(*command, **variables):
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return noted.read_text().splitlines()

    return call


def each_share(command):
    return {command.format(number=number, of=SHARES) for number in range(1, SHARES + 1)}


def test_slurm_makes_each_share_of_its_array_once(run):
    for number in range(1, SHARES + 1):
        told = run(
            FILES / "slurm.sh", "a folder", "set", "--copies", "2",
            SLURM_ARRAY_TASK_ID=str(number), SLURM_ARRAY_TASK_COUNT=str(SHARES),
            SLURM_CPUS_PER_TASK="4",
        )  # fmt: skip
    expected = "dataset a folder --output set --workers 4 --shard {number}/{of} --copies 2"
    assert len(told) == SHARES
    assert set(told) == each_share(expected)


def test_slurm_has_as_many_shares_as_its_array(run):
    (line,) = [s for s in (FILES / "slurm.sh").read_text().splitlines() if "--array" in s]
    assert line == "#SBATCH --array=1-40"  # from 1: SLURM_ARRAY_TASK_COUNT is then the last


def test_snakemake_makes_each_share_once_and_finishes(run):
    snakemake = os.environ.get("SNAKEMAKE") or shutil.which("snakemake")
    if not snakemake:
        pytest.skip("needs Snakemake: set SNAKEMAKE to its command")
    told = run(
        snakemake, "--snakefile", FILES / "Snakefile", "--cores", "2", "--quiet", "all",
        "--config", "radiographs=in", "output=set", f"shards={SHARES}", "options=--copies 2",
    )  # fmt: skip
    *shares, last = told
    expected = "dataset in --output set --workers 1 --shard {number}/{of} --copies 2"
    assert set(shares) == each_share(expected)
    assert last == "dataset in --output set --copies 2"
    # A second call finds all done.
    assert run(
        snakemake, "--snakefile", FILES / "Snakefile", "--cores", "2", "--quiet", "all",
        "--config", "radiographs=in", "output=set", f"shards={SHARES}", "options=--copies 2",
    ) == told  # fmt: skip


def test_kubernetes_job_is_valid_and_its_pods_make_each_share_once(run):
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((FILES / "kubernetes.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    pods = job["spec"]["completions"]
    for number in range(pods):
        told = run(*container["command"], *container["args"], JOB_COMPLETION_INDEX=str(number))
    shares = [line.rpartition(" ")[2] for line in told]
    assert shares == [f"{number}/{pods}" for number in range(1, pods + 1)]
    schemas = pytest.importorskip(
        "kubernetes_validate", reason="needs the API's schema: pip install kubernetes-validate"
    )
    schemas.validate(job, "1.31", strict=True)
    job["spec"]["completion"] = job["spec"].pop("completions")
    with pytest.raises(schemas.ValidationError):
        schemas.validate(job, "1.31", strict=True)
