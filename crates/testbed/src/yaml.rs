//! YAML as the JSON that it stands for.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

/// The first document; null if there is none.
///
/// # Panics
/// The text is no YAML, or has something that JSON has no word for.
pub fn to_json(text: &str) -> Value {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("this is not YAML: {error}"));
    documents.first().map(value).unwrap_or_default()
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(list) => list.iter().map(value).collect(),
        Yaml::Mapping(map) => Value::Object(map.iter().map(pair).collect::<Map<_, _>>()),
        other => panic!("JSON has no word for this YAML: {other:?}"),
    }
}

fn pair((key, of): (&Yaml<'_>, &Yaml<'_>)) -> (String, Value) {
    let key = match key {
        Yaml::Value(Scalar::String(key)) => key.to_string(),
        // An OpenAPI document's statuses.
        Yaml::Value(Scalar::Integer(key)) => key.to_string(),
        other => panic!("this key of a YAML mapping is no text: {other:?}"),
    };
    (key, value(of))
}
