//! How the terms of a sum are shared among workgroups.

use super::kernels::MOST_PARTS;
use crate::plan::{Capabilities, Speed};

/// Workgroups that fill a GPU.
pub(super) const ENOUGH_GROUPS: usize = 512;

/// Fewer workgroups than this leave a device idle: a sum is then split among more of them, its parts added by a second
/// dispatch.
pub(super) fn few(on: &Capabilities) -> usize {
    if on.speed == Speed::SOFTWARE { 4 } else { ENOUGH_GROUPS }
}

/// A sum in so many parts, each over `span` terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub parts: usize,
    pub span: usize,
}

impl Split {
    /// In at most `parts`, each over a multiple of `grain` terms.
    pub fn of(terms: usize, parts: usize, grain: usize) -> Self {
        let span = terms.div_ceil(parts.max(1)).max(1).next_multiple_of(grain.max(1));
        Self { parts: terms.div_ceil(span).max(1), span }
    }

    /// Where `tiles` workgroups leave a device idle, into as many parts of at least `least` terms as fill it; else whole.
    pub fn best(terms: usize, tiles: usize, least: usize, grain: usize, on: &Capabilities) -> Self {
        let wanted = few(on).div_ceil(tiles.max(1)).min(terms.div_ceil(least.max(1)));
        Self::of(terms, wanted.clamp(1, MOST_PARTS), grain)
    }

    /// The splits that are worth a variant: the best, and the whole.
    pub fn offered(terms: usize, tiles: usize, least: usize, grain: usize, on: &Capabilities) -> Vec<Self> {
        let best = Self::best(terms, tiles, least, grain, on);
        if best.parts > 1 { vec![best, Self::of(terms, 1, grain)] } else { vec![best] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_terms_and_none_is_empty() {
        let on = Capabilities::portable();
        for terms in [0, 1, 3, 64, 65, 784, 4096, 100_003] {
            for (tiles, least, grain) in [(1, 16, 4), (7, 64, 1), (600, 4, 4), (3, 1, 1)] {
                let all = Split::offered(terms, tiles, least, grain, &on);
                assert!((1..=2).contains(&all.len()) && all.last().is_some_and(|s| s.parts == 1));
                for Split { parts, span } in all {
                    assert!(span.is_multiple_of(grain) && parts <= MOST_PARTS, "{terms}: {parts} of {span}");
                    assert!(
                        parts * span >= terms && (parts - 1) * span < terms.max(1),
                        "{terms}: {parts} of {span}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_sum_is_split_where_a_device_would_be_idle() {
        let on = Capabilities::portable();
        assert!(Split::offered(784, 1, 16, 4, &on)[0].parts > 8);
        assert_eq!(Split::offered(784, few(&on), 16, 4, &on)[0].parts, 1);
        // Where a driver runs on the processor, a second dispatch costs more than it gains.
        let software = Capabilities { speed: Speed::SOFTWARE, ..Capabilities::portable() };
        assert_eq!(Split::offered(784, 4, 16, 4, &software)[0].parts, 1);
    }
}
