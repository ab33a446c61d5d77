//! That a variant does what it should, before it is measured.

use crate::rig::{
    cores::Cores,
    load::{GOOD, HEADERS, LOCAL, Load, Token, WRONG},
    proxies::{self, Filter, Proxies, Upstreams},
    variant::{Seen, Variant},
};
use std::net::SocketAddr;
use testbed::{
    Envoy, Error, Result,
    client::{Raw, Request, Response},
};

const PATH: &str = Load::HIT.path;
const COUNT_HEADERS: &str = include_str!("configs/count_headers.yaml");

/// Asks for what the load asks for and for what it must not get.
///
/// # Errors
/// The variant answers otherwise than it should.
pub(crate) async fn check(variant: &Variant, proxies: &Proxies) -> Result<()> {
    let target = proxies.address();
    let token = variant.token.unwrap_or(GOOD);
    let answer = ask(target, PATH, Some(token)).await?;
    if answer.status != 200 || !answer.text().starts_with(r#"{"nextPageKey""#) {
        return Err(wrong(variant, "a good token", "200 and the projects", &answer));
    }
    for bad in [None, Some(WRONG), Some(if token == LOCAL { "" } else { LOCAL })] {
        let (answer, expected) =
            (ask(target, PATH, bad).await?, if variant.token.is_some() { 401 } else { 200 });
        if answer.status != expected {
            return Err(wrong(variant, &format!("{bad:?} as the token"), &expected.to_string(), &answer));
        }
    }
    let answer = ask(target, &format!("{PATH}/seen"), Some(token)).await?;
    let expected = match variant.seen {
        Seen::Everything => format!("{PATH}/seen {token}"),
        Seen::PathWithoutPrefix => format!("/v1/project/seen {token}"),
        Seen::Nothing => "/v1/project/seen ".to_owned(),
        Seen::Constant => ask(target, PATH, Some(token)).await?.text(),
    };
    if answer.text() != expected {
        return Err(wrong(variant, "what the service gets", &format!("{expected:?}"), &answer));
    }
    if variant.load.token == Token::Missing {
        let answer = ask(target, variant.load.path, None).await?;
        if answer.status != variant.load.status {
            return Err(wrong(variant, "the load's request", &variant.load.status.to_string(), &answer));
        }
    }
    Ok(())
}

fn wrong(variant: &Variant, what: &str, expected: &str, answer: &Response) -> Error {
    let (name, status, text) = (variant.name, answer.status, answer.text());
    Error::new(format!("{name}, {what}: it should be {expected}, and is {status} {text:?}"))
}

async fn ask(target: SocketAddr, path: &str, token: Option<&str>) -> Result<Response> {
    let request = Request::get(path);
    let request = match token {
        Some(token) => request.header("x-token", token),
        None => request,
    };
    Raw::connect(target).await?.send(&request).await
}

/// That a filter sees as many headers as the bench says.
///
/// # Errors
/// It sees others; they are named.
pub(crate) async fn check_headers(cores: Cores) -> Result<()> {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    let upstreams = Upstreams { auth: nobody, configuration: nobody };
    let bootstrap = proxies::bootstrap(&Filter::Native(COUNT_HEADERS), upstreams)?;
    let envoy = Envoy::start_with(&bootstrap, &proxies::options(cores)).await?;
    let mut client = Raw::connect(envoy.listener("gateway")).await?;
    client.write(&Load::HIT.request(0, 0)).await?;
    let text = client.read_response(false).await?.text();
    if text.split(' ').next() != Some(&HEADERS.to_string()) {
        return Err(Error::new(format!("a filter should see {HEADERS} request headers, and sees {text}")));
    }
    Ok(())
}
