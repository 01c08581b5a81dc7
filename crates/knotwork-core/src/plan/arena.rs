//! Offline assignment: all lifetimes are known before any memory is given.
//!
//! Whole buffers first: wgpu's barriers are per buffer, and a dispatch may not read and write one buffer. Where that
//! wastes memory, values share buffers at different offsets, those that no dispatch reads while it writes another.

/// A range of a block that is needed from step to step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Its first byte in the block.
    pub offset: usize,
    pub bytes: usize,
    pub born: usize,
    pub dies: usize,
}

/// What lies in one piece: one tenant, or several that want to lie side by side.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub parts: Vec<Part>,
    pub bytes: usize,
    /// Blocks that may not lie in the same buffer.
    pub apart: Vec<usize>,
}

impl Block {
    fn born(&self) -> usize {
        self.parts.iter().map(|p| p.born).min().unwrap_or(0)
    }

    fn dies(&self) -> usize {
        self.parts.iter().map(|p| p.dies).max().unwrap_or(0)
    }

    /// Bytes times steps.
    fn area(&self) -> u128 {
        self.parts.iter().map(|p| p.bytes as u128 * (p.dies - p.born + 1) as u128).sum()
    }
}

/// Where blocks lie.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Assignment {
    /// The sizes of the buffers.
    pub buffers: Vec<usize>,
    /// (buffer, first byte) of each block.
    pub places: Vec<(usize, usize)>,
}

impl Assignment {
    pub fn bytes(&self) -> usize {
        self.buffers.iter().sum()
    }
}

/// An assignment so close to the least, in per cent, ends the search.
const GOOD: usize = 5;
/// What packing must save of whole buffers, in per cent.
const WORTH: usize = 2;

/// Whether an assignment is so close to the least that no better one needs to be found.
pub(super) fn is_good(bytes: usize, least: usize) -> bool {
    bytes <= least + least * GOOD / 100
}

/// Places blocks in buffers of at most `limit` bytes (a block that is larger gets a buffer of its own). Offsets are
/// multiples of `align`. `least` is what no assignment can be below: the search ends there.
pub(super) fn assign(blocks: &[Block], align: usize, limit: usize, least: usize) -> Assignment {
    let order = |key: fn(&Block) -> u128| {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&b| (std::cmp::Reverse(key(&blocks[b])), blocks[b].born(), b));
        order
    };
    let by_size = order(|b| b.bytes as u128);
    let whole = whole_buffers(blocks, &by_size);
    let good = |a: &Assignment| is_good(a.bytes(), least);
    if good(&whole) {
        return whole;
    }
    let mut best: Option<Assignment> = None;
    let by_area = order(Block::area);
    let by_birth: Vec<usize> = {
        let mut order: Vec<usize> = (0..blocks.len()).collect();
        order.sort_by_key(|&b| (blocks[b].born(), std::cmp::Reverse(blocks[b].bytes), b));
        order
    };
    for (order, join) in
        [(&by_size, false), (&by_size, true), (&by_area, false), (&by_area, true), (&by_birth, true)]
    {
        let packed = Packer { blocks, align, limit, join }.pack(order);
        if best.as_ref().is_none_or(|b| packed.bytes() < b.bytes()) {
            best = Some(packed);
        }
        if best.as_ref().is_some_and(good) {
            break;
        }
    }
    match best {
        Some(packed) if packed.bytes() + packed.bytes() * WORTH / 100 < whole.bytes() => packed,
        _ => whole,
    }
}

/// Every block has its buffer for itself while it lives. The largest come first, so that every buffer has room for
/// what comes later; each takes the smallest that is free.
fn whole_buffers(blocks: &[Block], order: &[usize]) -> Assignment {
    let mut all = Assignment { buffers: Vec::new(), places: vec![(0, 0); blocks.len()] };
    let mut lives: Vec<Vec<(usize, usize)>> = Vec::new();
    for &b in order {
        let (born, dies) = (blocks[b].born(), blocks[b].dies());
        let free = |taken: &Vec<(usize, usize)>| taken.iter().all(|&(from, to)| dies < from || to < born);
        let buffer = (0..lives.len()).rev().find(|&i| free(&lives[i])).unwrap_or_else(|| {
            lives.push(Vec::new());
            all.buffers.push(blocks[b].bytes);
            lives.len() - 1
        });
        lives[buffer].push((born, dies));
        all.places[b] = (buffer, 0);
    }
    all
}

struct Packer<'a> {
    blocks: &'a [Block],
    align: usize,
    limit: usize,
    /// Whether a block that no buffer has room for makes one grow rather than get one of its own.
    join: bool,
}

impl Packer<'_> {
    /// Each block goes where the buffers grow least, at the lowest offset that is free while it lives.
    fn pack(&self, order: &[usize]) -> Assignment {
        let n = self.blocks.len();
        let mut all = Assignment { buffers: Vec::new(), places: vec![(usize::MAX, 0); n] };
        let mut members: Vec<Vec<Part>> = Vec::new();
        let mut refused: Vec<usize> = Vec::new();
        for (round, &b) in order.iter().enumerate() {
            let block = &self.blocks[b];
            refused.resize(all.buffers.len(), usize::MAX);
            for &other in &block.apart {
                if let Some(r) = refused.get_mut(all.places[other].0) {
                    *r = round;
                }
            }
            let mut best: Option<(usize, usize, usize)> = None;
            for (buffer, parts) in members.iter().enumerate().filter(|(i, _)| refused[*i] != round) {
                let offset = self.lowest(block, parts);
                let end = offset + block.bytes;
                let growth = end.saturating_sub(all.buffers[buffer]);
                let fits = end <= self.limit || growth == 0;
                if fits && best.is_none_or(|(least, ..)| growth < least) {
                    best = Some((growth, buffer, offset));
                    if growth == 0 {
                        break;
                    }
                }
            }
            let (buffer, offset) = match best {
                Some((growth, buffer, offset)) if growth < block.bytes || self.join => (buffer, offset),
                _ => {
                    members.push(Vec::new());
                    all.buffers.push(0);
                    (members.len() - 1, 0)
                }
            };
            all.buffers[buffer] = all.buffers[buffer].max(offset + block.bytes);
            all.places[b] = (buffer, offset);
            members[buffer].extend(block.parts.iter().map(|p| Part { offset: offset + p.offset, ..*p }));
        }
        all
    }

    /// The lowest offset at which no part of a block meets what lies there at the same time.
    fn lowest(&self, block: &Block, taken: &[Part]) -> usize {
        let mut forbidden: Vec<(usize, usize)> = Vec::new();
        for part in &block.parts {
            for other in taken.iter().filter(|t| t.born <= part.dies && part.born <= t.dies) {
                // From where to where the block's first byte would make them overlap.
                let until = (other.offset + other.bytes).saturating_sub(part.offset);
                let from = (other.offset + 1).saturating_sub(part.offset + part.bytes);
                if until > 0 {
                    forbidden.push((from, until));
                }
            }
        }
        forbidden.sort_unstable();
        let mut offset = 0;
        for (from, until) in forbidden {
            if offset < from {
                break;
            }
            offset = offset.max(until.next_multiple_of(self.align));
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn block(bytes: usize, born: usize, dies: usize) -> Block {
        Block { parts: vec![Part { offset: 0, bytes, born, dies }], bytes, apart: Vec::new() }
    }

    fn keep_apart(blocks: &mut [Block], pairs: &[(usize, usize)]) {
        for &(a, b) in pairs {
            blocks[a].apart.push(b);
            blocks[b].apart.push(a);
        }
    }

    fn least(blocks: &[Block]) -> usize {
        let parts = || blocks.iter().flat_map(|b| &b.parts);
        let live = |step| parts().filter(|p| (p.born..=p.dies).contains(&step)).map(|p| p.bytes).sum();
        (0..=parts().map(|p| p.dies).max().unwrap_or(0)).map(live).max().unwrap_or(0)
    }

    /// What lives at the same time does not overlap, and what must be apart is.
    fn check(blocks: &[Block], found: &Assignment, align: usize) {
        for (a, block) in blocks.iter().enumerate() {
            let (buffer, offset) = found.places[a];
            assert_eq!(offset % align, 0);
            assert!(offset + block.bytes <= found.buffers[buffer]);
            assert!(
                block.apart.iter().all(|&b| found.places[b].0 != buffer),
                "{a} with one of {:?}",
                block.apart
            );
            for (b, other) in
                blocks.iter().enumerate().filter(|(b, _)| *b != a && found.places[*b].0 == buffer)
            {
                for p in &block.parts {
                    for q in &other.parts {
                        let (p0, q0) = (offset + p.offset, found.places[b].1 + q.offset);
                        let together = p.born <= q.dies && q.born <= p.dies;
                        assert!(!together || p0 + p.bytes <= q0 || q0 + q.bytes <= p0, "{a} and {b}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_chain_takes_two_whole_buffers() {
        let mut blocks: Vec<Block> = (0..6).map(|k| block(64, k, k + 1)).collect();
        keep_apart(&mut blocks, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        let found = assign(&blocks, 16, usize::MAX, least(&blocks));
        assert_eq!(found.buffers, [64, 64]);
        assert!(found.places.iter().all(|p| p.1 == 0));
        check(&blocks, &found, 16);
    }

    #[test]
    fn small_values_lie_side_by_side_in_what_a_large_one_leaves() {
        // A large value, then four small ones that all live at once.
        let mut blocks = vec![block(256, 0, 1)];
        blocks.extend((2..6).map(|k| block(64, k, 6)));
        let found = assign(&blocks, 16, usize::MAX, least(&blocks));
        assert_eq!(found.bytes(), 256);
        check(&blocks, &found, 16);
        // Where one reads another, they are in two buffers.
        keep_apart(&mut blocks, &[(1, 2)]);
        let found = assign(&blocks, 16, usize::MAX, least(&blocks));
        check(&blocks, &found, 16);
    }

    #[test]
    fn a_pack_lends_its_place_until_its_values_are_born() {
        let part = |offset, born| Part { offset, bytes: 64, born, dies: 9 };
        let pack = Block { parts: vec![part(0, 1), part(64, 8)], bytes: 128, apart: Vec::new() };
        let blocks = vec![pack, block(64, 2, 7)];
        let found = assign(&blocks, 16, usize::MAX, least(&blocks));
        assert_eq!(found, Assignment { buffers: vec![128], places: vec![(0, 0), (0, 64)] });
    }

    #[test]
    fn no_shared_buffer_grows_beyond_the_limit() {
        let mut blocks: Vec<Block> = (0..8).map(|k| block(48, k, 9)).collect();
        blocks.push(block(96, 0, 0));
        let found = assign(&blocks, 16, 100, least(&blocks));
        assert!(found.buffers.iter().all(|&b| b <= 100), "{found:?}");
        check(&blocks, &found, 16);
    }

    #[test]
    fn assignments_of_random_lives_are_sound_and_close_to_the_least() {
        let mut seed = 7u64;
        let mut random = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for _ in 0..200 {
            let n = 2 + random(60);
            let mut blocks: Vec<Block> =
                (0..n).map(|k| block(16 * (1 + random(64)), k, k + 1 + random(8))).collect();
            // Each step reads some of what is alive.
            let pairs: Vec<(usize, usize)> = (1..n)
                .flat_map(|k| (k.saturating_sub(3)..k).map(move |j| (j, k)))
                .filter(|&(j, k)| blocks[j].dies() >= k && (j + 1 == k || random(2) == 0))
                .collect();
            keep_apart(&mut blocks, &pairs);
            let least = least(&blocks);
            let found = assign(&blocks, 16, usize::MAX, least);
            check(&blocks, &found, 16);
            assert!(
                found.bytes() >= least && found.bytes() <= least + least / 2,
                "{} {least}",
                found.bytes()
            );
        }
    }
}
