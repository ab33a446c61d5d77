//! A map that never grows beyond its bound.

use core::hash::Hash;

use lru::LruCache;

/// A map with room for so many. One more takes the place of the one that was used least recently, in constant time.
#[derive(Debug)]
pub(super) struct Bounded<K: Hash + Eq, V> {
    most: usize,
    /// Never told its bound: it would take all the memory at once.
    entries: LruCache<K, V, foldhash::fast::FixedState>,
}

impl<K: Hash + Eq, V> Bounded<K, V> {
    /// `seed` keeps strangers from choosing keys that collide.
    pub(super) fn new(most: usize, seed: u64) -> Self {
        Self { most, entries: LruCache::unbounded_with_hasher(foldhash::fast::FixedState::with_seed(seed)) }
    }

    /// What stands under `key`. It counts as used.
    pub(super) fn use_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// What stands under `key`, without using it.
    pub(super) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.peek(key)
    }

    /// What stands under `key`, without using it.
    pub(super) fn peek_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.peek_mut(key)
    }

    /// Puts `value` under `key`. What had to go for it is returned.
    pub(super) fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        self.entries.put(key, value);
        if self.entries.len() > self.most { self.entries.pop_lru() } else { None }
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.pop(key)
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() {
        let mut bounded = Bounded::new(2, 7);
        assert_eq!(bounded.insert('a', 1), None);
        assert_eq!(bounded.insert('b', 2), None);
        bounded.use_mut(&'a');
        bounded.peek(&'b');
        bounded.peek_mut(&'b');
        assert_eq!(bounded.insert('c', 3), Some(('b', 2)));
        assert_eq!(bounded.insert('a', 4), None, "it was there");
        assert_eq!((bounded.len(), bounded.peek(&'a'), bounded.peek(&'c')), (2, Some(&4), Some(&3)));
    }
}
