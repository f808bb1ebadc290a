//! The OpenAPI description, generated from the table of routes and from the types of the documents.

mod operation;
mod parameter;

use std::sync::LazyLock;

use schemars::generate::{Contract, SchemaSettings};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub(crate) use operation::Operation;
pub(crate) use parameter::{AFTER, BY, ENVIRONMENT, LAST_USE, LIMIT, Parameter, SINCE, UNTIL, VERSION};

use crate::route::Route;

/// The generated document, as it is served.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let routes = crate::routes::all();
    // A document of strings and numbers cannot fail to be written.
    let mut text = serde_json::to_string_pretty(&describe(&routes)).unwrap_or_default();
    text.push('\n');
    text
});

const DESCRIPTION: &str = "\
A vault for the API keys that programs use. Every answer carries `Cache-Control: no-store`. Every refusal is a problem document \
(RFC 9457).

A token retrieves as often as its own rate and the key's limit allow. For everything else each token has default limits: 6,000 reads at \
once and 600 a minute; 5,000 changes at once and 60 a minute; 60 rotations of itself at once and 60 an hour; 6,000 look-ups of a key by \
its id alone a minute. A lower rate of the token also limits its reads and changes, but never below 60 an hour. Beyond a limit the server \
answers 429 `limited` with `Retry-After`. It never refuses to revoke or disable because of a limit.

A request's body has at most 1 MiB where it writes a value, else 16 KiB (413). The server reads a body only if the token may send it.

Below `/v1/` the server speaks the interface of HashiCorp Vault and OpenBao (KV version 2), with their own documents: see \
docs/vault-clients.md. Those paths are not described here.";

/// Returns the OpenAPI 3.1 description of the server's interface, as JSON.
///
/// The server answers `GET /openapi.json` with it, and `docs/openapi.json` is a copy.
#[must_use]
pub fn openapi() -> &'static str {
    &DOCUMENT
}

/// Makes the schemas of answers and requests. A member with a default is required in an answer and optional in a request.
pub(crate) struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

/// Makes the schema of one type.
pub(crate) type MakeSchema = fn(&mut SchemaGenerator) -> Schema;

impl Schemas {
    fn new() -> Self {
        let generator = |contract| {
            let settings = SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
                settings.contract = contract;
            });
            settings.into_generator()
        };
        Schemas {
            answers: generator(Contract::Serialize),
            requests: generator(Contract::Deserialize),
        }
    }

    pub(crate) fn of_answer(&mut self, make: MakeSchema) -> Value {
        tidied(make(&mut self.answers), of_an_answer)
    }

    pub(crate) fn of_request(&mut self, make: MakeSchema) -> Value {
        tidied(make(&mut self.requests), tidy)
    }

    fn into_components(mut self) -> Map<String, Value> {
        let tidied = |schema, tidy| Schema::try_from(schema).map_or(Value::Bool(true), |schema| tidied(schema, tidy));
        let requests = self.requests.take_definitions(false).into_iter();
        let answers = self.answers.take_definitions(false).into_iter();
        let requests = requests.map(|(name, schema)| (name, tidied(schema, tidy)));
        requests
            .chain(answers.map(|(name, schema)| (name, tidied(schema, of_an_answer))))
            .collect()
    }
}

fn tidied(mut schema: Schema, tidy: fn(&mut Schema)) -> Value {
    tidy(&mut schema);
    schema.to_value()
}

/// Takes out the values that a client reads in the place of a member that an older server does not send.
fn of_an_answer(schema: &mut Schema) {
    schema.remove("default");
    schemars::transform::transform_subschemas(&mut of_an_answer, schema);
    tidy(schema);
}

fn tidy(schema: &mut Schema) {
    // `minimum` says as much as these formats, which are Rust's.
    if schema
        .get("format")
        .and_then(Value::as_str)
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.remove("format");
    }
    // Doc comments break lines at the margin of the source.
    if let Some(description) = schema.get("description").and_then(Value::as_str) {
        let paragraphs = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        let description = paragraphs.collect::<Vec<_>>().join("\n\n");
        schema.insert("description".to_owned(), description.into());
    }
    schemars::transform::transform_subschemas(&mut tidy, schema);
}

fn describe(routes: &[Route]) -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.of_answer(SchemaGenerator::subschema_for::<ibyok_api::Problem>);
    let mut paths = Map::new();
    for route in routes {
        let mut methods = Map::new();
        for (method, operation) in route.operations() {
            let described = operation.describe(route.path(), &mut schemas);
            methods.insert(method.as_str().to_lowercase(), described);
        }
        paths.insert(route.path().to_owned(), Value::Object(methods));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "IBYOK",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "security": [{ "bearer": [] }, { "vault": [] }],
        "paths": paths,
        "components": {
            "parameters": { "IfMatch": parameter::if_match() },
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "vault": { "type": "apiKey", "in": "header", "name": "X-Vault-Token" },
            },
            "responses": { "Problem": refusal(&problem) },
            "schemas": schemas.into_components(),
        },
    })
}

fn refusal(problem: &Value) -> Value {
    json!({
        "description": "A refusal",
        "headers": {
            "X-Request-Id": operation::request_id(),
            "Retry-After": {
                "description": "With 429 and 503: whole seconds, rounded up",
                "schema": { "type": "integer" },
            },
            "WWW-Authenticate": { "description": "With 401 and 403", "schema": { "type": "string" } },
        },
        "content": { "application/problem+json": { "schema": problem } },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_requests_agree_on_the_schemas_that_both_use() {
        let mut schemas = Schemas::new();
        for route in crate::routes::all() {
            for (_, operation) in route.operations() {
                operation.describe(route.path(), &mut schemas);
            }
        }
        let answers = schemas.answers.take_definitions(false);
        let requests = schemas.requests.take_definitions(false);
        for (name, schema) in &requests {
            assert!(
                answers.get(name).is_none_or(|of_answers| of_answers == schema),
                "{name}"
            );
        }
        assert!(
            answers.len() > 40 && requests.len() > 15,
            "{} {}",
            answers.len(),
            requests.len()
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(openapi()).unwrap();
        let mut references = 0;
        let mut left = vec![&document];
        while let Some(value) = left.pop() {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                assert!(
                    document.pointer(reference.trim_start_matches('#')).is_some(),
                    "{reference}"
                );
                references += 1;
            }
            match value {
                Value::Object(members) => left.extend(members.values()),
                Value::Array(items) => left.extend(items),
                _ => {}
            }
        }
        assert!(references > 300, "{references}");
    }
}
