//! The blocks of keys that a block of queries looks at: what no query of it sees is left out, and the rest carries bits
//! where not every query sees every key.

use std::{borrow::Cow, ops::Range};

use rayon::prelude::*;

use super::{
    bounds::{Area, certain, mentions},
    evaluate::{Place, TableData, over},
    index::{Part, Variable},
};

/// Queries, and keys, of a block: a row of a partial one is 64 bits.
pub(super) const SIDE: usize = 64;

/// Lines are made once and kept where their bits take at most so many bytes; else they are made as they are needed.
const KEPT: usize = 64 << 20;

/// A block of keys that some query of a line looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub block: usize,
    /// Where the line's bits for it begin, one word a query; `None` where every query sees every key.
    pub bits: Option<usize>,
}

/// What a block of queries looks at, by ascending key.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub entries: Vec<Entry>,
    pub bits: Vec<u64>,
}

impl Line {
    /// Those within a range of blocks.
    pub fn within(&self, blocks: &Range<usize>) -> &[Entry] {
        let at = |block: usize| self.entries.partition_point(|e| e.block < block);
        &self.entries[at(blocks.start)..at(blocks.end)]
    }
}

/// A mask over all queries and keys.
pub(super) struct Blocks<'a> {
    mask: &'a Part,
    tables: &'a [TableData],
    queries: usize,
    keys: usize,
    /// How many batches and heads differ: 1 where the mask does not ask.
    batches: usize,
    heads: usize,
    kept: Vec<Line>,
}

impl<'a> Blocks<'a> {
    pub fn new(mask: &'a Part, tables: &'a [TableData], [batches, heads, queries, keys]: [usize; 4]) -> Self {
        let asks = |v: Variable, n: usize| if mentions(mask, v) { n } else { 1 };
        let (batches, heads) = (asks(Variable::Batch, batches), asks(Variable::Head, heads));
        let mut blocks = Self { mask, tables, queries, keys, batches, heads, kept: Vec::new() };
        let lines = batches * heads * queries.div_ceil(SIDE);
        if lines.saturating_mul(keys.div_ceil(SIDE)).saturating_mul(SIDE * 8) <= KEPT {
            let each = queries.div_ceil(SIDE).max(1);
            let make = |n: usize| blocks.make(n / each / heads, n / each % heads, n % each);
            blocks.kept = (0..lines).into_par_iter().map(make).collect();
        }
        blocks
    }

    /// What block `block` of the queries of a head looks at.
    pub fn line(&self, batch: usize, head: usize, block: usize) -> Cow<'_, Line> {
        let (batch, head) = (batch % self.batches, head % self.heads);
        let at = (batch * self.heads + head) * self.queries.div_ceil(SIDE) + block;
        match self.kept.get(at) {
            Some(line) => Cow::Borrowed(line),
            None => Cow::Owned(self.make(batch, head, block)),
        }
    }

    fn make(&self, batch: usize, head: usize, block: usize) -> Line {
        let rows = block * SIDE..(block * SIDE + SIDE).min(self.queries);
        let area = Area { batch, head, rows, keys: 0..0, queries: self.queries, all_keys: self.keys };
        let mut line = Line::default();
        self.divide(&area, 0..self.keys.div_ceil(SIDE), &mut line);
        line
    }

    /// Adds what a range of key blocks has: what is certain at once, the rest by halves.
    fn divide(&self, area: &Area, blocks: Range<usize>, line: &mut Line) {
        if blocks.is_empty() {
            return;
        }
        let keys = blocks.start * SIDE..(blocks.end * SIDE).min(self.keys);
        let area = Area { keys, ..area.clone() };
        match certain(self.mask, &area, self.tables) {
            Some(false) => {}
            Some(true) => line.entries.extend(blocks.map(|block| Entry { block, bits: None })),
            None if blocks.len() == 1 => self.test(&area, blocks.start, line),
            None => {
                let middle = blocks.start + blocks.len() / 2;
                self.divide(&area, blocks.start..middle, line);
                self.divide(&area, middle..blocks.end, line);
            }
        }
    }

    /// Adds one block by looking at each pair.
    fn test(&self, area: &Area, block: usize, line: &mut Line) {
        let first = line.bits.len();
        let width = area.keys.len();
        let all = u64::MAX >> (SIDE - width);
        let (mut any, mut every) = (0, all);
        for row in area.rows.clone() {
            let place =
                Place { batch: area.batch, head: area.head, row, queries: self.queries, keys: self.keys };
            let lane = over(self.mask, &place, area.keys.clone(), self.tables);
            let bits = (0..width).fold(0u64, |bits, k| bits | u64::from(lane.get(k) != 0) << k);
            any |= bits;
            every &= bits;
            line.bits.push(bits);
        }
        if any == 0 || every == all {
            line.bits.truncate(first);
        }
        if any != 0 {
            line.entries.push(Entry { block, bits: (every != all).then_some(first) });
        }
    }
}
