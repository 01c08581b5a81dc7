//! Tests of the CPU's tiles: every option against the reference, at sizes that fill some tiles and end within others; and
//! what stands between them and the pairs, the bounds of masks and the blocks.

use super::{
    blocks::{Blocks, SIDE},
    bounds::{Area, certain},
    evaluate::{Place, TableData, row},
    *,
};
use crate::{Graph, HostTensor, cpu::evaluate, ops::testing::host};

/// Numbers in [−2, 2) from a small generator.
fn numbers(shape: &[usize], seed: u64) -> HostTensor {
    let mut state = seed;
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / f64::from(1u32 << 22) - 2.0
        })
        .collect();
    host(&values, shape)
}

fn integers(shape: &[usize], of: impl Fn(usize) -> i32) -> HostTensor {
    HostTensor::from_vec((0..shape.iter().product()).map(of).collect(), shape).unwrap()
}

/// Output and gradients of the CPU against the reference; `options` may add inputs.
fn agrees(name: &str, [b, h, hkv, lq, lk, d, dv]: [usize; 7], options: impl Fn(&Graph) -> Attention) {
    let g = Graph::new();
    let make = |name: &str, shape: [usize; 4], seed| g.state(name, "test", numbers(&shape, seed)).unwrap();
    let (q, k) = (make("q", [b, h, lq, d], 1), make("k", [b, hkv, lk, d], 2));
    let (v, dy) = (make("v", [b, hkv, lk, dv], 3), make("dy", [b, h, lq, dv], 4));
    let options = options(&g);
    let y = q.attention(&k, &v, &options).unwrap();
    let mut wanted = vec![&q, &k, &v];
    wanted.extend(options.bias.as_ref().map(|(bias, _)| bias));
    let mut outputs = vec![y.clone()];
    outputs.extend(g.vjp(&[(&y, &dy)], &wanted).unwrap());
    let outputs: Vec<&Tensor> = outputs.iter().collect();
    let want = evaluate(&g, &outputs, &Default::default()).unwrap();
    let got = crate::Device::cpu()
        .compile(&g, &outputs, &[])
        .unwrap()
        .run::<HostTensor>([])
        .unwrap()
        .wait()
        .unwrap();
    for (n, (got, want)) in got.iter().zip(&want).enumerate() {
        let (got, want) = (got.to_f64(), want.to_f64());
        let largest = want.iter().fold(1.0f64, |m, v| m.max(v.abs()));
        for (i, (a, b)) in got.iter().zip(&want).enumerate() {
            let same = a == b || (a.is_nan() && b.is_nan());
            assert!(same || (a - b).abs() <= 1e-5 * largest, "{name}, output {n}, {i}: {a}, reference {b}");
        }
    }
}

const SIZES: [usize; 7] = [2, 4, 2, 70, 131, 9, 5];

#[test]
fn every_mask_gives_what_the_reference_gives() {
    type Make = fn() -> Mask;
    let masks: [(&str, Make); 8] = [
        ("full", Mask::full),
        ("causal", Mask::causal),
        ("window", || Mask::window(20, 0)),
        ("sinks", || Mask::window(10, 3) | (Mask::prefix(2) & Mask::causal())),
        ("strided", || Mask::strided(3)),
        ("dilated", || Mask::dilated_window(4, 5)),
        ("nothing", || !Mask::full()),
        ("by head", || {
            Mask::when((Index::query() - Index::key()).at_most(Index::head() * 40)) & Mask::causal()
        }),
    ];
    for (name, mask) in masks {
        agrees(name, SIZES, |_| Attention::new().mask(mask()));
        // More queries than keys: the first see nothing of a causal mask.
        agrees(name, [1, 2, 1, 150, 66, 4, 3], |_| Attention::new().mask(mask()));
    }
    agrees("document", SIZES, |g| {
        let of = g.tensor(integers(&[2, 131], |i| (i / 40) as i32)).unwrap();
        Attention::new().mask(Mask::document(&of) & Mask::causal())
    });
    agrees("blocks", SIZES, |g| {
        let of = g.tensor(integers(&[4, 5, 9], |i| i32::from(i % 3 == 0))).unwrap();
        Attention::new().mask(Mask::block(16, &of))
    });
}

#[test]
fn every_option_gives_what_the_reference_gives() {
    let new = || Attention::new().mask(Mask::causal() & Mask::window(90, 0));
    agrees("softcap", SIZES, |_| new().softcap(2.0));
    agrees("alibi", SIZES, |_| new().alibi(true));
    agrees("scale", SIZES, |_| new().scale(-0.3));
    for normalizer in [Normalizer::Sparsemax, Normalizer::Entmax15] {
        agrees("sparse", SIZES, |_| new().normalizer(normalizer));
        agrees("sparse, capped", SIZES, |_| new().normalizer(normalizer).softcap(3.0).alibi(true));
        agrees("sparse, full", SIZES, |_| Attention::new().normalizer(normalizer));
    }
    agrees("relative bias", SIZES, |g| {
        new().relative_bias(&g.state("bias", "test", numbers(&[4, 31], 5)).unwrap())
    });
    for shape in [[4, 70, 131], [1, 1, 131], [4, 70, 1]] {
        agrees("bias", SIZES, |g| new().bias(&g.state("bias", "test", numbers(&shape, 6)).unwrap()));
    }
    agrees("one key head, no values", [1, 3, 1, 65, 64, 2, 0], |_| new());
    agrees("top-k", SIZES, |_| new().top_k(7));
    agrees("panels of some rows", [1, 1, 1, 65, 2100, 3, 2], |_| Attention::new());
}

#[test]
fn what_is_hidden_may_be_anything_but_a_row_shows_what_it_sees() {
    for (value, large) in [(f32::NAN, 1.0), (f32::INFINITY, 1.0), (0.0, 1e30)] {
        let g = Graph::new();
        let mut all = numbers(&[1, 1, 80, 4], 1).as_slice::<f32>().unwrap().to_vec();
        // Its score alone overflows, or it is not finite itself.
        all[70 * 4] = if large > 1.0 { large } else { value };
        let k = g.state("k", "test", HostTensor::new(&all, [1, 1, 80, 4]).unwrap()).unwrap();
        let q = g.state("q", "test", HostTensor::new(&vec![large; 320], [1, 1, 80, 4]).unwrap()).unwrap();
        let y = q.attention(&k, &k, &Attention::new().mask(Mask::causal())).unwrap();
        let dy = g.state("dy", "test", numbers(&[1, 1, 80, 4], 2)).unwrap();
        let d = g.vjp(&[(&y, &dy)], &[&q]).unwrap();
        let outputs = [&y, &d[0]];
        let want = evaluate(&g, &outputs, &Default::default()).unwrap();
        let mut program = crate::Device::cpu().compile(&g, &outputs, &[]).unwrap();
        let got = program.run::<HostTensor>([]).unwrap().wait().unwrap();
        for (got, want) in got.iter().zip(&want) {
            for (i, (a, b)) in got.to_f64().into_iter().zip(want.to_f64()).enumerate() {
                // Where f32 overflows, f64 does not.
                let row = i / 4;
                assert_eq!(a.is_nan(), row >= 70, "{value}, {large}: element {i} is {a}, reference {b}");
            }
        }
    }
}

fn plain(mask: &Mask, tables: &[TableData], area: &Area) -> Vec<bool> {
    let (queries, keys) = (area.queries, area.all_keys);
    let one = |r: usize| {
        let place = Place { batch: area.batch, head: area.head, row: r, queries, keys };
        let lane = row(&mask.condition.0, &place, tables);
        area.keys.clone().map(|k| lane.get(k) != 0).collect::<Vec<_>>()
    };
    area.rows.clone().flat_map(one).collect()
}

/// Masks of every kind of expression.
fn many() -> Vec<Mask> {
    let (q, k) = (Index::query, Index::key);
    vec![
        Mask::full(),
        Mask::causal(),
        Mask::window(70, 5),
        !Mask::window(70, 5),
        Mask::strided(7) | Mask::prefix(9),
        Mask::dilated_window(9, 4),
        Mask::when((q() / 50).equal(k() / 50)),
        Mask::when((k() % 64).less(3)),
        Mask::when(((q() - k()) / -9 % -4).equal(0)),
        Mask::when((q() * k()).at_most(900)),
        Mask::when((k() + i32::MAX).less(-q().min(Index::row()).abs()) & k().greater(Index::head().max(5))),
        Mask::when((Index::keys() - k()).less(q() / (k() - 3)) | (k() % (q() - 1)).equal(0)),
        Mask::when((q() * i32::MAX).less(k())),
    ]
}

#[test]
fn bounds_are_certain_only_of_what_holds_for_every_pair() {
    let mut certain_of = [0, 0];
    for (n, mask) in many().iter().enumerate() {
        for (queries, all_keys) in [(200, 200), (90, 170), (170, 90)] {
            for (first, rows) in [(0, 1), (0, 64), (30, 20), (64, 26)] {
                for (from, keys) in [(0, 1), (0, 64), (5, 60), (64, 26)] {
                    let (rows, keys) = (first..first + rows, from..from + keys);
                    let area = Area { batch: 0, head: 1, rows, keys, queries, all_keys };
                    if let Some(says) = certain(&mask.condition.0, &area, &[]) {
                        certain_of[usize::from(says)] += 1;
                        assert!(
                            plain(mask, &[], &area).iter().all(|&sees| sees == says),
                            "mask {n}: {area:?}"
                        );
                    }
                }
            }
        }
    }
    // It is worth something: more than a third of all areas are one or the other.
    assert!(certain_of[0] > 80 && certain_of[1] > 80, "{certain_of:?}");
}

#[test]
fn lines_hold_each_pair_that_is_seen_and_no_empty_block() {
    for (n, mask) in many().iter().enumerate() {
        for (queries, keys) in [(200, 200), (90, 170), (170, 90)] {
            let blocks = Blocks::new(&mask.condition.0, &[], [1, 2, queries, keys]);
            for block in 0..queries.div_ceil(SIDE) {
                let line = blocks.line(0, 1, block);
                let rows = block * SIDE..(block * SIDE + SIDE).min(queries);
                let mut sees = vec![false; rows.len() * keys];
                for entry in &line.entries {
                    let mut any = false;
                    for r in 0..rows.len() {
                        let bits = entry.bits.map_or(u64::MAX, |at| line.bits[at + r]);
                        for k in entry.block * SIDE..(entry.block * SIDE + SIDE).min(keys) {
                            sees[r * keys + k] = bits >> (k % SIDE) & 1 == 1;
                            any |= sees[r * keys + k];
                        }
                    }
                    assert!(any, "mask {n}: block {} of line {block} is empty", entry.block);
                }
                let area = Area { batch: 0, head: 1, rows, keys: 0..keys, queries, all_keys: keys };
                assert_eq!(sees, plain(mask, &[], &area), "mask {n}, line {block}");
            }
        }
    }
}

#[test]
fn a_window_costs_its_width_and_looked_up_documents_only_themselves() {
    let blocks = |mask: &Mask, tables: &[TableData]| {
        let blocks = Blocks::new(&mask.condition.0, tables, [1, 1, 2048, 2048]);
        (0..32).map(|n| blocks.line(0, 0, n).entries.len()).max().unwrap()
    };
    assert_eq!(blocks(&(Mask::causal() & Mask::window(256, 0)), &[]), 5);
    assert_eq!(blocks(&Mask::full(), &[]), 32);
    let g = Graph::new();
    let of = g.tensor(integers(&[1, 2048], |i| (i / 128) as i32)).unwrap();
    let mut slots = Vec::new();
    let mask = Mask::when(Condition(Mask::document(&of).condition.0.resolve(&mut slots)));
    let table = TableData { shape: vec![1, 2048], data: (0..2048).map(|i| i / 128).collect() };
    assert_eq!(blocks(&mask, &[table]), 2);
}
