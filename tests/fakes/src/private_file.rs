//! A file only its owner may read, replaced whole or not at all. Touches the folder it is told to.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Writes `content` to `path` with mode 0600 by an atomic rename. A missing parent folder is made with mode 0700.
///
/// The modes are set when the file and the folder come into being, so there is no moment at which others could read.
pub(crate) fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let folder = folder_of(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    // `tempfile` creates with 0600; said again here because this is what the file's secrecy rests on.
    let mut draft = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(&folder)
        .with_context(|| format!("cannot write in {}", folder.display()))?;
    draft.write_all(content)?;
    draft.as_file().sync_all()?;
    draft
        .persist(path)
        .with_context(|| format!("cannot replace {}", path.display()))?;
    Ok(())
}

/// The content of `path`, or `None` where there is no such file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The folder `path` lives in; a bare file name lives in the current one.
fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
