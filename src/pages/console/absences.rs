//! Who is absent, until when, and who stands in.

use askama::Template;
use axum::extract::State;

use crate::domain::absence::Absence;
use crate::domain::values::id::{ActorId, PartnerId};
use crate::domain::values::time::Time;
use crate::http::AppState;
use crate::pages::forms::{Fields, Form};
use crate::pages::frame::{Frame, render};
use crate::pages::links::go_to;
use crate::pages::problem::{Kind, PageError};
use crate::pages::query::Query;
use crate::pages::session::Visitor;
use crate::pages::times::{TimeTag, typed_time};

use super::slips::{self, Slip};
use super::tasks::outcome;
use super::{Answer, check_manage, enter_as_partner};

const PATH: &str = "/absences";
const REMOVE: &str = "/absences/remove";
/// The rows of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "console/absences.html", config = "src/pages/askama.toml")]
struct AbsencesPage {
    frame: Frame,
    slips: Vec<Slip>,
    rows: Vec<AbsenceRow>,
    next: Option<String>,
    /// What sets an absence; none for those who may not.
    form: Option<AbsenceForm>,
}

struct AbsenceRow {
    person: String,
    from: TimeTag,
    until: TimeTag,
    substitute: Option<String>,
    /// Whether it has begun.
    is_now: bool,
    /// The token of the form that removes it; none for those who may not.
    remove: Option<String>,
}

/// The form, with what was typed.
struct AbsenceForm {
    token: String,
    person: String,
    from: String,
    until: String,
    substitute: String,
}

/// The absences that have not ended.
pub(super) async fn get_absences(visitor: Visitor, State(state): State<AppState>, query: Query) -> Answer {
    let partner = enter_as_partner(&visitor)?;
    show(&visitor, &state, (partner, query), (&Fields::default(), Vec::new())).await
}

async fn show(
    visitor: &Visitor,
    state: &AppState,
    (partner, mut query): (PartnerId, Query),
    (typed, mistakes): (&Fields, Vec<Slip>),
) -> Answer {
    let after: Option<ActorId> = query.cursor();
    let listed = state.app.absences.list_absences(partner, after.as_ref(), ROWS + 1).await;
    let mut listed = listed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    let more = listed.len() > ROWS as usize;
    listed.truncate(ROWS as usize);
    let next = listed.last().filter(|_| more).map(|last| query.next(PATH, last.actor.clone()));
    let frame = visitor.frame(visitor.untitled().t.text("console-absences"));
    let slips = [slips::of(&query, &frame), mistakes].concat();
    let now = state.app.clock().now();
    let rows = listed.iter().map(|absence| AbsenceRow::of(absence, visitor, (&frame, now))).collect();
    let form = visitor.reach.manage.then(|| AbsenceForm::new(visitor, typed));
    let (status, frame) = outcome(frame, &slips);
    Ok(render(status, &AbsencesPage { frame, slips, rows, next, form }))
}

impl AbsenceRow {
    fn of(absence: &Absence, visitor: &Visitor, (frame, now): (&Frame, Time)) -> Self {
        Self {
            person: absence.actor.to_string(),
            from: frame.times.tag(&absence.from),
            until: frame.times.due(&absence.until),
            substitute: absence.substitute.as_ref().map(ToString::to_string),
            is_now: absence.is_valid(now),
            remove: visitor.reach.manage.then(|| visitor.form_token(REMOVE)),
        }
    }
}

impl AbsenceForm {
    fn new(visitor: &Visitor, typed: &Fields) -> Self {
        let value = |name: &str| typed.get(name).to_owned();
        Self {
            token: visitor.form_token(PATH),
            person: value("person"),
            from: value("from"),
            until: value("until"),
            substitute: value("substitute"),
        }
    }
}

/// Sets an absence.
pub(super) async fn post_absence(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let partner = enter_as_partner(visitor)?;
    check_manage(visitor)?;
    let set = match wanted(&form.fields, state.app.clock().now(), visitor.untitled()) {
        Ok(absence) => match state.app.absences.set_absence(&visitor.caller, partner, &absence).await {
            Ok(_) => Ok(()),
            Err(error) => Err(slips::refused(error, visitor.untitled(), field_of)?),
        },
        Err(slip) => Err(slip),
    };
    match set {
        Ok(()) => Ok(go_to(PATH)),
        Err(slip) => show(visitor, &state, (partner, Query::empty(&state)), (&form.fields, vec![slip])).await,
    }
}

/// The absence that a form asks for. One without a beginning begins now.
fn wanted(fields: &Fields, now: Time, frame: &Frame) -> Result<Absence, Slip> {
    let person = |field: &'static str| {
        let id = fields.filled(field).map(ActorId::parse).transpose();
        id.map_err(|error| Slip { field, text: format!("{}: {error}", frame.t.text("console-person-id")) })
    };
    let time = |field: &'static str| {
        let read = |text: &str| typed_time(text).ok_or(());
        let wrong = |()| Slip { field, text: frame.t.text("console-wrong-time").into_owned() };
        fields.filled(field).map(read).transpose().map_err(wrong)
    };
    let missing = |field: &'static str| Slip { field, text: frame.t.text("console-absence-missing").into_owned() };
    Ok(Absence {
        actor: person("person")?.ok_or_else(|| missing("person"))?,
        from: time("from")?.unwrap_or(now),
        until: time("until")?.ok_or_else(|| missing("until"))?,
        substitute: person("substitute")?,
    })
}

fn field_of(pointer: &str) -> &'static str {
    match pointer {
        "/until" => "until",
        "/substitute" => "substitute",
        _ => "person",
    }
}

/// Removes an absence.
pub(super) async fn post_remove(State(state): State<AppState>, form: Form) -> Answer {
    let visitor = &form.visitor;
    let partner = enter_as_partner(visitor)?;
    check_manage(visitor)?;
    let person = ActorId::stored(form.fields.get("person"));
    let person = person.map_err(|_| PageError::new(Kind::Unreadable, visitor.untitled()))?;
    let removed = state.app.absences.remove_absence(&visitor.caller, partner, &person).await;
    removed.map_err(|error| PageError::of(error, visitor.untitled()))?;
    Ok(go_to(PATH))
}
