#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times filters beside DAPPER's on Lorenz-96 (sakov2008), in turns on one core: peers.py LORENZ96 [options]; scripts/bench-peers builds what it wants.

Both programs cycle through the same task and are timed alike: the whole cycle, and the cycle less the calls of the model, which is
the analysis. DAPPER keeps no statistics then but the error of the mean, whose time is taken off as well.
"""
import os

for library in ("OMP", "OPENBLAS", "MKL"):   # read when numpy is imported
    os.environ[library + "_NUM_THREADS"] = "1"
import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):   # a warning about pictures
    import dapper
    import dapper.da_methods as da
    import dapper.mods as modelling
    import dapper.stats
    import dapper.tools.progressbar
    from dapper.mods.Lorenz96 import sakov2008

SETTLING = 400   # analyses that are not scored, as in sakov2008: 20 units of time

# What it is called, the method here, the method there.
PAIRS = [
    ("LETKF N=7", "letkf:members=7,inflation=1.04,loc_rad=4", lambda: da.LETKF(N=7, rot=True, infl=1.04, loc_rad=4)),
    ("LETKF N=20", "letkf:members=20,inflation=1.03,loc_rad=4", lambda: da.LETKF(N=20, rot=True, infl=1.03, loc_rad=4)),
    ("LETKF N=40", "letkf:members=40,inflation=1.01,loc_rad=4", lambda: da.LETKF(N=40, rot=True, infl=1.01, loc_rad=4)),
    ("ETKF N=40, rotated", "etkf:members=40,inflation=1.01", lambda: da.EnKF("Sqrt", N=40, rot=True, infl=1.01)),
    ("ETKF N=40", "etkf:members=40,inflation=1.01,rotate=0", lambda: da.EnKF("Sqrt", N=40, infl=1.01)),
    ("EnKF N=40", "enkf:members=40,inflation=1.06", lambda: da.EnKF("PertObs", N=40, infl=1.06)),
]


class Clock:
    seconds = 0.0

    @contextlib.contextmanager
    def running(self):
        begun = perf_counter()
        yield
        self.seconds += perf_counter() - begun


class TimedModel:
    """A model, and the time its calls take."""

    def __init__(self, model, clock):
        self._model, self._clock = model, clock

    def __call__(self, *arguments):
        with self._clock.running():
            return self._model(*arguments)

    def __getattr__(self, name):
        return getattr(self._model, name)


def peer(make, cycles, seed):
    """Milliseconds of a cycle and of its analysis, RMSE."""
    dapper.set_seed(seed)
    base = sakov2008.HMM
    hmm = modelling.HiddenMarkovModel(base.Dyn, base.Obs, modelling.Chronology(0.05, dko=1, Ko=cycles - 1, BurnIn=20), base.X0)
    truth, seen = hmm.simulate()
    model, scores, errors = Clock(), Clock(), []
    hmm.Dyn = TimedModel(hmm.Dyn, model)

    def assess(_, k, ko=None, faus=None, E=None, **__):
        with scores.running():
            if ko is not None and faus is None:
                errors.append(np.sqrt(np.mean((E.mean(0) - truth[k]) ** 2)))

    before, dapper.stats.Stats.assess = dapper.stats.Stats.assess, assess
    begun = perf_counter()
    make().assimilate(hmm, truth, seen, liveplots=False)
    seconds = perf_counter() - begun - scores.seconds
    dapper.stats.Stats.assess = before
    if len(errors) != cycles:
        sys.exit(f"peers: {len(errors)} analyses of {cycles} were scored")
    return 1e3 * seconds / cycles, 1e3 * (seconds - model.seconds) / cycles, float(np.mean(errors[SETTLING:]))


def ours(program, method, cycles, seed):
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records.json"
        subprocess.run([program, "benchmark", "--task", "sakov2008", "--methods", method, "--cycles", str(cycles), "--seeds", "1", "--seed", str(seed),
                        "--threads", "1", "--json", records], check=True, stdout=subprocess.DEVNULL)
        (record,) = json.loads(records.read_text())
    return 1e3 * record["seconds_per_analysis"], 1e3 * (record["seconds_per_analysis"] - record["seconds_per_forecast"]), record["rmse_analysis"]


def mean_of(values):
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values) / len(values) ** 0.5:.3f}"


def main():
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("program", help="lorenz96")
    asked.add_argument("--cycles", type=int, default=2000)
    asked.add_argument("--repetitions", type=int, default=9, help="each with another truth")
    asked.add_argument("--core", type=int, help="where both run; the last one")
    asked.add_argument("--json", help="file for what was measured")
    how = asked.parse_args()
    if how.repetitions < 2 or how.cycles <= SETTLING:
        asked.error(f"2 repetitions and {SETTLING + 1} cycles at least")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if how.core is None else how.core})
    dapper.tools.progressbar.disable_progbar = True

    measured = {name: [] for name, _, _ in PAIRS}
    for repetition in range(how.repetitions):
        for name, method, make in PAIRS:
            there, here = peer(make, how.cycles, 3000 + repetition), ours(how.program, method, how.cycles, 3000 + repetition)
            measured[name].append({"there": there, "here": here})
            print(f"{repetition + 1}/{how.repetitions} {name}: {there[1]:.3f} ms there, {here[1]:.4f} ms here", file=sys.stderr)
    if how.json:
        with open(how.json, "w") as out:
            json.dump(measured, out, indent=1)

    print(f"sakov2008, {how.cycles} cycles, {how.repetitions} repetitions in turns, one thread of one core; DAPPER {version('dapper')} with numpy {np.__version__};"
          " medians, RMSE means ± standard errors\n")
    columns = ["", "DAPPER: cycle, ms", "analysis, ms", "sda: cycle, ms", "analysis, ms", "ratio of analyses (range)", "RMSE there", "RMSE here"]
    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
    for name, rows in measured.items():
        of = lambda who, which: [r[who][which] for r in rows]
        middle = lambda who, which: statistics.median(of(who, which))
        ratios = [t / h for t, h in zip(of("there", 1), of("here", 1))]
        print(f"| {name} | {middle('there', 0):.2f} | {middle('there', 1):.2f} | {middle('here', 0):.3f} | {middle('here', 1):.3f} | "
              f"{statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f}) | {mean_of(of('there', 2))} | {mean_of(of('here', 2))} |")


main()
