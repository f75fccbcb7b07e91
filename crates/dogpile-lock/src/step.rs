//! The dogpile protocol as a pure function: no clock, no I/O, no waiting.
//!
//! A driver does what a [`Step`] says and tells the machine what came of it. All decisions are made
//! here, so all of them can be tested by going through the table.

use dogpile_core::ServedBy;

/// What a driver has to do next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Step {
    /// Look who else in this process wants the value: lead or follow.
    Join,
    /// As leader: ask the store for the value or the lease.
    Ask,
    /// As leader, with the lease: create the value.
    Create,
    /// As leader, with the lease: let the value be created elsewhere, and serve the stale one.
    CreateInBackground,
    /// As follower: wait for the leader.
    Follow,
    /// As leader: wait for another process.
    WaitElsewhere,
    /// Answer with the entry at hand.
    Serve(ServedBy),
    /// Answer with the error at hand.
    Fail,
    /// Give up: the time allowed is over.
    TimeOut,
}

/// What came of a step.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Event {
    /// Nobody in this process is at it: this caller leads.
    Leads,
    /// Somebody in this process is at it.
    Follows,
    /// The store has a fresh entry.
    Fresh,
    /// The store gave the lease.
    Granted { stale: bool },
    /// Somebody else has the lease.
    Busy { stale: bool },
    /// The leader has a stale entry that this caller may be served.
    StaleSeen,
    /// The leader landed with an entry that this caller accepts.
    Landed,
    /// The leader failed.
    LeaderFailed,
    /// The leader is gone, or landed with something this caller does not accept.
    LeaderGone,
    /// The wait for another process is over.
    Woken,
    /// The time allowed is over.
    Expired,
    /// The store failed.
    Failed,
}

/// One caller's way through the protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// A stale entry may be served.
    serve_stale: bool,
    /// A stale entry lets the creation go to the background.
    background: bool,
    /// This caller has a stale entry in its hands.
    has_stale: bool,
    /// This caller has waited, so what it finds was created meanwhile.
    waited: bool,
}

impl Machine {
    pub(crate) const fn new(serve_stale: bool, background: bool) -> Self {
        Self { serve_stale, background, has_stale: false, waited: false }
    }

    /// The first step of a caller that found no fresh entry, but perhaps a stale one.
    pub(crate) const fn start(&mut self, stale: bool) -> Step {
        self.has_stale = stale;
        Step::Join
    }

    /// The step after `event`.
    pub(crate) fn next(&mut self, event: Event) -> Step {
        match event {
            Event::Leads => Step::Ask,
            Event::Follows if self.may_serve_stale() => Step::Serve(ServedBy::Stale),
            Event::Follows => self.wait(Step::Follow),
            Event::Fresh | Event::Landed => Step::Serve(self.found()),
            Event::Granted { stale } => {
                self.has_stale = stale;
                if self.background && self.may_serve_stale() {
                    Step::CreateInBackground
                } else {
                    Step::Create
                }
            }
            Event::Busy { stale } => {
                self.has_stale = stale;
                if self.may_serve_stale() {
                    Step::Serve(ServedBy::Stale)
                } else {
                    self.wait(Step::WaitElsewhere)
                }
            }
            Event::StaleSeen => {
                self.has_stale = true;
                if self.serve_stale { Step::Serve(ServedBy::Stale) } else { Step::Follow }
            }
            Event::LeaderFailed if self.may_serve_stale() => Step::Serve(ServedBy::Stale),
            Event::LeaderFailed | Event::Failed => Step::Fail,
            Event::LeaderGone => Step::Join,
            Event::Woken => Step::Ask,
            Event::Expired => Step::TimeOut,
        }
    }

    const fn may_serve_stale(&self) -> bool {
        self.serve_stale && self.has_stale
    }

    const fn found(&self) -> ServedBy {
        if self.waited { ServedBy::Waited } else { ServedBy::Hit }
    }

    const fn wait(&mut self, step: Step) -> Step {
        self.waited = true;
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIT: Step = Step::Serve(ServedBy::Hit);
    const STALE: Step = Step::Serve(ServedBy::Stale);
    const WAITED: Step = Step::Serve(ServedBy::Waited);

    /// The whole table: each event after each history that can precede it, for each way a caller may
    /// be set up. `s` serves stale, `b` creates in the background.
    #[test]
    fn every_row_of_the_protocol() {
        for (s, b) in [(true, false), (true, true), (false, false), (false, true)] {
            let from = |stale: bool, waited: bool, event| {
                let mut machine = Machine::new(s, b);
                assert_eq!(machine.start(stale), Step::Join);
                machine.waited = waited;
                machine.next(event)
            };
            for (stale, waited) in [(false, false), (false, true), (true, false), (true, true)] {
                let found = if waited { WAITED } else { HIT };
                assert_eq!(from(stale, waited, Event::Leads), Step::Ask);
                assert_eq!(
                    from(stale, waited, Event::Follows),
                    if s && stale { STALE } else { Step::Follow }
                );
                assert_eq!(from(stale, waited, Event::Fresh), found);
                assert_eq!(from(stale, waited, Event::Landed), found);
                assert_eq!(from(stale, waited, Event::Granted { stale: false }), Step::Create);
                let background = if s && b { Step::CreateInBackground } else { Step::Create };
                assert_eq!(from(stale, waited, Event::Granted { stale: true }), background);
                assert_eq!(from(stale, waited, Event::Busy { stale: false }), Step::WaitElsewhere);
                assert_eq!(
                    from(stale, waited, Event::Busy { stale: true }),
                    if s { STALE } else { Step::WaitElsewhere }
                );
                assert_eq!(
                    from(stale, waited, Event::StaleSeen),
                    if s { STALE } else { Step::Follow }
                );
                assert_eq!(
                    from(stale, waited, Event::LeaderFailed),
                    if s && stale { STALE } else { Step::Fail }
                );
                assert_eq!(from(stale, waited, Event::LeaderGone), Step::Join);
                assert_eq!(from(stale, waited, Event::Woken), Step::Ask);
                assert_eq!(from(stale, waited, Event::Expired), Step::TimeOut);
                assert_eq!(from(stale, waited, Event::Failed), Step::Fail);
            }
        }
    }

    /// Any sequence of events a driver can produce ends, or asks for a wait: the machine never sends
    /// a driver round in circles by itself.
    #[test]
    fn every_path_ends_or_waits() {
        fn possible(step: Step) -> &'static [Event] {
            match step {
                Step::Join => &[Event::Leads, Event::Follows],
                Step::Ask => &[
                    Event::Fresh,
                    Event::Granted { stale: false },
                    Event::Granted { stale: true },
                    Event::Busy { stale: false },
                    Event::Busy { stale: true },
                    Event::Failed,
                ],
                Step::Follow | Step::WaitElsewhere => &[], // It waits for somebody else.
                Step::Create
                | Step::CreateInBackground
                | Step::Serve(_)
                | Step::Fail
                | Step::TimeOut => &[],
            }
        }
        fn walk(machine: Machine, step: Step, depth: u32) {
            assert!(depth < 5, "a circle without a wait");
            for event in possible(step) {
                let mut next = machine;
                let step = next.next(*event);
                walk(next, step, depth + 1);
            }
        }
        for (serve_stale, background, stale) in (0..8).map(|n| (n & 1 > 0, n & 2 > 0, n & 4 > 0)) {
            let mut machine = Machine::new(serve_stale, background);
            let first = machine.start(stale);
            walk(machine, first, 0);
        }
    }
}
