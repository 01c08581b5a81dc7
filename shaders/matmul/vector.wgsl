// c[b, m, n] = sum_k a[b, m, k] b[b, k, n] where one side has few vectors (FEW, at most 4): a is few rows, or with flag
// `tall` b is few columns. The other operand, the long one, is read once, and all of the work is to read it.
//
// The long operand lies along K (`long_along_k`): LANES threads take one of its vectors, each every LANES-th four of
// it, and meet in a tree; with flag `subgroups` all threads take one vector, and meet in their subgroups, of whatever
// size, whose sums are added in their order. It lies across: a thread takes four neighbouring vectors, SLICES threads share K and meet.
// Ranges and parts of K, `accumulate`: as in `matmul`.
#import shared/grid
#import matmul/operands

const FEW: u32 = 1u;
const THREADS: u32 = 256u;
const LANES: u32 = 32u;
const SLICES: u32 = 8u;
const TOGETHER: u32 = THREADS / SLICES;

var<workgroup> partial: array<vec4<f32>, THREADS>;

fn few_at(tile: Tile, s: u32, k: u32) -> vec4<f32> {
#if tall
    return four_b(tile.at_b, k, s, tile.last);
#else
    return four_a(tile.at_a, s, k, tile.last);
#endif
}

fn store(matrix: u32, s: u32, at: u32, value: f32) {
#if tall
    emit((matrix * params.m + at) * params.n + s, value);
#else
    emit((matrix * params.m + s) * params.n + at, value);
#endif
}

// Halves the threads that hold a part, the nearer half taking the other's, until `apart` hold one each.
fn meet(local: u32, index: u32, count: u32, apart: u32) {
    for (var step = count / 2u; step > 0u; step = step / 2u) {
        workgroupBarrier();
        if index < step {
            partial[local] += partial[local + step * apart];
        }
    }
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
#if subgroups
        @builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32,
        @builtin(subgroup_invocation_id) member: u32,
#endif
        @builtin(local_invocation_index) local: u32) {
    let group = linear_group(wid, groups);
#if tall
    let count = params.m;
#else
    let count = params.n;
#endif
#if long_along_k
    let each = THREADS / LANES;
#else
    let each = TOGETHER * 4u;
#endif
    let blocks = (count + each - 1u) / each;
    let matrix = group / blocks;
    if matrix >= params.batches * params.range.w {
        return;
    }
    let tile = tile_of(matrix, 0u, 0u);
    let first = group % blocks * each;
#if long_along_k
    let lane = local % LANES;
    let at = first + local / LANES;
    var sums = vec4<f32>();
    for (var k = tile.first + lane * 4u; k < tile.last; k += LANES * 4u) {
#if tall
        let x = four_a(tile.at_a, at, k, tile.last);
#else
        let x = four_b(tile.at_b, k, at, tile.last);
#endif
        sums.x += dot(x, few_at(tile, 0u, k));
        if FEW > 1u { sums.y += dot(x, few_at(tile, 1u, k)); }
        if FEW > 2u { sums.z += dot(x, few_at(tile, 2u, k)); }
        if FEW > 3u { sums.w += dot(x, few_at(tile, 3u, k)); }
    }
#if subgroups
    let joined = subgroupAdd(sums);
    if member == 0u {
        partial[subgroup] = joined;
    }
    workgroupBarrier();
    if local == 0u {
        for (var i = 1u; i < subgroups; i++) {
            partial[0] += partial[i];
        }
    }
#else
    partial[local] = sums;
    meet(local, lane, LANES, 1u);
#endif
    if lane == 0u && at < count {
        for (var s = 0u; s < FEW; s++) {
            store(matrix, s, at, partial[local][s]);
        }
    }
#else
    let slice = local / TOGETHER;
    let at = first + local % TOGETHER * 4u;
    var sums: array<vec4<f32>, FEW>;
    for (var k = tile.first + slice * 4u; k < tile.last; k += SLICES * 4u) {
#if tall
        let x = block_a(tile.at_a, at, k, tile.last);
#else
        let x = block_b(tile.at_b, at, k, tile.last);
#endif
        for (var s = 0u; s < FEW; s++) {
            sums[s] += x * few_at(tile, s, k);
        }
    }
    for (var s = 0u; s < FEW; s++) {
        partial[local] = sums[s];
        meet(local, slice, SLICES, TOGETHER);
        if slice == 0u {
            for (var j = 0u; j < 4u; j++) {
                if at + j < count {
                    store(matrix, s, at + j, partial[local][j]);
                }
            }
        }
        workgroupBarrier();
    }
#endif
}
