#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From nothing to samples with the tiny configuration: synthesize, stats, train the autoencoder, encode, train the denoiser,
# sample, pictures. Twenty minutes on four cores.   tiny.sh APPA [FOLDER] [key=value ...]
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
python=$(command -v /usr/bin/python3 || command -v python3)
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
  run synthesize --seed 1 --out era5 --period 2018-03-21..2019-03-20 --grid 64x33 --variables $variables --levels $levels
  run stats --data 'era5/*-levels-*.nc' --out stats.nc --variables $variables --levels $levels --period 2018-03-21..2019-03-01
}
run train-autoencoder --seed 1 --config "$config" --data 'era5/*-levels-*.nc' --statistics stats.nc --out autoencoder --resume "$@"
run encode --model autoencoder --data 'era5/*-levels-*.nc' --statistics stats.nc --out latents
run train-denoiser --seed 1 --config "$config" --latents latents --out denoiser --resume "$@"
run sample --seed 1 --latents latents --model denoiser --out samples --first 2019-03-14T00 --members 3 --data 'era5/*-levels-*.nc'
"$python" "$here/render.py" curves autoencoder autoencoder.png
"$python" "$here/render.py" curves denoiser denoiser.png
"$python" "$here/render.py" fields samples fields.png
"$python" "$here/render.py" spectra samples spectra.png
echo "== $PWD: autoencoder.png denoiser.png fields.png spectra.png"
tail -n 1 autoencoder/log.jsonl denoiser/log.jsonl
