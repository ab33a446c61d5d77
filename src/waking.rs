//! Requests whose waiting is over, until their turn comes.

use std::cell::RefCell;
use std::collections::VecDeque;

use gate::authn::StreamId;
use gate::gate::{Verdict, Woken};

/// How many verdicts one callback carries out. Envoy answers requests after the callback, each inside of the one before,
/// and with each the VM hears of a stream's end: with about 300 its stack is at its end, and the VM is dead
/// (`many_who_wait_for_one_answer_do_not_kill_the_vm`).
const AT_ONCE: usize = 32;

/// Verdicts that are not carried out yet, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waking(RefCell<VecDeque<(StreamId, Verdict)>>);

impl Waking {
    /// More requests need not wait any longer.
    pub(crate) fn extend(&self, woken: Woken) {
        self.0.borrow_mut().extend(woken);
    }

    /// Whose turn it is in this callback.
    pub(crate) fn take(&self) -> Woken {
        let mut all = self.0.borrow_mut();
        let count = all.len().min(AT_ONCE);
        all.drain(..count).collect()
    }

    /// Whether there is somebody whose turn comes later.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Whether this request's turn comes later.
    pub(crate) fn contains(&self, stream: StreamId) -> bool {
        self.0.borrow().iter().any(|(other, _)| *other == stream)
    }

    /// The request is over.
    pub(crate) fn forget(&self, stream: StreamId) {
        self.0.borrow_mut().retain(|(other, _)| *other != stream);
    }
}
