//! What browsers are told.

use serde_json::Value;

use super::keys;
use super::problem::Place;
use super::reader::{self, Report, Section};
use crate::cors::{self, Cors, CorsProblem, OriginPattern, Setting, Settings};

/// What web pages need to call the API at all.
const HEADERS: [&str; 2] = ["content-type", "x-token"];

pub(super) fn read(top: &Section<'_>, report: &Report, warnings: &Report) -> Option<Cors> {
    let section = top.section("cors");
    let known = report.len();
    let present = section.value(&keys::CORS_ORIGINS).is_some();
    let origins = section.list(&keys::CORS_ORIGINS).into_iter();
    let origins = origins.filter_map(|item| text(item, OriginPattern::parse, report)).collect();
    // What could not be read contradicts nothing.
    let are_read = present && report.len() == known;
    let credentials = section.flag(&keys::CORS_CREDENTIALS);
    let headers = headers(&section, report, warnings);
    let max_age = section.duration(&keys::CORS_MAX_AGE);
    if !are_read {
        return None;
    }
    Cors::new(Settings { origins, credentials, headers, max_age })
        .map_err(|problems| {
            for problem in problems {
                let place = match problem.setting {
                    Setting::Origins => section.at(&keys::CORS_ORIGINS),
                    Setting::Credentials => section.at(&keys::CORS_CREDENTIALS),
                };
                report.add(place, problem.message, problem.remedy);
            }
        })
        .ok()
}

fn headers(section: &Section<'_>, report: &Report, warnings: &Report) -> Vec<String> {
    let items = section.list(&keys::CORS_HEADERS);
    if items.is_empty() {
        return HEADERS.map(str::to_owned).into();
    }
    let names: Vec<_> = items.into_iter().filter_map(|item| text(item, cors::header_name, report)).collect();
    if !names.iter().any(|name| name == "x-token") {
        let message = "without x-token no web page can show a token";
        warnings.add(section.at(&keys::CORS_HEADERS), message, "add \"x-token\"");
    }
    names
}

/// An item as `parse` reads it, or a problem.
fn text<T>(
    (place, item): (Place, &Value),
    parse: impl FnOnce(&str) -> Result<T, CorsProblem>,
    report: &Report,
) -> Option<T> {
    let text = reader::text(item, place.clone(), report)?;
    parse(text)
        .map_err(|problem| report.add_in(place, text, problem.span, problem.message, problem.remedy))
        .ok()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::request::Field;

    /// What a page of this origin is told by a configuration, as lines.
    fn told(json: &str, origin: &str) -> Option<Vec<String>> {
        let cors = Config::from_json(json.as_bytes()).unwrap().cors?;
        let grant = cors.grant(Field::Once(origin.as_bytes()));
        let lines = cors.preflight(grant.as_ref()).into_iter();
        Some(lines.map(|(name, value)| format!("{name}: {value}")).collect())
    }

    #[test]
    fn every_key_goes_where_it_belongs() {
        assert_eq!(told(r#"{"cors": null}"#, "https://a.example"), None);
        let plain = told(r#"{"cors": {"origins": ["https://a.example"]}}"#, "https://a.example").unwrap();
        assert!(plain.contains(&"access-control-allow-origin: https://a.example".to_owned()), "{plain:?}");
        assert!(plain.contains(&"access-control-allow-headers: content-type, x-token".to_owned()));
        assert!(plain.contains(&"access-control-max-age: 600".to_owned()));
        assert!(!plain.iter().any(|line| line.contains("credentials")));
        let full = r#"{"cors": {
            "origins": ["https://b.example", "https://*.a.example"], "credentials": true, "headers": ["X-Token"],
            "max_age": "7s"
        }}"#;
        let full = told(full, "https://x.a.example").unwrap();
        assert!(full.contains(&"access-control-allow-origin: https://x.a.example".to_owned()), "{full:?}");
        assert!(full.contains(&"access-control-allow-credentials: true".to_owned()));
        assert!(full.contains(&"access-control-allow-headers: x-token".to_owned()));
        assert!(full.contains(&"access-control-max-age: 7".to_owned()));
    }
}
