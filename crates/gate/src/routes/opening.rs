//! What routes of one's own open that the profile or a policy shuts: for warnings, not for the gate.

use std::rc::Rc;

use super::let_in::Samples;
use super::{Lookup, Operation, Policies, Policy, Protocol, Route, Routes, Target, Template};
use crate::path::CanonicalPath;
use crate::request::{Field, Method, Methods};

/// Compares a table with what the profile would do alone.
pub(crate) struct Openings<'a> {
    table: &'a Routes,
    profile: Routes,
    samples: Samples,
    /// The profile's operations: the service and the template as clients call it.
    described: Vec<(Template, Rc<Operation>)>,
}

/// Requests for an operation of the profile's that a route of one's own takes.
pub(crate) struct Taken {
    /// Which methods.
    pub methods: Methods,
    /// The operation, as clients call it.
    pub template: Template,
    /// The service that describes it.
    pub upstream: Rc<str>,
}

/// What an upstream does not describe, although a route of one's own leads to it where the policy is strict.
pub(crate) struct Lacking {
    /// Which methods.
    pub methods: Methods,
    /// There is nothing for these paths, with any method.
    pub is_path: bool,
}

impl<'a> Openings<'a> {
    /// `profile` is what the table was made of besides routes of one's own.
    pub(crate) fn new(table: &'a Routes, (routes, operations): (Vec<Route>, Vec<Operation>)) -> Self {
        // The profile has no conflicts: a test says so.
        let profile = Routes::new(routes, operations, Policies::default()).unwrap_or_default();
        let mut described = Vec::new();
        for route in profile.all.iter().filter(|route| !route.describes) {
            let (upstream, strip) = route.target.described_by();
            for operation in profile.operations.of(upstream) {
                let as_called = Template::parse(&format!("{strip}{}", operation.template)).ok();
                let template = as_called.and_then(|template| route.template.meet(&template));
                described.extend(template.map(|template| (template, Rc::clone(operation))));
            }
        }
        Self { table, profile, samples: Samples::new(table), described }
    }

    /// The first of the profile's operations that the route at `place` takes requests for, and sends elsewhere or lets
    /// through for nothing.
    pub(crate) fn taken_by(&self, place: usize) -> Option<Taken> {
        let own = self.table.all.get(place)?;
        self.described.iter().find_map(|(template, operation)| {
            let both = template.meet(&own.template)?;
            let sample = self.samples.of(&both).next()?;
            let path = CanonicalPath::read(Field::Once(sample.as_bytes())).ok()?;
            let is_taken = |method: &Method| {
                let before = self.profile.find(&path, *method, Protocol::Http);
                let after = self.table.find(&path, *method, Protocol::Http);
                let (Ok(Lookup::Route(before)), Ok(Lookup::Route(after))) = (before, after) else {
                    return false;
                };
                let is_other =
                    before.route.access != own.access || sent(&before.route, &path) != sent(own, &path);
                before.operation.is_some() && Rc::ptr_eq(&after.route, own) && is_other
            };
            let methods: Vec<_> = operation.methods.iter().filter(is_taken).collect();
            (!methods.is_empty()).then(|| Taken {
                methods: Methods::of(&methods),
                template: template.clone(),
                upstream: Rc::clone(&operation.upstream),
            })
        })
    }

    /// What the route at `place` lets through that its upstream, which describes itself, does not describe.
    pub(crate) fn lacking(&self, place: usize) -> Option<Lacking> {
        let own = self.table.all.get(place)?;
        let (upstream, strip) = own.target.described_by();
        let operations = &self.table.operations;
        self.table.policies.parts(&own.template, Policy::Strict).iter().find_map(|(part, _)| {
            let sample = self.samples.of(&part.without(strip)?).next()?;
            let path = CanonicalPath::read(Field::Once(sample.as_bytes())).ok()?;
            let is_lacking = |method: &Method| operations.find(upstream, &path, *method).is_none();
            let methods: Vec<_> = own.methods.iter().filter(is_lacking).collect();
            let is_path = operations.allow(upstream, &path).is_empty();
            (!methods.is_empty()).then(|| Lacking { methods: Methods::of(&methods), is_path })
        })
    }

    /// A route that dispatches to a service which is shut below another one's prefix, while no policy is said of this
    /// one, and it is open.
    pub(crate) fn way_round(&self) -> Option<&Route> {
        let policies = &self.table.policies;
        let dispatches = || self.table.iter().filter(|route| !route.describes);
        let is_shut = |upstream| {
            let mut there = dispatches().filter(|route| name(route) == upstream && route.template.is_prefix);
            there.any(|route| policies.are_strict_in(&route.template))
        };
        // Where there is one route to a service, whoever shuts a part of it knows that the rest is open.
        dispatches().find(|route| {
            !route.template.is_prefix
                && policies.are_open_by_default_at(&route.template)
                && name(route).is_some_and(|upstream| is_shut(Some(upstream)))
        })
    }
}

fn name(route: &Route) -> Option<&str> {
    match &route.target {
        Target::Upstream { upstream, .. } => Some(&upstream.name),
        Target::TokenCheck => None,
    }
}

/// Where a request goes, and as which path.
fn sent(route: &Route, path: &CanonicalPath<'_>) -> Option<(Rc<str>, String)> {
    match &route.target {
        Target::Upstream { upstream, strip } => {
            Some((Rc::clone(&upstream.name), path.without(strip.as_deref().unwrap_or_default()).target()))
        }
        Target::TokenCheck => None,
    }
}
