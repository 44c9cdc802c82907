#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the program: tests.sh PROGRAM.
set -euo pipefail
program=$1
export OMP_NUM_THREADS=1
die() {
  echo "FAILED: $*" >&2
  exit 1
}
"$program" --help | grep -q Usage || die "it does not explain itself"
told=$("$program" --cases weather 2>&1) && die "weather is no case"
grep -q "assimilation, extrapolation or saturation" <<<"$told" || die "$told"
# What is left of the observations is about their error, for every instrument.
table=$("$program" --points 16 --frames 4 --runs 4 --steps 32 --guidance mmps 2>/dev/null)
awk 'NR > 1 {ok += $3 > 0.5 * $2 && $3 < 2 * $2} END {exit ok != 3}' <<<"$table" || die "$table"
