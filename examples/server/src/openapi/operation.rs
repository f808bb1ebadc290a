//! One operation: a method of a path.

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::parameter::{self, Parameter};
use super::{MakeSchema, Schemas};

/// The description of one method of a path.
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    description: &'static str,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
    /// False for the routes that anybody may ask.
    token: bool,
    /// True for changes of a key, which take `If-Match`.
    conditional: bool,
    /// True if the state may not allow the request.
    conflicts: bool,
    tag: bool,
}

struct Body {
    schema: MakeSchema,
    required: bool,
}

struct Answer {
    status: u16,
    description: &'static str,
    schema: Option<MakeSchema>,
}

impl Operation {
    /// Describes an operation by its id and its effect.
    pub(crate) fn new(id: &'static str, summary: &'static str) -> Self {
        Operation {
            id,
            summary,
            description: "",
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            token: true,
            conditional: false,
            conflicts: false,
            tag: false,
        }
    }

    /// Adds the scope that the token needs, and other facts.
    pub(crate) fn needs(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    /// Adds a parameter of the query or the path, or a header.
    pub(crate) fn takes(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Adds the body.
    pub(crate) fn body<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: SchemaGenerator::subschema_for::<T>,
            required: true,
        });
        self.conflicts = true;
        self
    }

    /// Adds a body that a request may leave out.
    pub(crate) fn optional_body<T: JsonSchema>(self) -> Self {
        let mut described = self.body::<T>();
        if let Some(body) = &mut described.body {
            body.required = false;
        }
        described
    }

    /// Adds an answer with a document.
    pub(crate) fn answers<T: JsonSchema>(mut self, status: u16, description: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            description,
            schema: Some(SchemaGenerator::subschema_for::<T>),
        });
        self
    }

    /// Adds an answer whose document has no schema.
    pub(crate) fn answers_json(mut self, status: u16, description: &'static str) -> Self {
        self.answers.push(Answer {
            status,
            description,
            schema: None,
        });
        self
    }

    /// Lets the request be made on the condition `If-Match`.
    pub(crate) fn conditional(mut self) -> Self {
        (self.conditional, self.conflicts) = (true, true);
        self
    }

    /// Adds the refusal of a request that the state does not allow.
    pub(crate) fn conflicts(mut self) -> Self {
        self.conflicts = true;
        self
    }

    /// Adds the answer's `ETag`.
    pub(crate) fn tagged(mut self) -> Self {
        self.tag = true;
        self
    }

    /// Lets anybody ask, without a token.
    pub(crate) fn for_anybody(mut self) -> Self {
        self.token = false;
        self
    }

    /// The document of the operation.
    pub(crate) fn describe(&self, path: &str, schemas: &mut Schemas) -> Value {
        let mut operation = Map::new();
        operation.insert("operationId".to_owned(), self.id.into());
        operation.insert("summary".to_owned(), self.summary.into());
        if !self.description.is_empty() {
            operation.insert("description".to_owned(), self.description.into());
        }
        if !self.token {
            operation.insert("security".to_owned(), json!([]));
        }
        let parameters = self.parameters(path, schemas);
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), parameters.into());
        }
        if let Some(body) = &self.body {
            let schema = schemas.of_request(body.schema);
            let content = json!({ "application/json": { "schema": schema } });
            operation.insert(
                "requestBody".to_owned(),
                json!({ "required": body.required, "content": content }),
            );
        }
        operation.insert("responses".to_owned(), self.responses(schemas).into());
        operation.into()
    }

    fn parameters(&self, path: &str, schemas: &mut Schemas) -> Vec<Value> {
        let named = |name: &str| self.parameters.iter().any(|parameter| parameter.name == name);
        let in_path = parameter::of_path(path).filter(|parameter| !named(parameter.name));
        let mut described: Vec<Value> = in_path.map(|parameter| parameter.describe(schemas)).collect();
        described.extend(self.parameters.iter().map(|parameter| parameter.describe(schemas)));
        if self.conditional {
            described.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
        }
        described
    }

    fn responses(&self, schemas: &mut Schemas) -> Map<String, Value> {
        let mut responses = Map::new();
        for answer in &self.answers {
            responses.insert(answer.status.to_string(), self.response(answer, schemas));
        }
        for status in self.refusals() {
            let refusal = json!({ "$ref": "#/components/responses/Problem" });
            responses.entry(status.to_string()).or_insert(refusal);
        }
        responses
    }

    fn response(&self, answer: &Answer, schemas: &mut Schemas) -> Value {
        let schema = answer.schema.map(|make| schemas.of_answer(make));
        let schema = schema.unwrap_or_else(|| json!({ "type": "object" }));
        let mut headers = Map::from_iter([("X-Request-Id".to_owned(), request_id())]);
        if self.tag {
            let tag = json!({
                "description": "The key's revision in quotes, for `If-Match` of a change",
                "schema": { "type": "string" },
            });
            headers.insert("ETag".to_owned(), tag);
        }
        json!({
            "description": answer.description,
            "headers": headers,
            "content": { "application/json": { "schema": schema } },
        })
    }

    /// The statuses of refusals, which follow from the kind of request.
    fn refusals(&self) -> Vec<u16> {
        let mut statuses = Vec::new();
        if self.token {
            statuses.extend([400, 401, 403, 404, 429, 500, 503]);
        }
        if self.body.is_some() {
            statuses.extend([408, 413, 415]);
        }
        if self.conflicts {
            statuses.push(409);
        }
        if self.conditional {
            statuses.push(412);
        }
        statuses
    }
}

/// The header with the id of a request.
pub(super) fn request_id() -> Value {
    json!({ "description": "The id of the request in the server's logs", "schema": { "type": "string" } })
}
