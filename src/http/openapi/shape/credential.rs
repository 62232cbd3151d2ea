//! One credential scheme. Handlers declare the parties that an operation is open to as schemes of
//! their own, with the scopes of partners' keys. In the contract all of them send a bearer token, so
//! that a generated client sends one credential; `x-parties` and `x-scopes` say whose.

use super::super::tree::{self, Mapping, Value, object, text};

/// The scheme in the contract.
const BEARER: &str = "bearer";

/// The schemes that handlers declare, with the party that each stands for.
const PARTIES: [(&str, &str); 3] = [("partnerKey", "partner"), ("platformKey", "platform"), ("buyerToken", "buyer")];

const DESCRIPTION: &str = "`Authorization: Bearer …` with one of

- a partner's key (`ait_…`), limited to scopes; it may also be sent in the header `X-AITasker-Key` instead,
- a platform key from the service's configuration,
- a buyer's JWT as issued by Supabase, with `exp`, a UUID as `sub`, and the configured `aud`.

`x-parties` of an operation names the parties that it is open to, and `x-scopes` the scopes that admit a partner's key: any of them. A
request with two credentials is refused.";

/// Replaces the declared schemes by one.
pub(super) fn unify(document: &mut Value) {
    let scheme = object([("type", text("http")), ("scheme", text("bearer")), ("description", text(DESCRIPTION))]);
    document["components"]["securitySchemes"] = Value::Mapping(object([(BEARER, Value::Mapping(scheme))]));
    tree::operations_mut(document).for_each(unify_operation);
}

fn unify_operation(operation: &mut Mapping) {
    let declared = operation.get("security").and_then(Value::as_sequence).cloned().unwrap_or_default();
    let scheme = |name: &str| declared.iter().filter_map(|ways| ways.get(name)).collect::<Vec<_>>();
    let parties: Vec<_> =
        PARTIES.iter().filter(|(name, _)| !scheme(name).is_empty()).map(|(_, party)| text(*party)).collect();
    if parties.is_empty() {
        return;
    }
    let scopes = scheme(PARTIES[0].0).into_iter().filter_map(Value::as_sequence).flatten().cloned();
    let scopes: Vec<_> = scopes.collect();
    let bearer = object([(BEARER, Value::Sequence(Vec::new()))]);
    operation.insert(text("security"), Value::Sequence(vec![Value::Mapping(bearer)]));
    operation.insert(text("x-parties"), Value::Sequence(parties));
    if !scopes.is_empty() {
        operation.insert(text("x-scopes"), Value::Sequence(scopes));
    }
}
