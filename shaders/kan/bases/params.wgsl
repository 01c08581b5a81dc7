// What the kernels over bases other than B-splines share: their parameters, and truncated Taylor series.
#import kan/silu

// Vectors in the table of a basis.
const KAN_TABLE: u32 = 2u;

struct KanParams {
    rows: u32,
    inputs: u32,
    outputs: u32,
    bases: u32,
    // The sum (or the list of functions) is split into so many parts of `span`.
    parts: u32,
    span: u32,
    // 0
    pad0: u32,
    pad1: u32,
    // See kan/silu.
    silu: array<vec4<f32>, 3>,
    // Each basis says what its own means.
    table: array<vec4<f32>, KAN_TABLE>,
}

@group(0) @binding(0) var<uniform> params: KanParams;

fn kan_silu(x: f32) -> f32 {
    return kan_silu_by(x, params.silu[0], params.silu[1], params.silu[2]);
}

// f, f', f''/2, ... at a point, up to the derivative that is asked for; d! makes the last one that derivative.
alias KanJet = array<f32, KAN_DERIVATIVE + 1u>;
const KAN_FACTORIAL: f32 = select(select(1.0, 2.0, KAN_DERIVATIVE == 2u), 6.0, KAN_DERIVATIVE == 3u);

fn kan_product(a: KanJet, b: KanJet) -> KanJet {
    var f = a;
    var g = b;
    var all: KanJet;
    for (var k = 0u; k <= KAN_DERIVATIVE; k++) {
        var sum = f[0] * g[k];
        for (var j = 1u; j <= k; j++) {
            sum += f[j] * g[k - j];
        }
        all[k] = sum;
    }
    return all;
}
