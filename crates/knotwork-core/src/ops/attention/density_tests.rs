//! Tests: what is estimated of a mask's tiles is what they are, and the choice that follows is in the plan.

use super::{
    call::Call,
    density::{Choice, Density},
    op::{AttentionOp, PartOf},
    tiles::{EVERY, LISTED, TILE},
    *,
};
use crate::{
    DType, Graph, Layout,
    plan::{Capabilities, KernelOperand, KernelRequest, Plan, PlanOptions},
};

/// What `of` makes of a forward call over [b, h, l, d] and tables.
fn over<T>(
    mask: &Mask,
    [b, h, l, d]: [usize; 4],
    tables: &[(&Tensor, &[usize])],
    of: impl Fn(&Call<'_>) -> T,
) -> T {
    let mut found = Vec::new();
    let resolved = mask.condition.0.resolve(&mut found);
    let setting = Setting {
        mask: resolved,
        roles: found.iter().map(|(_, role)| *role).collect(),
        scale: None,
        softcap: None,
        alibi: false,
        bias: None,
        top_k: None,
        normalizer: Normalizer::Softmax,
    };
    let operand = |dtype, shape: &[usize]| KernelOperand { dtype, layout: Layout::contiguous(shape) };
    let mut inputs = vec![operand(DType::F32, &[b, h, l, d]); 3];
    inputs.extend(tables.iter().map(|(t, shape)| operand(t.dtype(), shape)));
    let outputs = [operand(DType::F32, &[b, h, l, d]), operand(DType::F32, &[b, h, l, 4])];
    let op = AttentionOp { part: PartOf::Forward, setting };
    let capabilities = Capabilities::portable();
    let request =
        KernelRequest { inputs: &inputs, outputs: &outputs, aliases: &[], capabilities: &capabilities };
    of(&Call::new(&op, &request))
}

type Plain = fn(i64, i64) -> bool;

#[test]
fn bounds_find_the_tiles_that_each_pair_says() {
    let masks: [(Mask, Plain); 5] = [
        (Mask::causal(), |q, k| k <= q),
        (Mask::window(100, 0), |q, k| (q - 100..=q).contains(&k)),
        ((Mask::window(40, 3) | Mask::prefix(4)) & Mask::causal(), |q, k| {
            k <= q && ((q - 40..=q + 3).contains(&k) || k < 4)
        }),
        (Mask::strided(96), |q, k| (q - k) % 96 == 0),
        (!Mask::window(200, 200), |q, k| (q - k).abs() > 200),
    ];
    for l in [320usize, 333] {
        for (n, (mask, plain)) in masks.iter().enumerate() {
            let (mut whole, mut partial, mut tiles) = (0.0, 0.0, 0.0);
            for (row, key) in (0..l).step_by(TILE).flat_map(|r| (0..l).step_by(TILE).map(move |k| (r, k))) {
                let inside = |x: usize| x..(x + TILE).min(l);
                let pairs = inside(row).flat_map(|q| inside(key).map(move |k| (q as i64, k as i64)));
                let seen = pairs.filter(|&(q, k)| plain(q, k)).count();
                tiles += 1.0;
                whole += f64::from(seen == TILE * TILE);
                partial += f64::from(seen > 0 && seen < TILE * TILE);
            }
            // Two batches and four heads have this mask.
            let want =
                Density { tiles: 8.0 * tiles, whole: 8.0 * whole, partial: 8.0 * partial, tables: 0.0 };
            let got = over(mask, [2, 4, l, 16], &[], Density::of);
            if l % TILE == 0 {
                assert_eq!(got, want, "mask {n}");
            } else {
                // A run of tiles that ends within one is counted whole.
                assert_eq!((got.tiles, got.listed()), (want.tiles, want.listed()), "mask {n} over {l}");
            }
        }
    }
}

#[test]
fn long_rows_are_judged_by_some_of_them() {
    let got = over(&Mask::causal(), [1, 2, 1 << 17, 64], &[], Density::of);
    let side = 4096.0;
    assert_eq!(got.tiles, 2.0 * side * side);
    assert!((got.listed() / got.tiles - 0.5).abs() < 0.01, "{got:?}");
    let window = over(&(Mask::causal() & Mask::window(255, 0)), [1, 1, 1 << 17, 64], &[], Density::of);
    assert!((window.listed() / window.tiles - 9.0 / side).abs() < 1.0 / side, "{window:?}");
}

#[test]
fn what_tables_decide_is_counted_apart() {
    let g = Graph::new();
    let of = g.input("of", DType::I32, [1, 2048]).unwrap();
    let mask = Mask::document(&of) & Mask::causal();
    let got = over(&mask, [1, 1, 2048, 16], &[(&of, &[1, 2048])], Density::of);
    assert_eq!((got.tiles, got.whole, got.partial, got.tables), (4096.0, 0.0, 0.0, 2080.0));
    assert!(over(&mask, [1, 1, 2048, 16], &[(&of, &[1, 2048])], |c| Choice::of(c).lists_pay()));
}

#[test]
fn lists_are_made_where_they_save_more_than_they_cost() {
    let pays = |mask: Mask, shape| over(&mask, shape, &[], |call| Choice::of(call).lists_pay());
    assert!(pays(Mask::window(255, 0), [1, 1, 4096, 16]));
    assert!(pays(Mask::causal(), [1, 1, 1024, 16]));
    // Too little work to save any of it; so much more of it.
    assert!(!pays(Mask::causal(), [1, 1, 128, 64]));
    assert!(pays(Mask::causal(), [16, 16, 128, 64]));
    // A stride that fits into every tile leaves none out.
    assert!(!pays(Mask::strided(8), [1, 8, 4096, 64]));
}

fn planned(mask: Mask, l: usize, variant: Option<usize>) -> Plan {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [1, 2, l, 32]).unwrap();
    let y = x.attention(&x, &x, &Attention::new().mask(mask)).unwrap();
    let dx = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let options = PlanOptions { variant, ..PlanOptions::default() };
    g.plan(&[&y, &dx], &[], &[].into(), &Capabilities::portable(), options).unwrap()
}

#[test]
fn the_choice_stands_in_the_plan() {
    let with = |plan: &Plan, variant: &str| {
        plan.steps.iter().filter(|s| s.op.name().starts_with("attention") && s.variant == variant).count()
    };
    let sparse = planned(Mask::causal() & Mask::window(255, 0), 4096, None);
    assert_eq!(with(&sparse, LISTED), 4);
    let text = sparse.explain();
    let line =
        "mask: about 2232 of 32768 tiles take part (6.8 %), 1736 of them whole; lists of them cost 0.0";
    assert_eq!(text.matches(line).count(), 4, "{text}");
    assert_eq!(text.matches("of what every tile costs: lists\n").count(), 4, "{text}");
    let dense = planned(Mask::strided(8), 1024, None);
    assert_eq!(with(&dense, EVERY), 4);
    let text = dense.explain();
    assert_eq!(text.matches("2048 of 2048 tiles take part (100.0 %), 0 of them whole").count(), 4, "{text}");
    assert_eq!(text.matches("of what every tile costs: every tile\n").count(), 4, "{text}");
    // No mask, no estimate; a workgroup a query has none either.
    for plan in [planned(Mask::full(), 1024, None), planned(Mask::causal(), 4, None)] {
        assert!(plan.steps.iter().all(|s| s.note.is_none()), "{plan}");
    }
}
