//! Answers as go-openapi writes them.

use super::orders::Reply;
use hyper::upgrade::Upgraded;
use serde_json::{Value, json};
use std::{future::Future, pin::Pin};

pub(super) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a handler decides.
pub(super) enum Answer {
    Reply(Reply),
    /// The Go handler would panic: the connection is closed without an answer.
    Panic,
    /// The handshake's answer, and what to do with the stream.
    Upgrade(Reply, Box<dyn FnOnce(Upgraded) -> Task + Send>),
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self::Reply(reply)
    }
}

/// 200 and the like, with a JSON body as Go's encoder ends it: with a line feed.
pub(super) fn produced(status: u16, value: &Value) -> Reply {
    Reply::status(status).body("application/json", format!("{value}\n"))
}

/// A JSON error. Codes of 600 and more are validation failures: HTTP 422.
pub(super) fn error(code: u16, message: impl AsRef<str>) -> Reply {
    let body = json!({ "code": code, "message": message.as_ref() });
    Reply::status(if code >= 600 { 422 } else { code }).body("application/json", body.to_string())
}

pub(super) fn not_found(path: &str) -> Reply {
    error(404, format!("path {path} was not found"))
}

/// `None`: the method is allowed.
pub(super) fn method_not_allowed(method: &str, allowed: &[&str]) -> Option<Reply> {
    if allowed.contains(&method) {
        return None;
    }
    let allowed = allowed.join(",");
    let message = format!("method {method} is not allowed, but [{allowed}] are");
    Some(error(405, message).header("allow", allowed))
}

/// The JSON body of a request. `Ok(None)`: there is none.
pub(super) fn json_body(request: &super::request::Request, types: &[&str]) -> Result<Option<Value>, Reply> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let given = request.header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
    let media_type = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !types.contains(&media_type.as_str()) {
        let message = format!("unsupported media type {given:?}, only [{}] are allowed", types.join(" "));
        return Err(error(415, message));
    }
    let parsed = serde_json::from_slice(&request.body);
    parsed
        .map(Some)
        .map_err(|cause| error(400, format!("parsing body body from \"\" failed, because {cause}")))
}

/// `None`: the property is there.
pub(super) fn required(body: &Value, names: &[&str]) -> Option<Reply> {
    let missing = names.iter().find(|name| body.get(**name).is_none_or(Value::is_null))?;
    Some(error(602, format!("{missing} in body is required")))
}
