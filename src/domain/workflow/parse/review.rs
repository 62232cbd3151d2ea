//! Reads who reviews a stage: quorum and reviewers or panels, and who may not approve.

use crate::domain::values::id::{ActorId, PanelKey};
use crate::domain::values::party::Party;
use crate::domain::workflow::{Approvals, MAX_REVIEWERS, Panel, Quorum, ReviewRule, Voting};

use super::node::{Fields, Node, Read};
use super::{Code, Context, stage_reference};

/// The most panels of a stage.
const MAX_PANELS: usize = 20;

/// Who reviews the stage; none if the partner does not.
pub(super) fn rule(fields: &Fields, context: &Context) -> Read<Option<ReviewRule>> {
    if let Ok(reviewer @ (Party::Buyer | Party::Platform)) = context.reviewer {
        let mut none = Ok(None);
        for name in
            ["quorum", "reviewers", "panels", "self_approval", "distinct_from", "reviewers_fixed", "substitutes"]
        {
            if let Some(node) = fields.get(name) {
                let rule = format!("is only for stages that the partner reviews; the {reviewer} has one vote");
                none = Err(node.report(Code::PartnerOnly, rule));
            }
        }
        return none;
    }
    let voting = match fields.get("panels") {
        Some(node) => panels(fields, &node),
        None => quorum(fields),
    };
    let self_approval = fields.or("self_approval", false, Node::boolean);
    let distinct_from = fields.or("distinct_from", Vec::new(), |node| {
        node.set(0..=50, |node| stage_reference(node, context.position, false), PartialEq::eq)
    });
    let reviewers_fixed = fields.or("reviewers_fixed", false, Node::boolean);
    if let (Ok(Voting::Quorum { reviewers, .. }), Ok(true), Some(node)) =
        (&voting, &reviewers_fixed, fields.get("reviewers_fixed"))
        && reviewers.is_empty()
    {
        return Err(node.report(Code::NotApplicable, "may be true only on a stage that names its reviewers"));
    }
    let substitutes = fields.or("substitutes", true, Node::boolean);
    Ok(Some(ReviewRule {
        voting: voting?,
        self_approval: self_approval?,
        distinct_from: distinct_from?,
        reviewers_fixed: reviewers_fixed?,
        substitutes: substitutes?,
    }))
}

fn quorum(stage: &Fields) -> Read<Voting> {
    let node = stage.get("quorum");
    let fields = node.as_ref().map(|node| node.object(&["approvals", "rejections"])).transpose();
    let quorum = match &fields {
        Ok(Some(fields)) => votes(fields),
        Ok(None) => Ok(Quorum::ONE),
        Err(reported) => Err(*reported),
    };
    let reviewers = stage.or("reviewers", Vec::new(), |node| node.set(0..=MAX_REVIEWERS, Node::actor, PartialEq::eq));
    if let (Ok(quorum), Ok(reviewers), Some(node), Ok(Some(fields))) = (&quorum, &reviewers, &node, &fields) {
        match fields.get("approvals").filter(|_| reviewers.is_empty() && quorum.approvals == Approvals::All) {
            Some(all) => {
                let rule = "may be `all` only on a stage that names its `reviewers`";
                return Err(all.report(Code::NotApplicable, rule));
            }
            None => check_reachable(*quorum, reviewers.len(), node),
        }
    }
    Ok(Voting::Quorum { quorum: quorum?, reviewers: reviewers? })
}

fn votes(fields: &Fields) -> Read<Quorum> {
    let approvals = fields.or("approvals", Quorum::ONE.approvals, |node| {
        Ok(node.number_or("all", 1..=100)?.map_or(Approvals::All, Approvals::Votes))
    });
    let rejections = fields.or("rejections", Quorum::ONE.rejections, |node| node.number(1..=100));
    Ok(Quorum { approvals: approvals?, rejections: rejections? })
}

fn panels(stage: &Fields, node: &Node) -> Read<Voting> {
    let mut alone = Ok(());
    for name in ["quorum", "reviewers"] {
        if let Some(other) = stage.get(name) {
            let rule = "is not allowed beside `panels`, which say who may vote and how many votes decide";
            alone = Err(other.report(Code::NotApplicable, rule));
        }
    }
    let (nodes, mut sound) = node.elements(1..=MAX_PANELS)?;
    let mut panels: Vec<Panel> = Vec::with_capacity(nodes.len());
    for node in nodes {
        match panel(&node, &panels) {
            Ok(panel) => panels.push(panel),
            Err(reported) => sound = Err(reported),
        }
    }
    let named: usize = panels.iter().map(|panel| panel.reviewers.len()).sum();
    if named > MAX_REVIEWERS {
        let rule = format!("may name at most {MAX_REVIEWERS} reviewers altogether; there are {named}");
        sound = Err(node.report(Code::TooMany, rule));
    }
    alone.and(sound).map(|()| Voting::Panels(panels))
}

fn panel(node: &Node, earlier: &[Panel]) -> Read<Panel> {
    let fields = node.object(&["key", "name", "reviewers", "approvals", "rejections"])?;
    let key = fields.required("key", |node| panel_key(node, earlier));
    let name = fields.required("name", Node::text);
    let reviewers =
        fields.required("reviewers", |node| node.set(1..=MAX_REVIEWERS, |node| seat(node, earlier), PartialEq::eq));
    let quorum = votes(&fields);
    if let (Ok(quorum), Ok(reviewers)) = (&quorum, &reviewers) {
        check_reachable(*quorum, reviewers.len(), node);
    }
    let Quorum { approvals, rejections } = quorum?;
    Ok(Panel { key: key?, name: name?, reviewers: reviewers?, approvals, rejections })
}

fn panel_key(node: &Node, earlier: &[Panel]) -> Read<PanelKey> {
    let key = PanelKey::parse(node.string("a string")?).map_err(|error| node.report(Code::InvalidKey, error))?;
    if earlier.iter().any(|panel| panel.key == key) {
        return Err(node.report(Code::Duplicate, "is already the key of an earlier panel"));
    }
    Ok(key)
}

fn seat(node: &Node, earlier: &[Panel]) -> Read<ActorId> {
    let actor = node.actor()?;
    match earlier.iter().find(|panel| panel.reviewers.contains(&actor)) {
        Some(panel) => {
            let rule = format!("is already in the panel `{}`; an actor sits in one panel of a stage", panel.key);
            Err(node.report(Code::TwoPanels, rule))
        }
        None => Ok(actor),
    }
}

/// Reports a quorum that `named` reviewers cannot always decide by. Those who may not approve are not
/// known yet.
fn check_reachable(quorum: Quorum, named: usize, node: &Node) {
    if let Err(rule) = quorum.check_reachable(named) {
        node.report(Code::QuorumUnreachable, rule);
    }
}
