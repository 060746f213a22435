#!/bin/bash
# sbatch docs/scale/slurm.sh photos/ --vary lr=1e-5..1e-1:log20 --strategy full --out study --resume
#SBATCH --job-name=handful
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --constraint=icelake
#SBATCH --time=08:00:00
# Nodes of one type (--constraint): other processors are refused. A job that ran out of time is sent again as it is.
set -euo pipefail
export RAY_USAGE_STATS_ENABLED=0
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d ' ' -f 1):6379

srun --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --block &
until ray status --address="$address" > /dev/null 2>&1; do sleep 1; done
srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" \
  ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
until [ "$(ray status --address="$address" | grep -c '^ 1 node_')" -ge "$SLURM_JOB_NUM_NODES" ]; do sleep 1; done

handful study "$@" --ray "$address"
