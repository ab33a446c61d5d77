//! `gatectl render` and `gatectl domain`: the manifests, from a configuration and a few answers.

mod answers;
mod arguments;
mod configuration;
mod plugin;
mod renderer;
mod standalone;
mod templates;
#[cfg(test)]
mod tests;
mod upstream;
mod write;
mod yaml;

use core::fmt::Write as _;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use answers::{Answers, Install, Purpose};
use arguments::AnswersArgs;
pub(crate) use arguments::{DomainArgs, RenderArgs};
use renderer::{CREDENTIAL_NAME, Form, Renderer};
use templates::{Part, TEMPLATES, Template};
use write::Change;

use crate::outcome::{Exit, Outcome};
use crate::source::visible;

/// The domain of the checked-in manifests.
const EXAMPLE: &str = "example.org";

/// `gatectl render`.
pub(crate) fn render(args: &RenderArgs) -> Outcome {
    let mut outcome = Outcome::default();
    let domain = args.domain.as_deref().unwrap_or(OsStr::new(EXAMPLE));
    let missing = plugin::missing(&args.answers);
    // A folder is looked at before it is applied; a stream goes to kubectl as it is.
    if args.answers.install.fetches() && args.answers.output.is_none() && !missing.is_empty() {
        let (are, s) = if missing.len() == 1 { ("is", "") } else { ("are", "s") };
        outcome.cannot_run(&format!(
            "gatectl: {} {are} needed: with the example{s} the gateway would refuse every application\n  \
             help: say where the plugin is and which one; with -o FOLDER a warning says what to fill in",
            missing.join(" and "),
        ));
    }
    let configs: Vec<_> = args.answers.config.iter().cloned().collect();
    if let Some(answers) = read(Purpose::Render, domain, &args.answers, &configs, &mut outcome) {
        let is_wanted = |template: &Template| match (template.part, &args.answers.output) {
            (Part::Objects, _) | (Part::Tree, Some(_)) | (Part::Stream, None) => true,
            (Part::Tree, None) | (Part::Stream, Some(_)) | (Part::Keptn, _) => false,
        };
        deliver(&answers, &is_wanted, args.answers.output.as_deref(), &mut outcome);
    }
    let has_domain = |template: &&Template| template.is_of(args.answers.install) && template.has_domain;
    let is_domain_missing = args.domain.is_none() && TEMPLATES.iter().any(|it| has_domain(&it));
    let missing = is_domain_missing.then_some("--domain").into_iter().chain(missing);
    let missing: Vec<_> = missing.collect();
    if outcome.exit == Exit::Good && !missing.is_empty() {
        let _ = writeln!(
            outcome.stderr,
            "warning: an example stands in the place of what is not given: {}",
            missing.join(", ")
        );
    }
    outcome
}

/// `gatectl domain`.
pub(crate) fn domain(args: &DomainArgs) -> Outcome {
    let mut outcome = Outcome::default();
    if args.answers.install == Install::Compose {
        outcome.cannot_run(
            "gatectl: nothing in --install compose depends on the domain\n  help: `gatectl cert self-signed \
             DOMAIN --install compose` makes its certificate",
        );
    }
    let missing = plugin::missing(&args.answers);
    if args.answers.install.is_istio() && !missing.is_empty() {
        // The filter's object is printed whole, and would take the plugin away from a gateway that runs.
        outcome.cannot_run(&format!(
            "gatectl: {} must be given for --install {}\n  help: give the same options as to render",
            missing.join(" and "),
            args.answers.install
        ));
    }
    let install = args.answers.install;
    // What is about to be written anew has the configuration: it stays.
    let kept = match &args.answers.output {
        Some(folder) if is_rendered(folder, install, &mut outcome) && args.answers.config.is_none() => {
            filters(folder, install)
        }
        _ => Vec::new(),
    };
    let configs = args.answers.config.clone().map_or_else(|| kept.clone(), |file| vec![file]);
    let Some(answers) = read(Purpose::Domain, &args.domain, &args.answers, &configs, &mut outcome) else {
        return outcome;
    };
    // In the stream only what every installation has: the rest is people's choice.
    let is_wanted = |template: &Template| {
        template.has_domain && (template.part != Part::Tree || args.answers.output.is_some())
    };
    deliver(&answers, &is_wanted, args.answers.output.as_deref(), &mut outcome);
    if outcome.exit == Exit::Good {
        for file in kept {
            let name = visible(&file.to_string_lossy());
            let _ = writeln!(outcome.stderr, "{name}: the configuration is the one that was there");
        }
        let _ = write!(outcome.stderr, "{}", what_remains(&answers, &args.answers));
    }
    outcome
}

/// The answers, if nothing at all is wrong.
fn read(
    purpose: Purpose,
    domain: &OsStr,
    args: &AnswersArgs,
    configs: &[PathBuf],
    outcome: &mut Outcome,
) -> Option<Answers> {
    if args.output.is_none() && matches!(args.install, Install::Compose | Install::All) {
        outcome.cannot_run(&format!(
            "gatectl: --install {} is files, and no stream for kubectl\n  help: -o FOLDER says where they go",
            args.install
        ));
    }
    Answers::read(purpose, domain, args, configs, outcome).filter(|_| outcome.exit == Exit::Good)
}

/// Prints or writes what is wanted of the installation: all of it or nothing.
fn deliver(
    answers: &Answers,
    is_wanted: &dyn Fn(&Template) -> bool,
    folder: Option<&Path>,
    outcome: &mut Outcome,
) {
    let form = if folder.is_some() { Form::Tree } else { Form::Stream };
    match files(answers, form, is_wanted) {
        Err(why) => outcome.cannot_run(&why),
        Ok(files) => match folder {
            None => outcome.stdout = stream(&files),
            Some(folder) => write(folder, &files, outcome),
        },
    }
}

fn files(
    answers: &Answers,
    form: Form,
    is_wanted: &dyn Fn(&Template) -> bool,
) -> Result<Vec<(PathBuf, String)>, String> {
    let renderer = Renderer::new(answers, form)?;
    let templates =
        TEMPLATES.iter().filter(|template| template.is_of(answers.install) && is_wanted(template));
    templates.map(|template| Ok((PathBuf::from(template.path), renderer.render(template)?))).collect()
}

fn stream(files: &[(PathBuf, String)]) -> String {
    files.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("---\n")
}

fn write(folder: &Path, files: &[(PathBuf, String)], outcome: &mut Outcome) {
    let folder_name = visible(&folder.to_string_lossy());
    match write::all(folder, files) {
        Ok(changes) => {
            let mut has_changed = false;
            for ((path, _), change) in files.iter().zip(changes) {
                let what = match change {
                    Change::New => "new",
                    Change::Changed => "changed",
                    Change::None => continue,
                };
                has_changed = true;
                let name = visible(&folder.join(path).to_string_lossy());
                let _ = writeln!(outcome.stderr, "{name}: {what}");
            }
            if !has_changed {
                let _ = writeln!(outcome.stderr, "{folder_name}: nothing has changed");
            }
        }
        Err(failure) => {
            failure.problems.iter().for_each(|why| outcome.cannot_run(why));
            failure.left.iter().for_each(|left| outcome.cannot_run(left));
            if failure.left.is_empty() {
                outcome.cannot_run("gatectl: nothing is changed");
            }
        }
    }
}

/// The files of a rendered folder that have the filter's configuration and the domain.
fn filters(folder: &Path, install: Install) -> Vec<PathBuf> {
    let filters = TEMPLATES.iter().filter(|template| template.is_of(install) && template.is_filter());
    filters.map(|template| folder.join(template.path)).collect()
}

/// Whether the folder has the files of this installation; if not, that is told.
fn is_rendered(folder: &Path, install: Install, outcome: &mut Outcome) -> bool {
    let of_installation =
        |template: &&Template| template.is_of(install) && template.has_domain && template.part != Part::Keptn;
    let missing: Vec<_> = TEMPLATES
        .iter()
        .filter(of_installation)
        .map(|template| folder.join(template.path))
        .filter(|path| !path.exists())
        .collect();
    for path in &missing {
        outcome.cannot_run(&format!("{}: there is no such file", visible(&path.to_string_lossy())));
    }
    if !missing.is_empty() {
        outcome.cannot_run(&format!("  help: `gatectl render --install {install} -o …` writes the folder",));
    }
    missing.is_empty()
}

/// What depends on the domain besides our objects and Keptn's.
fn what_remains(answers: &Answers, args: &AnswersArgs) -> String {
    let domain = &answers.domain;
    let is_istio = args.install != Install::Standalone;
    let secret = match (&args.credential_name, args.install) {
        (_, Install::Standalone) => " --install standalone".to_owned(),
        (Some(name), _) => format!(" --credential-name {name}"),
        (None, _) => String::new(),
    };
    let mut text = String::new();
    if args.install.is_istio() && args.output.is_none() {
        if args.config.is_none() {
            text.push_str(
                "The filter's object has the default configuration: if there is one of your own, give it with --config, or \
                 let `--config -` read what `kubectl get` says of the object.\n",
            );
        }
        if args.credential_name.is_none() {
            // The filter is on port 80 as well then, and judges before the redirect.
            text.push_str("Where the Gateway is the modern one, give --credential-name.\n");
        }
    }
    let by_name = if is_istio && args.credential_name.is_none() {
        format!("; for the modern Gateway with --credential-name {CREDENTIAL_NAME}")
    } else {
        String::new()
    };
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "What else depends on the domain:\n\
         - the certificate must cover it: gatectl cert self-signed {domain}{secret} | kubectl apply -f -, or gatectl cert \
         own{by_name}\n"
    );
    // Without Istio nothing is onboarded.
    if is_istio {
        text.push_str(
            "- services that are onboarded already keep the old one\n\
             - an exposed bridge does so too, until it is exposed anew\n",
        );
        match &args.output {
            None => text.push_str(
                "- the policy for other teams (istio/tenants), where it is applied: render with -o, and apply it anew\n",
            ),
            Some(folder) => {
                let folder = visible(&folder.join("istio/tenants").to_string_lossy());
                let _ = writeln!(
                    text,
                    "- the policy for other teams, where it is applied: kubectl apply -k {folder}"
                );
            }
        }
    }
    let _ = writeln!(
        text,
        "- Keptn's command line must be told: keptn auth --endpoint=https://api.keptn.{domain} --api-token=…"
    );
    text
}
