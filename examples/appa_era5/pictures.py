#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what training and sampling wrote.

pictures.py curves FOLDER OUT.png    the losses of a training folder (log.jsonl)
pictures.py fields FOLDER OUT.png    truth, reconstruction and samples of `appa sample`, side by side
pictures.py spectra FOLDER OUT.png   their power by zonal wavenumber, and ratios to the truth
"""
import argparse
import glob
import json
import os

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import netCDF4
import numpy as np

plt.rcParams.update({"font.size": 9, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
                     "legend.frameon": False, "figure.dpi": 110, "savefig.dpi": 110})
WANTED = [("t2m", None, "RdYlBu_r", 1, "2 m temperature (K)"), ("msl", None, "viridis", 0.01, "sea level pressure (hPa)"),
          ("z", 500, "viridis", 1 / 9.80665, "height of 500 hPa (m)"), ("u", 850, "PuOr", 1, "eastward wind at 850 hPa (m/s)"),
          ("t", 850, "RdYlBu_r", 1, "temperature at 850 hPa (K)"), ("q", 850, "YlGnBu", 1000, "specific humidity at 850 hPa (g/kg)")]


def curves(folder, out):
    lines = [json.loads(line) for line in open(os.path.join(folder, "log.jsonl"))]
    figure, axis = plt.subplots(figsize=(7, 4))
    trained = [(l["step"], l["loss"]) for l in lines if l.get("loss") is not None]
    axis.plot(*zip(*trained), color="#1f6fb4", lw=1, label="training loss")
    checked = [(l["step"], l["validation"]) for l in lines if "validation" in l]
    for name, colour in (("loss", "#d1495b"), ("rmse", "#2a9d8f"), ("climatology", "#8a8f98")):
        points = [(step, v[name]) for step, v in checked if name in v]
        if points:
            axis.plot(*zip(*points), "o-", ms=3, lw=1, color=colour, label="validation: " + name)
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.legend()
    figure.tight_layout()
    figure.savefig(out)


def read(folder, name):
    """{(short name, level): fields [time, latitude, longitude]}"""
    found = {}
    for path in glob.glob(os.path.join(folder, name + "_*.nc")):
        with netCDF4.Dataset(path) as data:
            for short, level, *_ in WANTED:
                if short not in data.variables:
                    continue
                field = np.ma.filled(data[short][:].astype(float), np.nan)
                if "pressure_level" in data[short].dimensions:
                    levels = [int(p) for p in data["pressure_level"][:]]
                    if level in levels:
                        found[short, level] = field[:, levels.index(level)]
                else:
                    found[short, None] = field
    return found


def everything(folder):
    names = [n for n in ("truth", "reconstruction") if glob.glob(os.path.join(folder, n + "_*.nc"))]
    count = 1
    while glob.glob(os.path.join(folder, f"sample_{count}_*.nc")):
        names.append(f"sample_{count}")
        count += 1
    return {name: read(folder, name) for name in names}


def fields(folder, out):
    found = everything(folder)
    shown = list(found)[:5]
    first = found[shown[0]]
    rows = [w for w in WANTED if (w[0], w[1]) in first]
    figure, axes = plt.subplots(len(rows), len(shown), figsize=(3 * len(shown), 1.7 * len(rows)), squeeze=False)
    for number, (line, (short, level, colours, scale, title)) in enumerate(zip(axes, rows)):
        low, high = np.nanquantile(first[short, level] * scale, [0.005, 0.995])
        for axis, name in zip(line, shown):
            axis.imshow(found[name][short, level][-1] * scale, cmap=colours, vmin=low, vmax=high, extent=(0, 360, -90, 90), aspect="auto")
            axis.set_xticks([])
            axis.set_yticks([])
            if axis is line[0]:
                axis.set_ylabel(title.split(" (")[0].replace(" at ", "\nat "), fontsize=7)
            if number == 0:
                axis.set_title(name.replace("_", " "))
    figure.tight_layout()
    figure.savefig(out)


def power(field):
    """Mean power by zonal wavenumber between 30 and 70 degrees, both hemispheres, all times."""
    rows = np.abs(np.linspace(90, -90, field.shape[-2]))
    some = field[..., (rows > 30) & (rows < 70), :]
    return (np.abs(np.fft.rfft(some, axis=-1) / field.shape[-1]) ** 2).mean(axis=tuple(range(some.ndim - 1)))[1:]


def spectra(folder, out):
    found = everything(folder)
    rows = [w for w in WANTED if all((w[0], w[1]) in f for f in found.values())]
    samples = [n for n in found if n.startswith("sample")]
    figure, axes = plt.subplots(2, (len(rows) + 1) // 2, figsize=(4 * ((len(rows) + 1) // 2), 6), squeeze=False)
    for axis, (short, level, _, scale, title) in zip(axes.flat, rows):
        curve = {n: power(found[n][short, level] * scale) for n in found}
        drawn = {n: curve[n] for n in ("truth", "reconstruction") if n in curve}
        drawn["samples"] = np.mean([curve[n] for n in samples], axis=0)
        for (name, p), colour in zip(drawn.items(), ("#222222", "#2a9d8f", "#1f6fb4")):
            axis.loglog(np.arange(1, len(p) + 1), p, color=colour, lw=1.3, label=name)
        if "truth" in drawn:
            print(title, *(f"{n}/truth " + " ".join(f"{r:.2f}" for r in (p / drawn["truth"])[[0, 3, 7, 15]]) for n, p in drawn.items() if n != "truth"), sep="  ")
        axis.set_title(title)
        axis.set_ylim(bottom=1e-6 * max(p.max() for p in drawn.values()))
        axis.set_xlabel("zonal wavenumber")
    axes.flat[0].legend()
    figure.tight_layout()
    figure.savefig(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["curves", "fields", "spectra"])
    parser.add_argument("folder")
    parser.add_argument("out")
    asked = parser.parse_args()
    {"curves": curves, "fields": fields, "spectra": spectra}[asked.what](asked.folder, asked.out)


if __name__ == "__main__":
    main()
