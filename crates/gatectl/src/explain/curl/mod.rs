//! The request that a curl line would send. Nothing is sent, and no file is read.

mod encoding;
mod options;
#[cfg(test)]
mod tests;
mod url;
mod words;
mod written;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::head::{Body, Head, HeaderLine, Origin};
use encoding::{encoded, urlencoded};
use options::{Argument, Means};
use written::Written;

/// Above this length curl asks before it sends a body.
const ASKS_ABOVE: usize = 1024 * 1024;

/// What is noted of a body that would have to be read, or made, to know its length.
pub(super) const LENGTH_UNKNOWN: &str =
    "the body's length is not known, as no file is read and no form is made: --body says it";

/// The request of a whole line, if its first word is `curl`; a prompt may stand before it.
///
/// # Errors
///
/// Why it cannot be read, without its values.
pub(super) fn read_line(line: &[u8]) -> Result<Option<(Head, Vec<String>)>, String> {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"$ ").unwrap_or(line).trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let first = line.get(..end).unwrap_or_default();
    // Wherever it is installed; but a path without a word behind it may be a request's.
    let is_path = end == line.len() || first.windows(3).any(|part| part == b"://");
    let is_curl = [&b"curl"[..], b"curl.exe"].iter().any(|curl| {
        first.strip_suffix(*curl).is_some_and(|before| {
            before.is_empty()
                || before.ends_with(b"/bin/")
                || (!is_path && (before.ends_with(b"/") || before.ends_with(b"\\")))
        })
    });
    if !is_curl {
        return Ok(None);
    }
    let words = words::split(line).map_err(|why| format!("the curl line cannot be read: {why}"))?;
    let (head, mut notes) = read(words.words.into_iter().skip(1))?;
    if words.has_variables {
        notes.push("the line has variables of the shell in it, which stand for themselves here".to_owned());
    }
    if words.is_cut {
        notes.push("what the shell does with the line (|, >, &, ;) is left away".to_owned());
    }
    Ok(Some((head, notes)))
}

/// The request of the words behind `curl`, and what the reader should know of it.
///
/// # Errors
///
/// Why there is none, without values.
pub(super) fn read(words: impl IntoIterator<Item = Vec<u8>>) -> Result<(Head, Vec<String>), String> {
    let mut curl = Curl::default();
    for argument in options::read(words)? {
        match argument {
            Argument::Other(url) => curl.urls.push(url),
            Argument::Option { means, name, value } => curl.add(means, &name, value)?,
        }
    }
    curl.request()
}

/// What the options say.
#[derive(Default)]
struct Curl {
    urls: Vec<Vec<u8>>,
    method: Option<Vec<u8>>,
    headers: Vec<Vec<u8>>,
    /// What -d and its kin send; nothing where there are none of them.
    data: Option<Vec<u8>>,
    /// A part of it is in a file.
    is_in_file: bool,
    json: bool,
    form: bool,
    upload: Option<Vec<u8>>,
    head: bool,
    get: bool,
    /// What curl makes headers of by itself, with the option.
    own: Vec<(&'static str, Vec<u8>, &'static str)>,
    user: Option<Vec<u8>>,
    cookies: Vec<Vec<u8>>,
    negotiates: bool,
    user_agent: Option<Vec<u8>>,
    url_query: Vec<Vec<u8>>,
    path_as_is: bool,
    globoff: bool,
    request_target: Option<Vec<u8>>,
    notes: Vec<String>,
}

impl Curl {
    fn add(&mut self, means: Means, name: &str, value: Vec<u8>) -> Result<(), String> {
        match means {
            Means::Nothing => {}
            Means::Request => self.method = Some(value),
            Means::Header => self.headers.push(value),
            Means::Data if value.starts_with(b"@") => self.add_file(),
            Means::Data | Means::DataRaw => self.add_data(&value, b"&"),
            Means::DataBinary if value.starts_with(b"@") => self.add_file(),
            Means::DataBinary => self.add_data(&value, b"&"),
            Means::DataUrlencode => match urlencoded(&value) {
                Some(data) => self.add_data(&data, b"&"),
                None => self.add_file(),
            },
            Means::Json => {
                self.json = true;
                if value.starts_with(b"@") { self.add_file() } else { self.add_data(&value, b"") }
            }
            Means::Form => self.form = true,
            Means::Upload => self.upload = Some(value),
            Means::Head => self.head = true,
            Means::Get => self.get = true,
            Means::User => self.user = Some(value),
            Means::UserAgent => self.user_agent = Some(value),
            Means::Cookie if value.contains(&b'=') => self.cookies.push(value),
            Means::Cookie => {
                self.notes.push("the file of -b is not read: its cookies are left away".to_owned())
            }
            Means::Referer => {
                let referer = value.strip_suffix(b";auto").unwrap_or(&value);
                self.own.push(("referer", referer.to_vec(), "-e"));
            }
            Means::Bearer => {
                self.own.push(("authorization", [b"Bearer ", value.as_slice()].concat(), "--oauth2-bearer"));
            }
            Means::Range => self.own.push(("range", [b"bytes=", value.as_slice()].concat(), "-r")),
            Means::Compressed => {
                self.own.push(("accept-encoding", b"deflate, gzip".to_vec(), "--compressed"))
            }
            Means::Url => self.urls.push(value),
            Means::UrlQuery => match urlencoded(&value) {
                Some(query) => self.url_query.push(query),
                None => self.notes.push("the file of --url-query is not read: it is left away".to_owned()),
            },
            Means::PathAsIs => self.path_as_is = true,
            Means::Globoff => self.globoff = true,
            Means::RequestTarget => self.request_target = Some(value),
            Means::Negotiates => self.negotiates = true,
            Means::Http10 => self.notes.push("HTTP/1.0 is refused by Envoy itself, with 426".to_owned()),
            Means::Proxy => self.notes.push("what the proxy changes is not known here".to_owned()),
            Means::Not(why) => return Err(format!("curl's command line: {name}: {why}")),
        }
        Ok(())
    }

    fn add_data(&mut self, piece: &[u8], between: &[u8]) {
        match &mut self.data {
            Some(data) => {
                data.extend_from_slice(between);
                data.extend_from_slice(piece);
            }
            None => self.data = Some(piece.to_vec()),
        }
    }

    fn add_file(&mut self) {
        self.is_in_file = true;
        self.add_data(b"", b"&");
    }

    fn request(mut self) -> Result<(Head, Vec<String>), String> {
        let url = match self.urls.as_slice() {
            [] => return Err("curl's command line has no URL".to_owned()),
            [url] => url::read(url, self.path_as_is, !self.globoff),
            _ => {
                return Err("curl's command line has more than one URL: ask about each on its own".to_owned());
            }
        };
        let mut url = url.map_err(|why| format!("curl's command line: {why}"))?;
        if url.lost_dots {
            self.notes.push(
                "curl takes . and .. segments out of the path before it sends it; --path-as-is keeps them"
                    .to_owned(),
            );
        }
        self.add_query(&mut url);
        let has_data = self.data.is_some() && !self.get;
        let ways = [has_data, self.form, self.upload.is_some(), self.head];
        if ways.iter().filter(|way| **way).count() > 1 {
            return Err("curl's command line: only one of -d, -F, -T and -I can be".to_owned());
        }
        let by_itself: &[u8] = match ways {
            [_, _, true, _] => b"PUT",
            [true, ..] | [_, true, ..] => b"POST",
            [_, _, _, true] => b"HEAD",
            _ => b"GET",
        };
        let method = self.method.clone().unwrap_or_else(|| by_itself.to_vec());
        let target = self.request_target.clone().unwrap_or_else(|| [&url.path[..], &url.query].concat());
        let mut head = Head { method, target: Some(target), ..Head::default() };
        let written = written::read(core::mem::take(&mut self.headers), &mut self.notes)?;
        self.add_own(&mut head, &url, &written);
        self.add_body(&mut head, &written, has_data);
        let mut hosts = Vec::new();
        for line in written {
            match line {
                Written::Sent(line) if line.name == "host" => hosts.push((line.value, line.origin)),
                Written::Sent(line) => head.lines.push(line),
                Written::Away(_) => {}
            }
        }
        // Of several curl sends the first.
        head.host = hosts.into_iter().next().or(head.host);
        Ok((head, self.notes))
    }

    /// What goes into the URL, and with -T what goes to its end.
    fn add_query(&mut self, url: &mut url::Url) {
        let mut pieces = core::mem::take(&mut self.url_query);
        if self.get {
            pieces.extend(self.data.clone());
        }
        for piece in pieces {
            url.query.push(if url.query.is_empty() { b'?' } else { b'&' });
            url.query.extend(piece);
        }
        if self.get && self.is_in_file {
            self.notes
                .push("a part of the query is in a file, which is not read: it is left away".to_owned());
        }
        let file = self.upload.as_ref().filter(|file| !matches!(file.as_slice(), b"-" | b"."));
        if let Some(file) = file.filter(|_| url.path.ends_with(b"/")) {
            let name = file.rsplit(|byte| *byte == b'/').next().unwrap_or(file);
            url.path.extend(name.iter().flat_map(|byte| encoded(*byte, "%20")));
        }
    }

    /// The lines that curl writes by itself, in its order, but for those that are written or unwanted.
    fn add_own(&mut self, head: &mut Head, url: &url::Url, written: &[Written]) {
        let is_written = |name: &str| written.iter().any(|line| line.name() == name);
        let mut add = |name: &str, value: Vec<u8>, origin| {
            if !is_written(name) {
                head.lines.push(HeaderLine { name: name.to_owned(), value, origin: Origin::Named(origin) });
            }
        };
        let user = self.user.take().map(|user| (user, "-u")).or_else(|| Some((url.user.clone()?, "URL")));
        let has_bearer = self.own.iter().any(|(name, ..)| *name == "authorization");
        if self.negotiates && user.is_some() {
            self.notes.push(
                "the first request has no Authorization: curl waits for what the server asks for".to_owned(),
            );
        } else if let Some((mut user, origin)) = user.filter(|_| !has_bearer) {
            if !user.contains(&b':') {
                user.push(b':');
            }
            add("authorization", format!("Basic {}", STANDARD.encode(user)).into_bytes(), origin);
        }
        match self.user_agent.take() {
            Some(agent) if agent.is_empty() => {}
            Some(agent) => add("user-agent", agent, "-A"),
            None => add("user-agent", b"curl".to_vec(), "curl"),
        }
        let any: &[u8] = if self.json { b"application/json" } else { b"*/*" };
        add("accept", any.to_vec(), if self.json { "--json" } else { "curl" });
        for (name, value, origin) in core::mem::take(&mut self.own) {
            add(name, value, origin);
        }
        if !self.cookies.is_empty() {
            add("cookie", self.cookies.join(&b";"[..]), "-b");
        }
        let is_away = |line: &Written| matches!(line, Written::Away(name) if name == "host");
        head.host = (!written.iter().any(is_away)).then(|| (url.host.clone(), Origin::Named("URL")));
    }

    fn add_body(&mut self, head: &mut Head, written: &[Written], has_data: bool) {
        let is_written = |name: &str| written.iter().any(|line| line.name() == name);
        let mut add = |name: &str, value: Vec<u8>, origin| {
            if !is_written(name) {
                head.lines.push(HeaderLine { name: name.to_owned(), value, origin: Origin::Named(origin) });
            }
        };
        let is_chunked = is_written("transfer-encoding");
        if let Some(data) = self.data.as_ref().filter(|_| has_data) {
            let (kind, origin): (&[u8], _) = if self.json {
                (b"application/json", "--json")
            } else {
                (b"application/x-www-form-urlencoded", "-d")
            };
            if self.is_in_file {
                self.notes.push(LENGTH_UNKNOWN.to_owned());
                head_body(&mut head.body, None);
            } else {
                head_body(&mut head.body, Some(data.len()));
            }
            add("content-type", kind.to_vec(), origin);
            if !self.is_in_file && !is_chunked {
                add("content-length", data.len().to_string().into_bytes(), origin);
                if data.len() > ASKS_ABOVE {
                    add("expect", b"100-continue".to_vec(), "curl");
                }
            }
        } else if self.form {
            self.notes.push(LENGTH_UNKNOWN.to_owned());
            head_body(&mut head.body, None);
            add("content-type", b"multipart/form-data".to_vec(), "-F");
        } else if let Some(file) = &self.upload {
            self.notes.push(LENGTH_UNKNOWN.to_owned());
            head_body(&mut head.body, None);
            add("expect", b"100-continue".to_vec(), "curl");
            if file == b"-" || file == b"." {
                add("transfer-encoding", b"chunked".to_vec(), "-T");
            }
        } else if is_written("content-length") {
            head_body(&mut head.body, None);
        }
    }
}

fn head_body(body: &mut Body, length: Option<usize>) {
    *body = match length {
        Some(0) => Body::None,
        Some(length) => Body::Bytes(u64::try_from(length).unwrap_or(u64::MAX)),
        None => Body::Unknown,
    };
}
