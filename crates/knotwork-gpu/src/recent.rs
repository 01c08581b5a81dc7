//! What is kept of many things made, those in use and the ones asked for last.

use std::{collections::HashMap, hash::Hash, sync::Arc};

/// Things by their keys; each with when it was asked for last.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (Arc<V>, u64)>,
    now: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), now: 0 }
    }
}

impl<K: Eq + Hash, V> Recent<K, V> {
    pub fn get(&mut self, key: &K) -> Option<Arc<V>> {
        self.now += 1;
        let (value, asked) = self.entries.get_mut(key)?;
        *asked = self.now;
        Some(value.clone())
    }

    pub fn insert(&mut self, key: K, value: Arc<V>) {
        self.now += 1;
        self.entries.insert(key, (value, self.now));
    }

    /// Lets go of what was not asked for the longest, until `kept` are left; never of what somebody else holds.
    pub fn trim(&mut self, kept: usize) {
        let over = self.entries.len().saturating_sub(kept);
        let idle = self.entries.values().filter(|(value, _)| Arc::strong_count(value) == 1);
        let mut asked: Vec<u64> = idle.map(|(_, asked)| *asked).collect();
        asked.sort_unstable();
        asked.truncate(over);
        if let Some(&last) = asked.last() {
            self.entries.retain(|_, (value, asked)| *asked > last || Arc::strong_count(value) > 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ones_asked_for_last_and_those_in_use_stay() {
        let mut recent = Recent::default();
        (0..6).for_each(|k| recent.insert(k, Arc::new(k)));
        let held = recent.get(&1).unwrap();
        assert_eq!(recent.get(&0).as_deref(), Some(&0));
        recent.trim(6);
        assert_eq!(recent.entries.len(), 6);
        recent.trim(3);
        let mut left: Vec<i32> = recent.entries.keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [0, 1, 5]);
        recent.trim(0);
        assert_eq!(recent.entries.keys().collect::<Vec<_>>(), [&*held]);
        drop(held);
        recent.trim(0);
        assert!(recent.get(&1).is_none());
    }
}
