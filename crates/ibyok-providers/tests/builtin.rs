//! What the built-in catalogue promises.

use ibyok_providers::Catalogue;

const DATA: &str = include_str!("../providers.toml");

#[test]
fn it_keeps_to_every_rule() {
    let parsed = Catalogue::parse(DATA).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(parsed.iter().len(), Catalogue::builtin().iter().len());
}
