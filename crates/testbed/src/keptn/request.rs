//! A request as the stand-ins' handlers see it.

use crate::client::{Headers, values};
use bytes::Bytes;
use percent_encoding::percent_decode_str;

/// A whole request.
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query as received.
    pub(super) target: String,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Request {
    /// The path as received, without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The path's segments as go-openapi matches them: split while escaped, after Go's `path.Clean`, then unescaped
    /// one by one. So `%2F` is a part of a name, and a trailing slash is nothing.
    pub(super) fn segments(&self) -> Vec<String> {
        let mut segments: Vec<&str> = Vec::new();
        for segment in self.path().split('/') {
            match segment {
                "" | "." => {}
                ".." => {
                    segments.pop();
                }
                name => segments.push(name),
            }
        }
        segments.into_iter().map(unescape).collect()
    }

    /// The value of a query parameter.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pair = query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .find(|(n, _)| *n == name)?;
        Some(unescape(&pair.1.replace('+', " ")))
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        values(&self.headers, name).next().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

fn unescape(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
