//! Two revisions of the work, compared by the names and digests of their artifacts. The service has
//! no files, so nothing is said about what is in them.

use crate::domain::task::event::Artifact;

/// How an artifact differs from the earlier revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The same name and digest.
    Same,
    /// Another digest under the same name; by how many bytes it grew, if both sizes are known.
    Changed(Option<i64>),
    /// The same digest under another name, which it had before.
    Renamed(String),
    /// Not in the earlier revision.
    New,
    /// Only in the earlier revision.
    Gone,
}

/// The artifacts of the later revision in their order, then those that are gone.
pub(super) fn compare(earlier: &[Artifact], later: &[Artifact]) -> Vec<(Change, Artifact)> {
    let mut left: Vec<&Artifact> = earlier.iter().collect();
    let mut take = |wanted: &dyn Fn(&Artifact) -> bool| {
        let index = left.iter().position(|artifact| wanted(artifact))?;
        Some(left.remove(index))
    };
    // The surest matches first: a name that occurs twice must not take the other's partner.
    let mut changes: Vec<Option<Change>> = vec![None; later.len()];
    for (change, artifact) in changes.iter_mut().zip(later) {
        let same = take(&|old| old.name == artifact.name && old.sha256 == artifact.sha256);
        *change = same.map(|_| Change::Same);
    }
    for (change, artifact) in changes.iter_mut().zip(later).filter(|(change, _)| change.is_none()) {
        *change = take(&|old| old.name == artifact.name).map(|old| Change::Changed(growth(old, artifact)));
    }
    for (change, artifact) in changes.iter_mut().zip(later).filter(|(change, _)| change.is_none()) {
        *change = take(&|old| old.sha256 == artifact.sha256).map(|old| Change::Renamed(old.name.to_string()));
    }
    let later = changes.into_iter().map(|change| change.unwrap_or(Change::New)).zip(later.iter().cloned());
    let gone = left.into_iter().map(|artifact| (Change::Gone, artifact.clone()));
    later.chain(gone).collect()
}

fn growth(old: &Artifact, new: &Artifact) -> Option<i64> {
    i64::try_from(new.size?).ok()?.checked_sub(i64::try_from(old.size?).ok()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn artifact(name: &str, digest: char, size: Option<u64>) -> Artifact {
        let sha256 = digest.to_string().repeat(64);
        serde_json::from_value(json!({ "name": name, "sha256": sha256, "size": size })).unwrap()
    }

    #[test]
    fn artifacts_are_compared_by_name_and_digest() {
        let earlier = [
            artifact("same.pdf", 'a', None),
            artifact("changed.pdf", 'b', Some(210)),
            artifact("old name.svg", 'c', None),
            artifact("gone.txt", 'd', None),
            artifact("twice.png", 'e', None),
            artifact("twice.png", 'f', None),
        ];
        let later = [
            artifact("twice.png", '0', None),
            artifact("twice.png", 'e', None),
            artifact("new name.svg", 'c', None),
            artifact("new.pdf", '1', None),
            artifact("changed.pdf", '2', Some(212)),
            artifact("same.pdf", 'a', None),
        ];
        let found = compare(&earlier, &later);
        let found: Vec<_> = found.iter().map(|(change, artifact)| (artifact.name.as_str(), change.clone())).collect();
        let expected = [
            ("twice.png", Change::Changed(None)),
            ("twice.png", Change::Same),
            ("new name.svg", Change::Renamed("old name.svg".to_owned())),
            ("new.pdf", Change::New),
            ("changed.pdf", Change::Changed(Some(2))),
            ("same.pdf", Change::Same),
            ("gone.txt", Change::Gone),
        ];
        assert_eq!(found, expected);
    }
}
