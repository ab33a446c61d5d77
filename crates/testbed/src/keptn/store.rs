//! What configuration-service keeps in Git, in memory.

use std::collections::BTreeMap;

/// Names to base64 contents, as the requests carry them.
pub(super) type Resources = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) projects: BTreeMap<String, Project>,
    versions: u64,
}

#[derive(Debug, Default)]
pub(super) struct Project {
    pub(super) resources: Resources,
    pub(super) stages: BTreeMap<String, Stage>,
    /// Resources of a service in all stages.
    pub(super) defaults: BTreeMap<String, Resources>,
}

#[derive(Debug, Default)]
pub(super) struct Stage {
    pub(super) resources: Resources,
    pub(super) services: BTreeMap<String, Resources>,
}

/// Whose resources.
#[derive(Clone, Copy, Debug)]
pub(super) enum Level<'a> {
    Project(&'a str),
    Stage(&'a str, &'a str),
    Service(&'a str, &'a str, &'a str),
    Default(&'a str, &'a str),
}

impl Level<'_> {
    /// As messages call it. Nobody is told of a service's defaults: 0.6.2 does not read them.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Project(_) => "Project",
            Self::Stage(..) => "Stage",
            Self::Service(..) | Self::Default(..) => "Service",
        }
    }
}

impl Store {
    /// The resources, or who is missing on the way to them.
    pub(super) fn resources(&mut self, level: Level<'_>) -> Result<&mut Resources, &'static str> {
        let (Level::Project(name)
        | Level::Stage(name, _)
        | Level::Service(name, ..)
        | Level::Default(name, _)) = level;
        let project = self.projects.get_mut(name).ok_or("Project")?;
        match level {
            Level::Project(_) => Ok(&mut project.resources),
            Level::Stage(_, stage) => Ok(&mut project.stages.get_mut(stage).ok_or("Stage")?.resources),
            Level::Service(_, stage, service) => {
                project.stages.get_mut(stage).ok_or("Stage")?.services.get_mut(service).ok_or("Service")
            }
            Level::Default(_, service) => Ok(project.defaults.entry(service.to_owned()).or_default()),
        }
    }

    /// A new commit: its hash, which differs every time.
    pub(super) fn commit(&mut self) -> String {
        self.versions += 1;
        format!("{:040x}", u128::from(self.versions).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    }
}
