//! How the terms of a sum are shared among workgroups.

use crate::plan::{Capabilities, Speed};

/// Workgroups that fill a GPU.
pub(super) const ENOUGH_GROUPS: usize = 512;
/// The most parts of a sum that is split to fill a device.
pub(super) const MOST_PARTS: usize = 16;
/// The most parts of a sum over very many terms.
pub(super) const MANY_PARTS: usize = 1024;
/// Turns of loops that an invocation may take in all: some drivers end it after 65,535.
pub(super) const TURNS: usize = 30_000;

/// Fewer workgroups than this leave a device idle: a sum is then split among more of them, its parts added by a second
/// dispatch.
pub(super) fn few(on: &Capabilities) -> usize {
    if on.speed == Speed::SOFTWARE { 4 } else { ENOUGH_GROUPS }
}

/// The terms of a sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub count: usize,
    /// So many at least are worth a part.
    pub least: usize,
    /// A part has a multiple of so many.
    pub grain: usize,
    /// A part has so many at most.
    pub limit: usize,
}

/// A sum in so many parts, each over `span` terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub parts: usize,
    pub span: usize,
}

impl Split {
    fn of(terms: Terms, parts: usize) -> Self {
        let span = terms.count.div_ceil(parts.max(1)).max(1).next_multiple_of(terms.grain.max(1));
        Self { parts: terms.count.div_ceil(span).max(1), span }
    }

    /// Where `tiles` workgroups leave a device idle, into as many parts as fill it; else whole, or in as few parts as the
    /// limit allows.
    pub fn best(terms: Terms, tiles: usize, on: &Capabilities) -> Self {
        let worth = terms.count.div_ceil(terms.least.max(1));
        let wanted = few(on).div_ceil(tiles.max(1)).min(worth).clamp(1, MOST_PARTS);
        Self::of(terms, wanted.max(Self::needed(terms)))
    }

    /// The splits that are worth a variant: the best, and the whole.
    pub fn offered(terms: Terms, tiles: usize, on: &Capabilities) -> Vec<Self> {
        let best = Self::best(terms, tiles, on);
        if best.parts > 1 && Self::needed(terms) == 1 {
            return vec![best, Self::of(terms, 1)];
        }
        vec![best]
    }

    fn needed(terms: Terms) -> usize {
        terms.count.div_ceil(terms.limit.max(1)).clamp(1, MANY_PARTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(count: usize, least: usize, grain: usize) -> Terms {
        Terms { count, least, grain, limit: usize::MAX }
    }

    #[test]
    fn parts_cover_all_terms_and_none_is_empty() {
        let on = Capabilities::portable();
        for count in [0, 1, 3, 64, 65, 784, 4096, 100_003] {
            for (tiles, least, grain) in [(1, 16, 4), (7, 64, 1), (600, 4, 4), (3, 1, 1)] {
                let all = Split::offered(terms(count, least, grain), tiles, &on);
                assert!((1..=2).contains(&all.len()) && all.last().is_some_and(|s| s.parts == 1));
                for Split { parts, span } in all {
                    assert!(span.is_multiple_of(grain) && parts <= MOST_PARTS, "{count}: {parts} of {span}");
                    assert!(parts * span >= count, "{count}: {parts} of {span}");
                    assert!((parts - 1) * span < count.max(1), "{count}: {parts} of {span}");
                }
            }
        }
    }

    #[test]
    fn a_sum_is_split_where_a_device_would_be_idle() {
        let on = Capabilities::portable();
        assert!(Split::best(terms(784, 16, 4), 1, &on).parts > 8);
        assert_eq!(Split::best(terms(784, 16, 4), few(&on), &on).parts, 1);
        // Where a driver runs on the processor, a second dispatch costs more than it gains.
        let software = Capabilities { speed: Speed::SOFTWARE, ..Capabilities::portable() };
        assert_eq!(Split::best(terms(784, 16, 4), 4, &software).parts, 1);
    }

    #[test]
    fn what_is_too_long_for_one_part_is_never_whole() {
        let on = Capabilities::portable();
        let long = Terms { limit: 1000, ..terms(100_000, 64, 1) };
        let all = Split::offered(long, 10_000, &on);
        assert_eq!(all, [Split { parts: 100, span: 1000 }]);
    }
}
