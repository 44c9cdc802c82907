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
assimilate=(assimilate --length 49 --windows 1 --sites every:2 --operator arctan --error 0.05 --members 12 --seed 3
  --guidance gamma --gamma 0.1 --steps 128 --corrections 1 --corrector adaptive --tau 0.25 --stride 4)

if ((${#weights[@]})); then
  # the shipped weights' settings; half an hour to an hour, resumed if interrupted
  OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 "$binary" train --out retrained.safetensors --resume --workers "$(nproc)" --threads 1 \
    --steps 12600 --batch 48 --rate 2.5e-3 --warmup 400
fi
"$binary" "${assimilate[@]}" "${weights[@]}" --out lorenz96.nc --plot lorenz96 | tee table.txt.tmp
mv table.txt.tmp table.txt
