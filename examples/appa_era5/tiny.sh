#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to reanalyses and forecasts with the tiny configuration: synthesize, stats, train the autoencoder, encode, train the
# denoiser, prior; then reanalyses of 1 to 48 hours, a filter and a forecast from simulated observations, baselines, a report, pictures.
# The halves take some 20 minutes each on four cores, and 3 GB of disk; networks and members that were finished are not made again.
#   tiny.sh APPA [FOLDER] [key=value ...]
set -euo pipefail
[[ $# -ge 1 && $1 != -h && $1 != --help ]] || {
  echo "usage: tiny.sh path/to/appa [folder] [key=value ...]: everything lands in the folder (tiny)" >&2
  exit 2
}
appa=$(realpath "$1") here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${2:-tiny}
shift $(($# < 2 ? $# : 2))
config=$here/configs/tiny.yaml
mkdir -p "$folder"
cd "$folder"
# Each worker of the training is a thread; more threads inside would only get in their way.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
variables=2m_temperature,10m_u_component_of_wind,10m_v_component_of_wind,mean_sea_level_pressure
variables+=,temperature,u_component_of_wind,v_component_of_wind,geopotential,specific_humidity
levels=500,850

run() {
  echo "== appa $*"
  "$appa" "$@"
}
[[ -e stats.nc ]] || {
  run synthesize --seed 1 --out era5 --period 2015-03-21..2019-03-20 --grid 64x33 --variables $variables --levels $levels
  run stats --data 'era5/*-levels-*.nc' --out stats.nc --variables $variables --levels $levels --period 2015-03-21..2019-03-01
}
run train-autoencoder --seed 1 --config "$config" --data 'era5/*-levels-*.nc' --statistics stats.nc --out autoencoder --resume "$@"
run encode --model autoencoder --data 'era5/*-levels-*.nc' --statistics stats.nc --out latents
run train-denoiser --seed 1 --config "$config" --latents latents --out denoiser --resume "$@"
run prior --seed 1 --config "$config" --model . --out prior --first 2019-03-14T00 --members 3 --workers 3 assimilation.sampler.name=lms assimilation.sampler.steps=64
run reconstruct --model autoencoder --data 'era5/*-levels-*.nc' --statistics stats.nc --period 2019-03-14T00..2019-03-14T23 --out reconstruction
"$appa" render curves autoencoder autoencoder.png
"$appa" render curves denoiser denoiser.png
"$appa" render fields prior fields.png --truth 'era5/*-levels-*.nc' --reconstruction reconstruction
"$appa" render spectra prior spectra.png --truth 'era5/*-levels-*.nc' --reconstruction reconstruction

# Analyses of one hour, given ever more hours before it; the forecast begins there.
last=2019-03-16T00 truth='era5/*-levels-*.nc'
task() {
  local name=$1 kind=$2
  shift 2
  run "$kind" --seed 1 --config "$config" --model . --data "$truth" --workers "${APPA_WORKERS:-4}" --out "runs/$name" "$@"
}
from_last() { date -u -d "${last/T/ }:00Z $1 hours" +%Y-%m-%dT%H; }
for hours in 1 4 8 24 48; do
  task "reanalysis-$hours" reanalyse --hours $hours --first "$(from_last "- $((hours - 1))")"
done
task filter filter --hours 8 --first $last
task forecast forecast --from runs/reanalysis-24 --lead 72 --first "$(from_last "+ 1")"

past="--period 2015-03-21..2019-03-01"
[[ -e climate.nc ]] || run climate --data "$truth" --out climate.nc --variables $variables --levels $levels $past
for of in reanalysis-24 reanalysis-48 forecast; do
  for method in climatology persistence optimal-interpolation; do
    [[ $of == forecast && $method == optimal-interpolation ]] ||
      run baseline $method --seed 2 --like runs/$of --data "$truth" --out "baselines/$of-$method" --members 10 --statistics stats.nc --climate climate.nc $past
  done
done
report() {
  local name=$1
  shift
  run evaluate --truth "$truth" --statistics stats.nc --climate climate.nc --out "reports/$name" "$@" > "report-$name.txt"
  "$appa" render all "reports/$name"
}
for of in reanalysis-24 reanalysis-48; do
  report $of reanalysis=runs/$of climatology=baselines/$of-climatology persistence=baselines/$of-persistence interpolation=baselines/$of-optimal-interpolation
done
report windows $(for hours in 1 4 8 24 48; do echo "$hours-h=runs/reanalysis-$hours"; done)
report forecast forecast=runs/forecast climatology=baselines/forecast-climatology persistence=baselines/forecast-persistence
"$appa" render maps runs/reanalysis-24 maps.png --truth "$truth"
"$appa" render animation runs/forecast forecast.gif --truth "$truth"
echo "== $PWD: report-*.txt reports/ maps.png forecast.gif autoencoder.png denoiser.png fields.png spectra.png"
