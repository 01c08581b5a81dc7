"""Matrix products and attention on the CPU, ours and PyTorch's in turn: medians in milliseconds, and the least.

    cargo build --release -p knotwork-core --example attention_bench
    python benches/peers/cpu_products.py target/release/examples/attention_bench [rounds]

Two threads for both (RAYON_NUM_THREADS, set_num_threads). Prints one line of JSON a case.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import torch

THREADS = 2


def median(run, repetitions):
    run()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def products():
    out = {}
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    row, rows = torch.randn(1, 1024), torch.randn(32, 1024)
    left, right = torch.randn(64, 128, 64), torch.randn(64, 64, 128)
    cases = {
        "matmul_1024": lambda: a @ b,
        "matmul_1024_tn": lambda: a.T @ b,
        "matmul_1024_nt": lambda: a @ b.T,
        "matmul_1024_tt": lambda: a.T @ b.T,
        "matmul_1x1024x1024": lambda: row @ b,
        "matmul_1x1024x1024_nt": lambda: row @ b.T,
        "matmul_32x1024x1024": lambda: rows @ b,
        "matmul_64x128x64x128": lambda: left @ right,
    }
    for name, run in cases.items():
        out[name] = median(run, 21)
    return out


def attention():
    out = {}
    q, k, v = (torch.randn(1, 8, 2048, 64, requires_grad=True) for _ in range(3))
    dy = torch.randn(1, 8, 2048, 64)
    at = torch.arange(2048)
    window = (at[None] <= at[:, None]) & (at[None] >= at[:, None] - 256)
    masks = {"causal_window_256": {"attn_mask": window}, "causal": {"is_causal": True}, "full": {}}
    for name, mask in masks.items():

        def forward(mask=mask):
            with torch.no_grad():
                torch.nn.functional.scaled_dot_product_attention(q, k, v, **mask)

        def both(mask=mask):
            q.grad = k.grad = v.grad = None
            torch.nn.functional.scaled_dot_product_attention(q, k, v, **mask).backward(dy)

        out[f"attention_{name}_forward"] = median(forward, 7)
        out[f"attention_{name}_forward_backward"] = median(both, 7)
    return out


def main():
    torch.set_num_threads(THREADS)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    environment = dict(os.environ, RAYON_NUM_THREADS=str(THREADS))
    ours, peer = [], []
    for _ in range(rounds):
        said = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True, env=environment)
        ours.append(json.loads(said.stdout))
        peer.append(products() | attention())
    for case in ours[0]:
        a, b = ([one[case] for one in all] for all in (ours, peer))
        mine, theirs = statistics.median(a), statistics.median(b)
        line = {"case": case, "ours_ms": round(mine, 3), "peer_ms": round(theirs, 3), "ratio": round(theirs / mine, 2)}
        print(json.dumps(line | {"ours_least": round(min(a), 3), "peer_least": round(min(b), 3)}))


if __name__ == "__main__":
    main()
