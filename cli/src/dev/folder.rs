//! EDGE. The data folder: private, and used by one process at a time.
//!
//! ```text
//! dev.json            addresses, access key        (0600)
//! secrets.json        what Secrets Manager holds   (0600), the only plaintext
//! table.sqlite        what DynamoDB holds
//! demo-provider.json  the demo provider's grants, as digests
//! lock                held while a process runs; its content is the process's id
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// The data folder of this process. Dropping it lets another one have it.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

impl DataFolder {
    /// Makes the folder where it is missing, and locks it.
    ///
    /// # Errors
    /// Another process has it, it holds something else, or it cannot be written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        prepare(path)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .with_context(|| format!("cannot open {}", path.join("lock").display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _unreadable = lock.read_to_string(&mut pid);
                let who = Some(pid.trim())
                    .filter(|pid| !pid.is_empty())
                    .unwrap_or("unknown");
                bail!(
                    "another `consulate dev` (process {who}) runs on {}: stop it, or use another --data-dir",
                    path.display()
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())?;
        // Whoever runs this inside a repository must not commit secrets.json by accident.
        fs::write(path.join(".gitignore"), "*\n")
            .with_context(|| format!("cannot write in {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Makes `path` a folder that only its owner can look into.
fn prepare(path: &Path) -> anyhow::Result<()> {
    let shown = path.display();
    if !path.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .with_context(|| format!("cannot make {shown}"))?;
    }
    let mut entries = fs::read_dir(path).with_context(|| format!("cannot read {shown}"))?;
    // Closing a folder that others work in would break what they do there.
    if entries.next().is_some() && !path.join("lock").exists() {
        bail!(
            "{shown} holds something else: give an empty folder, or one that is not there yet, as --data-dir"
        );
    }
    fs::set_permissions(path, Permissions::from_mode(0o700))
        .with_context(|| format!("cannot close {shown} to others"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_has_a_folder_and_the_next_may_have_it_after() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataFolder::open(&path).unwrap();
        assert_eq!(
            fs::metadata(first.path()).unwrap().permissions().mode() & 0o777,
            0o700
        );
        let refused = DataFolder::open(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        drop(first);
        DataFolder::open(&path).unwrap();
    }

    #[test]
    fn a_folder_that_holds_something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "chapter one").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(DataFolder::open(folder.path()).is_err());
        assert_eq!(
            fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777,
            0o755
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
