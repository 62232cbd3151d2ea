//! Ends at every point: the rows are there, or the file with its record.

use std::fs;
use std::sync::Arc;

use stagegate::worker::retention::Retention;

use super::world::World;

/// A process that ended between the file and the deletion of the rows.
async fn half_done(world: &World) -> (String, String) {
    let task = world.cancel().await;
    world.log().await;
    world.pass(31);
    // The deletion waits for a lock of somebody else until its process ends.
    let mut owner = world.parties.service.db.owner().await;
    sqlx::query("begin").execute(&mut owner).await.unwrap();
    sqlx::query("lock table archived_tasks in exclusive mode").execute(&mut owner).await.unwrap();
    let worker = world.replica();
    let running = tokio::spawn(async move { worker.run_due().await });
    let waiting = "select count(*) from pg_locks where not granted and relation = 'archived_tasks'::regclass";
    while world.scalar(waiting).await == 0 {
        assert!(!running.is_finished(), "it got past the lock");
        tokio::task::yield_now().await;
    }
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let ended = "select count(pg_terminate_backend(pid)) from pg_locks where not granted and relation = 'archived_tasks'::regclass";
    let _: i64 = sqlx::query_scalar(ended).fetch_one(&mut owner).await.unwrap();
    sqlx::query("rollback").execute(&mut owner).await.unwrap();
    world.execute("update archive_turns set until = now()").await;
    let files = world.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!((world.rows("tasks", &task).await, world.rows("archived_tasks", &task).await), (1, 0));
    let text = fs::read_to_string(world.dir.join(&files[0])).unwrap();
    world.assert_verifies(&text).await;
    (task, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_end_between_file_and_deletion_the_next_turn_makes_the_same_file() {
    let world = World::start().await;
    let (task, text) = half_done(&world).await;
    assert_eq!(world.parties.task(&task).await["phase"], "cancelled", "it can be read");
    // Later checkpoints make no difference.
    world.log().await;
    assert_eq!(world.run().await, 1);
    assert_eq!(world.file(&task).await, text);
    assert_eq!(world.scalar("select count(*) from archive_writes").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_task_that_must_stay_is_removed() {
    let world = World::start().await;
    let (task, _) = half_done(&world).await;
    let unfinished = world.dir.join(format!("{}.unfinished", world.files()[0]));
    fs::write(&unfinished, "half a li").unwrap();
    world.decide_late(&task).await;
    assert_eq!(world.run().await, 0);
    assert_eq!((world.files(), world.rows("tasks", &task).await), (Vec::new(), 1));
    assert_eq!(world.scalar("select count(*) from archive_writes").await, 0);
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let world = World::start().await;
    let task = world.deliver().await;
    world.log().await;
    world.pass(31);
    // A file where a directory should be, since root may write anywhere.
    let year = world.parties.service.clock.now().utc().format("%Y").to_string();
    fs::write(world.dir.join(&year), "").unwrap();
    let worker = Retention::new(Arc::clone(&world.parties.service.app));
    assert!(worker.run_due().await.is_err());
    assert_eq!((world.rows("tasks", &task).await, world.rows("archived_tasks", &task).await), (1, 0));
    fs::remove_file(world.dir.join(&year)).unwrap();
    assert_eq!(worker.run_due().await.unwrap(), 1);
    world.assert_verifies(&world.file(&task).await).await;
}

/// Of two processes, one of which was taken for dead, one deletes the rows, and the file stays.
#[tokio::test]
async fn two_turns_at_once_end_with_one_record_and_its_file() {
    let world = World::start().await;
    let mut tasks = Vec::new();
    for _ in 0..6 {
        tasks.push(world.deliver().await);
    }
    world.log().await;
    world.pass(31);
    let (first, second) = (world.replica_app(), world.replica_app());
    let (first, second) = (first.retention.as_ref().unwrap(), second.retention.as_ref().unwrap());
    let due = first.list_due(None, 100).await.unwrap().due;
    assert_eq!(due.len(), tasks.len());
    let (one, other) = tokio::join!(first.put_away(&due), second.put_away(&due));
    let archived = one.unwrap().archived + other.unwrap().archived;
    let again = world.replica().run_due().await.unwrap();
    assert_eq!(archived + again, tasks.len() as u64);
    for task in &tasks {
        world.assert_verifies(&world.file(task).await).await;
    }
    assert_eq!(world.files().len(), tasks.len());
}
