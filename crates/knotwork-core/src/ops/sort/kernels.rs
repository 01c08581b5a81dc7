//! The dispatches of a sort: rows that fit a workgroup in one; longer ones in sorted parts, which are merged two and two,
//! or, where few elements stay, sorted together again.

use super::super::gather::rows_of;
use crate::{
    DType,
    plan::{BindTo, DispatchSpec, Grid, Kernel, KernelRequest, Lowering, Needs, Params, Scratch, Source},
};

/// Elements that a workgroup sorts, and that a thread sorts in registers.
const TILE: usize = 2048;
const EACH: usize = 8;
/// Rows up to this length are ranked first; up to the second length they may be.
const TINY: usize = 16;
const RANKED: usize = 1024;
/// So many of a part stay at most where parts are sorted together again: each turn leaves a quarter, or less.
const FEW: usize = TILE / 4;

pub(super) fn lower(request: &KernelRequest<'_>, descending: bool) -> Result<Vec<Lowering>, String> {
    let mut flags = match request.inputs[0].dtype {
        DType::F32 => vec!["float"],
        DType::I32 => vec!["signed"],
        DType::U32 => Vec::new(),
        other => return Err(format!("{other} is sorted on the CPU only; cast first")),
    };
    flags.extend(descending.then_some("descending"));
    let (n, rows) = rows_of(request.inputs[0].layout.shape());
    let (kept, _) = rows_of(request.outputs[0].layout.shape());
    let work = Work { flags, rows, n, kept };
    Ok(if n <= TINY {
        vec![work.rank(), work.rows()]
    } else if n <= RANKED {
        vec![work.rows(), work.rank()]
    } else if n <= TILE {
        vec![work.rows()]
    } else if kept <= FEW {
        vec![work.again(), work.merged()]
    } else {
        vec![work.merged()]
    })
}

struct Work {
    flags: Vec<&'static str>,
    rows: usize,
    n: usize,
    kept: usize,
}

/// Rows under way: keys and positions in two lists of scratch memory, `n` a row, in sorted runs.
#[derive(Clone, Copy)]
struct Stage {
    n: usize,
    run: usize,
    /// Which of the two pairs of lists.
    pair: usize,
}

impl Stage {
    fn read(self) -> [BindTo; 2] {
        [BindTo::ScratchRead(2 * self.pair), BindTo::ScratchRead(2 * self.pair + 1)]
    }

    fn write(self) -> [BindTo; 2] {
        [BindTo::Scratch(2 * self.pair), BindTo::Scratch(2 * self.pair + 1)]
    }
}

const OUTPUTS: [BindTo; 2] = [BindTo::Output(0), BindTo::Output(1)];

/// What remains of rows of n when each run of `span` keeps at most `kept`.
fn remaining(n: usize, span: usize, kept: usize) -> usize {
    n / span * kept.min(span) + (n % span).min(kept)
}

impl Work {
    fn dispatch(
        &self,
        source: &'static str,
        name: &str,
        flags: Vec<&'static str>,
        bindings: Vec<BindTo>,
        words: [usize; 8],
        groups: usize,
    ) -> DispatchSpec {
        DispatchSpec {
            kernel: Kernel {
                name: name.into(),
                source: Source::Named(source),
                flags,
                constants: Vec::new(),
                needs: Needs::default(),
            },
            bindings,
            params: words.into_iter().fold(Params::new(), Params::u32),
            grid: Grid::Linear(groups as u64),
            flat: None,
        }
    }

    fn rank(&self) -> Lowering {
        let bindings = vec![BindTo::Input(0), OUTPUTS[0], OUTPUTS[1]];
        let words = [self.rows, self.n, self.kept, 0, 0, 0, 0, 0];
        let groups = (self.rows * self.n).div_ceil(256);
        let flags = self.flags.clone();
        Lowering::single("rank", self.dispatch("sort/rank", "sort_rank", flags, bindings, words, groups))
    }

    /// Parts of rows sorted, of x or of what a stage left of it; into the next stage, or the outputs.
    fn sort(&self, of: Option<Stage>, into: Option<Stage>) -> DispatchSpec {
        let n = of.map_or(self.n, |stage| stage.n);
        let span = n.next_power_of_two().clamp(EACH, TILE);
        let parts = n.div_ceil(span).max(1);
        let (kept, width) = (self.kept.min(span), into.map_or(self.kept, |stage| stage.n));
        // Keys know nothing of the elements' type and direction.
        let (mut flags, mut bindings) = match of {
            Some(stage) => (vec!["again"], Vec::from(stage.read())),
            None => (self.flags.clone(), vec![BindTo::Input(0)]),
        };
        match into {
            Some(stage) => bindings.extend(stage.write()),
            None => {
                flags.push("last");
                bindings.extend(OUTPUTS);
                if of.is_some() {
                    bindings.push(BindTo::Input(0));
                }
            }
        }
        let name = match (of, into) {
            (None, None) => "sort_rows",
            (None, Some(_)) => "sort_parts",
            (Some(_), Some(_)) => "sort_parts_again",
            (Some(_), None) => "sort_rows_again",
        };
        let words = [self.rows, n, self.n, span, parts, kept, width, 0];
        let groups = (self.rows * parts).div_ceil(TILE / span);
        self.dispatch("sort/rows", name, flags, bindings, words, groups)
    }

    fn rows(&self) -> Lowering {
        Lowering::single("row_in_a_group", self.sort(None, None))
    }

    /// The first stage: sorted parts of rows.
    fn parts(&self) -> Stage {
        Stage { n: remaining(self.n, TILE, self.kept), run: self.kept.min(TILE), pair: 0 }
    }

    fn lowering(&self, variant: &'static str, dispatches: Vec<DispatchSpec>, sizes: [usize; 2]) -> Lowering {
        let list = |n: usize| Scratch { dtype: DType::U32, count: (self.rows * n).max(1) };
        let lists = [sizes[0], sizes[0], sizes[1], sizes[1]];
        let used = if sizes[1] == 0 { 2 } else { 4 };
        Lowering { variant, scratch: lists.into_iter().take(used).map(list).collect(), dispatches }
    }

    /// What stays of parts is sorted in parts again, until a workgroup has a row.
    fn again(&self) -> Lowering {
        let mut stage = self.parts();
        let mut sizes = [stage.n, 0];
        let mut all = vec![self.sort(None, Some(stage))];
        while stage.n > TILE {
            let next = Stage { n: remaining(stage.n, TILE, self.kept), pair: 1 - stage.pair, ..stage };
            sizes[next.pair] = sizes[next.pair].max(next.n);
            all.push(self.sort(Some(stage), Some(next)));
            stage = next;
        }
        all.push(self.sort(Some(stage), None));
        self.lowering("parts_again", all, sizes)
    }

    /// Sorted parts merged two and two, until a row is one.
    fn merged(&self) -> Lowering {
        let mut stage = self.parts();
        let mut sizes = [stage.n, 0];
        let mut all = vec![self.sort(None, Some(stage))];
        loop {
            let pairs = stage.n.div_ceil(2 * stage.run).max(1);
            let kept = self.kept.min(2 * stage.run);
            let next = Stage { n: remaining(stage.n, 2 * stage.run, kept), run: kept, pair: 1 - stage.pair };
            let last = pairs == 1;
            let mut bindings = Vec::from(stage.read());
            let mut flags = Vec::new();
            if last {
                flags.push("last");
                bindings.extend(OUTPUTS);
                bindings.push(BindTo::Input(0));
            } else {
                bindings.extend(next.write());
                sizes[next.pair] = sizes[next.pair].max(next.n);
            }
            let tiles = kept.div_ceil(TILE);
            let words = [self.rows, stage.n, self.n, stage.run, pairs, tiles, kept, next.n];
            let name = if last { "sort_merge_last" } else { "sort_merge" };
            all.push(self.dispatch("sort/merge", name, flags, bindings, words, self.rows * pairs * tiles));
            if last {
                return self.lowering("merged", all, sizes);
            }
            stage = next;
        }
    }
}
