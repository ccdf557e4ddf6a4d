//! Widget bundles and the provider catalogue, for those who define things: the operator's command and the console.
//!
//! Rooms and arrows. [`bundle`] and [`catalogue`] judge; they know nobody, and touch files only where they are given a path.
//! [`records`] is the table's definitions, written all or not at all. [`plan`] puts them together: what an import would write,
//! and what has to be agreed to first, by the rules of [`host_rule`] and [`ways`]. [`changes`] shows what differs in a record,
//! [`told`] says what AWS refused. Secrets are nobody's here: who imports a bundle writes those it brings. What they look like
//! when they are stored is [`secret_shape`]'s.

pub mod bundle;
pub mod catalogue;
pub mod changes;
pub mod host_rule;
pub mod plan;
pub mod records;
pub mod secret_shape;
pub mod told;
pub mod ways;
