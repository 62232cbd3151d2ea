//! The page of a task for partner and platform, and what is new of it.

use std::borrow::Cow;

use askama::Template;

use crate::app::tasks::Desk;
use crate::domain::audit::EntryView;
use crate::domain::link::LinkKind;
use crate::domain::task::event::Artifact;
use crate::pages::frame::Frame;
use crate::pages::live;
use crate::pages::session::Visitor;
use crate::pages::texts::Texts;

use super::choice::Choice;
use super::claim::Say;
use super::head::{self, Head};
use super::history::{self, History};
use super::mistakes::Mistake;
use super::notice::Notice;
use super::offers::{Offers, seq_of};
use super::panel::{Filled, Panels, action, has_inbox};
use super::typed::{self, Target, Typed};
use super::view::{self, CameBack, Spent, Step, Work};
use super::words;

/// What was read for the regions of a page, all of about one moment.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The task and what the visitor can do about it.
    pub(super) desk: Desk,
    /// The last entries of the trail, oldest first.
    pub(super) entries: Vec<EntryView>,
    /// The revision that the work is compared with.
    pub(super) earlier: Option<(u32, Vec<Artifact>)>,
    /// Whether the entries are older ones.
    pub(super) is_older: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "work/page.html", config = "src/pages/askama.toml")]
pub(super) struct Page {
    pub(super) frame: Frame,
    pub(super) t: Texts,
    /// What became of a form, before the title.
    pub(super) outcome: Option<String>,
    pub(super) notice: Option<Notice>,
    pub(super) mistakes: Vec<Mistake>,
    /// Whether the forms are about a state that has passed.
    is_stale: bool,
    /// Whether the forms have what was typed, so that no draft replaces it.
    is_typed: bool,
    regions: Regions,
    title: (String, bool),
    action: String,
    task: String,
    /// Where the page asks for news.
    live: String,
    tag: String,
    about: String,
    draft: String,
    came_back: Option<CameBack>,
    panels: Panels,
    /// The absent person in whose seat the visitor votes.
    stands_for: Option<String>,
    /// What the visitor can say about who decides: value and words.
    claim: Option<(&'static str, String)>,
    /// The choices that are not for this person: label and reason.
    barred: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Why there is nothing to decide, if nothing is.
    nothing: Option<String>,
    /// The severities that the form suggests.
    severities: [&'static str; 2],
    /// In place of forms: state and trail as programs read them.
    console: Option<Console>,
    has_inbox: bool,
}

/// What is new of a page.
#[derive(Template)]
#[template(path = "work/live.html", config = "src/pages/askama.toml")]
pub(super) struct News {
    pub(super) frame: Frame,
    t: Texts,
    regions: Regions,
    task: String,
    about: String,
    say: String,
}

/// The parts that are replaced when they change.
#[derive(Debug)]
struct Regions {
    head: Head,
    work: Option<Work>,
    history: History,
    is_older: bool,
    spent: Vec<Spent>,
    steps: Vec<Step>,
}

/// What a developer sees in place of forms.
#[derive(Debug)]
struct Console {
    /// The timers and what the party can send: term and value.
    pairs: Vec<(Cow<'static, str>, String)>,
    /// The entries as the API shows them.
    trail: String,
}

impl Regions {
    fn new(loaded: &Loaded, visitor: &Visitor) -> Self {
        let (frame, desk) = (visitor.untitled(), &loaded.desk);
        Self {
            head: Head::new(desk, visitor),
            work: Work::new(desk, loaded.earlier.as_ref(), frame),
            history: History::new(&loaded.entries, &desk.workflow, frame),
            is_older: loaded.is_older,
            spent: view::spent(desk, frame.t),
            steps: view::steps(desk, frame.t),
        }
    }

    /// The digest of what stands below the work.
    fn digest_of_rest(&self) -> String {
        view::digest(&(&self.history, &self.spent, &self.steps))
    }
}

/// The tag of a page's state.
pub(super) fn tag(version: u64, is_overdue: bool) -> String {
    live::tag(format_args!("{version}{}", if is_overdue { "-late" } else { "" }))
}

/// What the form of the decision is about: news of anything else hold it back.
fn about(desk: &Desk) -> String {
    let (task, Target { stage, round, revision, seq }) = (&desk.task, present(desk, None));
    format!("{stage}/{round}/{revision}/{seq}/{}", task.phase.as_str())
}

/// Where the page asks for news: compared with the same revision.
fn live_address(desk: &Desk, loaded: &Loaded) -> String {
    let compare = loaded.earlier.as_ref().map(|(revision, _)| format!("&compare={revision}")).unwrap_or_default();
    format!("/tasks/{}?part=live&wait=25{compare}", desk.task.id)
}

/// The present target of a choice; of the decision, if there is none.
fn present(desk: &Desk, choice: Option<Choice>) -> Target {
    let escalation = || desk.task.escalation.as_ref().map(|escalation| escalation.seq);
    typed::target(&desk.task, choice.map_or_else(escalation, |choice| seq_of(desk, choice)))
}

/// The title of a task: somebody's words, or that there is none.
pub(super) fn title(desk: &Desk, t: Texts) -> (String, bool) {
    let title = desk.task.title.as_ref().map(|title| (title.to_string(), true));
    title.unwrap_or_else(|| (t.text("review-untitled").into_owned(), false))
}

impl Page {
    /// The page, with forms that are filled like this.
    pub(super) fn new((loaded, offers): (&Loaded, &Offers), visitor: &Visitor, filled: &Filled) -> Self {
        let (desk, t) = (&loaded.desk, visitor.untitled().t);
        let panels = Panels::new(visitor, desk, offers, filled);
        let choice = Choice::parse(&filled.typed.choice);
        let title = title(desk, t);
        let is_stale = filled.target.as_ref().is_some_and(|target| *target != present(desk, choice));
        let barred = offers.barred.iter().map(|(choice, code)| (t.text(choice.label()), t.text(words::reason(*code))));
        let is_console = visitor.reach.kind == LinkKind::Console;
        let says_nothing = panels.decide.is_none() && offers.barred.is_empty() && !is_console;
        Self {
            frame: visitor.frame(title.0.clone()),
            t,
            outcome: None,
            notice: filled.notice.clone(),
            is_typed: *filled != Filled::default(),
            mistakes: filled.mistakes.clone(),
            is_stale,
            regions: Regions::new(loaded, visitor),
            action: action(desk),
            task: format!("/tasks/{}", desk.task.id),
            live: live_address(desk, loaded),
            tag: tag(desk.task.version, desk.task.overdue),
            about: if is_stale { "past".to_owned() } else { about(desk) },
            draft: draft(desk, visitor),
            came_back: CameBack::new(desk, visitor.untitled()),
            stands_for: desk.why.stands_for.as_ref().map(|id| history::name_of(id, &loaded.entries)),
            claim: Say::of(desk, visitor).map(|say| (say.value(), say.label(t))),
            barred: barred.collect(),
            nothing: says_nothing.then(|| head::nothing_to_decide(t, desk, visitor.party())),
            severities: ["must", "could"],
            console: is_console.then(|| Console::new(loaded, visitor)),
            has_inbox: has_inbox(visitor),
            panels,
            title,
        }
    }
}

impl Page {
    /// Puts what became of a form before the title.
    pub(super) fn set_outcome(&mut self, outcome: String) {
        self.frame.title = format!("{outcome} – {}", self.frame.title);
        self.outcome = Some(outcome);
    }

    /// Shows what was typed for a choice that has no form here any more.
    pub(super) fn keep_what_has_no_form(&mut self, offers: &Offers, typed: &Typed) {
        let has_form = Choice::parse(&typed.choice).is_some_and(|choice| offers.get(choice).is_some());
        let texts = typed.texts(self.t);
        if has_form || texts.is_empty() {
            return;
        }
        let text = || self.t.text("review-kept").into_owned();
        let notice = self.notice.take().unwrap_or_else(|| Notice { text: text(), link: None, typed: Vec::new() });
        self.notice = Some(Notice { typed: texts, ..notice });
    }
}

impl News {
    /// What is new.
    pub(super) fn new(loaded: &Loaded, visitor: &Visitor) -> Self {
        let frame = visitor.untitled().clone();
        let regions = Regions::new(loaded, visitor);
        let said = [regions.head.turn.clone()].into_iter().chain(regions.head.votes.first().cloned());
        let say = said.collect::<Vec<_>>().join(" ");
        let task = format!("/tasks/{}", loaded.desk.task.id);
        Self { t: frame.t, frame, regions, task, about: about(&loaded.desk), say }
    }
}

/// Names the draft of this person on this state of this task.
fn draft(desk: &Desk, visitor: &Visitor) -> String {
    let person = visitor.actor.as_ref().map(|actor| actor.id.to_string()).unwrap_or_default();
    format!("{}/{}/{person}", desk.task.id, about(desk))
}

impl Console {
    fn new(loaded: &Loaded, visitor: &Visitor) -> Self {
        let (task, t) = (&loaded.desk.task, visitor.untitled().t);
        let times = visitor.untitled().times;
        let time = |time: Option<&_>| time.map_or_else(|| "–".to_owned(), |time| times.text(time));
        let allowed: Vec<&str> = task.allowed.iter().map(|command| command.as_str()).collect();
        let pairs = vec![
            (t.text("review-phase"), task.phase.as_str().to_owned()),
            (t.text("review-version"), task.version.to_string()),
            (t.text("review-since"), time(Some(&task.since))),
            (t.text("review-due"), time(task.due_at.as_ref())),
            (t.text("review-deadline"), time(task.deadline_at.as_ref())),
            (t.text("review-allowed"), allowed.join(", ")),
        ];
        let trail = serde_json::to_string_pretty(&loaded.entries).unwrap_or_default();
        Self { pairs, trail }
    }
}
