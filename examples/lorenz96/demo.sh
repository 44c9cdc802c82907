#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What scripts/demo runs: sparse, noisy, nonlinear observations of Lorenz-96 assimilated by the score smoother.
#   demo.sh --binary LORENZ96 --output DIR [--retrain]
set -euo pipefail

binary='' output='' weights=()
while (($#)); do
  case $1 in
    --binary) binary=${2:?--binary needs a program} && shift 2 ;;
    --output) output=${2:?--output needs a folder} && shift 2 ;;
    --retrain) weights=(--weights retrained.safetensors) && shift ;;
    *) echo "demo.sh: unknown option $1" >&2 && exit 2 ;;
  esac
done
[[ -x $binary && -d $output ]] || {
  echo "demo.sh: needs --binary PROGRAM and --output FOLDER" >&2
  exit 2
}
binary=$(realpath "$binary")
cd "$output"

# one window of 2.4 time units (12 days): every second site seen through a saturating arctan, by a network of 17-step windows
assimilate=(assimilate --length 49 --windows 1 --sites every:2 --operator arctan --error 0.05 --members 12 --seed 3 --stride 4)

if ((${#weights[@]})); then
  # the command that made the shipped weights: half an hour to an hour on two free cores, resumed if interrupted
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$binary" train --out retrained.safetensors --resume --threads 1 --workers 2 --checkpoint-every 500
fi
"$binary" "${assimilate[@]}" "${weights[@]}" --out lorenz96.nc --plot lorenz96 | tee table.txt.tmp
mv table.txt.tmp table.txt
