//! curl's options, as far as people write them and browsers copy them.

/// What an option means for the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Nothing.
    Nothing,
    Request,
    Header,
    Data,
    DataRaw,
    DataBinary,
    DataUrlencode,
    Json,
    Form,
    Upload,
    Head,
    Get,
    User,
    UserAgent,
    Cookie,
    Referer,
    Bearer,
    Range,
    Compressed,
    Url,
    UrlQuery,
    PathAsIs,
    Globoff,
    RequestTarget,
    /// The first request has no `Authorization`: the server is to say first what it wants.
    Negotiates,
    Http10,
    Proxy,
    /// It cannot be explained, and why.
    Not(&'static str),
}

struct Known {
    short: u8,
    long: &'static str,
    takes_value: bool,
    means: Means,
}

const fn flag(short: u8, long: &'static str, means: Means) -> Known {
    Known { short, long, takes_value: false, means }
}

const fn value(short: u8, long: &'static str, means: Means) -> Known {
    Known { short, long, takes_value: true, means }
}

const KNOWN: &[Known] = &[
    value(b'X', "request", Means::Request),
    value(b'H', "header", Means::Header),
    value(b'd', "data", Means::Data),
    value(0, "data-ascii", Means::Data),
    value(0, "data-raw", Means::DataRaw),
    value(0, "data-binary", Means::DataBinary),
    value(0, "data-urlencode", Means::DataUrlencode),
    value(0, "json", Means::Json),
    value(b'F', "form", Means::Form),
    value(0, "form-string", Means::Form),
    value(b'T', "upload-file", Means::Upload),
    flag(b'I', "head", Means::Head),
    flag(b'G', "get", Means::Get),
    value(b'u', "user", Means::User),
    value(b'A', "user-agent", Means::UserAgent),
    value(b'b', "cookie", Means::Cookie),
    value(b'e', "referer", Means::Referer),
    value(0, "oauth2-bearer", Means::Bearer),
    value(b'r', "range", Means::Range),
    flag(0, "compressed", Means::Compressed),
    value(0, "url", Means::Url),
    value(0, "url-query", Means::UrlQuery),
    flag(0, "path-as-is", Means::PathAsIs),
    flag(b'g', "globoff", Means::Globoff),
    value(0, "request-target", Means::RequestTarget),
    flag(0, "digest", Means::Negotiates),
    flag(0, "ntlm", Means::Negotiates),
    flag(0, "negotiate", Means::Negotiates),
    flag(0, "anyauth", Means::Negotiates),
    flag(b'0', "http1.0", Means::Http10),
    value(b'x', "proxy", Means::Proxy),
    value(b'K', "config", Means::Not("its file is not read: write the options out")),
    flag(b':', "next", Means::Not("it begins another request: ask about each on its own")),
    value(b'C', "continue-at", Means::Not("what it asks for depends on a file: write -H 'range: …'")),
    value(
        b'z',
        "time-cond",
        Means::Not("what it asks for may depend on a file: write -H 'if-modified-since: …'"),
    ),
];

/// Options that change nothing in the request's head: `k insecure`, or without a short form `- raw`.
const IGNORED_FLAGS: &str = "k insecure,s silent,S show-error,i include,i show-headers,v verbose,L location,\
    - location-trusted,f fail,- fail-with-body,- fail-early,N no-buffer,# progress-bar,4 ipv4,6 ipv6,1 tlsv1,2 sslv2,\
    3 sslv3,q disable,O remote-name,J remote-header-name,R remote-time,Z parallel,p proxytunnel,n netrc,l list-only,\
    a append,B use-ascii,j junk-session-cookies,M manual,- http1.1,- http2,- http2-prior-knowledge,- http3,- http3-only,\
    - http0.9,- tlsv1.0,- tlsv1.1,- tlsv1.2,- tlsv1.3,- basic,- buffer,- progress-meter,- keepalive,- sessionid,- alpn,\
    - npn,- tcp-nodelay,- tcp-fastopen,- raw,- ssl,- ssl-reqd,- ssl-no-revoke,- retry-connrefused,- retry-all-errors,\
    - styled-output,- trace-time,- trace-ids,- cert-status,- compressed-ssh,- create-dirs,- ignore-content-length,\
    - post301,- post302,- post303,- ca-native,- proxy-insecure,- xattr,- clobber,- skip-existing,- doh-insecure,\
    - false-start,- remote-name-all,- parallel-immediate,- suppress-connect-headers,- disallow-username-in-url";

const IGNORED_VALUES: &str = "o output,w write-out,m max-time,D dump-header,c cookie-jar,E cert,U proxy-user,y speed-time,\
    Y speed-limit,t telnet-option,P ftp-port,Q quote,- connect-timeout,- resolve,- connect-to,- cacert,- capath,- key,\
    - pass,- cert-type,- key-type,- ciphers,- tls13-ciphers,- tls-max,- curves,- pinnedpubkey,- crlfile,- interface,\
    - local-port,- retry,- retry-delay,- retry-max-time,- limit-rate,- rate,- max-redirs,- max-filesize,- noproxy,\
    - preproxy,- unix-socket,- abstract-unix-socket,- dns-servers,- dns-interface,- dns-ipv4-addr,- dns-ipv6-addr,\
    - doh-url,- trace,- trace-ascii,- trace-config,- stderr,- keepalive-time,- keepalive-cnt,- expect100-timeout,- proto,\
    - proto-default,- proto-redir,- alt-svc,- hsts,- happy-eyeballs-timeout-ms,- output-dir,- parallel-max,- engine,\
    - proxy-header,- socks5,- socks5-hostname,- socks4,- socks4a,- etag-save,- netrc-file,- ip-tos,- vlan-priority";

/// What stands on the command line.
pub(super) enum Argument {
    Option {
        means: Means,
        name: String,
        value: Vec<u8>,
    },
    /// A URL.
    Other(Vec<u8>),
}

/// Reads the words behind `curl`.
///
/// # Errors
///
/// What is wrong with them; of the words only names of options are repeated.
pub(super) fn read(words: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<Argument>, String> {
    let mut words = words.into_iter();
    let mut arguments = Vec::new();
    let mut only_urls = false;
    while let Some(word) = words.next() {
        match word.as_slice() {
            _ if only_urls => arguments.push(Argument::Other(word)),
            b"--" => only_urls = true,
            [b'-', b'-', long @ ..] => {
                let name = core::str::from_utf8(long).unwrap_or_default();
                let shown = shown(name);
                let (takes_value, means) = by_long(name).ok_or_else(|| unknown(&shown))?;
                let value =
                    if takes_value { words.next().ok_or_else(|| no_value(&shown))? } else { Vec::new() };
                arguments.push(Argument::Option { means, name: shown, value });
            }
            [b'-', letters @ ..] if !letters.is_empty() => {
                let mut rest = letters;
                while let Some((letter, after)) = rest.split_first() {
                    rest = after;
                    let name = format!("-{}", char::from(*letter));
                    let (takes_value, means) = by_short(*letter).ok_or_else(|| unknown(&name))?;
                    let mut value = Vec::new();
                    if takes_value {
                        value = if rest.is_empty() {
                            words.next().ok_or_else(|| no_value(&name))?
                        } else {
                            rest.to_vec()
                        };
                        rest = b"";
                    }
                    arguments.push(Argument::Option { means, name, value });
                }
            }
            _ => arguments.push(Argument::Other(word)),
        }
    }
    Ok(arguments)
}

/// An option's name, unless it may be something else: a token.
fn shown(name: &str) -> String {
    let is_name = name.len() <= 30
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'.');
    if is_name { format!("--{name}") } else { "an option (not shown)".to_owned() }
}

fn unknown(name: &str) -> String {
    format!("curl's command line: {name} is not known here; leave it away if it does not change the request")
}

fn no_value(name: &str) -> String {
    format!("curl's command line: there is nothing behind {name}")
}

fn by_long(name: &str) -> Option<(bool, Means)> {
    let known = KNOWN.iter().find(|known| known.long == name).map(|known| (known.takes_value, known.means));
    let listed = |list: &str, name: &str| list.split(',').any(|entry| entry.trim().get(2..) == Some(name));
    known
        .or_else(|| listed(IGNORED_FLAGS, name).then_some((false, Means::Nothing)))
        .or_else(|| listed(IGNORED_VALUES, name).then_some((true, Means::Nothing)))
        // What is off without it as well.
        .or_else(|| {
            name.strip_prefix("no-")
                .filter(|name| listed(IGNORED_FLAGS, name))
                .map(|_| (false, Means::Nothing))
        })
}

fn by_short(letter: u8) -> Option<(bool, Means)> {
    let known = KNOWN.iter().find(|known| known.short == letter && letter != 0);
    let listed = |list: &str| list.split(',').any(|entry| entry.trim().as_bytes().first() == Some(&letter));
    known
        .map(|known| (known.takes_value, known.means))
        .or_else(|| (letter != b'-' && listed(IGNORED_FLAGS)).then_some((false, Means::Nothing)))
        .or_else(|| (letter != b'-' && listed(IGNORED_VALUES)).then_some((true, Means::Nothing)))
}
