//! What nginx and ours do with the same request: the table in docs/migrate-from-nginx.md, row by row.

use std::{fs, net::SocketAddr};

use crate::{
    migration::Nginx,
    support::{API, HTTP, Lab, Mode, output, repository},
    tls::mount,
};
use testbed::{
    Result,
    client::{Raw, Request, Response},
    keptn::{Order, Received, Reply, Scope},
    wait::until,
};

#[derive(Debug)]
struct Row {
    line: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    conditions: Vec<String>,
    nginx: Outcome,
    ours: Outcome,
}

#[derive(Debug)]
enum Outcome {
    /// One service received this and no other anything: its name, the request line, and the headers that are there (with
    /// their value, if it is given) or not.
    Gets { service: String, line: String, with: Vec<(String, Option<String>)>, without: Vec<String> },
    /// Nobody received anything; the client gets this status and kind of body.
    Status(u16, Option<String>),
    /// Nobody has received anything so far.
    Nobody,
}

/// The rows of the table, from the document.
fn rows() -> Vec<Row> {
    let document = fs::read_to_string(repository().join("docs/migrate-from-nginx.md")).expect("the document");
    let (_, table) =
        document.split_once("| request | nginx | ours | why |\n|---|---|---|---|\n").expect("the table");
    table.lines().take_while(|line| line.starts_with('|')).map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let [request, nginx, ours, why] = cells[..] else { panic!("not four cells: {line}") };
    assert!(!why.is_empty(), "no reason: {line}");
    let mut parts = request.split(", ");
    let first = quoted(parts.next().expect("a request")).unwrap_or_else(|| panic!("no request: {line}"));
    let (method, target) = first.split_once(' ').expect("a method and a target");
    let (headers, conditions): (Vec<_>, Vec<_>) = parts.partition(|part| part.starts_with('`'));
    let pair = |text: &str| {
        let (name, value) = quoted(text).and_then(|text| text.split_once(": ")).expect("a header");
        (name.to_owned(), value.to_owned())
    };
    Row {
        line: line.to_owned(),
        method: method.to_owned(),
        target: target.to_owned(),
        headers: headers.into_iter().map(pair).collect(),
        conditions: conditions.into_iter().map(str::to_owned).collect(),
        nginx: outcome(nginx),
        ours: outcome(ours),
    }
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('`')?.strip_suffix('`')
}

fn outcome(cell: &str) -> Outcome {
    if cell == "nobody gets anything" {
        return Outcome::Nobody;
    }
    let Some((service, rest)) = cell.split_once(" gets ") else {
        let (status, kind) = cell.split_once(' ').map_or((cell, None), |(status, kind)| (status, Some(kind)));
        return Outcome::Status(status.parse().expect("a status"), kind.map(str::to_owned));
    };
    let mut parts = rest.split(", ");
    let line = quoted(parts.next().expect("a request")).expect("a request").to_owned();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for part in parts {
        let (how, header) = part.split_once(' ').expect("a header");
        let header = quoted(header).expect("a header");
        match (how, header.split_once(": ")) {
            ("with", Some((name, value))) => with.push((name.to_owned(), Some(value.to_owned()))),
            ("with", None) => with.push((header.to_owned(), None)),
            ("without", None) => without.push(header.to_owned()),
            _ => panic!("not understood: {part}"),
        }
    }
    Outcome::Gets { service: service.to_owned(), line, with, without }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_differently_is_as_the_document_says() -> Result<()> {
    let lab = Lab::with(Mode::EnvoyFilter).await?;
    let secret = lab.run("gatectl", &["cert", "self-signed", "example.org"], None).await?;
    lab.apply_text(&secret).await?;
    mount(&lab).await?;
    let _nginx = Nginx::start().await?;
    let rows = rows();
    assert!(rows.len() > 20, "{} rows", rows.len());
    let mut wrong = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        // Nothing is remembered of a token that nobody has used.
        let tokens = [format!("nginx-{index}"), format!("ours-{index}")];
        for token in &tokens {
            lab.api.add_token(token);
        }
        for (address, token, outcome) in
            [(Nginx::address(), &tokens[0], &row.nginx), (HTTP, &tokens[1], &row.ours)]
        {
            let seen = ask(&lab, row, address, token).await?;
            if let Err(why) = compare(outcome, &seen) {
                wrong.push(format!("{}\n  {address}: {why}", row.line));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What came of a request.
struct Seen {
    response: Option<Response>,
    api: Vec<Received>,
    configuration: Vec<Received>,
}

async fn ask(lab: &Lab, row: &Row, address: SocketAddr, token: &str) -> Result<Seen> {
    lab.api.records.take();
    lab.configuration.records.take();
    let mut request = Request::new(&row.method, &row.target);
    for (name, value) in &row.headers {
        request = request.header(name, value);
    }
    if !row.headers.iter().any(|(name, _)| name == "host") {
        request = request.header("host", API);
    }
    if row.headers.iter().any(|(name, _)| name == "upgrade") {
        request = request
            .header("connection", "Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    }
    let has = |condition: &str| row.conditions.iter().any(|given| given == condition);
    let mut known = 0;
    let mut when = |condition: &str| {
        let holds = has(condition);
        known += usize::from(holds);
        holds
    };
    if when("wrong token") {
        request = request.header("x-token", format!("not-{token}"));
    } else if when("two tokens") {
        request = request.header("x-token", token).header("x-token", "another");
    } else if !when("no token") {
        request = request.header("x-token", token);
    }
    if when("a body of 1048577 bytes") {
        request = request.body(vec![b' '; 1_048_577]);
    }
    let (down, throttles) = (when("api-service down"), when("api-service answers 429"));
    let (https, old, before_body) = (when("over https"), when("over HTTP/1.0"), when("before its body"));
    assert_eq!(known, row.conditions.len(), "not understood: {}", row.line);

    if down {
        lab.api.stop_listening().await;
    }
    if throttles {
        lab.api.orders.set(Scope::Auth, Order::Answer(Reply::status(429)));
    }
    let mut connection = Raw::connect(address).await?;
    let mut seen = Seen { response: None, api: Vec::new(), configuration: Vec::new() };
    if https && address == HTTP {
        let (resolve, url) = (format!("{API}:443:127.0.0.1"), format!("https://{API}{}", row.target));
        let token = format!("x-token: {token}");
        let arguments =
            ["-sk", "-o", "/dev/null", "--resolve", &resolve, "-X", &row.method, "-H", &token, &url];
        until("port 443", async || {
            output("curl", &arguments, None).await.ok()?.status.success().then_some(())
        })
        .await?;
    } else if old {
        let head = String::from_utf8_lossy(&request.head_bytes()).replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n");
        connection.write(head.as_bytes()).await?;
        seen.response = Some(connection.read_response(false).await?);
    } else if before_body {
        connection.write(&request.header("content-length", "2").head_bytes()).await?;
        if address == HTTP {
            lab.api.records.wait_until("the head", |list| !forwarded(list).is_empty()).await?;
        } else {
            // Who is served after it has been served; nginx is one process.
            let after = Request::get("/swagger.json").header("host", API);
            assert_eq!(Raw::connect(address).await?.send(&after).await?.status, 200);
        }
        seen.api = forwarded(&lab.api.records.take());
        connection.write(b"{}").await?;
        seen.response = Some(connection.read_response(false).await?);
    } else {
        if https {
            request = request.header("x-forwarded-proto", "https");
        }
        seen.response = Some(connection.send(&request).await?);
    }
    if !before_body {
        seen.api = forwarded(&lab.api.records.take());
        seen.configuration = lab.configuration.records.take();
    }
    if down || throttles {
        lab.api.orders.clear();
        lab.api.listen()?;
        // Once more in front of a service that is there.
        lab.serves().await?;
    }
    Ok(seen)
}

/// What is none of our own questions.
fn forwarded(received: &[Received]) -> Vec<Received> {
    received
        .iter()
        .filter(|received| !matches!(&*received.path(), "/v1/auth" | "/swagger.json"))
        .cloned()
        .collect()
}

fn compare(outcome: &Outcome, seen: &Seen) -> std::result::Result<(), String> {
    let status = seen.response.as_ref().map(|response| response.status);
    let what = format!(
        "{:?}, api-service {:?}, configuration-service {:?}",
        seen.response, seen.api, seen.configuration
    );
    let ok = |is_so: bool| if is_so { Ok(()) } else { Err(what.clone()) };
    match outcome {
        Outcome::Nobody => ok(seen.api.is_empty() && seen.configuration.is_empty()),
        Outcome::Status(wanted, kind) => {
            ok(seen.api.is_empty() && seen.configuration.is_empty() && status == Some(*wanted))?;
            let given = seen.response.as_ref().and_then(|response| response.header("content-type"));
            ok(match kind.as_deref() {
                None => true,
                Some("HTML") => given.as_deref() == Some("text/html"),
                Some("JSON") => given.as_deref() == Some("application/json"),
                Some(other) => panic!("not understood: {other}"),
            })
        }
        Outcome::Gets { service, line, with, without } => {
            let (received, other) = match service.as_str() {
                "api-service" => (&seen.api, &seen.configuration),
                "configuration-service" => (&seen.configuration, &seen.api),
                _ => panic!("not understood: {service}"),
            };
            let [received] = &received[..] else { return Err(what) };
            ok(other.is_empty())?;
            ok(format!("{} {}", received.method, received.target.escape_ascii()) == *line)?;
            for (name, value) in with {
                let given = received.header(name).ok_or_else(|| what.clone())?;
                ok(value.as_ref().is_none_or(|value| *value == given))?;
            }
            ok(without.iter().all(|name| received.all(name).is_empty()))
        }
    }
}
