//! Variables that build tools put into web pages.

/// The prefixes by which the build tools of web pages and apps choose variables, each with its tool.
const PREFIXES: [(&str, &str); 10] = [
    ("EXPO_PUBLIC_", "Expo"),
    ("GATSBY_", "Gatsby"),
    ("NEXT_PUBLIC_", "Next.js"),
    ("NUXT_PUBLIC_", "Nuxt"),
    ("NX_PUBLIC_", "Nx"),
    ("PUBLIC_", "SvelteKit and Astro"),
    ("REACT_APP_", "Create React App"),
    ("STORYBOOK_", "Storybook"),
    ("VITE_", "Vite"),
    ("VUE_APP_", "Vue CLI"),
];

/// Returns the build tool that copies a variable with this name into web pages, where every visitor can read it.
///
/// ```
/// assert_eq!(ibyok_core::keys::reaches_browsers("NEXT_PUBLIC_API_KEY"), Some("Next.js"));
/// assert_eq!(ibyok_core::keys::reaches_browsers("API_KEY"), None);
/// ```
#[must_use]
pub fn reaches_browsers(variable: &str) -> Option<&'static str> {
    let found = PREFIXES.iter().find(|(prefix, _)| variable.starts_with(prefix));
    found.map(|(_, tool)| *tool)
}

/// The warning about such a variable.
pub(crate) fn warning(variable: &str) -> Option<String> {
    let tool = reaches_browsers(variable)?;
    Some(format!(
        "{tool} copies `{variable}` into the code that it sends to browsers, where everybody can read it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_tools_look_for_is_found() {
        for (prefix, tool) in PREFIXES {
            assert_eq!(reaches_browsers(&format!("{prefix}KEY")), Some(tool));
        }
        for fine in [
            "MY_PUBLIC_KEY",
            "PUBLICATION_KEY",
            "INVITE_KEY",
            "vite_key",
            "REACT_KEY",
        ] {
            assert_eq!(reaches_browsers(fine), None, "{fine}");
        }
    }
}
