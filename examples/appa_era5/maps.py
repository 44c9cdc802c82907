#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws maps of an hour of ERA5-like files: maps.py PATTERN... --time 2019-01-15T12 --out maps.png"""
import argparse
import glob
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import netCDF4
import numpy as np

PANELS = [  # variable, level, colours, scale, limits, what it is
    ("t2m", None, "RdYlBu_r", 1, (230, 315), "2 m temperature (K)"),
    ("msl", None, "viridis", 0.01, (970, 1040), "mean sea level pressure (hPa)"),
    ("sst", None, "RdYlBu_r", 1, (270, 305), "sea surface temperature (K)"),
    ("tp", None, "YlGnBu", 1000, (0, 2), "precipitation (mm/h)"),
    ("u10", None, "PuOr", 1, (-15, 15), "10 m eastward wind (m/s)"),
    ("z", 500, "viridis", 1 / 9.80665, (4900, 5950), "height of 500 hPa (m)"),
    ("t", 850, "RdYlBu_r", 1, (240, 300), "temperature at 850 hPa (K)"),
    ("u", 250, "PuOr", 1, (-70, 70), "eastward wind at 250 hPa (m/s)"),
    ("v", 250, "PuOr", 1, (-50, 50), "northward wind at 250 hPa (m/s)"),
    ("q", 700, "YlGnBu", 1000, (0, 10), "specific humidity at 700 hPa (g/kg)"),
]


def fields_at(patterns, when):
    """{(short name, level): field}, latitudes, longitudes of the hour `when`, from all files that have it."""
    found, axes = {}, None
    for path in sorted(p for pattern in patterns for p in glob.glob(pattern)):
        with netCDF4.Dataset(path) as data:
            if "valid_time" not in data.variables:
                continue
            seconds = np.asarray(data["valid_time"][:])
            at = np.flatnonzero(seconds == when.astype("datetime64[s]").astype("int64"))
            if not at.size:
                continue
            axes = np.asarray(data["latitude"][:]), np.asarray(data["longitude"][:])
            for name, _, _, _, _, _ in PANELS:
                if name not in data.variables:
                    continue
                field = np.ma.filled(data[name][at[0]], np.nan)
                if "pressure_level" in data[name].dimensions:
                    for level, one in zip(np.asarray(data["pressure_level"][:]), field):
                        found[name, int(level)] = one
                else:
                    found[name, None] = field
    return found, axes


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--time", required=True, type=np.datetime64)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    found, axes = fields_at(options.files, options.time)
    panels = [p for p in PANELS if (p[0], p[1]) in found]
    if not panels:
        sys.exit(f"no field at {options.time} in {options.files}")
    latitude, longitude = axes
    rows = (len(panels) + 1) // 2
    figure, grid = plt.subplots(rows, 2, figsize=(13, 2.9 * rows), constrained_layout=True, squeeze=False)
    for ax in grid.flat[len(panels):]:
        ax.axis("off")
    for ax, (name, level, colours, scale, limits, title) in zip(grid.flat, panels):
        ax.set_facecolor("0.8")
        image = ax.pcolormesh(longitude, latitude, scale * found[name, level], cmap=colours, vmin=limits[0], vmax=limits[1], shading="nearest")
        if name in ("msl", "z"):
            ax.contour(longitude, latitude, scale * found[name, level], 16, colors="white", linewidths=0.5)
        ax.set(title=title, yticks=[-60, -30, 0, 30, 60], xticks=[0, 90, 180, 270])
        figure.colorbar(image, ax=ax, fraction=0.03)
    figure.suptitle(str(options.time))
    figure.savefig(options.out, dpi=80)


if __name__ == "__main__":
    main()
