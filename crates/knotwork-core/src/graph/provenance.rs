//! Whose line a node belongs to while the library itself is building nodes (gradients, layers).

use std::cell::Cell;

use crate::Site;

thread_local! {
    static CURRENT: Cell<Option<Site>> = const { Cell::new(None) };
}

/// Runs `f`; every node that it makes is said to come from `site`. The outermost call wins.
pub fn within<R>(site: Site, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Site>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0);
        }
    }
    let before = CURRENT.get();
    let _restore = Restore(before);
    CURRENT.set(Some(before.unwrap_or(site)));
    f()
}

/// The line to write on a node that `site` makes.
pub(super) fn resolve(site: Site) -> Site {
    CURRENT.get().unwrap_or(site)
}
