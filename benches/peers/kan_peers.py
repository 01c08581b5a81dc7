"""KAN networks of PyTorch packages: one training step (forward, mean squared error, backward, Adam) each.

Modes:
    eager     PyTorch alone, no compiler anywhere
    package   the package as it comes: it compiles its basis functions, the rest is eager
    compile   forward and loss in one torch.compile

`efficient` is the well-known efficient form of a KAN layer in plain PyTorch, written here because it is in no package:
the Cox-de Boor recursion over all basis functions, then two linear maps.
"""

import torch
import torch.nn.functional as F

MODES = ["eager", "package", "compile"]


def inkan(widths, grid, mode, basis="local"):
    from inkan import KANNetwork

    return KANNetwork(widths, grid_size=grid, compile_basis=mode == "package", basis_mode=basis)


def inkan_dense(widths, grid, mode):
    """Every basis function of every input, rather than the four that are not zero: quicker where the grid is small."""
    return inkan(widths, grid, mode, basis="dense")


def flashkan(widths, grid, mode):
    from flashkan import KANNetwork

    return KANNetwork(widths, grid_size=grid)


def pin_flashkan(mode):
    """The package has no switch: its layers look up the compiled basis by name at every call. Peers of several modes take
    turns in one process, so each sets the name before it runs."""
    import flashkan.basis
    import flashkan.layer

    basis = flashkan.basis
    flashkan.layer.bspline_basis = basis.bspline_basis if mode == "package" else basis.bspline_basis_eager


class EfficientLayer(torch.nn.Module):
    def __init__(self, inputs, outputs, grid, order=3, low=-1.0, high=1.0):
        super().__init__()
        step = (high - low) / grid
        knots = torch.arange(-order, grid + order + 1, dtype=torch.float32) * step + low
        self.register_buffer("knots", knots.expand(inputs, -1).contiguous())
        self.order = order
        self.base = torch.nn.Parameter(torch.randn(outputs, inputs) / inputs**0.5)
        self.spline = torch.nn.Parameter(torch.randn(outputs, inputs * (grid + order)) * 0.1)

    def forward(self, x):
        knots, each = self.knots, x.unsqueeze(-1)
        basis = ((each >= knots[:, :-1]) & (each < knots[:, 1:])).to(x.dtype)
        for k in range(1, self.order + 1):
            left = (each - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
            right = (knots[:, k + 1 :] - each) / (knots[:, k + 1 :] - knots[:, 1:-k])
            basis = left * basis[:, :, :-1] + right * basis[:, :, 1:]
        return F.linear(F.silu(x), self.base) + F.linear(basis.flatten(1), self.spline)


def efficient(widths, grid, mode):
    pairs = zip(widths[:-1], widths[1:])
    return torch.nn.Sequential(*(EfficientLayer(i, o, grid) for i, o in pairs))


PACKAGES = {"inkan": inkan, "inkan-dense": inkan_dense, "flashkan": flashkan}


def peers(case, device):
    """{name: function that makes the step}. The efficient form joins on a GPU, where the comparison asks for it."""
    made = {}
    for package, network in PACKAGES.items():
        for mode in MODES:
            made[f"{package}/{mode}"] = lambda network=network, mode=mode: step(case, device, network, mode)
    if device == "cuda":
        made["efficient/eager"] = lambda: step(case, device, efficient, "eager")
        made["efficient/compile"] = lambda: step(case, device, efficient, "compile")
    return made


def step(case, device, network, mode):
    widths, batch = case["widths"], case["batch"]
    torch.manual_seed(0)
    x = torch.rand(batch, widths[0], device=device) * 2 - 1
    target = torch.rand(batch, widths[-1], device=device) * 2 - 1
    model = network(widths, case["grid"], mode).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def loss(x, target):
        return F.mse_loss(model(x), target)

    if mode == "compile":
        loss = torch.compile(loss, dynamic=False)

    def one():
        if network is flashkan:
            pin_flashkan(mode)
        optimizer.zero_grad(set_to_none=True)
        loss(x, target).backward()
        optimizer.step()

    return one
