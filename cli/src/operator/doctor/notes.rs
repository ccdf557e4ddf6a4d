//! PURE. Findings, as `lint` has them too: `file` is what a finding is about. No finding holds a value of a secret.

use crate::bundle::{Finding, Severity};

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Finding>);

impl Notes {
    /// Something that keeps people from being served.
    pub fn error(&mut self, code: &'static str, about: &str, message: &str, cure: &str) {
        self.note(code, Severity::Error, about, message, cure);
    }

    /// Something that will, or that somebody should decide about.
    pub fn warning(&mut self, code: &'static str, about: &str, message: &str, cure: &str) {
        self.note(code, Severity::Warning, about, message, cure);
    }

    /// Something that could not be looked at.
    pub fn unreadable(&mut self, about: &str, error: &anyhow::Error) {
        let message = format!("{error:#}");
        let (code, cure) = match kind(&message) {
            Kind::Denied => (
                "permission_missing",
                "Let the role you act as do what the message names, or act as another.",
            ),
            Kind::Credentials => (
                "credentials_refused",
                "Sign in again (aws sso login, or new access keys), and look at AWS_PROFILE and AWS_REGION.",
            ),
            Kind::Other => (
                "not_readable",
                "Look at what the message says; where the service is down, try again.",
            ),
        };
        self.error(code, about, &message, cure);
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.0
    }

    fn note(
        &mut self,
        code: &'static str,
        severity: Severity,
        about: &str,
        message: &str,
        cure: &str,
    ) {
        self.0.push(Finding {
            code,
            severity,
            file: about.to_owned(),
            line: None,
            message: message.to_owned(),
            cure: cure.to_owned(),
        });
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Denied,
    Credentials,
    Other,
}

/// By the error codes of AWS ("Common errors" of each service's API reference).
fn kind(message: &str) -> Kind {
    const CREDENTIALS: [&str; 8] = [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "IncompleteSignature",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "credentials",
    ];
    if message.contains("AccessDenied") {
        Kind::Denied
    } else if CREDENTIALS.iter().any(|code| message.contains(code)) {
        Kind::Credentials
    } else {
        Kind::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_looked_at_says_whether_it_is_a_permission_or_a_sign_in() {
        let mut notes = Notes::default();
        for text in [
            "Secrets Manager answered AccessDeniedException: User: arn:aws:iam::1:user/x is not authorized to perform: secretsmanager:GetSecretValue",
            "the table answered UnrecognizedClientException: The security token included in the request is invalid.",
            "the table did not answer in time",
        ] {
            notes.unreadable("x", &anyhow::anyhow!(text));
        }
        let codes: Vec<&str> = notes.into_findings().iter().map(|f| f.code).collect();
        assert_eq!(
            codes,
            ["permission_missing", "credentials_refused", "not_readable"]
        );
    }
}
