//! The `keptn-0.6` profile: the API of Keptn 0.6.2 as its clients use it.
//!
//! Keptn's own gateway was an nginx with un-anchored, case-blind expressions. What clients rely on is
//! kept, what was an accident is not: docs/security.md lists the differences.

use std::rc::Rc;

use super::{Access, Operation, Protocol, Route, Target, Template, Upstream};
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

pub(super) const API_SERVICE: &str = "api-service";
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

/// What the services' public descriptions describe, in the form of [`Operation`]. Nine of configuration-service's are
/// marked as internal there: api-service's events make them happen, and nobody is meant to call them.
const DESCRIBED: [(&str, &str); 2] = [
    (API_SERVICE, include_str!("keptn_0_6/api-service.operations")),
    (CONFIGURATION_SERVICE, include_str!("keptn_0_6/configuration-service.operations")),
];

/// The profile's upstreams: api-service, which judges `x-token` once more and so must see it, and
/// configuration-service, which judges nobody.
pub(crate) fn upstreams() -> [Upstream; 2] {
    [
        Upstream { name: API_SERVICE.into(), keeps_token: true },
        Upstream { name: CONFIGURATION_SERVICE.into(), keeps_token: false },
    ]
}

/// The profile's routes, and what its upstreams describe.
///
/// # Errors
///
/// None, unless a template or a description of the profile is wrong: a test reads them all.
pub(crate) fn keptn_0_6() -> Result<(Vec<Route>, Vec<Operation>), &'static str> {
    let [api, configuration] = upstreams().map(|upstream| Target::Upstream { upstream, strip: None });
    let stripped = match &configuration {
        Target::Upstream { upstream, .. } => {
            Target::Upstream { upstream: upstream.clone(), strip: Some(Rc::from(PREFIX)) }
        }
        Target::TokenCheck => Target::TokenCheck,
    };
    let route = |template: &str, methods, protocol, access, target: &Target| {
        let template = Template::parse(template).map_err(|error| error.message)?;
        let (target, describes) = (target.clone(), true);
        Ok(Route { template, methods, protocol, access, target, describes, is_internal: false })
    };
    let document = |template: &str, target| route(template, READ, Protocol::Http, Access::Public, target);
    let dispatch = |template: &str, target| {
        let route = route(template, Methods::ANY, Protocol::Http, Access::Token, target)?;
        Ok(Route { describes: false, ..route })
    };

    let mut routes = vec![
        route("/", Methods::of(&[Method::Get]), Protocol::WebSocket, Access::Upstream, &api)?,
        dispatch("/v1/auth", &Target::TokenCheck)?,
        document("/configuration-service/swagger-ui/swagger.yaml", &stripped)?,
        dispatch("/configuration-service/{*rest}", &stripped)?,
        dispatch("/{*rest}", &api)?,
    ];
    for template in PUBLIC {
        routes.push(document(template, &api)?);
    }
    for template in RESOURCES {
        routes.push(dispatch(template, &configuration)?);
        routes.push(dispatch(&format!("{template}/{{+resourceURI}}"), &configuration)?);
    }
    for template in PREFIXED_RESOURCES {
        routes.push(dispatch(template, &stripped)?);
    }
    let mut operations = Vec::new();
    for (upstream, text) in DESCRIBED {
        operations.extend(Operation::read_all(upstream, text).map_err(|error| error.message)?);
    }
    Ok((routes, operations))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::{Policies, Routes};

    #[test]
    fn the_profile_is_sound() {
        let (routes, operations) = keptn_0_6().unwrap();
        assert_eq!(routes.len(), 19);
        let of = |upstream: &str, is_internal: bool| {
            let its = operations.iter().filter(|operation| operation.upstream.as_ref() == upstream);
            let marked = its.filter(|operation| operation.is_internal == is_internal);
            marked.map(|operation| operation.methods.iter().count()).sum::<usize>()
        };
        // As many as are in the services' descriptions.
        assert_eq!((of(API_SERVICE, false), of(API_SERVICE, true)), (7, 0));
        assert_eq!((of(CONFIGURATION_SERVICE, false), of(CONFIGURATION_SERVICE, true)), (30, 9));
        Routes::new(routes, operations, Policies::default()).unwrap();
    }

    /// So that what writes them writes the same.
    #[test]
    fn descriptions_are_written_as_they_are_read() {
        for (upstream, text) in DESCRIBED {
            let lines: Vec<_> =
                Operation::read_all(upstream, text).unwrap().iter().map(|line| format!("{line}\n")).collect();
            assert_eq!(lines.concat(), text);
        }
    }
}
