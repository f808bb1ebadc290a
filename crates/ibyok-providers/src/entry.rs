//! From a catalogue's data to providers: fields and their types. The rules for their contents are in `rules`.

use serde_json::{Map, Value};

use crate::{
    error::Error,
    example,
    provider::{Capability, Category, Provider},
    shape::{Shape, Uses},
};

const FIELDS: &[&str] = &[
    "id",
    "name",
    "category",
    "variables",
    "mock",
    "create",
    "revoke",
    "note",
    "can",
    "shapes",
];
const SHAPE_FIELDS: &[&str] = &["pattern", "example", "context_only", "documented", "public"];

/// Reads the providers of a catalogue's data.
pub(crate) fn read(file: Value) -> Result<Vec<Provider>, Error> {
    let mut file = Fields::of_value("catalogue".to_owned(), String::new(), file)?;
    let entries = file.take("provider");
    file.end(&["provider"])?;
    let entries = match entries {
        Some(Value::Array(entries)) if !entries.is_empty() => entries,
        Some(Value::Array(_)) | None => return Err(Error::Empty),
        Some(_) => return Err(file.invalid("provider", "is not a list: write each entry under `[[provider]]`")),
    };
    entries
        .into_iter()
        .zip(1..)
        .map(|(entry, place)| provider(entry, place))
        .collect()
}

fn provider(entry: Value, place: usize) -> Result<Provider, Error> {
    let mut fields = Fields::of_value(format!("#{place}"), String::new(), entry)?;
    let id = fields.text("id")?;
    if !is_id(&id) {
        return Err(fields.invalid(
            "id",
            "is not an id: use up to 63 of a-z, 0-9 and `-`, the first not `-`",
        ));
    }
    fields.entry.clone_from(&id);
    let provider = Provider {
        id,
        name: fields.text("name")?,
        category: category(&mut fields)?,
        variables: fields.texts("variables")?,
        mock: fields.text("mock")?,
        create: fields.text("create")?,
        revoke: fields.text("revoke")?,
        note: fields.optional("note", Fields::text)?,
        can: capabilities(&mut fields)?,
        shapes: shapes(&mut fields)?,
    };
    fields.end(FIELDS)?;
    Ok(provider)
}

/// Returns true if `text` can be the id of a provider.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(allowed)
}

fn category(fields: &mut Fields) -> Result<Category, Error> {
    let name = fields.text("category")?;
    let category = Category::ALL.into_iter().find(|category| category.as_str() == name);
    category.ok_or_else(|| {
        let all = Category::ALL.map(Category::as_str).join(", ");
        fields.invalid("category", format!("is not a category: there are {all}"))
    })
}

fn capabilities(fields: &mut Fields) -> Result<Vec<Capability>, Error> {
    let names = fields.texts("can")?;
    let known = |name: &String| {
        Capability::ALL
            .into_iter()
            .find(|capability| capability.as_str() == *name)
    };
    names.iter().map(known).collect::<Option<_>>().ok_or_else(|| {
        let all = Capability::ALL.map(Capability::as_str).join(", ");
        fields.invalid("can", format!("names what is not a capability: there are {all}"))
    })
}

fn shapes(fields: &mut Fields) -> Result<Vec<Shape>, Error> {
    let Value::Array(shapes) = fields.required("shapes")? else {
        return Err(fields.invalid("shapes", "is not a list: it may be empty"));
    };
    let prefixed = |index| format!("shapes[{index}].");
    let tables = shapes.into_iter().enumerate();
    tables
        .map(|(index, value)| shape(Fields::of_value(fields.entry.clone(), prefixed(index), value)?))
        .collect()
}

fn shape(mut fields: Fields) -> Result<Shape, Error> {
    let pattern = fields.text("pattern")?;
    let example = example::expand(&fields.text("example")?).ok_or_else(|| {
        fields.invalid(
            "example",
            "has a placeholder that is not `{n}` or `{n:upper|lower|letters|zeros}`",
        )
    })?;
    let uses = Uses {
        context_only: fields.optional("context_only", Fields::flag)?.unwrap_or(false),
        documented: fields.optional("documented", Fields::flag)?.unwrap_or(true),
        public: fields.optional("public", Fields::flag)?.unwrap_or(false),
    };
    fields.end(SHAPE_FIELDS)?;
    Ok(Shape::new(pattern, example, uses))
}

/// A table that is emptied field by field. A field that is left at the end should not have been there.
struct Fields {
    entry: String,
    /// Before each field's name, such as `shapes[0].`
    path: String,
    table: Map<String, Value>,
}

impl Fields {
    fn new(entry: String, path: String, table: Map<String, Value>) -> Self {
        Self { entry, path, table }
    }

    fn of_value(entry: String, path: String, value: Value) -> Result<Self, Error> {
        match value {
            Value::Object(table) => Ok(Self::new(entry, path, table)),
            _ => Err(Error::Invalid {
                entry,
                field: path.trim_end_matches('.').to_owned(),
                problem: "is not a table".to_owned(),
            }),
        }
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.table.remove(field)
    }

    fn required(&mut self, field: &str) -> Result<Value, Error> {
        let missing = || Error::Missing {
            entry: self.entry.clone(),
            field: format!("{}{field}", self.path),
        };
        self.table.remove(field).ok_or_else(missing)
    }

    fn optional<T>(
        &mut self,
        field: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.table.contains_key(field).then(|| read(self, field)).transpose()
    }

    fn text(&mut self, field: &str) -> Result<String, Error> {
        match self.required(field)? {
            Value::String(text) => Ok(text),
            _ => Err(self.invalid(field, "is not a text in quotes")),
        }
    }

    fn texts(&mut self, field: &str) -> Result<Vec<String>, Error> {
        let problem = "is not a list of texts in quotes";
        let Value::Array(values) = self.required(field)? else {
            return Err(self.invalid(field, problem));
        };
        let text = |value| {
            if let Value::String(text) = value {
                Some(text)
            } else {
                None
            }
        };
        values
            .into_iter()
            .map(text)
            .collect::<Option<_>>()
            .ok_or_else(|| self.invalid(field, problem))
    }

    fn flag(&mut self, field: &str) -> Result<bool, Error> {
        match self.required(field)? {
            Value::Bool(flag) => Ok(flag),
            _ => Err(self.invalid(field, "is neither `true` nor `false`")),
        }
    }

    fn end(&self, expected: &'static [&'static str]) -> Result<(), Error> {
        match self.table.keys().next() {
            None => Ok(()),
            Some(field) => {
                let field = format!("{}{}", self.path, field.chars().take(64).collect::<String>());
                Err(Error::Unknown {
                    entry: self.entry.clone(),
                    field,
                    expected,
                })
            }
        }
    }

    fn invalid(&self, field: &str, problem: impl Into<String>) -> Error {
        let field = format!("{}{field}", self.path);
        Error::Invalid {
            entry: self.entry.clone(),
            field,
            problem: problem.into(),
        }
    }
}
