"""Convolutions and products with sparse matrices, ours and PyTorch's in turn: medians and the least, in microseconds.

    cargo build --release -p knotwork-cli
    python benches/peers/sparse_and_conv.py target/release/knotwork [--device cpu|gpu] [--rounds N] [--json FILE]

The cases, and their sizes, are those that `knotwork bench conv2d csr bsr` lists for the device; results of ours are checked
there. Two threads for both on a CPU. On a GPU ours are device timestamps, PyTorch's are events around ten calls.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
import warnings

import torch

THREADS = 2


def convolution(what, sizes, device):
    images, channels, outputs, side = map(int, sizes.split("x"))
    window = 1 if what.startswith("1x1") else 3
    stride = 2 if what.startswith("stride2") else 1
    groups = channels if what.startswith("depthwise") else 1
    x = torch.randn(images, channels, side, side, device=device)
    w = torch.randn(outputs, channels // groups, window, window, device=device)
    settings = ([stride] * 2, [window // 2] * 2, [1, 1])

    def forward():
        return torch.ops.aten.convolution(x, w, None, *settings, False, [0, 0], groups)

    if "_to_" not in what:
        return forward
    dy = torch.randn_like(forward())
    wanted = [what.endswith("to_input"), what.endswith("to_weight"), False]
    return lambda: torch.ops.aten.convolution_backward(dy, x, w, None, *settings, False, [0, 0], groups, wanted)


def sparse(operation, rows, columns, per, side, n, device):
    """A pattern with so many entries a row, in random places."""
    indices = torch.cat([torch.randperm(columns)[:per].sort().values for _ in range(rows)])
    starts = torch.arange(0, rows * per + 1, per)
    if "csr" in operation:
        a = torch.sparse_csr_tensor(starts, indices, torch.randn(rows * per), (rows, columns), device=device)
    else:
        values = torch.randn(rows * per, side, side)
        a = torch.sparse_bsr_tensor(starts, indices, values, (rows * side, columns * side), device=device)
    b = torch.randn(columns * side, n, device=device)
    if operation.startswith("sddmm"):
        left, right = torch.randn(rows * side, n, device=device), b.T.contiguous()
        return lambda: torch.sparse.sampled_addmm(a, left, right, beta=0.0)
    if "transposed" in operation:
        at, dense = a.t(), torch.randn(rows * side, n, device=device)
        return lambda: at @ dense
    return lambda: a @ b


def peer(case, device):
    operation, what = case.split("/")
    if operation == "conv2d":
        what, sizes = what.rsplit("_", 1)
        return convolution(what, sizes, device)
    found = re.fullmatch(r"(\d+)x(\d+)_(\d+)_a_row(?:_blocks(\d+))?_by_(\d+)", what)
    rows, columns, per, side, n = (int(g) if g else 1 for g in found.groups())
    return sparse(operation, rows, columns, per, side, n, device)


def timed(run, runs, device):
    """Microseconds of each run."""
    run()
    times = []
    for _ in range(runs):
        if device == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(10):
                run()
            end.record()
            torch.cuda.synchronize()
            times.append(start.elapsed_time(end) * 100)
        else:
            start = time.perf_counter()
            run()
            times.append((time.perf_counter() - start) * 1e6)
    return times


def ours(binary, device, runs):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [binary, "bench", "conv2d", "csr", "bsr", "--device", device, "--runs", str(runs), "--no-peak"]
        environment = dict(os.environ, RAYON_NUM_THREADS=str(THREADS)) if device == "cpu" else None
        subprocess.run(command + ["--json", file.name], check=False, env=environment, stdout=subprocess.DEVNULL)
        with open(file.name, encoding="utf-8") as text:
            return json.load(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--device", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--json")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    torch.set_num_threads(THREADS)
    device = {"cpu": "cpu", "gpu": "cuda"}[asked.device]
    mine, theirs, refused, peers = {}, {}, {}, {}
    for _ in range(asked.rounds):
        for record in ours(asked.binary, asked.device, asked.runs)["cases"]:
            mine.setdefault(record["name"], []).append((record["median_ns"] / 1e3, record["min_ns"] / 1e3))
        for case in mine:
            try:
                peers.setdefault(case, peer(case, device))
                times = timed(peers[case], asked.runs, device)
                theirs.setdefault(case, []).append((statistics.median(times), min(times)))
            except RuntimeError as error:
                refused[case] = str(error).splitlines()[0]
    out = {}
    for case, rounds in mine.items():
        line = {"ours_us": statistics.median(m for m, _ in rounds), "ours_least_us": min(m for _, m in rounds)}
        if case in theirs:
            line["peer_us"] = statistics.median(m for m, _ in theirs[case])
            line["peer_least_us"] = min(m for _, m in theirs[case])
            line["ratio"] = line["peer_us"] / line["ours_us"]
            line["ratio_of_least"] = line["peer_least_us"] / line["ours_least_us"]
        else:
            line["peer"] = refused.get(case, "")
        out[case] = line
        text = {key: round(value, 2) if isinstance(value, float) else value for key, value in line.items()}
        print(json.dumps({"case": case} | text))
    if asked.json:
        with open(asked.json, "w", encoding="utf-8") as file:
            json.dump({"torch": torch.__version__, "device": asked.device, "cases": out}, file, indent=2)


if __name__ == "__main__":
    main()
