// What the threads of a workgroup have together. Every thread must come here; the order depends on the threads only.
#import shared/bits

const THREADS: u32 = 64u;

var<workgroup> tree: array<f32, THREADS>;
var<workgroup> count_tree: array<u32, THREADS>;

fn larger(a: f32, b: f32) -> f32 {
    if b > a || kw_is_nan(b) {
        return b;
    }
    return a;
}

fn sum_of_all(local: u32, x: f32) -> f32 {
    tree[local] = x;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            tree[local] += tree[local + step];
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&tree[0]);
}

fn largest_of_all(local: u32, x: f32) -> f32 {
    tree[local] = x;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            tree[local] = larger(tree[local], tree[local + step]);
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&tree[0]);
}

fn largest_count_of_all(local: u32, x: u32) -> u32 {
    count_tree[local] = x;
    workgroupBarrier();
    for (var step = THREADS / 2u; step > 0u; step = step / 2u) {
        if local < step {
            count_tree[local] = max(count_tree[local], count_tree[local + step]);
        }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&count_tree[0]);
}

// The sum over threads whose numbers are equal modulo `columns`, a power of two; right in the first `columns` threads.
fn sum_of_column(local: u32, columns: u32, x: f32) -> f32 {
    tree[local] = x;
    workgroupBarrier();
    for (var step = THREADS / 2u; step >= columns; step = step / 2u) {
        if local < step {
            tree[local] += tree[local + step];
        }
        workgroupBarrier();
    }
    let sum = tree[local];
    workgroupBarrier();
    return sum;
}
