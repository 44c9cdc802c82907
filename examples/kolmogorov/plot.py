#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what `kolmogorov --out` wrote: plot.py FILE.nc PICTURE.png [--frames 0,3,...]

A column for each state; below one another the truth, what was seen (blank where nothing was), the first member, the ensemble's mean and the mean's error.
"""
import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from netCDF4 import Dataset

plt.rcParams.update({"font.size": 9, "figure.dpi": 110, "savefig.dpi": 110, "axes.edgecolor": "#666666", "axes.linewidth": 0.7})


def blocks(file, frame):
    """What was seen of a state on blocks [y, x], in its place on the torus (elsewhere NaN); speed where velocity was seen. None: nothing."""
    times = file["seen_time"][:]
    found = np.flatnonzero(np.isclose(times, file["time"][frame]))
    if len(found) == 0:
        return None
    seen = np.asarray(file["observation"][int(found[0])], float)
    one = seen[0] if len(seen) == 1 else np.hypot(seen[0], seen[1])
    at = np.asarray(file["seen_x"][:])
    width = at[1] - at[0]
    first, count = int(round((at[0] - width / 2) / width)), int(round(2 * np.pi / width))
    whole = np.full((count, count), np.nan)
    whole[first:first + len(one), first:first + len(one)] = one
    return whole


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("picture")
    parser.add_argument("--frames", help="states to show, by number from 0 (five: seen and not seen in turn)")
    arguments = parser.parse_args()
    with Dataset(arguments.file) as file:
        length = len(file["time"])
        if arguments.frames:
            frames = [int(f) for f in arguments.frames.split(",")]
        else:
            seen = [round(float(t / file["time"][1])) for t in file["seen_time"][:]]
            shown = [seen[round(i * (len(seen) - 1) / 2)] for i in range(3)]
            frames = sorted({*shown, *(f + (seen[1] - seen[0]) // 2 for f in shown[:2])} if len(seen) > 1 else {*shown})
        if any(not 0 <= f < length for f in frames):
            parser.error(f"states are numbered 0 to {length - 1}")
        truth, members = np.asarray(file["truth"][:]), np.asarray(file["vorticity"][:])
        mean = members.mean(axis=0)
        velocity = len(file.dimensions["component"]) == 2
        reading = "" if file.observation_operator == "identity" else f"{file.observation_operator} of "
        rows = [("truth", truth), (f"seen: {reading}{'speed' if velocity else 'vorticity'}", None), ("a member", members[0]),
                (f"mean of {len(members)}", mean), ("error of the mean", mean - truth)]
        most = 3 * truth.std()
        fastest = np.abs(np.asarray(file["observation"][:])).max() if velocity else 1
        figure, axes = plt.subplots(len(rows), len(frames), figsize=(1.9 * len(frames) + 0.6, 1.9 * len(rows)), squeeze=False, layout="constrained")
        for row, (name, field) in zip(axes, rows):
            for a, frame in zip(row, frames):
                shown = field[frame] if field is not None else blocks(file, frame)
                a.set_xticks([])
                a.set_yticks([])
                if shown is None:
                    a.text(0.5, 0.5, "not seen", ha="center", va="center", transform=a.transAxes, color="#8a8f98")
                elif field is not None:
                    image = a.imshow(shown, origin="lower", cmap="RdBu_r", vmin=-most, vmax=most)
                else:
                    a.imshow(shown, origin="lower", cmap="viridis" if velocity else "RdBu_r", vmin=0 if velocity else -1, vmax=fastest)
            row[0].set_ylabel(name)
        for a, frame in zip(axes[0], frames):
            a.set_title(f"t = {file['time'][frame]:.1f}")
        figure.colorbar(image, ax=axes[[0, 2, 3, 4]].ravel().tolist(), shrink=0.5, label="vorticity")
        figure.savefig(arguments.picture)


if __name__ == "__main__":
    main()
