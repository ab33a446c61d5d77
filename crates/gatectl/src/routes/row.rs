//! What is let in, as it is shown.

use gate::config::Config;
use gate::request::{Method, Methods};
use gate::routes::{Access, LetIn, Protocol};

/// Paths and methods that are let in.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) access: Access,
    pub(super) methods: Methods,
    /// As clients send it.
    pub(super) path: String,
    /// Nothing: the gateway answers by itself.
    pub(super) upstream: Option<String>,
    /// As the upstream sees it.
    pub(super) sent: Option<String>,
    pub(super) is_websocket: bool,
    pub(super) is_internal: bool,
    /// It is refused after all.
    pub(super) is_denied: bool,
    /// Otherwise the upstream decides.
    pub(super) is_described: bool,
    /// Prefixes below which other rows say what is let in.
    pub(super) except: Vec<String>,
}

/// Everything that is let in, sorted by path.
pub(super) fn all(config: &Config) -> Vec<Row> {
    let mut rows: Vec<_> = config.let_in().into_iter().map(Row::of).collect();
    rows.sort_by(|a, b| {
        let key = |row: &Row| (row.is_websocket, word(row.access), row.is_internal);
        let methods = |row: &Row| row.methods.iter().map(place).collect::<Vec<_>>();
        a.path.split('/').cmp(b.path.split('/')).then(key(a).cmp(&key(b))).then(methods(a).cmp(&methods(b)))
    });
    rows
}

fn place(method: Method) -> Option<usize> {
    Method::ALL.iter().position(|known| *known == method)
}

/// The word for it in the gateway's configuration and documents.
pub(super) const fn word(access: Access) -> &'static str {
    match access {
        Access::Public => "public",
        Access::Token => "token",
        Access::Upstream => "upstream",
    }
}

/// That the list is for these hosts alone; nothing where it is for all of them.
pub(super) fn of_hosts(hosts: &[&str], shown: impl Fn(&str) -> String) -> Option<String> {
    let hosts: Vec<_> = hosts.iter().map(|host| shown(host)).collect();
    let all = if hosts.len() == 1 { "the host" } else { "the hosts" };
    (!hosts.is_empty())
        .then(|| format!("For {all} {}; requests for other hosts are left alone.", hosts.join(", ")))
}

impl Row {
    fn of(entry: LetIn) -> Self {
        Self {
            access: entry.access,
            methods: entry.methods,
            path: entry.template.to_string(),
            upstream: entry.sent.as_ref().map(|sent| sent.upstream.to_string()),
            sent: entry.sent.as_ref().map(|sent| sent.template.to_string()),
            is_websocket: entry.protocol == Protocol::WebSocket,
            is_internal: entry.is_internal,
            is_denied: entry.is_denied,
            // What the gateway answers by itself is for nobody else to decide.
            is_described: entry.described || entry.sent.is_none(),
            except: entry.except.iter().map(ToString::to_string).collect(),
        }
    }

    pub(super) fn methods(&self) -> Vec<&'static str> {
        self.methods.iter().map(Method::name).collect()
    }

    /// Its methods in a few words.
    pub(super) fn shown_methods(&self) -> String {
        if self.methods == Methods::ANY { "any".to_owned() } else { self.methods().join(" ") }
    }

    /// Who gets it.
    pub(super) fn shown_upstream(&self) -> &str {
        self.upstream.as_deref().unwrap_or("answered here")
    }

    /// The path that the upstream sees, where it is another one than the client's.
    pub(super) fn rewritten(&self) -> Option<&str> {
        self.sent.as_deref().filter(|sent| *sent != self.path)
    }

    /// What else there is to say.
    pub(super) fn marks(&self) -> Vec<Mark> {
        let marks = [
            (self.is_websocket, Mark::WebSocket),
            (self.is_internal && !self.is_denied, Mark::Internal),
            (self.is_denied, Mark::Refused),
            (!self.is_described, Mark::Open),
        ];
        marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark).collect()
    }

    /// Where other rows say what is let in.
    pub(super) fn shown_except(&self) -> Option<String> {
        (!self.except.is_empty()).then(|| format!("not below {}", self.except.join(", ")))
    }
}

/// What there may be to say about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    WebSocket,
    Internal,
    Refused,
    Open,
}

impl Mark {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Internal => "internal",
            Self::Refused => "internal: refused",
            Self::Open => "open",
        }
    }
}
