//! Where each tenant of the arena lives.

use super::{
    BindTo, Capabilities,
    arena::{Assignment, Block, Part, assign},
    lifetimes::Lifetimes,
    lower::Lowered,
    memory::round_up,
    uses::Uses,
    work::{Draft, RootId, Work},
};

/// A place in the arena.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    pub buffer: usize,
    pub offset: usize,
}

/// The arena's buffers and who lives where.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    /// The sizes of the buffers.
    pub buffers: Vec<usize>,
    pub of_tenant: Vec<Room>,
}

/// Gives every tenant a room; without `reuse`, one that nobody else has.
pub(super) fn rooms(
    draft: &Draft,
    lowered: &[Lowered],
    lives: &Lifetimes,
    capabilities: &Capabilities,
    reuse: bool,
) -> Rooms {
    let align = capabilities.offset_alignment.max(16);
    let mut blocks = Blocks::of(draft, lives, align);
    if !reuse {
        return Rooms {
            buffers: blocks.all.iter().map(|b| b.bytes).collect(),
            of_tenant: blocks.of_tenant.iter().map(|&(buffer, offset)| Room { buffer, offset }).collect(),
        };
    }
    for (k, lowering) in lowered.iter().enumerate() {
        for dispatch in lowering.lowering.iter().flat_map(|l| &l.dispatches) {
            blocks.keep_apart(lives, &draft.work[k], k, &dispatch.bindings);
        }
    }
    let found = blocks.assign(align, capabilities, lives);
    let room = |&(block, offset): &(usize, usize)| {
        let (buffer, first): (usize, usize) = found.places[block];
        Room { buffer, offset: first + offset }
    };
    Rooms { of_tenant: blocks.of_tenant.iter().map(room).collect(), buffers: found.buffers }
}

/// The bytes that `rooms` would take, before kernels are chosen: as if each work were one dispatch.
pub(super) fn estimate(draft: &Draft, lives: &Lifetimes, capabilities: &Capabilities) -> usize {
    let align = capabilities.offset_alignment.max(16);
    let mut blocks = Blocks::of(draft, lives, align);
    for (k, work) in draft.work.iter().enumerate() {
        let shared = |i: &usize| !work.aliases.iter().any(|(a, _)| a == i);
        let read = (0..work.inputs.len()).filter(shared).map(BindTo::Input);
        let bindings: Vec<BindTo> = read.chain((0..work.outputs.len()).map(BindTo::Output)).collect();
        blocks.keep_apart(lives, work, k, &bindings);
    }
    blocks.assign(align, capabilities, lives).bytes()
}

/// The tenants in pieces: those of a pack lie in one.
struct Blocks {
    all: Vec<Block>,
    /// By tenant: (block, first byte in it).
    of_tenant: Vec<(usize, usize)>,
}

impl Blocks {
    fn of(draft: &Draft, lives: &Lifetimes, align: usize) -> Self {
        // Every buffer has room for a last word that is read or written whole.
        let bytes = |t: usize| round_up(lives.tenants[t].bytes.max(4), 16);
        let part = |t: usize, offset| {
            let tenant = &lives.tenants[t];
            Part { offset, bytes: bytes(t), born: tenant.born, dies: tenant.dies }
        };
        let mut all: Vec<Block> = Vec::new();
        let mut of_tenant: Vec<Option<(usize, usize)>> = vec![None; lives.tenants.len()];
        for pack in packs(draft) {
            let mut block = Block::default();
            for tenant in pack.iter().filter_map(|&r| lives.of_root[r]) {
                of_tenant[tenant] = Some((all.len(), block.bytes));
                block.parts.push(part(tenant, block.bytes));
                block.bytes += round_up(bytes(tenant), align);
            }
            all.push(block);
        }
        for (tenant, of) in of_tenant.iter_mut().enumerate() {
            if of.is_none() {
                *of = Some((all.len(), 0));
                all.push(Block { parts: vec![part(tenant, 0)], bytes: bytes(tenant), apart: Vec::new() });
            }
        }
        Self { all, of_tenant: of_tenant.into_iter().flatten().collect() }
    }

    fn assign(&mut self, align: usize, capabilities: &Capabilities, lives: &Lifetimes) -> Assignment {
        for block in &mut self.all {
            block.apart.sort_unstable();
            block.apart.dedup();
        }
        assign(&self.all, align, capabilities.max_buffer_bytes, lives.peak().0)
    }

    /// What one dispatch reads may not lie in a buffer that it writes.
    fn keep_apart(&mut self, lives: &Lifetimes, work: &Work, step: usize, bindings: &[BindTo]) {
        let block = |b: &BindTo| {
            let tenant = match *b {
                BindTo::Input(i) => lives.of_root[work.inputs[i].root],
                BindTo::Output(o) => lives.of_root[work.outputs[o].root],
                BindTo::Scratch(s) | BindTo::ScratchRead(s) => lives.scratch[step].get(s).copied(),
                BindTo::Status => None,
            };
            tenant.map(|t| self.of_tenant[t].0)
        };
        let (written, read): (Vec<&BindTo>, Vec<&BindTo>) = bindings.iter().partition(|b| b.writes());
        let written: Vec<usize> = written.into_iter().filter_map(block).collect();
        let read: Vec<usize> = read.into_iter().filter_map(block).collect();
        for &w in &written {
            for &r in read.iter().filter(|&&r| r != w) {
                self.all[r].apart.push(w);
                self.all[w].apart.push(r);
            }
        }
    }
}

/// The packs that can be had: computed roots, each in one pack, of which no work reads one and writes another.
fn packs(draft: &Draft) -> Vec<Vec<RootId>> {
    let uses = Uses::of(draft);
    let mut taken = vec![false; draft.roots.len()];
    let mut touched = vec![usize::MAX; draft.work.len()];
    let mut found: Vec<Vec<RootId>> = Vec::new();
    for (p, pack) in draft.packs.iter().enumerate() {
        let fits = |r: &RootId| uses.in_arena(draft, *r) && !uses.given[*r] && !uses.writers[*r].is_empty();
        if pack.len() < 2 || !pack.iter().all(fits) {
            continue;
        }
        pack.iter().flat_map(|&r| &uses.writers[r]).for_each(|&k| touched[k] = p);
        let clash = pack.iter().flat_map(|&r| &uses.readers[r]).any(|&k| touched[k] == p);
        let mut twice = pack.clone();
        twice.sort_unstable();
        twice.dedup();
        if clash || twice.len() < pack.len() || pack.iter().any(|&r| taken[r]) {
            continue;
        }
        pack.iter().for_each(|&r| taken[r] = true);
        found.push(pack.clone());
    }
    found
}
