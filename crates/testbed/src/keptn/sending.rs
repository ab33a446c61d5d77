//! The body of an answer, which may stop on the way.

use super::{orders::Gate, server::Busy};
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

/// An answer's body.
pub(super) struct Sending {
    body: Bytes,
    /// Bytes to send; beyond `body` they are filling.
    left: usize,
    /// With so many bytes left, wait here.
    gate: Option<(usize, Waiting)>,
    busy: Option<Busy>,
}

/// A gate, and later the passage through it.
enum Waiting {
    Gate(Gate),
    Passing(Pin<Box<dyn Future<Output = ()> + Send>>),
}

static FILLING: [u8; 64 << 10] = [b'x'; 64 << 10];

impl Sending {
    /// The connection is busy until all is sent.
    pub(super) fn keeps(mut self, busy: Busy) -> Self {
        self.busy = Some(busy);
        self
    }

    /// The second half waits at the gate.
    pub(super) fn halts_at(mut self, gate: Gate) -> Self {
        self.gate = Some((self.left / 2, Waiting::Gate(gate)));
        self
    }

    pub(super) fn whole(body: Bytes) -> Self {
        Self { left: body.len(), body, gate: None, busy: None }
    }

    pub(super) fn huge(left: usize) -> Self {
        Self { body: Bytes::new(), left, gate: None, busy: None }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut most = self.left;
        if let Some((at, waiting)) = &mut self.gate {
            if most > *at {
                most -= *at;
            } else {
                if let Waiting::Gate(gate) = waiting {
                    let gate = gate.clone();
                    *waiting = Waiting::Passing(Box::pin(async move { gate.pass().await }));
                }
                if let Waiting::Passing(passing) = waiting {
                    ready!(passing.as_mut().poll(cx));
                }
                self.gate = None;
            }
        }
        if most == 0 {
            return Poll::Ready(None);
        }
        let chunk = if self.body.is_empty() {
            Bytes::from_static(&FILLING[..most.min(FILLING.len())])
        } else {
            let most = most.min(self.body.len());
            self.body.split_to(most)
        };
        self.left -= chunk.len();
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left as u64)
    }
}
