//! Whatever a bundle consists of, it is judged: nothing makes import or lint panic, and what is refused is refused by name.
//!
//! The mutations come from a fixed seed, so a failure can be had again by its number.

use super::super::lint;
use super::*;

/// Marsaglia's xorshift: good enough to spread mutations, the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides.max(1) as u64).unwrap()
    }
}

/// Bytes that mean something to one of the readers.
const TELLING: &[u8] = b"{}[]\"\\:,./@#?%*\0\n\r\t -_09azAZ\xff\xc3\xa9\xef\xbb\xbf'`$();=<>";

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        if bytes.is_empty() {
            bytes.push(b'{');
        }
        let at = dice.roll(bytes.len());
        let end = (at + dice.roll(24)).min(bytes.len());
        match dice.roll(6) {
            0 => bytes[at] = TELLING[dice.roll(TELLING.len())],
            1 => bytes[at] ^= 1 << dice.roll(8),
            2 => bytes.insert(at, TELLING[dice.roll(TELLING.len())]),
            3 => {
                bytes.drain(at..end);
            }
            4 => {
                let copied = bytes[at..end].to_vec();
                let to = dice.roll(bytes.len());
                bytes.splice(to..to, copied);
            }
            _ => bytes.truncate(at),
        }
    }
}

fn judge(source: &Source, catalogue: &Catalogue) {
    let options = Options::default();
    let findings = lint(source, &options, catalogue);
    for finding in &findings {
        assert!(finding.message.len() < 10_000 && !finding.cure.is_empty());
        assert!(!finding.message.contains(char::is_control), "{finding:?}");
    }
    serde_json::to_string(&findings).unwrap();
    match import(source, &options, catalogue) {
        Ok(import) => assert!(
            import
                .findings
                .iter()
                .all(|finding| finding.severity == Severity::Warning)
        ),
        Err(findings) => assert!(
            findings
                .iter()
                .any(|finding| finding.severity == Severity::Error)
        ),
    }
}

fn bundle(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for file in [SCHEMA, CONSULATE, PASSPORT, "js/widget.js", "widget.html"] {
        if let Ok(bytes) = std::fs::read(fixture(name).join(file)) {
            files.push((file.to_owned(), bytes));
        }
    }
    files
}

#[test]
fn no_mutation_of_a_bundles_bytes_makes_import_or_lint_panic() {
    let catalogue = Catalogue::built_in().unwrap();
    for name in ["my-saas", "graph-calendar"] {
        let files = bundle(name);
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for _ in 0..600 {
            let mut source = Source::default();
            let chosen = dice.roll(files.len());
            for (number, (path, bytes)) in files.iter().enumerate() {
                let mut bytes = bytes.clone();
                if number == chosen || dice.roll(8) == 0 {
                    mutate(&mut bytes, &mut dice);
                }
                source.add(path.clone(), bytes).unwrap();
            }
            judge(&source, &catalogue);
        }
    }
}

/// Values of every type, in and out of place.
fn odd(dice: &mut Dice) -> Value {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e308),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("true"),
        json!("\u{202e}\u{0}\u{1b}[31m"),
        json!("https://{connection.mySaas.x}.example.com/{param.a}"),
        json!("{connection.mySaas.instance_url}"),
        json!("https://[::1]:99999/"),
        json!("custom:"),
        json!("../../etc/passwd"),
        json!("{".repeat(50)),
        json!("é".repeat(700)),
        json!([]),
        json!({}),
        json!([{}]),
        json!([[["deep"]]]),
        json!({"": {"": ""}}),
        json!(["a", 1, null]),
    ];
    values[dice.roll(values.len())].clone()
}

fn replace_somewhere(value: &mut Value, dice: &mut Dice) {
    let count = match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if count == 0 || dice.roll(6) == 0 {
        *value = odd(dice);
        return;
    }
    let at = dice.roll(count);
    match value {
        Value::Object(map) => {
            if dice.roll(8) == 0 {
                let key = map.keys().nth(at).unwrap().clone();
                let old = map.remove(&key).unwrap();
                map.insert(format!("{key}x"), old);
            } else {
                replace_somewhere(map.values_mut().nth(at).unwrap(), dice);
            }
        }
        Value::Array(list) => replace_somewhere(&mut list[at], dice),
        _ => {}
    }
}

#[test]
fn no_value_in_the_place_of_another_makes_import_or_lint_panic() {
    let catalogue = Catalogue::built_in().unwrap();
    let mut settings = fixture_json("my-saas", CONSULATE);
    settings["passports"]["my-saas-connector"] = json!({
        "inject": {"header": "A", "scheme": "B"}, "pinned": [{"name": "x", "at": "/x", "kind": "origin"}],
        "expired_when": [{"status": [200], "at": "/e", "is": ["x"]}], "host_patterns": ["*.example.com"],
        "token_params": {"a": "b"}, "scope_aliases": {"a": "b"}, "refresh_idle_seconds": 5, "pkce": "off"
    });
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for _ in 0..600 {
        let mut documents = [
            (SCHEMA, fixture_json("my-saas", SCHEMA)),
            (CONSULATE, settings.clone()),
            (PASSPORT, fixture_json("my-saas", PASSPORT)),
        ];
        for _ in 0..=dice.roll(3) {
            let chosen = dice.roll(documents.len());
            replace_somewhere(&mut documents[chosen].1, &mut dice);
        }
        let mut source = Source::default();
        for (path, document) in documents {
            let bytes = serde_json::to_vec_pretty(&document).unwrap();
            source.add(path.to_owned(), bytes).unwrap();
        }
        judge(&source, &catalogue);
    }
}

#[test]
fn no_mutation_of_an_archives_bytes_makes_reading_panic() {
    let catalogue = Catalogue::built_in().unwrap();
    let source = Source::read_with_code(&fixture("my-saas")).unwrap();
    let archive = super::super::pack::pack(&fixture("my-saas"), &source)
        .unwrap()
        .archive;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.zip");
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..400 {
        let mut bytes = archive.clone();
        // The directory at the end is where readers can be led astray.
        let tail = bytes.len().saturating_sub(700);
        if dice.roll(2) == 0 {
            let mut end = bytes.split_off(tail);
            mutate(&mut end, &mut dice);
            bytes.append(&mut end);
        } else {
            mutate(&mut bytes, &mut dice);
        }
        std::fs::write(&path, &bytes).unwrap();
        match Source::read_with_code(&path) {
            Ok(source) => judge(&source, &catalogue),
            Err(error) => assert!(!error.finding().message.is_empty()),
        }
    }
}

#[test]
fn the_scan_of_code_ends_on_whatever_it_is_given() {
    let catalogue = Catalogue::built_in().unwrap();
    let calls = [
        "callAuthenticatedAPI(".repeat(5_000),
        format!("callAuthenticatedAPI('x', {}", "{a:[".repeat(20_000)),
        format!("callAuthenticatedAPI(`{}", "${`".repeat(20_000)),
        "callAuthenticatedAPI('\\".to_owned(),
        format!("/*{}", "callAuthenticatedAPI('x')".repeat(2_000)),
        "c".repeat(200_000),
        "src=\"".repeat(20_000),
        "<!--".repeat(20_000),
    ];
    for code in calls {
        for path in ["js/a.js", "widget.html"] {
            let source = source_of(&[(SCHEMA, "{}"), (path, &code)]);
            judge(&source, &catalogue);
        }
    }
}
