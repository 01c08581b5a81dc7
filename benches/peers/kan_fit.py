"""A fit by L-BFGS, ours and pykan's in turn, from the same values on the same samples: seconds, and the error reached.

    cargo build --release --example kan_fit_case
    python benches/peers/kan_fit.py target/release/examples/kan_fit_case [--rounds N] [--steps 20,50] [--json FILE]

pykan 0.2.8's networks for exp(sin(pi x) + y^2), [2,1,1] and [2,5,1], cubic, grid 5, and 1,000 samples of its create_dataset, in
three ways: its defaults (grids updated 10 times within the first 50 steps), `update_grid=False`, and that in its speed() mode.
One step of pykan's is up to 20 iterations of L-BFGS. Ours begins with the values that pykan begins with (`tools/export_kan.py`) and
gets as many iterations as pykan made; grids are updated 10 times within the first half where pykan's are. It is
said when ours came to pykan's final error, and the time holds the compilation of our programs. Two threads for both.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from export_kan import export

THREADS = 2
WIDTHS = [[2, 1, 1], [2, 5, 1]]
WAYS = {"default": {}, "fixed grid": {"update_grid": False}, "fixed grid, speed()": {"update_grid": False}}


def formula(x):
    return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)


def rmse(model, data):
    with torch.no_grad():
        error = model(data["train_input"]).double() - data["train_label"].double()
    return error.square().mean().sqrt().item()


def pykan(width, way, steps, data, network):
    """Seconds of a fit, the error, and how many iterations and evaluations it was; where it began is left in a file."""
    from kan import KAN

    # The module, not the class of its name.
    module, made = sys.modules["kan.MultKAN"], []
    kept = module.LBFGS
    module.LBFGS = lambda *a, **k: made.append(kept(*a, **k)) or made[-1]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            model = KAN(width=list(width), grid=5, k=3, seed=0, auto_save=False)
            if "speed" in way:
                model = model.speed()
            export(model, network)
            start = time.perf_counter()
            model.fit(data, opt="LBFGS", steps=steps, **WAYS[way])
            seconds = time.perf_counter() - start
    finally:
        module.LBFGS = kept
    state = made[0].state[made[0]._params[0]]
    return {"seconds": seconds, "rmse": rmse(model, data), "iterations": state["n_iter"], "evaluations": state["func_evals"]}


def ours(binary, network, samples, updates, theirs):
    command = [binary, network, samples, "--device", "cpu", "--steps", str(theirs["iterations"])]
    command += ["--until", repr(theirs["rmse"]), "--updates", str(updates)]
    environment = os.environ | {"RAYON_NUM_THREADS": str(THREADS)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="the built example kan_fit_case")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", default="20,50", help="pykan's steps, with commas")
    parser.add_argument("--json", metavar="FILE", help="every figure of every round")
    a = parser.parse_args()
    torch.set_num_threads(THREADS)
    from kan import create_dataset

    data = create_dataset(formula, n_var=2, train_num=1000, seed=0)
    print(f"pykan {version('pykan')}, torch {version('torch')}, {THREADS} threads; load before {os.getloadavg()[0]:.2f}")
    rounds = {}
    with tempfile.TemporaryDirectory() as folder:
        samples, network = f"{folder}/samples.csv", f"{folder}/network.safetensors"
        rows = torch.cat([data["train_input"], data["train_label"]], 1).tolist()
        Path(samples).write_text("x1,x2,y\n" + "\n".join(",".join(map(repr, row)) for row in rows) + "\n")
        cases = [(width, way, int(steps)) for width in WIDTHS for way in WAYS for steps in a.steps.split(",")]
        for _ in range(a.rounds):
            for width, way, steps in cases:
                theirs = pykan(width, way, steps, data, network)
                mine = ours(a.binary, network, samples, 10 if way == "default" else 0, theirs)
                rounds.setdefault(f"{width} {way}, {steps} steps", []).append({"pykan": theirs, "ours": mine})
    print(f"load after {os.getloadavg()[0]:.2f}\n")
    print("| case | pykan: s | iterations | RMSE | ours to that error: s | times faster | as many iterations: s | RMSE |")
    print("|---|---|---|---|---|---|---|---|")
    for case, found in rounds.items():
        middle = lambda side, key: statistics.median(f[side][key] for f in found)
        s, iterations, error = middle("pykan", "seconds"), middle("pykan", "iterations"), middle("pykan", "rmse")
        reached = [f["ours"]["reached_seconds"] for f in found]
        if None in reached:
            to, times = "not reached", ""
        else:
            to, times = f"{statistics.median(reached):.4f}", f"{s / statistics.median(reached):.0f}"
        made = f"{middle('ours', 'seconds'):.3f} ({middle('ours', 'steps'):.0f})"
        print(f"| {case} | {s:.2f} | {iterations:.0f} | {error:.2e} | {to} | {times} | {made} | {middle('ours', 'train_rmse'):.2e} |")
    if a.json:
        Path(a.json).write_text(json.dumps(rounds, indent=1) + "\n")


if __name__ == "__main__":
    main()
