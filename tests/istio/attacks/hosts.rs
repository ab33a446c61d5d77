//! Spellings of hosts: what is ours for the filter and what is ours for Istio's routes may differ, and nothing may come
//! of it.

use std::{fs, path::Path};

use futures_util::future::join_all;

use super::neighbours::ANY_HOST;
use crate::support::{API, BRIDGE, CARTS, CERTIFICATES, HTTP, HTTPS, Lab, Mode, TOKEN, output, send};
use testbed::{
    Result,
    client::{Frames, Headers, Raw, Request},
    wait::until,
};

/// Spellings of our hosts that Istio knows as ours.
const OURS: [&str; 8] = [
    "api.keptn",
    "API.KEPTN",
    "api.keptn:80",
    "api.keptn:8080",
    "api.keptn:",
    "API.KEPTN.EXAMPLE.ORG",
    "Api.Keptn.Example.Org:443",
    "api.keptn.example.org:65536",
];

/// What only looks like ours: for the filter, for Istio, or for both. Nobody gets anywhere by it, whatever the token.
const NOBODYS: [&str; 22] = [
    "api.keptn.",
    "api.keptn.:80",
    "api.keptn.example.org.",
    "api.keptn.example.org..",
    "api.keptn:80:80",
    "api.keptn:evil",
    "api.keptn:80@bridge.keptn.example.org",
    "user@api.keptn",
    "user:password@api.keptn:80",
    "api.keptn,bridge.keptn.example.org",
    "[api.keptn]",
    "api.keptn/",
    "api.keptn?",
    "x.api.keptn",
    "api.keptn.example.com",
    "api.keptn.svc.cluster.local",
    "api-service",
    "api-service.keptn",
    "api-service.keptn:8080",
    "api-service.keptn.svc.cluster.local",
    "configuration-service.keptn.svc.cluster.local:8080",
    "127.0.0.1",
];

const TARGETS: [&str; 2] = ["/v1/event", "/configuration-service/v1/project"];

/// How many requests each has received: Keptn's services, and the other applications. Forgets them.
fn received(lab: &Lab) -> (usize, usize) {
    let counts = (
        lab.api.records.forwarded().len() + lab.configuration.records.count(),
        lab.bridge.records.count() + lab.carts.records.count(),
    );
    for records in [&lab.api.records, &lab.configuration.records, &lab.bridge.records, &lab.carts.records] {
        records.take();
    }
    counts
}

fn with_token(request: &Request) -> Request {
    request.clone().header("x-token", TOKEN)
}

/// A request over HTTP/2 with these lines, in this order.
async fn lines(lines: &[(&str, &str)]) -> Result<Option<u16>> {
    let mut connection = Frames::connect(HTTP).await?;
    let lines: Headers =
        lines.iter().map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into())).collect();
    let stream = connection.headers(&lines, true).await?;
    Ok(connection.response(stream).await.ok().map(|answer| answer.status))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_host_gets_a_request_where_it_does_not_belong() -> Result<()> {
    for mode in Mode::ALL {
        let lab = Lab::with(mode).await?;
        let both_ways = async |request: &Request| -> Result<[u16; 2]> {
            let http2 = Frames::connect(HTTP).await?.send(request).await;
            // Over HTTP/2 Envoy ends the stream of what is no host at all.
            Ok([send(request).await?.status, http2.map_or(400, |answer| answer.status)])
        };
        for target in TARGETS {
            for host in OURS {
                let request = Request::get(target).header("host", host);
                assert_eq!(both_ways(&request).await?, [401; 2], "{mode:?}: {target} of {host}");
                assert_eq!(received(&lab), (0, 0), "{mode:?}: {target} of {host}");
                let statuses = both_ways(&with_token(&request)).await?;
                assert_eq!(received(&lab), (2, 0), "{mode:?}: {target} of {host}: {statuses:?}");
            }
            // At the same time: Envoy takes a second to close the connection of what is no host at all.
            let requests = NOBODYS.into_iter().chain([""]).flat_map(|host| {
                let request = Request::get(target).header("host", host);
                [(host, request.clone()), (host, with_token(&request))]
            });
            let answers =
                join_all(requests.map(async |(host, request)| (host, both_ways(&request).await))).await;
            assert_eq!(received(&lab), (0, 0), "{mode:?}: {target}: {answers:?}");
            for (host, statuses) in answers {
                let statuses = statuses?;
                assert!(statuses.iter().all(|status| *status >= 400), "{mode:?}: {host}: {statuses:?}");
            }
            // Our paths under others' hosts are theirs.
            for host in [BRIDGE, CARTS] {
                for request in [Request::get(target), with_token(&Request::get(target))] {
                    both_ways(&request.header("host", host)).await?;
                    assert_eq!(received(&lab), (0, 2), "{mode:?}: {target} of {host}");
                }
            }
        }
        two_hosts(&lab, mode).await?;
        any_host(&lab, mode).await?;
    }
    Ok(())
}

/// More than one host in a request, in every way there is to say one.
async fn two_hosts(lab: &Lab, mode: Mode) -> Result<()> {
    let target = TARGETS[0];
    let token = ("x-token", TOKEN);
    for (first, second) in [(API, BRIDGE), (BRIDGE, API)] {
        // The absolute form's is the host.
        let absolute = Request::get(format!("http://{first}{target}")).header("host", second);
        send(&absolute).await?;
        assert_eq!(received(lab), (0, usize::from(first == BRIDGE)), "{mode:?}: {absolute:?}");
        send(&with_token(&absolute)).await?;
        let expected = if first == API { (1, 0) } else { (0, 1) };
        assert_eq!(received(lab), expected, "{mode:?}: {absolute:?}");

        // Two lines are one host, which nobody has.
        let twice = Request::get(target).header("host", first).header("host", second);
        for request in [twice.clone(), with_token(&twice)] {
            let answer = send(&request).await?;
            assert_eq!(received(lab), (0, 0), "{mode:?}: Host: {first}, Host: {second}: {answer:?}");
        }

        // HTTP/2: `:authority` is the host, also beside a `host`.
        let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", target), (":authority", first)];
        let mut both = pseudo.to_vec();
        both.push(("host", second));
        let status = lines(&both).await?;
        let (ours, others) = received(lab);
        assert_eq!(ours, 0, "{mode:?}: {both:?}: {status:?}");
        assert!(others == 0 || first == BRIDGE, "{mode:?}: {both:?}: {status:?}");
        both.push(token);
        let status = lines(&both).await?;
        let (ours, others) = received(lab);
        assert!(ours == 0 || first == API, "{mode:?}: {both:?}: {status:?}");
        assert!(others == 0 || first == BRIDGE, "{mode:?}: {both:?}: {status:?}");
    }
    // A request right behind another on the same connection is judged by its own host. (More than two Envoy refuses.)
    let one = |host: &str| Request::get(target).header("host", host);
    for first in [one(BRIDGE), with_token(&one(CARTS))] {
        let mut connection = Raw::connect(HTTP).await?;
        connection.write(&[first.bytes(), one(API).bytes()].concat()).await?;
        connection.read_response(false).await?;
        let answer = connection.read_response(false).await?;
        assert_eq!((answer.status, received(lab)), (401, (0, 1)), "{mode:?}: {first:?}: {answer:?}");
    }
    Ok(())
}

/// An application takes every host that nobody else has: among them the spellings that only the filter takes for ours.
async fn any_host(lab: &Lab, mode: Mode) -> Result<()> {
    lab.apply_text(ANY_HOST).await?;
    until("the application for any host", async || {
        let anybody = Request::get("/").header("host", "anybody.example.org");
        send(&anybody).await.ok()?;
        (received(lab).1 > 0).then_some(())
    })
    .await?;
    for host in NOBODYS.into_iter().chain([""]) {
        let request = Request::get("/v1/event").header("host", host);
        for request in [request.clone(), with_token(&request)] {
            let answer = send(&request).await?;
            assert_eq!(received(lab).0, 0, "{mode:?}: {host}: {answer:?}");
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_in_tls_says_nothing_about_the_host() -> Result<()> {
    let lab = Lab::start().await?;
    let (certificate, key) = (format!("{CERTIFICATES}/tls.crt"), format!("{CERTIFICATES}/tls.key"));
    #[rustfmt::skip]
    let openssl = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gateway",
        "-days", "1", "-keyout", &key, "-out", &certificate];
    lab.run("openssl", &openssl, None).await?;
    assert!(Path::new(&certificate).exists() && fs::metadata(&key).is_ok());
    lab.apply("tests/istio/others.yaml").await?;
    lab.apply_mode(Mode::EnvoyFilter).await?;
    lab.serves().await?;

    let through_tls = async |protocol: &str, name: &str, host: &str, header: &str| -> Result<String> {
        let (to, url) = (format!("::{HTTPS}"), format!("https://{name}/v1/event"));
        let host = format!("host: {host}");
        #[rustfmt::skip]
        let arguments = ["-sk", protocol, "--connect-to", &to, "-H", &host, "-H", header, "-o", "/dev/null", "-w", "%{http_code}", &url];
        let output = output("curl", &arguments, None).await?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    until("port 443", async || {
        let status = through_tls("--http1.1", API, API, "a: b").await.ok()?;
        (status == "401").then_some(())
    })
    .await?;
    received(&lab);
    let token = format!("x-token: {TOKEN}");
    for protocol in ["--http1.1", "--http2"] {
        for name in [API, BRIDGE, "unknown.example.org", "api-service.keptn"] {
            for host in ["api.keptn", "API.keptn.example.org:443"] {
                assert_eq!(
                    through_tls(protocol, name, host, "a: b").await?,
                    "401",
                    "{protocol}: {host} at {name}"
                );
                assert_eq!(received(&lab), (0, 0), "{protocol}: {host} at {name}");
                through_tls(protocol, name, host, &token).await?;
                assert_eq!(received(&lab), (1, 0), "{protocol}: {host} at {name}");
            }
            through_tls(protocol, name, BRIDGE, &token).await?;
            assert_eq!(received(&lab), (0, 1), "{protocol}: {BRIDGE} at {name}");
            for host in ["api.keptn.", "user@api.keptn", "api-service.keptn"] {
                through_tls(protocol, name, host, &token).await?;
                assert_eq!(received(&lab), (0, 0), "{protocol}: {host} at {name}");
            }
        }
    }
    Ok(())
}
