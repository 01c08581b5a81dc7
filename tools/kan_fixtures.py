"""Makes the networks of other libraries that the import is tested with: `crates/knotwork-nn/tests/data/kan_import/`.

    pip install -r tools/requirements.txt pykan==0.2.8 flashkan==0.2.0 inkan==0.5.2 \\
        matplotlib scikit-learn sympy pandas tqdm setuptools
    python tools/kan_fixtures.py

For each network NAME.safetensors is what `export_kan.py` writes of it, and NAME.json holds rows x and what the library itself
makes of them, y, computed in float64 of the network's float32 values. efficient-kan and FastKAN are no packages: the modules
`EfficientLayer` and `FastLayer` below compute what they define, under their names of parameters.
"""

import contextlib
import io
import json
import os
import tempfile
from pathlib import Path

os.environ["TORCHDYNAMO_DISABLE"] = "1"  # nothing is compiled

import torch
import torch.nn.functional as F
from torch import nn

from export_kan import export

TARGET = Path(__file__).resolve().parents[1] / "crates" / "knotwork-nn" / "tests" / "data" / "kan_import"


class EfficientLayer(nn.Module):
    """efficient-kan: W_b silu(x) + (W_s s) B(x), splines over each input's knots by Cox and de Boor's recursion."""

    def __init__(self, inputs, outputs, grid, order, scaler, activation=nn.SiLU):
        super().__init__()
        step = 2 / grid
        self.order, self.base_activation = order, activation()
        knots = torch.arange(-order, grid + order + 1) * step - 1
        self.register_buffer("grid", knots.expand(inputs, -1).contiguous())
        self.base_weight = nn.Parameter(torch.randn(outputs, inputs) / 2)
        self.spline_weight = nn.Parameter(torch.randn(outputs, inputs, grid + order) / 2)
        if scaler:
            self.spline_scaler = nn.Parameter(torch.rand(outputs, inputs) + 0.5)

    def forward(self, x):
        x3, t = x[..., None], self.grid
        b = ((x3 >= t[:, :-1]) & (x3 < t[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (x3 - t[:, : -k - 1]) / (t[:, k:-1] - t[:, : -k - 1])
            right = (t[:, k + 1 :] - x3) / (t[:, k + 1 :] - t[:, 1:-k])
            b = left * b[..., :-1] + right * b[..., 1:]
        weight = self.spline_weight
        if hasattr(self, "spline_scaler"):
            weight = weight * self.spline_scaler[..., None]
        return F.linear(self.base_activation(x), self.base_weight) + torch.einsum("bim,oim->bo", b, weight)


class Gaussians(nn.Module):
    def __init__(self, low, high, n):
        super().__init__()
        self.grid = nn.Parameter(torch.linspace(low, high, n), requires_grad=False)
        self.denominator = (high - low) / (n - 1)


class FastLayer(nn.Module):
    """FastKAN: W exp(-((norm(x) - g) / h)^2) + Linear(silu(x)); without the norm where it was told `use_layernorm=False`."""

    def __init__(self, inputs, outputs, n=8, low=-2.0, high=2.0, base=True, norm=False):
        super().__init__()
        self.layernorm = nn.LayerNorm(inputs) if norm else None
        self.rbf = Gaussians(low, high, n)
        self.spline_linear = nn.Linear(inputs * n, outputs, bias=False)
        if base:
            self.base_activation, self.base_linear = F.silu, nn.Linear(inputs, outputs)

    def forward(self, x):
        u = self.layernorm(x) if self.layernorm else x
        z = (u[..., None] - self.rbf.grid) / self.rbf.denominator
        y = self.spline_linear(torch.exp(-(z**2)).flatten(-2))
        return y + self.base_linear(self.base_activation(x)) if hasattr(self, "base_linear") else y


class Chain(nn.Module):
    """Layers one after another, `layers.0` and so on."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def write(name, model, source, columns=2, **options):
    """The file, rows within the grid and beyond it, and the library's outputs."""
    export(source, TARGET / f"{name}.safetensors", **options)
    x = torch.rand(24, columns, generator=torch.Generator().manual_seed(5)).double() * 2.8 - 1.4
    with torch.no_grad():
        y = model.double()(x)
    (TARGET / f"{name}.json").write_text(json.dumps({"x": x.tolist(), "y": y.tolist()}) + "\n")
    print(f"{name}: largest |y| {y.abs().max():.3f}")


def pykan(folder):
    from kan import KAN

    samples = torch.rand(300, 2, generator=torch.Generator().manual_seed(1)) ** 2 * 2 - 1

    # Everything at once: grids of each input, a product, an edge less, a formula, and nodes' scales and biases.
    model = KAN(width=[2, [2, 1], 2], grid=4, k=3, noise_scale=1.0, seed=3, auto_save=False)
    model.update_grid_from_samples(samples)
    with torch.no_grad():
        model.fix_symbolic(0, 0, 1, "sin", fit_params_bool=False, log_history=False)
        model.fix_symbolic(1, 2, 0, "x^2", fit_params_bool=False, log_history=False)
        model.fix_symbolic(1, 0, 1, "sin", fit_params_bool=False, log_history=False)
        model.remove_edge(0, 1, 0, log_history=False)
        model.symbolic_fun[0].affine[1, 0] = torch.tensor([2.5, 0.3, -0.7, 0.2])
        model.symbolic_fun[1].affine[0, 2] = torch.tensor([1.5, -0.2, 0.4, 0.1])
        model.symbolic_fun[1].affine[1, 0] = torch.tensor([0.9, 0.1, 1.3, -0.4])
        model.act_fun[0].mask[1, 2] = 0.5
        for values in [model.subnode_scale_0, model.node_scale_0, model.subnode_scale_1, model.node_scale_1]:
            values.copy_(torch.rand(values.shape) + 0.5)
        for values in [model.subnode_bias_0, model.subnode_bias_1, model.node_bias_1]:
            values.copy_(torch.rand(values.shape) - 0.5)
        model.node_bias_0[:2] = torch.tensor([0.15, -0.25])
    model.saveckpt(f"{folder}/rich")
    write("pykan_rich", model, f"{folder}/rich")

    # One grid for all, another order and base, products of three and two, as a module.
    model = KAN(
        width=[3, [1, 2], 1], grid=3, k=2, mult_arity=[[], [3, 2], []], base_fun="identity", seed=4, auto_save=False
    )
    write("pykan_plain", model, model, columns=3)


def main():
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(io.StringIO()) as quiet:
            pykan(folder)
        print("\n".join(line for line in quiet.getvalue().splitlines() if "largest" in line))

        def saved(model):
            torch.save(model.state_dict(), f"{folder}/model.pt")
            return f"{folder}/model.pt"

        torch.manual_seed(0)
        model = Chain(EfficientLayer(2, 3, 5, 3, True), EfficientLayer(3, 2, 4, 2, False))
        # What update_grid leaves: knots of each input's own.
        model.layers[1].grid += torch.rand(3, 1) * 0.2
        model.layers[1].grid[1] *= 1.3
        model.layers[1].grid[2, 4] += 0.1
        write("efficient_kan", model, saved(model))
        model = Chain(EfficientLayer(2, 2, 3, 3, True, nn.Tanh))
        write("efficient_kan_tanh", model, saved(model), base="tanh")

        model = Chain(FastLayer(2, 4), FastLayer(4, 1, n=5, low=-1.5, high=1.0), FastLayer(1, 2, base=False))
        write("fastkan", model, saved(model))
        model = Chain(FastLayer(3, 4, norm=True), FastLayer(4, 2, base=False, norm=True), FastLayer(2, 2))
        for layer in model.layers[:2]:
            nn.init.uniform_(layer.layernorm.weight, 0.5, 1.5)
            nn.init.uniform_(layer.layernorm.bias, -0.5, 0.5)
        model.layers[1].layernorm.eps = 1e-3
        write("fastkan_norm", model, model, columns=3)

        from flashkan import KANLayer as FlashLayer
        from flashkan import KANNetwork as FlashNetwork

        model = FlashNetwork([2, 4, 1], grid_size=6)
        write("flashkan", model, saved(model))
        model = FlashLayer(2, 3, grid_size=4, spline_order=2, grid_range=(-1.0, 2.0), base_activation=nn.Identity)
        write("flashkan_layer", model, model)

        from inkan import KANNetwork as InNetwork

        model = InNetwork([2, 3, 2], grid_size=40, grid_range=(-1.25, 1.25), compile_basis=False)
        write("inkan", model, saved(model))


if __name__ == "__main__":
    main()
