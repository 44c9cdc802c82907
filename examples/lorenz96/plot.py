#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what `lorenz96 assimilate` wrote: plot.py ANALYSIS.nc PREFIX [--window N] [--site N]

PREFIX.png            all of it on one page
PREFIX-hovmoller.png  truth, observations, posterior mean, error over time and ring
PREFIX-series.png     one site: members, mean, truth, observations
PREFIX-ranks.png      rank histogram, and the error by position in the window
"""
import argparse
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from netCDF4 import Dataset

INK, TRUTH, POSTERIOR, SEEN, BASELINE = "#222222", "#222222", "#1f6fb4", "#d1495b", "#8a8f98"
plt.rcParams.update({
    "font.size": 9, "axes.titlesize": 10, "axes.titlelocation": "left", "axes.titleweight": "bold", "axes.edgecolor": "#666666",
    "axes.linewidth": 0.7, "xtick.color": "#444444", "ytick.color": "#444444", "axes.labelcolor": INK, "legend.frameon": False,
    "legend.fontsize": 8, "figure.dpi": 110, "savefig.dpi": 110, "axes.spines.top": False, "axes.spines.right": False,
})


def read(path):
    """The file's variables as arrays (missing: NaN) and its attributes."""
    with Dataset(path) as file:
        about = {name: file.getncattr(name) for name in file.ncattrs()}
        data = {name: np.ma.filled(np.ma.masked_invalid(v[:]).astype(float), np.nan) for name, v in file.variables.items()}
    return data, about


class Window:
    """One window of the analysis, by model time."""

    def __init__(self, path, number):
        data, about = read(path)
        self.length = int(about["window_steps"])
        count = len(data["time"]) // self.length
        if not 0 <= number < count:
            sys.exit(f"{path} has windows 0 to {count - 1}, not {number}")
        self.steps = slice(number * self.length, (number + 1) * self.length)
        self.all, self.about = data, about
        self.time = np.arange(self.length) * float(about["step_in_model_time"])
        self.sites = np.arange(data["mean"].shape[1])

    def __getitem__(self, name):
        return self.all[name][self.steps] if name in self.all else None

    def site(self):
        """A site to show: the one seen most of those seen least, so that the posterior has something to do."""
        seen = np.isfinite(self["observation"]).sum(axis=0)
        some = np.where(seen > 0, seen, np.inf)
        return int(np.argmin(some)) if np.isfinite(some).any() else 0


def hovmoller(axes, window):
    """Truth, observations, mean and error, the latter on a scale of its own: time to the right, the ring upwards."""
    truth, mean, seen = window["truth"], window["mean"], window["observation"]
    limit = np.nanmax(np.abs(truth if truth is not None else mean))
    reading = np.nanmax(np.abs(seen)) if np.isfinite(seen).any() else 1
    through = window.about["observation_operator"]
    error = None if truth is None else mean - truth
    panels = [("Truth", truth, limit, "RdBu_r"), (f"Observations: {through}, error {float(window.about['observation_error']):g}", seen, reading, "RdBu_r"),
              (f"Posterior mean of {int(window.about['members'])} members", mean, limit, "RdBu_r"),
              ("Error of the mean", error, 1 if error is None else np.nanmax(np.abs(error)), "PuOr_r")]
    for ax, (title, field, top, colours) in zip(axes, panels):
        ax.set_title(title)
        ax.set_ylabel("site")
        ax.set_facecolor("#f2f2f2")
        if field is None:
            continue
        image = ax.pcolormesh(window.time, window.sites, field.T, cmap=colours, vmin=-top, vmax=top, shading="nearest", rasterized=True)
        ax.figure.colorbar(image, ax=ax, pad=0.01, aspect=12)
        ax.tick_params(labelbottom=ax is axes[-1])
    axes[-1].set_xlabel("time")


def series(ax, window, site):
    """The members at one site, and what they should agree with."""
    at = lambda name: window[name][..., site]
    ax.set_title(f"Site {site}")
    ax.plot(window.time, at("member"), color=POSTERIOR, alpha=0.25, lw=0.8)
    ax.plot([], [], color=POSTERIOR, alpha=0.5, lw=0.8, label="members")
    ax.plot(window.time, at("mean"), color=POSTERIOR, lw=1.8, label="mean")
    if window["truth"] is not None:
        ax.plot(window.time, at("truth"), color=TRUTH, lw=1.2, ls=(0, (4, 2)), label="truth")
    ax.set_xlabel("time")
    ax.set_ylabel("x")
    ax.margins(x=0.005)
    seen = at("observation")
    there = np.isfinite(seen)
    if window.about["observation_operator"] == "identity":
        ax.plot(window.time[there], seen[there], ".", color=SEEN, ms=5, label="observations")
    elif there.any():
        right = ax.twinx()
        right.spines["right"].set_visible(True)
        right.plot(window.time[there], seen[there], ".", color=SEEN, ms=4, alpha=0.8)
        right.set_ylabel(f"{window.about['observation_operator']} (observed)", color=SEEN)
        right.tick_params(axis="y", colors=SEEN)
        ax.plot([], [], ".", color=SEEN, ms=5, label="observations (right)")
    ax.legend(ncol=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), borderaxespad=0.1)


def ranks(ax, window):
    """How often the truth had which rank among the members; level if the posterior is calibrated."""
    ax.set_title("Rank of the truth")
    ax.set_xlabel("rank among the members")
    ax.set_ylabel("frequency / uniform")
    count = window.all.get("rank_count")
    if count is None or count.sum() == 0:
        return
    share = count / count.mean()
    ax.bar(np.arange(len(share)), share, width=0.92, color=POSTERIOR)
    ax.axhline(1, color=INK, lw=0.9, ls=(0, (4, 2)))
    ax.margins(x=0.01)


def positions(ax, window):
    """RMSE against the position in the window, for every method in the file."""
    ax.set_title("Error by position in the window")
    ax.set_xlabel("time in the window")
    ax.set_ylabel("RMSE")
    styles = {"rmse_score": ("score smoother", POSTERIOR, "-"), "rmse_finished": ("score, finished", SEEN, "-"), "rmse_oi_window": ("OI, whole window", BASELINE, "-"),
              "rmse_oi": ("OI, one time", BASELINE, (0, (4, 2))), "rmse_climatology": ("climatology", BASELINE, ":")}
    for name, (label, colour, style) in styles.items():
        if name in window.all:
            ax.plot(window.time, window.all[name], color=colour, ls=style, lw=1.8 if name == "rmse_score" else 1.2, label=label)
    ax.set_ylim(0, 1.5 * ax.get_ylim()[1])  # the legend has the space above
    ax.margins(x=0.01)
    ax.legend(ncol=2, loc="upper center", columnspacing=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("analysis")
    parser.add_argument("prefix")
    parser.add_argument("--window", type=int, default=0, help="which window to draw")
    parser.add_argument("--site", type=int, help="which site's time series; by default one that is seldom seen")
    options = parser.parse_args()
    window = Window(options.analysis, options.window)
    site = window.site() if options.site is None else options.site
    if not 0 <= site < len(window.sites):
        sys.exit(f"{options.analysis} has sites 0 to {len(window.sites) - 1}, not {site}")

    figure, axes = plt.subplots(4, 1, figsize=(8, 8), sharex=True, constrained_layout=True)
    hovmoller(axes, window)
    figure.savefig(f"{options.prefix}-hovmoller.png")

    figure, ax = plt.subplots(figsize=(8, 3), constrained_layout=True)
    series(ax, window, site)
    figure.savefig(f"{options.prefix}-series.png")

    figure, axes = plt.subplots(1, 2, figsize=(8, 3), constrained_layout=True)
    ranks(axes[0], window)
    positions(axes[1], window)
    figure.savefig(f"{options.prefix}-ranks.png")

    figure = plt.figure(figsize=(8, 9.2), constrained_layout=True)
    grid = figure.add_gridspec(6, 2, height_ratios=[1, 1, 1, 1, 1.35, 1.35])
    hovmoller([figure.add_subplot(grid[row, :]) for row in range(4)], window)
    series(figure.add_subplot(grid[4, :]), window, site)
    ranks(figure.add_subplot(grid[5, 0]), window)
    positions(figure.add_subplot(grid[5, 1]), window)
    figure.savefig(f"{options.prefix}.png")


if __name__ == "__main__":
    main()
