//! Links for people: made by a back end that has a credential, opened in a browser.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::Caller;
use crate::app::links::{Filter, LinkView, Revoke};
use crate::domain::calendar::TimeZone;
use crate::domain::link::{Agent, BoundTo, LinkKind, LinkState, NewLink, OpenMode};
use crate::domain::values::id::{ActorId, CredentialId, LinkId, TaskId};
use crate::domain::values::language::Language;
use crate::domain::values::outside::from_outside;
use crate::domain::values::party::{Actor, Party};
use crate::domain::values::time::{Span, Time};
use crate::http::AppState;
use crate::http::input::body::{RawBody, SMALL};
use crate::http::input::extract::{NoParameters, Path, Query};
use crate::http::input::page::{AnyCursor, Cursor, Limit, Page};
use crate::http::problem::{Code, FieldError, Problem};

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkDefinition {
    /// Where it leads: to one decision, one task, the actor's inbox, or the console.
    to: LinkKind,
    /// The task; required for `decide` and `task`. For `inbox`, where it begins; required there with
    /// `party`. Not allowed for `console`.
    #[serde(default)]
    task_id: Option<TaskId>,
    /// The person whose link it is. Required from the partner and the platform, except with `party`.
    /// Not allowed from a buyer, whose token identifies the person.
    #[serde(default)]
    actor: Option<Actor>,
    /// `buyer`: the link is for the task's buyer. Only the platform may send it.
    #[serde(default)]
    party: Option<Party>,
    /// How it is opened. Default `click`.
    #[serde(default)]
    open: OpenMode,
    /// How long the link lives. `decide`: PT72H, at most P14D. `task`: P7D, at most P30D. `inbox` and
    /// `console`: PT15M, which is the most. With `at_once` PT60S, at most PT2M. A link does not
    /// outlast the credential that makes it.
    #[serde(default)]
    expires_in: Option<Span>,
    /// How long each session lives that opening the link makes. `decide`: PT1H, at most PT8H. `task`:
    /// PT8H, at most PT24H. `inbox`: PT8H, at most PT12H. `console`: PT1H, at most PT8H.
    #[serde(default)]
    session_for: Option<Span>,
    /// `console` only: whether it may change webhooks, workflows and links. Default `false`.
    #[serde(default)]
    manage: bool,
    /// The language of the pages. Default: the browser's.
    #[serde(default)]
    language: Option<Language>,
    /// The time zone of the pages, by its name in the IANA database. Default: the browser's.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 50, example = "Europe/Berlin")]
    time_zone: Option<TimeZone>,
}

from_outside! { LinkDefinition { actor; to, task_id, party, open, expires_in, session_for, manage, language, time_zone } }

impl From<LinkDefinition> for NewLink {
    fn from(wanted: LinkDefinition) -> Self {
        let LinkDefinition { to, task_id, actor, party, open, expires_in, session_for, manage, language, time_zone } =
            wanted;
        Self { kind: to, task_id, actor, party, open, expires_in, session_for, manage, language, time_zone }
    }
}

/// A link. Its address is shown only when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// The id. It is part of the `credential_id` of what is done through the link.
    id: LinkId,
    /// Where it leads.
    to: LinkKind,
    /// Its task; null without one.
    #[schema(required = true)]
    task_id: Option<TaskId>,
    /// The party that the person acts for.
    party: Party,
    /// The person; null for a buyer, and once the person was erased.
    #[schema(required = true)]
    actor: Option<Actor>,
    /// `decide`: the decision that the link is for; else null. It is compared with the task whenever
    /// the link is used.
    #[schema(required = true)]
    bound_to: Option<BoundTo>,
    /// How it is opened.
    open: OpenMode,
    /// Whether a console may change something.
    manage: bool,
    /// The language of the pages; null: the browser's.
    #[schema(required = true)]
    language: Option<Language>,
    /// The time zone of the pages; null: the browser's.
    #[schema(value_type = Option<String>, required = true)]
    time_zone: Option<TimeZone>,
    /// Whether it can be used, and if not, why.
    state: LinkState,
    /// How often it was opened.
    openings: u16,
    /// The credential that made it; null for a buyer.
    #[schema(value_type = Option<String>, required = true)]
    made_by: Option<CredentialId>,
    /// When it was made.
    created_at: Time,
    /// From when on it does not open.
    expires_at: Time,
    /// When it was ended; null if it was not.
    #[schema(required = true)]
    ended_at: Option<Time>,
}

/// A link and its openings.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenedLink {
    /// The link.
    #[serde(flatten)]
    link: Link,
    /// Each opening, the first first.
    opened: Vec<LinkOpening>,
}

/// An opening of a link.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkOpening {
    /// The how-manieth it was, from 1.
    number: u16,
    /// When.
    opened_at: Time,
    /// The family of the browser.
    agent: Agent,
    /// When its session was last used, to the minute.
    last_seen_at: Time,
    /// When its session ends at the latest, or was ended.
    ends_at: Time,
}

/// A new link.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedLink {
    /// The link.
    #[serde(flatten)]
    link: Link,
    /// The address to give to the person. It is shown only once and stored only as a hash.
    #[schema(example = "https://stagegate.example/go/sgl_…")]
    url: String,
}

/// Whose links to end: exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinksToRevoke {
    /// Those of this person of the caller's party. Not allowed from a buyer.
    #[serde(default)]
    actor_id: Option<ActorId>,
    /// Those about this task.
    #[serde(default)]
    task_id: Option<TaskId>,
}

// The actor's id is matched against stored ids in any spelling, so its text is not checked.
from_outside! { LinksToRevoke { ; actor_id, task_id } }

/// How many links were ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedLinks {
    /// Links that could still be opened or had a session.
    ended: u64,
}

/// Selects links.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LinksQuery {
    /// Only links about this task.
    task_id: Option<TaskId>,
    /// Only links of this person.
    actor: Option<ActorId>,
    /// Only links in this state. A page examines at most 1,000 links then, so it can have fewer rows
    /// than `limit`, or none, while `next` shows that more follow.
    #[param(inline)]
    state: Option<LinkState>,
    /// The maximum number of rows of the page.
    #[param(inline)]
    #[serde(default)]
    limit: Limit,
    /// The `next` of an earlier page. Default: the first page.
    #[param(inline, value_type = Option<AnyCursor>)]
    cursor: Option<Cursor<LinkId>>,
}

/// The link in the path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct LinkPath {
    /// The link's id.
    id: LinkId,
}

/// Make a link
///
/// Returns an address that lets one person in without a credential, as far as the link leads and no
/// further than the key that made it: `decide` needs a key with the scope `review`, `console` with
/// `manage` one with `define`, and a key that is bound to actors makes links for those only. What
/// the person does counts as sent under a bound key. Links and sessions end with the key.
///
/// A `decide` link is for the present stage, round and revision, or escalation, and closes when that
/// is over. It is refused with `nothing_to_decide` if the actor could neither approve nor reject, or
/// resolve the escalation in no way; `why` says what stands against it. Opening needs a click unless
/// `open` is `at_once`; a link that is mailed should need one, since mail scanners open links. A
/// credential can make 300 links a minute.
#[utoipa::path(post, path = "/links", tag = "links",
    security(("partnerKey" = ["work", "review", "define", "read"]), ("buyerToken" = []), ("platformKey" = [])),
    request_body(content = LinkDefinition, example = json!({ "to": "decide", "task_id": "01990000-0000-7000-8000-000000000001", "actor": { "id": "u-anna", "name": "Anna K." } })),
    responses(
        (status = 201, description = "The link. Its address is shown only once.", body = IssuedLink),
        (status = 403, description = ""),
        (status = 404, description = ""),
        (status = 409, description = ""),
        (status = 410, description = ""),
))]
pub async fn create_link(
    caller: Caller,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Response, Problem> {
    let wanted: LinkDefinition = body.parse()?;
    let Some(origin) = state.app.links.public_origin() else {
        return Err(Problem::new(Code::NoPublicUrl, "This service has no public URL (STAGEGATE_PUBLIC_URL)."));
    };
    let (view, voucher) = state.app.links.issue(&caller, wanted.into()).await?;
    let location = format!("/api/v1/links/{}", view.link.id);
    let url = format!("{origin}/go/{}", voucher.reveal());
    let issued = IssuedLink { link: Link::new(view, &caller), url };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(issued)).into_response())
}

/// List the links
///
/// Returns the links of the caller's party, the latest first; for the platform also those of buyers.
/// Links are removed 90 days after their end.
#[utoipa::path(get, path = "/links", tag = "links", security(("partnerKey" = []), ("buyerToken" = []), ("platformKey" = [])),
    params(LinksQuery), responses((status = 200, description = "A page of links.", body = Page<Link>)))]
pub async fn list_links(
    caller: Caller,
    Query(query): Query<LinksQuery>,
    State(state): State<AppState>,
) -> Result<Json<Page<Link>>, Problem> {
    let LinksQuery { task_id, actor, state: wanted, limit, cursor } = query;
    let filter = Filter { task_id, actor, state: wanted };
    let before = Cursor::of_page(cursor, state.app.cell())?;
    let (views, next) = state.app.links.list(&caller, &filter, before, limit.most()).await?;
    let items = views.into_iter().map(|view| Link::new(view, &caller)).collect();
    Ok(Json(Page { items, next: next.map(|id| Cursor::new(id, state.app.cell()).encode()) }))
}

/// Read a link
#[utoipa::path(get, path = "/links/{id}", tag = "links", security(("partnerKey" = []), ("buyerToken" = []), ("platformKey" = [])),
    params(LinkPath), responses((status = 200, description = "The link and its openings.", body = OpenedLink)))]
pub async fn get_link(
    caller: Caller,
    Path(path): Path<LinkPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<Json<OpenedLink>, Problem> {
    let view = state.app.links.get(&caller, path.id).await?;
    let opened = view.openings.iter().map(|opening| LinkOpening {
        number: opening.ordinal,
        opened_at: opening.created_at,
        agent: opening.agent,
        last_seen_at: opening.last_seen_at,
        ends_at: opening.ended_at.unwrap_or(opening.expires_at),
    });
    let opened = opened.collect();
    Ok(Json(OpenedLink { link: Link::new(view, &caller), opened }))
}

/// End a link
///
/// Ends the link and its sessions: at once on the replica that responds, and within 5 seconds on the
/// others. Ending an ended link changes nothing.
#[utoipa::path(delete, path = "/links/{id}", tag = "links",
    security(("partnerKey" = ["work", "review", "define"]), ("buyerToken" = []), ("platformKey" = [])),
    params(LinkPath), responses(
        (status = 204, description = "The link is ended."),
        (status = 403, description = ""),
))]
pub async fn end_link(
    caller: Caller,
    Path(path): Path<LinkPath>,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
) -> Result<StatusCode, Problem> {
    state.app.links.end(&caller, path.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End the links of a person or about a task
///
/// Ends every link, of any kind, that can still be opened or has a session, and the sessions. A key
/// that is bound to actors ends only the links of those.
#[utoipa::path(post, path = "/links/revoke", tag = "links",
    security(("partnerKey" = ["work", "review", "define"]), ("buyerToken" = []), ("platformKey" = [])),
    request_body(content = LinksToRevoke, example = json!({ "actor_id": "u-anna" })),
    responses(
        (status = 200, description = "The links are ended.", body = RevokedLinks),
        (status = 403, description = ""),
        (status = 404, description = ""),
))]
pub async fn revoke_links(
    caller: Caller,
    Query(NoParameters {}): Query<NoParameters>,
    State(state): State<AppState>,
    body: RawBody<SMALL>,
) -> Result<Json<RevokedLinks>, Problem> {
    let LinksToRevoke { actor_id, task_id } = body.parse()?;
    let wrong = |pointer, code, message| Err(Problem::invalid_body(vec![FieldError::new(pointer, code, message)]));
    let whose = match (actor_id, task_id) {
        (Some(_), _) if caller.party() == Party::Buyer => {
            return wrong("/actor_id", "not_allowed", "must not be sent by a buyer, whose token identifies the person");
        }
        (Some(_), Some(_)) => return wrong("/task_id", "not_allowed", "must not be sent with `actor_id`"),
        (None, None) => return wrong("", "required", "must have `actor_id` or `task_id`"),
        (Some(actor), None) => Revoke::Actor(actor),
        (None, Some(task)) => Revoke::Task(task),
    };
    Ok(Json(RevokedLinks { ended: state.app.links.revoke(&caller, whose).await? }))
}

impl Link {
    fn new(LinkView { link, party, state, .. }: LinkView, reader: &Caller) -> Self {
        Self {
            id: link.id,
            to: link.kind,
            task_id: link.task_id,
            party,
            actor: link.actor,
            bound_to: link.bound_to,
            open: link.open,
            manage: link.manage,
            language: link.language,
            time_zone: link.time_zone,
            state,
            openings: link.openings,
            made_by: (reader.party() != Party::Buyer).then_some(link.made_by),
            created_at: link.created_at,
            expires_at: link.expires_at,
            ended_at: link.ended_at,
        }
    }
}
