//! Qrvey security tokens over real HTTP, against a strict instance.

mod canary;
mod counts;
mod demo;
mod doors;
mod faults;
mod golden;
mod identity;
mod importing;
mod look_ups;
