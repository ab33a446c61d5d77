//! Swagger UI and the description that it shows, which each service has beside its operations.

use super::{orders::Reply, request::Request, server::Settings};
use crate::yaml;
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

pub(super) struct Swagger {
    /// Of the page without Swagger UI.
    title: &'static str,
    /// For people: with the path and the token that the gateway asks for.
    description: &'static str,
    /// As the service itself knows it.
    own: Value,
    folder: Option<PathBuf>,
}

const PAGE: &str = include_str!("swagger/index.html");

impl Swagger {
    pub(super) fn of_api_service(settings: &Settings) -> Self {
        let description = include_str!("swagger/api-service.yaml");
        let folder = settings.swagger_ui.clone();
        Self { title: "keptn api", description, own: yaml::to_json(description), folder }
    }

    pub(super) fn of_configuration_service(settings: &Settings) -> Self {
        let description = include_str!("swagger/configuration-service.yaml");
        let mut own = yaml::to_json(description);
        own["basePath"] = json!("/v1");
        own.as_object_mut().unwrap().retain(|name, _| !name.starts_with("security"));
        let folder = settings.swagger_ui.clone();
        Self { title: "Configuration Service API", description, own, folder }
    }

    /// `None`: the request is for something else.
    pub(super) fn file(&self, request: &Request) -> Option<Reply> {
        if request.path() == "/swagger.json" {
            return Some(Reply::status(200).body("application/json", self.own.to_string()));
        }
        let name = request.path().strip_prefix("/swagger-ui/")?;
        let reply = match name {
            "" | "index.html" => Reply::status(200).body("text/html; charset=utf-8", self.page()),
            "swagger.yaml" => Reply::status(200).body("application/octet-stream", self.description),
            _ => self.asset(name).unwrap_or_else(|| {
                Reply::status(404).body("text/plain; charset=utf-8", "404 page not found\n")
            }),
        };
        Some(reply)
    }

    fn page(&self) -> String {
        match self.folder {
            Some(_) => PAGE.to_owned(),
            None => format!("<!DOCTYPE html><title>{}</title><div id=\"swagger-ui\"></div>", self.title),
        }
    }

    /// A file of swagger-ui-dist, which has no folders.
    fn asset(&self, name: &str) -> Option<Reply> {
        let (_, extension) = name.rsplit_once('.').filter(|_| !name.contains(['/', '\\']))?;
        let media_type = match extension {
            "css" => "text/css; charset=utf-8",
            "js" => "text/javascript; charset=utf-8",
            "png" => "image/png",
            _ => return None,
        };
        let file = fs::read(self.folder.as_ref()?.join(name)).ok()?;
        Some(Reply::status(200).body(media_type, file))
    }
}
