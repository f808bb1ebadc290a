//! Schemas of the texts in the documents, for the generated OpenAPI description.
//!
//! Each type here describes a text and holds no value.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// Defines the schema of a text: inline, or as a separate component.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident $(($inline:ident))? = $schema:tt;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                false $(|| stringify!($inline) == "inline")?
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

texts! {
    /// An RFC 3339 time in UTC.
    Time(inline) = { "type": "string", "format": "date-time" };
    /// A day in UTC.
    Day(inline) = { "type": "string", "format": "date" };
    /// A value in Base64.
    Base64(inline) = { "type": "string", "contentEncoding": "base64" };
    /// The bytes of a field: text, or Base64 where they are not UTF-8.
    Field = {
        "description": "A field's bytes: text, or Base64 where they are not UTF-8",
        "oneOf": [
            { "type": "string" },
            {
                "type": "object",
                "required": ["base64"],
                "additionalProperties": false,
                "properties": { "base64": { "type": "string", "contentEncoding": "base64" } },
            },
        ],
    };
    /// The name of a namespace.
    Namespace = { "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$" };
    /// The name of an environment.
    EnvironmentName = {
        "type": "string",
        "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
        "description": "The server reads `development` and `production` as `dev` and `prod`. It refuses `self`, `admin`, `root`, `whole`, `data` and `metadata`",
    };
    /// The environment in a path.
    EnvironmentPath = {
        "type": "string",
        "pattern": "^(_|[a-z0-9][a-z0-9-]{0,62})$",
        "description": "The environment, or `_` if the path names the key by its id",
    };
    /// The name of a key.
    KeyName = {
        "type": "string",
        "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "description": "The server refuses a name that looks like a key id or an access token",
    };
    /// The public id of a key.
    KeyId = { "type": "string", "pattern": "^key_[0-9A-Za-z]{22}$" };
    /// The name or id of a key.
    KeyHandle = {
        "anyOf": [{ "$ref": "#/components/schemas/KeyName" }, { "$ref": "#/components/schemas/KeyId" }],
        "description": "The key's name or its id",
    };
    /// The public id of a token.
    TokenId = { "type": "string", "pattern": "^[0-9A-Za-z]{30}$" };
    /// The public id of an incident.
    IncidentId = { "type": "string", "pattern": "^inc_[0-9A-Za-z]{22}$" };
    /// The id of a finding.
    FindingId = { "type": "string", "pattern": "^[0-9a-f]{16}$" };
    /// The name of a variable.
    Variable = {
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,127}$",
        "description": "The server refuses variables from which shells, loaders and interpreters take code",
    };
    /// The name of a label.
    LabelName = { "type": "string", "pattern": "^[A-Za-z0-9._/-]{1,64}$" };
    /// The value of a label.
    LabelValue(inline) = { "type": "string", "maxLength": 256 };
    /// A pattern of key names.
    KeyPattern = {
        "type": "string",
        "pattern": "^[A-Za-z0-9._*?-]{1,128}$",
        "description": "`*` matches any characters and `?` matches one",
    };
    /// A network in CIDR notation.
    Network(inline) = { "type": "string" };
    /// The name that a token is given.
    TokenName(inline) = { "type": "string", "minLength": 1, "maxLength": 128 };
    /// A text about an incident.
    IncidentText(inline) = { "type": "string", "minLength": 1, "maxLength": 4096 };
    /// A reason that is kept with a review.
    ReviewReason(inline) = { "type": "string", "minLength": 1, "maxLength": 512 };
    /// The number of a version.
    VersionNumber(inline) = { "type": "integer", "minimum": 1 };
    /// The version in a query: a number or `pending`.
    VersionInQuery(inline) = { "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "pending" }] };
    /// The version in a request's body.
    VersionInBody(inline) = { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }] };
    /// The time for which an older secret stays valid.
    Grace(inline) = { "type": "integer", "minimum": 0, "maximum": 7776000, "default": 86400 };
    /// The days within which something is due.
    WithinDays(inline) = { "enum": [0, 1, 7, 30] };
    /// A member that is present only where it is true.
    True(inline) = { "const": true };
}

macro_rules! patterns {
    ($($type:ty => $name:literal, $schema:tt;)+) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+};
}

patterns! {
    crate::FieldName => "FieldName", { "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$" };
    crate::Rate => "Rate", {
        "type": "string",
        "pattern": "^[0-9]{1,10}/(sec|min|hour|day)$",
        "description": "A bucket of so many uses, which refills evenly within the span; at least 1, at most 4294967295",
    };
    crate::Interval => "Interval", {
        "type": "string",
        "description": "A length of time such as `90d` or `12h`, of at most 100 years",
    };
}
