//! Consulate's core: what two functions need, or one outside system.
//!
//! Rooms and arrows. PURE rooms do no input or output and take `now` as an argument. EDGE rooms talk to one outside
//! system each and do not know each other. `http.rs` and `problem.rs` are where errors become answers.
//!
//! | room | kind | for |
//! |---|---|---|
//! | [`definition`], [`host`], [`connection`], [`owner`], [`template`], [`qrvey`], [`digest`] | pure | records, and judgements about them |
//! | [`seal`], [`secret`], [`random`], [`jwt`] | pure | keys, secrets, cryptography |
//! | [`definitions`], [`bindings`], [`connections`], [`grants`], [`subjects`], [`flow`], [`limits`], [`one_time`], [`schedule`], [`sealed_rows`], [`table`] | edge | the DynamoDB table |
//! | [`secrets`], [`secret_writer`], [`vault`] | edge | Secrets Manager, and sealing with its keyrings |
//! | [`console`] | edge | sign-in, sessions and acts of the console |
//! | [`settings`] | edge | private settings of widgets: the table, through the vault |
//! | [`custody`], [`acting`], `invoke` | edge | Lambda invokes: of the custodian, and the console's of connect and proxy |
//! | [`bus`], [`queue`] | edge | EventBridge, SQS |
//! | [`egress`], [`dial`] | edge | providers: guarded HTTP |
//! | [`issuers`] | edge | OpenID Connect issuers: their keys, through [`egress`] |
//! | [`foundation`], [`aws`], [`config`], [`clock`] | | SDK settings, environment, time |
//! | [`log`], [`metrics`], [`trace`] | | the log, metrics as part of it, what a line belongs to |
//! | [`caller`], [`http`], [`problem`], [`browser`] | | who calls; what they are answered |

pub mod acting;
pub mod aws;
pub mod bindings;
pub mod browser;
pub mod bus;
pub mod caller;
pub mod clock;
pub mod cohort;
pub mod config;
pub mod connection;
pub mod connections;
pub mod console;
pub mod custody;
pub mod definition;
pub mod definitions;
pub mod dial;
pub mod digest;
pub mod egress;
pub mod flow;
pub mod foundation;
pub mod grants;
pub mod host;
pub mod http;
mod invoke;
pub mod issuers;
pub mod jwt;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod one_time;
pub mod owner;
pub mod passport;
pub mod problem;
pub mod qrvey;
pub mod queue;
pub mod random;
pub mod schedule;
pub mod seal;
pub mod sealed_rows;
pub mod secret;
pub mod secret_writer;
pub mod secrets;
pub mod settings;
pub mod subjects;
pub mod table;
pub mod template;
pub mod trace;
pub mod vault;
