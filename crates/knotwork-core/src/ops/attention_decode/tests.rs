use proptest::prelude::*;

use super::*;
use crate::{
    DType, Device, Error, Graph, HostTensor,
    cpu::evaluate,
    error::FeedError,
    ops::{Attention, Index, Mask, testing::*},
};

fn counts(values: &[i32]) -> HostTensor {
    HostTensor::new(values, [values.len()]).unwrap()
}

/// B, H, Hkv, Lq, C, D, Dv.
type Sizes = [usize; 7];

fn inputs(g: &Graph, dtype: DType, [b, h, hkv, lq, c, d, dv]: Sizes) -> [Tensor; 4] {
    let t = |name, shape: [usize; 4]| g.input(name, dtype, shape).unwrap();
    [
        t("q", [b, h, lq, d]),
        t("k", [b, hkv, c, d]),
        t("v", [b, hkv, c, dv]),
        g.input("lengths", DType::I32, [b]).unwrap(),
    ]
}

/// Values whose scores are of the order of 1, and NaN in every key and value that no query may read.
fn feeds([b, h, hkv, lq, c, d, dv]: Sizes, lengths: &[i32]) -> Vec<(&'static str, HostTensor)> {
    let of = |shape: [usize; 4], phase: f64, cache: bool| {
        let mut values = wave(&shape, phase).to_f64();
        if cache {
            for (at, value) in values.iter_mut().enumerate() {
                let (b, key) = (at / (hkv * c * shape[3]), at / shape[3] % c);
                if key >= lengths[b] as usize {
                    *value = f64::NAN;
                }
            }
        }
        host(&values, &shape)
    };
    vec![
        ("q", of([b, h, lq, d], 0.3, false)),
        ("k", of([b, hkv, c, d], 1.1, true)),
        ("v", of([b, hkv, c, dv], 2.7, true)),
        ("lengths", counts(lengths)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same as attention with a mask that says what decoding means.
    #[test]
    fn it_is_attention_under_a_mask(
        b in 1usize..4,
        hkv in 1usize..3,
        share in 1usize..5,
        lq in 1usize..4,
        c in prop_oneof![1usize..40, 500usize..1100],
        [d, dv] in [1usize..20, 1usize..20],
        part in prop::collection::vec(0usize..=1000, 4),
        window in prop::option::of(1usize..60),
        [softcap, alibi, causal] in any::<[bool; 3]>(),
    ) {
        let sizes = [b, hkv * share, hkv, lq, c, d, dv];
        let lengths: Vec<i32> = (0..b).map(|b| (part[b] * c / 1000) as i32).collect();
        let g = Graph::new();
        let [q, k, v, n] = inputs(&g, DType::F32, sizes);
        let mut options = Decode::new().alibi(alibi).causal(causal);
        options.window = window;
        options.softcap = softcap.then_some(1.5);
        let y = q.attention_decode(&k, &v, &n, &options).unwrap();

        let length = || Index::value(&n, [Index::batch()]);
        let position = || Index::row() + length() - Index::queries();
        let mut mask = Mask::when(Index::key().less(length()));
        if causal {
            mask = mask & Mask::when(Index::key().at_most(position()));
        }
        if let Some(w) = window {
            mask = mask & Mask::when(Index::key().greater(position() - w as i32));
        }
        // The distances of ALiBi differ by a constant a row, which softmax does not see.
        let mut plain = Attention::new().mask(mask).alibi(alibi);
        if softcap {
            plain = plain.softcap(1.5);
        }
        let want = q.attention(&k, &v, &plain).unwrap();
        let feeds = feeds(sizes, &lengths);
        let want = evaluate(&g, &[&y, &want], &feeds.iter().cloned().collect()).unwrap();
        let mut program = Device::cpu().compile(&g, &[&y], &[]).unwrap();
        let got = program.run(feeds).unwrap().wait().unwrap()[0].to_f64();
        let [defined, attention] = [0, 1].map(|i| want[i].to_f64());
        for (at, (x, (defined, attention))) in got.iter().zip(defined.iter().zip(&attention)).enumerate() {
            prop_assert!(
                (defined - attention).abs() <= 1e-6 && (x - attention).abs() <= 2e-5,
                "{at}: {x}, defined {defined}, attention {attention}; {sizes:?}, {lengths:?}, {options:?}"
            );
        }
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let g = Graph::new();
    let [q, k, v, n] = inputs(&g, DType::F32, [2, 3, 3, 1, 5, 4, 4]);
    let two = g.input("two", DType::F32, [2, 2, 5, 4]).unwrap();
    let one = g.input("one", DType::I32, [1]).unwrap();
    let says = |found: Result<Tensor>, text: &str| {
        let message = found.unwrap_err().to_string();
        assert!(message.contains(text) && message.contains("attention_decode/tests.rs"), "{message}");
    };
    let new = Decode::new;
    says(q.attention_decode(&two, &two, &n, &new()), "q has 3 heads, k has 2");
    says(q.attention_decode(&k, &two, &n, &new()), "dimension 1 of v is 2, that of k is 3");
    says(
        q.attention_decode(&k, &v, &one, &new()),
        "the lengths are i32[1]; they must be i32 or u32 [B] = [2]",
    );
    says(q.attention_decode(&k, &v, &q, &new()), "they must be i32 or u32");
    says(q.attention_decode(&n, &v, &n, &new()), "k is i32[2]; it takes f32 or f64");
    says(q.attention_decode(&k, &v, &n, &new().window(0)), "the window is 0 keys");
    says(q.attention_decode(&k, &v, &n, &new().softcap(-1.0)), "softcap is -1");
    says(q.attention_decode(&k, &v, &n, &new().scale(f64::INFINITY)), "scale is inf");
}

#[test]
fn a_length_outside_the_cache_is_refused_by_name() {
    let sizes = [2, 1, 1, 1, 3, 2, 2];
    let g = Graph::new();
    let [q, k, v, n] = inputs(&g, DType::F32, sizes);
    let given = q.attention_decode(&k, &v, &n, &Decode::new()).unwrap();
    let computed = q.attention_decode(&k, &v, &n.add(1.0).unwrap(), &Decode::new()).unwrap();
    for bad in [4, -1] {
        let feeds: Vec<_> = feeds(sizes, &[3, 0]);
        let with = |lengths: &[i32]| {
            let mut feeds = feeds.clone();
            feeds[3].1 = counts(lengths);
            feeds
        };
        let mut program = Device::cpu().compile(&g, &[&given], &[]).unwrap();
        let error = program.run(with(&[3, bad])).unwrap_err();
        assert!(
            matches!(&error, Error::Feed(FeedError::Index { at: 1, bound: 4, value, .. }) if *value == i64::from(bad)),
            "{error}"
        );
        let mut program = Device::cpu().compile(&g, &[&computed], &[]).unwrap();
        let error = program.run(with(&[2, bad - 1])).unwrap_err().to_string();
        assert!(error.contains(&format!("length {bad} at 1 lies outside 0..=3")), "{error}");
    }
}

#[test]
fn there_is_no_gradient_and_the_error_says_what_has_one() {
    let g = Graph::new();
    let [q, k, v, n] = inputs(&g, DType::F32, [1, 1, 1, 1, 3, 2, 2]);
    let y = q.attention_decode(&k, &v, &n, &Decode::new()).unwrap();
    let error = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&q]).unwrap_err();
    assert!(
        matches!(&error, Error::Gradient { op, reason, .. }
        if op == "attention_decode" && reason.contains("Mask::lengths")),
        "{error}"
    );
}

#[test]
fn numbers_that_are_none_stay_in_their_rows() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let g = Graph::new();
    let [q, k, v, n] = inputs(&g, DType::F32, [7, 1, 1, 1, 2, 1, 1]);
    let y = q.attention_decode(&k, &v, &n, &Decode::new()).unwrap();
    let keys = [nan, nan, 0.0, nan, 0.0, nan, -inf, 0.0, -inf, -inf, inf, 0.0, 0.0, 0.0];
    let values = [nan, nan, 5.0, nan, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0, inf, 1.0];
    let feeds = [
        ("q", host(&[1.0; 7], &[7, 1, 1, 1])),
        ("k", host(&keys, &[7, 1, 2, 1])),
        ("v", host(&values, &[7, 1, 2, 1])),
        ("lengths", counts(&[0, 1, 2, 2, 2, 2, 2])),
    ];
    let got = both(&g, &[&y], &feeds).remove(0);
    // Nothing seen; what is hidden not read; a NaN; a key of no weight; no largest score; an infinite one; an infinite value.
    for (got, want) in got.iter().zip([0.0, 5.0, nan, 3.0, nan, nan, inf]) {
        assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "{got}, not {want}");
    }
}

#[test]
fn caches_may_lie_anywhere() {
    // As a model stores them: [B, C, Hkv, D].
    let g = Graph::new();
    let q = g.input("q", DType::F32, [2, 3, 4, 6]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let cache = g.input("cache", DType::F32, [2, 9, 2, 12]).unwrap().permute(&[0, 2, 1, 3]).unwrap();
    let (k, v) = (cache.slice(3, 0, 6).unwrap(), cache.slice(3, 6, 12).unwrap());
    let n = g.tensor(HostTensor::new(&[9u32, 4], [2]).unwrap()).unwrap();
    let y = q.attention_decode(&k, &v, &n, &Decode::new()).unwrap();
    let f32 = |shape: &[usize], phase| host(&wave(shape, phase).to_f64(), shape);
    let got = both(&g, &[&y], &[("q", f32(&[2, 3, 4, 6], 0.0)), ("cache", f32(&[2, 9, 2, 12], 1.0))]);
    assert!(got[0].iter().all(|x| x.is_finite() && *x != 0.0));
    let plan =
        Device::cpu().compile(&g, &[&y], &[]).unwrap().plan(&crate::tensor::Binding::default()).unwrap();
    assert_eq!(plan.steps.len(), 1, "{plan}");
}

/// The cache cut into pages that lie anywhere gives what the whole cache gives.
#[test]
fn pages_are_the_cache_in_another_order() {
    let mut random = 12345u64;
    let mut below = |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    for (page, places, lq, share, window) in [
        (1, 9, 1, 1, None),
        (4, 6, 3, 2, Some(5)),
        (7, 3, 1, 4, None),
        (600, 2, 2, 2, Some(700)),
        (16, 70, 2, 3, None),
    ] {
        let (b, hkv, c, d, dv) = (3, 2, page * places, 6, 3);
        let sizes = [b, hkv * share, hkv, lq, c, d, dv];
        let lengths = [below(c + 1) as i32, c as i32, below(c + 1) as i32];
        let g = Graph::new();
        let [q, k, v, n] = inputs(&g, DType::F32, sizes);
        let options = Decode { window, ..Decode::new() };
        let whole = q.attention_decode(&k, &v, &n, &options).unwrap();
        // Two pages more than are used; a shuffle says where each lies.
        let mut order: Vec<usize> = (0..b * places + 2).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, below(i + 1));
        }
        let mut feeds = feeds(sizes, &lengths);
        let paged = |from: &HostTensor, width: usize| {
            let from = from.to_f64();
            let mut to = vec![f64::NAN; order.len() * hkv * page * width];
            for (at, x) in from.iter().enumerate() {
                let (row, column) = (at / width, at % width);
                let (sequence, head, key) = (row / (c * hkv), row / c % hkv, row % c);
                let place = order[sequence * places + key / page];
                to[((place * hkv + head) * page + key % page) * width + column] = *x;
            }
            host(&to, &[order.len(), hkv, page, width])
        };
        let in_pages = [paged(&feeds[1].1, d), paged(&feeds[2].1, dv)];
        let table: Vec<u32> = order[..b * places].iter().map(|&p| p as u32).collect();
        let t = |name, width| g.input(name, DType::F32, [order.len(), hkv, page, width]).unwrap();
        let table_in = g.input("table", DType::U32, [b, places]).unwrap();
        let (pk, pv) = (t("pk", d), t("pv", dv));
        let y = q.attention_decode(&pk, &pv, &n, &options.pages(&table_in)).unwrap();
        let [pk, pv] = in_pages;
        feeds.extend([("pk", pk), ("pv", pv), ("table", HostTensor::new(&table, [b, places]).unwrap())]);
        let got = both(&g, &[&whole, &y], &feeds);
        for (at, (a, b)) in got[0].iter().zip(&got[1]).enumerate() {
            assert!((a - b).abs() <= 2e-6 * a.abs().max(1.0), "pages of {page}, {at}: {b}, whole {a}");
        }
        assert!(got[0].iter().any(|x| *x != 0.0));
    }
}

#[test]
fn a_page_outside_the_cache_is_refused_by_name() {
    let g = Graph::new();
    let t = |name, shape: [usize; 4]| g.input(name, DType::F32, shape).unwrap();
    let (q, cache) = (t("q", [1, 1, 1, 2]), t("cache", [3, 1, 4, 2]));
    let n = g.input("lengths", DType::I32, [1]).unwrap();
    let table = g.input("table", DType::I32, [1, 2]).unwrap();
    let decode = |table: &Tensor| q.attention_decode(&cache, &cache, &n, &Decode::new().pages(table));
    let feeds = |length: i32, pages: [i32; 2]| {
        let ones = |shape: [usize; 4]| host(&vec![1.0; shape.iter().product()], &shape);
        let table = HostTensor::new(&pages, [1, 2]).unwrap();
        vec![
            ("q", ones([1, 1, 1, 2])),
            ("cache", ones([3, 1, 4, 2])),
            ("lengths", counts(&[length])),
            ("table", table),
        ]
    };
    let (given, computed) = (decode(&table).unwrap(), decode(&table.add(1.0).unwrap()).unwrap());
    let mut program = Device::cpu().compile(&g, &[&given], &[]).unwrap();
    let error = program.run(feeds(8, [0, 3])).unwrap_err().to_string();
    assert!(
        error.contains("input `table` holds index 3 at 1, outside 0..3 of `page_table` (made at"),
        "{error}"
    );
    assert!(error.contains("attention_decode/tests.rs"), "{error}");
    let error = program.run(feeds(9, [0, 2])).unwrap_err().to_string();
    assert!(
        error.contains("input `lengths` holds index 9 at 0, outside 0..9 of `attention_decode`"),
        "{error}"
    );
    assert_eq!(program.run(feeds(8, [0, 2])).unwrap().wait().unwrap()[0].to_f64(), [1.0, 1.0]);
    let mut program = Device::cpu().compile(&g, &[&computed], &[]).unwrap();
    let error = program.run(feeds(8, [1, -2])).unwrap_err().to_string();
    assert!(error.contains("page -1 at 1 lies outside 0..3"), "{error}");

    let says = |table: &Tensor, cache: &Tensor, text: &str| {
        let message =
            q.attention_decode(cache, cache, &n, &Decode::new().pages(table)).unwrap_err().to_string();
        assert!(message.contains(text) && message.contains("attention_decode/tests.rs"), "{message}");
    };
    says(&n, &cache, "the page table is [1]; it must be [B, N], B = 1");
    says(&q, &cache, "the page table is f32[1, 1, 1, 2]; it takes i32 or u32");
    says(&table, &t("none", [0, 1, 4, 2]), "the cache has no page");
    says(&table, &t("empty", [3, 1, 0, 2]), "its pages hold no key");
}
