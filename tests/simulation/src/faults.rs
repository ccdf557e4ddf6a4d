//! What befalls a request, drawn from the world's chance.

use crate::wire::Fault;
use crate::world::{Hop, Inner};

/// The table does not answer between these times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub from: u64,
    pub until: u64,
    pub manner: u64,
}

pub(crate) fn fault_name(hop: Hop, fault: Fault) -> String {
    format!("fault: {} {}", hop.name(), fault.name())
}

impl Inner {
    pub fn outage(&self, now: u64) -> Option<Outage> {
        let mut outages = self.outages.iter();
        outages
            .find(|outage| outage.from <= now && now < outage.until)
            .copied()
    }

    /// The worst moment for the table to go away: tokens are on their way, and stand nowhere yet.
    pub fn outage_behind_an_answer(&mut self, now: u64) {
        if self.calm || !self.stormy || !self.chance.odds(120) {
            return;
        }
        let lasts = self.chance.between(500, 100_000);
        let manner = self.chance.between(0, 3);
        self.tally.add("table outages behind an answer", 1);
        self.outages.push(Outage {
            from: now,
            until: now + lasts,
            manner,
        });
    }

    pub fn draw(&mut self, hop: Hop) -> Fault {
        if self.calm {
            return Fault::Nothing;
        }
        // The provider is asked once where the table is asked ten times.
        let heat = match hop {
            Hop::Provider => self.heat * 5,
            Hop::Table | Hop::Queue => self.heat,
            Hop::Secrets => self.heat / 2,
        };
        if !self.chance.odds(heat) {
            return Fault::Nothing;
        }
        let late = match hop {
            // Eight seconds is where callers hang up: on one side of it or on the other.
            Hop::Provider if self.chance.odds(400) => self.chance.between(8_200, 20_000),
            Hop::Provider => self.chance.between(50, 7_800),
            _ => self.chance.between(50, 6_000),
        };
        match self.chance.between(0, 8) {
            0 => Fault::AfterSend,
            1 => Fault::Refused(if hop == Hop::Provider { 429 } else { 500 }),
            2 => Fault::Late(late),
            3 => Fault::LateAnswer(late),
            4 | 5 => Fault::LostAck,
            6 => Fault::MidBody,
            _ => Fault::BrokenBehind,
        }
    }
}
