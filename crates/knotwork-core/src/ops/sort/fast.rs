//! Sorts on the CPU: elements as integers of 64 bits, the key above the position, so that plain comparisons are stable.
//! Long rows are sorted by digits; where few elements stay, a running bar keeps nearly all others out.

use std::cell::RefCell;

use rayon::prelude::*;

use super::{
    super::{elementwise::vectorised, gather::rows_of},
    long,
    order::Key,
    short,
};
use crate::{
    Layout,
    cpu::{CpuIo, Slice, SliceMut},
};

/// Below so many elements a second thread costs more than it saves.
const PARALLEL: usize = 1 << 14;
/// Rows from this length on are shared by the threads where there are fewer rows than threads.
const SHARED: usize = 1 << 16;
/// Rows from this length on are sorted by digits.
const DIGITS: usize = 1 << 10;
/// Elements that are held against the bar together.
const CHUNK: usize = 64;

pub(super) fn run(io: &mut CpuIo<'_>, descending: bool) -> Result<bool, String> {
    let [input] = io.inputs.as_slice() else { return Ok(false) };
    let (n, rows) = rows_of(input.layout.shape());
    let [values, indices] = io.outputs.as_mut_slice() else { return Ok(false) };
    let (kept, _) = rows_of(values.shape);
    let SliceMut::I32(indices) = &mut indices.data else { return Ok(false) };
    let work = Work { n, rows, kept, flip: if descending { u32::MAX } else { 0 } };
    match (input.data, &mut values.data) {
        (Slice::F32(x), SliceMut::F32(y)) => Ok(work.all(dense(x, input.layout), y, indices)),
        (Slice::I32(x), SliceMut::I32(y)) => Ok(work.all(dense(x, input.layout), y, indices)),
        (Slice::U32(x), SliceMut::U32(y)) => Ok(work.all(dense(x, input.layout), y, indices)),
        _ => Ok(false),
    }
}

/// The elements, where they lie side by side.
fn dense<'a, T>(x: &'a [T], layout: &Layout) -> Option<&'a [T]> {
    x.get(layout.offset()..)?.get(..layout.count()).filter(|_| layout.is_dense())
}

/// Rows to sort.
#[derive(Clone, Copy)]
struct Work {
    n: usize,
    rows: usize,
    kept: usize,
    /// What turns ascending keys into those of the order.
    flip: u32,
}

/// Memory that a thread uses row after row.
#[derive(Default)]
struct Room {
    held: Vec<u64>,
    other: Vec<u64>,
}

/// Pairs that a thread's room keeps from one sort to the next.
const ROOM: usize = 1 << 20;

thread_local! {
    /// Memory that was never touched costs more, page by page, than sorting in it does.
    static OWN: RefCell<Room> = RefCell::default();
}

/// Works in this thread's room; in another where that is in use, by a row whose parts this thread waits for.
fn in_room<R>(work: impl FnOnce(&mut Room) -> R) -> R {
    OWN.with(|own| {
        let Ok(mut room) = own.try_borrow_mut() else { return work(&mut Room::default()) };
        let result = work(&mut room);
        let Room { held, other } = &mut *room;
        for list in [held, other] {
            list.truncate(ROOM);
            list.shrink_to(ROOM);
        }
        result
    })
}

impl Work {
    /// Sorts all rows; false where the elements do not lie side by side.
    fn all<T: Key>(self, x: Option<&[T]>, values: &mut [T], indices: &mut [i32]) -> bool {
        let Some(x) = x else { return false };
        if self.n == 0 || self.kept == 0 || self.rows == 0 {
            return true;
        }
        if self.n <= short::LONGEST {
            self.short(x, values, indices);
            return true;
        }
        let one = |room: &mut Room, (x, (values, indices)): (&[T], (&mut [T], &mut [i32]))| {
            if self.keeps_few() {
                self.best(x, room);
            } else {
                self.sorted(x, room, 1);
            }
            write(x, &room.held, values, indices);
        };
        let threads = rayon::current_num_threads();
        if x.len() < PARALLEL || threads < 2 {
            let outputs = values.chunks_exact_mut(self.kept).zip(indices.chunks_exact_mut(self.kept));
            in_room(|room| x.chunks_exact(self.n).zip(outputs).for_each(|row| one(room, row)));
        } else if self.rows < threads && self.n >= SHARED {
            let outputs = values.chunks_exact_mut(self.kept).zip(indices.chunks_exact_mut(self.kept));
            for (x, (values, indices)) in x.chunks_exact(self.n).zip(outputs) {
                in_room(|room| self.shared(x, room, threads, values, indices));
            }
        } else {
            let outputs = values.par_chunks_exact_mut(self.kept).zip(indices.par_chunks_exact_mut(self.kept));
            x.par_chunks_exact(self.n)
                .zip(outputs)
                .with_min_len((PARALLEL / 4).div_ceil(self.n))
                .for_each(|row| in_room(|room| one(room, row)));
        }
        true
    }

    /// A row that all threads sort.
    fn shared<T: Key>(self, x: &[T], room: &mut Room, threads: usize, values: &mut [T], indices: &mut [i32]) {
        if self.keeps_few() {
            self.best_of_parts(x, room, threads);
        } else {
            self.sorted(x, room, threads);
        }
        let part = self.kept.div_ceil(threads);
        let outputs = values.par_chunks_mut(part).zip(indices.par_chunks_mut(part));
        room.held[..self.kept]
            .par_chunks(part)
            .zip(outputs)
            .for_each(|(held, (values, indices))| write(x, held, values, indices));
    }

    /// Rows of a few elements, many at a time.
    fn short<T: Key>(self, x: &[T], values: &mut [T], indices: &mut [i32]) {
        let Self { n, kept, flip, .. } = self;
        if x.len() < PARALLEL {
            return short::sort(x, n, kept, flip, values, indices);
        }
        let rows = (PARALLEL / 4).div_ceil(n);
        x.par_chunks(rows * n)
            .zip(values.par_chunks_mut(rows * kept).zip(indices.par_chunks_mut(rows * kept)))
            .for_each(|(x, (values, indices))| short::sort(x, n, kept, flip, values, indices));
    }

    fn keeps_few(self) -> bool {
        self.kept <= self.n / 8
    }

    /// All elements of a row in order.
    fn sorted<T: Key>(self, x: &[T], room: &mut Room, threads: usize) {
        let Room { held, other } = room;
        held.resize(x.len(), 0);
        if x.len() < DIGITS {
            self.pairs(x, 0, held);
            held.sort_unstable();
            return;
        }
        other.resize(x.len(), 0);
        let part = x.len().div_ceil(threads);
        if threads < 2 {
            self.pairs(x, 0, held);
        } else {
            let parts = x.par_chunks(part).zip(held.par_chunks_mut(part)).enumerate();
            parts.for_each(|(p, (x, held))| self.pairs(x, p * part, held));
        }
        long::sort(held, other, threads);
    }

    /// Keys above positions, from `first` on.
    fn pairs<T: Key>(self, x: &[T], first: usize, pairs: &mut [u64]) {
        vectorised(
            #[inline(always)]
            || {
                for (k, (pair, x)) in pairs.iter_mut().zip(x).enumerate() {
                    *pair = u64::from(x.key() ^ self.flip) << 32 | (first + k) as u64;
                }
            },
        );
    }

    /// The best of a row in order.
    fn best<T: Key>(self, x: &[T], room: &mut Room) {
        self.candidates(x, 0, &mut room.held);
        room.held.sort_unstable();
    }

    /// The best of a row in order, with the best of each thread's part looked for at once.
    fn best_of_parts<T: Key>(self, x: &[T], room: &mut Room, threads: usize) {
        let part = x.len().div_ceil(threads);
        let found: Vec<Vec<u64>> = x
            .par_chunks(part)
            .enumerate()
            .map(|(p, x)| {
                let mut held = Vec::new();
                self.candidates(x, p * part, &mut held);
                held
            })
            .collect();
        room.held.clear();
        found.iter().for_each(|held| room.held.extend_from_slice(held));
        self.narrow(&mut room.held);
        room.held.sort_unstable();
    }

    /// Leaves the best, in no order.
    fn narrow(self, held: &mut Vec<u64>) {
        if held.len() > self.kept {
            held.select_nth_unstable(self.kept - 1);
            held.truncate(self.kept);
        }
    }

    /// The best of a part that begins at `first`, in no order; all of it where it is shorter. Whatever is not better than
    /// the worst of the best so far stays out: of equal elements the earlier is the better.
    fn candidates<T: Key>(self, x: &[T], first: usize, held: &mut Vec<u64>) {
        let most = (2 * self.kept).max(4 * CHUNK).min(x.len());
        held.clear();
        held.resize(most, 0);
        self.pairs(&x[..most], first, held);
        let mut bar = self.bar(held);
        let flip = self.flip;
        for (c, chunk) in x[most..].chunks(CHUNK).enumerate() {
            let better = vectorised(
                #[inline(always)]
                || chunk.iter().fold(0u32, |any, x| any | u32::from(x.key() ^ flip < bar)),
            );
            if better == 0 {
                continue;
            }
            let at = first + most + c * CHUNK;
            for (k, x) in chunk.iter().enumerate() {
                let key = x.key() ^ flip;
                if key < bar {
                    held.push(u64::from(key) << 32 | (at + k) as u64);
                }
            }
            if held.len() >= most.max(self.kept + CHUNK) {
                bar = self.bar(held);
            }
        }
        self.narrow(held);
    }

    /// The key of the worst of the best so far; the others go.
    fn bar(self, held: &mut Vec<u64>) -> u32 {
        self.narrow(held);
        if held.len() < self.kept {
            return u32::MAX;
        }
        held.iter().max().map_or(u32::MAX, |worst| (worst >> 32) as u32)
    }
}

/// Values and positions of pairs.
fn write<T: Copy>(x: &[T], pairs: &[u64], values: &mut [T], indices: &mut [i32]) {
    for ((value, index), &pair) in values.iter_mut().zip(indices).zip(pairs) {
        let place = pair as u32;
        *value = x[place as usize];
        *index = place as i32;
    }
}
