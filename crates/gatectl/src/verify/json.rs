//! Envoy's JSON, as far as it is what it should be: what has another type counts as missing.

use serde_json::Value;

static NULL: Value = Value::Null;

/// What stands under a key.
pub(super) fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&NULL)
}

/// What stands under keys, one in the other.
pub(super) fn path<'a>(value: &'a Value, keys: &[&str]) -> &'a Value {
    keys.iter().fold(value, |value, key| field(value, key))
}

/// The items of the list under a key.
pub(super) fn items<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    field(value, key).as_array().map_or(&[], Vec::as_slice)
}

/// The text under a key, if it is not empty.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    field(value, key).as_str().filter(|text| !text.is_empty())
}

pub(super) fn is_true(value: &Value, key: &str) -> bool {
    field(value, key).as_bool() == Some(true)
}

/// The name of a message's type and the message. A `TypedStruct` is what it stands for.
pub(super) fn typed(any: &Value) -> (&str, &Value) {
    let name = |value, key| text(value, key).map_or("", |url: &str| url.rsplit('/').next().unwrap_or(url));
    match name(any, "@type") {
        kind if kind.ends_with(".TypedStruct") => (name(any, "type_url"), field(any, "value")),
        kind => (kind, any),
    }
}

/// Whether `is` holds for an object anywhere in `value`. It is as deep as the reader allows.
pub(super) fn any_object(value: &Value, is: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| any_object(item, is)),
        Value::Object(object) => is(value) || object.values().any(|value| any_object(value, is)),
        _ => false,
    }
}

/// Every string in `value`, keys left out.
pub(super) fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(object) => object.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}
