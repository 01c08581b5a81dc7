use crate::{DType, Dim, Graph, Tensor, ops::testing::*};

fn near(got: &[f64], want: &[f64], by: f64) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(a, b)| assert!((a - b).abs() < by, "{got:?}, not {want:?}"));
}

#[test]
fn golden_values() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 4]).unwrap();
    let weight = g.tensor(host(&[1.0, 2.0, -1.0, 0.5], &[4])).unwrap();
    let bias = g.tensor(host(&[0.0, 1.0, 0.0, -1.0], &[4])).unwrap();
    let layer = x.layer_norm(Some(&weight), Some(&bias), 0.0).unwrap();
    let rms = x.rms_norm(Some(&weight), 0.0).unwrap();
    let group = x.group_norm(2, None, Some(&bias), 0.0).unwrap();
    let batch = x.batch_norm(Some(&weight), None, 0.0).unwrap();
    let feeds = [("x", host(&[1.0, 3.0, 5.0, 7.0, -1.0, -1.0, 1.0, 1.0], &[2, 4]))];
    let got = both(&g, &[&layer, &rms, &batch], &feeds);
    let s = 5f64.sqrt();
    near(&got[0], &[-3.0 / s, 1.0 - 2.0 / s, -1.0 / s, 1.5 / s - 1.0, -1.0, -1.0, -1.0, -0.5], 1e-6);
    let r = 21f64.sqrt();
    near(&got[1], &[1.0 / r, 6.0 / r, -5.0 / r, 3.5 / r, -1.0, -2.0, -1.0, 0.5], 1e-6);
    near(&got[2], &[1.0, 2.0, -1.0, 0.5, -1.0, -2.0, 1.0, -0.5], 1e-6);
    let feeds = [("x", host(&[1.0, 3.0, 5.0, 7.0, -1.0, -2.0, 2.0, 1.0], &[2, 4]))];
    near(&both(&g, &[&group], &feeds)[0], &[-1.0, 2.0, -1.0, 0.0, 1.0, 0.0, 1.0, -2.0], 1e-6);
}

#[test]
fn constant_rows_give_the_bias_and_large_means_cost_no_digits() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, 300]).unwrap();
    let y = x.layer_norm(None, None, 1e-5).unwrap();
    let mut values = vec![12_345.678; 300];
    values.extend((0..300).map(|i| f64::from((1e4 + (f64::from(i) * 1.3).sin()) as f32)));
    let dx = y.square().unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    // The oracle computes in f64 from the same f32 elements.
    let got = both(&g, &[&y, &dx], &[("x", host(&values, &[2, 300]))]);
    assert!(got[0][..300].iter().chain(&got[1][..300]).all(|&v| v == 0.0));
}

#[test]
fn gradients_of_both_orders_agree_with_central_differences() {
    for kind in 0..4 {
        let g = Graph::new();
        let x = g.input("x", DType::F64, [3, 4, 2]).unwrap();
        let n = if kind < 2 { 2 } else { 4 };
        let w = g.input("w", DType::F64, [n]).unwrap();
        let b = g.input("b", DType::F64, [n]).unwrap();
        let y = match kind {
            0 => x.layer_norm(Some(&w), Some(&b), 0.1),
            1 => x.rms_norm(Some(&w), 0.1),
            2 => x.group_norm(2, Some(&w), Some(&b), 0.1),
            _ => x.batch_norm(Some(&w), Some(&b), 0.1),
        }
        .unwrap();
        let y = y.mul(g.tensor(wave(&[3, 4, 2], 5.0)).unwrap()).unwrap();
        let y = y.square().unwrap().sum(&[0, 1, 2], false).unwrap();
        let feeds = [("x", wave(&[3, 4, 2], 0.7)), ("w", wave(&[n], 0.2)), ("b", wave(&[n], 1.2))];
        let mut inputs = vec![(&x, "x"), (&w, "w")];
        if kind != 1 {
            inputs.push((&b, "b"));
        }
        check_gradients(&g, &y, &inputs, &feeds);
        let sum = |t: &Tensor| {
            let dims: Vec<isize> = (0..t.rank() as isize).collect();
            t.square().unwrap().sum(&dims, false).unwrap()
        };
        let d = y.grad(&[&x, &w]).unwrap();
        check_gradients(&g, &sum(&d[0]).add(sum(&d[1])).unwrap(), &inputs[..2], &feeds);
        // A third order goes through the nodes that the second was made of.
        let second = sum(&d[0]).grad(&[&x]).unwrap().remove(0);
        check_gradients(&g, &sum(&second), &inputs[..1], &feeds);
    }
}

#[test]
fn batches_can_be_named() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [Dim::named("batch"), 2.into()]).unwrap();
    let all =
        [x.layer_norm(None, None, 1e-5), x.group_norm(2, None, None, 1e-5), x.batch_norm(None, None, 1e-5)]
            .map(Result::unwrap);
    assert!(all.iter().all(|y| y.shape() == x.shape()));
    let dx = all[2].square().unwrap().sum(&[0, 1], false).unwrap().grad(&[&x]).unwrap().remove(0);
    let got = both(&g, &[&all[0], &dx], &[("x", host(&[0.0, 2.0, 5.0, 1.0, 1.0, 3.0], &[3, 2]))]);
    near(&got[0], &[-1.0, 1.0, 1.0, -1.0, -1.0, 1.0], 1e-5);
}

#[test]
fn errors_name_the_input_and_the_limit() {
    let g = Graph::new();
    let (x, n) = (g.input("x", DType::F32, [2, 6, 3]).unwrap(), g.input("n", DType::I32, [2, 6]).unwrap());
    let w = g.input("w", DType::F32, [5]).unwrap();
    let scalar = g.constant(DType::F32, 1.0).unwrap();
    let says = |result: crate::Result<Tensor>, want: &str| {
        let text = result.unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
    };
    says(
        x.group_norm(4, None, None, 1e-5),
        "`group_norm` of (f32[2, 6, 3]): 6 channels do not split into 4 groups",
    );
    says(x.group_norm(0, None, None, 1e-5), "6 channels do not split into 0 groups");
    says(x.layer_norm(Some(&w), None, 1e-5), "weight is f32[5]; one number a channel is f32[3]");
    says(x.batch_norm(None, Some(&w), 1e-5), "bias is f32[5]; one number a channel is f32[6]");
    says(x.rms_norm(None, -1.0), "eps is -1; it must be finite and not negative");
    says(n.layer_norm(None, None, 1e-5), "x is i32; it takes f32 or f64");
    says(scalar.layer_norm(None, None, 1e-5), "x is []; it takes […, C]");
    says(w.batch_norm(None, None, 1e-5), "x is [5]; it takes [B, C, …]");
}

/// Sizes at which the CPU's loops over columns differ from those over rows.
#[test]
fn large_batches_of_single_elements_agree_with_the_oracle() {
    for shape in [[300usize, 70], [33, 600], [2000, 9]] {
        let g = Graph::new();
        let x = g.input("x", DType::F32, shape).unwrap();
        let w = g.input("w", DType::F32, [shape[1]]).unwrap();
        let b = g.input("b", DType::F32, [shape[1]]).unwrap();
        let c = g.input("c", DType::F32, shape).unwrap();
        let mut outputs = Vec::new();
        for y in [
            x.batch_norm(Some(&w), Some(&b), 1e-5).unwrap(),
            x.layer_norm(Some(&w), Some(&b), 1e-5).unwrap(),
            x.group_norm(1, Some(&w), Some(&b), 1e-5).unwrap(),
            x.batch_norm(None, None, 1e-5).unwrap(),
        ] {
            let wanted = if outputs.len() < 9 { vec![&x, &w] } else { vec![&x] };
            outputs.extend(g.vjp(&[(&y, &c)], &wanted).unwrap());
            outputs.push(y);
        }
        let of = |shape: &[usize], phase| wave(shape, phase).cast(DType::F32);
        let feeds = [
            ("x", of(&shape, 0.1)),
            ("w", of(&shape[1..], 0.2)),
            ("b", of(&shape[1..], 0.3)),
            ("c", of(&shape, 0.4)),
        ];
        both(&g, &outputs.iter().collect::<Vec<_>>(), &feeds);
    }
}
