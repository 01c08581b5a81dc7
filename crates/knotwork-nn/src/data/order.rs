//! In which order examples are seen: a function of a seed, the epoch and the position, so that it can be resumed.

use serde::{Deserialize, Serialize};

use crate::init::permutation;

/// A position in the shuffled epochs over a data set.
///
/// ```
/// use knotwork_nn::data::Order;
/// let mut order = Order::new(7);
/// let all = order.epoch_order(5);
/// assert_eq!(order.take(5, 2), all[..2]);
/// let mut later = order.clone(); // the whole state: seed, epoch and position
/// assert_eq!(later.take(5, 9), all[2..]); // the end of the epoch: a smaller batch
/// assert_eq!((later.epoch(), later.position()), (1, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    seed: u64,
    epoch: u64,
    position: usize,
    #[serde(skip)]
    cache: Option<(usize, Vec<usize>)>,
}

impl Order {
    /// The beginning of epoch 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::at(seed, 0, 0)
    }

    /// A later place: `position` examples of that epoch were seen.
    #[must_use]
    pub fn at(seed: u64, epoch: u64, position: usize) -> Self {
        Self { seed, epoch, position, cache: None }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The epoch, counted from 0.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many examples of the epoch were seen.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The whole order of this epoch over `n` examples.
    #[must_use]
    pub fn epoch_order(&self, n: usize) -> Vec<usize> {
        permutation(n, self.seed, self.epoch)
    }

    /// The next examples, at most `batch` and never across the end of an epoch, which begins the next one.
    pub fn take(&mut self, n: usize, batch: usize) -> Vec<usize> {
        let order = match self.cache.take().filter(|(len, _)| *len == n) {
            Some((_, order)) => order,
            None => self.epoch_order(n),
        };
        let start = self.position.min(n);
        let end = start.saturating_add(batch.max(1)).min(n);
        let taken = order[start..end].to_vec();
        if end == n {
            (self.epoch, self.position) = (self.epoch + 1, 0);
        } else {
            self.position = end;
            self.cache = Some((n, order));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_order_goes_on_where_it_was() {
        let (n, batch) = (23, 5);
        let mut whole = Order::new(3);
        let all: Vec<Vec<usize>> = (0..12).map(|_| whole.take(n, batch)).collect();
        for stop in 0..12 {
            let mut first = Order::new(3);
            (0..stop).for_each(|_| drop(first.take(n, batch)));
            let text = serde_json::to_string(&first).unwrap();
            let mut second: Order = serde_json::from_str(&text).unwrap();
            let rest: Vec<Vec<usize>> = (stop..12).map(|_| second.take(n, batch)).collect();
            assert_eq!(rest, all[stop..]);
        }
        assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>()[..6], [5, 5, 5, 5, 3, 5]);
        assert_ne!(all[..5], all[5..10]);
    }
}
