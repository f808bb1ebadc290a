//! A provider: one entry of the catalogue.

use crate::{
    mock,
    shape::{MAX_VALUE_LEN, Shape},
};

/// A provider that issues keys: one entry of the catalogue.
#[derive(Clone, Debug)]
pub struct Provider {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) category: Category,
    /// At least one; the first is the default.
    pub(crate) variables: Vec<String>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) mock: String,
    pub(crate) create: String,
    pub(crate) revoke: String,
    pub(crate) note: Option<String>,
    pub(crate) can: Vec<Capability>,
}

impl Provider {
    /// The provider's id: lower-case letters, digits and hyphens, never renamed. It is the argument of `--provider`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The name as the provider writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the category of the provider's service.
    pub fn category(&self) -> Category {
        self.category
    }

    /// The variable in which programs usually expect the key: the first of [`variables`](Self::variables).
    pub fn variable(&self) -> &str {
        self.variables.first().map_or("", String::as_str)
    }

    /// All variables in which programs expect a key of this provider, the usual one first. No two providers share one.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Returns the shapes of the provider's keys. Empty if no shape is known.
    pub fn shapes(&self) -> &[Shape] {
        &self.shapes
    }

    /// Returns the prefix of every mock of this provider's keys, such as `sk-mock-openai-`.
    pub fn mock_prefix(&self) -> &str {
        &self.mock
    }

    /// Returns the page on which a person creates a key (https).
    pub fn create_url(&self) -> &str {
        &self.create
    }

    /// Returns the page on which a person revokes a key, or reads how to (https).
    pub fn revoke_url(&self) -> &str {
        &self.revoke
    }

    /// Returns a note for people who rotate a key of this provider.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Returns true if the provider's public API documents this capability. `false` can also mean that the
    /// documentation was not read.
    pub fn can(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }

    /// All that [`can`](Self::can) says yes to, in the order of [`Capability::ALL`].
    pub fn capabilities(&self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(|capability| self.can(*capability))
    }

    /// Compares `value` with the shapes of this provider's keys.
    ///
    /// The whole value is compared, a newline at its end included. An empty value, a mock and a value of more than
    /// [`MAX_VALUE_LEN`] bytes are [`Matched::No`].
    pub fn matches(&self, value: &[u8]) -> Matched {
        let mocked = mock::has_form(value) || mock::has_prefix(value, &self.mock);
        if value.is_empty() || value.len() > MAX_VALUE_LEN || mocked {
            Matched::No
        } else if self
            .shapes
            .iter()
            .any(|shape| shape.is_documented() && shape.fits(value))
        {
            Matched::Yes
        } else if self.shapes.is_empty() || self.shapes.iter().any(|shape| !shape.is_documented()) {
            Matched::Unknown
        } else {
            Matched::No
        }
    }
}

/// The answer to whether a value looks like a provider's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller that warns must decide on every answer")]
pub enum Matched {
    /// It has a documented shape.
    Yes,
    /// It has none of the provider's shapes, and they are all documented: worth a warning.
    No,
    /// The provider does not document the form of all its keys.
    Unknown,
}

/// The category of a provider's service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Category {
    /// Language, speech and image models.
    Llm,
    /// Vector stores and search.
    Search,
    /// Clouds, hosting and networks.
    Cloud,
    /// Databases, data platforms and data sources.
    Data,
    /// Payments and shops.
    Payment,
    /// Mail, SMS and telephony.
    Mail,
    /// Source hosting and package registries.
    Source,
    /// Building, deploying and monitoring.
    Operations,
    /// Chat, documents and other tools of teams.
    Work,
    /// Maps and weather.
    Maps,
    /// Identity and secrets.
    Identity,
}

impl Category {
    /// Every category, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Llm,
        Self::Search,
        Self::Cloud,
        Self::Data,
        Self::Payment,
        Self::Mail,
        Self::Source,
        Self::Operations,
        Self::Work,
        Self::Maps,
        Self::Identity,
    ];

    /// The category's name as in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Llm => "llm",
            Self::Search => "search",
            Self::Cloud => "cloud",
            Self::Data => "data",
            Self::Payment => "payment",
            Self::Mail => "mail",
            Self::Source => "source",
            Self::Operations => "operations",
            Self::Work => "work",
            Self::Maps => "maps",
            Self::Identity => "identity",
        }
    }
}

/// An operation on a provider's keys that a program can do over the provider's public API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Capability {
    /// Create a key.
    Create,
    /// Switch a key off so that it can be switched on again.
    Deactivate,
    /// Delete or revoke a key for good.
    Delete,
    /// Report use or cost.
    ReportUsage,
    /// Tell by a cheap call that changes nothing whether a key is live.
    Probe,
}

impl Capability {
    /// Every capability.
    pub const ALL: [Self; 5] = [
        Self::Create,
        Self::Deactivate,
        Self::Delete,
        Self::ReportUsage,
        Self::Probe,
    ];

    /// The capability's name as in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Deactivate => "deactivate",
            Self::Delete => "delete",
            Self::ReportUsage => "report_usage",
            Self::Probe => "probe",
        }
    }
}
