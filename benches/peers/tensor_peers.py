"""PyTorch's own products, attention and sorts, on the data types, masks and sizes of a case."""

import torch
import torch.nn.functional as F

TYPES = {"f32": torch.float32, "f16": torch.float16}


def matmul(case, device):
    """{name: function that makes the step}: one square product, without TF32."""
    torch.set_float32_matmul_precision("highest")
    shape, kind = (case["size"], case["size"]), TYPES[case["dtype"]]

    def make():
        a, b = (torch.randn(shape, device=device).to(kind) for _ in range(2))
        out = torch.empty(shape, device=device, dtype=kind)
        return lambda: torch.mm(a, b, out=out)

    return {"torch.mm": make}


def sort(case, device):
    """{name: function that makes the step}: a stable ascending sort, or the k largest in order. Indices are int64."""
    dim, k = case["dim"], case.get("k")

    def make():
        x = torch.rand(case["shape"], device=device) * 2 - 1
        kept = [n if k is None or at != dim else k for at, n in enumerate(case["shape"])]
        out = torch.empty(kept, device=device), torch.empty(kept, device=device, dtype=torch.int64)
        if k is None:
            return lambda: torch.sort(x, dim=dim, stable=True, out=out)
        return lambda: torch.topk(x, k, dim=dim, out=out)

    return {"torch.sort" if k is None else "torch.topk": make}


def attention(case, device):
    """{name: function that makes the step}: scaled dot products, causal or in a causal window; FlexAttention on CUDA."""
    made = {"sdpa": lambda: sdpa(case, device)}
    if device == "cuda":
        made["flex_attention"] = lambda: flex(case, device)
    return made


def visible(query, key, window):
    return (key <= query) & (query - key < window)


def sdpa(case, device):
    length, window = case["shape"][2], case.get("window")
    at = torch.arange(length, device=device)
    mask = None if window is None else visible(at[:, None], at[None, :], window)

    def run(q, k, v):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)

    return passes(case, device, run)


def flex(case, device):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    length = case["shape"][2]
    window = case.get("window", length)
    mask = create_block_mask(lambda b, h, q, k: visible(q, k, window), None, None, length, length, device=device)
    compiled = torch.compile(flex_attention, dynamic=False)
    return passes(case, device, lambda q, k, v: compiled(q, k, v, block_mask=mask))


def passes(case, device, run):
    """Forward alone, or forward and backward."""
    kind, backward = TYPES[case["dtype"]], case["backward"]
    q, k, v = (torch.randn(case["shape"], device=device).to(kind).requires_grad_(backward) for _ in range(3))
    dy = torch.randn(case["shape"], device=device).to(kind)

    def forward():
        with torch.no_grad():
            run(q, k, v)

    return (lambda: torch.autograd.grad(run(q, k, v), (q, k, v), dy)) if backward else forward
