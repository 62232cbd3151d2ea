//! The labels that the service itself shows to a buyer, besides those of stages. The names and labels
//! of a workflow should not be mistaken for them.

/// Labels of the service itself, besides the labels of stages.
pub(in crate::domain) const ALL: [&str; 12] = [
    CHANGES,
    PREPARED,
    BUYER_ANSWERS,
    BUYER_DECIDES,
    PARTNER_DECIDES,
    PLATFORM_DECIDES,
    HELD,
    CANCELLING,
    APPROVED,
    CANCELLED,
    EXPIRED,
    FAILED,
];
pub(in crate::domain) const CHANGES: &str = "Changes are being made";
pub(in crate::domain) const PREPARED: &str = "Work is being prepared";
pub(in crate::domain) const BUYER_ANSWERS: &str = "Waiting for your answer";
pub(in crate::domain) const BUYER_DECIDES: &str = "Waiting for your decision";
pub(in crate::domain) const PARTNER_DECIDES: &str = "The partner is deciding";
pub(in crate::domain) const PLATFORM_DECIDES: &str = "AITasker is deciding";
pub(in crate::domain) const HELD: &str = "On hold";
pub(in crate::domain) const CANCELLING: &str = "Being cancelled";
pub(in crate::domain) const APPROVED: &str = "Approved";
pub(in crate::domain) const CANCELLED: &str = "Cancelled";
pub(in crate::domain) const EXPIRED: &str = "Not finished in time";
pub(in crate::domain) const FAILED: &str = "Could not be approved";
