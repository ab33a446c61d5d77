//! What is derived from a curl line is what curl sends: each line of a table is given to the curl of this machine.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use super::super::head::{Head, Origin};
use super::{read, read_line};

/// Command lines, as words of a shell; every host in them is the test's own server.
const LINES: &[&str] = &[
    "http://api.keptn.example.org/v1/event",
    "api.keptn.example.org",
    "HTTP://Api.Keptn/swagger-ui/?x=1#fragment",
    "-si -X POST -H 'x-token: hush' -d '{}' http://api.keptn/v1/event",
    "-sXDELETE -Hx-token:hush http://api.keptn/v1/project/sockshop",
    "-ksSfL -o /dev/null -w '%{http_code}' -m 5 --connect-timeout 3 --max-redirs 2 http://api.keptn/",
    "-I http://api.keptn/swagger.json",
    "--head --request GET http://api.keptn/swagger.json",
    "-X PUT http://api.keptn/x",
    "http://api.keptn:8080/x",
    "http://api.keptn:80/x",
    "http://[::1]:8080/x",
    "http://127.0.0.1/x",
    "http://user:pa%20ss@api.keptn/x",
    "http://user@api.keptn/x",
    "-u user:pass http://api.keptn/x",
    "-u user:pass --digest http://api.keptn/x",
    "--oauth2-bearer hush http://api.keptn/x",
    "--basic --user user:pass -H 'Authorization: Bearer hush' http://api.keptn/x",
    // What curl does to a URL.
    "http://api.keptn/a/../b/./c?x=../y",
    "http://api.keptn/a/..",
    "http://api.keptn/a/.",
    "http://api.keptn/../../a//../b",
    "http://api.keptn/a/%2e%2E/b",
    "--path-as-is http://api.keptn/a/../b",
    "http://api.keptn//v1//event/",
    "http://api.keptn?x=//",
    "http://api.keptn/%70roject/a%2fb",
    "'http://api.keptn/a;b|c^d\"e'",
    "http://api.keptn/ä",
    "-g 'http://api.keptn/{a}[1]'",
    "--request-target '*' -X OPTIONS http://api.keptn/",
    "--url http://api.keptn/x",
    "--url-query 'a=b c' --url-query d 'http://api.keptn/x?y'",
    "-- http://api.keptn/x",
    // Headers.
    "-H 'Host: bridge.keptn' http://api.keptn/x",
    "-H 'Host: one.keptn' -H 'Host: two.keptn' http://api.keptn/x",
    "-H 'Host:' -H 'Accept:' -H 'User-Agent:' http://api.keptn/x",
    "-H 'X-Empty;' -H 'X-None:' -H 'x-a:    b  ' -H 'no header' -H ': x' http://api.keptn/x",
    "-H 'x-token: a' -H 'X-Token: b' http://api.keptn/x",
    "-A agent -e 'http://referer/;auto' -r 0-9 http://api.keptn/x",
    "-A '' http://api.keptn/x",
    "-b a=1 -b 'b=2; c=3' http://api.keptn/x",
    "-b a=1 -H 'Cookie: z=3' http://api.keptn/x",
    "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Token: a.b.c' http://api.keptn/",
    "--compressed -H 'Accept-Encoding: gzip' http://api.keptn/x",
    "--no-keepalive --http1.1 --tcp-nodelay -4 --noproxy '*' http://api.keptn/x",
    // Bodies.
    "-d a=1 -d b=2 http://api.keptn/x",
    "-d '' http://api.keptn/x",
    "--data-raw @a --data-binary 'b\nc' http://api.keptn/x",
    "--data-urlencode 'a=b c&d' --data-urlencode '=e/f' --data-urlencode 'ü' http://api.keptn/x",
    "--json '{\"a\":1}' --json '[]' http://api.keptn/x",
    "--json '{}' -H 'Content-Type: application/cloudevents+json' http://api.keptn/x",
    "-H 'Content-Type: application/json' -d '{}' http://api.keptn/x",
    "-H 'Content-Type:' -d x http://api.keptn/x",
    "-H 'Content-Length: 3' -d abc http://api.keptn/x",
    "-H 'Transfer-Encoding: chunked' -d abc http://api.keptn/x",
    "-G -d a=1 --data-urlencode 'b=c d' 'http://api.keptn/x?y=1'",
    "-G -I -d a=1 http://api.keptn/x",
    "-X PATCH --data-raw $'it\\'s' http://api.keptn/x",
    "-T - http://api.keptn/x",
    "-T . -X POST http://api.keptn/x/",
];

/// What a browser copies.
const COPIED: &str = r#"curl 'http://api.keptn/swagger-ui/?urls.primaryName=api-service' \
  -X 'POST' \
  -H 'accept: application/json' \
  -H 'Accept-Language: de,en;q=0.9' \
  -H 'Cookie: a=b; c=d' \
  -H $'x-token: hush\u0021' \
  -H 'Content-Type: application/json' \
  --data-raw $'{"shkeptncontext": "it\'s"}' \
  --compressed \
  --insecure ;
"#;

/// A server that answers everybody, and what it has received.
fn serve(count: usize) -> (SocketAddr, thread::JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        (0..count)
            .map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                    head.push(byte[0]);
                }
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .unwrap();
                // Bodies are read, or the answer may be lost.
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
                head
            })
            .collect()
    };
    (address, thread::spawn(serve))
}

fn curl(server: SocketAddr, words: &[Vec<u8>]) {
    use std::os::unix::ffi::OsStringExt as _;
    let words = words.iter().map(|word| std::ffi::OsString::from_vec(word.clone()));
    let run = Command::new("curl")
        .args(["-q", "--connect-to", &format!("::{server}")])
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdin(Stdio::null())
        .output()
        .expect("curl is needed: apt-get install curl");
    assert!(run.status.success(), "{run:?}");
}

/// Method and target, and the lines by name: curl's own may stand in another order.
type Sent = (String, BTreeMap<String, Vec<String>>);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn sent_by_curl(head: &[u8]) -> Sent {
    let head = text(head);
    let mut lines = head.lines();
    let first = lines.next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let mut headers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    (first, headers)
}

fn derived(head: &Head) -> Sent {
    let first = format!("{} {}", text(&head.method), text(head.target.as_ref().unwrap()));
    let mut headers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    headers.extend(head.host.as_ref().map(|(host, _)| ("host".to_owned(), vec![text(host)])));
    for line in &head.lines {
        headers.entry(line.name.clone()).or_default().push(text(&line.value));
    }
    (first, headers)
}

/// What depends on curl's version, or on how it was built.
fn without_versions((first, mut headers): Sent) -> Sent {
    for (name, prefix) in [("user-agent", "curl"), ("accept-encoding", "deflate, gzip")] {
        for value in headers.get_mut(name).into_iter().flatten() {
            value.truncate(if value.starts_with(prefix) { prefix.len() } else { value.len() });
        }
    }
    (first, headers)
}

#[test]
fn what_is_derived_is_what_curl_sends() {
    let lines: Vec<_> = LINES.iter().map(|line| format!("curl {line}")).chain([COPIED.to_owned()]).collect();
    let (server, received) = serve(lines.len());
    for line in &lines {
        curl(server, &super::words::split(line.as_bytes()).unwrap().words[1..]);
    }
    for (line, head) in lines.iter().zip(received.join().unwrap()) {
        let (derived_head, _) = read_line(line.as_bytes()).unwrap().unwrap();
        let sent = without_versions(sent_by_curl(&head));
        assert_eq!(without_versions(derived(&derived_head)), sent, "{line}");
    }
}

fn words(line: &str) -> Vec<Vec<u8>> {
    super::words::split(line.as_bytes()).unwrap().words
}

#[test]
fn what_a_file_holds_is_not_known_and_said_so() {
    let (head, notes) = read(words("-H 'x-token: hush' -d @event.json http://api.keptn/v1/event")).unwrap();
    assert!(!head.ends() && head.first("content-length").is_none());
    assert_eq!(head.first("x-token").unwrap().origin, Origin::Header(1));
    assert_eq!(notes.len(), 1, "{notes:?}");
    let (head, notes) = read(words("-F a=@b http://api.keptn/")).unwrap();
    assert_eq!((head.method.as_slice(), notes.len()), (&b"POST"[..], 1));
    let (head, _) = read(words("-T 'some where/ä b' http://api.keptn/x/")).unwrap();
    assert_eq!(text(&head.target.unwrap()), "/x/%C3%A4%20b");
}

#[test]
fn what_cannot_be_explained_is_said_without_values() {
    for (line, expected) in [
        ("-H 'x-token: hush'", "has no URL"),
        ("http://a/ http://hush/", "more than one URL"),
        ("--hush-hush http://a/", "--hush-hush is not known here"),
        ("--x-token=hush http://a/", "an option (not shown) is not known here"),
        ("-8hush http://a/", "-8 is not known here"),
        ("http://a/ -H", "nothing behind -H"),
        ("-K hush http://a/", "-K: its file is not read"),
        ("http://a/ --next http://hush/", "--next: it begins another request"),
        ("-H @hush http://a/", "-H number 1: its file is not read"),
        ("-H 'x hush: hush' http://a/", "-H number 1: what stands before the colon is not a header's name"),
        ("'http://a/hush[1-3]'", "add -g"),
        ("'http://a/hu sh'", "a space"),
        ("ftp://hush/", "neither http:// nor https://"),
        ("http:///?hush", "has no host"),
        ("-I -d hush http://a/", "only one of"),
    ] {
        let Err(error) = read(words(line)) else { panic!("{line}") };
        let without_name = error.replace("--hush-hush", "");
        assert!(error.contains(expected) && !without_name.contains("hush"), "{line}: {error}");
    }
    assert!(read_line(b"curl 'http://hush").is_err_and(|error| !error.contains("hush")));
    assert!(read_line(b"/curl/x").unwrap().is_none() && read_line(b"/v1/event").unwrap().is_none());
    assert!(read_line(b"/v1/curl").unwrap().is_none() && read_line(b"http://a/curl x").unwrap().is_none());
    for curl in ["$ /usr/bin/curl", "/opt/curl", "./curl", "C:\\curl\\curl.exe", "~/x/curl.exe"] {
        assert!(read_line(format!("{curl} http://a/").as_bytes()).unwrap().is_some(), "{curl}");
    }
}
