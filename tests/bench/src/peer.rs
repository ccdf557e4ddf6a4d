//! The other side of a question: in this process, or in one of its own that reads a line of JSON and answers one.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::shop::{Ask, Shop};
use crate::worker::{Took, Worker};

/// A process of ours that answers. It ends with this value, or when nobody asks any more.
pub struct Process {
    child: Child,
    questions: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// This very program as `role`, told `words`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(role: &str, words: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(role)
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let questions = child.stdin.take().context("no standard input")?;
        let answers = child.stdout.take().context("no standard output")?;
        Ok(Self {
            child,
            questions,
            answers: BufReader::new(answers).lines(),
        })
    }

    /// The next line it writes.
    ///
    /// # Errors
    /// It has ended.
    pub async fn hear<T: DeserializeOwned>(&mut self) -> anyhow::Result<T> {
        let line = self.answers.next_line().await?;
        Ok(serde_json::from_str(&line.context("the process ended")?)?)
    }

    /// Asks nothing more, and waits until it has ended.
    ///
    /// # Errors
    /// It failed.
    pub async fn end(mut self) -> anyhow::Result<()> {
        drop(self.questions);
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "the process failed: {status}");
        Ok(())
    }

    async fn ask<T: DeserializeOwned>(&mut self, question: &impl Serialize) -> anyhow::Result<T> {
        let line = format!("{}\n", serde_json::to_string(question)?);
        self.questions.write_all(line.as_bytes()).await?;
        self.hear().await
    }
}

/// The outside.
pub enum Outside {
    /// Here.
    Here(Box<Shop>),
    /// In its own process.
    There(Box<Process>),
}

impl Outside {
    /// Asks it.
    ///
    /// # Errors
    /// It failed, or ended.
    pub async fn ask<T: DeserializeOwned>(&mut self, ask: Ask) -> anyhow::Result<T> {
        match self {
            Self::Here(shop) => Ok(serde_json::from_value(shop.answer(ask)?)?),
            Self::There(process) => process.ask(&ask).await,
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// It failed.
    pub async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Here(_) => Ok(()),
            Self::There(process) => process.end().await,
        }
    }
}

/// The inside.
pub enum Inside {
    /// Here.
    Here(Box<Worker>),
    /// In its own process.
    There(Box<Process>),
}

impl Inside {
    /// Lets it work through a minute.
    ///
    /// # Errors
    /// It failed, or ended.
    pub async fn minute(&mut self, minute: i64) -> anyhow::Result<Took> {
        match self {
            Self::Here(worker) => worker.minute(minute).await,
            Self::There(process) => process.ask(&minute).await,
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// It failed.
    pub async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Here(_) => Ok(()),
            Self::There(process) => process.end().await,
        }
    }
}

/// Is the outside in this process, on `folder`, until nobody asks any more.
///
/// # Errors
/// It cannot be opened, or failed.
pub async fn be_outside(what: &str, folder: &Path) -> anyhow::Result<()> {
    let shop = Shop::open(serde_json::from_str(what)?, folder).await?;
    say(&shop.addresses).await?;
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = questions.next_line().await? {
        let ask = serde_json::from_str(&line)?;
        let answer: Value = tokio::task::block_in_place(|| shop.answer(ask))?;
        say(&answer).await?;
    }
    Ok(())
}

/// Is the inside in this process until nobody asks any more.
///
/// # Errors
/// It cannot start, or failed.
pub async fn be_inside(what: &str) -> anyhow::Result<()> {
    let worker = Worker::new(&serde_json::from_str(what)?)?;
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = questions.next_line().await? {
        say(&worker.minute(serde_json::from_str(&line)?).await?).await?;
    }
    Ok(())
}

async fn say(answer: &impl Serialize) -> anyhow::Result<()> {
    let line = format!("{}\n", serde_json::to_string(answer)?);
    let mut out = tokio::io::stdout();
    out.write_all(line.as_bytes()).await?;
    Ok(out.flush().await?)
}
