//! Threads, behind one door: browsers have none.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

struct Shared<T> {
    result: Option<T>,
    waker: Option<Waker>,
}

struct Later<T>(Arc<Mutex<Shared<T>>>);

impl<T> Future for Later<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match shared.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Runs blocking work on a thread of its own and gives its result as a future.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Pin<Box<dyn Future<Output = T> + Send>> {
    let shared = Arc::new(Mutex::new(Shared { result: None, waker: None }));
    let theirs = shared.clone();
    std::thread::spawn(move || {
        let result = work();
        let mut shared = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        shared.result = Some(result);
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    });
    Box::pin(Later(shared))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_result_arrives() {
        assert_eq!(pollster::block_on(super::spawn(|| 6 * 7)), 42);
    }
}
