#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the records of `lorenz96 benchmark`: plot_benchmark.py RECORDS.json PICTURE

One row of panels a task: error of the analysis, seed by seed and in the mean, beside what is published; the same against the
time an analysis takes; spread over error; and error by step of the window, of methods that see whole windows.
"""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

INK, SEED, PUBLISHED = "#222222", "#1f6fb4", "#d1495b"
plt.rcParams.update({
    "font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.edgecolor": "#666666",
    "axes.linewidth": 0.7, "legend.frameon": False, "legend.fontsize": 8, "axes.spines.top": False, "axes.spines.right": False,
})


def number(value):
    return np.nan if value is None else float(value)


class Method:
    """The records of one method on one task."""

    def __init__(self, records):
        self.name = records[0]["method"]
        self.published = number(records[0].get("published"))
        self.records = records

    def __getitem__(self, column):
        return np.array([number(r.get(column)) for r in self.records])

    def mean(self, column):
        values = self[column]
        return np.nan if np.isnan(values).all() else np.nanmean(values)

    def by_position(self):
        return np.array([r["rmse_by_position"] for r in self.records if r.get("rmse_by_position")], dtype=float)


def grouped(records):
    tasks = {}
    for r in records:
        key = r["method"] + json.dumps(r["parameters"], sort_keys=True)
        tasks.setdefault(r["task"], {}).setdefault(key, []).append(r)
    return {task: [Method(rows) for rows in methods.values()] for task, methods in tasks.items()}


def errors(axes, methods, task):
    at = np.arange(len(methods))
    for i, m in enumerate(methods):
        axes.plot(np.full(len(m.records), i), m["rmse_analysis"], ".", color=SEED, alpha=0.6)
        axes.plot([i - 0.3, i + 0.3], [m.mean("rmse_analysis")] * 2, color=INK, lw=1.5)
    axes.plot(at, [m.published for m in methods], "D", mfc="none", mec=PUBLISHED, label="published")
    axes.set_xticks(at, [m.name for m in methods], rotation=45, ha="right")
    axes.set_yscale("log")
    axes.set_title(f"{task}: error of the analysis")
    if any(np.isfinite(m.published) for m in methods):
        axes.legend()


def against_time(axes, methods):
    for m in methods:
        x, y = 1e3 * m["seconds_per_analysis"].min(), m.mean("rmse_analysis")
        axes.plot(x, y, "o", color=SEED, ms=4)
        axes.annotate(m.name, (x, y), textcoords="offset points", xytext=(4, 3), fontsize=7)
    axes.set(xscale="log", yscale="log", xlabel="ms an analysis")
    axes.set_title("... against its time")


def calibration(axes, methods):
    at = np.arange(len(methods))
    axes.axhline(1, color="#8a8f98", lw=0.8)
    axes.plot(at, [m.mean("spread_skill") for m in methods], "o", color=SEED, ms=4)
    axes.set_xticks(at, [m.name for m in methods], rotation=45, ha="right")
    axes.set_ylim(0, 2)
    axes.set_title("spread over error")


def positions(axes, methods):
    for m in methods:
        curves = m.by_position()
        if curves.size:
            axes.plot(curves.mean(axis=0), lw=1.2, label=m.name)
    axes.set(xlabel="step of the window", yscale="log")
    axes.set_title("error by step")
    axes.legend()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1]) as file:
        tasks = grouped(json.load(file))
    windows = any(m.by_position().size for methods in tasks.values() for m in methods)
    columns = 4 if windows else 3
    figure, all_axes = plt.subplots(len(tasks), columns, figsize=(3.6 * columns, 3.1 * len(tasks)), squeeze=False, layout="constrained")
    for axes, (task, methods) in zip(all_axes, tasks.items()):
        errors(axes[0], methods, task)
        against_time(axes[1], methods)
        calibration(axes[2], methods)
        if windows:
            positions(axes[3], methods)
    figure.savefig(sys.argv[2], format="png", dpi=110)


if __name__ == "__main__":
    main()
