//! Who is asked: what a description's `security` means to the gateway.

use std::collections::{HashMap, HashSet};

use super::files::Files;
use super::place::{At, Spot};
use crate::input::node::Data;

/// Whether an operation is for everybody, or for those with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Access {
    Public,
    Token,
}

impl Access {
    /// The word for it in the gateway's configuration.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Token => "token",
        }
    }
}

/// What a description says of security.
#[derive(Debug, Default)]
pub(super) struct Schemes {
    /// By their names: what each is, unless it is an `x-token` header.
    known: HashMap<String, Option<(Spot, String)>>,
    told: HashSet<String>,
}

impl Schemes {
    /// Reads `securityDefinitions` or `components.securitySchemes`.
    pub(super) fn read(files: &mut Files, schemes: Option<&At>) -> Self {
        let mut known = HashMap::new();
        let fields = schemes.map(|schemes| files.fields(schemes, "object of security schemes"));
        for field in fields.unwrap_or_default() {
            let Some(scheme) = files.resolve(&field.value) else {
                known.insert(field.key, None);
                continue;
            };
            let fields = files.fields(&scheme, "security scheme");
            let text = |key| fields.get(key).and_then(|field| field.value.as_str()).unwrap_or_default();
            let is_ours = text("type") == "apiKey"
                && text("in") == "header"
                && text("name").eq_ignore_ascii_case("x-token");
            let what = match (text("type"), text("scheme")) {
                ("apiKey", _) => format!("an API key in the {} {}", text("in"), text("name")),
                ("http", scheme) => format!("HTTP's {scheme}"),
                (kind, _) => kind.to_owned(),
            };
            known.insert(field.key, (!is_ours).then_some((field.spot, what)));
        }
        Self { known, told: HashSet::new() }
    }

    /// What this `security` asks for; if it is missing, nothing.
    pub(super) fn access(&mut self, files: &mut Files, security: Option<&At>) -> Access {
        let Some(security) = security else { return Access::Public };
        if !matches!(security.node.data, Data::List(_)) {
            files.problem(
                &security.spot(),
                "this is no list of requirements",
                "write a list; [] asks for nothing",
            );
            return Access::Token;
        }
        let alternatives = files.items(security, "requirements");
        let (mut asks, mut without) = (false, None);
        for alternative in &alternatives {
            if !matches!(alternative.node.data, Data::Object(_)) {
                files.problem(
                    &alternative.spot(),
                    "this is no requirement",
                    "write an object, such as {\"key\": []}",
                );
                asks = true;
                continue;
            }
            let schemes = files.fields(alternative, "requirement");
            if schemes.is_empty() {
                without = Some(alternative.spot());
            }
            for scheme in schemes {
                asks = true;
                self.tell(files, &scheme.key, &scheme.spot);
            }
        }
        match (asks, without) {
            (true, Some(spot)) => {
                let message = "here the token is optional; the gateway asks for it";
                files.warning(&spot, message, "leave only {} for a public operation");
                Access::Token
            }
            (true, None) => Access::Token,
            (false, _) => Access::Public,
        }
    }

    /// Says of a scheme that is used, once, that the gateway asks for something else.
    fn tell(&mut self, files: &mut Files, name: &str, spot: &Spot) {
        if !self.told.insert(name.to_owned()) {
            return;
        }
        match self.known.get(name) {
            None => files.problem(spot, "there is no such security scheme", "the gateway asks for x-token"),
            Some(Some((spot, what))) => {
                let message = format!("this is {what}; the gateway asks for the header x-token all the same");
                files.warning(spot, message, "");
            }
            Some(None) => {}
        }
    }
}
