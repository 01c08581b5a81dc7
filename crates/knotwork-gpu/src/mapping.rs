//! When a staging buffer may be read. Whichever thread polls the device may be the one that hears of it, so the thread
//! that wants to read waits for the word itself, not only for its submission.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unmapped,
    Asked,
    Answered(bool),
}

/// Whether one buffer is mapped for reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mapping(Arc<(Mutex<State>, Condvar)>);

impl Mapping {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the buffer to be mapped once everything submitted so far is done with it.
    pub fn ask(&self, buffer: &wgpu::Buffer) {
        *self.state() = State::Asked;
        let this = self.clone();
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            *this.state() = State::Answered(result.is_ok());
            this.0.1.notify_all();
        });
    }

    /// Waits for the answer, if one was asked for, and forgets it: whether the buffer is mapped. Somebody must have waited
    /// for the submission before; then the answer is at most another thread's callback away.
    pub fn take(&self, timeout: Duration) -> bool {
        let asked = |state: &mut State| *state == State::Asked;
        let waited = self.0.1.wait_timeout_while(self.state(), timeout, asked);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::take(&mut *state) == State::Answered(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_waited_for_and_taken_once() {
        let mapping = Mapping::default();
        assert!(!mapping.take(Duration::ZERO), "nothing was asked for");
        *mapping.state() = State::Asked;
        assert!(!mapping.take(Duration::from_millis(1)), "no answer came");
        *mapping.state() = State::Asked;
        let other = mapping.clone();
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            *other.state() = State::Answered(true);
            other.0.1.notify_all();
        });
        assert!(mapping.take(Duration::from_secs(60)));
        thread.join().unwrap();
        assert!(!mapping.take(Duration::ZERO));
    }
}
