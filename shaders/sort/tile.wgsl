// A tile of keys in workgroup memory, EACH a thread.

const THREADS: u32 = 256u;
const EACH: u32 = 8u;
const TILE: u32 = THREADS * EACH;

var<workgroup> held: array<u32, TILE>;

// Where the k-th lies: threads that each walk EACH neighbours meet in no bank.
fn at(k: u32) -> u32 {
    return k ^ ((k >> 5u) & (EACH - 1u));
}

fn held_at(k: u32) -> u32 {
    return held[at(k)];
}

// How many keys of a sorted run are among the first `d` of it and a second one. Of equal keys those of the first run come
// first.
fn first_run(first: u32, in_first: u32, second: u32, in_second: u32, d: u32) -> u32 {
    var low = d - min(d, in_second);
    var high = min(d, in_first);
    while low < high {
        let middle = (low + high) / 2u;
        if held_at(first + middle) <= held_at(second + d - 1u - middle) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}
