//! What is remembered of tokens.

use super::Refusal;

#[derive(Clone, Copy, Debug)]
pub(super) struct Yes {
    pub(super) ends_at: u64,
    /// Until when it may be stale.
    pub(super) stale_until: u64,
    /// When the last check of the token ended without deciding anything.
    pub(super) unanswered_at: Option<u64>,
    pub(super) is_barred: bool,
    /// It was used since the last answer and the last background check.
    pub(super) is_used: bool,
    /// When it may, and when it must be asked about in the background, if it is used.
    pub(super) ask_from: u64,
    pub(super) ask_by: u64,
    pub(super) was_asked: bool,
    /// It is over for good, and may have been forgotten.
    pub(super) is_ghost: bool,
}

impl Yes {
    pub(super) fn is_dead(&self, now: u64) -> bool {
        now >= self.ends_at && (now >= self.stale_until || self.is_barred)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct No {
    pub(super) refusal: Refusal,
    pub(super) ends_at: u64,
}

/// A half of the cache: the one used last is the first, the last has to go.
#[derive(Debug)]
pub(super) struct Half<T> {
    pub(super) most: usize,
    pub(super) entries: Vec<(usize, T)>,
}

impl<T> Half<T> {
    pub(super) fn get(&mut self, token: usize) -> Option<&mut T> {
        self.entries.iter_mut().find(|(known, _)| *known == token).map(|(_, entry)| entry)
    }

    pub(super) fn use_it(&mut self, token: usize) -> Option<&mut T> {
        let place = self.entries.iter().position(|(known, _)| *known == token)?;
        let entry = self.entries.remove(place);
        self.entries.insert(0, entry);
        Some(&mut self.entries[0].1)
    }

    pub(super) fn forget(&mut self, token: usize) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(known, _)| *known != token);
        self.entries.len() < before
    }

    /// Whether another had to go.
    pub(super) fn insert(&mut self, token: usize, entry: T) -> bool {
        self.forget(token);
        self.entries.insert(0, (token, entry));
        let is_full = self.entries.len() > self.most;
        self.entries.truncate(self.most);
        is_full
    }
}
