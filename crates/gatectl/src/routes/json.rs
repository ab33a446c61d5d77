//! The list for programs.

use serde_json::{Value, json};

use super::row::{Row, word};
use crate::json::printed;

/// `hosts` is empty where all hosts are meant.
pub(super) fn written(rows: &[&Row], hosts: &[&str]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| value(row)).collect();
    printed(&json!({ "hosts": hosts, "routes": rows }))
}

fn value(row: &Row) -> Value {
    json!({
        "access": word(row.access),
        "methods": row.methods(),
        "path": row.path,
        "upstream": row.upstream,
        "sent": row.sent,
        "protocol": if row.is_websocket { "websocket" } else { "http" },
        "internal": row.is_internal,
        "refused": row.is_denied,
        "policy": if row.is_described { "described" } else { "open" },
        "except": row.except,
    })
}
