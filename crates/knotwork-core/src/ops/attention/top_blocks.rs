//! Masks of the blocks of keys that suit each block of queries best, found on the device.

use super::{
    Index, Mask,
    index::{Condition, Role},
};
use crate::{Error, HostTensor, Result, Site, error::OpError, graph::Tensor};

impl Mask {
    /// For each block of `size` queries of each head the `keep` blocks of `size` keys of the largest scores: the mean of the
    /// block's queries times the mean of the block's keys, as in MoBA (arXiv:2502.13189). Among equal scores the lower
    /// block comes first, and a block whose score is NaN is always kept. Where a length is no multiple of `size`, the last
    /// block is shorter.
    ///
    /// With `causal`, blocks that begin after the block's last query are never kept, the block of that query always is (it
    /// counts as one of `keep`), and keys after a query's own position are hidden, as by [`Mask::causal`].
    ///
    /// The choice is made of operations of the graph, on the device, for whatever `q` `[B, H, Lq, D]` and `k`
    /// `[B, Hkv, Lk, D]` hold, and has no gradient; attention's lists leave out the other blocks. It compares each score with
    /// each of its row: ⌈Lk / size⌉² comparisons a block of queries.
    ///
    /// ```
    /// use knotwork_core::{DType, Graph, ops::{Attention, Mask}};
    /// let g = Graph::new();
    /// let x = g.input("x", DType::F32, [1, 2, 256, 16])?;
    /// let mask = Mask::top_blocks(&x, &x, 32, 3, true)?;
    /// let y = x.attention(&x, &x, &Attention::new().mask(mask))?;
    /// assert_eq!(y.shape(), x.shape());
    /// # Ok::<(), knotwork_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where `size` or `keep` is 0, `q` or `k` has not four dimensions with lengths that are known, or they do not fit each
    /// other; the message names it and the caller's line.
    #[track_caller]
    pub fn top_blocks(q: &Tensor, k: &Tensor, size: usize, keep: usize, causal: bool) -> Result<Self> {
        let site = Site::here();
        let refuse = |message: String| -> Error {
            let inputs = [q, k].map(|t| t.meta().to_string()).to_vec();
            OpError { op: "top_blocks".into(), inputs, message, site }.into()
        };
        if size == 0 {
            return Err(refuse("the blocks have size 0; it must be at least 1".into()));
        }
        if keep == 0 {
            return Err(refuse("0 blocks are kept; it must be at least 1".into()));
        }
        let four = |name: &str, t: &Tensor| -> Result<[usize; 4]> {
            t.shape().fixed().and_then(|s| s.try_into().ok()).ok_or_else(|| {
                refuse(format!("{name} is {}; it must be [B, heads, length, size], without names", t.meta()))
            })
        };
        let ([b, h, lq, d], [kb, hkv, lk, kd]) = (four("q", q)?, four("k", k)?);
        if b != kb || d != kd || hkv == 0 || h % hkv != 0 {
            return Err(refuse(
                "batches and sizes of q and k must be equal, and the heads of q a multiple of those of k"
                    .into(),
            ));
        }
        if lq == 0 || lk == 0 {
            return Err(refuse(format!("{lq} queries and {lk} keys have no blocks")));
        }
        let (nq, nk) = (lq.div_ceil(size), lk.div_ceil(size));
        let pooled = (pool(q, size)?.reshape([b, hkv, h / hkv * nq, d])?, pool(k, size)?);
        let mut scores = pooled.0.matmul(&pooled.1.permute(&[0, 1, 3, 2])?)?.reshape([b, h, nq, nk])?;
        if causal {
            // The block of each block of queries' last position; before every key there is none.
            let own = |row: usize| ((row * size + size).min(lq) + lk).checked_sub(lq + 1).map(|at| at / size);
            let table = |of: &dyn Fn(Option<usize>, usize) -> bool| {
                let all: Vec<bool> = (0..nq * nk).map(|i| of(own(i / nk), i % nk)).collect();
                q.graph().tensor(HostTensor::new(&all, [nq, nk])?)
            };
            let most = f64::from(f32::MAX);
            scores = scores.select(&table(&|own, key| own != Some(key))?, most)?;
            scores = scores.select(&table(&|own, key| own.is_some_and(|own| key <= own))?, -most)?;
        }
        let earlier: Vec<bool> = (0..nk * nk).map(|i| i % nk < i / nk).collect();
        let earlier = q.graph().tensor(HostTensor::new(&earlier, [nk, nk])?)?.cast(q.dtype())?;
        let (one, other) = (scores.unsqueeze(4)?, scores.unsqueeze(3)?);
        let equal = other.eq(&one)?.cast(q.dtype())?.mul(&earlier)?;
        let better = other.gt(&one)?.cast(q.dtype())?.add(&equal)?;
        let chosen = better.sum(&[-1], false)?.lt(keep as f64)?;
        let n = i32::try_from(size).unwrap_or(i32::MAX);
        let at = [Index::batch(), Index::head(), Index::row() / n, Index::key() / n];
        let found: Condition = Index::look(&chosen, Role::Values, at).differs(0);
        let mask = Self::when(found);
        Ok(if causal { mask & Self::causal() } else { mask })
    }
}

/// The means of blocks of rows, `[B, H, ⌈L / size⌉, D]`.
fn pool(x: &Tensor, size: usize) -> Result<Tensor> {
    let shape = x.shape().fixed().unwrap_or_default();
    let [b, h, l, d] = shape[..] else { return Ok(x.clone()) };
    let n = l.div_ceil(size);
    if n * size == l {
        return x.reshape([b, h, n, size, d])?.mean(&[3], false);
    }
    let sums = x.pad(2, 0, n * size - l)?.reshape([b, h, n, size, d])?.sum(&[3], false)?;
    let parts: Vec<f32> = (0..n).map(|i| 1.0 / size.min(l - i * size) as f32).collect();
    let parts = x.graph().tensor(HostTensor::new(&parts, [n, 1])?)?.cast(x.dtype())?;
    sums.mul(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        DType, Graph,
        ops::{Attention, testing::*},
    };

    /// Small whole numbers: means over blocks of 4 and their products are exact, and often equal.
    fn whole(shape: &[usize], seed: usize) -> HostTensor {
        let n = shape.iter().product::<usize>();
        let data: Vec<f64> =
            (0..n).map(|i| ((i * 37 + seed) * 2_654_435_761 % 65_521 % 5) as f64 - 2.0).collect();
        host(&data, shape)
    }

    /// Which keys each query sees by the definition, block by block.
    fn plain(
        (q, [b, h, lq, d]): (&[f64], [usize; 4]),
        (k, hkv, lk): (&[f64], usize, usize),
        (size, keep, causal): (usize, usize, bool),
    ) -> Vec<bool> {
        let mean = |x: &[f64], plane: usize, l: usize, block: usize, c: usize| {
            let rows = block * size..(block * size + size).min(l);
            let count = rows.len() as f64;
            rows.map(|r| x[(plane * l + r) * d + c]).sum::<f64>() / count
        };
        let mut sees = Vec::new();
        for plane in 0..b * h {
            let kv = plane / h * hkv + plane % h / (h / hkv);
            for row in 0..lq {
                let block = row / size;
                let last = ((block * size + size).min(lq) + lk) as i64 - lq as i64 - 1;
                let mut all: Vec<(f64, usize)> = (0..lk.div_ceil(size))
                    .map(|n| {
                        let score: f64 =
                            (0..d).map(|c| mean(q, plane, lq, block, c) * mean(k, kv, lk, n, c)).sum();
                        // No −0: it equals 0.
                        (score + 0.0, n)
                    })
                    .collect();
                if causal {
                    all.retain(|&(_, n)| (n * size) as i64 <= last);
                    all.iter_mut()
                        .filter(|a| last >= 0 && a.1 == last as usize / size)
                        .for_each(|a| a.0 = f64::MAX);
                }
                all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
                let at = row as i64 + lk as i64 - lq as i64;
                sees.extend((0..lk).map(|key| {
                    all.iter().take(keep).any(|a| a.1 == key / size) && (!causal || key as i64 <= at)
                }));
            }
        }
        sees
    }

    #[test]
    fn the_best_blocks_are_seen_and_no_others() {
        for (sizes, choice) in [
            ([2, 2, 1, 16, 24], (4, 2, false)),
            ([1, 4, 2, 24, 24], (4, 3, true)),
            // The last blocks are of 2; more queries than keys; more blocks kept than there are.
            ([1, 1, 1, 10, 18], (4, 2, true)),
            ([1, 2, 2, 18, 10], (4, 1, true)),
            ([1, 1, 1, 8, 8], (4, 9, false)),
        ] {
            let [b, h, hkv, lq, lk] = sizes;
            let d = 2;
            let g = Graph::new();
            let q = g.input("q", DType::F32, [b, h, lq, d]).unwrap();
            let k = g.input("k", DType::F32, [b, hkv, lk, d]).unwrap();
            let (size, keep, causal) = choice;
            let mask = Mask::top_blocks(&q, &k, size, keep, causal).unwrap();
            // Values are unit vectors: a row of the output shows who is seen.
            let unit: Vec<f64> = (0..b * hkv * lk * lk).map(|i| f64::from(i / lk % lk == i % lk)).collect();
            let v = g.tensor(host(&unit, &[b, hkv, lk, lk])).unwrap();
            let y = q.attention(&k, &v, &Attention::new().mask(mask)).unwrap();
            let (qs, ks) = (whole(&[b, h, lq, d], 1), whole(&[b, hkv, lk, d], 9));
            let got = both(&g, &[&y], &[("q", qs.clone()), ("k", ks.clone())]).remove(0);
            let got: Vec<bool> = got.iter().map(|&p| p > 0.0).collect();
            let want = plain((&qs.to_f64(), [b, h, lq, d]), (&ks.to_f64(), hkv, lk), choice);
            assert_eq!(got, want, "{sizes:?}, {choice:?}");
        }
    }

    #[test]
    fn the_choice_has_no_gradient_and_attention_has() {
        let g = Graph::new();
        let x = g.input("x", DType::F32, [1, 1, 16, 2]).unwrap();
        let y = x
            .attention(&x, &x, &Attention::new().mask(Mask::top_blocks(&x, &x, 4, 2, true).unwrap()))
            .unwrap();
        let dx = y.sum(&[0, 1, 2, 3], false).unwrap().grad(&[&x]).unwrap().remove(0);
        let got =
            both(&g, &[&dx], &[("x", host(&wave(&[1, 1, 16, 2], 0.3).to_f64(), &[1, 1, 16, 2]))]).remove(0);
        assert!(got.iter().all(|x| x.is_finite()) && got.iter().any(|x| *x != 0.0));
    }

    #[test]
    fn bad_arguments_are_named() {
        let g = Graph::new();
        let q = g.input("q", DType::F32, [1, 3, 8, 2]).unwrap();
        let k = g.input("k", DType::F32, [1, 2, 8, 2]).unwrap();
        let flat = g.input("flat", DType::F32, [8, 2]).unwrap();
        let empty = g.input("empty", DType::F32, [1, 3, 0, 2]).unwrap();
        let says = |q: &Tensor, k: &Tensor, size, keep, text: &str| {
            let line = line!() + 1;
            let message = Mask::top_blocks(q, k, size, keep, false).unwrap_err().to_string();
            assert!(
                message.contains(text) && message.contains(&format!("top_blocks.rs:{line}")),
                "{message}"
            );
        };
        says(&q, &q, 0, 1, "size 0");
        says(&q, &q, 4, 0, "0 blocks are kept");
        says(&flat, &q, 4, 1, "q is f32[8, 2]");
        says(&q, &k, 4, 1, "a multiple of those of k");
        says(&q, &empty, 4, 1, "8 queries and 0 keys");
    }
}
