"""Writes the KAN of another library as a file that `knotwork::nn::kan::Network::load` reads.

    pip install -r tools/requirements.txt
    python tools/export_kan.py model.pt kan.safetensors
    python tools/export_kan.py model/0.1 kan.safetensors                 # what pykan's saveckpt('model/0.1') wrote
    python tools/export_kan.py model.pt kan.safetensors --kind efficient-kan --base gelu --inputs mass,speed

The source is a state dictionary saved by torch.save, or a whole module, which only `--trust` unpickles, because that runs
code of the file. From Python, `export(model_or_state_dict, path)` does the same.

Kinds, guessed from the keys unless told: pykan (0.2), efficient-kan, fastkan, flashkan, inkan. All of them are sums over
edges w beta(x) + s sum_m c_m phi_m(x); the file holds these numbers in float64 and says the rest in its metadata.
State dictionaries do not say everything. Of a dictionary alone:
    base          is taken for silu unless `--base` says otherwise; a pykan checkpoint's configuration and a module say it
    pykan         formulas' names and arities of multiplication nodes are in FILE_config.yml, found beside FILE_state
    fastkan       the Gaussians' width is taken for the distance of the centres unless `--gaussian-width` says otherwise
A FastKAN with layer norms becomes a file for `FastKan::load`, because its edges are no functions of one number; one made
with use_layernorm=False becomes a network like the others. What neither can be is refused: tensor-product layers (inkan's
dim=2), a bias on a multiplication node, edges that are a spline and a formula at once.
"""

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass, field

import numpy as np
import torch
import yaml
from safetensors.numpy import save_file

KINDS = ["pykan", "efficient-kan", "fastkan", "flashkan", "inkan"]
# The versions of the file and of its description of a KAN that this writes.
FILE_VERSION, KAN_VERSION, FAST_VERSION = 1, 1, 1
# Modules of torch by the names that the library has for their functions.
BASES = {"SiLU": "silu", "Identity": "identity", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu", "Sigmoid": "sigmoid"}
# pykan's second names of functions.
SAME = {"x^0.5": "sqrt", "1/x^0.5": "1/sqrt(x)"}


class ExportError(ValueError):
    """A network that cannot be written, and why."""


@dataclass
class Layer:
    """One layer: arrays are [inputs, ...], edges [inputs, sums]."""

    coef: np.ndarray  # [inputs, functions, sums]
    functions: dict
    base: str
    base_weight: np.ndarray
    knots: np.ndarray | None = None
    scale: np.ndarray | None = None
    bias: np.ndarray | None = None
    mask: np.ndarray | None = None
    multiply: list = field(default_factory=list)
    formulas: list = field(default_factory=list)  # (input, sum, name, [a, b, c, d])
    norm: tuple | None = None  # FastKAN's layer norm: weight, bias, epsilon

    @property
    def inputs(self):
        return self.coef.shape[0]

    @property
    def sums(self):
        return self.coef.shape[2]

    @property
    def outputs(self):
        return self.sums - sum(self.multiply) + len(self.multiply)


class State:
    """The tensors of a dictionary as float64 arrays; each must be asked for once."""

    def __init__(self, tensors):
        self.tensors, self.asked = tensors, set()

    def get(self, name, shape=None):
        """The tensor; -1 in `shape` is any size, and a `shape` of None any at all."""
        if name not in self.tensors:
            raise ExportError(f"`{name}` is missing")
        self.asked.add(name)
        value = self.tensors[name]
        if not isinstance(value, torch.Tensor):
            raise ExportError(f"`{name}` is a {type(value).__name__}; it must be a tensor")
        array = value.detach().cpu().to(torch.float64).numpy()
        if shape is not None:
            fits = len(shape) == array.ndim and all(w in (-1, h) for w, h in zip(shape, array.shape))
            if not fits or 0 in array.shape:
                want = ", ".join("any" if w < 0 else str(w) for w in shape)
                raise ExportError(f"`{name}` has shape {list(array.shape)}; it must be [{want}]")
        if not np.isfinite(array).all():
            at = np.unravel_index(np.argmin(np.isfinite(array)), array.shape)
            raise ExportError(f"`{name}` is {array[at]} at {[int(i) for i in at]}; values must be finite")
        return array

    def has(self, name):
        return name in self.tensors

    def prefixes(self, suffix):
        """What stands before `suffix`, in the dictionary's order: a layer each."""
        found = [name[: -len(suffix)] for name in self.tensors if name.endswith(suffix)]
        found = [prefix for prefix in found if not prefix or prefix.endswith(".")]
        if not found:
            raise ExportError(f"no key ends in `{suffix}`")
        return found

    def finish(self, kind):
        left = [name for name in self.tensors if name not in self.asked]
        if left:
            raise ExportError(f"`{left[0]}` is no part of a network of {kind}" + f" (and {len(left) - 1} more)" * (len(left) > 1))


def splines(knots, order):
    """The functions over knots [inputs, G + 2 order + 1]: a uniform grid where they are one up to float32's rounding."""
    cells = knots.shape[1] - 1 - 2 * order
    if order < 0 or cells < 1:
        raise ExportError(f"{knots.shape[1]} knots are too few for splines of order {order}")
    low, high = knots[0, order], knots[0, order + cells]
    even = low + (high - low) / cells * np.arange(-order, cells + order + 1)
    near = 8 * np.finfo(np.float32).eps * max(np.abs(even).max(), 1e-30)
    if high > low and np.abs(knots - even).max() <= near:
        return {"basis": f"bspline order={order} grid={cells} range=[{float(low)!r}, {float(high)!r}]"}, None
    return {"on_knots": {"order": order, "outside": "zero"}}, knots


def base_of(said, l):
    """The name of a layer's base."""
    base = said.get("base", "silu")
    base = base[l] if isinstance(base, list) else base
    return {"zero": "none"}.get(base, base)


def pykan(state, said):
    roots = sorted({name.split("act_fun.")[0] for name in state.tensors if re.search(r"(^|\.)act_fun\.\d+\.coef$", name)})
    if len(roots) != 1:
        raise ExportError("no key is `act_fun.0.coef`: is this a pykan 0.2 network?")
    root = roots[0]
    depth = len([n for n in state.tensors if re.fullmatch(re.escape(root) + r"act_fun\.\d+\.coef", n)])
    layers = [pykan_layer(state, said, root, l) for l in range(depth)]
    for l in range(depth):
        layer = layers[l]
        outputs = state.get(f"{root}node_scale_{l}", [-1]).size
        if "width" not in said and outputs != layer.sums:
            raise ExportError(f"layer {l} multiplies {layer.sums} sums to {outputs} nodes: --config must say how")
        if layer.outputs != outputs:
            raise ExportError(f"the configuration makes {layer.outputs} nodes of layer {l}; there are {outputs}")
        affine(layer, l, state.get(f"{root}node_scale_{l}", [outputs]), state.get(f"{root}node_bias_{l}", [outputs]))
    return layers


def pykan_layer(state, said, root, l):
    at = f"{root}act_fun.{l}."
    coef = state.get(at + "coef", [-1, -1, -1])  # [inputs, sums, functions]
    inputs, sums, count = coef.shape
    grid = state.get(at + "grid", [inputs, -1])
    functions, knots = splines(grid, grid.shape[1] - 1 - count)
    mask = state.get(at + "mask", [inputs, sums])
    # A mask that is neither 0 nor 1 is one more factor.
    base_weight = state.get(at + "scale_base", [inputs, sums]) * mask
    scale = state.get(at + "scale_sp", [inputs, sums]) * mask
    symbols = state.get(f"{root}symbolic_fun.{l}.mask", [sums, inputs]).T
    numbers = state.get(f"{root}symbolic_fun.{l}.affine", [sums, inputs, 4])
    if not said.get("symbolic_enabled", True):
        symbols = np.zeros_like(symbols)
    if ((mask != 0) & (symbols != 0)).any():
        i, o = np.argwhere((mask != 0) & (symbols != 0))[0]
        raise ExportError(f"the edge from {i} to {o} of layer {l} is a spline and a formula at once; set_mode to one of them")
    names, formulas = said.get("functions"), []
    for i, o in np.argwhere(symbols != 0):
        if names is None:
            raise ExportError(f"the edge from {i} to {o} of layer {l} is a formula: --config must say of which function")
        name = names[l][o][i]
        a, b, c, d = numbers[o, i]
        formulas.append((int(i), int(o), SAME.get(name, name), np.array([a, b, c * symbols[i, o], d * symbols[i, o]])))
    width, arity = said.get("width"), said.get("mult_arity", 2)
    multiply = []
    if width is not None:
        if len(width) <= l + 1:
            raise ExportError(f"the configuration has {len(width) - 1} layers; there is a layer {l}")
        node = width[l + 1]
        plain, products = node if isinstance(node, (list, tuple)) else (node, 0)
        multiply = [arity] * products if isinstance(arity, int) else [int(a) for a in arity[l + 1]]
        if len(multiply) != products or plain + sum(multiply) != sums:
            raise ExportError(
                f"the configuration says {plain} sums and {products} products of {multiply} for layer {l}, which has {sums} sums"
            )
    base = base_of(said, l)
    layer = Layer(coef.transpose(0, 2, 1).copy(), functions, base, base_weight, knots, scale, np.zeros(sums))
    layer.mask, layer.formulas, layer.multiply = (mask != 0) | (symbols != 0), formulas, multiply
    # Sums' own scales and biases.
    times(layer, range(sums), state.get(f"{root}subnode_scale_{l}", [sums]))
    layer.bias = layer.bias + state.get(f"{root}subnode_bias_{l}", [sums])
    return layer


def times(layer, sums, factors):
    """Multiplies sums by numbers: every edge that leads there, and the bias."""
    for o, factor in zip(sums, factors):
        layer.base_weight[:, o] *= factor
        layer.scale[:, o] *= factor
        layer.bias[o] *= factor
        for _, end, _, numbers in layer.formulas:
            if end == o:
                numbers[2:] *= factor


def affine(layer, l, scale, bias):
    """The nodes' scales and biases: of a product the first factor is scaled."""
    plain = layer.sums - sum(layer.multiply)
    if bias[plain:].any():
        raise ExportError(f"node {plain + int(np.argmax(bias[plain:] != 0))} of layer {l} is a product with a bias, which a network has no place for")
    starts = plain + np.concatenate([[0], np.cumsum(layer.multiply)[:-1]]).astype(int) if layer.multiply else []
    times(layer, [*range(plain), *starts], scale)
    layer.bias[:plain] += bias[:plain]
    if not layer.bias.any():
        layer.bias = None


def efficient_kan(state, said):
    layers = []
    for l, at in enumerate(state.prefixes("spline_weight")):
        weight = state.get(at + "spline_weight", [-1, -1, -1])  # [sums, inputs, functions]
        sums, inputs, count = weight.shape
        grid = state.get(at + "grid", [inputs, -1])
        functions, knots = splines(grid, grid.shape[1] - 1 - count)
        base = state.get(at + "base_weight", [sums, inputs]).T.copy()
        layer = Layer(weight.transpose(1, 2, 0).copy(), functions, base_of(said, l), base, knots)
        if state.has(at + "spline_scaler"):
            layer.scale = state.get(at + "spline_scaler", [sums, inputs]).T.copy()
        layers.append(layer)
    return layers


def fastkan(state, said):
    layers = []
    for l, at in enumerate(state.prefixes("rbf.grid")):
        centres = state.get(at + "rbf.grid", [-1])
        n = centres.size
        even = np.linspace(centres[0], centres[-1], n)
        if n < 2 or np.abs(centres - even).max() > 8 * np.finfo(np.float32).eps * np.abs(even).max():
            raise ExportError(f"`{at}rbf.grid` is not evenly spaced")
        low, high = float(centres[0]), float(centres[-1])
        width = said.get("gaussian") or (high - low) / (n - 1)
        width = width[l] if isinstance(width, list) else width
        weight = state.get(at + "spline_linear.weight", [-1, -1])
        sums, inputs = weight.shape[0], weight.shape[1] // n
        if inputs * n != weight.shape[1]:
            raise ExportError(f"`{at}spline_linear.weight` has {weight.shape[1]} columns; they must be a multiple of {n}")
        coef = weight.reshape(sums, inputs, n).transpose(1, 2, 0).copy()
        functions = {"basis": f"rbf n={n} range=[{low!r}, {high!r}] width={width!r}"}
        if state.has(at + "base_linear.weight"):
            base, base_weight = base_of(said, l), state.get(at + "base_linear.weight", [sums, inputs]).T.copy()
        else:
            base, base_weight = "none", np.zeros((inputs, sums))
        layer = Layer(coef, functions, base, base_weight)
        if state.has(at + "base_linear.bias"):
            layer.bias = state.get(at + "base_linear.bias", [sums])
        if state.has(at + "layernorm.weight"):
            epsilon = said.get("epsilon", {}).get(l, 1e-5)
            layer.norm = (*(state.get(f"{at}layernorm.{what}", [inputs]) for what in ("weight", "bias")), epsilon)
        layers.append(layer)
    return layers


def starts(state, at):
    """flashkan's and inkan's grid: where every function begins. They are cubic whatever the order says."""
    begin = state.get(at + "grid_starts", [-1])
    if begin.size < 4:
        raise ExportError(f"`{at}grid_starts` holds {begin.size} functions; there must be at least 4")
    step = (begin[-1] - begin[0]) / (begin.size - 1)
    knots = begin[0] + step * np.arange(begin.size + 4)
    if np.abs(knots[: begin.size] - begin).max() > 8 * np.finfo(np.float32).eps * np.abs(knots).max():
        raise ExportError(f"`{at}grid_starts` is not evenly spaced")
    return splines(knots[None, :], 3)[0], begin.size


def flashkan(state, said):
    layers = []
    for l, at in enumerate(state.prefixes("grid_starts")):
        functions, count = starts(state, at)
        weight = state.get(at + "spline_weight", [-1, -1, count])
        sums, inputs, _ = weight.shape
        base = state.get(at + "base_weight", [sums, inputs]).T.copy()
        layers.append(Layer(weight.transpose(1, 2, 0).copy(), functions, base_of(said, l), base))
    return layers


def inkan(state, said):
    layers = []
    for l, at in enumerate(state.prefixes("grid_starts")):
        functions, count = starts(state, at)
        packed = state.get(at + "weight", [-1, -1])
        sums, columns = packed.shape
        # [all inputs' functions | all inputs' bases]
        inputs = columns // (count + 1)
        if columns == count * count + 2:
            raise ExportError(f"`{at}weight` is a tensor-product layer (dim=2), which is no sum of functions of one number")
        if inputs * (count + 1) != columns:
            raise ExportError(f"`{at}weight` has {columns} columns; they must be a multiple of {count + 1}")
        coef = packed[:, : inputs * count].reshape(sums, inputs, count).transpose(1, 2, 0).copy()
        layers.append(Layer(coef, functions, base_of(said, l), packed[:, inputs * count :].T.copy()))
    return layers


READERS = {"pykan": pykan, "efficient-kan": efficient_kan, "fastkan": fastkan, "flashkan": flashkan, "inkan": inkan}


def guess(keys):
    """The kind that such keys are of."""

    def some(suffix):
        return any(key == suffix or key.endswith("." + suffix) for key in keys)

    if some("scale_sp"):
        return "pykan"
    if some("rbf.grid"):
        return "fastkan"
    if some("grid_starts"):
        return "flashkan" if some("spline_weight") else "inkan"
    if some("spline_weight"):
        return "efficient-kan"
    raise ExportError(f"the keys ({', '.join(list(keys)[:3])}, ...) are of none of the kinds {', '.join(KINDS)}")


def of_module(model):
    """What a module says beside its state dictionary."""
    if hasattr(model, "symbolic_fun"):
        # Names of functions, arities and which columns of the data are inputs.
        said = of_pykan({**vars(model), "functions": [layer.funs_name for layer in model.symbolic_fun]})
        said["inputs"] = [f"x{int(i) + 1}" for i in model.input_id]
        return said
    said, bases, widths, epsilons = {}, [], [], {}
    for module in model.modules():
        activation = getattr(module, "base_activation", None)
        if isinstance(activation, torch.nn.Module):
            name = type(activation).__name__
            if name not in BASES:
                raise ExportError(f"the base is a {name}; known are {', '.join(BASES)}")
            bases.append(BASES[name])
        elif callable(activation):
            # newer FastKANs hold a function
            bases.append(getattr(activation, "__name__", "silu"))
        elif hasattr(module, "rbf"):
            bases.append("none")
        if hasattr(module, "rbf"):
            epsilons[len(widths)] = getattr(getattr(module, "layernorm", None), "eps", 1e-5)
            widths.append(float(module.rbf.denominator))
    if bases:
        said["base"] = bases
    if widths:
        said["gaussian"], said["epsilon"] = widths, epsilons
    return said


def of_pykan(config):
    """What a pykan configuration says."""
    base = config.get("base_fun_name", "silu")
    if not isinstance(base, str):
        base = BASES.get(type(base).__name__, type(base).__name__)
    said = {"base": base, "width": config["width"], "mult_arity": config.get("mult_arity", 2)}
    said["symbolic_enabled"] = config.get("symbolic_enabled", True)
    names = config.get("functions")
    said["functions"] = names or [config[key] for key in sorted((k for k in config if k.startswith("symbolic.funs_name.")), key=lambda k: int(k.rsplit(".", 1)[1]))]
    return said


def read(path, trust=False, config=None):
    """A file's state dictionary or module, and what is said beside it."""
    if not os.path.exists(path) and os.path.exists(f"{path}_state"):
        path, config = f"{path}_state", config or f"{path}_config.yml"
    elif config is None and path.endswith("_state") and os.path.exists(path[: -len("_state")] + "_config.yml"):
        config = path[: -len("_state")] + "_config.yml"
    try:
        source = torch.load(path, map_location="cpu", weights_only=not trust)
    except OSError as e:
        raise ExportError(f"{path} cannot be read: {e.strerror or e}") from e
    except Exception as e:
        hint = "" if trust else "; where it holds a whole module that you trust, pass --trust"
        raise ExportError(f"{path} is no file of torch.save with tensors alone{hint} ({str(e).splitlines()[0]})") from e
    said = {}
    if config is not None:
        try:
            with open(config, encoding="utf-8") as file:
                found = yaml.safe_load(file)
        except (OSError, yaml.YAMLError) as e:
            raise ExportError(f"the configuration {config} cannot be read: {str(e).splitlines()[0]}") from e
        if not isinstance(found, dict) or "width" not in found:
            raise ExportError(f"the configuration {config} says no `width`: is it pykan's?")
        said = of_pykan(found)
    return source, said


def convert(source, said, kind=None):
    """The layers of a state dictionary or module, and its kind."""
    if isinstance(source, torch.nn.Module):
        said = {**of_module(source), **said}
        source = source.state_dict()
    # Training scripts wrap it.
    while isinstance(source, dict) and not any(isinstance(v, torch.Tensor) for v in source.values()):
        inner = [source[key] for key in ("state_dict", "model_state_dict", "model") if key in source]
        if not inner:
            raise ExportError("the file holds no state dictionary")
        source = inner[0].state_dict() if isinstance(inner[0], torch.nn.Module) else inner[0]
    if not isinstance(source, dict):
        raise ExportError(f"the file holds a {type(source).__name__}; it must be a state dictionary or a module")
    kind = kind or guess(source)
    if kind not in READERS:
        raise ExportError(f"there is no kind `{kind}`; the kinds are {', '.join(KINDS)}")
    state = State(source)
    layers = READERS[kind](state, said)
    state.finish(kind)
    for l, (before, layer) in enumerate(zip(layers, layers[1:]), 1):
        if before.outputs != layer.inputs:
            raise ExportError(f"layer {l} has {layer.inputs} inputs after {before.outputs} outputs")
    return layers, kind, said


def describe(layers, inputs=None, outputs=None, prefix="kan"):
    """The description of a KAN, and its tensors, named `prefix.l....`."""
    tensors, described = {}, []
    for l, layer in enumerate(layers):
        shape = (layer.inputs, layer.sums)
        mask = np.ones(shape, bool) if layer.mask is None else layer.mask
        values = {"knots": layer.knots, "coef": layer.coef if layer.functions else None, "scale": layer.scale, "bias": layer.bias}
        if layer.base != "none":
            values["base"] = layer.base_weight
        # Formulas: those of one function together, in the order of their first edges.
        first = {}
        for i, o, name, _ in layer.formulas:
            first.setdefault(name, len(first))
        formulas = sorted(layer.formulas, key=lambda f: (first[f[2]], f[0], f[1]))
        if formulas:
            values["symbolic"] = np.stack([numbers for *_, numbers in formulas], axis=1)
        for what, value in values.items():
            if value is not None:
                tensors[f"{prefix}.{l}.{what}"] = np.ascontiguousarray(value, dtype=np.float64)
        described.append(
            {
                "inputs": layer.inputs,
                "sums": layer.sums,
                "multiply": layer.multiply,
                "functions": [layer.functions] if layer.functions else [],
                "base": layer.base,
                "scale": layer.scale is not None,
                "bias": layer.bias is not None,
                "removed": [[int(i), int(o)] for i, o in np.argwhere(~mask)],
                "formulas": [{"edge": [i, o], "function": name} for i, o, name, _ in sorted(formulas, key=lambda f: f[:2])],
            }
        )
    one = layers[-1].outputs == 1
    inputs = inputs or [f"x{i + 1}" for i in range(layers[0].inputs)]
    outputs = outputs or (["y"] if one else [f"y{i + 1}" for i in range(layers[-1].outputs)])
    for what, names, count in [("inputs", inputs, layers[0].inputs), ("outputs", outputs, layers[-1].outputs)]:
        if len(names) != count:
            raise ExportError(f"{len(names)} names for {count} {what}")
    kan = {"version": KAN_VERSION, "name": prefix, "inputs": inputs, "outputs": outputs, "layers": described}
    return kan, tensors


def describe_fast(layers):
    """The description of a FastKAN with layer norms, and its tensors: what learns and the base are networks of one layer."""
    tensors, described = {}, []
    for l, layer in enumerate(layers):
        norm = None
        if layer.norm is not None:
            weight, bias, norm = layer.norm
            tensors |= {f"fastkan.{l}.norm.weight": weight, f"fastkan.{l}.norm.bias": bias}
        learned = Layer(layer.coef, layer.functions, "none", layer.base_weight)
        functions, part = describe([learned], prefix=f"fastkan.{l}.functions")
        tensors |= part
        base = None
        if layer.base != "none":
            fixed = Layer(layer.coef[:, :0], {}, layer.base, layer.base_weight, bias=layer.bias)
            base, part = describe([fixed], prefix=f"fastkan.{l}.base")
            tensors |= part
        described.append({"norm": norm, "functions": functions, "base": base})
    return {"version": FAST_VERSION, "layers": described}, tensors


def export(source, path, kind=None, base=None, gaussian_width=None, inputs=None, outputs=None, trust=False, config=None):
    """Writes `source` (a module, a state dictionary, or a file's path) as a network's file at `path`; returns its description."""
    said = {}
    if isinstance(source, (str, os.PathLike)):
        source, said = read(os.fspath(source), trust, config)
    said |= {key: value for key, value in [("base", base), ("gaussian", gaussian_width)] if value is not None}
    layers, kind, said = convert(source, said, kind)
    fast = any(layer.norm is not None for layer in layers)
    if fast and (inputs or outputs):
        raise ExportError("a FastKAN with layer norms has no names of inputs and outputs")
    kan, tensors = describe_fast(layers) if fast else describe(layers, inputs or said.get("inputs"), outputs)
    metadata = {
        "version": FILE_VERSION,
        "step": 0,
        "epoch": 0,
        "order": None,
        "generator": None,
        "schedule": None,
        "config": {"fastkan" if fast else "kan": kan, "from": kind},
        "scalars": {},
        "parameters": list(tensors),
    }
    # Whole or not at all.
    part = f"{os.fspath(path)}.{os.getpid()}.part"
    try:
        save_file(tensors, part, metadata={"knotwork": json.dumps(metadata)})
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return kan


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a file of torch.save, or the name that pykan's saveckpt was given")
    parser.add_argument("target", help="the file to write, .safetensors")
    parser.add_argument("--kind", choices=KINDS, help="guessed from the keys unless told")
    parser.add_argument("--base", help="the base function: none, silu, identity or an activation's name")
    parser.add_argument("--gaussian-width", type=float, metavar="H", help="the width of FastKAN's Gaussians")
    parser.add_argument("--config", help="pykan's FILE_config.yml")
    parser.add_argument("--inputs", type=lambda names: names.split(","), help="names of the inputs, with commas")
    parser.add_argument("--outputs", type=lambda names: names.split(","), help="names of the outputs, with commas")
    parser.add_argument("--trust", action="store_true", help="unpickle whole modules, which runs code of the file")
    a = parser.parse_args()
    try:
        kan = export(a.source, a.target, a.kind, a.base, a.gaussian_width, a.inputs, a.outputs, a.trust, a.config)
    except (ExportError, OSError) as e:
        sys.exit(f"{parser.prog}: {e}")
    for l, layer in enumerate(kan["layers"]):
        if "norm" in layer:
            base = layer["base"]["layers"][0]["base"] if layer["base"] else "none"
            layer = layer["functions"]["layers"][0] | {"base": base + (", layer norm" if layer["norm"] else "")}
        functions = layer["functions"][0].get("basis") or "bspline on knots of each input"
        edges = layer["inputs"] * layer["sums"] - len(layer["removed"])
        print(f"layer {l}: {layer['inputs']} -> {layer['sums']}, {edges} edges, {len(layer['formulas'])} formulas, {functions}, base {layer['base']}")


if __name__ == "__main__":
    main()
