//! What is let in, as a list: for people who want to see it, not for the gate, which looks requests up one by one.

use std::rc::Rc;

use super::{Access, Protocol, Routes, Template};
use crate::request::Methods;

/// Requests that are let in: all paths of one template with some methods.
#[derive(Clone, Debug)]
pub struct LetIn {
    /// Who is asked.
    pub access: Access,
    /// Which methods. HEAD is among them where it counts as GET.
    pub methods: Methods,
    /// Ordinary requests or WebSocket handshakes.
    pub protocol: Protocol,
    /// Which paths, as clients send them.
    pub template: Template,
    /// Prefixes below which other entries say what is let in: another policy holds there.
    pub except: Vec<Rc<str>>,
    /// Where they are sent; `None`: the gateway answers them itself.
    pub sent: Option<Sent>,
    /// A route of the configuration's own, a document or the WebSocket of the profile, or an operation that its
    /// service describes. Otherwise a route that dispatches whatever comes: the service decides.
    pub described: bool,
    /// It is marked as internal.
    pub is_internal: bool,
    /// It is refused with 403 after all, because it is internal and `internal` is `deny`. It is listed because a wider
    /// entry would let it in otherwise.
    pub is_denied: bool,
}

/// Where requests are sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The upstream.
    pub upstream: Rc<str>,
    /// The paths as it sees them.
    pub template: Template,
}

impl Routes {
    /// Everything that is let in, in the order of the routes. `is_denied` is the configuration's to say.
    pub(crate) fn let_in(&self) -> Vec<LetIn> {
        Vec::new()
    }
}
