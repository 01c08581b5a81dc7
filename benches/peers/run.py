"""Times Knotwork and PyTorch on the same work, in turn, and says how they compare.

The order is ours, peers, ours, peers, ... in one environment, so that what else the machine does meets both; each
number is the median over the rounds of a round's median. A case is compared with the peer that is fastest in it.
With `--device gpu` the peers run on CUDA; without it there those cases are left out, with the reason.
"""

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path

import cases
import digits


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "gpu"], help="(default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="CASE", help="only this case (may be repeated)")
    parser.add_argument("--list", action="store_true", help="list the device's cases and stop")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=40, help="of kan_digits (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="on the CPU, for both (default: %(default)s)")
    parser.add_argument("--json", help="write the cases and every report to this file")
    args = parser.parse_args()
    known = [*cases.names(args.device), digits.NAME]
    unknown = [name for name in args.only or [] if name not in known]
    if unknown:
        parser.error(f"no case {', '.join(unknown)} for {args.device}; there are {', '.join(known)}")
    if args.rounds < 1 or args.threads < 1 or args.seconds <= 0:
        parser.error("--rounds, --threads and --seconds must be above 0")
    return args, [name for name in known if not args.only or name in args.only]


def show(results):
    print(f"\n{'case':36} {'ours ms':>10} {'peer ms':>10} {'ratio':>7}  peer")
    for name, case in results.items():
        if "skipped" in case:
            print(f"{name:36} skipped: {case['skipped']}")
            continue
        for peer, milliseconds in sorted(case["all_peers_ms"].items(), key=lambda item: item[1]):
            ratio = milliseconds / case["ours_ms"]
            print(f"{name:36} {case['ours_ms']:10.3f} {milliseconds:10.3f} {ratio:7.2f}  {peer}")
        for peer, reason in case.get("skipped_peers", {}).items():
            print(f"{name:36} skipped: {peer}: {reason}")
    print("ratio: the peer's time by ours, above 1 where ours is faster")


def main():
    args, wanted = arguments()
    if args.list:
        print("\n".join(wanted))
        return
    threads = str(args.threads)
    environment = dict(os.environ, RAYON_NUM_THREADS=threads, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)

    import torch

    torch.set_num_threads(args.threads)
    results, details = {}, {"rounds": args.rounds, "threads": args.threads, "torch": version("torch")}
    tabled = [name for name in wanted if name != digits.NAME]
    if args.device == "gpu" and not torch.cuda.is_available():
        results = {name: {"skipped": "PyTorch has no CUDA here"} for name in tabled}
        tabled = []
    elif args.device == "gpu":
        details["cuda"] = torch.cuda.get_device_name()
    if tabled:
        cases.build(environment)
    for name in tabled:
        print(f"{name}: {args.rounds} rounds", flush=True)
        results[name] = cases.compare(name, args, environment)
    if digits.NAME in wanted:
        found, details["digits"] = digits.run(args, environment)
        results.update(found)
    show(results)
    if args.json:
        Path(args.json).write_text(json.dumps({**results, "details": details}, indent=2) + "\n")


if __name__ == "__main__":
    main()
