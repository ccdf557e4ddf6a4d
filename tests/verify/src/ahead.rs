//! Tools that are made ready while the first steps run, which keep one core busy at most: fetching them is waiting for the network
//! and the disk, and building one needs the other core.

use std::collections::BTreeMap;
use std::path::Path;
use std::thread::{self, JoinHandle};

use crate::children::Room;
use crate::tools::{self, Tool};

/// What takes long.
const SLOW: [Tool; 3] = [Tool::PythonPackages, Tool::Schemathesis, Tool::CargoDeny];

/// Tools that are on their way.
#[derive(Default)]
pub struct Ahead(BTreeMap<Tool, JoinHandle<Result<String, String>>>);

impl Ahead {
    /// Begins to fetch the slow ones among `tools`.
    pub fn start<'t>(root: &Path, tools: impl Iterator<Item = &'t Tool>) -> Self {
        let mut begun = Self::default();
        for tool in tools.copied().filter(|tool| SLOW.contains(tool)) {
            let root = root.to_owned();
            begun.0.entry(tool).or_insert_with(|| {
                thread::spawn(move || {
                    let room = Room::open(&root, false).map_err(|error| error.to_string())?;
                    tools::provide(tool, &room)
                })
            });
        }
        begun
    }

    /// Makes `tool` ready: waits for it where it was begun.
    pub fn provide(&mut self, tool: Tool, room: &Room) -> Result<String, String> {
        match self.0.remove(&tool) {
            Some(fetching) => fetching
                .join()
                .unwrap_or_else(|_| Err("the thread that fetched it panicked".to_owned())),
            None => tools::provide(tool, room),
        }
    }
}
