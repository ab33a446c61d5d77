//! `gatectl status` before real servers: what it says of them, and to whom the token goes.

mod server;

use std::io;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};

use crate::run::{Run, command};
use crate::terminal::{COLUMNS, Terminal};
use server::{Authority, Does, Identity, Server, params};

const TOKEN: &str = "pHB8Tm7xW0+kL/5vQ2sJdA==";
const NAMES: [&str; 2] = ["api.keptn.example.org", "*.keptn.example.org"];
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn answer(status: &str, headers: &str, body: &str) -> Does {
    let length = body.len();
    Does::Says(format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

/// As api-service and the gateway write it.
fn says(status: &str, headers: &str, message: &str) -> Does {
    let code = status.split(' ').next().unwrap();
    let body = format!("{{\"code\":{code},\"message\":\"{message}\"}}");
    answer(status, &format!("content-type: application/json\r\n{headers}"), &body)
}

fn refused() -> Does {
    says(
        "401 Unauthorized",
        "www-authenticate: ApiKey realm=\"keptn\"\r\n",
        "unauthenticated for invalid credentials",
    )
}

fn has_token(head: &str) -> bool {
    head.contains(&format!("x-token: {TOKEN}\r\n"))
}

/// keptn-gateway, and what it says to those who have the token.
fn gateway(to_token: impl Fn(&str) -> Does + Send + 'static) -> impl Fn(&str) -> Does + Send + 'static {
    move |head| if has_token(head) { to_token(head) } else { refused() }
}

fn good() -> impl Fn(&str) -> Does + Send + 'static {
    gateway(|_| answer("200 OK", "", ""))
}

/// `gatectl status` on a machine that trusts `authority` alone, and with the token in the variable.
fn status(authority: &Authority, args: &[&str]) -> Command {
    let mut command = command([&["status"], args].concat());
    command
        .env("SSL_CERT_FILE", authority.folder.path().join("root.pem"))
        .env_remove("SSL_CERT_DIR")
        .env("KEPTN_API_TOKEN", TOKEN)
        .current_dir(authority.folder.path());
    command
}

fn run(command: &mut Command) -> Run {
    let run = Run::from(command.output().unwrap());
    assert!(!run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN), "the token is shown: {run}");
    run
}

/// What is told of a server, reached over plain http.
fn of_http(authority: &Authority, does: impl Fn(&str) -> Does + Send + 'static, args: &[&str]) -> String {
    let server = Server::http(does);
    let endpoint = format!("http://{}", server.address);
    shown(authority, &server, &[&["--endpoint", &endpoint], args].concat())
}

/// What is told of one that is `https://api.keptn.example.org`.
fn of_https(authority: &Authority, identity: &Identity, args: &[&str]) -> String {
    let server = Server::https(identity, good());
    let address = server.address.to_string();
    shown(
        authority,
        &server,
        &[&["--endpoint", "https://api.keptn.example.org", "--connect-to", &address], args].concat(),
    )
}

/// The line, and what came of it, without what is another each time.
fn shown(authority: &Authority, server: &Server, args: &[&str]) -> String {
    let run = run(&mut status(authority, args));
    let text = format!("$ gatectl status {}\n{run}", args.join(" "));
    masked(&text.replace(&format!(":{}", server.address.port()), ":PORT"))
}

fn masked(text: &str) -> String {
    // What stands between two words, digits, becomes an ellipsis.
    fn without(text: &str, before: &str, after: &str) -> String {
        let mut parts = text.split(before);
        let mut out = parts.next().unwrap().to_owned();
        for part in parts {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            let is_it = rest.len() < part.len() && rest.starts_with(after);
            out += before;
            out += if is_it { "…" } else { "" };
            out += if is_it { rest } else { part };
        }
        out
    }
    let text = without(text, "(", " ms)");
    let text = without(&text, "\"milliseconds\": ", "");
    without(&text, "(", " days left")
}

/// What the golden files should hold.
pub(crate) fn golden() -> Vec<(String, String)> {
    let authority = Authority::new();
    let mut all = Vec::new();
    let mut add = |name: &str, text: String| all.push((format!("status-{name}"), text));
    let plain = |args: &[&str]| {
        let run = run(&mut status(&authority, args));
        format!("$ gatectl status {}\n{run}", args.join(" "))
    };
    add("help", plain(&["--help"]));

    // The gateway, and what it says to the token.
    add("good", of_http(&authority, good(), &[]));
    add("good-color", of_http(&authority, good(), &["--color", "always"]));
    add("good-json", of_http(&authority, good(), &["--json"]));
    let wrong = || says("401 Unauthorized", "", "incorrect api key auth");
    add("wrong-token", of_http(&authority, gateway(move |_| wrong()), &[]));
    add("wrong-token-color", of_http(&authority, gateway(move |_| wrong()), &["--color", "always"]));
    add("wrong-token-json", of_http(&authority, gateway(move |_| wrong()), &["--json"]));
    add(
        "local-token",
        of_http(
            &authority,
            gateway(move |head| if head.starts_with("POST") { wrong() } else { answer("200 OK", "", "{}") }),
            &[],
        ),
    );
    add(
        "forbidden",
        of_http(&authority, gateway(|_| says("403 Forbidden", "", "the token may not do this")), &[]),
    );
    add(
        "throttled",
        of_http(
            &authority,
            gateway(|_| {
                says("429 Too Many Requests", "retry-after: 7\r\n", "too many tokens from this address")
            }),
            &[],
        ),
    );
    add(
        "unavailable",
        of_http(
            &authority,
            gateway(|_| {
                says(
                    "503 Service Unavailable",
                    "retry-after: 1\r\n",
                    "the token cannot be checked at the moment",
                )
            }),
            &[],
        ),
    );
    add(
        "echo",
        of_http(
            &authority,
            gateway(|_| says("503 Service Unavailable", "", &format!("no such token: {TOKEN}"))),
            &[],
        ),
    );

    // A gateway that is open, or none.
    let open = |head: &str| {
        if head.starts_with("GET") || has_token(head) { answer("200 OK", "", "{}") } else { refused() }
    };
    add("open", of_http(&authority, open, &[]));
    add("open-altogether", of_http(&authority, |_| answer("200 OK", "", ""), &[]));
    let nginx = |head: &str| {
        if has_token(head) {
            answer("200 OK", "", "")
        } else {
            says("401 Unauthorized", "server: nginx/1.17.9\r\n", "unauthenticated for invalid credentials")
        }
    };
    add("nginx", of_http(&authority, nginx, &[]));
    let api_service = |head: &str| match head {
        _ if head.starts_with("GET") => {
            says("404 Not Found", "", "path /configuration-service/v1/project was not found")
        }
        _ if has_token(head) => answer("200 OK", "", ""),
        _ => says("401 Unauthorized", "", "unauthenticated for invalid credentials"),
    };
    add("api-service", of_http(&authority, api_service, &[]));
    let html = "content-type: text/html; charset=utf-8\r\n";
    add("login-page", of_http(&authority, move |_| answer("401 Unauthorized", html, "<html>"), &[]));
    add("no-api", of_http(&authority, move |_| answer("404 Not Found", html, "<html>"), &[]));
    add("no-upstream", of_http(&authority, move |_| answer("502 Bad Gateway", html, "<html>"), &[]));
    add(
        "redirect",
        of_http(
            &authority,
            |_| {
                answer("301 Moved Permanently", "location: https://api.keptn.example.org/v1/auth?x=1\r\n", "")
            },
            &[],
        ),
    );

    // What is no HTTP.
    add("garbage", of_http(&authority, |_| Does::Says(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()), &[]));
    add("half-a-head", of_http(&authority, |_| Does::Says(b"HTTP/1.1 401 Unauth".to_vec()), &[]));
    add("closes", of_http(&authority, |_| Does::Says(Vec::new()), &[]));
    add("silent", of_http(&authority, |_| Does::Nothing, &["--timeout", "300ms"]));

    // Paths.
    let server = Server::http(|_| says("404 Not Found", "", "path /api/v1/auth was not found"));
    add("path", shown(&authority, &server, &["--endpoint", &format!("http://{}/api/", server.address)]));

    // Certificates.
    let signed = authority.sign(&params(&NAMES));
    add("https", of_https(&authority, &signed, &[]));
    add("https-json", of_https(&authority, &signed, &["--json"]));
    let mut expired = params(&NAMES);
    expired.not_before = date_time_ymd(2001, 2, 3);
    expired.not_after = date_time_ymd(2002, 2, 3);
    add("expired", of_https(&authority, &authority.sign(&expired), &[]));
    let mut future = params(&NAMES);
    future.not_before = date_time_ymd(4000, 2, 3);
    add("future", of_https(&authority, &authority.sign(&future), &[]));
    add(
        "other-name",
        of_https(&authority, &authority.sign(&params(&["example.org", "10.0.0.1", "::1"])), &[]),
    );
    add("no-names", of_https(&authority, &authority.sign(&params(&[])), &[]));
    let mut client = params(&NAMES);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    add("client", of_https(&authority, &authority.sign(&client), &[]));
    let own = Identity::self_signed(&params(&NAMES));
    add("self-signed", of_https(&authority, &own, &[]));
    add("self-signed-json", of_https(&authority, &own, &["--json"]));
    add("insecure", of_https(&authority, &own, &["--insecure"]));
    own.write(&authority.folder.path().join("own.pem"));
    add("cacert", of_https(&authority, &own, &["--cacert", "own.pem"]));
    // As Keptn's installer makes them.
    let mut keptns = params(&[]);
    keptns.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let keptns = Identity::self_signed(&keptns);
    add("keptns", of_https(&authority, &keptns, &[]));
    keptns.write(&authority.folder.path().join("keptns.pem"));
    add("keptns-cacert", of_https(&authority, &keptns, &["--cacert", "keptns.pem"]));
    expired.subject_alt_names = params(&["example.org"]).subject_alt_names;
    add("everything", of_https(&authority, &Identity::self_signed(&expired), &[]));
    let stranger = Authority::named("Somebody's CA");
    add("unknown-ca", of_https(&authority, &stranger.sign(&params(&NAMES)), &[]));
    let impostor = Authority::new();
    add("impostor", of_https(&authority, &impostor.sign(&params(&NAMES)), &[]));
    add("no-chain", of_https(&authority, &authority.sign(&params(&NAMES)).without_chain(), &[]));

    // The wrong protocol.
    let server = Server::http(good());
    add("no-tls", shown(&authority, &server, &["--endpoint", &format!("https://{}", server.address)]));
    let server = Server::https(&signed, good());
    add("tls", shown(&authority, &server, &["--endpoint", &format!("http://{}", server.address)]));

    // What is said before anything is sent.
    add("user", plain(&["--endpoint", "https://user:hush@api.keptn.example.org"]));
    add("argument", plain(&["--endpoint", "https://api.keptn.example.org", "hush"]));
    add("api-token", plain(&["--endpoint", "https://api.keptn.example.org", "--api-token", "hush"]));
    add(
        "arguments",
        plain(&[
            "--endpoint",
            "ftp://a",
            "--connect-to",
            "a:b",
            "--host",
            "a/b",
            "--cacert",
            "no-such.pem",
            "hush",
        ]),
    );
    add("timeout", plain(&["--endpoint", "https://api.keptn.example.org", "--timeout", "5"]));
    add("no-endpoint", plain(&[]));
    let args = ["--endpoint", "https://api.keptn.example.org"];
    let run = Run::from(status(&authority, &args).env_remove("KEPTN_API_TOKEN").output().unwrap());
    add("no-token", format!("$ gatectl status {}\n{run}", args.join(" ")));
    let run = Run::from(status(&authority, &args).env("KEPTN_API_TOKEN", "").output().unwrap());
    add("empty-token", format!("$ KEPTN_API_TOKEN= gatectl status {}\n{run}", args.join(" ")));
    add("no-token-file", plain(&[&args[..], &["--token-file", "no-such.token"]].concat()));
    all
}

/// The heads of requests that had the token.
fn with_token(server: &Server) -> Vec<String> {
    server.heads().into_iter().filter(|head| head.contains("x-token")).collect()
}

#[test]
fn the_token_goes_to_nobody_who_is_not_trusted() {
    let authority = Authority::new();
    let own = Identity::self_signed(&params(&NAMES));
    let server = Server::https(&own, good());
    let address = server.address.to_string();
    let args = ["--endpoint", "https://api.keptn.example.org", "--connect-to", &address];
    let refused = run(&mut status(&authority, &args));
    assert!(refused.code == 1 && server.heads().is_empty(), "{refused}{:?}", server.heads());
    // It is the certificate alone that was in the way.
    let insecure = run(&mut status(&authority, &[&args[..], &["--insecure"]].concat()));
    assert!(insecure.code == 0 && with_token(&server).len() == 1, "{insecure}");
}

#[test]
fn the_token_goes_to_keptns_api_alone() {
    let authority = Authority::new();
    let (target, asked) = {
        let target = Server::http(good());
        let location = format!("location: http://{}/v1/auth\r\n", target.address);
        (target, Server::http(move |_| answer("307 Temporary Redirect", &location, "")))
    };
    let of = |server: &Server| {
        run(&mut status(&authority, &["--endpoint", &format!("http://{}", server.address)]))
    };
    let redirected = of(&asked);
    assert!(
        redirected.code == 1 && target.heads().is_empty() && with_token(&asked).is_empty(),
        "{redirected}"
    );
    let page = Server::http(|_| answer("404 Not Found", "content-type: text/html\r\n", "<html>"));
    let other = of(&page);
    assert!(other.code == 1 && page.heads().len() == 1 && with_token(&page).is_empty(), "{other}");
}

/// An address of this machine that leads to it, and is none of the loopback's.
fn own_address() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    // Nothing is sent: it only says which way that would go.
    match socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()) {
        Ok(address) if !address.ip().is_loopback() => address.ip().to_string(),
        _ => "[::ffff:127.0.0.1]".to_owned(),
    }
}

#[test]
fn the_token_is_not_sent_in_clear_to_another_machine() {
    let authority = Authority::new();
    let server = Server::start("0.0.0.0:0", None, good());
    let endpoint = format!("http://{}:{}", own_address(), server.address.port());
    let refused = run(&mut status(&authority, &["--endpoint", &endpoint]));
    assert!(refused.code == 1 && refused.stdout.contains("not sent: over plain http"), "{refused}");
    assert!(server.heads().len() == 2 && with_token(&server).is_empty(), "{:?}", server.heads());
    let meant = run(&mut status(&authority, &["--endpoint", &endpoint, "--plain-http"]));
    assert!(meant.code == 0 && meant.stdout.contains("anybody on the way can read it"), "{meant}");
    assert_eq!(with_token(&server).len(), 1);
}

#[test]
fn a_certificate_that_ends_within_two_weeks_is_worth_a_word() {
    let authority = Authority::new();
    for (weeks, is_worth) in [(1, true), (3, false)] {
        let mut soon = params(&NAMES);
        soon.not_after = (SystemTime::now() + weeks * WEEK).into();
        let server = Server::https(&authority.sign(&soon), good());
        let address = server.address.to_string();
        let run = run(&mut status(
            &authority,
            &["--endpoint", "https://api.keptn.example.org", "--connect-to", &address],
        ));
        assert!(run.code == 0 && run.stdout.contains("renew it in time") == is_worth, "{run}");
    }
}

#[test]
fn requests_are_what_clients_of_keptn_send() {
    let authority = Authority::new();
    let of = |args: &[&str]| {
        let server = Server::http(good());
        let endpoint = format!("http://{}/", server.address);
        let run = run(&mut status(&authority, &[&["--endpoint", &endpoint], args].concat()));
        assert_eq!(run.code, 0, "{run}");
        (server.heads(), server.address.to_string())
    };
    let (heads, address) = of(&[]);
    let lines: Vec<_> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "POST /v1/auth HTTP/1.1",
            "GET /configuration-service/v1/project?pageSize=1 HTTP/1.1",
            "POST /v1/auth HTTP/1.1"
        ]
    );
    assert!(heads.iter().all(|head| head.contains(&format!("host: {address}\r\n"))), "{heads:?}");
    assert!(heads[0].contains("content-length: 0\r\n") && has_token(&heads[2]), "{heads:?}");
    let (heads, _) = of(&["--host", "api.keptn"]);
    assert!(heads.iter().all(|head| head.contains("host: api.keptn\r\n")), "{heads:?}");
}

#[test]
fn the_token_comes_from_a_file_a_variable_or_a_prompt() {
    let authority = Authority::new();
    let server = Server::http(good());
    let endpoint = format!("http://{}", server.address);
    let args = ["--endpoint", &endpoint];
    std::fs::write(authority.folder.path().join("keptn.token"), format!("{TOKEN}\n")).unwrap();
    let with_file = [&args[..], &["--token-file", "keptn.token"]].concat();
    // The file is named, so it is meant.
    let run = run(status(&authority, &with_file).env("KEPTN_API_TOKEN", "another"));
    assert_eq!(run.code, 0, "{run}");

    let mut terminal = Terminal::run(status(&authority, &args).env_remove("KEPTN_API_TOKEN"), None);
    terminal.wait_for("Token (it is not shown): ");
    terminal.type_unseen(&format!("{TOKEN}\n"));
    let (code, screen) = terminal.end();
    assert!(code == Some(0) && screen.contains("right: 200") && !screen.contains(TOKEN), "{screen:?}");
    assert_eq!(with_token(&server).len(), 2);
}

/// Whoever sends without end does not keep the run from its own end.
#[test]
fn a_flood_ends() {
    let authority = Authority::new();
    let signed = authority.sign(&params(&NAMES));
    for flood in ["HTTP/1.1 103 E\r\n\r\n", "HTTP/1.1 100 Continue\r\na: b\r\n\r\n"] {
        for is_https in [false, true] {
            let does = move |_: &str| Does::Repeats(flood);
            let server = if is_https { Server::https(&signed, does) } else { Server::http(does) };
            let address = server.address.to_string();
            let scheme = if is_https { "https" } else { "http" };
            let endpoint = format!("{scheme}://api.keptn.example.org");
            let args = ["--endpoint", &endpoint, "--connect-to", &address, "--timeout", "10s"];
            let mut command = status(&authority, &args);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let (mut stdout, (tell, told)) = (child.stdout.take().unwrap(), mpsc::channel());
            thread::spawn(move || tell.send(io::read_to_string(&mut stdout)));
            let Ok(said) = told.recv_timeout(Duration::from_secs(120)) else {
                child.kill().unwrap();
                panic!("{endpoint}: it does not end");
            };
            let (said, code) = (said.unwrap(), child.wait().unwrap().code());
            assert!(code == Some(1) && said.contains("sends without end, and no answer"), "{code:?}\n{said}");
        }
    }
}

#[test]
fn what_takes_long_is_told_to_whom_it_may_concern() {
    let authority = Authority::new();
    let server = Server::http(|_| Does::Nothing);
    let endpoint = format!("http://{}", server.address);
    let args = ["--endpoint", &endpoint, "--timeout", "1500ms"];
    let mut terminal = Terminal::run(&status(&authority, &args), Some(Stdio::null()));
    terminal.wait_for("waiting for an answer from 127.0.0.1 …");
    let (code, screen) = terminal.end();
    // It is cleared, and nothing else is on the screen.
    assert_eq!((code, screen.as_str()), (Some(1), "waiting for an answer from 127.0.0.1 …\r\u{1b}[K"));
    let quiet = run(&mut status(&authority, &args));
    assert!(quiet.code == 1 && quiet.stderr.is_empty(), "{quiet}");
}

#[test]
fn lines_are_as_wide_as_the_terminal_at_most() {
    let authority = Authority::new();
    let server = Server::https(&authority.sign(&params(&NAMES)), good());
    let address = server.address.to_string();
    let args = ["--endpoint", "https://api.keptn.example.org", "--connect-to", &address, "--color", "never"];
    let (code, screen) = Terminal::run(&status(&authority, &args), None).end();
    assert_eq!(code, Some(0));
    assert!(screen.lines().all(|line| line.trim_end().chars().count() <= COLUMNS.into()), "{screen}");
    let piped = run(&mut status(&authority, &args)).stdout;
    assert!(piped.lines().count() < screen.lines().count(), "{piped}");
}
