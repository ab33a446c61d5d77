//! From a case to what Envoy makes of it, for the engines without one.

use super::{Case, Http, Lines, values};

/// The header pairs as Envoy hands them to a filter. Each line here is something that `corpus_envoy.rs` shows to be
/// so, or its cases would part.
pub(crate) fn as_envoy_hands_over(case: &Case) -> Lines {
    let (mut method, mut path) = (case.method(), Some(case.target()));
    let mut lines = case.lines();
    // Two Host lines are joined, and two Origin lines.
    let [mut authority, origin] = ["host", "origin"].map(|name| {
        let values = values(&lines, name);
        lines.retain(|(line, _)| !line.eq_ignore_ascii_case(name));
        (!values.is_empty()).then(|| values.join(&b","[..]))
    });
    lines.extend(origin.map(|origin| ("origin".to_owned(), origin)));
    if case.http != Http::Two {
        for (_, value) in &mut lines {
            *value = value.trim_ascii().to_vec();
        }
        let target = String::from_utf8(case.target()).unwrap_or_default();
        if method == b"CONNECT" {
            authority = path.take();
        } else if let Some(rest) = target.strip_prefix("http://") {
            // The absolute form: its host is the one that counts.
            let (host, rest) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
            authority = Some(host.into());
            path = Some(rest.into());
        }
    }
    if let Some(protocol) = &case.protocol {
        method = b"GET".to_vec();
        lines.push(("upgrade".to_owned(), protocol.clone().into_bytes()));
    }
    if let Some(length) = case.body {
        lines.push(("content-length".to_owned(), length.to_string().into_bytes()));
    }
    if case.chunked.is_some() && case.http != Http::Two {
        lines.push(("transfer-encoding".to_owned(), b"chunked".to_vec()));
    }
    let pseudo = [(":method", Some(method)), (":authority", authority), (":path", path)];
    let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    pseudo.chain(lines).collect()
}
