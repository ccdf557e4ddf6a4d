//! PURE. What a Qrvey template is written in: the fields of the request, span texts, placeholders. Import judges a
//! template by these, and the function that asks for the security token renders it by the same.
//!
//! Sources: Qrvey, "Embedding Widgets Using a Security Token" (endpoint, fields) and "Record-Level Security" (version 2).

/// As much of a misspelled placeholder as a finding repeats, in characters.
const SHOWN: usize = 128;

/// Path of the endpoint that answers a security token.
pub const TOKEN_PATH: &str = "/devapi/v4/core/login/token";
/// The lifetime asked for where a template says nothing.
pub const EXPIRES_IN: &str = "10m";
/// The body's field with the lifetime.
pub const EXPIRES_IN_FIELD: &str = "expiresIn";
/// The body's field with the row-level security.
pub const PERMISSIONS: &str = "permissions";
/// The longest lifetime, in seconds: one day. A security token cannot be taken back.
pub const LONGEST_SECONDS: u64 = 86_400;
/// The shortest lifetime, in seconds. A widget has to load with it.
pub const SHORTEST_SECONDS: u64 = 60;

/// The fields a template may declare, as Qrvey's REST samples spell them.
pub const FIELDS: [&str; 11] = [
    "userid",
    "appid",
    "clientid",
    "orgId",
    "version",
    PERMISSIONS,
    "asset_permissions",
    "roles",
    "dashboardId",
    "pageid",
    "qrveyid",
];

/// `name` without what differs between Qrvey's versions: case, and underscores.
pub fn folded(name: &str) -> String {
    let letters = name.chars().filter(|letter| *letter != '_');
    letters.flat_map(char::to_lowercase).collect()
}

/// Seconds of a span text: a whole number and one of `s`, `m`, `h`, `d`, `w`, `y`. `None` for anything else, zero included.
pub fn seconds_of(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    let plain = (1..=9).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        'y' => 365 * 86_400,
        _ => return None,
    };
    let number: u64 = number.parse().ok().filter(|_| plain)?;
    Some(number * seconds).filter(|seconds| *seconds > 0)
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Stands for itself.
    Literal(&'t str),
    /// Is filled in for each request.
    Placeholder(Placeholder<'t>),
}

/// What fills a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder<'t> {
    /// `{user.id}`, `{userId}`, `{user.email}`, `{organisation.id}`: the verified caller.
    Caller(CallerField),
    /// `{param.NAME}`: chosen by the caller among what the template lists.
    Param(&'t str),
    /// `{settings.organisation.KEY}`, `{settings.organisation.KEY[user.id]}`: looked up in what administrators wrote.
    Setting(Setting<'t>),
}

/// What is known of a verified caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerField {
    /// User id.
    UserId,
    /// E-mail, where the host vouches for one.
    UserEmail,
    /// Organisation id.
    OrganisationId,
}

impl CallerField {
    /// The field's name in placeholders and problems.
    pub fn name(self) -> &'static str {
        match self {
            Self::UserId => "user.id",
            Self::UserEmail => "user.email",
            Self::OrganisationId => "organisation.id",
        }
    }

    fn of(name: &str) -> Option<Self> {
        match name {
            "user.id" | "userId" => Some(Self::UserId),
            "user.email" => Some(Self::UserEmail),
            "organisation.id" => Some(Self::OrganisationId),
            _ => None,
        }
    }
}

/// A look-up in a setting of the caller's organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<'t> {
    /// The setting's key.
    pub key: &'t str,
    /// From the setting's value inwards.
    pub steps: Vec<Step<'t>>,
}

/// One step into a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'t> {
    /// `[user.id]`: the member named as the caller is.
    Caller(CallerField),
    /// `[regions]`: the member of this name.
    Member(&'t str),
}

/// A text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("has an unknown placeholder `{{{name}}}`")]
pub struct UnknownPlaceholder {
    /// What stands between the braces.
    pub name: String,
}

/// The pieces of `text`. Braces around anything that cannot be meant as a placeholder stand for themselves.
///
/// # Errors
/// A placeholder that is misspelled.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, UnknownPlaceholder> {
    let mut pieces = Vec::new();
    // `rest` from `literal` on is not yet in a piece.
    let (mut rest, mut literal) = (text, 0);
    while let Some(at) = rest.get(literal..).and_then(|rest| rest.find('{')) {
        let start = literal + at;
        let inner = rest.get(start + 1..).unwrap_or_default();
        let Some((name, after)) = inner.split_once('}') else {
            break;
        };
        if let Some(placeholder) = placeholder(name) {
            let before = rest.get(..start).unwrap_or_default();
            if !before.is_empty() {
                pieces.push(Piece::Literal(before));
            }
            pieces.push(Piece::Placeholder(placeholder));
            (rest, literal) = (after, 0);
        } else if is_meant(name) {
            let name = name.chars().take(SHOWN).collect();
            return Err(UnknownPlaceholder { name });
        } else {
            literal = start + 1;
        }
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

fn placeholder(name: &str) -> Option<Placeholder<'_>> {
    if let Some(field) = CallerField::of(name) {
        return Some(Placeholder::Caller(field));
    }
    if let Some(param) = name.strip_prefix("param.") {
        return is_param(param).then_some(Placeholder::Param(param));
    }
    let path = name.strip_prefix("settings.organisation.")?;
    let (key, mut rest) = path.split_at(path.find('[').unwrap_or(path.len()));
    let mut steps = Vec::new();
    while let Some((step, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        steps.push(match CallerField::of(step) {
            Some(field) => Step::Caller(field),
            None if is_param(step) => Step::Member(step),
            None => return None,
        });
        rest = after;
    }
    let usable = is_setting_key(key) && rest.is_empty();
    usable.then_some(Placeholder::Setting(Setting { key, steps }))
}

/// Whether a text between braces can only be meant as a placeholder, however it is spelled.
fn is_meant(name: &str) -> bool {
    const ROOTS: [&str; 9] = [
        "param",
        "params",
        "setting",
        "settings",
        "user",
        "caller",
        "organisation",
        "organization",
        "connection",
    ];
    let root = name.trim().split(['.', '[']).next().unwrap_or_default();
    let longer = root.len() < name.trim().len();
    let known = |known: &&str| root.eq_ignore_ascii_case(known);
    name.trim().eq_ignore_ascii_case("userId") || (longer && ROOTS.iter().any(known))
}

/// Whether this can name a param: letters, digits, hyphen and underscore, at most 64.
pub fn is_param(name: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(usable)
}

/// Whether this is the key of a setting ([`crate::settings::SettingKey`] has the rule).
fn is_setting_key(key: &str) -> bool {
    let usable = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let first = key.bytes().next().unwrap_or_default();
    key.len() <= 128 && first.is_ascii_alphanumeric() && key.bytes().all(usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_text_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h", 3_600),
            ("1d", 86_400),
            ("1w", 604_800),
            ("1y", 31_536_000),
        ] {
            assert_eq!(seconds_of(text), Some(seconds), "{text}");
        }
        for text in [
            "",
            "m",
            "10",
            "0m",
            "-1m",
            "+1m",
            "1.5h",
            "10 m",
            "10min",
            "1M",
            "1é",
            "9999999999s",
        ] {
            assert_eq!(seconds_of(text), None, "{text}");
        }
    }

    #[test]
    fn texts_fall_into_literals_and_placeholders() {
        assert_eq!(pieces("plain"), Ok(vec![Piece::Literal("plain")]));
        assert_eq!(pieces(""), Ok(vec![]));
        assert_eq!(
            pieces("a{user.id}b{param.region}"),
            Ok(vec![
                Piece::Literal("a"),
                Piece::Placeholder(Placeholder::Caller(CallerField::UserId)),
                Piece::Literal("b"),
                Piece::Placeholder(Placeholder::Param("region")),
            ])
        );
        let setting = Setting {
            key: "qrvey.regions",
            steps: vec![Step::Caller(CallerField::UserEmail), Step::Member("names")],
        };
        assert_eq!(
            pieces("{settings.organisation.qrvey.regions[user.email][names]}"),
            Ok(vec![Piece::Placeholder(Placeholder::Setting(setting))])
        );
    }

    #[test]
    fn braces_that_mean_no_placeholder_stand_for_themselves_and_misspelled_ones_do_not() {
        for text in ["{", "}", "a{}", "{color:red}", "{{", "{user}"] {
            assert_eq!(pieces(text), Ok(vec![Piece::Literal(text)]), "{text}");
        }
        assert_eq!(
            pieces("{x{user.id}").unwrap(),
            [
                Piece::Literal("{x"),
                Piece::Placeholder(Placeholder::Caller(CallerField::UserId))
            ]
        );
        for text in [
            "{user.mail}",
            "{User.email}",
            "{ user.email }",
            "{param.a b}",
            "{params.region}",
            "{settings.user.regions}",
            "{settings.organisation.}",
            "{settings.organisation.k[user.id]x}",
            "{settings.organisation.k[]}",
            "{settings.organisation.k[user.id}",
            "{organization.id}",
            "{userid}",
        ] {
            assert!(pieces(text).is_err(), "{text}");
        }
    }
}
