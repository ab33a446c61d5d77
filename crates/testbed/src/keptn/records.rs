//! What a stand-in received.

use crate::{
    Error, Result,
    client::{Headers, values},
    wait::DEADLINE,
};
use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use tokio::sync::watch;

/// Bodies are kept up to here; beyond it only their length and hash.
const KEPT_BODY: usize = 8 << 20;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not yet.
    Open,
    /// An answer with this status was given.
    Answered(u16),
    /// An order broke the connection.
    Broken,
    /// The other end went away before there was an answer.
    Gone,
    /// It was not HTTP: `method` is empty, `target` is the first line, `body` is all that came.
    NotHttp,
}

/// One request as it came over the wire.
#[derive(Clone)]
pub struct Received {
    /// Counts requests from 0.
    pub id: usize,
    /// Counts connections from 0: which one it came on.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// Path and query, byte for byte.
    pub target: Vec<u8>,
    /// Names and values byte for byte, in their order and case.
    pub headers: Headers,
    /// How many body bytes came so far.
    pub body_len: usize,
    /// The body, if it has at most 8 MiB.
    pub body: Bytes,
    /// SHA-256 of the whole body, in hexadecimal; only when [`Received::body_complete`].
    pub body_sha256: String,
    /// The body has come to its end.
    pub body_complete: bool,
    /// How it ended.
    pub outcome: Outcome,
}

impl Received {
    /// The path without the query. Bytes outside UTF-8 are replaced.
    pub fn path(&self) -> String {
        let path = self.target.split(|byte| *byte == b'?').next().unwrap_or_default();
        String::from_utf8_lossy(path).into_owned()
    }

    /// The query without `?`, if there is one.
    pub fn query(&self) -> Option<String> {
        let at = self.target.iter().position(|byte| *byte == b'?')?;
        Some(String::from_utf8_lossy(&self.target[at + 1..]).into_owned())
    }

    /// The values of all headers called `name`, without case.
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        values(&self.headers, name).collect()
    }

    /// The value of the header `name`, if it is there. Bytes outside UTF-8 are replaced.
    ///
    /// # Panics
    /// It is there twice.
    pub fn header(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        assert!(all.len() < 2, "received more than one header {name}: {self:?}");
        all.first().map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The names of all headers, in their order and case.
    pub fn header_names(&self) -> Vec<String> {
        self.headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

// Without header values: tokens do not belong in a test's output.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {} {}", self.id, self.method, self.target.escape_ascii())?;
        write!(f, " {:?} {} body bytes, {:?}", self.header_names(), self.body_len, self.outcome)
    }
}

#[derive(Default)]
struct State {
    next: usize,
    list: Vec<Received>,
}

/// All requests received, from the moment their head was read.
#[derive(Clone)]
pub struct Records(Arc<watch::Sender<State>>);

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

impl Records {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.borrow().list.len()
    }

    /// All of them, in the order received.
    pub fn all(&self) -> Vec<Received> {
        self.0.borrow().list.clone()
    }

    /// Those with exactly this path, without the query.
    pub fn on_path(&self, path: &str) -> Vec<Received> {
        self.all().into_iter().filter(|received| received.path() == path).collect()
    }

    /// The checks: those on `/v1/auth`.
    pub fn checks(&self) -> Vec<Received> {
        self.on_path("/v1/auth")
    }

    /// All but the checks.
    pub fn forwarded(&self) -> Vec<Received> {
        self.all().into_iter().filter(|received| received.path() != "/v1/auth").collect()
    }

    /// All of them, and forgets them.
    pub fn take(&self) -> Vec<Received> {
        let mut taken = Vec::new();
        self.0.send_modify(|state| taken = std::mem::take(&mut state.list));
        taken
    }

    /// Awaits that there are at least `count`, and returns all.
    ///
    /// # Errors
    /// It does not come to that; the error lists what there is.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Received>> {
        self.wait_until(format!("{count} requests"), |list| list.len() >= count).await
    }

    /// Awaits that the requests received are as `enough` wants them, and returns all.
    ///
    /// # Errors
    /// It does not come to that; the error names `what` and lists what there is.
    pub async fn wait_until(
        &self,
        what: impl fmt::Display,
        enough: impl Fn(&[Received]) -> bool,
    ) -> Result<Vec<Received>> {
        let mut state = self.0.subscribe();
        let found = tokio::time::timeout(DEADLINE, state.wait_for(|state| enough(&state.list))).await;
        match found {
            Ok(Ok(state)) => Ok(state.list.clone()),
            _ => Err(Error::new(format!("waited for {what}; received {self:#?}"))),
        }
    }

    pub(super) fn begin(
        &self,
        connection: usize,
        method: &str,
        target: &[u8],
        headers: Headers,
    ) -> Recording {
        let mut id = 0;
        self.0.send_modify(|state| {
            id = state.next;
            state.next += 1;
            state.list.push(Received {
                id,
                connection,
                method: method.to_owned(),
                target: target.to_vec(),
                headers,
                body_len: 0,
                body: Bytes::new(),
                body_sha256: String::new(),
                body_complete: false,
                outcome: Outcome::Open,
            });
        });
        Recording {
            records: self.clone(),
            id,
            hash: Sha256::new(),
            body: BytesMut::new(),
            len: 0,
            outcome: Outcome::Gone,
        }
    }

    fn update(&self, id: usize, change: impl FnOnce(&mut Received)) {
        self.0.send_modify(|state| {
            // It may have been taken meanwhile.
            if let Some(received) = state.list.iter_mut().find(|received| received.id == id) {
                change(received);
            }
        });
    }
}

/// A request while it is served. Dropped before it ended: the other end went away.
pub(super) struct Recording {
    records: Records,
    id: usize,
    hash: Sha256,
    body: BytesMut,
    len: usize,
    outcome: Outcome,
}

impl Recording {
    pub(super) fn body_chunk(&mut self, chunk: &[u8]) {
        self.hash.update(chunk);
        self.len += chunk.len();
        if self.len <= KEPT_BODY {
            self.body.extend_from_slice(chunk);
        } else {
            self.body.clear();
        }
        let len = self.len;
        self.records.update(self.id, |received| received.body_len = len);
    }

    pub(super) fn body_end(&mut self) -> Bytes {
        let body = self.body.split().freeze();
        let hash = std::mem::take(&mut self.hash).finalize();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.records.update(self.id, |received| {
            received.body = body.clone();
            received.body_sha256 = hash;
            received.body_complete = true;
        });
        body
    }

    pub(super) fn ends(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let outcome = self.outcome;
        self.records.update(self.id, |received| received.outcome = outcome);
    }
}
