use crate::{DType, Graph, HostTensor, Tensor, ops::testing::*};

#[test]
fn signed_bytes_are_multiplied_exactly() {
    let g = Graph::new();
    let input = |name: &str, shape: &[usize]| g.input(name, DType::U32, shape).unwrap();
    let (a, b) = (input("a", &[1, 2]), input("b", &[2, 2]));
    let (s, t) = (g.input("s", DType::F32, [1]).unwrap(), g.input("t", DType::F32, [2]).unwrap());
    let y = a.matmul_int8(&b, &s, &t).unwrap();
    let words = |bytes: &[[i8; 4]], shape: &[usize]| {
        let all: Vec<u32> = bytes.iter().map(|b| u32::from_le_bytes(b.map(|x| x as u8))).collect();
        HostTensor::new(&all, shape).unwrap()
    };
    let feeds = [
        ("a", words(&[[1, -2, 3, -128], [0, 0, 0, 5]], &[1, 2])),
        ("b", words(&[[1, 1, 1, 1], [0, 0, 0, 0], [-128, 127, 0, -128], [9, 9, 9, -2]], &[2, 2])),
        ("s", host(&[0.5], &[1])),
        ("t", host(&[1.0, 2.0], &[2])),
    ];
    assert_eq!(both(&g, &[&y], &feeds)[0], [-63.0, 15_992.0]);
}

#[test]
fn quantised_rows_come_back_within_half_a_step() {
    let g = Graph::new();
    let x = g.input("x", DType::F32, [3, 6]).unwrap();
    let q = x.quantize_int8().unwrap();
    assert_eq!((q.words.shape().to_string(), q.scale.shape().to_string()), ("[3, 2]".into(), "[3]".into()));
    let values = [[0.0; 6], [1.0, -1.0, 0.5, 0.25, -0.125, 0.004], [-254.0, 127.0, 1.0, -1.0, 3.1, 253.0]];
    let got = both(&g, &[&q.words, &q.scale], &[("x", host(&values.concat(), &[3, 6]))]);
    for (r, row) in values.iter().enumerate() {
        let bytes: Vec<i8> = got[0][2 * r..2 * r + 2]
            .iter()
            .flat_map(|&w| (w as u32).to_le_bytes())
            .map(|b| b as i8)
            .collect();
        assert_eq!(bytes[6..], [0, 0]);
        for (x, &q) in row.iter().zip(&bytes) {
            let scale = got[1][r];
            assert!((f64::from(q) * scale - x).abs() <= 0.5001 * scale, "{x}: {q} times {scale}");
        }
    }
    assert_eq!(got[1][0], 1.0);
}

#[test]
fn a_quantised_product_is_near_the_product() {
    let g = Graph::new();
    let (x, w) = (g.input("x", DType::F32, [5, 30]).unwrap(), g.input("w", DType::F32, [7, 30]).unwrap());
    let near = x.quantize_int8().unwrap().matmul_transposed(&w.quantize_int8().unwrap()).unwrap();
    let exact = x.matmul(&w.transpose(0, 1).unwrap()).unwrap();
    let feeds = [("x", wave(&[5, 30], 0.0).cast(DType::F32)), ("w", wave(&[7, 30], 1.0).cast(DType::F32))];
    let got = both(&g, &[&near, &exact], &feeds);
    // 30 products of numbers up to 1, each off by about half of 1/127 on both sides.
    for (near, exact) in got[0].iter().zip(&got[1]) {
        assert!((near - exact).abs() < 30.0 / 127.0, "{near}, {exact}");
    }
    let off: f64 = got[0].iter().zip(&got[1]).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 35.0;
    assert!(off.sqrt() < 0.02, "{off}");
}

#[test]
fn errors_name_the_operand_and_the_limit() {
    let g = Graph::new();
    let words = |name: &str, shape: &[usize]| g.input(name, DType::U32, shape).unwrap();
    let floats = |name: &str, shape: &[usize]| g.input(name, DType::F32, shape).unwrap();
    let (a, b, s, t) = (words("a", &[2, 3]), words("b", &[4, 3]), floats("s", &[2]), floats("t", &[4]));
    let text = |r: crate::Result<Tensor>| r.unwrap_err().to_string();
    assert!(text(floats("f", &[2, 3]).matmul_int8(&b, &s, &t)).contains("the left operand is f32, not u32"));
    assert!(
        text(a.matmul_int8(&words("c", &[4, 2]), &s, &t)).contains("3 words on the left, 2 on the right")
    );
    assert!(text(a.matmul_int8(&b, &t, &t)).contains("the left scale has shape [4]"));
    assert!(text(a.matmul_int8(&b, &a, &t)).contains("the scales are u32 and f32"));
    let long = text(words("l", &[1, 40_000]).matmul_int8(
        &words("m", &[1, 40_000]),
        &floats("u", &[1]),
        &floats("v", &[1]),
    ));
    assert!(long.contains("40000 words a row; an i32 holds the sum of 32767"), "{long}");
    let y = a.matmul_int8(&b, &s, &t).unwrap().sum(&[0, 1], false).unwrap();
    assert!(text(y.grad(&[&s]).map(|mut g| g.remove(0))).contains("train in f32"));
    let refused = a.quantize_int8().unwrap_err().to_string();
    assert!(refused.contains("`quantize_int8` of (u32[2, 3]): it takes f32 or f64"), "{refused}");
}
