//! The code in `docs/backends.md` is the code of this package.

const PAGE: &str = include_str!("../../../docs/backends.md");
const SOURCES: [&str; 2] = [include_str!("../src/lib.rs"), include_str!("conformance.rs")];

/// Code without comments and layout.
fn plain(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let plain: String = lines
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    plain.replace(",}", "}").replace(",)", ")")
}

#[test]
fn every_piece_of_code_on_the_page_is_in_the_sources() {
    let sources = SOURCES.map(plain);
    let pieces: Vec<&str> = PAGE
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(pieces.len() >= 5);
    for piece in pieces.iter().filter(|piece| !piece.contains("Vault::builder")) {
        // Items apart by an empty line need not be neighbours in the source.
        for item in piece.split("\n\n").map(plain) {
            assert!(
                sources.iter().any(|source| source.contains(&item)),
                "not in the sources: {piece}"
            );
        }
    }
}
