//! What the steps need and a clean machine lacks: npm and Python packages, cargo-deny, Chromium, schemathesis.
//!
//! Writes `node_modules` of `tests/node`, `tests/infra` and `widget`, and `.tools` (all git-ignored) and, only as root and only when no Chromium is found, installs
//! Debian's package. Nothing is fetched when it is there already in the version the project names.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::children::Room;

/// The version of cargo-deny that `deny.toml` is written for. The wheel on PyPI is three years older and cannot read this workspace.
const CARGO_DENY: &str = "0.20.2";

/// Programs under which distributions ship Chromium, looked for on the PATH in this order.
const CHROMIUM_NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Something a step cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// The packages of `tests/node`, exactly as its lock file names them.
    NodePackages,
    /// The packages of `widget`, likewise.
    WidgetPackages,
    /// cargo-deny, in the version above.
    CargoDeny,
    /// A Chromium to drive.
    Chromium,
    /// The Python packages of `tests/infra`, exactly as its lock file names them.
    PythonPackages,
    /// The npm packages of `tests/infra`, likewise.
    InfraPackages,
    /// schemathesis, as the lock of `tests/contract` has it.
    Schemathesis,
}

impl Tool {
    /// The name that is printed while it is made ready.
    pub fn name(self) -> &'static str {
        match self {
            Self::NodePackages => "npm packages",
            Self::WidgetPackages => "npm (widget)",
            Self::CargoDeny => "cargo-deny",
            Self::Chromium => "Chromium",
            Self::PythonPackages => "PyPI packages",
            Self::InfraPackages => "npm (infra)",
            Self::Schemathesis => "schemathesis",
        }
    }
}

/// Makes `tool` ready and says where it came from, or says in a sentence what a person has to do.
pub fn provide(tool: Tool, room: &Room) -> Result<String, String> {
    match tool {
        Tool::NodePackages => node_packages(room, "tests/node"),
        Tool::WidgetPackages => node_packages(room, "widget"),
        Tool::CargoDeny => cargo_deny(room),
        Tool::Chromium => chromium(room),
        Tool::PythonPackages => python_packages(room),
        Tool::InfraPackages => node_packages(room, "tests/infra"),
        Tool::Schemathesis => schemathesis(room),
    }
}

/// Where cargo-deny is: on the PATH when it is the right version, else in the project's own folder.
pub fn cargo_deny_path(room: &Room) -> PathBuf {
    let own = room.root().join(".tools/cargo/bin/cargo-deny");
    on_path("cargo-deny")
        .filter(|path| is_cargo_deny(room, path))
        .unwrap_or(own)
}

/// The Chromium to drive: what CHROMIUM names, else the first found.
pub fn chromium_path() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM")
        .map(PathBuf::from)
        .filter(|path| path.is_file());
    named.or_else(|| CHROMIUM_NAMES.iter().find_map(|name| on_path(name)))
}

/// `npm ci` in a folder, unless the packages are those of the lock file already: a copy of the lock file beside them tells.
fn node_packages(room: &Room, name: &str) -> Result<String, String> {
    let folder = room.root().join(name);
    let lock = fs::read(folder.join("package-lock.json"))
        .map_err(|error| format!("{name}/package-lock.json: {error}"))?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok("(there already)".to_owned());
    }
    if on_path("node").is_none() || on_path("npm").is_none() {
        return Err("Install Node.js 20 or newer: node and npm must be on the PATH.".to_owned());
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--prefix",
        name,
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]);
    succeed(room, npm)?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok("(npm ci)".to_owned())
}

/// A virtual environment with what the lock file names and nothing else, unless it is there: a copy of the lock file in it tells.
fn python_packages(room: &Room) -> Result<String, String> {
    const LOCK: &str = "tests/infra/requirements.txt";
    let lock = fs::read(room.root().join(LOCK)).map_err(|error| format!("{LOCK}: {error}"))?;
    let stamp = python_folder(room).join(".installed-lock.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok("(there already)".to_owned());
    }
    if on_path("python3").is_none() {
        return Err(
            "Install Python 3.11 or newer, with venv: python3 must be on the PATH.".to_owned(),
        );
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"])
        .arg(python_folder(room));
    succeed(room, venv)?;
    let mut pip = python_program(room, "python");
    // The lock is complete: nothing is resolved, so nothing else comes in.
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
        "--no-compile",
    ])
    .args(["--requirement", LOCK]);
    succeed(room, pip)?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok("(pip install)".to_owned())
}

fn python_folder(room: &Room) -> PathBuf {
    room.root().join(".tools/python")
}

/// A program of the Python packages. It finds its siblings: cargo-lambda looks for zig, and `sam` for cargo-lambda.
pub fn python_program(room: &Room, name: &str) -> Command {
    let programs = python_folder(room).join("bin");
    let mut command = Command::new(programs.join(name));
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(programs).chain(std::env::split_paths(&rest));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    // No account is meant, none is asked, and nobody is told.
    command.envs([
        ("SAM_CLI_TELEMETRY", "0"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    command
}

/// Builds cargo-deny into `.tools/cargo`: about a minute on two cores, once. Unoptimised link and codegen settings, because it runs
/// for a second and is built on every fresh CI machine.
fn cargo_deny(room: &Room) -> Result<String, String> {
    let path = cargo_deny_path(room);
    if is_cargo_deny(room, &path) {
        return Ok(format!("({})", path.display()));
    }
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", "--locked", "--quiet", "--root", ".tools/cargo"])
        .arg(format!("cargo-deny@{CARGO_DENY}"));
    // Its own temporary build folder, never the project's.
    cargo.env_remove("CARGO_TARGET_DIR");
    cargo.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    succeed(room, cargo)?;
    if is_cargo_deny(room, &path) {
        Ok("(built)".to_owned())
    } else {
        Err(format!("{} does not run.", path.display()))
    }
}

/// The Python of the environment that schemathesis is in.
pub fn contract_python(room: &Room) -> PathBuf {
    room.root().join(".tools/contract/bin/python")
}

/// A virtual environment with what the lock of `tests/contract` names and nothing else, unless it is there: a copy of the lock in it
/// tells.
fn schemathesis(room: &Room) -> Result<String, String> {
    const LOCK: &str = "tests/contract/requirements.txt";
    let folder = room.root().join(".tools/contract");
    let lock = fs::read(room.root().join(LOCK)).map_err(|error| format!("{LOCK}: {error}"))?;
    let stamp = folder.join(".installed-lock.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok("(there already)".to_owned());
    }
    if on_path("python3").is_none() {
        let advice = "Install Python 3.11 or newer, with venv: python3 must be on the PATH.";
        return Err(advice.to_owned());
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    succeed(room, venv)?;
    let mut pip = Command::new(contract_python(room));
    // The lock is complete: nothing is resolved, so nothing else comes in.
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args([
            "--disable-pip-version-check",
            "--no-compile",
            "--requirement",
            LOCK,
        ]);
    succeed(room, pip)?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok("(pip install)".to_owned())
}

/// Finds a Chromium or installs the distribution's.
fn chromium(room: &Room) -> Result<String, String> {
    if let Some(path) = chromium_path() {
        return Ok(format!("({})", path.display()));
    }
    let advice =
        "Install Chromium (Debian: apt-get install chromium) or name one in the variable CHROMIUM.";
    let mut id = Command::new("id");
    id.arg("-u");
    if on_path("apt-get").is_none() || room.run("tools", id).output.trim() != "0" {
        return Err(advice.to_owned());
    }
    for words in [
        &["update"][..],
        &["install", "-y", "--no-install-recommends", "chromium"],
    ] {
        let mut apt = Command::new("apt-get");
        apt.args(words).env("DEBIAN_FRONTEND", "noninteractive");
        succeed(room, apt).map_err(|output| format!("{advice}\n{output}"))?;
    }
    let path = chromium_path().ok_or_else(|| advice.to_owned())?;
    Ok(format!("(installed {})", path.display()))
}

/// Runs a program that must succeed; its output is the reason when it does not.
fn succeed(room: &Room, command: Command) -> Result<(), String> {
    let finished = room.run("tools", command);
    if finished.success {
        Ok(())
    } else {
        Err(finished.output)
    }
}

fn is_cargo_deny(room: &Room, path: &Path) -> bool {
    let mut version = Command::new(path);
    version.arg("--version");
    path.is_file() && room.run("tools", version).output.trim() == format!("cargo-deny {CARGO_DENY}")
}

/// The first program of that name on the PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_on_the_path_and_only_there() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program-at-all"), None);
    }
}
