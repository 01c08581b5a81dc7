"""What `export_kan.py` refuses, and what it finds by itself.

    python -m unittest discover tools
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open

import export_kan
from export_kan import ExportError, export


def efficient(inputs=2, outputs=3, grid=5, order=3):
    return {
        "layers.0.grid": torch.linspace(-2.2, 2.2, grid + 2 * order + 1).repeat(inputs, 1),
        "layers.0.base_weight": torch.ones(outputs, inputs),
        "layers.0.spline_weight": torch.arange(outputs * inputs * (grid + order)).view(outputs, inputs, -1) / 7,
    }


def packed(count=8, columns=18):
    return {"layers.0.grid_starts": torch.arange(count) * 0.4 - 2.2, "layers.0.weight": torch.ones(3, columns)}


def fast():
    return {"layers.0.rbf.grid": torch.linspace(-2, 2, 8), "layers.0.spline_linear.weight": torch.ones(1, 16)}


def pykan(inputs=2, sums=3, nodes=3, grid=4, order=3):
    points = torch.linspace(-2.5, 2.5, grid + 2 * order + 1)
    return {
        "node_bias_0": torch.zeros(nodes),
        "node_scale_0": torch.ones(nodes),
        "subnode_bias_0": torch.zeros(sums),
        "subnode_scale_0": torch.ones(sums),
        "act_fun.0.grid": points.repeat(inputs, 1),
        "act_fun.0.coef": torch.ones(inputs, sums, grid + order),
        "act_fun.0.mask": torch.ones(inputs, sums),
        "act_fun.0.scale_base": torch.ones(inputs, sums),
        "act_fun.0.scale_sp": torch.ones(inputs, sums),
        "symbolic_fun.0.mask": torch.zeros(sums, inputs),
        "symbolic_fun.0.affine": torch.zeros(sums, inputs, 4),
    }


class Exports(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.target = Path(self.folder.name) / "kan.safetensors"

    def refused(self, words, source, **options):
        with self.assertRaises(ExportError) as caught:
            export(source, self.target, **options)
        self.assertIn(words, str(caught.exception))
        self.assertEqual(os.listdir(self.folder.name), [], "nothing is left behind")

    def test_values_lie_as_networks_have_them(self):
        kan = export(efficient(), self.target)
        self.assertEqual(kan["layers"][0]["functions"], [{"basis": "bspline order=3 grid=5 range=[-1.0, 1.0]"}])
        with safe_open(self.target, "numpy") as file:
            coef = file.get_tensor("kan.0.coef")
        self.assertEqual((coef.shape, coef.dtype), ((2, 8, 3), np.float64))
        # spline_weight[2, 1, 4] of [3, 2, 8]
        self.assertAlmostEqual(coef[1, 4, 2], (2 * 16 + 8 + 4) / 7, places=5)

    def test_kinds_are_guessed_and_named(self):
        self.assertEqual(export_kan.guess(pykan()), "pykan")
        self.assertEqual(export_kan.guess(efficient()), "efficient-kan")
        self.assertEqual(export_kan.guess(packed()), "inkan")
        self.assertEqual(export_kan.guess(fast()), "fastkan")
        flash = {"grid_starts": 0, "spline_weight": 0, "base_weight": 0}
        self.assertEqual(export_kan.guess(flash), "flashkan")
        self.refused("are of none of the kinds pykan, efficient-kan", {"fc.weight": torch.ones(2, 2)})
        self.refused("there is no kind `wavkan`", efficient(), kind="wavkan")
        self.refused("no key ends in `grid_starts`", efficient(), kind="flashkan")

    def test_what_is_missing_or_too_much(self):
        state = efficient()
        del state["layers.0.base_weight"]
        self.refused("`layers.0.base_weight` is missing", state)
        self.refused("`head.weight` is no part of a network of efficient-kan", efficient() | {"head.weight": torch.ones(1)})
        state = pykan()
        del state["symbolic_fun.0.affine"]
        self.refused("`symbolic_fun.0.affine` is missing", state)
        self.refused("the file holds no state dictionary", {"epoch": 3})

    def test_shapes_and_values(self):
        state = efficient()
        state["layers.0.base_weight"] = torch.ones(2, 3)
        self.refused("`layers.0.base_weight` has shape [2, 3]; it must be [3, 2]", state)
        state = efficient()
        state["layers.0.spline_weight"][1, 0, 3] = float("nan")
        self.refused("`layers.0.spline_weight` is nan at [1, 0, 3]", state)
        state = efficient() | {key.replace("0", "1"): value for key, value in efficient().items()}
        self.refused("layer 1 has 2 inputs after 3 outputs", state)
        self.refused("17 columns; they must be a multiple of 9", packed(columns=17))
        state = efficient()
        state["layers.0.grid"] = state["layers.0.grid"][:, :8]
        self.refused("too few for splines", state)

    def test_what_is_no_sum_over_edges(self):
        self.refused("tensor-product layer (dim=2)", packed(columns=8 * 8 + 2))
        norm = {"layers.0.layernorm.weight": torch.ones(2)}
        self.refused("`layers.0.layernorm.bias` is missing", fast() | norm)
        norm["layers.0.layernorm.bias"] = torch.zeros(2)
        self.refused("a FastKAN with layer norms has no names", fast() | norm, inputs=["a", "b"])
        kan = export(fast() | norm, self.target)
        self.assertEqual((kan["layers"][0]["norm"], kan["layers"][0]["base"]), (1e-5, None))
        self.target.unlink()
        state = fast()
        state["layers.0.rbf.grid"] = torch.tensor([-2.0, -1, 0, 0.1, 0.2, 1, 1.5, 2])
        self.refused("`layers.0.rbf.grid` is not evenly spaced", state)

    def test_pykan_needs_what_its_configuration_says(self):
        self.refused("multiplies 3 sums to 2 nodes: --config must say how", pykan(nodes=2))
        state = pykan()
        state["symbolic_fun.0.mask"][1, 0] = 1
        self.refused("from 0 to 1 of layer 0 is a spline and a formula at once", state)
        state["act_fun.0.mask"][0, 1] = 0
        self.refused("from 0 to 1 of layer 0 is a formula: --config must say", state)
        state = pykan(nodes=2)
        state["node_bias_0"][1] = 0.5
        path = Path(self.folder.name) / "m"
        torch.save(state, f"{path}_state")
        Path(f"{path}_config.yml").write_text("width: [[2, 0], [1, 1]]\nmult_arity: 2\nbase_fun_name: zero\n")
        with self.assertRaisesRegex(ExportError, "node 1 of layer 0 is a product with a bias"):
            export(path, self.target)
        state["node_bias_0"][1] = 0
        torch.save(state, f"{path}_state")
        kan = export(path, self.target)
        self.assertEqual((kan["layers"][0]["multiply"], kan["layers"][0]["base"]), ([2], "none"))
        Path(f"{path}_config.yml").write_text("width: [[2, 0], [0, 1]]\n")
        with self.assertRaisesRegex(ExportError, r"0 sums and 1 products of \[2\] for layer 0, which has 3 sums"):
            export(path, self.target)

    def test_files_and_the_command(self):
        def run(*words):
            command = [sys.executable, export_kan.__file__, *map(str, words)]
            return subprocess.run(command, capture_output=True, text=True)

        self.refused("is no file of torch.save", __file__)
        with self.assertRaisesRegex(ExportError, "cannot be read"):
            export(f"{self.folder.name}/none.pt", self.target)
        path = f"{self.folder.name}/model.pt"
        torch.save({"state_dict": efficient(), "epoch": 4}, path)
        done = run(path, self.target, "--inputs", "a,b", "--base", "tanh")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("layer 0: 2 -> 3, 6 edges, 0 formulas, bspline order=3 grid=5 range=[-1.0, 1.0], base tanh", done.stdout)
        done = run(path, self.target, "--inputs", "a")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("1 names for 2 inputs", done.stderr)
        # A module is unpickled only when told.
        torch.save(torch.nn.Linear(2, 2), path)
        done = run(path, self.target)
        self.assertEqual(done.returncode, 1)
        self.assertIn("pass --trust", done.stderr)


if __name__ == "__main__":
    unittest.main()
