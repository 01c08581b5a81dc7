// Functions of points into workgroup memory, for the products whose left matrix is made on the way. Binding 1 is x, and the
// last one, behind the base branch's, the scale.
#import kan/bases/any

// Functions of an input that are there at once; silu counts as the last function.
const HELD: u32 = 8u;
// Words of all points.
const PHI: u32 = 2048u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
#if scale
#if base
@group(0) @binding(5) var<storage, read> scale: array<f32>;
#else
@group(0) @binding(4) var<storage, read> scale: array<f32>;
#endif
#endif

var<workgroup> phi: array<f32, PHI>;

// HELD functions from `first` on of the point of a row and input i, from `to` on, `stride` words apart; 0 where it is not
// inside.
fn evaluate(to: u32, stride: u32, row: u32, i: u32, first: u32, inside: bool) {
    if !inside {
        for (var k = 0u; k < HELD; k++) {
            phi[to + k * stride] = 0.0;
        }
        return;
    }
    let v = x[row * params.inputs + i];
    var u = 1.0;
#if scale
    u = scale[row * params.inputs + i];
#endif
#if bspline
    // Zeros, and in their places the functions that are not 0.
    let none = select(0.0, v, kw_is_nan(v) && KAN_TERMS > 0u);
    for (var k = 0u; k < HELD; k++) {
        phi[to + k * stride] = select(0.0, none, first + k < params.bases);
    }
    if KAN_TERMS > 0u && none == 0.0 {
        let local = kan_local(v);
        for (var r = 0u; r < KAN_TERMS; r++) {
            // Below the first function the difference wraps to a large number.
            let k = local.start + r - first;
            if k < HELD {
                phi[to + k * stride] = u * local.weights[r];
            }
        }
    }
#if base
    if params.bases - first < HELD {
        phi[to + (params.bases - first) * stride] = u * kan_silu(v);
    }
#endif
#else
    var state = kan_begin(v, first);
    for (var k = 0u; k < HELD; k++) {
        var value = 0.0;
        if first + k < params.bases {
            value = kan_next(&state);
        }
#if base
        if first + k == params.bases {
            value = kan_silu(v);
        }
#endif
        phi[to + k * stride] = u * value;
    }
#endif
}
