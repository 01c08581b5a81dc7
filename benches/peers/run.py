"""Runs the example `kan_digits` and the PyTorch packages of kan_train.py in turn, and says how their times compare.

The order is ours, peers, ours, peers, ... in one environment, so that what else the machine does meets both; each
number is the median over the rounds. A case is compared with the peer that is fastest in it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
EXAMPLE = ["--release", "--example", "kan_digits"]


def run_json(command, environment):
    """What a command writes to the file that its --json names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        command = [str(word) for word in command]
        command[command.index("JSON")] = str(path)
        done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 or not path.exists():
            sys.exit(f"`{' '.join(command)}` failed ({done.returncode}):\n{done.stdout}")
        return json.loads(path.read_text())


def compare(ours, peers):
    """The cases, out of our reports and the peers' reports, one of each a round."""

    def peer_medians(milliseconds):
        """The median over the rounds for each peer, without those that any round skipped."""
        names = [name for name in peers[0]["peers"] if all("skipped" not in r["peers"][name] for r in peers)]
        return {name: statistics.median(milliseconds(r["peers"][name]) for r in peers) for name in names}

    def case(our_ms, peer_ms):
        if not peer_ms:
            sys.exit("no peer ran: see the reasons in the output of kan_train.py")
        fastest = min(peer_ms, key=peer_ms.get)
        return {
            "ours_ms": our_ms,
            "peer": fastest,
            "peer_ms": peer_ms[fastest],
            "ratio": peer_ms[fastest] / our_ms,
            "all_peers_ms": peer_ms,
        }

    epochs, grid = ours[0]["epochs"], peers[0]["grid"]
    our_train = statistics.median(r["seconds"] * 1e3 for r in ours)
    our_step = statistics.median(r["seconds"] * 1e3 / r["steps"] for r in ours)
    return {
        f"kan digits, grid {grid}, step": case(our_step, peer_medians(lambda r: r["step_ms"])),
        f"kan digits, grid {grid}, {epochs} epochs": case(our_train, peer_medians(lambda r: r["train_seconds"] * 1e3)),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="the device of the example (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="for both (default: %(default)s)")
    parser.add_argument("--json", help="write the cases and every report to this file")
    args = parser.parse_args()

    threads = str(args.threads)
    environment = dict(os.environ, RAYON_NUM_THREADS=threads, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
    subprocess.run(["cargo", "build", *EXAMPLE], cwd=ROOT, env=environment, check=True)
    cargo = ["cargo", "run", "--quiet", *EXAMPLE, "--"]
    ours, peers = [], []
    for index in range(args.rounds):
        print(f"round {index + 1} of {args.rounds}: ours", flush=True)
        ours.append(run_json([*cargo, "--device", args.device, "--json", "JSON", "--epochs", args.epochs], environment))
        # the example says which grid it trains where it has a choice; its own default is 3
        script = [sys.executable, HERE / "kan_train.py", "--json", "JSON", "--epochs", args.epochs]
        script += ["--threads", args.threads, "--grid", ours[0].get("grid", 3)]
        print(f"round {index + 1} of {args.rounds}: peers", flush=True)
        peers.append(run_json(script, environment))

    cases = compare(ours, peers)
    print(f"\n{'case':36} {'ours ms':>10} {'peer ms':>10} {'ratio':>7}  peer")
    for name, c in cases.items():
        for peer, milliseconds in sorted(c["all_peers_ms"].items(), key=lambda item: item[1]):
            ratio = milliseconds / c["ours_ms"]
            print(f"{name:36} {c['ours_ms']:10.3f} {milliseconds:10.3f} {ratio:7.2f}  {peer}")
    print("ratio: the peer's time by ours, above 1 where ours is faster")
    for name, result in peers[0]["peers"].items():
        if "skipped" in result:
            print(f"skipped: {name}: {result['skipped']}")
    if args.json:
        details = {"rounds": args.rounds, "threads": args.threads, "ours": ours, "peers": peers}
        Path(args.json).write_text(json.dumps({**cases, "details": details}, indent=2) + "\n")


if __name__ == "__main__":
    main()
