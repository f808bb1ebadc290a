//! The provider's own pages: a rotation begins and ends there.

use ibyok_core::providers::{Catalogue, Provider};

use super::Cx;

/// The step after which a person goes to the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// A new value was staged.
    Stage,
    /// The new value is current.
    Promote,
    /// A value was destroyed here.
    Destroy,
    /// Something is due.
    Due,
}

/// Prints the page of the key's provider for the next step. Prints nothing if the catalogue lacks the provider.
pub(super) fn say(cx: &mut Cx<'_>, provider: Option<&str>, after: After) {
    let known = provider.and_then(|id| Catalogue::builtin().get(id));
    if let Some(provider) = known {
        cx.io.say(&sentence(provider, after));
    }
}

fn sentence(provider: &Provider, after: After) -> String {
    let (name, create, revoke) = (provider.name(), provider.create_url(), provider.revoke_url());
    match after {
        After::Stage => {
            format!("create the new key of {name} at {create}; after the promotion, delete the old key at {revoke}")
        }
        After::Promote => {
            format!("when `ibyok rotate status` shows no consumer of the old key, delete it at {name}: {revoke}")
        }
        After::Destroy => format!("the key still works at {name}; delete it there: {revoke}"),
        After::Due => format!("{name}: create a new key at {create}, and delete the old key at {revoke}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_provider_has_its_pages_in_every_sentence() {
        for provider in Catalogue::builtin().iter() {
            for after in [After::Stage, After::Promote, After::Destroy, After::Due] {
                assert!(sentence(provider, after).contains("https://"), "{}", provider.id());
            }
        }
    }
}
