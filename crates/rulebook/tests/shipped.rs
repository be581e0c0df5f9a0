//! The rules that MetaOS ships pass every check, and keep their binary form.

use std::{fs, path::Path};

/// Every rule file under the folder, as path relative to `rules/` and text.
fn gather(folder: &Path, prefix: &str, out: &mut Vec<(String, String)>) {
    let entries = fs::read_dir(folder).expect("the folder of the rules is there");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            gather(&path, &format!("{prefix}{name}/"), out);
        } else if name.ends_with(".rule") {
            let text = fs::read_to_string(&path).expect("the text can be read");
            out.push((format!("{prefix}{name}"), text));
        }
    }
}

#[test]
fn the_shipped_rules_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let mut files = Vec::new();
    gather(&folder, "", &mut files);
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let book = rulebook::read(&files).unwrap_or_else(|problems| {
        let shown: Vec<String> = problems
            .iter()
            .map(|p| p.render("rules/", &files))
            .collect();
        panic!("{}", shown.concat());
    });
    assert!(
        book.rules.len() >= 15 && book.classes.len() >= 8,
        "all of them were read"
    );
    let bytes = rulebook::pack(&book);
    assert_eq!(rulebook::unpack(&bytes), Ok(book));
    let again = rulebook::read(&files).map(|book| rulebook::pack(&book));
    assert_eq!(again, Ok(bytes), "the same texts give the same bytes");
}
