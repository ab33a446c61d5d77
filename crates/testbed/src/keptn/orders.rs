//! Orders to misbehave.

use crate::{Result, wait::within};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// Something a request runs into, until the test opens it.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<GateState>>);

#[derive(Debug, Default)]
struct GateState {
    open: bool,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    #[expect(
        clippy::new_without_default,
        reason = "that a new gate is closed should be read where it is made"
    )]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(GateState::default())))
    }

    /// Lets through all who wait, and all who come.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// How many wait now. Who gives up waiting is not counted any more.
    pub fn waiting(&self) -> usize {
        self.0.borrow().waiting
    }

    /// Awaits that exactly `count` wait.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn wait_for(&self, count: usize) -> Result<()> {
        let mut state = self.0.subscribe();
        within(format!("{count} requests at a gate ({} now)", self.waiting()), async move {
            let _ = state.wait_for(|state| state.waiting == count).await;
        })
        .await
    }

    pub(super) async fn pass(&self) {
        struct Waiting<'a>(&'a Gate);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.0.send_modify(|state| state.waiting -= 1);
            }
        }
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.waiting += 1);
        let _waiting = Waiting(self);
        let _ = state.wait_for(|state| state.open).await;
    }
}

/// An answer that a test makes up.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// In this order; nothing is added but `date` and the framing.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// `status` without headers and body.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The body, with its content type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

/// What to do with a request instead of, or besides, answering it properly. Several may be given for one request:
/// those that wait act in their order, then one that answers.
#[derive(Clone, Debug)]
pub enum Order {
    /// Answer so much later. For a time that something else must run into, not for waiting: that is [`Order::Hang`].
    Delay(Duration),
    /// Read the request, and do nothing until the gate opens.
    Hang(Gate),
    /// Do not read the request's body until the gate opens.
    HangBeforeBody(Gate),
    /// Answer without having read the body; it is read at the same time.
    AnswerBeforeBody,
    /// Send the answer's head and half of its body, and the rest when the gate opens.
    HangInAnswer(Gate),
    /// Read the request's head, then reset the connection (RST).
    ResetBeforeBody,
    /// Read the whole request, then reset the connection (RST).
    Reset,
    /// Read the whole request, then close the connection without an answer (FIN).
    Close,
    /// Answer half a header, then close.
    HalfHeader,
    /// Answer these bytes, whatever they are, then close.
    Garbage(Vec<u8>),
    /// Answer this.
    Answer(Reply),
    /// Answer 200 with a body of so many bytes.
    HugeBody(usize),
    /// Answer as usual, then close the connection.
    CloseAfter,
}

/// Which requests an order is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    All,
    /// The check: `/v1/auth`.
    Auth,
    /// All but the check.
    NotAuth,
    /// Those with exactly this path, as received and without the query.
    Path(String),
}

impl Scope {
    fn has(&self, path: &str) -> bool {
        match self {
            Self::All => true,
            Self::Auth => path == "/v1/auth",
            Self::NotAuth => path != "/v1/auth",
            Self::Path(only) => path == only,
        }
    }
}

#[derive(Debug)]
struct Rule {
    scope: Scope,
    orders: Vec<Order>,
    /// `None`: until cleared.
    left: Option<usize>,
}

/// The orders in force. The latest one whose scope has the request decides.
#[derive(Clone, Debug, Default)]
pub struct Orders(Arc<Mutex<Vec<Rule>>>);

impl Orders {
    /// From now on, until [`Orders::clear`] or another `set` with the same scope.
    pub fn set(&self, scope: Scope, orders: impl Into<Vec<Order>>) {
        let mut rules = self.0.lock().unwrap();
        rules.retain(|rule| rule.scope != scope || rule.left.is_some());
        rules.push(Rule { scope, orders: orders.into(), left: None });
    }

    /// For the next `count` requests in `scope`.
    pub fn next(&self, count: usize, scope: Scope, orders: impl Into<Vec<Order>>) {
        self.0.lock().unwrap().push(Rule { scope, orders: orders.into(), left: Some(count) });
    }

    /// Behave again. Requests already under an order go on under it.
    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(super) fn take(&self, path: &str) -> Vec<Order> {
        let mut rules = self.0.lock().unwrap();
        let Some(rule) = rules.iter_mut().rev().find(|rule| rule.left != Some(0) && rule.scope.has(path))
        else {
            return Vec::new();
        };
        rule.left = rule.left.map(|left| left - 1);
        rule.orders.clone()
    }
}

impl From<Order> for Vec<Order> {
    fn from(order: Order) -> Self {
        vec![order]
    }
}
