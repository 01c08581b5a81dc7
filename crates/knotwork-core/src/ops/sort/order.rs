//! The order of elements: of numbers for the definition, of integer keys for the fast path.

use std::cmp::Ordering;

/// Ascending: NaN after every number, all NaN equal, −0 equal to 0.
pub(super) fn compare(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// An element that has a key: an integer that orders as it does, ascending.
pub(super) trait Key: Copy + Send + Sync {
    fn key(self) -> u32;
}

impl Key for f32 {
    /// 0 in the middle; a negative number is as far below it as its magnitude's bits say. Without a branch, so that loops
    /// over keys vectorise.
    #[inline(always)]
    fn key(self) -> u32 {
        const ZERO: u32 = 1 << 31;
        let bits = self.to_bits();
        let magnitude = bits & !ZERO;
        let key = if bits < ZERO { ZERO + magnitude } else { ZERO - magnitude };
        if magnitude > 0x7F80_0000 { u32::MAX } else { key }
    }
}

impl Key for i32 {
    #[inline(always)]
    fn key(self) -> u32 {
        self as u32 ^ (1 << 31)
    }
}

impl Key for u32 {
    #[inline(always)]
    fn key(self) -> u32 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_numbers_do() {
        let tiny = f32::from_bits(1);
        let x = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.5,
            -f32::MIN_POSITIVE,
            -tiny,
            -0.0,
            0.0,
            tiny,
            f32::MIN_POSITIVE,
            1.5,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            -f32::NAN,
        ];
        for a in x {
            for b in x {
                assert_eq!(a.key().cmp(&b.key()), compare(a.into(), b.into()), "{a} and {b}");
            }
        }
        for (a, b) in [(i32::MIN, -1), (-1, 0), (0, 1), (1, i32::MAX)] {
            assert!(a.key() < b.key());
        }
    }
}
