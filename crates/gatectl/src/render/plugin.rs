//! Where Istio fetches the plugin from.

use core::ops::Range;
use std::ffi::OsStr;

use super::answers::{Install, refuse};
use super::arguments::AnswersArgs;
use crate::outcome::Outcome;
use crate::source::{Note, Source};

/// Where a plugin is fetched, and what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fetched {
    /// Of the file, over HTTP.
    pub(crate) file: String,
    /// Of the image.
    pub(crate) image: String,
    /// SHA-256, of the file or of the image, as 64 digits.
    pub(crate) sha256: String,
}

const FILE: &str = "https://downloads.example.org/keptn-gateway/plugin.wasm";
const IMAGE: &str = concat!("oci://registry.example.org/keptn/keptn-gateway:", env!("CARGO_PKG_VERSION"));

const ENVOY_IMAGE: &str =
    concat!("registry.example.org/keptn/keptn-gateway-envoy:", env!("CARGO_PKG_VERSION"));

/// What stands before the digest in the URL of an image.
const PIN: &str = "@sha256:";

/// Nothing has it, so nothing is loaded where it stands.
const NO_SHA256: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The options that the installation cannot do without, and that are not given: what stands in their place
/// leads nowhere.
pub(crate) fn missing(args: &AnswersArgs) -> Vec<&'static str> {
    let is_pinned = args.plugin_url.as_ref().is_some_and(|url| url.to_string_lossy().contains(PIN));
    let wanted = [
        ("--plugin-url", args.install.fetches() && args.plugin_url.is_none()),
        ("--plugin-sha256", args.install.fetches() && args.plugin_sha256.is_none() && !is_pinned),
        ("--image", args.install == Install::Standalone && args.image.is_none()),
    ];
    wanted.into_iter().filter(|(_, is_missing)| *is_missing).map(|(option, _)| option).collect()
}

/// Reads `--plugin-url` and `--plugin-sha256`. What is wrong is told.
pub(crate) fn read(args: &AnswersArgs, outcome: &mut Outcome) -> Option<Fetched> {
    let install = args.install;
    let mut is_good = true;
    let mut refuse_all = |why: String| {
        is_good = false;
        outcome.cannot_run(&why);
    };
    if !install.fetches() {
        let given = [("--plugin-url", &args.plugin_url), ("--plugin-sha256", &args.plugin_sha256)];
        for (option, _) in given.iter().filter(|(_, given)| given.is_some()) {
            refuse_all(format!(
                "gatectl: {option} says nothing to --install {install}\n  help: it is for istio-http, wasmplugin \
                 and trafficextension"
            ));
        }
    }
    let is_file = install == Install::IstioHttp;
    let url = args.plugin_url.as_deref().map(|url| read_url(url, is_file)).transpose();
    let sha256 = args.plugin_sha256.as_deref().map(read_sha256).transpose();
    let (url, sha256) = match (url, sha256) {
        (Ok(url), Ok(sha256)) => (url, sha256),
        (url, sha256) => {
            url.err().into_iter().chain(sha256.err()).for_each(refuse_all);
            return None;
        }
    };
    let pinned = url.as_deref().and_then(|url| url.split_once(PIN)).map(|(_, digits)| digits);
    if let (Some(pinned), Some(sha256)) = (pinned, &sha256)
        && pinned != sha256
    {
        refuse_all(
            "gatectl: --plugin-url names another SHA-256 than --plugin-sha256\n  help: give one of them"
                .to_owned(),
        );
    }
    if !is_good {
        return None;
    }
    let sha256 = sha256.or_else(|| pinned.map(str::to_owned));
    let or = |other: &str| url.clone().unwrap_or_else(|| other.to_owned());
    Some(Fetched { file: or(FILE), image: or(IMAGE), sha256: sha256.unwrap_or_else(|| NO_SHA256.to_owned()) })
}

/// Reads `--image`. What is wrong is told.
pub(crate) fn read_image(args: &AnswersArgs, outcome: &mut Outcome) -> Option<String> {
    let Some(argument) = &args.image else {
        return Some(ENVOY_IMAGE.to_owned());
    };
    let text = argument.to_string_lossy();
    let is_of_image = |character: char| character.is_ascii_alphanumeric() || "-._/:@".contains(character);
    let odd = text.char_indices().find(|(_, character)| !is_of_image(*character));
    let form = format!("write it like {ENVOY_IMAGE}");
    let wrong = if let Some(at) = text.find("://") {
        Some((0..at.saturating_add(3), "an image's name has no scheme"))
    } else if let Some((at, odd)) = odd {
        Some((at..at.saturating_add(odd.len_utf8()), "this cannot stand in an image's name"))
    } else if !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Some((0..text.len(), "this is not an image's name"))
    } else {
        None
    };
    if let Some((span, message)) = wrong {
        outcome.cannot_run(&refuse("--image", &text, span, message, &form));
        return None;
    }
    if !matches!(args.install, Install::Standalone | Install::All) {
        outcome.cannot_run(&format!(
            "gatectl: --image says nothing to --install {}\n  help: it is for standalone",
            args.install
        ));
        return None;
    }
    Some(text.into_owned())
}

/// A URL without anything that YAML, or a person, could take for something else.
fn read_url(argument: &OsStr, is_file: bool) -> Result<String, String> {
    let text = argument.to_string_lossy();
    let schemes = if is_file { &["https", "http"][..] } else { &["oci", "https", "http"] };
    let wrong = |span: Range<usize>, message: &str, help: &str| {
        Err(refuse("--plugin-url", &text, span, message, help))
    };
    let example = if is_file { FILE } else { IMAGE };
    let form = format!("write it like {example}");
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong(0..text.len(), "this is not a URL", &form);
    };
    if !schemes.contains(&scheme) {
        return wrong(0..scheme.len(), "nothing is fetched by this scheme", &form);
    }
    let start = scheme.len().saturating_add("://".len());
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if let Some(at) = host.rfind('@') {
        // Whatever stands there, it may be a password.
        let mut source = Source::new("--plugin-url".to_owned(), text.to_string());
        let span = start..start.saturating_add(at);
        source.hide(core::slice::from_ref(&span));
        return Err(source.show(&Note {
            is_warning: false,
            span,
            message: "manifests are no place for passwords".to_owned(),
            help: Some("give Istio a Secret for the registry (imagePullSecret)".to_owned()),
            quote: None,
        }));
    }
    let is_of_host = |character: char| character.is_ascii_alphanumeric() || "-.:[]".contains(character);
    let is_of_rest =
        |character: char| character.is_ascii_alphanumeric() || "-._~/:@%+=&?".contains(character);
    let odd_host = host.char_indices().find(|(_, character)| !is_of_host(*character));
    let odd = odd_host.or_else(|| {
        rest.char_indices().skip_while(|(at, _)| *at < host.len()).find(|(_, odd)| !is_of_rest(*odd))
    });
    if let Some((at, odd)) = odd {
        let at = start.saturating_add(at);
        return wrong(at..at.saturating_add(odd.len_utf8()), "this cannot stand here in a URL", &form);
    }
    if host.trim_matches(['-', '.', ':', '[', ']']).is_empty()
        || host.len() == rest.trim_end_matches('/').len()
    {
        return wrong(start..text.len(), "a host and a path must stand here", &form);
    }
    if let Some((before, digits)) = rest.split_once(PIN) {
        let at = start.saturating_add(before.len()).saturating_add(PIN.len());
        if !is_sha256(digits) {
            return wrong(at..text.len(), "this is not a SHA-256", "it has 64 of the digits 0-9 and a-f");
        }
    }
    Ok(text.to_string())
}

fn read_sha256(argument: &OsStr) -> Result<String, String> {
    let text = argument.to_string_lossy();
    let digits = text.strip_prefix("sha256:").unwrap_or(&text).to_ascii_lowercase();
    if is_sha256(&digits) {
        return Ok(digits);
    }
    let message = "this is not a SHA-256";
    let help = "it has 64 of the digits 0-9 and a-f; `./build.sh image --push …` prints it, sha256sum that of a file";
    Err(refuse("--plugin-sha256", &text, 0..text.len(), message, help))
}

fn is_sha256(digits: &str) -> bool {
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str, is_file: bool) -> Result<String, String> {
        read_url(OsStr::new(text), is_file)
    }

    #[test]
    fn urls_and_digests_are_taken_as_they_are() {
        let digits = "0123456789abcdef".repeat(4);
        for good in [
            "oci://registry.example.org/keptn/keptn-gateway:0.1.0",
            "oci://127.0.0.1:5000/keptn-gateway",
            &format!("oci://[::1]:5000/a@sha256:{digits}"),
            "https://example.org/plugin.wasm?x=1&y=%20",
        ] {
            assert_eq!(url(good, false).as_deref(), Ok(good));
        }
        assert!(url("oci://registry.example.org/a", true).is_err());
        for written in [digits.clone(), format!("sha256:{digits}"), digits.to_uppercase()] {
            assert_eq!(read_sha256(OsStr::new(&written)), Ok(digits.clone()));
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for (text, word) in [
            ("", "not a URL"),
            ("registry.example.org/a:1", "not a URL"),
            ("file:///etc/passwd", "scheme"),
            ("ftp://example.org/a", "scheme"),
            ("oci://", "host and a path"),
            ("oci:///a", "host and a path"),
            ("oci://example.org", "host and a path"),
            ("oci://example.org/", "host and a path"),
            ("oci://exam ple.org/a", "cannot stand"),
            ("oci://example.org/a\"\nb: c", "cannot stand"),
            ("oci://example.org/a#b", "cannot stand"),
            ("oci://example.org/a{{b}}", "cannot stand"),
            ("oci://example.org/a@sha256:abc", "SHA-256"),
        ] {
            let told = url(text, false).unwrap_err();
            assert!(told.contains(word), "{text:?}\n{told}");
        }
        let told = url("https://user:hush@example.org/a", false).unwrap_err();
        assert!(!told.contains("hush") && told.contains("passwords"), "{told}");
        for text in ["", "abc", &"g".repeat(64), &"a".repeat(65), &format!("{}\n", "a".repeat(64))] {
            assert!(read_sha256(OsStr::new(text)).is_err(), "{text:?}");
        }
    }
}
