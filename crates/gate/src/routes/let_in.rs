//! What is let in, as a list: for people who want to see it, not for the gate, which looks requests up one by one.

use std::rc::Rc;

use super::template::Segment;
use super::{Access, Lookup, Operation, Policy, Protocol, Route, Routes, Target, Template};
use crate::path::CanonicalPath;
use crate::request::{Field, Method, Methods};

/// Requests that are let in: all paths of one template with some methods.
#[derive(Clone, Debug)]
pub struct LetIn {
    /// Who is asked.
    pub access: Access,
    /// Which methods. HEAD is among them where it counts as GET.
    pub methods: Methods,
    /// Ordinary requests or WebSocket handshakes.
    pub protocol: Protocol,
    /// Which paths, as clients send them.
    pub template: Template,
    /// Prefixes below which other entries say what is let in: another policy holds there.
    pub except: Vec<Rc<str>>,
    /// Where they are sent; `None`: the gateway answers them itself.
    pub sent: Option<Sent>,
    /// A route of the configuration's own, a document or the WebSocket of the profile, or an operation that its
    /// service describes. Otherwise a route that dispatches whatever comes: the service decides.
    pub described: bool,
    /// It is marked as internal.
    pub is_internal: bool,
    /// It is refused with 403 after all, because it is internal and `internal` is `deny`. It is listed because a wider
    /// entry would let it in otherwise.
    pub is_denied: bool,
}

/// Where requests are sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// The upstream.
    pub upstream: Rc<str>,
    /// The paths as it sees them.
    pub template: Template,
}

impl Routes {
    /// Everything that is let in, in the order of the routes. `is_denied` is the configuration's to say.
    pub(crate) fn let_in(&self) -> Vec<LetIn> {
        let list = List { table: self, samples: Samples::new(self) };
        self.all.iter().flat_map(|route| list.of_route(route)).collect()
    }
}

struct List<'a> {
    table: &'a Routes,
    samples: Samples,
}

impl List<'_> {
    fn of_route(&self, route: &Rc<Route>) -> Vec<LetIn> {
        let with_head = match route.protocol {
            Protocol::Http => route.methods.with_head(),
            Protocol::WebSocket => route.methods,
        };
        let mut entries = Vec::new();
        // No policy makes a difference to what a route describes, unless HEAD is to pass where GET does.
        if route.describes && with_head == route.methods {
            let whole = |template: &Template| vec![(template.clone(), Vec::new())];
            self.add(&mut entries, route, route.methods, true, whole);
        } else {
            for (policy, methods) in [(Policy::Open, route.methods), (Policy::Strict, with_head)] {
                let passes = route.describes || policy == Policy::Open;
                let parts = |template: &Template| self.table.policies.parts(template, policy);
                self.add(&mut entries, route, methods, passes, parts);
            }
        }
        entries
    }

    /// Adds what the route lets through where a policy holds: by itself, if it `passes` there, and the internal
    /// operations below it; otherwise what its upstream describes.
    fn add(
        &self,
        entries: &mut Vec<LetIn>,
        route: &Rc<Route>,
        methods: Methods,
        passes: bool,
        parts: impl Fn(&Template) -> Vec<(Template, Vec<Rc<str>>)>,
    ) {
        if passes {
            for (template, except) in parts(&route.template) {
                entries.extend(self.entries(route, None, methods, &template, &except));
            }
        }
        let (upstream, strip) = route.target.described_by();
        for operation in self.table.operations.of(upstream) {
            if passes && !operation.is_internal {
                continue;
            }
            let as_sent = Template::parse(&format!("{strip}{}", operation.template)).ok();
            let Some(template) = as_sent.and_then(|template| route.template.meet(&template)) else {
                continue;
            };
            // Where the route is for this operation alone, it is marked itself.
            if passes && template.segments == route.template.segments && !route.template.is_prefix {
                continue;
            }
            let methods = operation.methods.with_head().intersection(methods);
            for (template, except) in parts(&template) {
                entries.extend(self.entries(route, Some(operation), methods, &template, &except));
            }
        }
    }

    /// The entries for one template: internal methods and others apart, and only what is found so.
    fn entries(
        &self,
        route: &Rc<Route>,
        operation: Option<&Rc<Operation>>,
        methods: Methods,
        template: &Template,
        except: &[Rc<str>],
    ) -> Vec<LetIn> {
        let found = |method: &Method, is_internal: bool| {
            self.samples.of(template).any(|sample| {
                let Ok(path) = CanonicalPath::read(Field::Once(sample.as_bytes())) else { return false };
                let Ok(Lookup::Route(found)) = self.table.find(&path, *method, route.protocol) else {
                    return false;
                };
                let is_this =
                    |operation| found.operation.as_ref().is_some_and(|it| Rc::ptr_eq(it, operation));
                Rc::ptr_eq(&found.route, route)
                    && operation.is_none_or(is_this)
                    && found.is_internal == is_internal
            })
        };
        let entry = |is_internal| {
            let methods: Vec<_> = methods.iter().filter(|method| found(method, is_internal)).collect();
            let sent = match &route.target {
                Target::Upstream { upstream, strip } => Some(Sent {
                    upstream: Rc::clone(&upstream.name),
                    template: template.without(strip.as_deref().unwrap_or_default())?,
                }),
                Target::TokenCheck => None,
            };
            (!methods.is_empty()).then(|| LetIn {
                access: route.access,
                methods: Methods::of(&methods),
                protocol: route.protocol,
                template: template.clone(),
                except: except.to_vec(),
                sent,
                described: route.describes || operation.is_some(),
                is_internal,
                is_denied: false,
            })
        };
        [false, true].into_iter().filter_map(entry).collect()
    }
}

/// Paths to look up in the place of all that match a template.
pub(super) struct Samples {
    /// In the place of a parameter: no literal of the table's.
    name: String,
    /// How many segments in the place of `{*rest}`: more than any template of the table's has.
    depth: usize,
}

impl Samples {
    pub(super) fn new(table: &Routes) -> Self {
        let routes = table.all.iter().map(|route| &route.template);
        let templates: Vec<_> =
            routes.chain(table.operations.templates()).chain(table.policies.templates()).collect();
        let is_taken = |name: &str| {
            let is_it =
                |segment: &Segment| matches!(segment, Segment::Literal(literal) if literal.as_ref() == name);
            templates.iter().any(|template| template.segments.iter().any(is_it))
        };
        let name =
            (0..).map(|number: u32| format!("x{number}")).find(|name| !is_taken(name)).unwrap_or_default();
        let depth = templates.iter().map(|template| template.segments.len()).max().unwrap_or_default();
        Self { name, depth: depth.saturating_add(1) }
    }

    pub(super) fn of<'a>(&'a self, template: &'a Template) -> impl Iterator<Item = String> + 'a {
        let lengths = if template.is_prefix { 1..=self.depth } else { 1..=1 };
        lengths.map(|length| template.sample(&self.name, &vec![self.name.as_str(); length].join("/")))
    }
}
