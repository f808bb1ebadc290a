//! Finding providers in the catalogue.

use ibyok_core::providers::{Catalogue, Provider};
use ibyok_core::{Error, Result};

/// Finds a provider by its id or its name, in any case.
///
/// # Errors
/// [`Error::NotFound`] with the id that is nearest to the name, if one is near.
pub fn find(name: &str) -> Result<&'static Provider> {
    let catalogue = Catalogue::builtin();
    let by_name = || catalogue.iter().find(|one| one.name().eq_ignore_ascii_case(name));
    let found = catalogue.get(&name.to_ascii_lowercase()).or_else(by_name);
    found.ok_or_else(|| {
        let near = catalogue
            .iter()
            .map(|one| (strsim::jaro_winkler(one.id(), &name.to_ascii_lowercase()), one.id()))
            .filter(|(score, _)| *score > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        Error::NotFound {
            what: format!("provider `{}` in the catalogue", name),
            hint: Some(match near {
                Some((_, id)) => format!("did you mean `{id}`? `ibyok providers list` lists all providers").into(),
                None => "`ibyok providers list` lists all providers".into(),
            }),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_found_by_its_id_or_name_and_a_near_one_is_suggested() {
        assert_eq!(find("OpenAI").unwrap().id(), "openai");
        let hint = find("opneai").unwrap_err().hint().unwrap();
        assert!(hint.starts_with("did you mean `openai`?"), "{hint}");
    }
}
