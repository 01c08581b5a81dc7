//! Sorts on a GPU: special values bit for bit, every variant against the CPU, sizes at the edges of tiles, and indices that
//! the device computes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "in tests a panic is the report")]

use knotwork_core::{DType, Device, Error, Graph, HostTensor, Tensor, plan::PlanOptions};
use knotwork_gpu::{Options, Profile, open};

fn devices() -> Vec<Device> {
    let open = |profile| {
        open(&Options { profile, ..Options::default() }).expect("a GPU driver: `cargo xtask setup`")
    };
    vec![open(Profile::Checked), open(Profile::Trusted)]
}

/// Numbers of all kinds, many of them equal: NaN of both signs and several payloads, infinities, zeros of both signs,
/// subnormals, whole numbers and any bits.
fn mixed(n: usize, seed: u32) -> Vec<f32> {
    const SPECIAL: [u32; 8] =
        [0x7FC0_0000, 0xFFC0_0001, 0x7F80_0001, 0x7F80_0000, 0xFF80_0000, 0x8000_0000, 0, 0x8000_0001];
    let mut state = seed;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match state >> 24 {
                0..=15 => f32::from_bits(SPECIAL[(state >> 20 & 7) as usize]),
                16..=99 => (state >> 16 & 7) as f32 - 3.0,
                _ => f32::from_bits(state.rotate_left(9)),
            }
        })
        .collect()
}

/// What a program gives, as bytes: NaN, and zeros by their signs, included.
fn bytes(device: &Device, g: &Graph, of: &[&Tensor], x: &HostTensor, options: PlanOptions) -> Vec<Vec<u8>> {
    let mut program = device.compile(g, of, &[]).unwrap().with_options(options);
    let out = program.run([("x", x)]).unwrap().wait().unwrap();
    out.iter().map(|t| t.device_bytes().to_vec()).collect()
}

/// Holds each variant of each device against the CPU, bit for bit.
fn check(shape: &[usize], x: Vec<f32>, make: impl Fn(&Tensor) -> knotwork_core::Result<(Tensor, Tensor)>) {
    let g = Graph::new();
    let (values, indices) = make(&g.input("x", DType::F32, shape).unwrap()).unwrap();
    let x = HostTensor::from_vec(x, shape).unwrap();
    let of = [&values, &indices];
    let want = bytes(&Device::cpu(), &g, &of, &x, PlanOptions::default());
    for device in devices() {
        for variant in 0..2 {
            let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
            let got = bytes(&device, &g, &of, &x, options);
            assert!(got == want, "{shape:?}, variant {variant} on {}", device.info());
        }
    }
}

#[test]
fn special_values_have_their_places_bit_for_bit() {
    for descending in [false, true] {
        // Short rows, a row a group, two tiles, an odd number of tiles.
        for shape in [[300, 11], [5, 700], [2, 2049], [1, 11_000]] {
            let x = mixed(shape[0] * shape[1], shape[1] as u32);
            check(&shape, x.clone(), |t| t.sort(1, descending));
            check(&shape, x, |t| t.topk(9, 1, descending));
        }
    }
}

#[test]
fn rows_at_the_edges_of_tiles_are_whole() {
    for n in [2, 8, 9, 16, 17, 2047, 2048, 4096, 4097, 6144, 6145] {
        check(&[2, n], mixed(2 * n, n as u32), |t| t.sort(1, false));
        check(&[n, 2], mixed(2 * n, n as u32), |t| t.topk(n - 1, 0, true));
    }
    // In order, in the opposite order, and all equal.
    for make in [|k: usize| k as f32, |k: usize| -(k as f32), |_: usize| 1.0] {
        check(&[6000], (0..6000).map(make).collect(), |t| t.sort(0, false));
        check(&[6000], (0..6000).map(make).collect(), |t| t.topk(512, 0, true));
    }
}

#[test]
fn the_best_of_long_rows_are_found_by_both_ways() {
    for k in [1, 37, 512, 513, 2048, 2049, 9000] {
        check(&[2, 9001], mixed(2 * 9001, k as u32), move |t| t.topk(k, 1, k % 2 == 1));
    }
}

#[test]
fn integers_are_sorted_in_their_own_order() {
    let bits: Vec<u32> = (0..5000u32).map(|k| k.wrapping_mul(2_654_435_761)).collect();
    let signed = HostTensor::from_vec(bits.iter().map(|&b| b as i32).collect::<Vec<i32>>(), [5000]).unwrap();
    let unsigned = HostTensor::from_vec(bits, [5000]).unwrap();
    for x in [signed, unsigned] {
        let g = Graph::new();
        let (values, indices) = g.input("x", x.dtype(), [5000]).unwrap().sort(0, true).unwrap();
        let want = bytes(&Device::cpu(), &g, &[&values, &indices], &x, PlanOptions::default());
        for device in devices() {
            assert!(bytes(&device, &g, &[&values, &indices], &x, PlanOptions::default()) == want);
        }
    }
}

#[test]
fn what_a_gpu_does_not_sort_is_refused_at_planning() {
    let g = Graph::new();
    let (values, _) = g.input("x", DType::F64, [4]).unwrap().sort(0, false).unwrap();
    for device in devices() {
        let error = device.compile(&g, &[&values], &[]).unwrap().plan(&Default::default()).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Limit { .. }) && text.contains("sort.rs"), "{text}");
        assert!(text.contains("f64 is sorted on the CPU only"), "{text}");
    }
}

#[test]
fn indices_outside_are_clamped_and_counted_once() {
    for dtype in [DType::I32, DType::U32] {
        let g = Graph::new();
        let index = g.input("i", DType::F32, [2, 3]).unwrap().cast(dtype).unwrap();
        let x = g.input("x", DType::F32, [2, 3]).unwrap();
        let (gathered, added) = (x.gather(1, &index).unwrap(), x.scatter_add(1, &index, 3).unwrap());
        let xs = HostTensor::zeros(DType::F32, [2, 3]);
        let below = if dtype == DType::U32 { 3.0 } else { -1.0 };
        let is = HostTensor::new(&[0.0f32, below, 2.0, 1e6, 1.0, 0.0], [2, 3]).unwrap();
        for device in devices() {
            for y in [&gathered, &added] {
                for variant in 0..2 {
                    let options = PlanOptions { variant: Some(variant), ..PlanOptions::default() };
                    let mut program = device.compile(&g, &[y], &[]).unwrap().with_options(options);
                    let error =
                        program.run([("x", &xs), ("i", &is)]).unwrap().wait().unwrap_err().to_string();
                    assert!(error.contains("2 indices out of range 0..3"), "{error}");
                }
            }
        }
    }
}

#[test]
fn long_sums_along_rows_are_whole() {
    // More indices than a thread looks through, nearly all of them one.
    let (n, length) = (40_000, 300);
    let g = Graph::new();
    let x = g.input("x", DType::F32, [2, n]).unwrap();
    let i = g.input("i", DType::I32, [2, n]).unwrap();
    let y = x.scatter_add(1, &i, length).unwrap();
    let xs =
        HostTensor::from_vec((0..2 * n).map(|k| 0.5 + (k % 97) as f32 / 97.0).collect(), [2, n]).unwrap();
    let of = |k: usize| if k % 50 == 7 { k * 31 % length } else { 3 + k / n };
    let is = HostTensor::from_vec((0..2 * n).map(|k| of(k) as i32).collect(), [2, n]).unwrap();
    let run = |device: &Device| {
        let mut program = device.compile(&g, &[&y], &[]).unwrap();
        program.run([("x", &xs), ("i", &is)]).unwrap().wait().unwrap().remove(0).to_f64()
    };
    let want = run(&Device::cpu());
    for device in devices() {
        for (a, b) in run(&device).iter().zip(&want) {
            assert!((a - b).abs() <= 2e-6 * b.abs().max(1.0), "{a}, not {b}, on {}", device.info());
        }
    }
}
