//! The arguments of `ibyok keys`.

use ibyok_core::keys::KeyId;

use crate::commands::value::{Expected, ValueArgs};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Create a key, or add a new current version to it; reads the value from standard input
    Set(Set),
    /// Create a key, and refuse a key that exists; reads the value from standard input
    Add(Write),
    /// List keys, without values
    List {
        /// List only keys of this environment
        #[arg(long, value_name = "ENV")]
        env: Option<String>,
    },
    /// Show a key with its versions, without values
    Show {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        key: String,
    },
    /// Copy a key with its value to another name or environment
    Copy {
        /// The key to copy: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        from: String,
        /// The new reference: `env/name` or `ibyok://…`
        #[arg(value_name = "REF")]
        to: String,
        /// If the target exists, add the value to it as a new version
        #[arg(long)]
        replace: bool,
    },
    /// Change a key's provider, labels, variable, limits or dates, but not its value
    Edit(Edit),
    /// Disable a key, or one version of it
    Disable(Switch),
    /// Enable a key, or one version of it
    Enable(Enable),
    /// Set the mode of a key, which overrides its environment's mode, or remove the override with `inherit`
    Mode {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF")]
        key: String,
        /// `mock`, `live` or `inherit`
        #[arg(value_name = "MODE")]
        mode: String,
        #[command(flatten)]
        expected: Expected,
    },
    /// Remove a key with all its versions
    Remove {
        /// The key: `env/name`, `ibyok://…`, or an id
        #[arg(value_name = "REF", required_unless_present = "damaged", conflicts_with = "damaged")]
        key: Option<String>,
        /// Remove the key whose record is damaged, by this id; `keys list` shows the id
        #[arg(long, value_name = "ID", conflicts_with = "if_version")]
        damaged: Option<KeyId>,
        /// With `--damaged`: remove the key even if its record may be intact, for example written by a newer version
        #[arg(long, requires = "damaged", conflicts_with = "key")]
        force: bool,
        #[command(flatten)]
        expected: Expected,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    pub(super) write: Write,
    #[command(flatten)]
    pub(super) expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Write {
    /// The key: `env/name` or `ibyok://…`
    #[arg(value_name = "REF")]
    pub(super) key: String,
    #[command(flatten)]
    pub(super) value: ValueArgs,
    /// The provider, for example `openai`
    #[arg(long, value_name = "PROVIDER")]
    pub(super) provider: Option<String>,
    /// A label. The given labels replace all labels of the key. Repeatable
    #[arg(long, value_name = "K=V")]
    pub(super) label: Vec<String>,
    /// The variable that programs read the key from [default: the provider's usual one, else the name in capitals]
    #[arg(long, value_name = "NAME")]
    pub(super) var: Option<String>,
    #[command(flatten)]
    pub(super) bounds: Bounds,
    #[command(flatten)]
    pub(super) force: Force,
}

/// The flags that bound the use of a key.
#[derive(Debug, clap::Args)]
pub(crate) struct Bounds {
    /// The rate limit of retrievals, for example `60/min`; `none` applies the environment's limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    pub(super) rate_limit: Option<String>,
    /// The age of the current version at which `rotate due` lists the key, for example `90d`; `none` removes the interval
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub(super) rotate_every: Option<String>,
    /// The time at which the provider expires the key: `90d` from now, or a date; `none` removes it. The vault keeps serving
    /// the key after this time, and `rotate due` warns about it
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    pub(super) expires: Option<String>,
}

/// The flags that force an action on a leaked value.
#[derive(Debug, clap::Args)]
pub(crate) struct Force {
    /// Accept a leaked value: one that is marked compromised, while an incident is open on the key
    #[arg(long, requires = "reason")]
    pub(super) force: bool,
    /// The reason for `--force`, for the audit log
    #[arg(long, value_name = "TEXT", requires = "force")]
    pub(super) reason: Option<String>,
}

impl Force {
    /// Returns the reason if the action is forced.
    pub(in crate::commands) fn reason(self) -> Option<String> {
        self.reason.filter(|_| self.force)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    pub(super) key: String,
    /// The provider; an empty value removes it
    #[arg(long, value_name = "PROVIDER")]
    pub(super) provider: Option<String>,
    /// A label to set; an empty value after the `=` removes the label. Repeatable
    #[arg(long, value_name = "K=V")]
    pub(super) label: Vec<String>,
    /// The variable that programs read the key from
    #[arg(long, value_name = "NAME")]
    pub(super) var: Option<String>,
    #[command(flatten)]
    pub(super) bounds: Bounds,
    #[command(flatten)]
    pub(super) expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Switch {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    pub(super) key: String,
    /// Switch only this version instead of the whole key
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) version: Option<u32>,
    #[command(flatten)]
    pub(super) expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Enable {
    #[command(flatten)]
    pub(super) switch: Switch,
    #[command(flatten)]
    pub(super) force: Force,
}

impl Verb {
    /// Returns the version that the key must have now, if the verb takes one.
    pub(super) fn if_version(&self) -> Option<u32> {
        match self {
            Verb::Set(Set { expected, .. })
            | Verb::Edit(Edit { expected, .. })
            | Verb::Disable(Switch { expected, .. })
            | Verb::Enable(Enable {
                switch: Switch { expected, .. },
                ..
            })
            | Verb::Mode { expected, .. }
            | Verb::Remove { expected, .. } => expected.if_version,
            Verb::Add(_) | Verb::Copy { .. } | Verb::List { .. } | Verb::Show { .. } => None,
        }
    }
}
