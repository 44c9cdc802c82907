#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the program: tests.sh PROGRAM network|nothing, the second what it can learn.
set -euo pipefail
program=$1 learns=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1
die() {
  echo "FAILED: $*" >&2
  exit 1
}
# fits ROWS ARGS...: what is left of the observations is about their error, for as many instruments.
fits() {
  local rows=$1 table
  shift
  table=$("$program" --frames 6 --members 2 --steps 32 --guidance mmps "$@" 2>err.txt) || die "$(cat err.txt)"
  awk -v rows="$rows" 'NR > 1 {ok += $3 > 0.6 * $2 && $3 < 1.3 * $2} END {exit ok != rows}' <<<"$table" || die "$table"
}
# tensors FILE: the numbers of a safetensors file, without its header.
tensors() { tail -c +$((9 + $(od -An -tu8 -N8 "$1"))) "$1"; }
# validated LOG: the last loss at σ = 1.
validated() { tail -n 1 "$1" | sed -E 's/.*"1":([0-9.]+).*/\1/'; }

for command in "" train; do
  "$program" $command --help | grep -q Usage || die "$command does not explain itself"
done
told=$("$program" --cases weather 2>&1) && die "weather is no case"
grep -q "assimilation, extrapolation or saturation" <<<"$told" || die "$told"
fits 3 --points 16 --runs 4 --out found
for case in assimilation extrapolation saturation; do
  [[ $(ncdump -h found-$case.nc) == *"float vorticity(member, time, y, x)"*"--out found"* ]] || die "found-$case.nc: $(ncdump -h found-$case.nc)"
done
told=$("$program" --points 16 --runs 4 --frames 6 --out nowhere/found 2>&1) && die "there is no folder to write to"
grep -q "there is no folder nowhere" <<<"$told" || die "$told"

if [[ $learns == nothing ]]; then
  told=$("$program" --weights a.safetensors 2>&1) && die "there is nothing to read weights with"
  grep -q "needs LibTorch" <<<"$told" || die "$told"
  exit
fi
# A network of windows can be trained, improves on the Gaussian that it starts as (validated at σ = 1), and is a prior.
train() {
  "$program" train --points 32 --runs 3 --length 64 --channels 16,16 --embedding 16 --warmup 8 --rate 5e-3 --decay 0 --average 0.9 --clip 1 "$@" 2>err.txt ||
    die "$(cat err.txt)"
}
train --out whole.safetensors --steps 1
gaussian=$(validated whole.safetensors.jsonl)
train --out whole.safetensors --steps 80 --checkpoint-every 80
awk -v a="$gaussian" -v b="$(validated whole.safetensors.jsonl)" 'BEGIN { exit !(b < 0.95 * a) }' || die "from $gaussian to $(cat whole.safetensors.jsonl)"
fits 1 --points 32 --weights whole.safetensors --cases saturation
told=$("$program" --points 16 --weights whole.safetensors 2>&1) && die "the weights are of another grid"
grep -q "on 32 points, not of 32 on 16" <<<"$told" || die "$told"
# Stopped and resumed is as if it had not been stopped.
train --out parts.safetensors --steps 40
train --out parts.safetensors --steps 80 --resume
cmp <(tensors whole.safetensors) <(tensors parts.safetensors) || die "resuming changed the weights"
