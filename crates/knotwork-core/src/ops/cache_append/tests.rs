use crate::{
    DType, Device, Error, Graph, HostTensor, Tensor,
    error::FeedError,
    ops::{Attention, Decode, Mask, testing::*},
    tensor::Binding,
};

fn counts(values: &[i32]) -> HostTensor {
    HostTensor::new(values, [values.len()]).unwrap()
}

#[test]
fn rows_go_to_their_positions_and_nothing_else_changes() {
    let g = Graph::new();
    let cache = g.input("cache", DType::F32, [2, 1, 3, 2]).unwrap();
    let rows = g.input("rows", DType::F32, [2, 1, 1, 2]).unwrap();
    let at = g.input("at", DType::I32, [2]).unwrap();
    let y = cache.cache_append(&rows, &at).unwrap();
    let feeds = [
        ("cache", host(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0], &[2, 1, 3, 2])),
        ("rows", host(&[-1.0, -2.0, -3.0, -4.0], &[2, 1, 1, 2])),
        ("at", counts(&[2, 0])),
    ];
    let got = both(&g, &[&y], &feeds).remove(0);
    assert_eq!(got, [0.0, 1.0, 2.0, 3.0, -1.0, -2.0, -3.0, -4.0, 8.0, 9.0, 10.0, 11.0]);
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let cache = g.input("cache", DType::F32, [2, 1, 3, 2]).unwrap();
    let t = |name, shape: &[usize]| g.input(name, DType::F32, shape).unwrap();
    let at = g.input("at", DType::I32, [2]).unwrap();
    let (rows, many) = (t("rows", &[2, 1, 1, 2]), t("many", &[2, 1, 4, 2]));
    let says = |rows: &Tensor, at: &Tensor, text: &str| {
        let message = cache.cache_append(rows, at).unwrap_err().to_string();
        assert!(message.contains(text) && message.contains("cache_append/tests.rs"), "{message}");
    };
    says(&many, &at, "4 rows at a time into a cache that has room for 3");
    says(&t("wide", &[2, 1, 1, 3]), &at, "they must be [2, 1, L, 2]");
    says(&t("flat", &[2, 1, 2]), &at, "both must have 4 dimensions");
    says(&rows, &rows, "the positions are f32[2, 1, 1, 2]; they must be i32 or u32 [B] = [2]");
    says(&at, &at, "they must be of one type");
    let table = g.input("table", DType::I32, [2, 1]).unwrap();
    let error = cache.cache_append_paged(&many, &at, &table).unwrap_err().to_string();
    assert!(error.contains("4 rows at a time into a cache that has room for 3"), "{error}");
    let error = cache.cache_append_paged(&rows, &at, &at).unwrap_err().to_string();
    assert!(error.contains("the page table is [2]; it must be [B, N], B = 2"), "{error}");
    let y = cache.cache_append(&rows, &at).unwrap().sum(&[0, 1, 2, 3], false).unwrap();
    let error = y.grad(&[&rows]).unwrap_err();
    assert!(matches!(&error, Error::Gradient { op, .. } if op == "cache_append"), "{error}");
}

#[test]
fn a_position_without_room_is_refused_and_the_state_is_as_before() {
    let g = Graph::new();
    let cache = g.state("cache", "cache", host(&[1.0, 2.0, 3.0], &[1, 1, 3, 1])).unwrap();
    let rows = g.input("rows", DType::F32, [1, 1, 2, 1]).unwrap();
    let at = g.input("at", DType::I32, [1]).unwrap();
    let step = g.assign(&cache, &cache.cache_append(&rows, &at).unwrap()).unwrap();
    let mut program = Device::cpu().compile(&g, &[], &[&step]).unwrap();
    let feeds = |at: i32| [("rows", host(&[8.0, 9.0], &[1, 1, 2, 1])), ("at", counts(&[at]))];
    for bad in [2, -1] {
        let error = program.run(feeds(bad)).unwrap_err();
        let named = matches!(&error, Error::Feed(FeedError::Index { bound: 2, value, .. }) if *value == i64::from(bad));
        assert!(named, "{error}");
        assert_eq!(program.params().get("cache").unwrap().to_f64(), [1.0, 2.0, 3.0]);
    }
    program.run(feeds(1)).unwrap().wait().unwrap();
    assert_eq!(program.params().get("cache").unwrap().to_f64(), [1.0, 8.0, 9.0]);
}

/// One program, run for each new token, gives what causal attention over the whole sequences gives; its caches are written
/// in place. The sequences begin with prompts of different lengths.
#[test]
fn a_loop_of_steps_is_causal_attention() {
    let ([b, h, hkv, d], capacity, prompts) = ([2, 4, 2, 5], 12, [3, 1]);
    let zeros = |n: usize| host(&vec![0.0; b * hkv * n * d], &[b, hkv, n, d]);
    let all = |phase: f64, heads: usize| wave(&[b, heads, capacity, d], phase).to_f64();
    let (qs, ks, vs) = (all(0.1, h), all(1.3, hkv), all(2.9, hkv));
    // Row `at[b]` of each sequence.
    let rows = |from: &[f64], heads: usize, at: &[usize]| {
        let row = |b: usize, h: usize| ((b * heads + h) * capacity + at[b]) * d;
        let values: Vec<f64> =
            (0..b * heads).flat_map(|n| from[row(n / heads, n % heads)..][..d].to_vec()).collect();
        host(&values, &[b, heads, 1, d])
    };

    let whole = Graph::new();
    let t = |name, heads| whole.input(name, DType::F32, [b, heads, capacity, d]).unwrap();
    let y = t("q", h).attention(&t("k", hkv), &t("v", hkv), &Attention::new().mask(Mask::causal())).unwrap();
    let feeds = [("q", &qs, h), ("k", &ks, hkv), ("v", &vs, hkv)]
        .map(|(name, values, heads)| (name, host(values, &[b, heads, capacity, d])));
    let want = both(&whole, &[&y], &feeds).remove(0);

    let g = Graph::new();
    let mut prompt = zeros(capacity).to_f64();
    let mut start = |from: &[f64]| {
        for (at, x) in prompt.iter_mut().enumerate() {
            *x = if at / d % capacity < prompts[at / (hkv * capacity * d)] { from[at] } else { f64::NAN };
        }
        host(&prompt, &[b, hkv, capacity, d])
    };
    let keys = g.state("keys", "cache", start(&ks)).unwrap();
    let values = g.state("values", "cache", start(&vs)).unwrap();
    let length = g.state("length", "cache", counts(&prompts.map(|n| n as i32))).unwrap();
    let t = |name, heads| g.input(name, DType::F32, [b, heads, 1, d]).unwrap();
    let (q, k, v) = (t("q", h), t("k", hkv), t("v", hkv));
    let new_keys = keys.cache_append(&k, &length).unwrap();
    let new_values = values.cache_append(&v, &length).unwrap();
    let new_length = length.add(1.0).unwrap();
    let y = q.attention_decode(&new_keys, &new_values, &new_length, &Decode::new()).unwrap();
    let assign = |slot: &Tensor, value: &Tensor| g.assign(slot, value).unwrap();
    let updates = [assign(&keys, &new_keys), assign(&values, &new_values), assign(&length, &new_length)];
    let mut program = Device::cpu().compile(&g, &[&y], &updates.iter().collect::<Vec<_>>()).unwrap();
    let plan = program.plan(&Binding::default()).unwrap();
    let appends: Vec<_> = plan.steps.iter().filter(|s| s.op.name() == "cache_append").collect();
    assert!(appends.len() == 2 && appends.iter().all(|s| s.aliases == [(0, 0)]), "{plan}");

    for step in 0..capacity - prompts[0] {
        let at = prompts.map(|n| n + step);
        let feeds = [("q", rows(&qs, h, &at)), ("k", rows(&ks, hkv, &at)), ("v", rows(&vs, hkv, &at))];
        let got = program.run(feeds).unwrap().wait().unwrap().remove(0).to_f64();
        for (n, got) in got.chunks(d).enumerate() {
            let want = &want[(n * capacity + at[n / h]) * d..][..d];
            for (a, w) in got.iter().zip(want) {
                assert!((a - w).abs() <= 1e-5, "step {step}, row {n}: {a}, whole {w}");
            }
        }
    }
    assert_eq!(program.params().get("length").unwrap().to_f64(), [12.0, 10.0]);
    // The cache of the first sequence is full: the next step says so.
    let at = [0, 0];
    let feeds = [("q", rows(&qs, h, &at)), ("k", rows(&ks, hkv, &at)), ("v", rows(&vs, hkv, &at))];
    let error = program.run(feeds).unwrap_err().to_string();
    assert!(error.contains("position 12 at 0 lies outside 0..=11"), "{error}");
}

/// Pages that sequences take as they grow: what a step writes, the attention of the same step reads.
#[test]
fn sequences_grow_over_pages_in_place() {
    let (page, pages, steps) = (2, 4, 4);
    let g = Graph::new();
    let zeros = host(&vec![f64::NAN; pages * page], &[pages, 1, page, 1]);
    let cache = g.state("cache", "cache", zeros).unwrap();
    let length = g.state("length", "cache", counts(&[0, 0])).unwrap();
    let table = g.input("table", DType::I32, [2, 2]).unwrap();
    let x = g.input("x", DType::F32, [2, 1, 1, 1]).unwrap();
    let new = cache.cache_append_paged(&x, &length, &table).unwrap();
    let longer = length.add(1.0).unwrap();
    // All scores are 0: the mean of what was appended so far.
    let y = x.attention_decode(&new, &new, &longer, &Decode::new().scale(0.0).pages(&table)).unwrap();
    let updates = [g.assign(&cache, &new).unwrap(), g.assign(&length, &longer).unwrap()];
    let mut program = Device::cpu().compile(&g, &[&y], &[&updates[0], &updates[1]]).unwrap();
    let plan = program.plan(&Binding::default()).unwrap();
    let of = |name: &str| plan.steps.iter().filter(|s| s.op.name() == name).collect::<Vec<_>>();
    // The table is checked once for both.
    assert!(of("page_table").len() == 1 && of("cache_append")[0].aliases == [(0, 0)], "{plan}");
    let mut sums = [0.0; 2];
    for step in 0..steps {
        // The second page of each is known only when it is needed.
        let table = if step < 2 { [3, 0, 1, 0] } else { [3, 2, 1, 0] };
        let values = [step as f64 * 2.0 + 1.0, step as f64 - 9.0];
        sums = [sums[0] + values[0], sums[1] + values[1]];
        let feeds =
            [("table", HostTensor::new(&table, [2, 2]).unwrap()), ("x", host(&values, &[2, 1, 1, 1]))];
        let got = program.run(feeds).unwrap().wait().unwrap().remove(0).to_f64();
        for (got, sum) in got.iter().zip(sums) {
            assert!((got - sum / (step + 1) as f64).abs() < 1e-5, "step {step}: {got}");
        }
    }
    let held = program.params().get("cache").unwrap().to_f64();
    assert_eq!(held, [-7.0, -6.0, -9.0, -8.0, 5.0, 7.0, 1.0, 3.0]);
}
