//! Query strings: only the parameters of a route, and each once. A token in one is refused like anything else unknown.

use url::form_urlencoded;

use crate::problem::Problem;

/// The parameters of a request.
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads a query that may hold only these names.
    pub(crate) fn parse(query: Option<&str>, known: &[&'static str]) -> Result<Self, Problem> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            let Some(name) = known.iter().copied().find(|known| *known == name) else {
                let hint = if known.is_empty() {
                    "this path accepts no parameters".to_owned()
                } else {
                    format!("this path accepts {}", known.join(", "))
                };
                return Err(Problem::invalid("the query has a parameter that this path does not accept").hint(hint));
            };
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Problem::invalid(format!("the query has the parameter {name} twice")));
            }
            found.push((name, value.into_owned()));
        }
        Ok(Query(found))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that parses into something.
    pub(crate) fn parsed<T: std::str::FromStr<Err = ibyok_core::Error>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        self.get(name).map(str::parse).transpose().map_err(Problem::from)
    }

    /// A parameter that is a number of at least 1.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u32>, Problem> {
        let read = |text: &str| {
            let plain = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|number| plain && *number > 0)
        };
        let number = self.get(name).map(|text| read(text).ok_or(name)).transpose();
        number.map_err(|name| Problem::invalid(format!("the parameter {name} is not a number of at least 1")))
    }

    /// A parameter that is `true` or `false`.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::invalid(format!(
                "the parameter {name} is neither true nor false"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_stands_at_most_once() {
        let query = Query::parse(
            Some("env=prod&version=3&keep=true"),
            &["env", "version", "keep", "field"],
        )
        .unwrap_or_else(|p| panic!("{p:?}"));
        assert_eq!((query.get("env"), query.get("field")), (Some("prod"), None));
        assert!(matches!(
            (query.number("version"), query.flag("keep")),
            (Ok(Some(3)), Ok(true))
        ));
        assert!(Query::parse(Some("env=a&env=a"), &["env"]).is_err());
        assert!(Query::parse(Some("token=ibyok_x"), &["env"]).is_err());
        assert!(Query::parse(None, &[]).is_ok());
    }

    #[test]
    fn numbers_are_plain() {
        for bad in ["0", "-1", "+1", "1.0", "", "x", "99999999999"] {
            let text = format!(
                "v={}",
                form_urlencoded::byte_serialize(bad.as_bytes()).collect::<String>()
            );
            let query = Query::parse(Some(&text), &["v"]).unwrap_or_else(|p| panic!("{p:?}"));
            assert!(query.number("v").is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_does_not_repeat_what_was_sent() {
        let problem = Query::parse(Some("SENT=SENT"), &["env"]).err();
        assert!(!format!("{problem:?}").contains("SENT"));
    }
}
