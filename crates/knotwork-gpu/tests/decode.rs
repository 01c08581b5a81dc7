//! Decoding on a GPU: caches that grow in place from step to step, what is out of range, and numbers that are none.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{
    DType, Device, Error, Graph, HostTensor, Tensor,
    cpu::evaluate,
    ops::{Attention, Decode, Mask},
    plan::PlanOptions,
};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

fn host(values: &[f32], shape: &[usize]) -> HostTensor {
    HostTensor::new(values, shape).unwrap()
}

fn counts(values: &[i32]) -> HostTensor {
    HostTensor::new(values, [values.len()]).unwrap()
}

/// Elements without a pattern that a sum could cancel.
fn wave(shape: [usize; 4], phase: f32) -> Vec<f32> {
    (0..shape.iter().product::<usize>()).map(|i| (phase + 1.7 * i as f32).sin()).collect()
}

/// The steps of one program against causal attention over the whole, in every variant; `pages`: of so many keys.
fn grows(pages: Option<usize>) {
    let ([b, h, hkv, d], steps) = ([2usize, 4usize, 2usize, 5usize], 12usize);
    // Room for more than is used: enough that the keys are taken in parts.
    let capacity = 300;
    let (qs, ks, vs) =
        (wave([b, h, steps, d], 0.1), wave([b, hkv, steps, d], 1.3), wave([b, hkv, steps, d], 2.9));
    let row = |from: &[f32], heads: usize, step: usize| {
        let rows = from.chunks(d).skip(step).step_by(steps).flatten().copied().collect::<Vec<f32>>();
        host(&rows, &[b, heads, 1, d])
    };
    let whole = Graph::new();
    let t = |name, heads| whole.input(name, DType::F32, [b, heads, steps, d]).unwrap();
    let y = t("q", h).attention(&t("k", hkv), &t("v", hkv), &Attention::new().mask(Mask::causal()));
    let feeds = [("q", &qs, h), ("k", &ks, hkv), ("v", &vs, hkv)]
        .map(|(name, values, heads)| (name, host(values, &[b, heads, steps, d])));
    let want = evaluate(&whole, &[&y.unwrap()], &feeds.into_iter().collect()).unwrap()[0].to_f64();

    let g = Graph::new();
    let (places, page) = pages.map_or((1, capacity), |page| (capacity / page, page));
    let shape = [b * places, hkv, page, d];
    let empty = || host(&vec![f32::NAN; shape.iter().product()], &shape);
    let keys = g.state("keys", "cache", empty()).unwrap();
    let values = g.state("values", "cache", empty()).unwrap();
    let length = g.state("length", "cache", counts(&[0, 0])).unwrap();
    // Pages of the two sequences in turn, from the last on.
    let table: Vec<i32> =
        (0..b * places).map(|n| (b * places - 1 - n % places * b - n / places) as i32).collect();
    let table = g.tensor(HostTensor::new(&table, [b, places]).unwrap()).unwrap();
    let t = |name, heads| g.input(name, DType::F32, [b, heads, 1, d]).unwrap();
    let (q, k, v) = (t("q", h), t("k", hkv), t("v", hkv));
    let append = |cache: &Tensor, x: &Tensor| match pages {
        Some(_) => cache.cache_append_paged(x, &length, &table).unwrap(),
        None => cache.cache_append(x, &length).unwrap(),
    };
    let (new_keys, new_values, longer) = (append(&keys, &k), append(&values, &v), length.add(1.0).unwrap());
    let options = if pages.is_some() { Decode::new().pages(&table) } else { Decode::new() };
    let y = q.attention_decode(&new_keys, &new_values, &longer, &options).unwrap();
    // Steps behind it are stored with it.
    let y = y.tanh().unwrap().mul(2.0).unwrap();
    let update = g.assign(&keys, &new_keys).unwrap().and(g.assign(&values, &new_values).unwrap()).unwrap();
    let update = update.and(g.assign(&length, &longer).unwrap()).unwrap();
    for device in devices() {
        for variant in [None, Some(1)] {
            let choice = PlanOptions { variant, ..PlanOptions::default() };
            let mut program = device.compile(&g, &[&y], &[&update]).unwrap().with_options(choice);
            let plan = program.plan(&Default::default()).unwrap();
            let appends: Vec<_> = plan.steps.iter().filter(|s| s.op.name() == "cache_append").collect();
            assert!(appends.len() == 2 && appends.iter().all(|s| s.variant == "in_place"), "{plan}");
            for step in 0..steps {
                let feeds =
                    [("q", row(&qs, h, step)), ("k", row(&ks, hkv, step)), ("v", row(&vs, hkv, step))];
                let got = program.run(feeds).unwrap().wait().unwrap()[0].to_f64();
                for (n, got) in got.chunks(d).enumerate() {
                    for (a, w) in got.iter().zip(&want[(n * steps + step) * d..]) {
                        let w = 2.0 * w.tanh();
                        assert!((a - w).abs() <= 2e-5, "step {step}, row {n}: {a}, not {w}; {variant:?}");
                    }
                }
            }
            assert_eq!(program.params().get("length").unwrap().to_f64(), [12.0, 12.0]);
        }
    }
}

#[test]
fn caches_grow_in_place() {
    grows(None);
}

#[test]
fn pages_grow_in_place() {
    grows(Some(5));
}

#[test]
fn what_the_device_finds_out_of_range_is_counted_by_its_bound() {
    let g = Graph::new();
    let t = |name, shape: [usize; 4]| g.input(name, DType::F32, shape).unwrap();
    let (q, cache) = (t("q", [3, 2, 1, 4]), t("cache", [3, 2, 300, 4]));
    let n = g.input("n", DType::I32, [3]).unwrap();
    let computed = n.add(1.0).unwrap();
    let table = computed.reshape([3, 1]).unwrap();
    let decode = |k: &Tensor, lengths, options| q.attention_decode(k, k, lengths, &options).unwrap();
    let seven = g.tensor(counts(&[7, 7, 7])).unwrap();
    let cases = [
        (decode(&cache, &computed, Decode::new()), [300, -2, 299], "attention_decode", 2, 301),
        (cache.cache_append(&q, &computed).unwrap(), [299, -2, 298], "cache_append", 2, 300),
        (decode(&cache, &seven, Decode::new().pages(&table)), [2, 1, -2], "page_table", 2, 3),
    ];
    for device in devices() {
        for (y, given, name, outside, limit) in &cases {
            for variant in [None, Some(1)] {
                let choice = PlanOptions { variant, ..PlanOptions::default() };
                let mut program = device.compile(&g, &[y], &[]).unwrap().with_options(choice);
                let values = |shape: [usize; 4]| host(&wave(shape, 0.0), &shape);
                let feeds =
                    [("q", values([3, 2, 1, 4])), ("cache", values([3, 2, 300, 4])), ("n", counts(given))];
                let used = ["q", "cache", "n"].map(|name| (name, plan_reads(&mut program, name)));
                let feeds =
                    feeds.into_iter().filter(|(name, _)| used.iter().any(|(n, used)| n == name && *used));
                let error = program.run(feeds).unwrap().wait().unwrap_err();
                let fits = matches!(&error, Error::IndexOutOfRange { op, count, bound, .. }
                    if op == name && count == outside && bound == limit);
                assert!(fits, "{name}: {error}");
            }
        }
    }
}

fn plan_reads(program: &mut knotwork_core::Program, name: &str) -> bool {
    program.plan(&Default::default()).unwrap().feeds.iter().any(|f| f.name == name)
}

#[test]
fn numbers_that_are_none_stay_in_their_rows() {
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    // Six sequences, each with special keys and values among 70 (two tiles) or 300 (parts) keys.
    for capacity in [70, 300] {
        let g = Graph::new();
        let t = |name, shape: [usize; 4]| g.input(name, DType::F32, shape).unwrap();
        let q = t("q", [6, 2, 1, 1]);
        let (k, v) = (t("k", [6, 1, capacity, 1]), t("v", [6, 1, capacity, 1]));
        let n = g.input("n", DType::I32, [6]).unwrap();
        let y = q.attention_decode(&k, &v, &n, &Decode::new()).unwrap();
        let (mut keys, mut values) = (wave([6, 1, capacity, 1], 0.3), wave([6, 1, capacity, 1], 2.0));
        let last = capacity as i32 - 1;
        let lengths = [0, 66, last, last, last, last];
        for (b, &n) in lengths.iter().enumerate() {
            // What lies behind the length is not read.
            (n as usize..capacity).for_each(|i| {
                keys[b * capacity + i] = nan;
                values[b * capacity + i] = nan;
            });
        }
        keys[2 * capacity + 65] = nan;
        (0..65).for_each(|i| keys[3 * capacity + i] = -inf);
        keys[4 * capacity..5 * capacity].fill(-inf);
        keys[5 * capacity + 3] = inf;
        let feeds = [
            ("q", host(&[1.0; 12], &[6, 2, 1, 1])),
            ("k", host(&keys, &[6, 1, capacity, 1])),
            ("v", host(&values, &[6, 1, capacity, 1])),
            ("n", counts(&lengths)),
        ];
        let want = evaluate(&g, &[&y], &feeds.iter().cloned().collect()).unwrap()[0].to_f64();
        assert!(want[..2] == [0.0; 2] && want[2..4].iter().all(|x| x.is_finite() && *x != 0.0), "{want:?}");
        assert!(want[6].is_finite() && [4, 8, 10].iter().all(|&i: &usize| want[i].is_nan()), "{want:?}");
        for device in devices() {
            for variant in [None, Some(1)] {
                let choice = PlanOptions { variant, ..PlanOptions::default() };
                let mut program = device.compile(&g, &[&y], &[]).unwrap().with_options(choice);
                let got =
                    program.run(feeds.iter().map(|(n, t)| (*n, t))).unwrap().wait().unwrap()[0].to_f64();
                for (at, (a, b)) in got.iter().zip(&want).enumerate() {
                    let same = (a - b).abs() <= 2e-5 || (a.is_nan() && b.is_nan());
                    assert!(same, "{capacity}, {variant:?}, row {at}: {a}, not {b}");
                }
            }
        }
    }
}
