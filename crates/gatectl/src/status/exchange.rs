//! One request, and what is read of its answer.

use core::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::bounded::TooMuch;
use super::connection::{Stream, shown};
use super::trust::Wrong;
use crate::secret::Secret;

/// How much of a body is read. Keptn's messages are a line.
const BODY: usize = 64 * 1024;

/// How much of what it says is shown, in characters.
const SAID: usize = 200;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) host: &'a str,
    pub(super) token: Option<&'a Secret>,
}

/// What an answer says, as far as it matters. The token is not in it, whatever the other side sends.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body's kind, without its parameters.
    pub(super) kind: Option<String>,
    pub(super) server: Option<String>,
    pub(super) retry_after: Option<String>,
    /// Scheme, host and path at most.
    pub(super) location: Option<String>,
    /// It demands a token as keptn-gateway does.
    pub(super) is_ours: bool,
    /// `message` of a JSON body, as Keptn writes it.
    pub(super) message: Option<String>,
}

/// Sends one request.
///
/// # Errors
///
/// Why there is no answer.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    ask: &Ask<'_>,
    limit: Duration,
) -> Result<Answer, Wrong> {
    match timeout(limit, send(stream, ask)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err((
            format!("no answer within {}", shown(limit)),
            "look at the gateway's log; --timeout waits for longer".to_owned(),
        )),
    }
}

async fn send(stream: Box<dyn Stream>, ask: &Ask<'_>) -> Result<Answer, hyper::Error> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the sender; what goes wrong with it the sender tells.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = ask.method.clone();
    // It was read as one.
    *request.uri_mut() = ask.path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    let mut set = |name: HeaderName, value: &str, is_secret| {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(is_secret);
            headers.insert(name, value);
        }
    };
    set(HOST, ask.host, false);
    set(ACCEPT, "application/json", false);
    if ask.method == Method::POST {
        set(CONTENT_LENGTH, "0", false);
    }
    set(USER_AGENT, concat!("gatectl/", env!("CARGO_PKG_VERSION")), false);
    if let Some(token) = ask.token {
        set(HeaderName::from_static("x-token"), token.expose(), true);
    }
    Ok(read(sender.send_request(request).await?, ask.token).await)
}

async fn read(response: Response<Incoming>, token: Option<&Secret>) -> Answer {
    let (head, body) = response.into_parts();
    let hidden = |text: String| match token {
        Some(token) => token.hidden_in(&text),
        None => text,
    };
    let text = |name| head.headers.get(name).map(|value| short(&hidden(lossy(value))));
    // One that is too long, or breaks off, says nothing that matters.
    let body = Limited::new(body, BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let message = serde_json::from_slice::<Value>(&body).ok();
    let message = message.as_ref().and_then(|body| body.get("message")?.as_str());
    Answer {
        status: head.status.as_u16(),
        kind: text("content-type").map(|kind| kind.split(';').next().unwrap_or_default().trim().to_owned()),
        server: text("server"),
        retry_after: text("retry-after").filter(|after| after.bytes().all(|byte| byte.is_ascii_digit())),
        // What follows may be anything.
        location: text("location").map(|to| without_secrets(&to)),
        is_ours: demands_keptn(&head.headers),
        message: message.map(|message| short(&hidden(message.to_owned()))),
    }
}

fn demands_keptn(headers: &HeaderMap) -> bool {
    headers.get_all("www-authenticate").iter().any(|value| lossy(value).contains("realm=\"keptn\""))
}

fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn short(text: &str) -> String {
    match text.char_indices().nth(SAID) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn failed(error: &hyper::Error) -> Wrong {
    let (message, help) = if TooMuch::is_in(error) {
        ("what answers sends without end, and no answer", "look what is behind this port")
    } else if error.is_parse() {
        ("what answers is not HTTP/1.1", "give the gateway's own port, and https:// if it speaks TLS there")
    } else if error.is_incomplete_message() {
        ("the connection was closed before the answer was complete", "look at the gateway's log")
    } else {
        ("the connection broke", "look at the gateway's log")
    };
    (message.to_owned(), help.to_owned())
}

/// Where a redirect leads, without what may be a secret: the query, and a name and password.
fn without_secrets(to: &str) -> String {
    let to = to.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = to.split_once("//") else { return to.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}//{host}{path}")
}
