// y[b, o] = sum_i h[b, i] a[o, i] u^p psi^(d)(u) at u = (x[b, i] - t[o, i]) / s[o, i].
//
// A workgroup makes SIDE x SIDE elements; SIDE inputs of its rows and outputs at a time lie in workgroup memory. Parts,
// each over `span` inputs, are added up by kan/add_parts.
#import shared/grid
#import kan/wavelet/psi

const SIDE: u32 = 16u;
const THREADS: u32 = 256u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> amplitude: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> translation: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
#if weighted
@group(0) @binding(6) var<storage, read> h: array<f32>;
#endif

// Padded by one word, so that columns fall into different banks.
var<workgroup> points: array<vec2<f32>, SIDE * (SIDE + 1u)>;
var<workgroup> edges: array<vec3<f32>, SIDE * (SIDE + 1u)>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.outputs + SIDE - 1u) / SIDE;
    let down = (params.rows + SIDE - 1u) / SIDE;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row0 = (tile / across) * SIDE;
    let o0 = (tile % across) * SIDE;
    let r = local / SIDE;
    let c = local % SIDE;
    let begin = part * params.span;
    let last = min(begin + params.span, params.inputs);
    var sum = 0.0;
    for (var i0 = begin; i0 < last; i0 += SIDE) {
        // Thread (r, c) brings input c of row r and of output r. An edge that is not there has amplitude 0, scale 1.
        var point = vec2<f32>();
        var edge = vec3<f32>(0.0, 1.0, 0.0);
        let i = i0 + c;
        if i < last && row0 + r < params.rows {
            let at = (row0 + r) * params.inputs + i;
            point = vec2<f32>(x[at], 1.0);
#if weighted
            point.y = h[at];
#endif
        }
        if i < last && o0 + r < params.outputs {
            let at = (o0 + r) * params.inputs + i;
            edge = vec3<f32>(amplitude[at], scale[at], translation[at]);
        }
        points[r * (SIDE + 1u) + c] = point;
        edges[r * (SIDE + 1u) + c] = edge;
        workgroupBarrier();
        if row0 + r < params.rows && o0 + c < params.outputs {
            var chunk = 0.0;
            for (var k = 0u; k < min(SIDE, last - i0); k++) {
                let p = points[r * (SIDE + 1u) + k];
                let e = edges[c * (SIDE + 1u) + k];
                chunk = fma(p.y * e.x, wavelet(wavelet_argument(p.x, e.y, e.z)).x, chunk);
            }
            sum += chunk;
        }
        workgroupBarrier();
    }
    if row0 + r < params.rows && o0 + c < params.outputs {
        y[(part * params.rows + row0 + r) * params.outputs + o0 + c] = sum;
    }
}
