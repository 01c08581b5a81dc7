// For every edge (o, i), with w = h[b, i] g[b, o] and u = (x[b, i] - t[o, i]) / s[o, i]:
// first = sum_b w u^p psi^(d), second = sum_b w u^p psi^(d+1), third = sum_b w u^(p+1) psi^(d+1).
//
// A workgroup makes SIDE x SIDE edges; SIDE rows at a time lie in workgroup memory. Parts, each over `span` rows, are
// added up by kan/add_parts.
#import shared/grid
#import kan/wavelet/psi

const SIDE: u32 = 16u;
const THREADS: u32 = 256u;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> translation: array<f32>;
@group(0) @binding(5) var<storage, read_write> first: array<f32>;
@group(0) @binding(6) var<storage, read_write> second: array<f32>;
@group(0) @binding(7) var<storage, read_write> third: array<f32>;
#if weighted
@group(0) @binding(8) var<storage, read> h: array<f32>;
#endif

var<workgroup> points: array<vec2<f32>, SIDE * SIDE>;
var<workgroup> gs: array<f32, SIDE * SIDE>;

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
    let across = (params.inputs + SIDE - 1u) / SIDE;
    let down = (params.outputs + SIDE - 1u) / SIDE;
    if group >= across * down * params.parts {
        return;
    }
    let part = group / (across * down);
    let tile = group % (across * down);
    let r = local / SIDE;
    let c = local % SIDE;
    let o0 = (tile / across) * SIDE;
    let o = o0 + r;
    let i = (tile % across) * SIDE + c;
    let begin = part * params.span;
    let last = min(begin + params.span, params.rows);
    let inside = o < params.outputs && i < params.inputs;
    var edge = vec2<f32>(1.0, 0.0);
    if inside {
        edge = vec2<f32>(scale[o * params.inputs + i], translation[o * params.inputs + i]);
    }
    var sums = vec3<f32>();
    for (var b0 = begin; b0 < last; b0 += SIDE) {
        // Thread (r, c) brings input c and output c of row r.
        var point = vec2<f32>();
        var cotangent = 0.0;
        if b0 + r < last && i < params.inputs {
            let at = (b0 + r) * params.inputs + i;
            point = vec2<f32>(x[at], 1.0);
#if weighted
            point.y = h[at];
#endif
        }
        if b0 + r < last && o0 + c < params.outputs {
            cotangent = g[(b0 + r) * params.outputs + o0 + c];
        }
        points[r * SIDE + c] = point;
        gs[r * SIDE + c] = cotangent;
        workgroupBarrier();
        if inside {
            var chunk = vec3<f32>();
            for (var k = 0u; k < min(SIDE, last - b0); k++) {
                let p = points[k * SIDE + c];
                let u = wavelet_argument(p.x, edge.x, edge.y);
                let both = wavelet(u);
                chunk = fma(vec3<f32>(p.y * gs[k * SIDE + r]), vec3<f32>(both.x, both.y, u * both.y), chunk);
            }
            sums += chunk;
        }
        workgroupBarrier();
    }
    if inside {
        let at = (part * params.outputs + o) * params.inputs + i;
        first[at] = sums.x;
        second[at] = sums.y;
        third[at] = sums.z;
    }
}
