//! What is judged in a text that stands in another document, such as the JSON in a bootstrap in a ConfigMap.

use core::ops::Range;

use super::node::Node;
use super::origins::Origins;
use super::{Judged, configuration, json, secrets};
use crate::source::{Note, Source};

/// Judges what stands in the text of `node` as a source of its own, called `name`, and says where in `source` it is.
/// What `judge` returns besides is not to be shown.
pub(super) fn within(
    node: &Node,
    source: &Source,
    name: &str,
    judge: impl FnOnce(&Source) -> (Vec<Judged>, Vec<Range<usize>>),
) -> Vec<Judged> {
    let text = node.as_str().unwrap_or_default();
    let mut inner = Source::new(name.to_owned(), text.to_owned());
    let (judged, mut hidden) = judge(&inner);
    if judged.is_empty() {
        return judged;
    }
    hidden.extend(judged.iter().flat_map(|judged| judged.secrets.iter().cloned()));
    hidden.extend(secrets::opaque(text));
    secrets::with_comments(text, &mut hidden);
    inner.hide(&hidden);
    let origins = Origins::of(node, source.text());
    let origin = |span: &Range<usize>| origins.as_ref().and_then(|origins| origins.map(span));
    let outer = |note: Note| match origin(&note.span) {
        Some(span) => Note { span, ..note },
        // Its own line, at least.
        None => {
            let (line, within) = inner.in_line(&note.span);
            let quote = note.quote.or_else(|| Some((line.to_owned(), within)));
            Note { span: node.span.clone(), quote, ..note }
        }
    };
    let all = |notes: Vec<Note>| notes.into_iter().map(&outer).collect();
    // What is hidden besides the configurations' own is hidden with the first of them.
    let mut hidden: Vec<_> = hidden.iter().map(|span| origin(span).unwrap_or(node.span.clone())).collect();
    judged
        .into_iter()
        .map(|judged| Judged {
            notes: all(judged.notes),
            warnings: all(judged.warnings),
            around: all(judged.around),
            marks: all(judged.marks),
            secrets: core::mem::take(&mut hidden),
            ..judged
        })
        .collect()
}

/// Judges the JSON that Envoy hands over as it is, as the filter does.
pub(super) fn handed_over(node: &Node, source: &Source) -> Judged {
    if node.as_str().is_some_and(|text| text.trim_ascii().is_empty()) {
        return Judged::defaults();
    }
    let judge = |inner: &Source| match json::read(inner) {
        Ok(top) => (vec![configuration::judge(&top, inner)], secrets::of(&top, inner.text())),
        Err(note) => {
            let help = Some("Envoy hands this text over as it is: write a JSON object".to_owned());
            (vec![Judged::wrong(Note { help, ..note })], secrets::unread(inner.text()))
        }
    };
    within(node, source, source.name(), judge).pop().unwrap_or_default()
}
