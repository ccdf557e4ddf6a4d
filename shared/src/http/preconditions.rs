//! PURE. `If-Match` and `If-None-Match` (RFC 9110 sections 13.1.1, 13.1.2 and 13.2.2) over the version of something, whose entity
//! tag is `"{version}"`, always strong.

use http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::problem::{Code, Problem};

/// What a request makes its success depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Tags {
    /// `*`
    Any,
    Listed(Vec<Tag>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: String,
}

/// How a reading request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// With what there is.
    Answer,
    /// 304: the caller has it.
    NotModified,
    /// 412: it is not what the caller means.
    Failed,
}

impl Preconditions {
    /// Reads the two headers.
    ///
    /// # Errors
    /// 400 naming the header that is not a list of entity tags.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        Ok(Self {
            if_match: tags(headers, IF_MATCH)?,
            if_none_match: tags(headers, IF_NONE_MATCH)?,
        })
    }

    /// Whether a write may go on over `version`; `None`: there is none.
    pub fn allow_write(&self, version: Option<&str>) -> bool {
        self.matched(version) && !self.none_match_hit(version)
    }

    /// What a read is answered with.
    pub fn of_read(&self, version: Option<&str>) -> Reading {
        if !self.matched(version) {
            Reading::Failed
        } else if self.none_match_hit(version) {
            Reading::NotModified
        } else {
            Reading::Answer
        }
    }

    fn matched(&self, version: Option<&str>) -> bool {
        match (&self.if_match, version) {
            (None, _) | (Some(Tags::Any), Some(_)) => true,
            (Some(_), None) => false,
            // Strong comparison: a weak tag never matches.
            (Some(Tags::Listed(tags)), Some(version)) => {
                tags.iter().any(|tag| !tag.weak && tag.opaque == version)
            }
        }
    }

    fn none_match_hit(&self, version: Option<&str>) -> bool {
        match (&self.if_none_match, version) {
            (None, _) | (Some(_), None) => false,
            (Some(Tags::Any), Some(_)) => true,
            (Some(Tags::Listed(tags)), Some(version)) => {
                tags.iter().any(|tag| tag.opaque == version)
            }
        }
    }
}

/// The entity tag of a version.
pub fn entity_tag(version: &str) -> String {
    format!("\"{version}\"")
}

fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, Problem> {
    let malformed = || {
        let detail = "The header is neither * nor a list of entity tags in double quotes.";
        Problem::new(Code::RequestMalformed, detail).field(name.as_str())
    };
    let mut lines = Vec::new();
    for value in headers.get_all(&name) {
        lines.push(value.to_str().map_err(|_| malformed())?);
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let text = lines.join(",");
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let tags = listed(&text).ok_or_else(malformed)?;
    Ok(Some(Tags::Listed(tags)))
}

/// `"a", W/"b"`; `None` where the text is no such list, or an empty one.
fn listed(text: &str) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    let mut rest = text;
    loop {
        // Empty elements of a list are passed over (RFC 9110 section 5.6.1.2).
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(tags).filter(|tags| !tags.is_empty());
        }
        let strong = rest.strip_prefix("W/");
        let weak = strong.is_some();
        let (opaque, after) = strong.unwrap_or(rest).strip_prefix('"')?.split_once('"')?;
        if !opaque
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x7e))
        {
            return None;
        }
        tags.push(Tag {
            weak,
            opaque: opaque.to_owned(),
        });
        rest = after.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with(',')) {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(pairs: &[(HeaderName, &str)]) -> Result<Preconditions, Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Preconditions::of(&headers)
    }

    #[test]
    fn a_write_goes_on_over_the_version_it_names() {
        let case = |name: &HeaderName, value: &str, version: Option<&str>| {
            of(&[(name.clone(), value)]).unwrap().allow_write(version)
        };
        assert!(of(&[]).unwrap().allow_write(None));
        assert!(of(&[]).unwrap().allow_write(Some("a")));
        for (value, version, allowed) in [
            ("\"a\"", Some("a"), true),
            ("\"b\" , \"a\"", Some("a"), true),
            (",,\"a\",", Some("a"), true),
            ("\"b\"", Some("a"), false),
            ("\"A\"", Some("a"), false),
            ("W/\"a\"", Some("a"), false),
            ("*", Some("a"), true),
            ("*", None, false),
            ("\"a\"", None, false),
            // A comma within a tag is of the tag.
            ("\"x,a\"", Some("a"), false),
        ] {
            assert_eq!(case(&IF_MATCH, value, version), allowed, "{value}");
        }
        for (value, version, allowed) in [
            ("*", None, true),
            ("*", Some("a"), false),
            ("\"a\"", Some("a"), false),
            ("W/\"a\"", Some("a"), false),
            ("\"b\"", Some("a"), true),
            ("\"a\"", None, true),
        ] {
            assert_eq!(case(&IF_NONE_MATCH, value, version), allowed, "{value}");
        }
        let both = of(&[(IF_MATCH, "\"a\""), (IF_NONE_MATCH, "*")]).unwrap();
        assert!(!both.allow_write(Some("a")) && !both.allow_write(None));
    }

    #[test]
    fn a_read_is_answered_not_modified_or_failed() {
        let none_match = of(&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, "W/\"a\"")]).unwrap();
        assert_eq!(none_match.of_read(Some("a")), Reading::NotModified);
        assert_eq!(none_match.of_read(Some("b")), Reading::Answer);
        assert_eq!(none_match.of_read(None), Reading::Answer);
        let known = |value| {
            let asked = of(&[(IF_NONE_MATCH, value)]).unwrap();
            asked.of_read(Some("abc")) == Reading::NotModified
        };
        for value in [
            "\"abc\"",
            "W/\"abc\"",
            "\"x\", \"abc\"",
            "\"x\",W/\"abc\"",
            "*",
        ] {
            assert!(known(value), "{value}");
        }
        for value in ["\"ab\"", "\"abcd\"", "\"ABC\"", "\"x\", \"y\""] {
            assert!(!known(value), "{value}");
        }
        let matched = of(&[(IF_MATCH, "\"a\"")]).unwrap();
        assert_eq!(matched.of_read(Some("b")), Reading::Failed);
        assert_eq!(matched.of_read(Some("a")), Reading::Answer);
    }

    #[test]
    fn what_is_no_list_of_entity_tags_is_refused() {
        for value in [
            "",
            ",",
            "a",
            "'a'",
            "\"a",
            "a\"",
            "\"a\"\"b\"",
            "\"a\" \"b\"",
            "w/\"a\"",
            "\"a b\"",
            "*, \"a\"",
            "\"a\", *",
            "\"a\"x",
        ] {
            assert!(of(&[(IF_MATCH, value)]).is_err(), "{value}");
            assert!(of(&[(IF_NONE_MATCH, value)]).is_err(), "{value}");
        }
    }
}
