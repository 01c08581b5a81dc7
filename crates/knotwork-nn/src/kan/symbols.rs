//! The edges of a layer that are formulas, in a graph: c f(a x + b) + d with a, b, c and d as parameters.

use std::ops::Range;

use knotwork_core::{DType, Graph, Tensor};

use super::{layer::host, network::NetworkLayer};
use crate::{Result, sum::total, symbolic::Function};

/// The formulas of a layer.
#[derive(Clone, Debug)]
pub(super) struct Symbols {
    /// a, b, c and d of every formula, [4, formulas].
    numbers: Tensor,
    groups: Vec<Group>,
}

/// Edges that are computed side by side: of more there are several groups, one after another, so that not every edge has a
/// value for each sample in memory.
const TOGETHER: usize = 64;

/// Edges with one function, side by side.
#[derive(Clone, Debug)]
struct Group {
    function: Function,
    /// Which columns of the numbers are theirs.
    columns: Range<usize>,
    /// [inputs, edges]: 1 where an edge begins.
    from: Tensor,
    /// [edges, sums]: 1 where an edge ends.
    to: Tensor,
}

/// What a group of edges gives.
pub(super) struct Values<'a> {
    /// [inputs, edges]: 1 where an edge begins.
    pub from: &'a Tensor,
    /// [edges, sums]: 1 where an edge ends.
    pub to: &'a Tensor,
    /// [..., edges]
    pub value: Tensor,
}

impl Symbols {
    /// The formulas of a layer over their numbers, [4, formulas].
    pub fn new(graph: &Graph, layer: &NetworkLayer, numbers: Tensor, dtype: DType) -> Result<Self> {
        let all: Vec<_> = layer.formulas().collect();
        let mut groups = Vec::new();
        let mut start = 0;
        let same = all.chunk_by(|a, b| a.2.function == b.2.function);
        for same in same.flat_map(|same| same.chunks(TOGETHER)) {
            let n = same.len();
            let (mut from, mut to) = (vec![0.0; layer.inputs * n], vec![0.0; n * layer.sums]);
            for (k, (input, sum, _)) in same.iter().enumerate() {
                from[input * n + k] = 1.0;
                to[k * layer.sums + sum] = 1.0;
            }
            groups.push(Group {
                function: same[0].2.function.clone(),
                columns: start..start + n,
                from: graph.tensor(host(&from, &[layer.inputs, n], dtype)?)?,
                to: graph.tensor(host(&to, &[n, layer.sums], dtype)?)?,
            });
            start += n;
        }
        Ok(Self { numbers, groups })
    }

    /// a, b, c and d of every formula, [4, formulas].
    pub fn numbers(&self) -> &Tensor {
        &self.numbers
    }

    /// What `f` makes of the values of each group's edges for x [..., inputs], one group after another as they are asked for.
    /// Where there are many edges, the values are made again for gradients.
    pub fn each<R>(
        &self,
        x: &Tensor,
        f: impl Fn(Values<'_>) -> Result<R>,
    ) -> impl Iterator<Item = Result<R>> {
        let many = self.groups.iter().map(|g| g.columns.len()).sum::<usize>() > TOGETHER;
        let one = move |group: &Group| {
            let number = |row: usize| {
                let row = self.numbers.slice(0, row, row + 1)?;
                row.slice(1, group.columns.start, group.columns.end)
            };
            let u = x.matmul(&group.from)?.mul(&number(0)?)?.add(&number(1)?)?;
            let value = group.function.of_tensor(&u)?.mul(&number(2)?)?.add(&number(3)?)?;
            f(Values { from: &group.from, to: &group.to, value })
        };
        self.groups
            .iter()
            .map(move |group| if many { x.graph().checkpoint(|| Ok(one(group)))? } else { one(group) })
    }

    /// Their part of the sums for x [..., inputs], [..., sums].
    pub fn sum(&self, x: &Tensor) -> Result<Option<Tensor>> {
        let mut sum = None;
        // Each is added before the next is made.
        for part in self.each(x, |Values { to, value, .. }| Ok(value.matmul(to)?)) {
            sum = total(sum.into_iter().chain([part?]).collect())?;
        }
        Ok(sum)
    }
}
