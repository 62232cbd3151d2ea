//! The console of a partner's developers and of the platform's operators: tasks, workflows, webhooks
//! and their deliveries, people, absences and keys. A session changes nothing here unless its link was made
//! with `manage`, and it never votes.

use axum::http::Method;
use axum::response::Response;
use axum::routing::{get, post};

use crate::app::access;
use crate::domain::link::LinkKind;
use crate::domain::values::id::PartnerId;
use crate::domain::values::party::Party;
use crate::domain::webhook::Owner;

use super::Page;
use super::problem::{Kind, PageError};
use super::session::Visitor;

mod absences;
mod check;
mod deliveries;
mod drawing;
mod endpoints;
mod erasures;
mod insights;
mod key_rows;
mod keys;
mod once;
mod partners;
mod people;
mod play;
mod resend;
mod samples;
mod secrets;
mod slips;
mod stages;
pub(super) mod tasks;
mod versions;
mod webhooks;
mod words;
mod workflows;

/// What a handler of the console gives.
type Answer = Result<Response, PageError>;

/// The pages of the console and their forms.
pub(super) fn pages() -> Vec<Page> {
    let page = |method, path, name, handler| Page { method, path, name, handler };
    vec![
        page(Method::GET, "/workflows", "page_workflows", get(workflows::get_workflows)),
        page(Method::GET, "/workflows/check", "page_check", get(check::get_check)),
        page(Method::POST, "/workflows/check", "check_workflow", post(check::post_check)),
        page(Method::POST, "/workflows/register", "register", post(check::post_register)),
        page(Method::GET, "/workflows/{key}", "page_workflow", get(workflows::get_workflow)),
        page(Method::GET, "/workflows/{key}/play", "page_play", get(play::get_play)),
        page(Method::GET, "/webhooks", "page_webhooks", get(webhooks::get_webhooks)),
        page(Method::GET, "/webhooks/{id}", "page_webhook", get(webhooks::get_webhook)),
        page(Method::POST, "/webhooks/{id}/rotate", "rotate_secret", post(secrets::post_rotate)),
        page(Method::POST, "/webhooks/{id}/activate", "activate_secret", post(secrets::post_activate)),
        page(Method::POST, "/webhooks/{id}/test", "test_endpoint", post(endpoints::post_test)),
        page(Method::POST, "/webhooks/{id}/enable", "enable_endpoint", post(endpoints::post_enable)),
        page(Method::GET, "/webhooks/{id}/remove", "page_remove_endpoint", get(endpoints::get_remove)),
        page(Method::POST, "/webhooks/{id}/remove", "remove_endpoint", post(endpoints::post_remove)),
        page(Method::GET, "/webhooks/{id}/resend", "page_resend", get(resend::get_resend)),
        page(Method::POST, "/webhooks/{id}/resend", "resend_deliveries", post(resend::post_resend)),
        page(Method::GET, "/deliveries", "page_deliveries", get(deliveries::get_deliveries)),
        page(Method::GET, "/deliveries/{id}/{event}", "page_delivery", get(deliveries::get_delivery)),
        page(Method::POST, "/deliveries/{id}/{event}/resend", "resend_delivery", post(resend::post_one)),
        page(Method::GET, "/insights", "page_insights", get(insights::get_insights)),
        page(Method::GET, "/insights/table.csv", "page_insights_table", get(insights::get_sheet)),
        page(Method::GET, "/people", "page_people", get(people::get_people)),
        page(Method::POST, "/people/link", "make_own_link", post(people::post_link)),
        page(Method::POST, "/people/end-all", "end_links_of_person", post(people::post_end_all)),
        page(Method::GET, "/people/{link}", "page_person_link", get(people::get_link)),
        page(Method::POST, "/people/{link}/end", "end_link", post(people::post_end)),
        page(Method::GET, "/absences", "page_absences", get(absences::get_absences)),
        page(Method::POST, "/absences", "set_own_absence", post(absences::post_absence)),
        page(Method::POST, "/absences/remove", "remove_own_absence", post(absences::post_remove)),
        page(Method::GET, "/keys", "page_keys", get(keys::get_keys)),
        page(Method::POST, "/keys", "make_key", post(keys::post_key)),
        page(Method::GET, "/keys/{key}/revoke", "page_revoke_key", get(keys::get_revoke)),
        page(Method::POST, "/keys/{key}/revoke", "revoke_own_key", post(keys::post_revoke)),
        page(Method::GET, "/partners", "page_partners", get(partners::get_partners)),
        page(Method::POST, "/partners", "add_partner", post(partners::post_partner)),
        page(Method::GET, "/partners/{id}", "page_partner", get(partners::get_partner)),
        page(Method::POST, "/partners/{id}/keys", "make_partner_key", post(partners::post_key)),
        page(Method::GET, "/partners/{id}/keys/{key}/revoke", "page_revoke_partner_key", get(partners::get_revoke)),
        page(Method::POST, "/partners/{id}/keys/{key}/revoke", "revoke_partners_key", post(partners::post_revoke)),
        page(Method::GET, "/erasures", "page_erasures", get(erasures::get_erasures)),
    ]
}

/// Whose console it is. Sessions of other links do not reach it.
fn enter(visitor: &Visitor) -> Result<Owner, PageError> {
    let is_console = visitor.reach.kind == LinkKind::Console;
    access::owner(&visitor.caller).filter(|_| is_console).ok_or_else(|| refused(visitor))
}

/// The partner whose console it is.
fn enter_as_partner(visitor: &Visitor) -> Result<PartnerId, PageError> {
    match enter(visitor)? {
        Owner::Partner(partner) => Ok(partner),
        Owner::Platform => Err(refused(visitor)),
    }
}

/// Refuses everybody but the platform.
fn enter_as_platform(visitor: &Visitor) -> Result<(), PageError> {
    enter(visitor)?;
    if visitor.party() == Party::Platform { Ok(()) } else { Err(refused(visitor)) }
}

/// Refuses a session that may not change anything.
fn check_manage(visitor: &Visitor) -> Result<(), PageError> {
    if visitor.reach.manage { Ok(()) } else { Err(refused(visitor)) }
}

fn refused(visitor: &Visitor) -> PageError {
    PageError::new(Kind::NotAllowed, visitor.untitled())
}
