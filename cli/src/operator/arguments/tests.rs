//! What is understood of a command line, and what is misuse.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use super::*;

fn read(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::read(std::iter::once("consulate").chain(line.split_whitespace()))
}

#[track_caller]
fn misuse(line: &str) {
    let error = read(line)
        .err()
        .unwrap_or_else(|| panic!("accepted: {line}"));
    assert_eq!(error.exit_code(), 2, "{line}");
}

#[test]
fn the_command_line_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn dev_and_json_are_understood_before_and_after_the_command() {
    for line in [
        "--dev d --json providers",
        "providers --dev d --json",
        "passports list --json --dev d",
    ] {
        let arguments = read(line).unwrap();
        assert!(arguments.json, "{line}");
        assert_eq!(arguments.dev, Some(PathBuf::from("d")), "{line}");
    }
}

#[test]
fn the_server_takes_no_dev_flag() {
    misuse("dev --dev d");
    misuse("--dev d dev");
}

#[test]
fn a_binding_names_both_sides() {
    let Command::Import(import) = read("import d --bind a=b --bind c=d.e").unwrap().command else {
        panic!("another command");
    };
    let binds = [("a", "b"), ("c", "d.e")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(import.binds, binds);
    for line in [
        "import d --bind a",
        "import d --bind =b",
        "import d --bind a=",
        "import",
    ] {
        misuse(line);
    }
}

#[test]
fn a_client_proves_itself_in_one_of_four_ways() {
    for (word, wanted) in [
        ("body", ClientAuthentication::Body),
        ("basic", ClientAuthentication::Basic),
        ("none", ClientAuthentication::None),
        ("private_key_jwt", ClientAuthentication::PrivateKeyJwt),
    ] {
        let line =
            format!("passports add p --provider box --client-id c --client-authentication {word}");
        let Command::Passports(PassportsCommand::Add(passport)) = read(&line).unwrap().command
        else {
            panic!("another command");
        };
        assert_eq!(passport.client_authentication, Some(wanted));
    }
    misuse("passports add p --provider box --client-authentication mtls");
}

#[test]
fn a_variable_and_a_slots_scope_name_both_sides() {
    let line = "passports add t --provider tableau --set host=h.example --slot-scope user=a=b";
    let Command::Passports(PassportsCommand::Add(passport)) = read(line).unwrap().command else {
        panic!("another command");
    };
    assert_eq!(passport.client_id, None);
    assert_eq!(passport.variables, [("host".into(), "h.example".into())]);
    assert_eq!(passport.slot_scopes, [("user".into(), "a=b".into())]);
    misuse("passports add t --provider tableau --set host");
    misuse("passports add t --provider tableau --set host=");
    misuse("passports add t --provider tableau --slot-scope =a");
}

#[test]
fn providers_are_listed_unless_a_command_says_otherwise() {
    for line in [
        "providers",
        "providers --markdown",
        "providers add f --accept",
        "providers remove p",
    ] {
        assert!(read(line).is_ok(), "{line}");
    }
    misuse("providers --markdown add f");
    misuse("providers add");
    misuse("providers list-all");
}

#[test]
fn only_loopback_can_be_allowed() {
    let Command::Dev(dev) = read("dev --allow LocalHost:9000 --allow 127.0.0.1:80")
        .unwrap()
        .command
    else {
        panic!("another command");
    };
    assert_eq!(dev.allow, ["localhost:9000", "127.0.0.1:80"]);
    for pair in [
        "10.0.0.1:80",
        "example.com:80",
        "localhost",
        "localhost:0",
        "localhost:x",
        "0.0.0.0:80",
    ] {
        misuse(&format!("dev --allow {pair}"));
    }
}

#[test]
fn a_caller_jwt_lasts_five_minutes_unless_told_otherwise() {
    let Command::Token(token) = read("token --widget w --user u --organisation o")
        .unwrap()
        .command
    else {
        panic!("another command");
    };
    assert_eq!(token.expires_in, 300);
    misuse("token --widget w --user u");
    misuse("token --widget w --user u --organisation o --expires-in 0");
}
