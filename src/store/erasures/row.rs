//! The row of an erasure.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::values::id::{ErasureId, PartnerId, TaskId};
use crate::domain::values::party::Party;
use crate::domain::values::time::Time;
use crate::store::Error;
use crate::store::db::row::Place;

use super::{Progress, Record, State};

/// Selects erasures. The arguments are the text after `from erasures` and the parameters.
macro_rules! select_erasures {
    ($after:literal, $($parameter:expr),+ $(,)?) => {
        sqlx::query_as!(
            $crate::store::erasures::row::Row,
            r#"select id, party, partner_id, actor_id, reason, credential_id, salt, digest, state, requested_at, started_at,
                   finished_at, last_task, examined, tasks_erased, entries_erased, fields_erased,
                   (select count(*) from erasure_tasks aside where aside.erasure_id = erasures.id) as "waiting!",
                   (select count(*) from erasure_tasks aside
                    where aside.erasure_id = erasures.id and aside.failures > 0) as "failing!",
                   (select count(*) from erasure_archived_tasks archived where archived.erasure_id = erasures.id) as "archived!"
               from erasures "# + $after,
            $($parameter),+
        )
    };
}
pub(super) use select_erasures;

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) party: String,
    pub(super) partner_id: Option<Uuid>,
    pub(super) actor_id: Option<String>,
    pub(super) reason: String,
    pub(super) credential_id: String,
    pub(super) salt: Vec<u8>,
    pub(super) digest: Vec<u8>,
    pub(super) state: String,
    pub(super) requested_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) last_task: Option<Uuid>,
    pub(super) examined: i64,
    pub(super) tasks_erased: i64,
    pub(super) entries_erased: i64,
    pub(super) fields_erased: i64,
    pub(super) waiting: i64,
    pub(super) failing: i64,
    pub(super) archived: i64,
}

impl TryFrom<Row> for Record {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let place = Place { table: "erasures", key: row.id };
        let party = Party::ALL.into_iter().find(|party| party.as_str() == row.party);
        let state = State::ALL.into_iter().find(|state| state.as_str() == row.state);
        let salt = row.salt.as_slice().try_into().map_err(|_| place.impossible("a salt of the wrong length"))?;
        Ok(Self {
            id: ErasureId(row.id),
            party: party.ok_or_else(|| place.impossible("an unknown party"))?,
            partner_id: row.partner_id.map(PartnerId),
            actor_id: row.actor_id.map(|id| place.checked(id)).transpose()?,
            reason: place.checked(row.reason)?,
            credential_id: place.checked(row.credential_id)?,
            salt,
            digest: place.digest(&row.digest)?,
            state: state.ok_or_else(|| place.impossible("an unknown state"))?,
            requested_at: row.requested_at.into(),
            started_at: row.started_at.map(Time::from),
            finished_at: row.finished_at.map(Time::from),
            last_task: row.last_task.map(TaskId),
            progress: Progress {
                examined: place.unsigned(row.examined)?,
                tasks: place.unsigned(row.tasks_erased)?,
                entries: place.unsigned(row.entries_erased)?,
                fields: place.unsigned(row.fields_erased)?,
                waiting: place.unsigned(row.waiting)?,
                failing: place.unsigned(row.failing)?,
                archived: place.unsigned(row.archived)?,
            },
        })
    }
}
