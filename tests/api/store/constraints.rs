//! Every constraint of the tables, violated once by their owner.

use std::collections::BTreeSet;

use sqlx::error::DatabaseError;
use sqlx::{AssertSqlSafe, PgConnection};
use stagegate::store::Error;

use super::world::{World, submit};

/// The constraint, and a statement that it must refuse. There are two tasks: one in review, one in preparation.
const VIOLATIONS: &[(&str, &str)] = &[
    ("workflows_partner_fkey", "insert into workflows values (gen_random_uuid(), 'k', 1, sha256('x'), now(), null)"),
    ("workflows_pkey", "insert into workflows select * from workflows"),
    ("workflows_key_shape", "update workflows set key = 'No'"),
    ("workflows_version_from_one", "update workflows set latest_version = 0"),
    ("workflows_digest_is_sha256", "update workflows set latest_digest = 'short'"),
    ("workflows_latest_fkey", "update workflows set latest_version = 9"),
    ("workflows_times_are_real", "update workflows set retired_at = 'infinity'"),
    ("workflow_versions_pkey", "insert into workflow_versions select * from workflow_versions"),
    (
        "workflow_versions_workflow_fkey",
        "insert into workflow_versions select partner_id, 'other', version, format, definition, digest, created_at from workflow_versions",
    ),
    ("workflow_versions_version_from_one", "update workflow_versions set version = 0"),
    ("workflow_versions_format_from_one", "update workflow_versions set format = 0"),
    ("workflow_versions_definition_is_object", "update workflow_versions set definition = '[]'"),
    ("workflow_versions_digest_is_sha256", "update workflow_versions set digest = 'short'"),
    ("workflow_versions_times_are_real", "update workflow_versions set created_at = '-infinity'"),
    ("tasks_pkey", "update tasks set task_id = (select max(task_id::text)::uuid from tasks)"),
    ("tasks_workflow_fkey", "update tasks set workflow_version = 2"),
    ("tasks_title_length", "update tasks set title = ''"),
    ("tasks_metadata_is_object", "update tasks set metadata = '[]'"),
    ("tasks_open_digest_is_sha256", "update tasks set open_digest = 'short'"),
    ("tasks_phase_known", "update tasks set phase = 'lost'"),
    ("tasks_stage_shape", "update tasks set stage = 'No'"),
    ("tasks_round_from_one", "update tasks set round = 0"),
    ("tasks_waiting_on_known", "update tasks set waiting_on = 'service' where phase = 'in_review'"),
    ("tasks_format_from_one", "update tasks set format = 0"),
    ("tasks_state_is_object", "update tasks set state = '[]'"),
    ("tasks_notes_are_object", "update tasks set notes = 'null'"),
    ("tasks_buyer_status_is_object", "update tasks set buyer_status = '1'"),
    ("tasks_head_hash_is_sha256", "update tasks set head_hash = 'short'"),
    ("tasks_time_moves_on", "update tasks set updated_at = opened_at - interval '1 s'"),
    ("tasks_times_are_real", "update tasks set due_at = 'infinity' where phase = 'in_review'"),
    ("tasks_versions_from_one", "update tasks set status_version = version + 1"),
    (
        "tasks_open_ones_wait",
        "update tasks set waiting_on = null, due_at = null, wake_at = null where phase = 'in_review'",
    ),
    ("tasks_closed_ones_are_still", "update tasks set phase = 'delivery', waiting_on = null where phase = 'in_review'"),
    ("tasks_over_ones_ended", "update tasks set closed_at = updated_at where phase = 'in_review'"),
    ("tasks_overdue_was_due", "update tasks set overdue = true where phase = 'preparing'"),
    (
        "tasks_cancelling_waits_on_partner",
        "update tasks set phase = 'cancelling', waiting_on = 'buyer', due_at = updated_at, wake_at = updated_at where phase = 'in_review'",
    ),
    ("tasks_hold_stops_the_clock", "update tasks set phase = 'on_hold' where phase = 'in_review'"),
    ("tasks_cancelling_ends", "update tasks set phase = 'cancelling', wake_at = null where phase = 'in_review'"),
    ("task_events_pkey", "insert into task_events select * from task_events where seq = 2"),
    (
        "task_events_command",
        "insert into task_events select task_id, seq + 9, seq + 9, type, stage, round, party, recorded_at, command_id, command_digest, epoch, xid, entry, data, personal, hash from task_events where command_id is not null",
    ),
    ("task_events_task_fkey", "update task_events set task_id = gen_random_uuid()"),
    ("task_events_type_shape", "update task_events set type = 'partner.created' where seq = 2"),
    ("task_events_stage_shape", "update task_events set stage = 'No' where seq = 2"),
    ("task_events_round_from_one", "update task_events set round = 0 where seq = 2"),
    ("task_events_party_known", "update task_events set party = 'nobody'"),
    (
        "task_events_command_digest_is_sha256",
        "update task_events set command_digest = 'short' where command_id is not null",
    ),
    ("task_events_data_is_object", "update task_events set data = '[]'"),
    ("task_events_personal_is_object", "update task_events set personal = '[]'"),
    ("task_events_hash_is_sha256", "update task_events set hash = 'short'"),
    ("task_events_cause_comes_first", "update task_events set cause_seq = seq + 1 where seq = 2"),
    ("task_events_opened_is_first", "update task_events set type = 'task.opened' where seq = 2"),
    ("task_events_stage_has_round", "update task_events set round = null where seq = 2"),
    ("task_events_only_opening_has_no_stage", "update task_events set stage = null, round = null where seq = 2"),
    ("task_events_command_has_digest", "update task_events set command_digest = null where command_id is not null"),
    ("task_events_command_is_the_cause", "update task_events set party = 'service' where command_id is not null"),
    ("task_events_times_are_real", "update task_events set recorded_at = '200000-01-01'"),
    ("partner_events_pkey", "insert into partner_events select * from partner_events"),
    ("partner_events_partner_fkey", "update partner_events set partner_id = gen_random_uuid()"),
    ("partner_events_seq_from_one", "update partner_events set seq = 0 where seq = 2"),
    ("partner_events_type_shape", "update partner_events set type = 'task.opened' where seq = 2"),
    ("partner_events_party_known", "update partner_events set party = 'nobody'"),
    ("partner_events_data_is_object", "update partner_events set data = '[]'"),
    ("partner_events_personal_is_object", "update partner_events set personal = '[]'"),
    ("partner_events_hash_is_sha256", "update partner_events set hash = 'short'"),
    ("partner_events_times_are_real", "update partner_events set recorded_at = '-infinity'"),
    ("partner_events_created_is_first", "update partner_events set type = 'partner.created' where seq = 2"),
];

#[tokio::test]
async fn every_constraint_refuses_what_it_is_for() {
    let world = World::new().await;
    let in_review = world.open(0).await;
    world.open(0).await;
    world.play(in_review, &submit(), 1).await;
    let mut owner = world.db.owner().await;
    for (constraint, statement) in VIOLATIONS {
        let Err(error) = sqlx::query(*statement).execute(&mut owner).await else {
            panic!("{constraint} let this through: {statement}");
        };
        let refused_by = error.as_database_error().and_then(DatabaseError::constraint);
        assert_eq!(refused_by, Some(*constraint), "{statement}: {error}");
    }
    let tried: BTreeSet<String> = VIOLATIONS.iter().map(|(constraint, _)| (*constraint).to_owned()).collect();
    assert_eq!(tried, constraints(&mut owner).await, "each is tried");
}

#[tokio::test]
async fn a_constraint_with_the_number_of_a_shard_is_the_same_one() {
    let world = World::new().await;
    world.open(0).await;
    let mut owner = world.db.owner().await;
    let cases = [
        ("workflows", "workflows_partner_fkey"),
        ("tasks", "tasks_workflow_fkey"),
        ("task_events", "task_events_pkey"),
    ];
    for (table, constraint) in cases {
        let rename = format!("alter table {table} rename constraint {constraint} to {constraint}_102040");
        sqlx::query(AssertSqlSafe(rename)).execute(&mut owner).await.unwrap();
        let (_, violation) = VIOLATIONS.iter().find(|(name, _)| *name == constraint).unwrap();
        let error = Error::from(sqlx::query(*violation).execute(&mut owner).await.unwrap_err());
        match constraint {
            "workflows_partner_fkey" => assert!(matches!(error, Error::NoPartner), "{error:?}"),
            "tasks_workflow_fkey" => assert!(matches!(error, Error::NoWorkflow), "{error:?}"),
            name => assert_eq!(error.constraint(), Some(name)),
        }
    }
}

/// Every constraint and unique index of these tables.
async fn constraints(owner: &mut PgConnection) -> BTreeSet<String> {
    let names = "select conname::text from pg_constraint
         where conrelid = any (array['workflows', 'workflow_versions', 'tasks', 'task_events', 'partner_events']::regclass[]) and contype in ('c', 'f', 'p', 'u')
         union select indexrelid::regclass::text from pg_index
         where indrelid = any (array['workflows', 'workflow_versions', 'tasks', 'task_events', 'partner_events']::regclass[]) and indisunique";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(owner).await.unwrap();
    names.into_iter().collect()
}
