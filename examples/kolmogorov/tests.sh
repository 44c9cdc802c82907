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
# fits TABLE: what is left of the observations is about their error, for every instrument.
fits() { awk 'NR > 1 {ok += $3 > 0.5 * $2 && $3 < 2 * $2} END {exit ok != 3}' <<<"$1" || die "$1"; }
# tensors FILE: the numbers of a safetensors file, without its header.
tensors() { tail -c +$((9 + $(od -An -tu8 -N8 "$1"))) "$1"; }

for command in "" train; do
  "$program" $command --help | grep -q Usage || die "$command does not explain itself"
done
told=$("$program" --cases weather 2>&1) && die "weather is no case"
grep -q "assimilation, extrapolation or saturation" <<<"$told" || die "$told"
small=(--points 16 --frames 6 --steps 32 --guidance mmps)
fits "$("$program" "${small[@]}" --runs 4 2>/dev/null)"

if [[ $learns == nothing ]]; then
  told=$("$program" --weights a.safetensors 2>&1) && die "there is nothing to read weights with"
  grep -q "needs LibTorch" <<<"$told" || die "$told"
  exit
fi
# A network of windows can be trained, ends below the Gaussian (whose loss is 1), and is a prior.
train() { "$program" train --points 16 --runs 2 --length 64 --channels 8,16 --embedding 16 --batch 8 --warmup 8 --decay 0 --rate 3e-3 "$@" 2>err.txt || die "$(cat err.txt)"; }
train --out whole.safetensors --steps 60 --checkpoint-every 30
sed -E 's/.*"1":([0-9.]+).*/\1/' whole.safetensors.jsonl | awk '{ loss = $1 } END { exit !(loss < 0.95) }' || die "the network learned nothing: $(cat whole.safetensors.jsonl)"
fits "$("$program" "${small[@]}" --weights whole.safetensors 2>err.txt || cat err.txt)"
told=$("$program" --points 32 --weights whole.safetensors 2>&1) && die "the weights are of another grid"
grep -q "on 16 points, not of 32 on 32" <<<"$told" || die "$told"
# Stopped and resumed is as if it had not been stopped.
train --out parts.safetensors --steps 30 --checkpoint-every 30
train --out parts.safetensors --steps 60 --checkpoint-every 30 --resume
cmp <(tensors whole.safetensors) <(tensors parts.safetensors) || die "resuming changed the weights"
