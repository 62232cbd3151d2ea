//! The settings of sessions: for serving, for writing and for migrations.

use std::fmt::Write as _;

use sqlx::postgres::PgConnectOptions;

/// The role of the serving connections. The migrations create it. The user of `DATABASE_URL` must
/// be a member; the migrations grant that if the user may.
pub const SERVING_ROLE: &str = "stagegate_app";

/// The settings of every session. A server, database, role or URL can have defaults of its own, so
/// each session sets what statements rely on, after the options of the URL.
///
/// Three are not set: `search_path`, which says where the tables are;
/// `default_transaction_read_only`, with which an operator may stop all writing (each new session
/// that writes checks it, and those of a replica that only reads set it); and what sqlx sets
/// itself: time zone, date style and encoding.
const SESSION: [(&str, &str); 15] = [
    ("role", SERVING_ROLE),
    // A statement that waits or runs longer than this has lost its caller.
    ("statement_timeout", "5s"),
    ("lock_timeout", "2s"),
    ("idle_in_transaction_session_timeout", "5s"),
    // Connections idle between statements, and listeners for longer.
    ("idle_session_timeout", "0"),
    // The guards of statements assume these.
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    // How the text of statements and values is read.
    ("standard_conforming_strings", "on"),
    ("bytea_output", "hex"),
    ("intervalstyle", "postgres"),
    // JIT compilation would take longer than any of these statements.
    ("jit", "off"),
    ("plan_cache_mode", "auto"),
    ("client_min_messages", "warning"),
    // A server that has lost us releases our locks within half a minute.
    ("tcp_keepalives_idle", "10"),
    ("tcp_user_timeout", "20s"),
];

/// How sessions reach the server.
#[derive(Clone, Debug)]
pub(in crate::store) struct Route {
    /// For statements.
    options: PgConnectOptions,
    /// For what needs a session of its own, with settings of its own: never through a pooler.
    direct: PgConnectOptions,
    /// Whether a pooler stands in between. It passes on no settings, so those of the login apply.
    is_pooled: bool,
    /// Whether sessions only read, so that the server may be a standby.
    is_read_only: bool,
    /// Whether the planner of the writer's sessions is left alone.
    plans_freely: bool,
}

impl Route {
    /// Leads straight to the server, with the settings for serving.
    pub(in crate::store) fn direct(options: &PgConnectOptions) -> Self {
        Self::from(serving(options))
    }

    /// Leads through a pooler. What needs a session of its own goes past it.
    pub(in crate::store) fn pooled(pooler: &PgConnectOptions, direct: &PgConnectOptions) -> Self {
        // A pooler refuses start-up parameters that it cannot pass on. No statement reads a float.
        let options = pooler.clone().application_name("stagegate").extra_float_digits(None);
        Self { options, direct: serving(direct), is_pooled: true, is_read_only: false, plans_freely: true }
    }

    /// The same route for sessions that only read. The server refuses their writes even if it is
    /// promoted, unless a pooler drops the setting.
    pub(in crate::store) fn read_only(self) -> Self {
        let reading = |options: PgConnectOptions| options.options([("default_transaction_read_only", "on")]);
        let options = if self.is_pooled { self.options } else { reading(self.options) };
        Self { options, direct: reading(self.direct), is_read_only: true, ..self }
    }

    /// The same route without settings for the planner, which some engines on top of Postgres cannot
    /// follow.
    pub(in crate::store) fn planning_freely(self) -> Self {
        Self { plans_freely: true, ..self }
    }

    /// Whether sessions only read.
    pub(in crate::store) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// For statements of the pool.
    pub(in crate::store) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// For a session of its own, with these settings besides.
    pub(in crate::store) fn beside<const N: usize>(&self, settings: [(&str, &str); N]) -> PgConnectOptions {
        self.direct.clone().options(settings)
    }

    /// The route of the writer's connections.
    pub(in crate::store) fn for_writing(&self) -> Self {
        let options = match (self.is_pooled, self.plans_freely) {
            // The login's settings apply.
            (true, _) => self.options.clone(),
            (false, true) => with_short_locks(&self.options),
            (false, false) => for_writing(&self.options),
        };
        Self { options, ..self.clone() }
    }
}

impl From<PgConnectOptions> for Route {
    /// Leads straight to the server, with these options unchanged.
    fn from(options: PgConnectOptions) -> Self {
        Self { direct: options.clone(), options, is_pooled: false, is_read_only: false, plans_freely: false }
    }
}

fn serving(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate").options(SESSION)
}

/// SQL that makes a login for serving through a pooler: in the serving role by itself, with the
/// settings that sessions without a pooler ask for.
pub fn login_sql(name: &str) -> String {
    let mut sql = format!(
        "-- Run this once as an administrator, after the first migration. Then set a password, in psql with \\password {name}.\n\
         create role {name} login noinherit in role {SERVING_ROLE}, stagegate_erasure;\n"
    );
    for (setting, value) in SESSION {
        let _ = writeln!(sql, "alter role {name} set {setting} = '{value}';");
    }
    sql
}

/// Adds the settings of the writer's connections, which send one statement only.
///
/// Its plan is made once and always uses the primary key of `tasks`, regardless of the table's
/// statistics.
fn for_writing(options: &PgConnectOptions) -> PgConnectOptions {
    with_short_locks(options).options([
        ("plan_cache_mode", "force_generic_plan"),
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
    ])
}

/// Waits only briefly for a row that another session has locked, since up to 63 other tasks wait with
/// it; the short limit also breaks a deadlock of two such statements.
fn with_short_locks(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().options([("lock_timeout", "50ms")])
}

/// Adds the settings for migrations, which run as the owner of the tables: no time limits, and the
/// defaults that migrations were written for.
pub(in crate::store) fn migrating(options: &PgConnectOptions) -> PgConnectOptions {
    options.clone().application_name("stagegate migrate").options([
        ("statement_timeout", "0"),
        ("lock_timeout", "0"),
        ("idle_in_transaction_session_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("default_transaction_isolation", "read committed"),
        ("default_transaction_deferrable", "off"),
        ("standard_conforming_strings", "on"),
        ("tcp_keepalives_idle", "10"),
        ("tcp_user_timeout", "20s"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_has_the_settings_that_the_route_allows() {
        let server = PgConnectOptions::new_without_pgpass().host("h");
        let direct = Route::direct(&server);
        for (route, fixed, short) in [
            (direct.clone(), true, true),
            (direct.clone().planning_freely(), false, true),
            (Route::pooled(&server, &server), false, false),
        ] {
            let options = route.for_writing().options().get_options().unwrap_or_default().to_owned();
            assert_eq!(
                options.contains("force_generic_plan") && options.contains("enable_seqscan"),
                fixed,
                "{options}"
            );
            assert_eq!(options.contains("lock_timeout=50ms"), short, "{options}");
        }
        let reads = |route: Route| {
            let has = |options: &PgConnectOptions| {
                options.get_options().is_some_and(|options| options.contains("default_transaction_read_only=on"))
            };
            (has(route.options()), has(&route.beside([])))
        };
        assert_eq!(reads(direct.clone()), (false, false));
        assert_eq!(reads(direct.read_only()), (true, true));
        assert_eq!(reads(Route::pooled(&server, &server).read_only()), (false, true));
    }
}
