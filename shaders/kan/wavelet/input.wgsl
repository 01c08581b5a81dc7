// v[b, i] = sum_o g[b, o] a[o, i] u^p psi^(d)(u) at u = (x[b, i] - t[o, i]) / s[o, i].
//
// A workgroup makes SIDE x SIDE elements; SIDE outputs at a time lie in workgroup memory. Parts, each over `span`
// outputs, are added up by kan/add_parts.
#import shared/grid
#import kan/wavelet/psi

const SIDE: u32 = 16u;
const THREADS: u32 = 256u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> amplitude: array<f32>;
@group(0) @binding(4) var<storage, read> scale: array<f32>;
@group(0) @binding(5) var<storage, read> translation: array<f32>;
@group(0) @binding(6) var<storage, read_write> v: array<f32>;

var<workgroup> gs: array<f32, SIDE * (SIDE + 1u)>;
var<workgroup> edges: array<vec3<f32>, SIDE * SIDE>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.inputs + SIDE - 1u) / SIDE;
    let down = (params.rows + SIDE - 1u) / SIDE;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let row = (tile / across) * SIDE + local / SIDE;
    let i = (tile % across) * SIDE + local % SIDE;
    let r = local / SIDE;
    let c = local % SIDE;
    let begin = part * params.span;
    let last = min(begin + params.span, params.outputs);
    let inside = row < params.rows && i < params.inputs;
    var point = 0.0;
    if inside {
        point = x[row * params.inputs + i];
    }
    var sum = 0.0;
    for (var o0 = begin; o0 < last; o0 += SIDE) {
        // Thread (r, c) brings output c of its row, and input c of output r.
        var cotangent = 0.0;
        var edge = vec3<f32>(0.0, 1.0, 0.0);
        if row < params.rows && o0 + c < last {
            cotangent = g[row * params.outputs + o0 + c];
        }
        if o0 + r < last && i < params.inputs {
            let at = (o0 + r) * params.inputs + i;
            edge = vec3<f32>(amplitude[at], scale[at], translation[at]);
        }
        gs[r * (SIDE + 1u) + c] = cotangent;
        edges[r * SIDE + c] = edge;
        workgroupBarrier();
        if inside {
            var chunk = 0.0;
            for (var k = 0u; k < min(SIDE, last - o0); k++) {
                let e = edges[k * SIDE + c];
                let d = gs[r * (SIDE + 1u) + k];
                chunk = fma(d * e.x, wavelet(wavelet_argument(point, e.y, e.z)).x, chunk);
            }
            sum += chunk;
        }
        workgroupBarrier();
    }
    if inside {
        v[(part * params.rows + row) * params.inputs + i] = sum;
    }
}
