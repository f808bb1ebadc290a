//! Environments, and the classes that guardrails bind to.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::name::{EnvironmentName, Namespace};
use crate::base::error::Error;

/// The class of an environment. Guardrails bind to the class, and an unknown one counts as production.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Class {
    /// Development.
    Dev,
    /// Staging.
    Staging,
    /// Production, and every class that is not known to be less.
    #[default]
    #[serde(other)]
    Prod,
}

impl Class {
    /// The word for it: `dev`, `staging` or `prod`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Dev => "dev",
            Class::Staging => "staging",
            Class::Prod => "prod",
        }
    }

    /// The class that an environment of this name has unless another is given.
    #[must_use]
    pub fn of(name: &EnvironmentName) -> Self {
        match name.as_str() {
            "dev" => Class::Dev,
            "staging" => Class::Staging,
            _ => Class::Prod,
        }
    }
}

impl std::str::FromStr for Class {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "dev" => Ok(Class::Dev),
            "staging" => Ok(Class::Staging),
            "prod" => Ok(Class::Prod),
            other => Err(Error::invalid_name("class", other, "dev, staging or prod")),
        }
    }
}

/// The attributes that the core keeps, sealed, in a realm's environment key record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Attributes {
    pub(crate) class: Class,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
}

/// An environment, as lists show it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EnvironmentInfo {
    /// Its namespace, where that is not the vault's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// Its name.
    pub name: EnvironmentName,
    /// Its class.
    pub class: Class,
    /// The time at which it was made.
    pub created: Timestamp,
    /// The principal that made it: an operator's name or a token's id.
    pub created_by: String,
    /// The realm tag with which the ids of its tokens begin.
    pub tag: String,
    /// The KEK that wraps its environment key.
    pub kek: String,
    /// The generation of its environment key that seals now, counted from 1.
    pub generation: u32,
}
