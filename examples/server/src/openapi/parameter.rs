//! Parameters of paths and queries, and headers.

use ibyok_api::{UsageBy, schema};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use super::{MakeSchema, Schemas};

/// A parameter of a request.
#[derive(Clone, Copy)]
pub(crate) struct Parameter {
    pub(super) name: &'static str,
    place: Place,
    description: &'static str,
    schema: Kind,
}

#[derive(Clone, Copy)]
enum Place {
    Path,
    Query,
    Header,
}

#[derive(Clone, Copy)]
enum Kind {
    Of(MakeSchema),
    /// A number of items.
    Limit,
    /// `true` or `false`, which is the default.
    Flag,
    Text,
    Star,
}

/// The page size of a list.
pub(crate) const LIMIT: Parameter = Parameter {
    name: "limit",
    place: Place::Query,
    description: "The largest number of items; the server reads a larger number as the maximum",
    schema: Kind::Limit,
};

/// The place in a list.
pub(crate) const AFTER: Parameter = Parameter::text("after", "`next` of the previous page");

/// The environment in a query.
pub(crate) const ENVIRONMENT: Parameter = Parameter::query(
    "env",
    "The environment",
    SchemaGenerator::subschema_for::<schema::EnvironmentName>,
);

/// Lists with the time of the last use.
pub(crate) const LAST_USE: Parameter = Parameter::flag("last_use", "Show the time of each item's last use");

/// The version of a key.
pub(crate) const VERSION: Parameter = Parameter::query(
    "version",
    "The version's number, or `pending` for the staged version",
    SchemaGenerator::subschema_for::<schema::VersionInQuery>,
);

/// The unit of a report of usage.
pub(crate) const BY: Parameter = Parameter::query(
    "by",
    "The unit that groups the counts; `key` if absent",
    SchemaGenerator::subschema_for::<UsageBy>,
);

/// The first time of a report.
pub(crate) const SINCE: Parameter = Parameter::query(
    "since",
    "The first time that the answer covers; the last seven days if absent",
    SchemaGenerator::subschema_for::<schema::Time>,
);

/// The last time of a report.
pub(crate) const UNTIL: Parameter = Parameter::query(
    "until",
    "The last time that the answer covers; now if absent",
    SchemaGenerator::subschema_for::<schema::Time>,
);

impl Parameter {
    /// A parameter of the query with the schema of a type.
    pub(crate) const fn query(name: &'static str, description: &'static str, schema: MakeSchema) -> Self {
        Parameter {
            name,
            place: Place::Query,
            description,
            schema: Kind::Of(schema),
        }
    }

    /// A text in the query.
    pub(crate) const fn text(name: &'static str, description: &'static str) -> Self {
        Parameter {
            name,
            place: Place::Query,
            description,
            schema: Kind::Text,
        }
    }

    /// A flag in the query, false if absent.
    pub(crate) const fn flag(name: &'static str, description: &'static str) -> Self {
        Parameter {
            name,
            place: Place::Query,
            description,
            schema: Kind::Flag,
        }
    }

    /// A parameter of the path with a special description.
    pub(crate) fn path<T: JsonSchema>(name: &'static str, description: &'static str) -> Self {
        Parameter {
            name,
            place: Place::Path,
            description,
            schema: Kind::Of(SchemaGenerator::subschema_for::<T>),
        }
    }

    /// `If-None-Match: *`.
    pub(crate) const IF_ABSENT: Parameter = Parameter {
        name: "If-None-Match",
        place: Place::Header,
        description: "`*`: refuse a key that exists, with 412",
        schema: Kind::Star,
    };

    pub(super) fn describe(&self, schemas: &mut Schemas) -> Value {
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        json!({
            "name": self.name,
            "in": place,
            "required": matches!(self.place, Place::Path),
            "description": self.description,
            "schema": self.schema.describe(schemas),
        })
    }
}

impl Kind {
    fn describe(self, schemas: &mut Schemas) -> Value {
        match self {
            Kind::Of(make) => schemas.of_request(make),
            Kind::Limit => json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
            Kind::Flag => json!({ "type": "boolean", "default": false }),
            Kind::Text => json!({ "type": "string" }),
            Kind::Star => json!({ "const": "*" }),
        }
    }
}

/// The parameters that a path's template names.
pub(super) fn of_path(path: &str) -> impl Iterator<Item = Parameter> {
    let named = path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    named.filter_map(|name| match name {
        "env" => Some(Parameter::path::<schema::EnvironmentPath>(
            "env",
            "The environment, or `_` if the path names the key by its id",
        )),
        "name" => Some(Parameter::path::<schema::KeyHandle>(
            "name",
            "The key's name or its id (`key_…`)",
        )),
        _ => None,
    })
}

/// The header of a change on a condition.
pub(super) fn if_match() -> Value {
    json!({
        "name": "If-Match",
        "in": "header",
        "required": false,
        "description": "Change the key only if it is at one of these revisions (`\"7\"`, its ETag), if one of these versions is current \
            (`\"version-3\"`), or if it exists at all (`*`); else 412. The server checks the condition in the same step as the change. \
            A condition that it cannot read is 400.",
        "schema": { "type": "string" },
    })
}
