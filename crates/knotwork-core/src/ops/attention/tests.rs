use super::*;
use crate::{DType, Graph, ops::testing::*};

#[test]
fn the_streaming_example_has_its_published_numbers() {
    let g = Graph::new();
    let t = |name| g.input(name, DType::F32, [1, 1, 4, 2]).unwrap();
    let (q, k, v) = (t("q"), t("k"), t("v"));
    let mask = Mask::causal() & (Mask::window(1, 0) | Mask::prefix(1));
    let y = q.attention(&k, &v, &Attention::new().mask(mask)).unwrap();
    let grads = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&q, &k, &v]).unwrap();
    let feeds = [
        ("q", host(&[1.0, 0.0, 0.0, 1.0, 1.0, 1.0, -1.0, 1.0], &[1, 1, 4, 2])),
        ("k", host(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0, -1.0, 1.0], &[1, 1, 4, 2])),
        ("v", host(&[1.0, 0.0, 0.0, 1.0, 2.0, 2.0, -1.0, 3.0], &[1, 1, 4, 2])),
    ];
    let got = both(&g, &[&y, &grads[0], &grads[1], &grads[2]], &feeds);
    let want: [&[f64]; 4] = [
        &[1.0, 0.0, 0.5, 0.5, 1.0, 0.744_765_23, -0.379_413_47, 2.376_940_8],
        &[0.0, 0.0, 0.0, 0.0, 0.130_738_21, -0.395_890_34, -0.002_565_6, -0.124_532_07],
        &[
            -0.139_337_25,
            -0.390_967,
            -0.130_738_21,
            -0.130_738_21,
            0.271_358_26,
            0.520_422_41,
            -0.001_282_8,
            0.001_282_8,
        ],
        &[
            2.181_86,
            2.181_86,
            0.748_255_08,
            0.748_255_08,
            0.336_203_82,
            0.336_203_82,
            0.733_681_11,
            0.733_681_11,
        ],
    ];
    for (got, want) in got.iter().zip(want) {
        for (a, b) in got.iter().zip(want) {
            assert!((a - b).abs() < 3e-6, "{a}, published {b}");
        }
    }
}

#[test]
fn bad_options_and_shapes_are_named() {
    let g = Graph::new();
    let q = g.input("q", DType::F32, [1, 3, 4, 2]).unwrap();
    let k = g.input("k", DType::F32, [1, 2, 5, 2]).unwrap();
    let one = g.input("one", DType::F32, [1, 1, 5, 2]).unwrap();
    let document = g.input("document", DType::I32, [1, 4]).unwrap();
    let says = |k: &Tensor, options: Attention, text: &str| {
        let message = q.attention(k, k, &options).unwrap_err().to_string();
        assert!(message.contains(text), "{message}");
    };
    let new = Attention::new;
    says(&k, new(), "q has 3 heads, k has 2");
    says(&one, new().mask(Mask::strided(0)), "strided(0)");
    says(&one, new().mask(Mask::dilated_window(1, 0)), "dilation 0");
    says(&one, new().mask(Mask::block(0, &document)), "block size 0");
    says(&one, new().mask(Mask::block(2, &document)), "block_mask is");
    says(&one, new().mask(Mask::document(&document)), "[B, Lk] = [1, 5]");
    says(&one, new().mask(Mask::document(&one)), "i32, u32 or bool");
    says(
        &one,
        new().mask(Mask::lengths(&document)),
        "the lengths are i32[1, 4]; they must be i32 or u32 [B] = [1]",
    );
    says(&one, new().mask(Mask::lengths(&one)), "i32, u32 or bool");
    says(&one, new().top_k(0), "top_k is 0");
    says(&one, new().top_k(6), "top_k is 6, but a row has 5 keys");
    says(&one, new().softcap(0.0), "softcap is 0");
    says(&one, new().scale(f64::NAN), "scale is NaN");
    says(&one, new().bias(&document), "the bias is");
}

#[test]
fn a_row_with_nothing_allowed_is_0_and_has_no_gradient() {
    let g = Graph::new();
    let q = g.input("q", DType::F32, [1, 1, 3, 1]).unwrap();
    let k = g.input("k", DType::F32, [1, 1, 1, 1]).unwrap();
    for normalizer in [Normalizer::Softmax, Normalizer::Sparsemax, Normalizer::Entmax15] {
        let options = Attention::new().mask(Mask::causal()).normalizer(normalizer);
        let y = q.attention(&k, &k, &options).unwrap();
        let dk = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&k]).unwrap().remove(0);
        let feeds = [("q", host(&[1.0, 2.0, 3.0], &[1, 1, 3, 1])), ("k", host(&[7.0], &[1, 1, 1, 1]))];
        let got = both(&g, &[&y, &dk], &feeds);
        assert_eq!((got[0].as_slice(), got[1].as_slice()), ([0.0, 0.0, 7.0].as_slice(), [1.0].as_slice()));
    }
}

/// Which keys each query sees: values are unit vectors, scores all equal.
fn seen(g: &Graph, mask: Mask, lq: usize, lk: usize, feeds: &[(&str, crate::HostTensor)]) -> Vec<Vec<bool>> {
    let zeros = |n: usize| g.tensor(host(&vec![0.0; n], &[1, 1, n, 1])).unwrap();
    let unit: Vec<f64> = (0..lk * lk).map(|i| f64::from(i % (lk + 1) == 0)).collect();
    let v = g.tensor(host(&unit, &[1, 1, lk, lk])).unwrap();
    let y = zeros(lq).attention(&zeros(lk), &v, &Attention::new().mask(mask)).unwrap();
    both(g, &[&y], feeds)[0].chunks(lk).map(|row| row.iter().map(|&p| p > 0.0).collect()).collect()
}

#[test]
fn masks_are_their_boolean_matrices() {
    type Plain = fn(i64, i64) -> bool;
    let masks: [(Mask, Plain); 8] = [
        (Mask::full(), |_, _| true),
        (Mask::causal(), |q, k| k <= q),
        (Mask::window(2, 1), |q, k| (q - 2..=q + 1).contains(&k)),
        (Mask::prefix(3), |q, k| k < 3 && q >= 0),
        (Mask::strided(3), |q, k| (q - k).rem_euclid(3) == 0),
        (Mask::dilated_window(2, 2), |q, k| (q - k).abs() <= 4 && (q - k) % 2 == 0),
        (Mask::causal() & !Mask::window(1, 0), |q, k| k < q - 1),
        (Mask::when((Index::query() / 2).equal(Index::key() % 4)) | Mask::prefix(1), |q, k| {
            q / 2 == k % 4 || (k < 1 && q >= 0)
        }),
    ];
    for (lq, lk) in [(5, 5), (3, 7), (6, 4), (1, 9)] {
        for (mask, plain) in &masks {
            let g = Graph::new();
            let got = seen(&g, mask.clone(), lq, lk, &[]);
            for (i, row) in got.iter().enumerate() {
                for (j, &sees) in row.iter().enumerate() {
                    let q = i as i64 + lk as i64 - lq as i64;
                    assert_eq!(sees, plain(q, j as i64), "{mask:?}, query at {q}, key {j}");
                }
            }
        }
    }
}

#[test]
fn documents_and_blocks_are_looked_up() {
    let g = Graph::new();
    let document = g.tensor(crate::HostTensor::new(&[0i32, 0, 1, 1], [1, 4]).unwrap()).unwrap();
    let blocks = g.tensor(crate::HostTensor::new(&[1i32, 0], [1, 1, 2]).unwrap()).unwrap();
    let (no, yes) = (false, true);
    let got = seen(&g, Mask::document(&document), 2, 4, &[]);
    assert_eq!(got, [[no, no, yes, yes]; 2]);
    let got = seen(&g, Mask::block(3, &blocks) & Mask::causal(), 2, 4, &[]);
    assert_eq!(got, [[yes, yes, yes, no]; 2]);
}

/// A padded batch is the sequences one by one, whatever lies in the padding: output and gradients, by rows and by tiles.
#[test]
fn lengths_are_the_sequences_one_by_one() {
    for (l, lengths) in [(5, [5, 0, 3]), (150, [100, 150, 1])] {
        let shape = [3, 2, l, 4];
        let padded = |phase: f64, fill: f64| {
            let mut values = wave(&shape, phase).to_f64();
            for (at, x) in values.iter_mut().enumerate() {
                if at / 4 % l >= lengths[at / (8 * l)] {
                    *x = fill;
                }
            }
            host(&values, &shape)
        };
        let dy = padded(3.0, 0.0);
        let feeds =
            [("q", padded(0.0, 1.0)), ("k", padded(1.0, f64::NAN)), ("v", padded(2.0, f64::NAN)), ("dy", dy)];
        let g = Graph::new();
        let [q, k, v, dy] = ["q", "k", "v", "dy"].map(|name| g.input(name, DType::F32, shape).unwrap());
        let given = lengths.map(|n| n as i32);
        let n = g.tensor(crate::HostTensor::new(&given, [3]).unwrap()).unwrap();
        let attend = |[q, k, v, dy]: [&Tensor; 4], options: &Attention| {
            let y = q.attention(k, v, options).unwrap();
            let mut all = g.vjp(&[(&y, dy)], &[q, k, v]).unwrap();
            all.insert(0, y);
            all
        };
        let whole = attend([&q, &k, &v, &dy], &Attention::new().mask(Mask::lengths(&n)));
        let mut outputs: Vec<Tensor> = whole;
        for (b, &n) in lengths.iter().enumerate().filter(|(_, n)| **n > 0) {
            let part = [&q, &k, &v, &dy].map(|t| t.slice(0, b, b + 1).unwrap().slice(2, 0, n).unwrap());
            outputs.extend(attend([&part[0], &part[1], &part[2], &part[3]], &Attention::new()));
        }
        let got = both(&g, &outputs.iter().collect::<Vec<_>>(), &feeds);
        let (whole, mut parts) = got.split_at(4);
        for (b, &n) in lengths.iter().enumerate() {
            for (what, whole) in whole.iter().enumerate() {
                for head in 0..2 {
                    let rows = &whole[(b * 2 + head) * l * 4..][..l * 4];
                    // The output of a padded query is of no use, but a number; its gradients are those of no cotangent.
                    let finite = if n > 0 || what > 0 {
                        rows.iter().all(|x| x.is_finite())
                    } else {
                        rows.iter().all(|x| *x == 0.0)
                    };
                    assert!(finite, "{what} of {b}: {rows:?}");
                    if n == 0 {
                        continue;
                    }
                    for (i, (a, w)) in rows.iter().zip(&parts[what][head * n * 4..][..n * 4]).enumerate() {
                        assert!(
                            (a - w).abs() <= 2e-6 * w.abs().max(1.0),
                            "{what} of {b}, {head}, {i}: {a}, alone {w}"
                        );
                    }
                    let behind = &rows[n * 4..];
                    assert!(what == 0 || behind.iter().all(|x| *x == 0.0), "{what} of {b}: {behind:?}");
                }
            }
            if n > 0 {
                parts = &parts[4..];
            }
        }
    }
}
