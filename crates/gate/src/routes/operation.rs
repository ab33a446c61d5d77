//! Operations: what a service describes of itself.
//!
//! A description is compact text, one line for the methods of a template that are alike:
//!
//! ```text
//! GET,POST /v1/event token
//! PUT,DELETE /v1/project/{projectName} token internal
//! ```
//!
//! Methods, the template of the path as the service sees it, who is asked, and `internal` where the service
//! marks it so. Who is asked is always `token`: the routes that lead to a described service ask for one.

use core::fmt;
use std::rc::Rc;

use super::template::{Template, TemplateError};
use super::tree::Tree;
use crate::path::CanonicalPath;
use crate::request::{Method, Methods};

/// Methods of one path that a service describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The service.
    pub upstream: Rc<str>,
    /// Which paths, as the service sees them: a route of one's own is no way round.
    pub template: Template,
    /// Which methods.
    pub methods: Methods,
    /// The service marks it as internal: nobody but Keptn itself is meant to call it.
    pub is_internal: bool,
}

/// A line that describes no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: &'static str,
}

impl Operation {
    /// Reads the description of `upstream`.
    ///
    /// # Errors
    ///
    /// The first line that describes no operation.
    ///
    /// ```
    /// use gate::routes::Operation;
    ///
    /// let operations = Operation::read_all("api-service", "GET,POST /v1/event token\n").unwrap();
    /// assert_eq!(operations[0].to_string(), "GET,POST /v1/event token");
    /// assert_eq!(Operation::read_all("api-service", "\nGET v1 token").unwrap_err().line, 2);
    /// ```
    pub fn read_all(upstream: &str, text: &str) -> Result<Vec<Self>, OperationError> {
        let upstream = Rc::from(upstream);
        let read = |(line, text): (usize, &str)| {
            Self::read(&upstream, text).map_err(|message| OperationError { line, message })
        };
        (1..).zip(text.lines()).filter(|(_, text)| !text.is_empty()).map(read).collect()
    }

    fn read(upstream: &Rc<str>, line: &str) -> Result<Self, &'static str> {
        let mut words = line.split(' ');
        let mut word = || words.next();
        let (Some(methods), Some(template)) = (word(), word()) else {
            return Err("write METHODS TEMPLATE token, and internal if it is");
        };
        let methods: Option<Vec<_>> = methods.split(',').map(|name| Method::parse(name.as_bytes())).collect();
        let methods = Methods::of(&methods.ok_or("there is no such method")?);
        let template = Template::parse(template).map_err(|error: TemplateError| error.message)?;
        if word() != Some("token") {
            return Err("who is asked must be token");
        }
        let is_internal = match word() {
            None => false,
            Some("internal") => true,
            Some(_) => return Err("only internal can follow"),
        };
        if word().is_some() {
            return Err("nothing can follow internal");
        }
        Ok(Self { upstream: Rc::clone(upstream), template, methods, is_internal })
    }
}

/// The line that describes it.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, method) in self.methods.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            f.write_str(method.name())?;
        }
        write!(f, " {} token", self.template)?;
        if self.is_internal { f.write_str(" internal") } else { Ok(()) }
    }
}

/// All that is described, of all services.
#[derive(Clone, Debug, Default)]
pub(super) struct Operations {
    all: Vec<Rc<Operation>>,
    tree: Tree<Rc<Operation>>,
}

impl Operations {
    pub(super) fn new(operations: Vec<Operation>) -> Self {
        let mut described = Self::default();
        for operation in operations {
            let operation = Rc::new(operation);
            described.tree.entry(&operation.template).push(Rc::clone(&operation));
            described.all.push(operation);
        }
        described
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.all.iter().map(|operation| &operation.template)
    }

    /// Those of one service.
    pub(super) fn of<'a>(&'a self, upstream: &'a str) -> impl Iterator<Item = &'a Rc<Operation>> {
        self.all.iter().filter(move |operation| operation.upstream.as_ref() == upstream)
    }

    /// The operation that `upstream` describes for `path`, as it would see it. HEAD counts as GET where it is not
    /// described itself.
    pub(super) fn find(
        &self,
        upstream: &str,
        path: &CanonicalPath<'_>,
        method: Method,
    ) -> Option<&Rc<Operation>> {
        let is_it = |operation: &Rc<Operation>, methods: Methods| {
            operation.upstream.as_ref() == upstream && methods.contains(method)
        };
        let with_head = |operation: &Rc<Operation>| is_it(operation, operation.methods.with_head());
        let here = self.tree.find(path, with_head)?;
        let itself = here.iter().find(|operation| is_it(operation, operation.methods));
        itself.or_else(|| here.iter().find(|operation| with_head(operation)))
    }

    /// The methods that `upstream` describes for `path`; none if it does not know the path.
    pub(super) fn allow(&self, upstream: &str, path: &CanonicalPath<'_>) -> Methods {
        let is_its = |operation: &Rc<Operation>| operation.upstream.as_ref() == upstream;
        let here = self.tree.find(path, is_its).unwrap_or_default().iter();
        let methods = here.filter(|operation| is_its(operation)).map(|operation| operation.methods);
        methods.fold(Methods::of(&[]), Methods::union).with_head()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Field;

    #[test]
    fn what_is_no_operation_is_named_with_its_line() {
        for (text, line, message) in [
            ("GET", 1, "write METHODS TEMPLATE token, and internal if it is"),
            ("GET /a token\nGET,BREW /b token", 2, "there is no such method"),
            ("get /a token", 1, "there is no such method"),
            ("GET, /a token", 1, "there is no such method"),
            ("GET a token", 1, "a template must start with a slash"),
            ("GET /a{b} token", 1, "a parameter must be a whole segment"),
            ("GET /a", 1, "who is asked must be token"),
            ("GET /a public", 1, "who is asked must be token"),
            ("GET /a  token", 1, "who is asked must be token"),
            ("GET /a token deprecated", 1, "only internal can follow"),
            ("\n\nGET /a token internal twice", 3, "nothing can follow internal"),
        ] {
            let error = OperationError { line, message };
            assert_eq!(Operation::read_all("a", text), Err(error), "{text}");
        }
    }

    #[test]
    fn head_is_get_unless_it_is_described_itself() {
        let text = "GET /a token internal\nHEAD /a token\nGET,PUT /b token internal\nPOST /c token";
        let operations = Operations::new(Operation::read_all("x", text).unwrap());
        let head = |path: &str| {
            let path = CanonicalPath::read(Field::Once(path.as_bytes())).unwrap();
            let found = operations.find("x", &path, Method::Head).map(|operation| operation.is_internal);
            assert!(operations.find("y", &path, Method::Head).is_none());
            let allow = operations.allow("x", &path);
            (found, allow.iter().map(Method::name).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(head("/a"), (Some(false), "GET HEAD".to_owned()));
        assert_eq!(head("/b"), (Some(true), "GET HEAD PUT".to_owned()));
        assert_eq!(head("/c"), (None, "POST".to_owned()));
        assert_eq!(head("/d"), (None, String::new()));
    }
}
