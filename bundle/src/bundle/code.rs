//! PURE. Calls in a widget's own pages and scripts that cannot work: of APIs the bundle does not declare, and with more than
//! `params`.
//!
//! A scan of the text, not a parser: whatever it cannot read with certainty (a computed name, a comment) is passed over,
//! so that it never warns about what is right. Source: the Appspace guide, "Making Authenticated API Calls".

use super::finding::{Findings, Place};
use super::near::did_you_mean;

const CALL: &[u8] = b"callAuthenticatedAPI";
/// What the schema defines and the proxy handles.
const NOT_FOR_CALLERS: [&str; 3] = ["method", "headers", "body"];
/// Calls that are looked at in one file: no widget is written with more.
const MOST_CALLS: usize = 1_000;
/// Bytes of one call that are read.
const LONGEST_CALL: usize = 16 * 1024;
/// Bytes of a line before a call that are searched for the start of a comment.
const LONGEST_PREFIX: usize = 4 * 1024;

/// Looks at every call in the file `path`; `apis` are the names the bundle declares.
pub(super) fn judge_calls(path: &str, text: &[u8], apis: &[String], findings: &mut Findings) {
    let mut at = 0;
    let mut line = 1_u32;
    let mut in_block_comment = false;
    for _ in 0..MOST_CALLS {
        let rest = text.get(at..).unwrap_or_default();
        let Some(found) = find(rest, CALL) else {
            return;
        };
        let (before, from) = rest.split_at(found);
        line += lines(before);
        in_block_comment = block_comment(before, in_block_comment);
        at += found + CALL.len();
        let prefix = text.get(..at - CALL.len()).unwrap_or_default();
        let is_whole = !prefix.last().is_some_and(|byte| is_name(*byte));
        if !is_whole || in_block_comment || line_comment(prefix) {
            continue;
        }
        let mut reader = Reader::new(from.get(CALL.len()..).unwrap_or_default());
        if let Some(call) = reader.call() {
            let place = Place {
                file: path.to_owned(),
                line: Some(line),
            };
            judge(&call, place, apis, findings);
        }
    }
    findings.warning(
        "code_not_scanned",
        Place::file(path),
        format!("{path} has more calls than are looked at ({MOST_CALLS})"),
        "Nothing to do, if the calls are right.",
    );
}

fn judge(call: &Call, place: Place, apis: &[String], findings: &mut Findings) {
    if let Some(name) = call.name.as_ref().filter(|name| !apis.contains(name)) {
        findings.warning(
            "call_api_unknown",
            place.clone(),
            format!("the widget calls \"{name}\", which is no API of schema.json"),
            format!(
                "Use a name of authenticatedApis, or declare it there.{}",
                did_you_mean(name, apis.iter().map(String::as_str))
            ),
        );
    }
    let extra: Vec<&str> = NOT_FOR_CALLERS
        .into_iter()
        .filter(|name| call.members.iter().any(|member| member == name))
        .collect();
    if !extra.is_empty() {
        findings.warning(
            "call_not_only_params",
            place,
            format!("the widget passes {} to callAuthenticatedAPI", extra.join(", ")),
            "Ensure you're only passing params, not method, headers or body: they are defined in the schema and handled by the proxy.",
        );
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    // The first byte is rare enough to be looked for alone.
    let first = *wanted.first()?;
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        at += rest.iter().position(|byte| *byte == first)?;
        if text.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

fn lines(text: &[u8]) -> u32 {
    u32::try_from(text.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX)
}

fn last(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len())
        .rposition(|window| window == wanted)
}

/// Whether a block comment is open behind `text`, given whether one was before it.
fn block_comment(text: &[u8], before: bool) -> bool {
    match (last(text, b"/*"), last(text, b"*/")) {
        (Some(open), Some(close)) => open > close,
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => before,
    }
}

/// Whether the line that ends `text` is a comment by then. A `//` behind a quote may be part of an address: that line is
/// read as code.
fn line_comment(text: &[u8]) -> bool {
    let text = text
        .get(text.len().saturating_sub(LONGEST_PREFIX)..)
        .unwrap_or_default();
    let line = text
        .rsplit(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let Some(at) = line.windows(2).position(|window| window == b"//") else {
        return false;
    };
    let (before, _) = line.split_at(at);
    !before
        .iter()
        .any(|byte| matches!(byte, b'"' | b'\'' | b'`'))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

/// A call, as far as it could be read.
#[derive(Debug, Default)]
struct Call {
    /// The API's name, where it is written out.
    name: Option<String>,
    /// Members of the second argument, where that is written out.
    members: Vec<String>,
}

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl<'t> Reader<'t> {
    fn new(text: &'t [u8]) -> Self {
        Self {
            text: text.get(..LONGEST_CALL).unwrap_or(text),
            at: 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let there = self.peek() == Some(wanted);
        self.at += usize::from(there);
        there
    }

    /// Skips what stands between tokens.
    fn space(&mut self) {
        loop {
            let rest = self.rest();
            if rest.first().is_some_and(u8::is_ascii_whitespace) {
                self.at += 1;
            } else if rest.starts_with(b"//") {
                self.at += rest
                    .iter()
                    .position(|byte| *byte == b'\n')
                    .unwrap_or(rest.len());
            } else if rest.starts_with(b"/*") {
                self.at += find(rest, b"*/").map_or(rest.len(), |end| end + 2);
            } else {
                return;
            }
        }
    }

    /// What follows the function's name; `None` where that is no call.
    fn call(&mut self) -> Option<Call> {
        self.space();
        if self.rest().starts_with(b"?.") {
            self.at += 2;
        }
        if !self.take(b'(') {
            return None;
        }
        let mut call = Call::default();
        self.space();
        let name = self.string();
        self.space();
        let ended = matches!(self.peek(), Some(b',' | b')'));
        call.name = name.filter(|_| ended);
        if !ended {
            self.skip_value()?;
        }
        if self.take(b',') {
            self.space();
            if self.take(b'{') {
                call.members = self.members().unwrap_or_default();
            }
        }
        Some(call)
    }

    /// A string that is written out; `None`, and nothing read, where there is another expression.
    fn string(&mut self) -> Option<String> {
        let quote = self
            .peek()
            .filter(|byte| matches!(byte, b'"' | b'\'' | b'`'))?;
        let start = self.at;
        self.skip_string(quote)?;
        let inner = self.text.get(start + 1..self.at - 1)?;
        let computed = quote == b'`' && find(inner, b"${").is_some();
        if computed || inner.contains(&b'\\') {
            return None;
        }
        Some(String::from_utf8_lossy(inner).into_owned())
    }

    /// Skips a string, whose quote is next; `None` where it does not end.
    fn skip_string(&mut self, quote: u8) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'$' if quote == b'`' && self.rest().starts_with(b"${") => {
                    self.at += 2;
                    self.skip_until_closed()?;
                }
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    /// Skips to behind the bracket that closes what is open; `None` where nothing does.
    fn skip_until_closed(&mut self) -> Option<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            self.space();
            match self.peek()? {
                quote @ (b'"' | b'\'') => self.skip_string(quote)?,
                // A template in a template: its own braces are skipped with it.
                b'`' => self.skip_plain_template()?,
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b')' | b']' | b'}' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        Some(())
    }

    /// Skips a template without looking into it, so that nesting costs no stack.
    fn skip_plain_template(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// Skips one value: to the comma or the bracket that ends it.
    fn skip_value(&mut self) -> Option<()> {
        loop {
            self.space();
            match self.peek()? {
                b',' | b')' | b']' | b'}' => return Some(()),
                quote @ (b'"' | b'\'' | b'`') => self.skip_string(quote)?,
                b'(' | b'[' | b'{' => {
                    self.at += 1;
                    self.skip_until_closed()?;
                }
                _ => self.at += 1,
            }
        }
    }

    /// The members of an object whose brace is behind; `None` where it cannot be read to its end.
    fn members(&mut self) -> Option<Vec<String>> {
        let mut members = Vec::new();
        loop {
            self.space();
            if self.take(b'}') {
                return Some(members);
            }
            if self.take(b',') {
                continue;
            }
            let name = match self.peek()? {
                b'"' | b'\'' => self.string(),
                byte if is_name(byte) => Some(self.word()),
                _ => None,
            };
            self.space();
            // A member, a member of the same name as its variable, or a method.
            if matches!(self.peek()?, b':' | b',' | b'}' | b'(') {
                members.extend(name);
            }
            self.skip_value()?;
            if matches!(self.peek()?, b')' | b']') {
                return None;
            }
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest();
        let length = rest
            .iter()
            .position(|byte| !is_name(*byte))
            .unwrap_or(rest.len());
        self.at += length;
        String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned()
    }
}
