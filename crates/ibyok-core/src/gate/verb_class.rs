//! The classes of verbs by which the limits of tokens count.

use ibyok_audit::Action;

/// The bucket that a verb counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VerbClass {
    /// Releases a value: the token's own rate and the key's limit count it.
    Retrieval,
    /// Finds the reference of a key by its id, for the verb that follows.
    Lookup,
    /// Shows something.
    Read,
    /// Changes something.
    Write,
    /// Gives the token itself a new secret.
    RotateSelf,
    /// Takes something away. No limit ever refuses it.
    TakeAway,
}

impl VerbClass {
    /// The class of an action that a token asks for.
    pub(crate) fn of(action: Action) -> Self {
        match action {
            Action::KeyRetrieve | Action::KeyExport => VerbClass::Retrieval,
            Action::KeyShow | Action::KeyList | Action::TokenList | Action::UsageRead | Action::AuditRead => {
                VerbClass::Read
            }
            Action::KeyDisable | Action::TokenRevoke => VerbClass::TakeAway,
            // An action that is not known here changes something: the stricter class.
            _ => VerbClass::Write,
        }
    }
}
