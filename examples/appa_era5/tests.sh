#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the program from synthetic weather to pictures, on 24 x 13 points: tests.sh PROGRAM networks|nothing, the second what it can draw with.
set -euo pipefail
program=$1 draws=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

die() {
  echo "FAILED: $*" >&2
  exit 1
}
# works ARGS...: the program succeeds; what it prints is in out.txt.
works() { "$program" "$@" >out.txt 2>err.txt || die "\`$*\` failed: $(cat err.txt)"; }
says() { grep -qE -- "$1" out.txt || die "no \"$1\" in: $(cat out.txt)"; }
# fails MESSAGE ARGS...: the program fails, says so in a few words that match, and leaves nothing called `absent`.
fails() {
  local message=$1
  shift
  ! "$program" "$@" >out.txt 2>err.txt || die "\`$*\` should fail"
  [[ $(wc -l <err.txt) -lt 3 && ! -e absent ]] && grep -q "^appa: " err.txt && grep -qE -- "$message" err.txt || die "\`$*\` says: $(cat err.txt), not: $message"
}
there() {
  for file in "$@"; do [[ -s $file ]] || die "$file is not there, but $(find . -newer config.yaml -type f | sort | tail -n 40)"; done
}
# within FILE VARIABLE LEAST MOST: all its numbers are, but those that are missing.
within() {
  ncdump -v "$2" "$1" | awk -v name="$2" -v least="$3" -v most="$4" -F '[ ,;=]+' '/^data:/ {inside = 1}
    inside {for (i = 1; i <= NF; ++i) if ($i ~ /^-?[0-9]/) {++n; bad += $i < least || $i > most} else bad += $i ~ /[Nn]a[Nn]|[Ii]nf/}
    END {exit !n || bad}' || die "$2 of $1 is not within $3 and $4"
}
# A number of a report's first table of scores: cell REPORT METHOD HEAD.
cell() {
  awk -F ' *[|] *' -v method="$2" -v head="$3" '/^[|] RMSE of the mean/ {for (i = 3; i < NF; ++i) if (index($i, head) == 1) at = i}
    at && $2 == method {print $at; exit}' "$1/report.md"
}

cat >config.yaml <<'END'
data: {grid: 24x13, variables: [t2m, sst, t, z], levels: [500, 850], train: 2019-01-01..2019-01-04, valid: 2019-01-05, step: 1}
autoencoder:
  ae: {name: cae_test, resize: 2, noise_level: 0.01, lat_channels: 2, hid_channels: [4, 8], hid_blocks: [1, 1]}
  train: {update_steps: 2, batch_size_per_step: 4, batch_element_per_gpu: 2, workers: 2, log_interval: 4, save_interval: 4}
  valid: {log_interval: 4, num_samples: 2}
  optim: {optimizer: soap, learning_rate: 1e-2, precondition_frequency: 1, scheduler: linear, warmup: 1, grad_clip: 1}
denoiser:
  backbone: {name: vit_test, mod_features: 8, hid_channels: 16, hid_blocks: 1, attention_heads: 2, patch_size: [2, 1, 1]}
  train: {update_steps: 2, batch_size_per_step: 4, batch_element_per_gpu: 2, log_interval: 4, save_interval: 4, blanket_size: 4}
  valid: {log_interval: 4, num_samples: 2}
  optim: {optimizer: adamw, learning_rate: 1e-3, scheduler: cosine, grad_clip: 1}
assimilation: {members: 2, hours: 6, lead: 6, every: 2, cycles: 2, predictions: 2, sampler: {steps: 2, corrections: 1}}
observations:
  - {kind: stations, count: 30, channels: [t2m, sst], left_out: 0.3}
  - {kind: satellite, error: 0.1}
END
data='era5/*-levels-*.nc' fields=(--variables t2m,sst,t,z --levels 500,850)
known=(--data "$data" --statistics stats.nc)

works --help
says "evaluate +scores, spectra and balances"

# A world, its moments and its climate.
works synthesize --seed 1 --out era5 --period 2019-01-01..2019-01-06 --grid 24x13 "${fields[@]}" --truncation 10 --spin-up 2
works stats --data "$data" --out stats.nc "${fields[@]}" --period 2019-01-01..2019-01-04
says "2m_temperature +2[0-9.]+ +[0-9.]+ +K"
works climate --data "$data" --out climate.nc "${fields[@]}" --period 2019-01-01..2019-01-04
there stats.nc climate.nc era5/*-levels-*.nc
within climate.nc t2m 180 330
fails "there is no file nowhere" stats --data 'nowhere/*.nc' --out absent "${fields[@]}"
fails "2019-13" stats --data "$data" --out absent "${fields[@]}" --period 2019-13

# What instruments see, as a file.
works observe --config config.yaml "${known[@]}" "${fields[@]}" --period 2019-01-05T00..2019-01-05T05 --out seen.nc
says "^[1-9][0-9]* assimilated, [1-9][0-9]* left out, 0 gross errors, 0 thinned"
there seen.nc
echo 'observations: [{kind: balloons}]' >balloons.yaml
fails "balloons; known are stations" observe --config balloons.yaml "${known[@]}" "${fields[@]}" --period 2019-01-05 --out absent

# An ensemble's own covariances.
awk 'BEGIN {
  print "netcdf ensemble { dimensions: time = 1; number = 5; latitude = 9; longitude = 16;"
  print "variables: double time(time); time:units = \"hours since 2019-01-01\"; int number(number);"
  print "float latitude(latitude); latitude:units = \"degrees_north\"; float longitude(longitude); longitude:units = \"degrees_east\";"
  print "float t2m(time, number, latitude, longitude); t2m:units = \"K\"; data: time = 0; number = 0, 1, 2, 3, 4;"
  printf "latitude = 90"; for (i = 1; i < 9; ++i) printf ", %g", 90 - 22.5 * i
  printf "; longitude = 0"; for (i = 1; i < 16; ++i) printf ", %g", 22.5 * i
  printf "; t2m = "
  for (m = 0; m < 5; ++m) for (i = 0; i < 144; ++i) printf "%s%g", m + i ? ", " : "", 280 + 5 * sin(0.3 * i + 2 * m) + 3 * cos(0.05 * i * (m + 1))
  print "; }"
}' | ncgen -o ensemble.nc
works analyse --data ensemble.nc --time 2019-01-01T00 --truth 0 --stations 60 --half-width 4000 --out analysis
says "^4 members, 60 observations, 60 of them assimilated"
there analysis/mean.nc analysis/observations.nc

[[ $draws == networks ]] || exit 0
# Two networks, hardly trained, and what they write of the states.
works train-autoencoder --seed 1 --config config.yaml "${known[@]}" --out autoencoder
works encode --model autoencoder "${known[@]}" --out latents
works train-denoiser --seed 1 --config config.yaml --latents latents --out denoiser
there autoencoder/log.jsonl latents/stats.safetensors denoiser/model_best.safetensors
works reconstruct --model autoencoder "${known[@]}" --period 2019-01-05T00..2019-01-05T05 --out reconstruction
within reconstruction/members/member_001.nc t2m 100 500

# Every task.
task() {
  local kind=$1
  shift
  works "$kind" --seed 1 --config config.yaml --model . "$@"
}
sees=(--data "$data")
task reanalyse "${sees[@]}" --first 2019-01-05T00 --out absent --dry-run
says "absent, reanalyse of 6 states from 2019-01-05T00"
says "for 2 members on 1 rank"
[[ ! -e absent ]] || die "a dry run wrote $(find absent)"
task prior --first 2019-01-05T00 --out prior
task reanalyse "${sees[@]}" --first 2019-01-05T00 --out reanalysis
task reanalyse "${sees[@]}" --first 2019-01-05T06 --out later
task filter "${sees[@]}" --first 2019-01-05T05 --out filter
task forecast --from reanalysis --first 2019-01-05T06 --out forecast
task persistence "${sees[@]}" --first 2019-01-05T06 --out persistence
task cycle "${sees[@]}" --first 2019-01-05T00 --lead 2 --out cycle
for run in prior reanalysis later filter forecast cycle/2019-01-05T0{0,2}/{analysis,forecast}; do
  there $run/{run.json,mean.nc,spread.nc} $run/members/member_00{1,2}.nc
  within $run/mean.nc t2m 100 500
  within $run/spread.nc t2m 0 200
done
there reanalysis/observations.nc persistence/members/member_001.nc
works inspect --values reanalysis/mean.nc
says "^sst .* 6 x 13 x 24 .* not finite"
# What was lost is drawn again to the same bytes; another run's folder is not written into.
cp reanalysis/members/member_002.nc kept.nc
rm reanalysis/members/member_002.nc
task reanalyse "${sees[@]}" --first 2019-01-05T00 --out reanalysis
cmp kept.nc reanalysis/members/member_002.nc || die "a member that was drawn again is another"
fails "steps: 2 there, 3 here" reanalyse --seed 1 --config config.yaml --model . "${sees[@]}" --first 2019-01-05T00 --out reanalysis assimilation.sampler.steps=3
fails "nowhere" reanalyse --config config.yaml --model nowhere "${sees[@]}" --first 2019-01-05T00 --out absent
fails "there is no date 2019-2-30" prior --config config.yaml --model . --first 2019-02-30 --out absent

# Methods beside each other. The state of an hour ago, and what instruments saw, say more than other days do.
baseline() {
  works baseline $2 --seed 2 --like $1 "${known[@]}" --climate climate.nc --out $1-$2 --members 2 --samples 40 --period 2019-01-01..2019-01-04
  there $1-$2/run.json $1-$2/members/member_001.nc
  within $1-$2/members/member_001.nc t2m 150 350
}
for method in climatology persistence optimal-interpolation; do baseline reanalysis $method; done
baseline later persistence
judge() {
  local report=$1
  shift
  works evaluate --truth "$data" --statistics stats.nc --climate climate.nc --out $report "$@"
  there $report/report.md $report/report.json
  cmp $report/report.md out.txt
}
judge report a=reanalysis climatology=reanalysis-climatology persistence=reanalysis-persistence interpolation=reanalysis-optimal-interpolation
for title in "The whole globe" "Where nothing was observed" "By variable and level" "Observations that were left out"; do says "^## $title"; done
there report/scores_{a,climatology,persistence,interpolation}.nc
for better in persistence interpolation; do
  awk -v a="$(cell report $better z500)" -v b="$(cell report climatology z500)" 'BEGIN {exit !(a > 0 && a < b)}' || die "$better is no better than climatology: $(cat out.txt)"
done
judge perfect truth=era5/single-levels-2019-01.nc --physics-every 0
[[ $(cell perfect truth t2m) == 0 ]] || die "the truth is not true: $(cat out.txt)"
# Every start has its own observations, every method those of its start.
left_out() { awk -F ' *[|] *' -v name="$2, 2m_temperature" '$2 == name {print $3}' "$1/report.md"; }
judge starts a=reanalysis a=later b=reanalysis-persistence b=later-persistence --physics-every 0
judge second a=later --physics-every 0
[[ $(left_out starts a) == $(($(left_out report a) + $(left_out second a))) && $(left_out starts b) == "$(left_out starts a)" ]] ||
  die "left out are $(left_out report a) and $(left_out second a), of both starts $(left_out starts a) and $(left_out starts b)"
fails "there is no file nowhere" evaluate a=reanalysis --truth 'nowhere/*.nc' --out absent

# Files are CF's; pictures are drawn where Python can.
for file in reanalysis-climatology/mean.nc report/scores_a.nc seen.nc; do
  ncdump -h $file >out.txt
  says ':Conventions = "CF-1'
done
if /usr/bin/python3 -c "import matplotlib, netCDF4" 2>err.txt || python3 -c "import matplotlib, netCDF4" 2>err.txt; then
  works render all report --channels t2m z500
  works render maps reanalysis maps.png --truth "$data" --channels t2m
  for picture in report/{scores,levels,windows,power,ranks,errors,balances}.png maps.png; do
    [[ $(head -c 8 $picture | od -An -tx1 | tr -d ' \n') == 89504e470d0a1a0a ]] || die "$picture is no picture"
  done
  fails "render maps drew nothing" render maps nowhere absent --truth "$data"
else
  fails "pictures need Python" render all report
fi
