//! Guardrails: the modes that this node enforces in a class of environments, over the vault's settings.
//!
//! Modes are decided in three tiers: guardrail, the key's own mode, the environment's default.

use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::model::environment::Class;
use crate::model::mode::{Mode, ModeSource};

/// The modes that this node enforces in each class of environments. The vault cannot change them.
///
/// They are the node's own: they come from its settings and not from the store, so that nobody who may write to the vault can
/// turn a development server into one that serves live values, or production into one that serves mocks.
///
/// ```
/// use ibyok_core::{environments::Class, modes::{Guardrails, Mode}};
///
/// let guardrails = Guardrails::default().force(Class::Dev, Mode::Mock);
/// assert_eq!(guardrails.forced(Class::Dev), Some(Mode::Mock));
/// assert!(!guardrails.allows(Class::Prod, Mode::Mock), "unless it is said");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Guardrails {
    /// The mode of everything in environments of class dev.
    pub dev: Option<Mode>,
    /// The mode of everything in environments of class staging.
    pub staging: Option<Mode>,
    /// The mode of everything in environments of class prod, and of those whose class is not known.
    pub prod: Option<Mode>,
    /// True if keys and environments of class prod may be set to mock.
    pub prod_mock_allowed: bool,
}

impl Guardrails {
    /// Sets one mode for everything in a class of environments.
    #[must_use]
    pub fn force(mut self, class: Class, mode: Mode) -> Self {
        match class {
            Class::Dev => self.dev = Some(mode),
            Class::Staging => self.staging = Some(mode),
            Class::Prod => self.prod = Some(mode),
        }
        self
    }

    /// Sets whether keys and environments of class prod may be set to mock.
    #[must_use]
    pub fn allow_prod_mock(mut self, allow: bool) -> Self {
        self.prod_mock_allowed = allow;
        self
    }

    /// The one mode of a class, if one is forced.
    #[must_use]
    pub fn forced(&self, class: Class) -> Option<Mode> {
        match class {
            Class::Dev => self.dev,
            Class::Staging => self.staging,
            Class::Prod => self.prod,
        }
    }

    /// True if a key or an environment of a class may be set to a mode. The mode that is then served may be another:
    /// see [`forced`](Self::forced).
    #[must_use]
    pub fn allows(&self, class: Class, mode: Mode) -> bool {
        class != Class::Prod || mode == Mode::Live || self.prod_mock_allowed
    }

    /// The mode that a key is served in, and which tier decided it.
    pub(crate) fn resolve(&self, class: Class, key: Option<Mode>, environment: Option<Mode>) -> (Mode, ModeSource) {
        if let Some(forced) = self.forced(class) {
            return (forced, ModeSource::Guardrail);
        }
        let (mode, source) = match key {
            Some(mode) => (mode, ModeSource::KeyOverride),
            None => (environment.unwrap_or(Mode::Live), ModeSource::TenantSetting),
        };
        if self.allows(class, mode) {
            (mode, source)
        } else {
            // Set on a node where it was allowed: here production serves no mocks.
            (Mode::Live, ModeSource::Guardrail)
        }
    }

    /// Refuses to set a mode that this node would not serve.
    pub(crate) fn check(&self, class: Class, mode: Mode) -> Result<()> {
        if self.allows(class, mode) {
            return Ok(());
        }
        Err(Error::invalid(
            "this node serves no mocks in an environment of class prod",
            "`PROD_MOCK_ALLOWED=true` in the settings of this node allows mocks",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODES: [Option<Mode>; 3] = [None, Some(Mode::Live), Some(Mode::Mock)];
    const CLASSES: [Class; 3] = [Class::Dev, Class::Staging, Class::Prod];

    /// INTERFACES in the words of its sentence: guardrail, then the key's override, then the environment's default.
    fn expected(
        class: Class,
        forced: Option<Mode>,
        allowed: bool,
        key: Option<Mode>,
        environment: Option<Mode>,
    ) -> (&'static str, &'static str) {
        let never_mock = class == Class::Prod && !allowed;
        match (forced, key, environment) {
            (Some(Mode::Mock), _, _) => ("mock", "guardrail"),
            (Some(Mode::Live), _, _) => ("live", "guardrail"),
            (None, Some(Mode::Mock), _) if never_mock => ("live", "guardrail"),
            (None, Some(Mode::Mock), _) => ("mock", "key_override"),
            (None, Some(Mode::Live), _) => ("live", "key_override"),
            (None, None, Some(Mode::Mock)) if never_mock => ("live", "guardrail"),
            (None, None, Some(Mode::Mock)) => ("mock", "tenant_setting"),
            (None, None, _) => ("live", "tenant_setting"),
        }
    }

    #[test]
    fn the_first_tier_that_says_something_decides() {
        let mut seen = 0;
        for class in CLASSES {
            for forced in MODES {
                for allowed in [false, true] {
                    let guardrails = Guardrails::default().allow_prod_mock(allowed);
                    let guardrails = forced.map_or(guardrails, |mode| guardrails.force(class, mode));
                    for key in MODES {
                        for environment in MODES {
                            let (mode, source) = guardrails.resolve(class, key, environment);
                            assert_eq!(
                                (mode.as_str(), source.as_str()),
                                expected(class, forced, allowed, key, environment),
                                "{class:?} {forced:?} {allowed} {key:?} {environment:?}"
                            );
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 3 * 3 * 2 * 3 * 3);
    }

    #[test]
    fn a_guardrail_binds_its_own_class_only() {
        let guardrails = Guardrails::default().force(Class::Staging, Mode::Mock);
        for class in CLASSES {
            assert_eq!(guardrails.forced(class).is_some(), class == Class::Staging);
        }
    }
}
