//! CORS: which pages' scripts may read what the gateway answers itself (Fetch standard, "CORS protocol").
//!
//! It keeps nobody out: clients that are no browsers ignore it. It lets browsers hand answers on to scripts.
//! What an upstream answers gets its lines from Envoy's own cors filter.

mod origin;

use core::time::Duration;
use std::rc::Rc;

use crate::request::{Field, Method};

pub use origin::{CorsProblem, OriginPattern};

/// A header line of an answer, its name in lower case.
type Line = (&'static str, String);

/// Of our denials' headers those that Fetch hides from scripts unless they are named ("CORS-safelisted
/// response-header name" has the others): how long to wait, what is allowed instead, what is asked for, and
/// the id under which an operator finds the request (Envoy adds that one). None is a secret. Named and not
/// `*`, which once credentials are allowed means a header of that name.
const EXPOSED: &str = "allow, retry-after, www-authenticate, x-request-id";

/// What is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who may read answers.
    pub(crate) origins: Vec<OriginPattern>,
    /// Whether browsers may send cookies and the like along. `x-token` needs none of it.
    pub(crate) credentials: bool,
    /// The request headers that scripts may set, each read by [`header_name`].
    pub(crate) headers: Vec<String>,
    /// How long browsers may remember a preflight's answer. Whole seconds; browsers have limits of their own.
    pub(crate) max_age: Duration,
}

/// A setting that others contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The origins, as a whole.
    Origins,
    /// Whether credentials are allowed.
    Credentials,
}

/// What is wrong with settings that are each well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingsProblem {
    /// Where.
    pub setting: Setting,
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

impl Settings {
    /// Everything in which they contradict each other.
    fn problems(&self) -> Vec<SettingsProblem> {
        let mut problems = Vec::new();
        let mut add = |setting, message, remedy| problems.push(SettingsProblem { setting, message, remedy });
        let any = self.origins.iter().any(OriginPattern::is_any);
        if self.origins.is_empty() {
            add(
                Setting::Origins,
                "no origin is allowed",
                "name the origins of your pages, or leave cors away",
            );
        }
        if any && self.origins.len() > 1 {
            add(
                Setting::Origins,
                "* allows every origin already",
                "leave the others away, or leave * away to allow only them",
            );
        }
        if any && self.credentials {
            // Fetch, "CORS protocol and credentials": browsers refuse the two together, and to write the
            // origin of whoever asks in the place of * would hand every page the user's cookies.
            add(
                Setting::Credentials,
                "credentials cannot be allowed to every origin",
                "name the origins instead of *, or set it to false: x-token needs no credentials",
            );
        }
        problems
    }
}

/// Reads the name of a request header that scripts may set; it is kept in lower case.
///
/// # Errors
///
/// What is no name, with its place, and `*`: with credentials it means nothing, and never `authorization`
/// (Fetch, "CORS-preflight fetch").
pub fn header_name(text: &str) -> Result<String, CorsProblem> {
    const REMEDY: &str = "write a header's name, such as content-type";
    // RFC 9110 section 5.6.2.
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text == "*" {
        return origin::problem("* is not understood everywhere", "name each header", 0..1);
    }
    match text.char_indices().find(|(_, c)| !is_token(*c)) {
        Some((at, c)) => {
            origin::problem("no header's name has this", REMEDY, at..at.saturating_add(c.len_utf8()))
        }
        None if text.is_empty() => origin::problem("this is empty", REMEDY, 0..0),
        None => Ok(text.to_ascii_lowercase()),
    }
}

/// Whether a request is a browser's question about the next one (Fetch, "CORS-preflight request").
///
/// With two lines of `Origin` it is none: no browser asks so.
pub fn is_preflight(method: Method, origin: Field<'_>, request_method: Field<'_>) -> bool {
    // Which method it asks about is not read: all seven are allowed, and the browser compares.
    // An empty line asks about nothing; so Envoy's cors filter takes it too.
    method == Method::Options
        && origin.once().is_some()
        && !matches!(request_method, Field::Absent | Field::Once([]))
}

/// The leave of a request's origin to read the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant(Rc<str>);

impl Grant {
    /// What `access-control-allow-origin` says.
    pub fn origin(&self) -> &str {
        &self.0
    }
}

/// The CORS rules at work.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Vec<OriginPattern>,
    credentials: bool,
    methods: String,
    headers: String,
    max_age: String,
}

impl Cors {
    /// The rules of `settings`.
    ///
    /// # Errors
    ///
    /// All contradictions between them. An origin that could not be read is missing here: whoever has one
    /// to report need not ask for more.
    pub fn new(settings: Settings) -> Result<Self, Vec<SettingsProblem>> {
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            origins: settings.origins,
            credentials: settings.credentials,
            methods: Method::ALL.map(Method::name).join(", "),
            headers: settings.headers.join(", "),
            max_age: settings.max_age.as_secs().to_string(),
        })
    }

    /// Whether pages of `origin` may read answers.
    ///
    /// Nothing for none, for two, for `null`, and for one that is not configured. Where `*` is
    /// configured the answer says so, instead of repeating who asks.
    pub fn grant(&self, origin: Field<'_>) -> Option<Grant> {
        let origin = core::str::from_utf8(origin.once()?).ok()?;
        // What is granted is written into a header line.
        if !origin.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',') {
            return None;
        }
        let origin = origin.to_ascii_lowercase();
        let pattern = self.origins.iter().find(|pattern| pattern.covers(&origin))?;
        Some(Grant(if pattern.is_any() { "*".into() } else { origin.into() }))
    }

    /// The header lines of an answer of ours that is not a preflight's.
    ///
    /// `vary` on all, also without a grant and when `*` is granted: a cache must not hand the answer to a
    /// request without `Origin`, which has no CORS lines, to a script (Fetch, "CORS protocol and HTTP caches").
    /// Envoy's cors filter leaves that to its user.
    pub fn share(&self, grant: Option<&Grant>) -> Vec<Line> {
        let mut lines = vec![("vary", "origin".to_owned())];
        if let Some(grant) = grant {
            self.allow(grant, &mut lines);
            lines.push(("access-control-expose-headers", EXPOSED.to_owned()));
        }
        lines
    }

    /// The header lines of the answer to a preflight; without a grant only `vary`, and the browser refuses.
    ///
    /// `vary` names what made it a preflight, and by custom the headers asked about. By RFC 9110 section
    /// 9.3.7 nobody may cache it; there are caches that do. The browser's own preflight cache, which
    /// `access-control-max-age` is for, does not look at `vary` (Fetch, "CORS-preflight cache"). Fetch,
    /// "HTTP responses", has no exposed headers here: scripts never see this answer.
    pub fn preflight(&self, grant: Option<&Grant>) -> Vec<Line> {
        let vary = "origin, access-control-request-method, access-control-request-headers";
        let mut lines = vec![("vary", vary.to_owned())];
        if let Some(grant) = grant {
            self.allow(grant, &mut lines);
            lines.push(("access-control-allow-methods", self.methods.clone()));
            if !self.headers.is_empty() {
                lines.push(("access-control-allow-headers", self.headers.clone()));
            }
            lines.push(("access-control-max-age", self.max_age.clone()));
        }
        lines
    }

    fn allow(&self, grant: &Grant, lines: &mut Vec<Line>) {
        lines.push(("access-control-allow-origin", grant.origin().to_owned()));
        if self.credentials {
            lines.push(("access-control-allow-credentials", "true".to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BRIDGE: &str = "https://bridge.example.org";

    fn settings(origins: &[&str], credentials: bool) -> Settings {
        Settings {
            origins: origins.iter().map(|text| OriginPattern::parse(text).unwrap()).collect(),
            credentials,
            headers: ["content-type", "X-Token"].map(|name| header_name(name).unwrap()).to_vec(),
            max_age: Duration::from_millis(600_999),
        }
    }

    fn cors(origins: &[&str], credentials: bool) -> Cors {
        Cors::new(settings(origins, credentials)).unwrap()
    }

    fn granted(cors: &Cors, origin: &str) -> Option<String> {
        cors.grant(Field::Once(origin.as_bytes())).map(|grant| grant.origin().to_owned())
    }

    #[test]
    fn an_origin_is_granted_to_whom_a_pattern_covers() {
        let cors = cors(&["http://localhost:3000", BRIDGE, "https://*.preview.example.org"], false);
        for origin in ["http://localhost:3000", BRIDGE, "https://pr-7.preview.example.org"] {
            assert_eq!(granted(&cors, origin).as_deref(), Some(origin));
        }
        assert_eq!(granted(&cors, "HTTPS://Bridge.Example.org").as_deref(), Some(BRIDGE));
        for other in [
            "http://localhost",
            "https://evil.org",
            "https://a.b.preview.example.org",
            "null",
            "NULL",
            "*",
            "",
            "https://bridge.example.org, https://evil.org",
            "https://bridge.example.org https://evil.org",
            " https://bridge.example.org",
            "https://evil.org\n.preview.example.org",
        ] {
            assert_eq!(granted(&cors, other), None, "{other}");
        }
        assert_eq!(cors.grant(Field::Absent), None);
        assert_eq!(cors.grant(Field::Repeated), None);
        assert_eq!(cors.grant(Field::Once(b"https://bridge.example.org\xff")), None);
    }

    #[test]
    fn a_star_is_granted_to_all_but_null() {
        let open = cors(&["*"], false);
        assert_eq!(granted(&open, BRIDGE).as_deref(), Some("*"));
        assert_eq!(granted(&open, "https://anybody.org:1").as_deref(), Some("*"));
        for none in ["null", "Null", "", "*", "https://a,https://b", "https://a\tb"] {
            assert_eq!(granted(&open, none), None, "{none}");
        }
        assert_eq!(open.grant(Field::Absent), None);
        assert_eq!(open.grant(Field::Repeated), None);
    }

    #[test]
    fn settings_that_contradict_each_other_are_found() {
        let found = |origins: &[&str], credentials| {
            let problems = Cors::new(settings(origins, credentials)).err().unwrap_or_default();
            assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
            problems.into_iter().map(|problem| (problem.setting, problem.message)).collect::<Vec<_>>()
        };
        let none = (Setting::Origins, "no origin is allowed");
        let more = (Setting::Origins, "* allows every origin already");
        let open = (Setting::Credentials, "credentials cannot be allowed to every origin");
        assert_eq!(found(&[BRIDGE], true), []);
        assert_eq!(found(&[BRIDGE, "https://*.example.org"], false), []);
        assert_eq!(found(&["https://*.example.org"], true), []);
        assert_eq!(found(&["*"], false), []);
        assert_eq!(found(&[], true), [none]);
        assert_eq!(found(&["*"], true), [open]);
        assert_eq!(found(&[BRIDGE, "*"], false), [more]);
        assert_eq!(found(&[BRIDGE, "*"], true), [more, open]);
    }

    #[test]
    fn every_answer_varies_and_a_granted_one_may_be_read() {
        let plain = cors(&[BRIDGE], false);
        assert_eq!(plain.share(None), [("vary", "origin".to_owned())]);
        let allowed = plain.grant(Field::Once(BRIDGE.as_bytes()));
        assert_eq!(
            plain.share(allowed.as_ref()),
            [
                ("vary", "origin"),
                ("access-control-allow-origin", BRIDGE),
                ("access-control-expose-headers", "allow, retry-after, www-authenticate, x-request-id"),
            ]
            .map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn a_preflight_is_told_what_it_may() {
        const VARY: (&str, &str) =
            ("vary", "origin, access-control-request-method, access-control-request-headers");
        let plain = cors(&[BRIDGE], false);
        assert_eq!(plain.preflight(None), [(VARY.0, VARY.1.to_owned())]);
        let allowed = plain.grant(Field::Once(BRIDGE.as_bytes()));
        assert_eq!(
            plain.preflight(allowed.as_ref()),
            [
                VARY,
                ("access-control-allow-origin", BRIDGE),
                ("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"),
                ("access-control-allow-headers", "content-type, x-token"),
                ("access-control-max-age", "600"),
            ]
            .map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn credentials_are_allowed_only_where_configured_and_granted() {
        let with = cors(&[BRIDGE], true);
        let grant = with.grant(Field::Once(BRIDGE.as_bytes()));
        let credentials = |lines: Vec<Line>| {
            let line = lines.into_iter().find(|(name, _)| *name == "access-control-allow-credentials");
            line.map(|(_, value)| value)
        };
        assert_eq!(credentials(with.share(grant.as_ref())).as_deref(), Some("true"));
        assert_eq!(credentials(with.preflight(grant.as_ref())).as_deref(), Some("true"));
        assert_eq!(credentials(with.share(None)), None);
        assert_eq!(credentials(with.preflight(None)), None);
    }

    #[test]
    fn without_allowed_headers_there_is_no_empty_line() {
        let cors = Cors::new(Settings { headers: Vec::new(), ..settings(&[BRIDGE], false) }).unwrap();
        let lines = cors.preflight(cors.grant(Field::Once(BRIDGE.as_bytes())).as_ref());
        assert!(
            lines.iter().all(|(name, value)| *name != "access-control-allow-headers" && !value.is_empty())
        );
    }

    /// What a script could not read anyway needs no exposing, and what it could is not left out.
    #[test]
    fn what_denials_carry_is_readable() {
        use crate::denial::Denial;
        use crate::request::Methods;
        // Fetch, "CORS-safelisted response-header name".
        let safe = ["cache-control", "content-type"];
        for denial in [
            Denial::NoToken,
            Denial::Busy { retry_after: 7 },
            Denial::MethodNotAllowed { allow: Methods::ANY },
            Denial::BodyTooLarge,
        ] {
            for (name, _) in denial.response().headers {
                assert!(safe.contains(&name) || EXPOSED.split(", ").any(|exposed| exposed == name), "{name}");
            }
        }
    }

    #[test]
    fn a_preflight_is_options_from_one_origin_about_a_method() {
        let origin = Field::Once(BRIDGE.as_bytes());
        let asks = Field::Once(b"PUT".as_slice());
        for method in Method::ALL {
            assert_eq!(is_preflight(method, origin, asks), method == Method::Options);
        }
        // Refused, but a preflight all the same: it must not reach an upstream.
        assert!(is_preflight(Method::Options, Field::Once(b"null"), asks));
        assert!(is_preflight(Method::Options, origin, Field::Once(b"BREW")));
        assert!(is_preflight(Method::Options, origin, Field::Repeated));
        assert!(!is_preflight(Method::Options, origin, Field::Absent));
        assert!(!is_preflight(Method::Options, origin, Field::Once(b"")));
        assert!(!is_preflight(Method::Options, Field::Absent, asks));
        assert!(!is_preflight(Method::Options, Field::Repeated, asks));
    }

    #[test]
    fn header_names_are_tokens() {
        assert_eq!(header_name("X-Token").unwrap(), "x-token");
        assert_eq!(header_name("x_odd.but~fine").unwrap(), "x_odd.but~fine");
        for (text, marked, message) in [
            ("", "", "this is empty"),
            ("*", "*", "* is not understood everywhere"),
            ("x-token, x-other", ",", "no header's name has this"),
            ("x-token:", ":", "no header's name has this"),
            (" x-token", " ", "no header's name has this"),
            ("x\r\nset-cookie", "\r", "no header's name has this"),
            ("schl\u{fc}ssel", "\u{fc}", "no header's name has this"),
        ] {
            let problem = header_name(text).unwrap_err();
            assert_eq!((text.get(problem.span.clone()), problem.message), (Some(marked), message), "{text}");
        }
    }
}
