//! Probability maps and norms, forward and backward.

use knotwork::{Result, Tensor};

use super::{
    super::case::{Case, Maker, Size},
    by,
};

type Map = fn(&Tensor, isize) -> Result<Tensor>;

/// Softmax and its sparse relatives, layer, RMS, group and batch norm.
pub fn cases(size: Size) -> Vec<Case> {
    let square = size.of([[12, 20], [1024, 1024], [8192, 8192]]);
    let long = size.of([[2, 300], [4, 1 << 18], [4, 1 << 24]]);
    let short = size.of([[40, 3], [1 << 17, 8], [1 << 23, 8]]);
    let maps: [(&str, [usize; 2], isize, Map); 8] = [
        ("softmax/last", square, -1, Tensor::softmax),
        ("softmax/last_few_long_rows", long, -1, Tensor::softmax),
        ("softmax/last_many_short_rows", short, -1, Tensor::softmax),
        ("softmax/first", square, 0, Tensor::softmax),
        ("log_softmax/last", square, -1, Tensor::log_softmax),
        ("sparsemax/last", square, -1, Tensor::sparsemax),
        ("entmax15/last", square, -1, Tensor::entmax15),
        ("sparsemax/first", square, 0, Tensor::sparsemax),
    ];
    let mut all: Vec<Case> = maps
        .into_iter()
        .map(|(name, shape, dim, map)| {
            Case::new(format!("{name}_{}", by(&shape)), move |g| Ok(vec![map(&g.x(&shape)?, dim)?]))
        })
        .collect();
    all.push(Case::new(format!("softmax/backward_{}", by(&square)), move |g| {
        let x = g.x(&square)?;
        let y = x.softmax(-1)?;
        g.gradients(&y, &[&x])
    }));
    all.extend(norms(size));
    all
}

/// Normalises x `[.., C]` or `[B, C, ..]` with weight and bias.
type Norm = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

fn norms(size: Size) -> Vec<Case> {
    let rows = size.of([&[7, 12][..], &[2048, 512], &[32768, 4096]]);
    let long = size.of([&[2, 300][..], &[16, 65536], &[16, 1 << 22]]);
    let image = size.of([&[2, 4, 5, 3][..], &[8, 64, 32, 32], &[64, 256, 56, 56]]);
    let channels = |shape: &[usize]| if shape.len() == 4 { shape[1] } else { shape[shape.len() - 1] };
    let table: [(&str, &'static [usize], Norm); 6] = [
        ("layer_norm/last", rows, |x, w, b| x.layer_norm(Some(w), Some(b), 1e-5)),
        ("layer_norm/few_long_rows", long, |x, w, b| x.layer_norm(Some(w), Some(b), 1e-5)),
        ("rms_norm/last", rows, |x, w, _| x.rms_norm(Some(w), 1e-5)),
        ("group_norm/4_groups", image, |x, w, b| x.group_norm(4, Some(w), Some(b), 1e-5)),
        ("batch_norm/image", image, |x, w, b| x.batch_norm(Some(w), Some(b), 1e-5)),
        ("batch_norm/rows", rows, |x, w, b| x.batch_norm(Some(w), Some(b), 1e-5)),
    ];
    let mut all = Vec::new();
    for (name, shape, norm) in table {
        let parts = move |g: &mut Maker| -> Result<[Tensor; 3]> {
            let c = channels(shape);
            Ok([g.x(shape)?, g.x(&[c])?, g.x(&[c])?])
        };
        all.push(Case::new(format!("{name}_{}", by(shape)), move |g| {
            let [x, w, b] = parts(g)?;
            Ok(vec![norm(&x, &w, &b)?])
        }));
        all.push(Case::new(format!("{name}_backward_{}", by(shape)), move |g| {
            let [x, w, b] = parts(g)?;
            let y = norm(&x, &w, &b)?;
            let to: Vec<&Tensor> = if name.starts_with("rms") { vec![&x, &w] } else { vec![&x, &w, &b] };
            g.gradients(&y, &to)
        }));
    }
    all
}
