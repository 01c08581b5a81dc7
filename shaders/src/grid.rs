//! The host side of `shared/grid`: how many workgroups to dispatch along each axis.

/// The most workgroups that one axis of a dispatch may have, on every adapter.
pub const MAX_GROUPS_PER_AXIS: u32 = 65_535;

/// Folds a count of workgroups into a three-dimensional grid: `x = min(n, 65535)`, then as many `y` as needed, then `z`.
///
/// The grid may hold more groups than asked for (at most one row or plane more), so a kernel numbers itself with
/// `linear_group` of `shared/grid` and checks the number against its count. `None` where that number would not fit
/// in 32 bits. No groups give `[0, 1, 1]`, which is a legal dispatch of nothing.
///
/// ```
/// use knotwork_shaders::fold_grid;
/// assert_eq!(fold_grid(10), Some([10, 1, 1]));
/// assert_eq!(fold_grid(65_536), Some([65_535, 2, 1]));
/// assert_eq!(fold_grid(1 << 40), None);
/// ```
pub fn fold_grid(groups: u64) -> Option<[u32; 3]> {
    let max = u64::from(MAX_GROUPS_PER_AXIS);
    let x = groups.min(max);
    if x == 0 {
        return Some([0, 1, 1]);
    }
    let rows = groups.div_ceil(x);
    let y = rows.min(max);
    let z = rows.div_ceil(y);
    if z > max || u32::try_from(x * y * z).is_err() {
        return None;
    }
    Some([u32::try_from(x).ok()?, u32::try_from(y).ok()?, u32::try_from(z).ok()?])
}

/// The grid for `count` invocations in workgroups of `size`: [`fold_grid`] of the groups that cover them, and `None` where
/// the number that `linear_thread` gives would not fit in 32 bits.
///
/// ```
/// use knotwork_shaders::fold_threads;
/// assert_eq!(fold_threads(1000, 64), Some([16, 1, 1]));
/// assert_eq!(fold_threads(u64::from(u32::MAX), 64), None);
/// ```
pub fn fold_threads(count: u64, size: u32) -> Option<[u32; 3]> {
    let grid = fold_grid(count.div_ceil(u64::from(size.max(1))))?;
    let threads = grid.iter().try_fold(u64::from(size), |n, &axis| n.checked_mul(u64::from(axis)))?;
    (threads <= u64::from(u32::MAX)).then_some(grid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_covers_the_groups_and_wastes_at_most_a_row_of_each_axis() {
        let max = u64::from(MAX_GROUPS_PER_AXIS);
        for n in [1, 2, max - 1, max, max + 1, 2 * max, 2 * max + 1, 1 << 24, 1 << 31, 4_294_000_000] {
            let [x, y, z] = fold_grid(n).unwrap().map(u64::from);
            assert!(x <= max && y <= max && z <= max, "{n}");
            assert!(x * y * z >= n, "{n} groups in {x} x {y} x {z}");
            assert!(x * y * (z - 1) < n && x * (y - 1) < n, "{n}");
        }
    }

    #[test]
    fn a_number_that_would_wrap_is_refused() {
        assert_eq!(fold_grid(u64::from(u32::MAX) + 1), None);
        assert_eq!(fold_grid(u64::MAX), None);
        assert_eq!(fold_threads(1 << 33, 256), None);
        assert_eq!(fold_grid(0), Some([0, 1, 1]));
    }
}
