//! Variables of a program's environment: which of them may hold a key, and on whose word.
//!
//! A variable decides more than the value in it: `MAKEFILES` names code that `make` runs, `https_proxy` names the machine that sees
//! every request. A list of such variables always has gaps, so that the word of a token, or of a file that a stranger wrote, is
//! taken only for variables of which it is evident that they hold a credential or an address of one service.

mod browser;
mod evidence;
mod runs_code;

use ibyok_providers::Catalogue;

pub use browser::reaches_browsers;
pub(crate) use browser::warning as reaches_browsers_warning;

/// The longest variable, in bytes.
const VARIABLE_MAX: usize = 128;

/// The degree to which a variable is to be trusted with a value that another writer stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "code that hands out variables must handle every kind"
)]
pub enum VariableKind {
    /// It is no name that every shell can set: letters, digits and `_`, at most 128, not beginning with a digit.
    Malformed,
    /// `IBYOK_…`, which steers this program, or `…_PROXY`, which decides where every request goes.
    Reserved,
    /// A shell, a loader, an interpreter or another well-known program takes code from it.
    RunsCode,
    /// It may be anything: an operator may choose it, a token or a project's file may not.
    Unproven,
    /// It evidently holds a credential or says where one service is: the catalogue of providers has it, or its last word is one
    /// such as `KEY`, `PASSWORD` or `URL` and no tool is known to be steered by it.
    Evident,
}

impl VariableKind {
    /// The kind of a variable.
    ///
    /// ```
    /// use ibyok_core::keys::VariableKind;
    ///
    /// assert_eq!(VariableKind::of("DATABASE_URL"), VariableKind::Evident);
    /// assert_eq!(VariableKind::of("MAKEFILES"), VariableKind::Unproven);
    /// assert_eq!(VariableKind::of("LD_PRELOAD"), VariableKind::RunsCode);
    /// ```
    #[must_use]
    pub fn of(variable: &str) -> Self {
        let upper = variable.to_ascii_uppercase();
        if !is_name(variable) {
            VariableKind::Malformed
        } else if upper.starts_with("IBYOK_") || upper == "IBYOK" || upper.ends_with("_PROXY") {
            VariableKind::Reserved
        } else if Catalogue::builtin().by_variable(variable).is_some() {
            VariableKind::Evident
        } else if runs_code(variable) {
            VariableKind::RunsCode
        } else if evidence::is_evident(&upper) {
            VariableKind::Evident
        } else {
            VariableKind::Unproven
        }
    }

    /// True if a program may be given the variable. `named` says that an operator named it, which only an unproven
    /// variable needs.
    ///
    /// `run --env`, `export` and a project's file follow this rule.
    #[must_use]
    pub fn may_be_handed_out(self, named: bool) -> bool {
        match self {
            VariableKind::Evident => true,
            VariableKind::Unproven => named,
            VariableKind::Malformed | VariableKind::Reserved | VariableKind::RunsCode => false,
        }
    }
}

/// True if a variable decides which code a shell, a loader, an interpreter or another well-known program runs. A
/// principal that may write a key, or a project's file, must not choose that for every program that is run with the
/// environment's keys.
///
/// The list has the variables that sudo, OpenSSH and glibc drop or ignore for the same reason, and the hooks of the
/// tools that developers use. It cannot be complete, which is why [`VariableKind::Evident`] exists.
#[must_use]
pub fn runs_code(variable: &str) -> bool {
    runs_code::is_listed(&variable.to_ascii_uppercase())
}

fn is_name(variable: &str) -> bool {
    let mut bytes = variable.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && variable.len() <= VARIABLE_MAX && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_and_every_proxy_is_reserved_however_it_is_written() {
        for name in [
            "IBYOK_TOKEN_COMMAND",
            "ibyok_token",
            "IBYOK_",
            "HTTPS_PROXY",
            "all_proxy",
            "No_Proxy",
        ] {
            assert_eq!(VariableKind::of(name), VariableKind::Reserved, "{name}");
        }
        for name in ["", "1A", "A B", "A-B", "A=B", "É", "a.b", &"A".repeat(129)] {
            assert_eq!(VariableKind::of(name), VariableKind::Malformed, "{name}");
        }
    }

    #[test]
    fn every_variable_of_the_catalogue_is_evident() {
        for provider in Catalogue::builtin().iter() {
            for variable in provider.variables() {
                assert_eq!(VariableKind::of(variable), VariableKind::Evident, "{variable}");
            }
        }
    }

    #[test]
    fn an_operators_word_opens_what_is_unproven_and_nothing_that_runs_code() {
        assert!(VariableKind::of("LOG_LEVEL").may_be_handed_out(true));
        assert!(!VariableKind::of("LOG_LEVEL").may_be_handed_out(false));
        for never in ["PATH", "IBYOK_TOKEN", "http_proxy", "A-B"] {
            assert!(!VariableKind::of(never).may_be_handed_out(true), "{never}");
        }
    }
}
