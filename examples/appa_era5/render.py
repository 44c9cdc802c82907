#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws fields, training, and what `appa evaluate` found."""
import argparse
import glob
import json
import os
import shutil
import sys

try:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.animation
    import matplotlib.pyplot as plt
    import netCDF4
    import numpy as np
except ImportError as missing:
    sys.exit(f"pictures need Python's {missing.name}: on Debian and Ubuntu, apt-get install python3-matplotlib python3-netcdf4")

plt.rcParams.update({"font.size": 9, "axes.titlesize": 9, "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
                     "legend.frameon": False, "figure.dpi": 110, "savefig.dpi": 110})
COLOURS = ["#1f6fb4", "#d1495b", "#2a9d8f", "#e9a03b", "#6f4aa3", "#8a8f98"]
TRUTH = "#222222"
# short name: colours, what multiplies values, their usual range, words
LOOKS = {
    "t2m": ("RdYlBu_r", 1, (230, 315), "2 m temperature (K)"),
    "u10": ("PuOr", 1, (-15, 15), "10 m eastward wind (m/s)"),
    "v10": ("PuOr", 1, (-15, 15), "10 m northward wind (m/s)"),
    "msl": ("viridis", 0.01, (970, 1040), "mean sea level pressure (hPa)"),
    "sst": ("RdYlBu_r", 1, (270, 305), "sea surface temperature (K)"),
    "tp": ("YlGnBu", 1000, (0, 2), "precipitation (mm/h)"),
    "t": ("RdYlBu_r", 1, None, "temperature at {} hPa (K)"),
    "u": ("PuOr", 1, None, "eastward wind at {} hPa (m/s)"),
    "v": ("PuOr", 1, None, "northward wind at {} hPa (m/s)"),
    "z": ("viridis", 1 / 9.80665, None, "height of {} hPa (m)"),
    "q": ("YlGnBu", 1000, None, "specific humidity at {} hPa (g/kg)"),
}
WANTED = ["t2m", "msl", "sst", "tp", "u10", "z500", "t850", "u850", "u250", "v250", "q700", "q850"]


def split(key):
    """z500 is ("z", 500), u10 is ("u10", None)"""
    if key in LOOKS:
        return key, None
    short = key.rstrip("0123456789")
    if short not in LOOKS or short == key:
        sys.exit(f"{key} is no channel; channels are called t2m, z500, q700, ...")
    return short, int(key[len(short):])


def look(key):
    short, level = split(key)
    colours, scale, limits, words = LOOKS[short]
    return colours, scale, limits, words.format(level)


class Fields:
    """Fields by channel and hour, of all files of some patterns."""

    def __init__(self, patterns, member=0):
        self.member, self.files = member, []
        for path in sorted(p for pattern in patterns for p in glob.glob(pattern)):
            data = netCDF4.Dataset(path)
            name = next((n for n in ("time", "valid_time") if n in data.variables), None)
            if name is None:
                continue
            hours = netCDF4.num2date(data[name][:], data[name].units, getattr(data[name], "calendar", "standard"), only_use_cftime_datetimes=False)
            self.files.append((data, name, [np.datetime64(h) for h in np.atleast_1d(hours)]))
        if not self.files:
            sys.exit(f"no file of fields in {' '.join(patterns)}")
        first = self.files[0][0]
        self.latitude, self.longitude = (np.asarray(first[n][:], float) for n in ("latitude", "longitude"))

    def times(self):
        return sorted({t for _, _, times in self.files for t in times})

    def has(self, key):
        short, level = split(key)
        return any(short in data.variables and (level is None or level in self.levels(data)) for data, _, _ in self.files)

    @staticmethod
    def levels(data):
        name = next((n for n in ("pressure_level", "level") if n in data.variables), None)
        return [int(round(float(p))) for p in np.atleast_1d(data[name][:])] if name else []

    def at(self, key, when):
        """latitude x longitude, in the units shown; None if it is not there"""
        short, level = split(key)
        for data, axis, times in self.files:
            if short not in data.variables or when not in times or (level is not None and level not in self.levels(data)):
                continue
            place = {axis: times.index(when), "number": self.member}
            if level is not None:
                place.update({n: self.levels(data).index(level) for n in ("pressure_level", "level")})
            variable = data[short]
            field = variable[tuple(place.get(d, slice(None)) for d in variable.dimensions)]
            return np.ma.filled(np.ma.asarray(field, float), np.nan) * LOOKS[short][1]
        return None


def centred(longitude, field):
    """From -180 on, Europe in the middle."""
    shift = int(np.searchsorted(longitude, 180))
    return np.roll(field, -shift, axis=-1)


def draw(axis, where, field, colours, limits, coast=None):
    edge = (-180, 180, where.latitude[-1], where.latitude[0])
    image = axis.imshow(centred(where.longitude, field), cmap=colours, vmin=limits[0], vmax=limits[1], extent=edge, aspect="auto", interpolation="nearest")
    axis.set_facecolor("0.8")
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
    for line in coast or []:
        axis.plot(line[:, 0], line[:, 1], color="0.25", lw=0.4)
    axis.set(xlim=edge[:2], ylim=edge[2:])
    return image


def coastline(path, where):
    """Lines of longitudes and latitudes: of a GeoJSON file (Natural Earth's, say), else around where the sea has no temperature."""
    lines = []
    if path:
        for feature in json.load(open(path))["features"]:
            shape = feature["geometry"]
            parts = {"LineString": [shape["coordinates"]], "Polygon": shape["coordinates"], "MultiLineString": shape["coordinates"],
                     "MultiPolygon": [r for p in shape["coordinates"] for r in p]}.get(shape["type"], [])
            lines += [np.asarray(p, float)[:, :2] for p in parts]
    elif where.has("sst"):
        land = np.isnan(where.at("sst", next(t for t in where.times() if where.at("sst", t) is not None)))
        if land.any() and not land.all():
            shifted = (where.longitude + 180) % 360 - 180
            order = np.argsort(shifted)
            figure = plt.figure()
            contour = figure.gca().contour(shifted[order], where.latitude, land[:, order].astype(float), [0.5])
            lines = [s for level in contour.allsegs for s in level]
            plt.close(figure)
    return lines


def sighted(folder, key, when):
    """Longitudes, latitudes and values (in the units shown) of what was assimilated of a channel in an hour."""
    path = os.path.join(folder, "observations.nc")
    if not os.path.exists(path):
        return None
    short, level = split(key)
    with netCDF4.Dataset(path) as data:
        names = data["variable"].flag_meanings.split()
        times = netCDF4.num2date(data["time"][:], data["time"].units, only_use_cftime_datetimes=False)
        chosen = (np.asarray(times, "datetime64[h]") == when.astype("datetime64[h]")) & (np.asarray(data["flag"][:]) == 0)
        chosen &= np.array([n == short for n in names])[np.asarray(data["variable"][:], int)]
        if level is not None:
            chosen &= np.abs(np.ma.filled(data["air_pressure"][:], 0) - level) < 0.5
        longitude = (np.asarray(data["longitude"][:])[chosen] + 180) % 360 - 180
        return longitude, np.asarray(data["latitude"][:])[chosen], np.asarray(data["value"][:])[chosen] * LOOKS[short][1]


class Run:
    """What a task wrote: members, or one file."""

    def __init__(self, folder):
        self.folder = folder
        paths = sorted(glob.glob(os.path.join(folder, "members", "*.nc")))
        if paths:
            self.members = [Fields([p]) for p in paths]
        else:
            with netCDF4.Dataset(folder) as data:
                count = len(data.dimensions["number"]) if "number" in data.dimensions else 1
            self.members = [Fields([folder], m) for m in range(count)]

    def at(self, key, when):
        return np.stack([m.at(key, when) for m in self.members])


def limits_of(key, field):
    low, high = np.nanquantile(field, [0.01, 0.99])
    if LOOKS[split(key)[0]][0] == "PuOr":
        high = max(abs(low), abs(high))
        low = -high
    return low, high


def shown_channels(asked, where, most=6):
    keys = [k for k in asked or WANTED if where.has(k)]
    if not keys:
        sys.exit("no channel to show: name some with --channels")
    return keys if asked else keys[:most]


def panels(run, truth, key, when):
    """(title, field, colours, limits) of a channel, and what was seen of it."""
    colours, _, _, _ = look(key)
    true, members = truth.at(key, when), run.at(key, when)
    if true is None:
        sys.exit(f"the truth has no {key} at {when}")
    limits, mean = limits_of(key, true), members.mean(axis=0)
    out = [("truth", true, colours, limits), ("observations", None, colours, limits), ("mean", mean, colours, limits), ("a member", members[0], colours, limits)]
    wide = np.nanquantile(np.abs(mean - true), 0.99)
    if len(members) > 1:
        out.append(("spread", members.std(axis=0, ddof=1), "magma", (0, wide)))
    return out + [("error of the mean", mean - true, "RdBu_r", (-wide, wide))]


def maps(asked):
    """Truth, observations, mean, spread, a member and the error of the mean, in an hour."""
    run, truth = Run(asked.run), Fields(asked.truth, asked.truth_member - 1)
    times = run.members[0].times()
    when = np.datetime64(asked.time).astype(times[0].dtype) if asked.time else times[-1]
    if when not in times:
        sys.exit(f"{asked.run} holds nothing of {when}: its hours are {times[0]} to {times[-1]}")
    keys, coast = shown_channels(asked.channels, run.members[0]), coastline(asked.coast, truth)
    rows = [[p for p in panels(run, truth, k, when) if p[1] is not None or sighted(asked.run, k, when) is not None] for k in keys]
    figure, axes = plt.subplots(len(keys), len(rows[0]), figsize=(2.9 * len(rows[0]), 1.65 * len(keys) + 0.3), squeeze=False, constrained_layout=True)
    for number, (key, row, line) in enumerate(zip(keys, rows, axes)):
        for axis, (title, field, colours, limits) in zip(line, row):
            image = draw(axis, truth, np.full((len(truth.latitude), len(truth.longitude)), np.nan) if field is None else field, colours, limits, coast)
            if field is None:
                longitude, latitude, value = sighted(asked.run, key, when)
                axis.scatter(longitude, latitude, 7, value, cmap=colours, vmin=limits[0], vmax=limits[1], linewidths=0)
            if title in ("truth", "spread", "error of the mean"):
                figure.colorbar(image, ax=axis, fraction=0.04, pad=0.02).ax.tick_params(labelsize=6)
            if number == 0:
                axis.set_title(title)
        line[0].set_ylabel(look(key)[3].replace(" at ", "\nat ").replace(" (", "\n("), fontsize=7)
    figure.suptitle(str(when)[:13], x=0.01, ha="left", fontsize=9)
    figure.savefig(asked.out, dpi=90)


def animation(asked):
    """Truth, mean and a member of one channel, hour by hour."""
    run, truth = Run(asked.run), Fields(asked.truth, asked.truth_member - 1)
    key = shown_channels(asked.channels, run.members[0], 1)[0]
    colours, _, _, words = look(key)
    times, coast = [t for t in run.members[0].times() if truth.at(key, t) is not None], coastline(asked.coast, truth)
    if not times:
        sys.exit(f"the truth has no {key} at any hour of {asked.run}")
    limits = limits_of(key, truth.at(key, times[0]))
    frames = [[("truth", truth.at(key, t)), ("mean", run.at(key, t).mean(axis=0)), ("a member", run.members[0].at(key, t))] for t in times]
    figure, axes = plt.subplots(1, 3, figsize=(12, 2.4), constrained_layout=True)
    images = [draw(axis, truth, field, colours, limits, coast) for axis, (_, field) in zip(axes, frames[0])]
    for axis, (title, _) in zip(axes, frames[0]):
        axis.set_title(title)
    figure.colorbar(images[-1], ax=axes[-1], fraction=0.04)
    about = json.load(open(os.path.join(asked.run, "run.json"))) if os.path.exists(os.path.join(asked.run, "run.json")) else {}
    seen = about.get("assimilated", 0)

    def show(i):
        for image, (_, field) in zip(images, frames[i]):
            image.set_data(centred(truth.longitude, field))
        axes[0].set_title("truth, " + str(times[i])[:13])
        axes[1].set_title("mean, " + ("analysed" if i < seen else "forecast"))

    movie = matplotlib.animation.FuncAnimation(figure, show, len(frames))
    wants_film = asked.out.endswith(".mp4")
    if wants_film and not shutil.which("ffmpeg"):
        sys.exit("a film needs ffmpeg: install it, or name a .gif")
    movie.save(asked.out, writer="ffmpeg" if wants_film else "pillow", fps=8, dpi=90)


# ---- what `appa evaluate` wrote

def report_of(folder):
    return json.load(open(os.path.join(folder, "report.json") if os.path.isdir(folder) else folder))


def main_channels(report, asked, most=6):
    known = {c["key"]: c for c in report["channels"]}
    keys = asked or [k for k in ["t2m", "msl", "u10", "z500", "t850", "q700", "sst", "tp"] if k in known]
    keys += [k for k in known if k not in keys and not asked]
    unknown = [k for k in keys if k not in known]
    if unknown:
        sys.exit(f"the report says nothing of {', '.join(unknown)}; it has {', '.join(known)}")
    return [known[k] for k in (keys if asked else keys[:most])]


def numbers(list_of, scale=1.0):
    return np.array([np.nan if x is None else x for x in list_of], float) * scale


def grid_of(count, width=3.6, height=2.6):
    columns = min(count, 3)
    rows = (count + columns - 1) // columns
    figure, axes = plt.subplots(rows, columns, figsize=(width * columns, height * rows), squeeze=False, constrained_layout=True)
    for axis in axes.flat[count:]:
        axis.axis("off")
    return figure, axes.flat


def words_of(c, units=True):
    return c["short_name"] + (f" {c['level']} hPa" if c["level"] else "") + (f" ({c['shown_units']})" if units else "")


def scores(asked):
    """Error of the mean (lines) and spread (dashes) by lead."""
    report = report_of(asked.report)
    channels = main_channels(report, asked.channels)
    figure, axes = grid_of(len(channels))
    for axis, c in zip(axes, channels):
        for method, colour in zip(report["methods"], COLOURS * 9):
            if asked.region not in method["scores"]:
                continue
            s = method["scores"][asked.region][c["key"]]
            mark = "o-" if len(method["leads"]) == 1 else "-"
            axis.plot(method["leads"], numbers(s["rmse"], c["shown"]), mark, color=colour, lw=1.4, ms=3, label=method["name"])
            if method["members"] > 1:
                axis.plot(method["leads"], numbers(s["spread"], c["shown"]), mark.replace("-", "--"), color=colour, lw=0.9, ms=3)
        axis.axvspan(axis.get_xlim()[0], min(0, axis.get_xlim()[1]), color="0.95", zorder=0, lw=0)
        axis.set(title=words_of(c), xlabel="hours since the last observation", ylim=(0, None))
        axis.margins(x=0)
    figure.suptitle(f"{asked.region}: error of the mean; dashes: spread", x=0.01, ha="left", fontsize=9)
    lines, names = axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="upper right", ncol=len(names), fontsize=7)
    figure.savefig(asked.out)


def levels(asked):
    """Error of the mean (lines) and spread (dashes) by level."""
    report = report_of(asked.report)
    channels = [c for c in main_channels(report, asked.channels, len(report["channels"])) if c["level"]]
    if not channels:
        sys.exit("the report has no fields on levels")
    names = sorted({c["short_name"] for c in channels}, key=[c["short_name"] for c in channels].index)
    figure, axes = grid_of(len(names))
    for axis, name in zip(axes, names):
        column = sorted((c for c in channels if c["short_name"] == name), key=lambda c: c["level"])
        heights = [c["level"] for c in column]
        for method, colour in zip(report["methods"], COLOURS * 9):
            if asked.region not in method["scores"]:
                continue
            for score, mark, width in (("rmse", "o-", 1.4), ("spread", "o--", 0.9)):
                values = numbers([method["scores"][asked.region][c["key"]]["mean"][score] for c in column], column[0]["shown"])
                axis.plot(values, heights, mark, color=colour, lw=width, ms=3, label=method["name"] if score == "rmse" else None)
        axis.set(title=f"{name} ({column[0]['shown_units']})", yscale="log", ylim=(heights[-1] * 1.08, heights[0] / 1.08), xlim=(0, None), ylabel="hPa")
        ticks = heights if len(heights) < 5 else [h for h in heights if h in (1, 3, 10, 20, 50, 100, 200, 300, 500, 700, 1000)]
        axis.set_yticks(ticks, ticks)
        axis.minorticks_off()
    figure.suptitle(f"{asked.region}: error of the mean; dashes: spread", x=0.01, ha="left", fontsize=9)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="upper right", ncol=max(1, len(labels)), fontsize=7)
    figure.savefig(asked.out)


def windows(asked):
    """What is left of the error in the last analysed state, by how long was assimilated."""
    report = report_of(asked.report)
    methods = sorted((m for m in report["methods"] if m["assimilated"] > 0 and 0 in m["leads"]), key=lambda m: m["assimilated"])
    if not methods:
        sys.exit("no method of the report assimilated anything")
    channels = main_channels(report, asked.channels)
    figure, axes = grid_of(len(channels))
    for axis, c in zip(axes, channels):
        for score, style in (("rmse", "o-"), ("spread", "o--"), ("crps", "o:")):
            values = [numbers([m["scores"][asked.region][c["key"]][score][m["leads"].index(0)]], c["shown"])[0] for m in methods]
            axis.plot([m["assimilated"] for m in methods], values, style, ms=3, lw=1.2, color=COLOURS[0], label=score)
        axis.set(title=words_of(c), xlabel="states assimilated", ylim=(0, None))
    axes[0].legend(fontsize=7)
    figure.savefig(asked.out)


def power(asked):
    """Power by degree, with the range of nine tenths of states, beside the truth's."""
    report = report_of(asked.report)
    channels = [c for c in main_channels(report, asked.channels) if any(c["key"] in (m["spectra"] or {}) for m in report["methods"])]
    if not channels:
        sys.exit("the report has no spectra")
    figure, axes = grid_of(len(channels))
    for axis, c in zip(axes, channels):
        true = report["methods"][0]["spectra_of_truth"][c["key"]]
        degree = np.arange(1, len(true["mean"]))
        for method, colour in list(zip(report["methods"], COLOURS * 9)):
            one = (method["spectra"] or {}).get(c["key"])
            if one:
                axis.loglog(degree, numbers(one["mean"])[1:], color=colour, lw=1.2, label=method["name"])
                axis.fill_between(degree, numbers(one["q05"])[1:], numbers(one["q95"])[1:], color=colour, alpha=0.15, lw=0)
        axis.loglog(degree, numbers(true["mean"])[1:], color=TRUTH, lw=1.2, ls="--", label="truth")
        axis.set(title=words_of(c, False), xlabel="degree")
    axes[0].legend(fontsize=7)
    figure.savefig(asked.out)


def ranks(asked):
    """Where the truth falls among the members: flat if both are drawn alike."""
    report = report_of(asked.report)
    methods = [(m, c) for m, c in zip(report["methods"], COLOURS * 9) if m["members"] > 1]
    channels = main_channels(report, asked.channels)
    if not methods:
        sys.exit("no method of the report has members to rank")
    figure, axes = plt.subplots(len(methods), len(channels), figsize=(2.2 * len(channels), 1.6 * len(methods) + 0.3), squeeze=False, constrained_layout=True)
    for line, (method, colour) in zip(axes, methods):
        for axis, c in zip(line, channels):
            count = np.array(method["ranks"][c["key"]], float)
            axis.bar(np.arange(len(count)), count / count.mean(), width=0.9, color=colour)
            axis.axhline(1, color=TRUTH, lw=0.7)
            axis.set(xticks=[0, len(count) - 1])
            if axis in axes[0]:
                axis.set_title(words_of(c, False))
        line[0].set_ylabel(method["name"], fontsize=8)
    figure.savefig(asked.out)


def errors(asked):
    """Signed errors of the mean of the members."""
    report = report_of(asked.report)
    channels = main_channels(report, asked.channels)
    figure, axes = grid_of(len(channels))
    for axis, c in zip(axes, channels):
        for method, colour in zip(report["methods"], COLOURS * 9):
            h = method["errors"][c["key"]]
            density = numbers(h["counts"])
            middle = (h["low"] + (np.arange(len(density)) + 0.5) * (h["high"] - h["low"]) / len(density)) * c["shown"]
            density /= density.sum() * (middle[1] - middle[0])
            axis.plot(middle[1:-1], density[1:-1], color=colour, lw=1.2, label=method["name"])  # beyond, the ends hold all there is
        widest = max(max(abs(m["errors"][c["key"]][q]) for q in ("q05", "q95")) for m in report["methods"]) * c["shown"]
        axis.set(title=words_of(c), yticks=[], xlim=(-2.5 * widest, 2.5 * widest))
    axes[0].legend(fontsize=7)
    figure.savefig(asked.out)


def balances(asked):
    """Hypsometric less geopotential height, and the angle from the geostrophic wind to the wind, by level."""
    report = report_of(asked.report)
    methods = [("truth", report["methods"][0]["balances_of_truth"], TRUTH)] + [(m["name"], m["balances"], c) for m, c in zip(report["methods"], COLOURS * 9)]
    kinds = [("height", "height", 1000, "hypsometric - geopotential height (m)"), ("wind", "cosine", 1, "cosine of the angle from the geostrophic wind")]
    shown = [(kind, part, scale, words, l["level"]) for kind, part, scale, words in kinds for l in methods[0][1] if kind in l]
    if not shown:
        sys.exit("the report has no balances")
    figure, axes = grid_of(len(shown))
    for axis, (kind, part, scale, words, level) in zip(axes, shown):
        for name, levels, colour in methods:
            h = next((l[kind] for l in levels if l["level"] == level and kind in l), None)
            h = h and (h if kind == "height" else h[part])
            if h:
                density = numbers(h["counts"])
                middle = (h["low"] + (np.arange(len(density)) + 0.5) * (h["high"] - h["low"]) / len(density)) * scale
                axis.plot(middle, density / density.sum(), color=colour, lw=1.2, ls="--" if name == "truth" else "-", label=name)
        axis.set(title=f"{level} hPa: {words}", yticks=[])
        if kind == "wind":
            axis.set_yscale("log")
    axes[0].legend(fontsize=7)
    figure.savefig(asked.out)


def everything(asked):
    """All that a report has, into its folder."""
    folder = asked.report if os.path.isdir(asked.report) else os.path.dirname(asked.report) or "."
    for draws in (scores, levels, windows, power, ranks, errors, balances):
        asked.out = os.path.join(folder, draws.__name__ + ".png")
        try:
            draws(asked)
            print(asked.out)
        except SystemExit as nothing:
            print(f"{draws.__name__}: {nothing}")


# ---- fields, training, samples

def weather(asked):
    """All fields of an hour, in their usual ranges."""
    when, where = np.datetime64(asked.time), Fields(asked.files)
    when = when.astype(where.times()[0].dtype)
    keys = [k for k in WANTED if where.has(k) and where.at(k, when) is not None]
    if not keys:
        sys.exit(f"no field at {asked.time} in {' '.join(asked.files)}")
    rows = (len(keys) + 1) // 2
    figure, axes = plt.subplots(rows, 2, figsize=(13, 2.9 * rows), constrained_layout=True, squeeze=False)
    for axis in axes.flat[len(keys):]:
        axis.axis("off")
    for axis, key in zip(axes.flat, keys):
        colours, _, limits, words = look(key)
        field = where.at(key, when)
        image = axis.pcolormesh(where.longitude, where.latitude, field, cmap=colours, shading="nearest", vmin=(limits or limits_of(key, field))[0],
                                vmax=(limits or limits_of(key, field))[1])
        axis.set_facecolor("0.8")
        if key in ("msl", "z500"):
            axis.contour(where.longitude, where.latitude, field, 16, colors="white", linewidths=0.5)
        axis.set(title=words, yticks=[-60, -30, 0, 30, 60], xticks=[0, 90, 180, 270])
        figure.colorbar(image, ax=axis, fraction=0.03)
    figure.suptitle(asked.time)
    figure.savefig(asked.out)


def curves(asked):
    """The losses of a training folder."""
    lines = [json.loads(line) for line in open(os.path.join(asked.folder, "log.jsonl"))]
    figure, axis = plt.subplots(figsize=(7, 4))
    trained = [(l["step"], l["loss"]) for l in lines if l.get("loss") is not None]
    axis.plot(*zip(*trained), color=COLOURS[0], lw=1, label="training loss")
    checked = [(l["step"], l["validation"]) for l in lines if "validation" in l]
    for name, colour in (("loss", COLOURS[1]), ("rmse", COLOURS[2]), ("gaussian", COLOURS[3]), ("climatology", COLOURS[5])):
        points = [(step, v[name]) for step, v in checked if name in v]
        if points:
            axis.plot(*zip(*points), "o-", ms=3, lw=1, color=colour, label="validation: " + name)
    axis.set_yscale("log")
    axis.set_xlabel("step")
    axis.legend()
    figure.tight_layout()
    figure.savefig(asked.out)


def sampled(asked):
    """Truth, reconstruction and members of `appa prior`, by name."""
    found = {"truth": Fields(asked.truth)} if asked.truth else {}
    if asked.reconstruction:
        found["reconstruction"] = Fields([os.path.join(asked.reconstruction, "members", "*.nc")])
    for number, path in enumerate(sorted(glob.glob(os.path.join(asked.folder, "members", "*.nc"))), 1):
        found[f"member {number}"] = Fields([path])
    return found


def fields(asked):
    """Truth, reconstruction and members of `appa prior`, side by side."""
    found = dict(list(sampled(asked).items())[:5])
    shared = set.intersection(*(set(data.times()) for data in found.values()))
    if not shared:
        sys.exit("no hour is in all of " + ", ".join(found))
    first, when = next(iter(found.values())), max(shared)
    keys = [k for k in ("t2m", "msl", "z500", "u850", "t850", "q850") if first.has(k)]
    figure, axes = plt.subplots(len(keys), len(found), figsize=(3 * len(found), 1.7 * len(keys)), squeeze=False)
    for number, (line, key) in enumerate(zip(axes, keys)):
        low, high = np.nanquantile(first.at(key, when), [0.005, 0.995])
        for axis, (name, data) in zip(line, found.items()):
            axis.imshow(data.at(key, when), cmap=look(key)[0], vmin=low, vmax=high, extent=(0, 360, -90, 90), aspect="auto")
            axis.set(xticks=[], yticks=[])
            if axis is line[0]:
                axis.set_ylabel(look(key)[3].split(" (")[0].replace(" at ", "\nat "), fontsize=7)
            if number == 0:
                axis.set_title(name.replace("_", " "))
    figure.tight_layout()
    figure.savefig(asked.out)


def zonal_power(data, key, times):
    """Mean power by zonal wavenumber between 30 and 70 degrees, both hemispheres."""
    some = np.stack([data.at(key, t) for t in times])[:, (np.abs(data.latitude) > 30) & (np.abs(data.latitude) < 70)]
    return (np.abs(np.fft.rfft(some, axis=-1) / some.shape[-1]) ** 2).mean(axis=(0, 1))[1:]


def spectra(asked):
    """Their power by zonal wavenumber, and ratios to the truth."""
    found = sampled(asked)
    times = list(found.values())[-1].times()
    keys = [k for k in ("t2m", "msl", "z500", "u850", "t850", "q850") if all(f.has(k) for f in found.values())]
    samples = [n for n in found if n.startswith("member")]
    figure, axes = grid_of(len(keys), 4, 3)
    for axis, key in zip(axes, keys):
        curve = {n: zonal_power(found[n], key, times) for n in found}
        drawn = {n: curve[n] for n in ("truth", "reconstruction") if n in curve}
        drawn["members"] = np.mean([curve[n] for n in samples], axis=0)
        for (name, p), colour in zip(drawn.items(), (TRUTH, COLOURS[2], COLOURS[0])):
            axis.loglog(np.arange(1, len(p) + 1), p, color=colour, lw=1.3, label=name)
        if "truth" in drawn:
            print(look(key)[3], *(f"{n}/truth " + " ".join(f"{r:.2f}" for r in (p / drawn["truth"])[[0, 3, 7, 15]]) for n, p in drawn.items() if n != "truth"), sep="  ")
        axis.set(title=look(key)[3], ylim=(1e-6 * max(p.max() for p in drawn.values()), None), xlabel="zonal wavenumber")
    axes[0].legend()
    figure.savefig(asked.out)


def main():
    parser = argparse.ArgumentParser(prog="appa render", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)

    def kind(draws, name=None, **positional):
        one = kinds.add_parser(name or draws.__name__, help=draws.__doc__, description=draws.__doc__)
        for argument, words in positional.items():
            one.add_argument(argument, help=words)
        one.set_defaults(draws=draws)
        return one

    for draws, name in ((maps, "maps"), (animation, "animation")):
        one = kind(draws, name, run="folder that a task wrote, or a file", out="picture" if draws is maps else ".gif, or .mp4 with ffmpeg")
        one.add_argument("--truth", nargs="+", required=True, help="files of true states, as names or patterns")
        one.add_argument("--truth-member", type=int, default=1)
        one.add_argument("--channels", nargs="+", help="t2m, z500, ...")
        one.add_argument("--coast", help="GeoJSON of coastlines, as Natural Earth has them; none: where the sea's temperature ends")
        if draws is maps:
            one.add_argument("--time", help="2021-03-21T12; none: the last")
    for draws in (scores, levels, windows, power, ranks, errors, balances, everything):
        one = kind(draws, "all" if draws is everything else None, report="folder of `appa evaluate`")
        if draws is not everything:
            one.add_argument("out")
        one.add_argument("--channels", nargs="+", help="t2m, z500, ...")
        one.add_argument("--region", default="global")
    one = kind(weather)
    one.add_argument("files", nargs="+")
    one.add_argument("--time", required=True)
    one.add_argument("--out", required=True)
    for draws in (curves, fields, spectra):
        one = kind(draws, folder="of training" if draws is curves else "of `appa prior`", out="picture")
        if draws is not curves:
            one.add_argument("--truth", nargs="+", help="files of true states, as names or patterns")
            one.add_argument("--reconstruction", help="folder of `appa reconstruct` of the same hours")
    asked = parser.parse_args()
    try:
        asked.draws(asked)
    except (OSError, ValueError) as wrong:
        sys.exit(f"render {asked.what}: {wrong}")


if __name__ == "__main__":
    main()
