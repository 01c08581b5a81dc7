//! What a mask leaves of attention's tiles, estimated while planning, and whether lists of those tiles pay.
//!
//! The bounds of a mask's numbers say of most tiles whether all pairs in it take part or none; tables are not known yet.
//! Costs are counted in multiply-adds, so that they say the same on every device.

use std::fmt;

use super::{
    bounds::{Area, certain},
    call::Call,
    evaluate::TableData,
    op::PartOf,
    tiles::TILE,
};

/// Tiles of queries that are looked at, and batches and heads: the others are taken to be like them.
const ROWS: usize = 128;
const PLANES: usize = 4;

/// Parts of the mask that are evaluated at most, for all of these together; what is left is taken to take part.
const BUDGET: usize = 1 << 17;

/// What a dispatch costs in multiply-adds, and what follows must wait for: what a GPU of 10 TFLOP/s does in 3 µs.
const DISPATCH: f64 = (1 << 24) as f64;

/// What the weight of a pair costs beside its products: an exponential and some sums.
const WEIGHT: f64 = 16.0;

/// Of the tiles that tables decide, the part that is taken to take part.
const TABLES: f64 = 0.5;

/// How many tiles there are in all batches and heads, and what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Density {
    pub tiles: f64,
    /// All pairs take part.
    pub whole: f64,
    /// Some pairs may.
    pub partial: f64,
    /// Tables say whether any does.
    pub tables: f64,
}

impl Density {
    /// The tiles that lists are expected to hold.
    pub fn listed(&self) -> f64 {
        self.whole + self.partial + TABLES * self.tables
    }

    /// What a mask leaves of the tiles of a call.
    pub fn of(call: &Call<'_>) -> Self {
        let (q, v) = (call.shape(0), call.shape(2));
        let (queries, keys) = (q[2], v[2]);
        let [batches, heads] = call.planes();
        // The shape of no table: nothing is known of what it holds.
        let unknown = TableData { shape: Vec::new(), data: Vec::new() };
        let mut walk = Walk {
            call,
            tables: vec![unknown; call.op.table_inputs().len()],
            left: BUDGET,
            found: Self::default(),
        };
        let rows = spread(queries.div_ceil(TILE), ROWS);
        for plane in spread(batches * heads, PLANES) {
            for &row in &rows {
                let rows = row * TILE..((row + 1) * TILE).min(queries);
                let area = Area {
                    batch: plane / heads,
                    head: plane % heads,
                    rows,
                    keys: 0..0,
                    queries,
                    all_keys: keys,
                };
                walk.divide(&area, 0, keys.div_ceil(TILE));
            }
        }
        let all = (q[0] * q[1] * queries.div_ceil(TILE) * keys.div_ceil(TILE)) as f64;
        let by = all / walk.found.tiles.max(1.0);
        let Self { tiles, whole, partial, tables } = walk.found;
        Self { tiles: tiles * by, whole: whole * by, partial: partial * by, tables: tables * by }
    }
}

/// At most `most` of 0..n, evenly apart.
fn spread(n: usize, most: usize) -> Vec<usize> {
    let taken = n.min(most);
    (0..taken).map(|i| (2 * i + 1) * n / (2 * taken)).collect()
}

struct Walk<'a> {
    call: &'a Call<'a>,
    tables: Vec<TableData>,
    left: usize,
    found: Density,
}

impl Walk<'_> {
    /// Counts tiles of keys from `first` to `end`: what is certain at once, the rest by halves.
    fn divide(&mut self, area: &Area, first: usize, end: usize) {
        if first >= end {
            return;
        }
        let mask = &self.call.op.setting.mask;
        let keys = first * TILE..(end * TILE).min(area.all_keys);
        let whole = area.rows.len() == TILE && (end - first > 1 || keys.len() == TILE);
        let area = Area { keys, ..area.clone() };
        let count = (end - first) as f64;
        let known = (self.left >= mask.size()).then(|| certain(mask, &area, &self.tables));
        self.left = self.left.saturating_sub(mask.size());
        let to = match known {
            Some(Some(false)) => None,
            Some(Some(true)) if whole => Some(&mut self.found.whole),
            Some(None) if end - first > 1 => {
                let middle = first + (end - first) / 2;
                self.divide(&area, first, middle);
                self.divide(&area, middle, end);
                return;
            }
            Some(None) if !self.tables.is_empty() => Some(&mut self.found.tables),
            _ => Some(&mut self.found.partial),
        };
        self.found.tiles += count;
        if let Some(to) = to {
            *to += count;
        }
    }
}

/// Lists of tiles against a walk over all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub density: Density,
    /// What the lists and what is done with them cost.
    pub lists: f64,
    /// What all tiles cost.
    pub every: f64,
}

impl Choice {
    pub fn of(call: &Call<'_>) -> Self {
        let density = Density::of(call);
        let (q, v) = (call.shape(0), call.shape(2));
        let padded = |size: usize| (size.div_ceil(TILE) * TILE) as f64;
        let (size, value_size) = (padded(q[3]), padded(v[3]));
        // A pass over the scores, what comes of them, and the sum of rows that follows.
        let both = size + value_size + WEIGHT;
        let (products, passes) = match call.op.part {
            PartOf::Forward | PartOf::Rows | PartOf::Value => (both, 1.0),
            PartOf::Query => (2.0 * both + size, 2.0),
            PartOf::Key | PartOf::Bias => (both + size, 1.0),
        };
        let pairs = (TILE * TILE) as f64;
        let parts = call.op.setting.mask.size() as f64;
        let tile = pairs * products;
        let masked = pairs * passes * parts;
        // Lists are made once for the batches and heads that share a mask.
        let [batches, heads] = call.planes();
        let shared = (batches * heads) as f64 / (q[0] * q[1]).max(1) as f64;
        let making = 2.0 * DISPATCH
            + shared * (density.tiles * (2.0 * parts + TILE as f64) + density.tables * pairs * parts);
        Self {
            density,
            lists: density.listed() * tile + (density.listed() - density.whole) * masked + making,
            every: density.tiles * (tile + masked),
        }
    }

    /// Whether tiles that hold no weight can save what finding them costs: so much work that a quarter of it pays.
    pub fn lists_may_pay(&self) -> bool {
        self.every > 4.0 * 6.0 * DISPATCH
    }

    /// The line of a plan whose tiles are found by what they hold.
    pub fn skipping(&self) -> String {
        let Density { tiles, .. } = self.density;
        let listed = self.density.listed();
        let percent = 100.0 * listed / tiles.max(1.0);
        format!(
            "at most {listed:.0} of {tiles:.0} tiles take part ({percent:.1} %); those wholly below the threshold of \
             their rows are left out as the device finds them"
        )
    }

    /// Whether lists pay.
    pub fn lists_pay(&self) -> bool {
        self.lists < self.every
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Density { tiles, whole, tables, .. } = self.density;
        let listed = self.density.listed();
        let percent = 100.0 * listed / tiles.max(1.0);
        write!(
            f,
            "mask: about {listed:.0} of {tiles:.0} tiles take part ({percent:.1} %), {whole:.0} of them whole"
        )?;
        if tables > 0.0 {
            write!(f, "; tables decide {tables:.0}, taken to leave {:.0} %", 100.0 * TABLES)?;
        }
        let times = self.lists / self.every.max(1.0);
        let chosen = if self.lists_pay() { "lists" } else { "every tile" };
        write!(f, "; lists of them cost {times:.2} of what every tile costs: {chosen}")
    }
}
