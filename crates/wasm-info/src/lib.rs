//! What a built plugin asks of its host and offers to it, and what of that we do not ship.

mod trim;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

pub use trim::trim;

/// The imports and exports of a module, and how many bytes its sections take.
#[derive(Debug, Default)]
pub struct Info {
    /// `(module, name)` of each import, as they stand in the file.
    pub imports: Vec<(String, String)>,
    /// The names of the exported functions.
    pub functions: Vec<String>,
    /// Bytes of the code, of the data, and of the whole file.
    pub code: usize,
    /// See `code`.
    pub data: usize,
    /// See `code`.
    pub file: usize,
    /// What must not be shipped, one sentence each.
    pub problems: Vec<String>,
}

/// Reads a module.
///
/// # Errors
/// When the bytes are no WebAssembly module.
pub fn read(wasm: &[u8]) -> Result<Info, wasmparser::BinaryReaderError> {
    let mut info = Info { file: wasm.len(), ..Info::default() };
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let (module, name) = (import.module, import.name);
                    if !(given(module, name) && matches!(import.ty, TypeRef::Func(_))) {
                        info.problems.push(format!(
                            "it imports {module}.{name}, which Envoy does not give or we do not ask for"
                        ));
                    }
                    info.imports.push((module.to_owned(), name.to_owned()));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind != ExternalKind::Func {
                        continue;
                    }
                    if !called(export.name) {
                        info.problems.push(format!(
                            "it exports the function {}, which is not to be called",
                            export.name
                        ));
                    }
                    info.functions.push(export.name.to_owned());
                }
            }
            Payload::CodeSectionStart { size, .. } => info.code = usize::try_from(size).unwrap_or(usize::MAX),
            Payload::DataSection(section) => info.data = section.range().len(),
            _ => {}
        }
    }
    let missing = CALLED.iter().filter(|name| !info.functions.iter().any(|function| function == *name));
    info.problems.extend(missing.map(|name| format!("it does not export the function {name}")));
    Ok(info)
}

/// Envoy gives all of WASI's names, most of them as stubs that only fail: an import of another one means that some
/// dependency believes to have files, arguments or an environment.
fn given(module: &str, name: &str) -> bool {
    match module {
        "env" => name.starts_with("proxy_"),
        "wasi_snapshot_preview1" => matches!(name, "random_get" | "clock_time_get"),
        _ => false,
    }
}

/// What Envoy calls, and our filter has something to say to: no more is shipped, and no less.
///
/// Envoy calls what a plugin exports, for every request, and each call costs (docs/benchmarks.md); the SDK exports every
/// callback of the ABI. What is *not* exported is a silent yes: without `proxy_on_request_headers` everything would pass.
/// A context is forgotten when it is deleted, which Envoy does right after it says that the stream is done; so that
/// callback is not needed. The one for connections no HTTP filter gets; a network filter would, and ours in its place
/// traps there instead of letting bytes through.
///
/// A build with the feature `trap` exports one more, so that it is refused here.
const CALLED: [&str; 13] = [
    "_initialize",
    "malloc",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_new_connection",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

fn called(function: &str) -> bool {
    CALLED.contains(&function)
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "code {} bytes, data {} bytes, file {} bytes", self.code, self.data, self.file)?;
        let mut modules = BTreeMap::<&str, BTreeSet<&str>>::new();
        for (module, name) in &self.imports {
            modules.entry(module).or_default().insert(name);
        }
        writeln!(f, "imports {}", self.imports.len())?;
        for (module, names) in modules {
            writeln!(f, "  {module}: {}", Vec::from_iter(names).join(" "))?;
        }
        write!(f, "exports {}\n  {}", self.functions.len(), self.functions.join(" "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// A module that imports one function and exports it under another name.
    fn module(from: &str, name: &str, kind: u8, export: &str) -> Vec<u8> {
        fn text(s: &str) -> Vec<u8> {
            [&[u8::try_from(s.len()).unwrap()], s.as_bytes()].concat()
        }
        fn section(id: u8, body: &[u8]) -> Vec<u8> {
            [&[id, u8::try_from(body.len()).unwrap()], body].concat()
        }
        // Kind 0 is a function of type 0; kind 2 a memory of no page.
        let what = if kind == 0 { vec![0, 0] } else { vec![2, 0, 0] };
        let exports = [&[1][..], &text(export), &[kind, 0]].concat();
        [
            b"\0asm\x01\0\0\0".to_vec(),
            section(1, &[1, 0x60, 0, 0]),
            section(2, &[&[1][..], &text(from), &text(name), &what].concat()),
            section(7, &exports),
        ]
        .concat()
    }

    /// What must not be shipped of what is there.
    fn surplus(info: &Info) -> Vec<&String> {
        info.problems.iter().filter(|problem| !problem.contains("does not export")).collect()
    }

    #[test]
    fn a_callback_that_is_missing_is_a_problem() {
        let info = read(&module("env", "proxy_log", 0, "proxy_on_request_headers")).unwrap();
        assert_eq!(info.problems.len(), CALLED.len() - 1, "{info:?}");
        assert!(info.problems.contains(&"it does not export the function proxy_on_delete".to_owned()));
        assert!(!info.problems.concat().contains("proxy_on_request_headers"));
    }

    #[test]
    fn what_envoy_gives_passes() {
        for (from, name) in [
            ("env", "proxy_log"),
            ("wasi_snapshot_preview1", "random_get"),
            ("wasi_snapshot_preview1", "clock_time_get"),
        ] {
            let info = read(&module(from, name, 0, "proxy_on_tick")).unwrap();
            assert_eq!(info.imports, [(from.to_owned(), name.to_owned())]);
            assert_eq!(info.functions, ["proxy_on_tick"]);
            assert!(surplus(&info).is_empty(), "{info:?}");
        }
    }

    #[test]
    fn any_other_import_is_a_problem() {
        for (from, name, kind) in [
            ("env", "memory", 2),
            ("env", "proxy_memory", 2),
            ("wasi_snapshot_preview1", "fd_write", 0),
            ("wasi_unstable", "random_get", 0),
            ("__wbindgen_placeholder__", "__wbindgen_describe", 0),
        ] {
            let info = read(&module(from, name, kind, "proxy_on_tick")).unwrap();
            assert_eq!(surplus(&info).len(), 1, "{from}.{name}: {info:?}");
            assert!(info.problems.concat().contains(&format!("{from}.{name}")));
        }
    }

    #[test]
    fn a_function_that_is_not_to_be_called_is_a_problem() {
        let info = read(&module("env", "proxy_log", 0, "trap")).unwrap();
        assert_eq!(surplus(&info), ["it exports the function trap, which is not to be called"]);
    }

    #[test]
    fn a_callback_without_use_is_trimmed_with_all_that_only_it_needs() {
        for (export, functions) in [
            ("proxy_on_log", &[][..]),
            ("proxy_on_tick", &["proxy_on_tick"]),
            // Not the ABI's: it is to be objected to, and not to vanish.
            ("trap", &["trap"]),
        ] {
            let trimmed = read(&trim(&module("env", "proxy_log", 0, export)).unwrap()).unwrap();
            assert_eq!(trimmed.functions, functions);
            assert_eq!(trimmed.imports.len(), functions.len());
        }
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(read(b"#!/bin/sh").is_err());
        assert!(read(b"").is_err());
        assert!(trim(b"#!/bin/sh").is_err());
    }
}
