// Fills a range of words with a pattern that is a NaN in every float type: memory that holds nothing alive is made to
// show, so that an element that a kernel leaves out, or a stale one that it reads, cannot pass for a number.
#import shared/grid

struct Params {
    // the first word, and one past the last
    begin: u32,
    end: u32,
    pattern: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = params.begin + linear_thread(wid, groups, local, 256u);
    if i < params.end {
        words[i] = params.pattern;
    }
}
