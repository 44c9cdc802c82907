#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the program: tests.sh PROGRAM.
set -euo pipefail
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1

die() {
  echo "FAILED: $*" >&2
  exit 1
}
# in_range NAME VALUE LEAST MOST
in_range() { awk -v x="$2" -v a="$3" -v b="$4" 'BEGIN { exit !(a <= x && x <= b) }' || die "$1 is $2, not in [$3, $4]"; }

for command in "" simulate train assimilate validate parameter; do
  "$program" $command --help | grep -q Usage || die "$command does not explain itself"
done

# A small network can be trained, and its weights are understood.
"$program" train --out small.safetensors --window 3 --hidden 8 --blocks 1 --runs 4 --length 64 --steps 4 --batch 8 2>err.txt || die "$(cat err.txt)"
"$program" simulate --out seen.txt --length 33 --every 4
[[ $(wc -l <seen.txt) == 33 && $(grep -c -- '-$' seen.txt) == 24 ]] || die "simulate wrote $(cat seen.txt)"
"$program" assimilate --input seen.txt --out analysis.txt --weights small.safetensors --members 4 --steps 4 --corrections 1 | grep -q "9 observations of 33 states" ||
  die "assimilate does not say what it saw"
"$program" assimilate --input seen.txt --out analysis.txt --guidance hope 2>err.txt && die "hope is no guidance"
grep -q "mmps, gamma, jfps or none" err.txt || die "$(cat err.txt)"

# The shipped network's posterior is one of trajectories of the model that agree with what was seen.
"$program" validate --cases lo --members 8 --particles 512 --guidance gamma --steps 256 --stride 4 >table.txt 2>err.txt || die "$(cat err.txt)"
in_range "log prior" "$(awk '$2 == "network" { print $3 }' table.txt)" 70 110
in_range "difference in log likelihood" "$(awk '/difference/ { print $NF }' table.txt)" -4 4
