#!/bin/bash
#SBATCH --job-name=nodegen
#SBATCH --array=1-40
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --time=04:00:00
#SBATCH --requeue
# sbatch slurm.sh RADIOGRAPHS OUTPUT [OPTION...]
# Each task of the array makes a share; the one that ends last finishes the set. After a failure
# submit the whole array again: what is done costs nothing, and shares are told by the array's size.
set -euo pipefail
radiographs=$1 output=$2
shift 2
exec nodegen dataset "$radiographs" --output "$output" \
  --workers "${SLURM_CPUS_PER_TASK:-1}" \
  --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" \
  "$@"
