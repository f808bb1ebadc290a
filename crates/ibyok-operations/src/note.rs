//! Messages for a person while a verb works.

/// A message for a person while a verb works. It can name keys, variables and files, and never holds a value.
///
/// The text can come from files and stores: a program that prints it must escape control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program decides for each kind whether it prints it"
)]
pub enum Note {
    /// Something to know.
    Info(String),
    /// Something that must be known. The text begins with `warning:`.
    Warning(String),
}
