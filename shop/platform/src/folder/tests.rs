//! One holder, the owner's eyes only, and nobody else's files.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_new_folder_is_its_owners_alone_and_has_one_holder() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a/b");
    let folder = Folder::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(folder.is_new() && is_held(&path));

    let second = Folder::open(&path).unwrap_err();
    assert!(matches!(second, FolderError::InUse { .. }), "{second}");
    assert!(second.to_string().contains(&std::process::id().to_string()), "{second}");

    drop(folder);
    assert!(!is_held(&path));
    Folder::open(&path).unwrap();
}

#[test]
fn somebody_elses_folder_is_neither_used_nor_emptied() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "years of work").unwrap();
    assert!(matches!(Folder::open(folder.path()), Err(FolderError::NotOurs(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was added either");
}

#[test]
fn a_folder_of_another_layout_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(MARKER), "7").unwrap();
    let error = Folder::open(folder.path()).unwrap_err();
    assert!(matches!(error, FolderError::OtherLayout { .. }), "{error}");
}

#[test]
fn emptying_deletes_the_data_and_keeps_the_hold() {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::open(parent.path()).unwrap();
    fs::create_dir(parent.path().join("log")).unwrap();
    fs::write(parent.path().join("log/1"), "x").unwrap();
    fs::write(folder.operator_token(), "t").unwrap();
    assert!(!folder.is_new());
    folder.empty().unwrap();
    assert!(folder.is_new() && !parent.path().join("log").exists());
    assert!(Folder::open(parent.path()).is_err(), "still held");
}

#[test]
fn an_ephemeral_folder_is_gone_in_the_end() {
    let folder = Folder::ephemeral().unwrap();
    let path = folder.path().to_owned();
    folder.announce("http://127.0.0.1:1").unwrap();
    assert_eq!(address(&path).as_deref(), Some("http://127.0.0.1:1"));
    drop(folder);
    assert!(!path.exists());
}

#[test]
fn a_file_in_the_way_is_an_error_that_says_what_to_do() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("file");
    fs::write(&path, "").unwrap();
    let error = Folder::open(&path).unwrap_err();
    assert!(error.to_string().contains("--data DIR"), "{error}");
}

#[test]
fn services_share_a_folder_that_a_whole_shop_has_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop");
    let (one, two) = (Folder::share(&path).unwrap(), Folder::share(&path).unwrap());
    let error = Folder::open(&path).unwrap_err();
    assert!(matches!(error, FolderError::InUse { .. }), "{error}");
    one.announce("http://127.0.0.1:1").unwrap();
    drop(two);
    assert_eq!(address(&path).as_deref(), Some("http://127.0.0.1:1"), "only who came leaves");
    drop(one);
    assert_eq!(address(&path), None);
    let alone = Folder::open(&path).unwrap();
    assert!(matches!(Folder::share(&path), Err(FolderError::InUse { .. })));
    drop(alone);
}

#[test]
fn services_that_make_a_folder_at_the_same_moment_share_it() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| drop(Folder::share(&path).unwrap()));
            }
        });
    }
}
