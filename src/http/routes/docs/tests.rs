//! The documents are those of the folder, and lead to each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

#[test]
fn every_page_of_the_folder_is_served() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter_map(|file| file.strip_suffix(".md").map(ToOwned::to_owned)).collect();
    let served: BTreeSet<_> = DOCUMENTS.iter().map(|document| document.name.to_owned()).collect();
    assert_eq!(files, served);
}

#[test]
fn links_between_the_pages_lead_to_headings() {
    let texts = DOCUMENTS.iter().map(|document| (document.name, here(document.text)));
    let pages: Vec<_> = texts.chain([(PROBLEMS.0, problems())]).map(|(name, text)| (name, html::page(&text))).collect();
    let mut links = 0;
    for (from, page) in &pages {
        for link in page.split("href=\"/docs/").skip(1).filter_map(|rest| rest.split('"').next()) {
            let (name, heading) = link.split_once('#').unwrap_or((link, ""));
            let (_, to) = pages.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{from}: {link}"));
            assert!(heading.is_empty() || to.contains(&format!("id=\"{heading}\"")), "{from}: {link}");
            links += 1;
        }
    }
    assert!(links > 10, "only {links} links found");
}

#[test]
fn every_problem_has_its_place_with_what_to_do() {
    let page = html::page(&problems());
    for code in Code::ALL {
        let (_, anchor) = code.path().split_once('#').map(|(path, name)| (path.to_owned(), name.to_owned())).unwrap();
        assert!(page.contains(&format!("<h2 id=\"{anchor}\">")), "{anchor}");
        assert!(code.remedy().ends_with('.'), "{anchor}");
    }
}
