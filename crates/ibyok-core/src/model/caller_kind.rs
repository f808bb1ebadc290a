//! The kinds of callers.

use crate::base::words::words;

words! {
    /// The kind of a caller.
    pub enum CallerKind {
        /// The vault's operator.
        Operator = "operator",
        /// The holder of an access token.
        Token = "token",
        /// Callers beyond the number that the vault counts separately.
        Others = "others",
    }
}
