//! `--quiet 7d` of `rotate retire` and `rotate destroy`, which everywhere else says to be quiet.

use std::ffi::OsString;

use ibyok_core::keys::Interval;

/// The arguments with `--quiet D` as `--quiet-for D`, where it can mean nothing else.
pub(crate) fn plain(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let ours = arguments.iter().take_while(|argument| *argument != "--").count();
    let verbs: Vec<&OsString> = arguments.iter().take(ours).collect();
    let drains = verbs.windows(2).any(|pair| {
        let [group, verb] = pair else { return false };
        *group == "rotate" && (*verb == "retire" || *verb == "destroy")
    });
    if !drains {
        return arguments;
    }
    let is_length = |argument: Option<&OsString>| {
        let text = argument.and_then(|argument| argument.to_str());
        text.is_some_and(|text| text.parse::<Interval>().is_ok())
    };
    for position in 0..ours {
        let length_follows = is_length(arguments.get(position + 1));
        let Some(argument) = arguments.get_mut(position) else {
            break;
        };
        if *argument == "--quiet" && length_follows {
            *argument = "--quiet-for".into();
        } else if let Some(length) = argument.to_str().and_then(|text| text.strip_prefix("--quiet=")) {
            *argument = format!("--quiet-for={length}").into();
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_length_of_time_on_a_verb_that_waits_is_meant() {
        for (given, read) in [
            ("rotate retire a/b --quiet 7d", "rotate retire a/b --quiet-for 7d"),
            ("rotate destroy --quiet=7d a/b", "rotate destroy --quiet-for=7d a/b"),
            ("--quiet rotate retire a/b", "--quiet rotate retire a/b"),
            ("rotate retire --quiet a/b", "rotate retire --quiet a/b"),
            ("rotate retire -q a/b", "rotate retire -q a/b"),
            ("rotate status --quiet 7d", "rotate status --quiet 7d"),
            ("run -- rotate retire --quiet 7d", "run -- rotate retire --quiet 7d"),
        ] {
            let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
            assert_eq!(plain(words(given)), words(read), "{given}");
        }
    }
}
