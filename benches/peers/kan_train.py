"""Times the training of a [64, 32, 10] cubic KAN on the handwritten digits, with KAN packages for PyTorch on the CPU.

One step is forward, cross-entropy, backward and AdamW on a batch of 64. For each package and mode this prints the
median and the quartiles of the step time, and the seconds that a whole training takes, shuffling included.

Modes:
    eager     PyTorch alone, no compiler anywhere
    package   the package as it comes: it compiles its basis functions, the rest is eager
    compile   forward and loss in one torch.compile
"""

import argparse
import json
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

SIZES = [64, 32, 10]
BATCH = 64
MODES = ["eager", "package", "compile"]
DIGITS = Path(__file__).resolve().parents[2] / "examples" / "data" / "digits.csv"


def inkan(grid, mode, basis="local"):
    from inkan import KANNetwork

    return KANNetwork(SIZES, grid_size=grid, compile_basis=mode == "package", basis_mode=basis)


def inkan_dense(grid, mode):
    """Every basis function of every input, rather than the four that are not zero: quicker where the grid is small."""
    return inkan(grid, mode, basis="dense")


def flashkan(grid, mode):
    import flashkan.basis
    import flashkan.layer
    from flashkan import KANNetwork

    # The package has no switch: its layer calls the compiled basis by name, whenever it runs.
    basis = flashkan.basis
    flashkan.layer.bspline_basis = basis.bspline_basis if mode == "package" else basis.bspline_basis_eager
    return KANNetwork(SIZES, grid_size=grid)


PEERS = {"inkan": inkan, "inkan-dense": inkan_dense, "flashkan": flashkan}


def read_digits(path):
    """Pixels scaled to [-1, 1] and classes: ((x, y) to train on, (x, y) to test on). Every fifth row is for the test."""
    rows = np.loadtxt(path, delimiter=",", skiprows=1, dtype=np.float32)
    x = torch.from_numpy(rows[:, :64] / 8.0 - 1.0)
    y = torch.from_numpy(rows[:, 64].astype(np.int64))
    test = torch.arange(len(rows)) % 5 == 0
    return (x[~test], y[~test]), (x[test], y[test])


class Training:
    """A model, what it is trained by, and how to begin again."""

    def __init__(self, peer, mode, grid, lr):
        self.make = lambda: PEERS[peer](grid, mode)
        self.lr = lr
        self.model = self.make()
        # Two batch sizes occur, the full one and the last one: a graph for each, rather than one for any size.
        self.loss = torch.compile(self._loss, dynamic=False) if mode == "compile" else self._loss
        self.restart(seed=0)

    def _loss(self, x, y):
        return F.cross_entropy(self.model(x), y)

    def restart(self, seed):
        """New weights and a new optimizer; whatever has been compiled stays."""
        torch.manual_seed(seed)
        self.model.load_state_dict(self.make().state_dict())
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=self.lr, weight_decay=1e-4, fused=True)

    def step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, y)
        loss.backward()
        self.optimizer.step()
        return loss

    def epoch(self, x, y):
        """Every row once, in a new order, the last batch smaller."""
        order = torch.randperm(len(x))
        x, y = x[order], y[order]
        for start in range(0, len(x), BATCH):
            loss = self.step(x[start : start + BATCH], y[start : start + BATCH])
        return loss

    def accuracy(self, x, y):
        with torch.no_grad():
            return (self.model(x).argmax(1) == y).float().mean().item()


def measure(peer, mode, args, train, test):
    torch._dynamo.reset()
    training = Training(peer, mode, args.grid, args.lr)
    since = time.perf_counter()
    training.epoch(*train)  # compiles for both batch sizes
    first_epoch = time.perf_counter() - since

    x, y = train[0][:BATCH].clone(), train[1][:BATCH].clone()
    step_ms = []
    for index in range(args.warmup + args.steps):
        since = time.perf_counter()
        training.step(x, y)
        if index >= args.warmup:
            step_ms.append((time.perf_counter() - since) * 1e3)

    trainings = []
    for repeat in range(args.repeats):
        training.restart(seed=repeat)
        since = time.perf_counter()
        for _ in range(args.epochs):
            loss = training.epoch(*train)
        loss = loss.item()
        trainings.append(time.perf_counter() - since)
    low, median, high = statistics.quantiles(step_ms, n=4)
    return {
        "step_ms": median,
        "step_ms_quartiles": [low, high],
        "train_seconds": statistics.median(trainings),
        "train_seconds_all": trainings,
        "train_steps": args.epochs * -(-len(train[0]) // BATCH),
        "first_epoch_seconds": first_epoch,
        "train_loss": loss,
        "test_accuracy": training.accuracy(*test),
        "parameters": sum(p.numel() for p in training.model.parameters()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", default=DIGITS, help="the digits (default: %(default)s)")
    parser.add_argument("--grid", type=int, default=3, choices=[3, 5], help="grid intervals (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="of a whole training (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="whole trainings (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=2000, help="steps timed one by one (default: %(default)s)")
    parser.add_argument("--warmup", type=int, default=200, help="steps before those (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--lr", type=float, default=1e-2, help="learning rate (default: %(default)s)")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="only this one (may be repeated)")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this one (may be repeated)")
    parser.add_argument("--json", help="write the results to this file")
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    train, test = read_digits(args.data)
    versions = {name: version(name) for name in ["torch", "inkan", "flashkan"]}
    print(f"grid {args.grid}, {args.threads} threads, " + ", ".join(f"{k} {v}" for k, v in versions.items()))
    results = {}
    for peer in args.peer or PEERS:
        for mode in args.mode or MODES:
            name = f"{peer}/{mode}"
            try:
                result = measure(peer, mode, args, train, test)
            except Exception as error:  # no compiler, a package that this PyTorch does not suit: the others still count
                reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
                results[name] = {"skipped": reason}
                print(f"{name:20} skipped: {reason}", flush=True)
                continue
            results[name] = result
            low, high = result["step_ms_quartiles"]
            print(
                f"{name:20} step {result['step_ms']:.3f} ms (quartiles {low:.3f} to {high:.3f}), "
                f"{args.epochs} epochs {result['train_seconds']:.3f} s, "
                f"first epoch {result['first_epoch_seconds']:.1f} s, test accuracy {result['test_accuracy']:.3f}",
                flush=True,
            )
    if args.json:
        report = {
            "sizes": SIZES,
            "grid": args.grid,
            "batch": BATCH,
            "epochs": args.epochs,
            "threads": args.threads,
            "processor": platform.machine(),
            "versions": versions,
            "peers": results,
        }
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
