//! The setters of the limits that a grant and a restriction both have.

/// Defines the setters for the fields `keys`, `not_before`, `expires`, `networks` and `pending_only`.
macro_rules! limit_setters {
    () => {
        /// Allows only keys whose names match one of these patterns.
        #[must_use]
        pub fn keys(mut self, patterns: impl IntoIterator<Item = $crate::Pattern>) -> Self {
            self.keys = Some(patterns.into_iter().collect());
            self
        }

        /// Makes the token valid only from `from` on.
        #[must_use]
        pub fn not_before(mut self, from: jiff::Timestamp) -> Self {
            self.not_before = Some(from);
            self
        }

        /// Makes the token valid only before `end`.
        #[must_use]
        pub fn expires(mut self, end: jiff::Timestamp) -> Self {
            self.expires = Some(end);
            self
        }

        /// Allows only requests from these networks.
        #[must_use]
        pub fn networks(mut self, networks: impl IntoIterator<Item = ipnet::IpNet>) -> Self {
            self.networks = Some(networks.into_iter().collect());
            self
        }

        /// Allows only the pending version of a key; see the field of the same name.
        #[must_use]
        pub fn pending_only(mut self) -> Self {
            self.pending_only = true;
            self
        }
    };
}

pub(crate) use limit_setters;
