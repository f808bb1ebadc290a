//! The exit code of each result: the table that scripts rely on.

use std::io;

use crate::error::Error;

/// The outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or input.
    Usage,
    /// 3: not allowed.
    NotAllowed,
    /// 4: no such thing.
    NotFound,
    /// 5: the vault cannot serve.
    Unavailable,
    /// 10: done, and there are findings.
    Findings,
    /// `run`: the program's own, which ran below us.
    Program(u8),
    /// 125: `run` failed before the program started.
    NotStarted,
    /// 126: `run`'s program cannot be executed.
    NotExecutable,
    /// 127: `run`'s program is not there.
    NoProgram,
    /// 141: no program reads the output any more. As of a program that SIGPIPE ends, and as quietly.
    NotRead,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::NotAllowed => 3,
            Exit::NotFound => 4,
            Exit::Unavailable => 5,
            Exit::Findings => 10,
            Exit::Program(code) => code,
            Exit::NotStarted => 125,
            Exit::NotExecutable => 126,
            Exit::NoProgram => 127,
            Exit::NotRead => 141,
        }
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Usage { .. } => Exit::Usage,
            Error::NoToken { .. } => Exit::NotAllowed,
            // A damaged record: what the program would lack is not known, and that is no failure of the program's start.
            Error::NotStarted(error) if error.code() == "integrity" => Exit::Unavailable,
            Error::NotStarted(_) => Exit::NotStarted,
            Error::NotExecutable { .. } => Exit::NotExecutable,
            Error::NoProgram { .. } => Exit::NoProgram,
            Error::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::NotRead,
            Error::Vault(_) | Error::Server(_) | Error::Failed { .. } | Error::Output(_) => match error.code() {
                "invalid" | "too_large" | "unsupported_media" | "method" | "timeout" => Exit::Usage,
                "unauthenticated" | "denied" => Exit::NotAllowed,
                "not_found" | "key_disabled" | "version_disabled" | "version_destroyed" => Exit::NotFound,
                "integrity" | "unavailable" | "limited" => Exit::Unavailable,
                _ => Exit::Failed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(error: ibyok_core::Error) -> u8 {
        Exit::from(&Error::from(error)).code()
    }

    #[test]
    fn each_code_of_the_vault_has_the_documented_exit_code() {
        use ibyok_core::Error as E;
        assert_eq!(exit(E::invalid("x", "y")), 2);
        assert_eq!(
            exit(E::TooLarge {
                what: "the value",
                limit: 1
            }),
            2
        );
        assert_eq!(exit(E::Unauthenticated), 3);
        assert_eq!(
            exit(E::Denied {
                limit: "key",
                reason: "x".to_owned()
            }),
            3
        );
        assert_eq!(
            exit(E::NotFound {
                what: "key".to_owned(),
                hint: None
            }),
            4
        );
        assert_eq!(exit(E::KeyDisabled { key: "k".to_owned() }), 4);
        assert_eq!(
            exit(E::VersionDestroyed {
                key: "k".to_owned(),
                version: 1
            }),
            4
        );
        assert_eq!(exit(E::Exists { what: "x".to_owned() }), 1);
        assert_eq!(exit(E::Conflict { what: "x".to_owned() }), 1);
        assert_eq!(
            exit(E::Integrity {
                what: "x".to_owned(),
                damage: ibyok_core::errors::Damage::Missing,
                affected: ibyok_core::errors::Affected::Key
            }),
            5
        );
        assert_eq!(exit(E::Kek { source: "x".into() }), 5);
    }

    #[test]
    fn an_output_that_nobody_reads_is_as_if_the_signal_had_come() {
        let error = |kind| Exit::from(&Error::Output(io::Error::from(kind))).code();
        assert_eq!(error(io::ErrorKind::BrokenPipe), 141);
        assert_eq!(error(io::ErrorKind::StorageFull), 1);
    }

    #[test]
    fn what_run_could_not_start_is_125_whatever_the_reason() {
        let error = Error::NotStarted(Box::new(Error::from(ibyok_core::Error::Unauthenticated)));
        assert_eq!(Exit::from(&error), Exit::NotStarted);
        assert_eq!(error.code(), "unauthenticated");
    }
}
