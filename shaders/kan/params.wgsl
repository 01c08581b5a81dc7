// What the kernels of splines share: sizes, what is known of the grid, and silu at derivative KAN_DERIVATIVE.
#import shared/bits
#import kan/silu

const KAN_ORDER: u32 = 3u;
// Functions that are not 0 at a point; none where the derivative is above the order.
const KAN_TERMS: u32 = select(KAN_ORDER + 1u, 0u, KAN_DERIVATIVE > KAN_ORDER);

struct KanParams {
    rows: u32,
    inputs: u32,
    outputs: u32,
    bases: u32,
    grid: u32,
    // The sum is split into so many parts, each over `span` inputs or rows.
    parts: u32,
    span: u32,
    inverse_step: f32,
    // lo = lo_hi + lo_lo and h = step_hi + step_lo; step_hi times a cell's number is exact.
    lo_hi: f32,
    lo_lo: f32,
    step_hi: f32,
    step_lo: f32,
    // h^-d
    unit: f32,
    // Rows that are sorted by themselves, where rows are.
    block: u32,
    pad1: u32,
    pad2: u32,
    // silu^(d) = v (x R_d(t) + d R_(d-1)(t)), t = tanh(x / 2), v = 1 - t^2: six coefficients of R_d, six of d R_(d-1).
    silu: array<vec4<f32>, 3>,
}

@group(0) @binding(0) var<uniform> params: KanParams;

struct KanLocal {
    // The first function, such that start + k exists.
    start: u32,
    weights: array<f32, KAN_ORDER + 1u>,
}

fn kan_silu(x: f32) -> f32 {
    return kan_silu_by(x, params.silu[0], params.silu[1], params.silu[2]);
}
