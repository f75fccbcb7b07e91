//! Taking turns: one item is both the value and the lease. `docs/decisions/leases.md` has the commands
//! and why they are these.

use std::sync::Arc;

use bytes::Bytes;
use dogpile_core::{Age, Answer, Entry, ErrorKind, Lease, Result};

use super::{On, Question, Token};
use crate::backend::{give_back, runs};
use crate::error::full;
use crate::expiry::{lease, stale, until};
use crate::memcached::Memcached;
use crate::meta::{Command, Connection, Marks, Reply, Status};
use crate::server::Server;
use crate::stats::add;
use crate::value::{Found, Packed};
use crate::wait::Item;

/// How often a key is asked for that changes under the asker's hands.
const ROUNDS: usize = 8;

/// What an answer of the server means to one who asked.
enum Judged {
    Answered(Answer<Bytes>),
    /// What is there is not fresh, and nobody's turn.
    Free(Free),
}

/// An item that the asker may take its turn on, by this `cas`.
struct Free {
    marks: Marks,
    stale: Option<Packed>,
}

/// An asker on its way to a turn.
struct Wanted<'a> {
    at: usize,
    question: Question<'a>,
    free: Free,
}

impl Memcached {
    /// The entry or the turn: one round trip, and one more to take the turn on a stale entry.
    pub(super) async fn ask(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        question: Question<'_>,
    ) -> Result<Answer<Bytes>> {
        let (reply, connection) = server.one(connection, &question.command()).await?;
        let free = match self.judge(server, &connection, question, reply).await? {
            Judged::Answered(answer) => return Ok(answer),
            Judged::Free(free) => free,
        };
        let mut answers = vec![None];
        let wanted = vec![Wanted { at: 0, question, free }];
        self.take_turns(server, connection, wanted, &mut answers).await?;
        Ok(answers.pop().flatten().unwrap_or(Answer::Busy { stale: None }))
    }

    /// The same for many keys of one server, in as many round trips.
    pub(super) async fn ask_many(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        questions: &[Question<'_>],
    ) -> Result<Vec<Answer<Bytes>>> {
        let mut answers = vec![None; questions.len()];
        let all = questions.iter().copied().enumerate().collect();
        let asked = async {
            let (wanted, connection) =
                self.ask_again(server, connection, all, &mut answers).await?;
            self.take_turns(server, connection, wanted, &mut answers).await
        };
        if let Err(error) = asked.await {
            let answered = questions.iter().zip(&answers);
            self.abandon_granted(
                answered.filter_map(|(to, answer)| Some((to.ask, answer.as_ref()?))),
            );
            return Err(error);
        }
        Ok(answers
            .into_iter()
            .map(|answer| answer.unwrap_or(Answer::Busy { stale: None }))
            .collect())
    }

    /// Asks, and answers who has still to take a turn.
    async fn ask_again<'q>(
        &self,
        server: &Arc<Server>,
        connection: Arc<Connection>,
        questions: Vec<(usize, Question<'q>)>,
        answers: &mut [Option<Answer<Bytes>>],
    ) -> Result<(Vec<Wanted<'q>>, Arc<Connection>)> {
        let commands: Vec<_> = questions.iter().map(|(_, question)| question.command()).collect();
        let (replies, connection) = server.all(connection, &commands).await?;
        let mut wanted = Vec::new();
        let mut failed = None;
        for ((at, question), reply) in questions.into_iter().zip(replies) {
            match self.judge(server, &connection, question, reply).await {
                Ok(Judged::Answered(answer)) => answers[at] = Some(answer),
                Ok(Judged::Free(free)) => wanted.push(Wanted { at, question, free }),
                // The others may have been granted a turn, and are to be answered for.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok((wanted, connection)), Err)
    }

    /// Takes turns on items that are nobody's. Of all who try, the server lets one.
    async fn take_turns(
        &self,
        server: &Arc<Server>,
        mut connection: Arc<Connection>,
        mut wanted: Vec<Wanted<'_>>,
        answers: &mut [Option<Answer<Bytes>>],
    ) -> Result<()> {
        for _ in 0..ROUNDS {
            if wanted.is_empty() {
                return Ok(());
            }
            let commands: Vec<_> = wanted.iter().flat_map(Wanted::commands).collect();
            let replies;
            (replies, connection) = server.all(connection, &commands).await?;
            let epoch = connection.epoch;
            let (mut again, mut failed) = (Vec::new(), None);
            for (wanted, replies) in wanted.into_iter().zip(replies.chunks(2)) {
                let [marked, won] = replies else { continue };
                let Wanted { at, question, free } = wanted;
                let taken = match (marked.status, won.status) {
                    (Status::Done | Status::Exists | Status::NotFound, Status::Done) => {
                        self.taken(server, question, free, won.marks, epoch).await
                    }
                    (Status::NotFound, Status::Missing) => Err(full(&server.name)),
                    (Status::Done | Status::Exists | Status::NotFound, _) => {
                        Err(server.odd("mg", won))
                    }
                    _ => Err(server.odd("md", marked)),
                };
                match taken {
                    Ok(Some(answer)) => answers[at] = Some(answer),
                    // It was changed meanwhile.
                    Ok(None) => again.push((at, question)),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if again.is_empty() {
                return Ok(());
            }
            (wanted, connection) = self.ask_again(server, connection, again, answers).await?;
        }
        Ok(())
    }

    /// What came of an attempt to take a turn; none if the item has to be looked at again.
    async fn taken(
        &self,
        server: &Arc<Server>,
        question: Question<'_>,
        free: Free,
        marks: Marks,
        epoch: u32,
    ) -> Result<Option<Answer<Bytes>>> {
        let turn = |on| Token { epoch, on, cas: marks.cas }.lease();
        Ok(match (marks.won, marks.taken) {
            (true, _) if runs(&marks) => {
                let lease = turn(On::from(&free.marks));
                Some(self.create_stale(server, lease, free.stale).await)
            }
            // It was deleted meanwhile, and is a missing one now.
            (true, _) if !marks.stale => {
                Some(Answer::Create { lease: turn(On::Missing), stale: None })
            }
            (_, true) if runs(&marks) => {
                Some(Answer::Busy { stale: self.stale(server, free.stale).await? })
            }
            (_, true) if !marks.stale => {
                let item = Item { epoch, cas: marks.cas };
                self.watches.saw(question.name, item, None, question.ask.lease_for, marks.ttl);
                Some(Answer::Busy { stale: None })
            }
            _ => None,
        })
    }

    async fn judge(
        &self,
        server: &Arc<Server>,
        connection: &Connection,
        question: Question<'_>,
        reply: Reply,
    ) -> Result<Judged> {
        match reply.status {
            Status::Value => {}
            // There is no room, not even for the place of a turn.
            Status::Missing => return Err(full(&server.name)),
            _ => return Err(server.odd("mg with a lease", &reply)),
        }
        let (marks, epoch) = (reply.marks, connection.epoch);
        let turn = |on| Token { epoch, on, cas: marks.cas }.lease();
        let (age, mut packed) = match self.settings.values.found(marks.flags, reply.value) {
            // A turn that was marked stale has no end of its own any more.
            Found::Turn(_) if marks.stale => (Age::Dead, None),
            Found::Turn(_) if marks.won => {
                let create = Answer::Create { lease: turn(On::Missing), stale: None };
                return Ok(Judged::Answered(create));
            }
            Found::Turn(record) if marks.taken || record.is_some() => {
                let Question { name, ask } = question;
                let item = Item { epoch, cas: marks.cas };
                self.watches.saw(name, item, record, ask.lease_for, marks.ttl);
                return Ok(Judged::Answered(Answer::Busy { stale: None }));
            }
            Found::Turn(_) => (Age::Dead, None),
            Found::Foreign(_) => {
                add(&server.counts.foreign_items, 1);
                (Age::Dead, None)
            }
            Found::Entry(packed) => (question.ask.freshness.age(&packed.stamps), Some(packed)),
        };
        if age == Age::Fresh
            // Somebody called it stale whatever its stamps say.
            && (!marks.stale || runs(&marks))
            && let Some(entry) = self.stale(server, packed.take()).await?
        {
            give_back(connection, question.name, &marks);
            return Ok(Judged::Answered(Answer::Fresh(entry)));
        }
        let packed = packed.filter(|_| age != Age::Dead);
        if !runs(&marks) {
            return Ok(Judged::Free(Free { marks, stale: packed }));
        }
        Ok(Judged::Answered(match marks.won {
            // Somebody was at taking this turn, and knows how long the value was to stay.
            true => {
                let ttl = marks.ttl.map(|left| left.saturating_sub(u64::from(question.seconds())));
                let lease = turn(On::from(&Marks { ttl, ..marks }));
                self.create_stale(server, lease, packed).await
            }
            false => Answer::Busy { stale: self.stale(server, packed).await? },
        }))
    }

    /// The turn on a stale entry, whether there is still something to serve meanwhile or not.
    async fn create_stale(
        &self,
        server: &Arc<Server>,
        lease: Lease,
        packed: Option<Packed>,
    ) -> Answer<Bytes> {
        let stale = self.stale(server, packed).await.unwrap_or_else(|error| {
            tracing::debug!(server = &*server.name, %error, "a stale value cannot be read");
            None
        });
        Answer::Create { lease, stale }
    }

    /// The entry to serve meanwhile. One that cannot be read is none.
    async fn stale(
        &self,
        server: &Arc<Server>,
        packed: Option<Packed>,
    ) -> Result<Option<Entry<Bytes>>> {
        let Some(packed) = packed else { return Ok(None) };
        match self.open(server, packed).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                add(&server.counts.foreign_items, 1);
                Ok(None)
            }
            opened => opened,
        }
    }
}

impl From<&Marks> for On {
    /// A turn on the item that had these marks before it was taken.
    fn from(marks: &Marks) -> Self {
        Self::Stale { marked: marks.stale, until: until(marks.ttl) }
    }
}

impl Question<'_> {
    fn command(&self) -> Command<'_> {
        Command::Lease { name: self.name, seconds: self.seconds() }
    }

    fn seconds(&self) -> u32 {
        lease(self.ask.lease_for)
    }
}

impl Wanted<'_> {
    fn commands(&self) -> [Command<'_>; 2] {
        let (name, seconds) = (self.question.name, self.question.seconds());
        let mark = Command::MarkStale { name, ttl: stale(seconds), cas: self.free.marks.cas };
        [mark, Command::Win { name, seconds }]
    }
}
