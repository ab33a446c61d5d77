//! How values are written so that every YAML reader reads them back as they are.

use core::fmt::Write as _;

use serde_json::{Map, Value};

/// Words that YAML 1.1, which Kubernetes' tools read, takes for something else than text.
const NO_TEXT: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];

/// Keys that say what the rest is about: they are written first.
const FIRST: [&str; 6] = ["profile", "name", "hosts", "path", "cluster", "authority"];

/// The longest list that is written on one line.
const LINE: usize = 80;

/// A text as a scalar, in quotes where it needs them. It stands anywhere, in `[…]` and `{…}` too.
pub(crate) fn text(text: &str) -> String {
    let may_stand = |character: char| character.is_ascii_alphanumeric() || "-_./|:".contains(character);
    let is_plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(may_stand)
        // At its end, or before some characters, it would make a key of what stands before it.
        && !text.ends_with(':')
        && !is_no_text(text);
    if is_plain { text.to_owned() } else { quoted(text, Escapes::Yaml) }
}

/// Whether some reader takes this word for something else.
pub(crate) fn is_no_text(text: &str) -> bool {
    NO_TEXT.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// JSON as block YAML, without a line break at its end.
pub(crate) fn block(value: &Value) -> String {
    let mut out = String::new();
    write_block(value, 0, &mut out);
    out.trim_start_matches('\n').to_owned()
}

/// JSON for people to read, in ASCII: YAML knows characters that it does not take.
pub(crate) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, 0, &mut out);
    out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    Json,
    Yaml,
}

/// In double quotes, in ASCII.
fn quoted(text: &str, escapes: Escapes) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        let code = u32::from(character);
        // Writing to a string cannot fail.
        let _ = match character {
            '"' | '\\' => write!(out, "\\{character}"),
            ' '..='~' => write!(out, "{character}"),
            _ if code <= 0xffff => write!(out, "\\u{code:04x}"),
            _ if escapes == Escapes::Yaml => write!(out, "\\U{code:08x}"),
            // As a pair, which YAML does not know.
            _ => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        };
    }
    out.push('"');
    out
}

fn in_order(object: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = object.iter().collect();
    let rank = |key: &str| FIRST.iter().position(|first| *first == key).unwrap_or(FIRST.len());
    entries.sort_by_key(|(key, _)| (rank(key), *key));
    entries
}

/// An empty or scalar value, which is written the same at any depth.
fn scalar(value: &Value, escapes: Escapes) -> Option<String> {
    match value {
        Value::Object(object) if object.is_empty() => Some("{}".to_owned()),
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Object(_) | Value::Array(_) => None,
        Value::String(string) if escapes == Escapes::Yaml => Some(text(string)),
        Value::String(string) => Some(quoted(string, escapes)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
    }
}

fn new_line(depth: usize, out: &mut String) {
    out.push('\n');
    out.extend(core::iter::repeat_n("  ", depth));
}

/// What stands under a key or in a list, with the space or the line break before it.
fn write_block(value: &Value, depth: usize, out: &mut String) {
    if let Some(scalar) = scalar(value, Escapes::Yaml) {
        out.push_str(&scalar);
        return;
    }
    match value {
        Value::Object(object) => {
            for (key, value) in in_order(object) {
                new_line(depth, out);
                out.push_str(&text(key));
                out.push(':');
                write_under_key(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                new_line(depth, out);
                out.push_str("- ");
                let mut inner = String::new();
                write_block(item, depth.saturating_add(1), &mut inner);
                // The first line goes on behind the hyphen.
                out.push_str(inner.trim_start());
            }
        }
        _ => {}
    }
}

fn write_under_key(value: &Value, depth: usize, out: &mut String) {
    match value {
        // Lists stand as far left as their key.
        Value::Array(items) if !items.is_empty() => write_block(value, depth, out),
        Value::Object(object) if !object.is_empty() => write_block(value, depth.saturating_add(1), out),
        _ => {
            out.push(' ');
            write_block(value, depth, out);
        }
    }
}

fn write_json(value: &Value, depth: usize, out: &mut String) {
    if let Some(scalar) = scalar(value, Escapes::Json) {
        out.push_str(&scalar);
        return;
    }
    let below = depth.saturating_add(1);
    match value {
        Value::Object(object) => {
            out.push('{');
            for (position, (key, value)) in in_order(object).into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                new_line(below, out);
                out.push_str(&quoted(key, Escapes::Json));
                out.push_str(": ");
                write_json(value, below, out);
            }
            new_line(depth, out);
            out.push('}');
        }
        Value::Array(items) => {
            let scalars: Option<Vec<_>> = items.iter().map(|item| scalar(item, Escapes::Json)).collect();
            let line = scalars.map(|scalars| format!("[{}]", scalars.join(", ")));
            if let Some(line) = line.filter(|line| line.len() <= LINE) {
                out.push_str(&line);
                return;
            }
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                new_line(below, out);
                write_json(item, below, out);
            }
            new_line(depth, out);
            out.push(']');
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr::{LoadableYamlNode as _, Yaml};
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_quoted_where_some_reader_would_take_it_for_something_else() {
        for plain in
            ["keptn", "a-1", "outbound|8080||a.b.svc", "oci://r.example.org:5000/a/b", "api.keptn", "yes-no"]
        {
            assert_eq!(text(plain), plain);
        }
        for other in [
            "", "1", "123", "0x1f", "1e3", "1:20", "on", "No", "y", "NULL", "~", "-", "-a", "a: b", "a:",
            "a #b", "*a",
        ] {
            assert_eq!(text(other), format!("\"{other}\""));
        }
        assert_eq!(text("a\"\\\n\u{7f}\u{2028}\u{1f600}"), "\"a\\\"\\\\\\u000a\\u007f\\u2028\\U0001f600\"");
    }

    #[test]
    fn both_forms_are_for_people_to_read() {
        let value = json!({
            "auth": { "timeout": "1s", "cluster": "outbound|80||a" },
            "hosts": ["api.keptn", "123"],
            "max_body_bytes": 1,
            "routes": [{ "upstream": "a", "path": "/a", "methods": ["GET"] }, { "path": "/b" }],
            "tokens": [],
            "websocket": {},
            "zz": [[1, 2], []],
        });
        assert_eq!(
            block(&value),
            "hosts:\n- api.keptn\n- \"123\"\nauth:\n  cluster: outbound|80||a\n  timeout: \"1s\"\nmax_body_bytes: 1\n\
             routes:\n- path: \"/a\"\n  methods:\n  - GET\n  upstream: a\n- path: \"/b\"\ntokens: []\nwebsocket: {}\n\
             zz:\n- - 1\n  - 2\n- []"
        );
        assert_eq!(
            json(&value),
            "{\n  \"hosts\": [\"api.keptn\", \"123\"],\n  \"auth\": {\n    \"cluster\": \"outbound|80||a\",\n    \
             \"timeout\": \"1s\"\n  },\n  \"max_body_bytes\": 1,\n  \"routes\": [\n    {\n      \"path\": \"/a\",\n      \
             \"methods\": [\"GET\"],\n      \"upstream\": \"a\"\n    },\n    {\n      \"path\": \"/b\"\n    }\n  ],\n  \
             \"tokens\": [],\n  \"websocket\": {},\n  \"zz\": [\n    [1, 2],\n    []\n  ]\n}"
        );
        assert_eq!((block(&json!({})), json(&json!({}))), ("{}".to_owned(), "{}".to_owned()));
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[a-z0-9:| .#-]{0,8}".prop_map(Value::from),
            Just(Value::from("on")),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                    .prop_map(|object| Value::Object(object.into_iter().collect())),
            ]
        })
    }

    fn read(yaml: &Yaml<'_>) -> Value {
        if let Some(items) = yaml.as_sequence() {
            return items.iter().map(read).collect();
        }
        if let Some(object) = yaml.as_mapping() {
            let entries = object.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), read(value)));
            return Value::Object(entries.collect());
        }
        let of_text = || yaml.as_str().map(Value::from);
        yaml.as_bool().map(Value::from).or(yaml.as_integer().map(Value::from)).or_else(of_text).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in values()) {
            let written = json(&value);
            prop_assert!(written.is_ascii());
            prop_assert_eq!(&serde_json::from_str::<Value>(&written).unwrap(), &value);
            let value = json!({ "a": value });
            let written = block(&value);
            prop_assert!(written.is_ascii());
            let documents = Yaml::load_from_str(&written)
                .map_err(|error| TestCaseError::fail(format!("{error}\n{written}")))?;
            prop_assert_eq!(read(&documents[0]), value, "{}", written);
        }
    }
}
