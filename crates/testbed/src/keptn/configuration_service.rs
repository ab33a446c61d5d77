//! configuration-service 0.6.2: Git-backed resources, no authentication of its own.

use super::{
    answer::{Answer, error, json_body, method_not_allowed, not_found, produced, required},
    orders::Reply,
    request::Request,
    server::{Handler, Settings, StandIn},
    store::{Level, Project, Stage, Store},
    swagger::Swagger,
};
use crate::Result;
use serde_json::{Value, json};
use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Mutex},
};

/// configuration-service. What is written can be read back; every operation that 0.6.2 does not implement is 501.
pub struct ConfigurationService {
    stand_in: StandIn,
    pub(super) store: Arc<Mutex<Store>>,
}

impl ConfigurationService {
    /// On a port of its own, with nothing stored.
    ///
    /// # Errors
    /// The system refuses the socket.
    pub async fn start() -> Result<Self> {
        Self::start_with(&Settings::default()).await
    }

    /// As [`ConfigurationService::start`], with other settings.
    ///
    /// # Errors
    /// The system refuses the socket.
    #[expect(
        clippy::unused_async,
        reason = "it spawns, so it needs a runtime: async says so in the signature"
    )]
    pub async fn start_with(settings: &Settings) -> Result<Self> {
        let store = Arc::new(Mutex::new(Store::default()));
        let handler = ConfigurationHandler {
            store: store.clone(),
            swagger: Swagger::of_configuration_service(settings),
        };
        let stand_in = StandIn::start(Arc::new(handler), settings)?;
        Ok(Self { stand_in, store })
    }

    /// Stores a project with these stages, each with these services.
    pub fn add_project(&self, name: &str, stages: &[&str], services: &[&str]) {
        let stage = || Stage {
            services: services.iter().map(|service| ((*service).to_owned(), Default::default())).collect(),
            ..Stage::default()
        };
        let project = Project {
            stages: stages.iter().map(|name| ((*name).to_owned(), stage())).collect(),
            ..Project::default()
        };
        self.store.lock().unwrap().projects.insert(name.to_owned(), project);
    }

    /// The names of the stored projects, sorted.
    pub fn projects(&self) -> Vec<String> {
        self.store.lock().unwrap().projects.keys().cloned().collect()
    }
}

impl Deref for ConfigurationService {
    type Target = StandIn;

    fn deref(&self) -> &StandIn {
        &self.stand_in
    }
}

impl fmt::Debug for ConfigurationService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stand_in.fmt(f)
    }
}

const JSON: &[&str] = &["application/json"];

struct ConfigurationHandler {
    store: Arc<Mutex<Store>>,
    swagger: Swagger,
}

impl Handler for ConfigurationHandler {
    fn answer(&self, request: &Request) -> Answer {
        let path = request.path();
        if let Some(file) = self.swagger.file(request) {
            return file.into();
        }
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["v1", "project", rest @ ..] = segments.as_slice() else { return not_found(path).into() };
        let answered = match *rest {
            [] => self.list_of_projects(request),
            [project] => self.project(request, project),
            [project, "stage"] => self.list_of_stages(request, project),
            [project, "stage", stage] => self.stage(request, project, stage),
            [project, "stage", stage, "service"] => self.list_of_services(request, project, stage),
            [project, "stage", stage, "service", service] => self.service(request, project, stage, service),
            [project, "resource", ref uri @ ..] => self.resource(request, Level::Project(project), uri),
            [project, "stage", stage, "resource", ref uri @ ..] => {
                self.resource(request, Level::Stage(project, stage), uri)
            }
            [project, "stage", stage, "service", service, "resource", ref uri @ ..] => {
                self.resource(request, Level::Service(project, stage, service), uri)
            }
            [project, "service", service, "resource", ref uri @ ..] => {
                self.resource(request, Level::Default(project, service), uri)
            }
            _ => Err(not_found(path)),
        };
        answered.unwrap_or_else(|refusal| refusal).into()
    }
}

type Answered = std::result::Result<Reply, Reply>;

fn allow(request: &Request, methods: &[&str]) -> std::result::Result<(), Reply> {
    method_not_allowed(&request.method, methods).map_or(Ok(()), Err)
}

/// The body, which the real handler does not survive the lack of; what a client then sees depends on the proxy.
fn body(request: &Request, names: &[&str]) -> std::result::Result<Value, Reply> {
    let body = json_body(request, JSON)?.ok_or_else(|| error(602, "body in body is required"))?;
    required(&body, names).map_or(Ok(body), Err)
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn not_implemented(package: &str, operation: &str) -> Reply {
    produced(501, &json!(format!("operation {package}.{operation} has not yet been implemented")))
}

fn no_content() -> Reply {
    Reply::status(204)
}

/// One page of `all`, as the real service pages: `nextPageKey` is an index, "0" at the end.
fn page(request: &Request, what: &str, all: Vec<Value>) -> Answered {
    let invalid = |name| error(601, format!("{name} in query must be of type int64"));
    let size = request.parameter("pageSize").map_or(Ok(20), |text| text.parse::<usize>());
    let size = size.map_err(|_| invalid("pageSize"))?;
    if size < 1 {
        return Err(error(609, "pageSize in query should be greater than or equal to 1"));
    }
    if size > 50 {
        return Err(error(608, "pageSize in query should be less than or equal to 50"));
    }
    let start = request.parameter("nextPageKey").and_then(|key| key.parse::<usize>().ok()).unwrap_or(0);
    let (start, end) = (start.min(all.len()), (start + size).min(all.len()));
    let next = if end < all.len() { end } else { 0 };
    let shown = &all[start..end];
    Ok(produced(
        200,
        &json!({ "nextPageKey": next.to_string(), "totalCount": all.len(), "pageSize": shown.len(), what: shown }),
    ))
}

fn stage_json(name: &str, stage: &Stage) -> Value {
    let services: Vec<Value> = stage.services.keys().map(|name| json!({ "serviceName": name })).collect();
    json!({ "stageName": name, "services": services })
}

fn project_json(name: &str, project: &Project) -> Value {
    let stages: Vec<Value> = project.stages.iter().map(|(name, stage)| stage_json(name, stage)).collect();
    json!({ "projectName": name, "stages": stages })
}

impl ConfigurationHandler {
    fn list_of_projects(&self, request: &Request) -> Answered {
        allow(request, &["GET", "POST"])?;
        let mut store = self.store.lock().unwrap();
        if request.method == "GET" {
            let all = store.projects.iter().map(|(name, project)| project_json(name, project)).collect();
            return page(request, "projects", all);
        }
        let name = text(&body(request, &[])?, "projectName");
        if store.projects.contains_key(&name) {
            return Err(error(400, "Project already exists"));
        }
        store.projects.insert(name, Project::default());
        Ok(no_content())
    }

    fn project(&self, request: &Request, name: &str) -> Answered {
        allow(request, &["DELETE", "GET", "PUT"])?;
        let mut store = self.store.lock().unwrap();
        match request.method.as_str() {
            "GET" => {
                let project = store.projects.get(name).ok_or_else(|| error(404, "Project not found"))?;
                Ok(produced(200, &project_json(name, project)))
            }
            "DELETE" => {
                store.projects.remove(name).ok_or_else(|| error(400, "Project does not exist"))?;
                Ok(no_content())
            }
            _ => Err(not_implemented("project", "PutProjectProjectName")),
        }
    }

    fn list_of_stages(&self, request: &Request, project: &str) -> Answered {
        allow(request, &["GET", "POST"])?;
        let mut store = self.store.lock().unwrap();
        let missing = if request.method == "GET" { 404 } else { 400 };
        let project =
            store.projects.get_mut(project).ok_or_else(|| error(missing, "Project does not exist"))?;
        if request.method == "GET" {
            let all = project.stages.iter().map(|(name, stage)| stage_json(name, stage)).collect();
            return page(request, "stages", all);
        }
        let name = text(&body(request, &[])?, "stageName");
        if project.stages.contains_key(&name) {
            return Err(error(400, "Stage already exists"));
        }
        project.stages.insert(name, Stage::default());
        Ok(no_content())
    }

    fn stage(&self, request: &Request, project: &str, name: &str) -> Answered {
        allow(request, &["DELETE", "GET", "PUT"])?;
        match request.method.as_str() {
            "GET" => {
                let store = self.store.lock().unwrap();
                let project = store.projects.get(project).ok_or_else(|| error(404, "Project not found"))?;
                let stage = project.stages.get(name).ok_or_else(|| error(404, "Stage not found"))?;
                Ok(produced(200, &stage_json(name, stage)))
            }
            "PUT" => Err(not_implemented("stage", "PutProjectProjectNameStageStageName")),
            _ => Err(not_implemented("stage", "DeleteProjectProjectNameStageStageName")),
        }
    }

    fn list_of_services(&self, request: &Request, project: &str, stage: &str) -> Answered {
        allow(request, &["GET", "POST"])?;
        let mut store = self.store.lock().unwrap();
        let missing = if request.method == "GET" { 404 } else { 400 };
        let project =
            store.projects.get_mut(project).ok_or_else(|| error(missing, "Project does not exist"))?;
        let stage = project.stages.get_mut(stage).ok_or_else(|| error(missing, "Stage does not exist"))?;
        if request.method == "GET" {
            return page(
                request,
                "services",
                stage.services.keys().map(|name| json!({ "serviceName": name })).collect(),
            );
        }
        let name = text(&body(request, &[])?, "serviceName");
        if stage.services.contains_key(&name) {
            return Err(error(400, "Service already exists"));
        }
        stage.services.insert(name, Default::default());
        Ok(no_content())
    }

    fn service(&self, request: &Request, project: &str, stage: &str, name: &str) -> Answered {
        allow(request, &["DELETE", "GET", "PUT"])?;
        match request.method.as_str() {
            "GET" => {
                let store = self.store.lock().unwrap();
                let project = store.projects.get(project).ok_or_else(|| error(404, "Project not found"))?;
                let stage = project.stages.get(stage).ok_or_else(|| error(404, "Stage not found"))?;
                if !stage.services.contains_key(name) {
                    return Err(error(404, "Service not found"));
                }
                Ok(produced(200, &json!({ "serviceName": name })))
            }
            "PUT" => Err(not_implemented("service", "PutProjectProjectNameStageStageNameServiceServiceName")),
            _ => Err(not_implemented("service", "DeleteProjectProjectNameStageStageNameServiceServiceName")),
        }
    }

    fn resource(&self, request: &Request, level: Level<'_>, uri: &[&str]) -> Answered {
        match uri {
            [] => self.list_of_resources(request, level),
            [uri] => self.one_resource(request, level, uri),
            _ => Err(not_found(request.path())),
        }
    }

    fn list_of_resources(&self, request: &Request, level: Level<'_>) -> Answered {
        allow(request, &["GET", "POST", "PUT"])?;
        implemented(request, level, "")?;
        let mut store = self.store.lock().unwrap();
        let missing = if request.method == "GET" { 404 } else { 400 };
        let resources =
            store.resources(level).map_err(|who| error(missing, format!("{who} does not exist")))?;
        if request.method == "GET" {
            return page(
                request,
                "resources",
                resources.keys().map(|uri| json!({ "resourceURI": uri })).collect(),
            );
        }
        let given = body(request, &[])?;
        for resource in given["resources"].as_array().into_iter().flatten() {
            if let Some(refusal) = required(resource, &["resourceURI"]) {
                return Err(refusal);
            }
            resources.insert(text(resource, "resourceURI"), text(resource, "resourceContent"));
        }
        Ok(produced(201, &json!({ "version": store.commit() })))
    }

    fn one_resource(&self, request: &Request, level: Level<'_>, uri: &str) -> Answered {
        allow(request, &["DELETE", "GET", "PUT"])?;
        implemented(request, level, "ResourceURI")?;
        // Judged before anything is looked up; the name in it is required, but the path's is the one that counts.
        let given = if request.method == "PUT" { body(request, &["resourceURI"])? } else { Value::default() };
        let mut store = self.store.lock().unwrap();
        let missing = if request.method == "GET" { 404 } else { 400 };
        let resources =
            store.resources(level).map_err(|who| error(missing, format!("{who} does not exist")))?;
        match request.method.as_str() {
            "GET" => {
                let content = resources
                    .get(uri)
                    .ok_or_else(|| error(404, format!("{} resource not found", level.kind())))?;
                Ok(produced(200, &json!({ "resourceURI": uri, "resourceContent": content })))
            }
            "PUT" => {
                resources.insert(uri.to_owned(), text(&given, "resourceContent"));
                Ok(produced(201, &json!({ "version": store.commit() })))
            }
            _ => {
                resources.remove(uri).ok_or_else(|| error(500, "Could not delete file"))?;
                store.commit();
                Ok(no_content())
            }
        }
    }
}

/// 501 for what 0.6.2 describes and does not implement.
fn implemented(request: &Request, level: Level<'_>, uri: &str) -> std::result::Result<(), Reply> {
    let method = request.method.as_str();
    let (package, path, missing) = match level {
        Level::Project(_) => ("project_resource", "", false),
        Level::Stage(..) => ("stage_resource", "StageStageName", method == "DELETE"),
        Level::Service(..) => (
            "service_resource",
            "StageStageNameServiceServiceName",
            method == "DELETE" || (method == "GET" && uri.is_empty()),
        ),
        Level::Default(..) => ("service_default_resource", "ServiceServiceName", method != "POST"),
    };
    if !missing {
        return Ok(());
    }
    let method = format!("{}{}", &method[..1], method[1..].to_ascii_lowercase());
    Err(not_implemented(package, &format!("{method}ProjectProjectName{path}Resource{uri}")))
}
