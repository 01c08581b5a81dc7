// Up to seven parts one behind the other, into their places in each row of the result. Elements are moved as words,
// whatever their type.
#import shared/grid

struct Params {
    // words that this dispatch writes
    count: u32,
    // words of a row that its parts fill, and where in the row they begin
    width: u32,
    begin: u32,
    // words of a row of the result
    total: u32,
    // where each part ends, counted from `begin`
    end0: u32,
    end1: u32,
    end2: u32,
    end3: u32,
    end4: u32,
    end5: u32,
    end6: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<storage, read> x0: array<u32>;
#if two
@group(0) @binding(3) var<storage, read> x1: array<u32>;
#endif
#if three
@group(0) @binding(4) var<storage, read> x2: array<u32>;
#endif
#if four
@group(0) @binding(5) var<storage, read> x3: array<u32>;
#endif
#if five
@group(0) @binding(6) var<storage, read> x4: array<u32>;
#endif
#if six
@group(0) @binding(7) var<storage, read> x5: array<u32>;
#endif
#if seven
@group(0) @binding(8) var<storage, read> x6: array<u32>;
#endif

// The place in a part that ends at `end` and begins at `start`, of what stands at `column` of row `row`.
fn place(row: u32, column: u32, start: u32, end: u32) -> u32 {
    return row * (end - start) + column - start;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
    let at = linear_thread(wid, groups, local, 256u);
    if at >= params.count {
        return;
    }
    let row = at / params.width;
    let column = at % params.width;
    var value = 0u;
    if column < params.end0 {
        value = x0[place(row, column, 0u, params.end0)];
    }
#if two
    if column >= params.end0 && column < params.end1 {
        value = x1[place(row, column, params.end0, params.end1)];
    }
#endif
#if three
    if column >= params.end1 && column < params.end2 {
        value = x2[place(row, column, params.end1, params.end2)];
    }
#endif
#if four
    if column >= params.end2 && column < params.end3 {
        value = x3[place(row, column, params.end2, params.end3)];
    }
#endif
#if five
    if column >= params.end3 && column < params.end4 {
        value = x4[place(row, column, params.end3, params.end4)];
    }
#endif
#if six
    if column >= params.end4 && column < params.end5 {
        value = x5[place(row, column, params.end4, params.end5)];
    }
#endif
#if seven
    if column >= params.end5 && column < params.end6 {
        value = x6[place(row, column, params.end5, params.end6)];
    }
#endif
    y[row * params.total + params.begin + column] = value;
}
