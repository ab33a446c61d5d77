//! The `keptn-0.6` profile: the API of Keptn 0.6.2 as its clients use it.
//!
//! Keptn's own gateway was an nginx with un-anchored, case-blind expressions. What clients rely on is
//! kept, what was an accident is not: docs/security.md lists the differences.

use std::rc::Rc;

use super::{Access, InternalOperation, Protocol, Route, Target, Template, TemplateError, Upstream};
use crate::request::{Method, Methods};

const READ: Methods = Methods::of(&[Method::Get, Method::Head]);

/// Public documents of api-service: its Swagger UI, its description, and Redoc's page of it.
const PUBLIC: [&str; 4] = ["/swagger-ui", "/swagger-ui/{*rest}", "/swagger.json", "/v1/docs"];

/// Resources under the paths that Keptn's command line uses. There is none for a service's defaults:
/// nginx sent that path to api-service.
const RESOURCES: [&str; 3] = [
    "/v1/project/{project}/resource",
    "/v1/project/{project}/stage/{stage}/resource",
    "/v1/project/{project}/stage/{stage}/service/{service}/resource",
];

const CONFIGURATION_SERVICE: &str = "configuration-service";

/// The prefix under which all of configuration-service can be reached, and which it does not know.
const PREFIX: &str = "/configuration-service";

/// Resources under the prefix whose name may contain `%2F`.
const PREFIXED_RESOURCES: [&str; 4] = [
    "/configuration-service/v1/project/{project}/resource/{+resourceURI}",
    "/configuration-service/v1/project/{project}/stage/{stage}/resource/{+resourceURI}",
    "/configuration-service/v1/project/{project}/stage/{stage}/service/{service}/resource/{+resourceURI}",
    "/configuration-service/v1/project/{project}/service/{service}/resource/{+resourceURI}",
];

/// The nine operations whose summary begins with "INTERNAL Endpoint:" in configuration-service's
/// description. api-service's events make them happen; nobody is meant to call them.
const INTERNAL: [(Method, &str); 9] = [
    (Method::Post, "/v1/project"),
    (Method::Put, "/v1/project/{project}"),
    (Method::Delete, "/v1/project/{project}"),
    (Method::Post, "/v1/project/{project}/stage"),
    (Method::Put, "/v1/project/{project}/stage/{stage}"),
    (Method::Delete, "/v1/project/{project}/stage/{stage}"),
    (Method::Post, "/v1/project/{project}/stage/{stage}/service"),
    (Method::Put, "/v1/project/{project}/stage/{stage}/service/{service}"),
    (Method::Delete, "/v1/project/{project}/stage/{stage}/service/{service}"),
];

/// The profile's upstreams: api-service, which judges `x-token` once more and so must see it, and
/// configuration-service, which judges nobody.
pub(crate) fn upstreams() -> [Upstream; 2] {
    [
        Upstream { name: "api-service".into(), keeps_token: true },
        Upstream { name: CONFIGURATION_SERVICE.into(), keeps_token: false },
    ]
}

/// The profile's routes and internal operations.
///
/// # Errors
///
/// None, unless a template in this file is wrong: a test reads them all.
pub fn keptn_0_6() -> Result<(Vec<Route>, Vec<InternalOperation>), TemplateError> {
    let [api, configuration] = upstreams().map(|upstream| Target::Upstream { upstream, strip: None });
    let stripped = match &configuration {
        Target::Upstream { upstream, .. } => {
            Target::Upstream { upstream: upstream.clone(), strip: Some(Rc::from(PREFIX)) }
        }
        Target::TokenCheck => Target::TokenCheck,
    };
    let route = |template: &str, methods, protocol, access, target: &Target| {
        Template::parse(template).map(|template| Route {
            template,
            methods,
            protocol,
            access,
            target: target.clone(),
        })
    };
    let http =
        |template: &str, methods, access, target| route(template, methods, Protocol::Http, access, target);

    let mut routes = vec![
        route("/", Methods::of(&[Method::Get]), Protocol::WebSocket, Access::Upstream, &api)?,
        http("/v1/auth", Methods::ANY, Access::Token, &Target::TokenCheck)?,
        http("/configuration-service/swagger-ui/swagger.yaml", READ, Access::Public, &stripped)?,
        http("/configuration-service/{*rest}", Methods::ANY, Access::Token, &stripped)?,
        http("/{*rest}", Methods::ANY, Access::Token, &api)?,
    ];
    for template in PUBLIC {
        routes.push(http(template, READ, Access::Public, &api)?);
    }
    for template in RESOURCES {
        routes.push(http(template, Methods::ANY, Access::Token, &configuration)?);
        let named = format!("{template}/{{+resourceURI}}");
        routes.push(http(&named, Methods::ANY, Access::Token, &configuration)?);
    }
    for template in PREFIXED_RESOURCES {
        routes.push(http(template, Methods::ANY, Access::Token, &stripped)?);
    }
    let internal = INTERNAL
        .into_iter()
        .map(|(method, template)| {
            let upstream = CONFIGURATION_SERVICE.into();
            Ok(InternalOperation { upstream, template: Template::parse(template)?, method })
        })
        .collect::<Result<_, _>>()?;
    Ok((routes, internal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::Routes;

    #[test]
    fn the_profile_is_sound() {
        let (routes, internal) = keptn_0_6().unwrap();
        assert_eq!((routes.len(), internal.len()), (19, 9));
        Routes::new(routes, &internal).unwrap();
    }
}
