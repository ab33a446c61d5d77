//! The list as one page for a browser, with nothing from elsewhere.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gate::routes::Access;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use sha2::{Digest as _, Sha256};

use super::row::{Mark, Row, word};

const PAGE: &str = include_str!("../../templates/routes/page.html");
const STYLE: &str = include_str!("../../templates/routes/page.css");
const SCRIPT: &str = include_str!("../../templates/routes/page.js");

/// `hosts` is empty where all hosts are meant; `name` is what people call the configuration; `is_whole` says that no filter has left anything out.
///
/// # Errors
///
/// The template is wrong, which tests rule out.
pub(super) fn written(rows: &[&Row], hosts: &[&str], is_whole: bool, name: &str) -> Result<String, String> {
    page(rows, hosts, is_whole, name)
        .map_err(|error| format!("gatectl: a template is wrong, which is a mistake of gatectl's: {error:#}"))
}

fn page(rows: &[&Row], hosts: &[&str], is_whole: bool, name: &str) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // Its name ends in .html, so everything that is filled in is escaped.
    environment.add_template("page.html", PAGE)?;
    let count = |access| rows.iter().filter(|row| row.access == access).count();
    let counts = [Access::Public, Access::Token, Access::Upstream]
        .map(|access| context! { access => word(access), count => count(access), what => explained(access) });
    let upstreams: BTreeSet<_> = rows.iter().map(|row| row.shown_upstream().to_owned()).collect();
    let upstreams: Vec<_> = upstreams.into_iter().collect();
    let methods: Vec<_> = gate::request::Method::ALL.into_iter().map(gate::request::Method::name).collect();
    let rows: Vec<_> = rows.iter().map(|row| shown(row)).collect();
    environment.get_template("page.html")?.render(context! {
        name,
        hosts => hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>(),
        is_whole,
        rows,
        counts,
        upstreams,
        methods,
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        style_hash => Value::from_safe_string(hash(STYLE)),
        script_hash => Value::from_safe_string(hash(SCRIPT)),
    })
}

const fn explained(access: Access) -> &'static str {
    match access {
        Access::Public => "nobody is asked",
        Access::Token => "the gateway asks for the token",
        Access::Upstream => "the service asks by itself",
    }
}

fn shown(row: &Row) -> Value {
    let marks: Vec<_> =
        row.marks().into_iter().map(|mark| context! { word => mark.word(), class => class(mark) }).collect();
    context! {
        access => word(row.access),
        methods => row.methods(),
        is_any => row.shown_methods() == "any",
        path => parts(&row.path),
        upstream => row.shown_upstream(),
        is_sent => row.upstream.is_some(),
        rewritten => row.rewritten().map(parts),
        is_internal => row.is_internal,
        marks,
        except => row.shown_except(),
    }
}

const fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::WebSocket => "websocket",
        Mark::Internal => "internal",
        Mark::Refused => "refused",
        Mark::Open => "open",
    }
}

/// A path by its segments, with which of them are parameters.
fn parts(path: &str) -> Vec<Value> {
    let parts = path.split('/').skip(1);
    parts.map(|text| context! { text, is_parameter => text.starts_with('{') }).collect()
}

/// How a Content-Security-Policy names a style or a script that stands in the page itself.
fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}
