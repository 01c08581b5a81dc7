//! Whose line a node belongs to, and which part of a computation, while the library itself is building nodes
//! (gradients, layers, optimizers).

use std::cell::Cell;

use super::Phase;
use crate::Site;

thread_local! {
    static CURRENT: Cell<Option<Site>> = const { Cell::new(None) };
    static PHASE: Cell<Phase> = const { Cell::new(Phase::Forward) };
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

/// Runs `f`; every node that it makes belongs to that phase, unless a call inside says another.
pub fn within_phase<R>(phase: Phase, f: impl FnOnce() -> R) -> R {
    struct Restore(Phase);
    impl Drop for Restore {
        fn drop(&mut self) {
            PHASE.set(self.0);
        }
    }
    let _restore = Restore(PHASE.replace(phase));
    f()
}

/// The phase to write on a node that is being made.
pub(super) fn phase() -> Phase {
    PHASE.get()
}
