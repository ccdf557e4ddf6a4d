//! Looks for secrets in whatever came out, in every form in which they could have got there.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter values are found by accident.
const SHORTEST: usize = 12;
/// Every form is longer than this.
const BEGINNING: usize = 8;

/// Secrets by kind, and outputs by name.
#[derive(Default)]
pub struct Search {
    secrets: Vec<(&'static str, Vec<u8>)>,
    sinks: Vec<(String, Vec<u8>)>,
}

impl Search {
    /// A secret of a kind.
    pub fn secret(&mut self, kind: &'static str, value: impl Into<Vec<u8>>) {
        let value = value.into();
        assert!(value.len() >= SHORTEST, "a {kind} of {} bytes", value.len());
        if !self.secrets.contains(&(kind, value.clone())) {
            self.secrets.push((kind, value));
        }
    }

    /// An output.
    pub fn sink(&mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.sinks.push((name.into(), content.into()));
    }

    /// How many secrets of a kind are looked for.
    pub fn known(&self, kind: &str) -> usize {
        self.secrets
            .iter()
            .filter(|(known, _)| *known == kind)
            .count()
    }

    /// What was found: (output, kind of secret), each once. One pass over every output: forms are told apart by how they
    /// begin.
    pub fn found(&self) -> BTreeSet<(String, &'static str)> {
        let mut by_beginning: HashMap<[u8; BEGINNING], Vec<(&'static str, Vec<u8>)>> =
            HashMap::new();
        for (kind, secret) in &self.secrets {
            for form in forms(secret) {
                let beginning = *form.first_chunk().unwrap();
                by_beginning
                    .entry(beginning)
                    .or_default()
                    .push((*kind, form));
            }
        }
        let mut found = BTreeSet::new();
        for (name, content) in &self.sinks {
            for at in 0..content.len().saturating_sub(BEGINNING - 1) {
                let rest = &content[at..];
                let forms = by_beginning.get(rest.first_chunk::<BEGINNING>().unwrap());
                for (kind, form) in forms.into_iter().flatten() {
                    if rest.starts_with(form) {
                        found.insert((name.clone(), *kind));
                    }
                }
            }
        }
        found
    }
}

/// Raw, as JSON text, percent-encoded (twice, and as a form), hexadecimal, and Base64 at each of the three places where a
/// value can begin within something longer.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec()];
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    if let Ok(text) = std::str::from_utf8(secret) {
        let json = serde_json::to_string(text).unwrap();
        forms.push(json.trim_matches('"').as_bytes().to_vec());
        let percent = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        forms.push(percent.to_lowercase().into_bytes());
        forms.push(
            utf8_percent_encode(&percent, NON_ALPHANUMERIC)
                .to_string()
                .into_bytes(),
        );
        forms.push(percent.into_bytes());
        forms.push(
            form_urlencoded::byte_serialize(secret)
                .collect::<String>()
                .into_bytes(),
        );
    }
    for before in 0..3 {
        let mut shifted = vec![0; before];
        shifted.extend_from_slice(secret);
        // What the neighbours have a part in is left out at both ends.
        let first = (before * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&shifted).as_bytes()[first..last].to_vec());
        }
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_form_and_nowhere_else() {
    use base64::engine::general_purpose::STANDARD;
    let secret = "s3cret/with+odd:ones%&";
    let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let mut outputs = vec![
        format!("Bearer {secret}"),
        hex,
        format!("a={}", utf8_percent_encode(&percent, NON_ALPHANUMERIC)),
        percent,
        form_urlencoded::Serializer::new(String::new())
            .append_pair("a", secret)
            .finish(),
    ];
    for before in ["", "a", "ab", "abc"] {
        outputs.push(STANDARD.encode(format!("{before}{secret}{before}")));
        outputs.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}")));
    }
    for output in outputs {
        let mut search = Search::default();
        search.secret("test", secret);
        search.sink("output", output.clone());
        assert_eq!(search.found().len(), 1, "{output}");
    }
    let mut search = Search::default();
    search.secret("test", secret);
    search.sink("output", "s3cret/with+odd:ones");
    assert!(search.found().is_empty());
}
