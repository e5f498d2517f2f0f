//! Tokens say who calls, end in time, survive restarts, and cannot be changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard_core::{Clock, ManualClock, SystemClock};

use super::{Auth, AuthError, Role, rotate};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Rotates so long from now.
fn rotated(folder: &Path, later: Duration, force: bool) -> Result<String, AuthError> {
    rotate(folder, SystemClock.now().plus(later), DAY, force)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()))
}

#[test]
fn a_token_says_who_it_is_until_it_expires() {
    let clock = clock();
    let auth = Auth::ephemeral(clock.clone()).unwrap();
    let token = auth.sign("ann", Duration::from_secs(3_600)).unwrap();
    for _ in 0..2 {
        let principal = auth.verify(&token).unwrap();
        assert_eq!((&*principal.user_id, principal.role), ("ann", Role::Customer));
    }
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(auth.verify(&token), None);
}

#[test]
fn a_changed_token_and_one_of_another_key_are_nobodys() {
    let auth = Auth::ephemeral(clock()).unwrap();
    let token = auth.sign("ann", Duration::from_secs(60)).unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, _claims) = head.split_once('.').unwrap();
    let other = Auth::ephemeral(clock()).unwrap().sign("ann", Duration::from_secs(60)).unwrap();
    for wrong in [format!("{header}.e30.{signature}"), other, String::new(), "a.b.c".to_owned()] {
        assert_eq!(auth.verify(&wrong), None, "{wrong}");
    }
}

#[test]
fn keys_and_the_operator_token_survive_a_restart_and_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let first = Auth::load_or_create(folder.path(), clock()).unwrap();
    let token = first.sign("ann", Duration::from_secs(60)).unwrap();
    let second = Auth::load_or_create(folder.path(), clock()).unwrap();
    assert!(second.verify(&token).is_some());
    assert_eq!(second.verify(first.operator_token()).unwrap().role, Role::Operator);
    for file in ["signing-key", "operator-token"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn processes_that_make_the_keys_at_the_same_moment_share_the_first_ones() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let load = || Auth::load_or_create(folder.path(), clock()).unwrap();
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let token = all[0].sign("ann", Duration::from_secs(60)).unwrap();
        for auth in &all {
            assert!(auth.verify(&token).is_some());
            assert_eq!(auth.operator_token(), all[0].operator_token());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }
}

#[test]
fn a_file_that_is_no_key_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("signing-key"), b"nonsense").unwrap();
    let error = Auth::load_or_create(folder.path(), clock()).unwrap_err();
    assert!(error.to_string().contains("signing-key"), "{error}");
}

#[test]
fn a_rotated_key_signs_at_once_and_the_one_before_it_still_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let (signs, only_verifies) = (
        Auth::load_or_create(folder.path(), clock.clone()).unwrap(),
        Auth::load_or_create(folder.path(), clock.clone()).unwrap(),
    );
    let sign = |auth: &Auth| auth.sign("ann", DAY * 9).unwrap();
    let (first, cursor) = (sign(&signs), signs.seal(&[b"a cursor"]));
    let id = rotated(folder.path(), Duration::ZERO, false).unwrap();
    let second = sign(&signs);
    assert_eq!(jsonwebtoken::decode_header(&second).unwrap().kid, Some(id.clone()));
    for auth in [&signs, &only_verifies] {
        assert!(auth.verify(&first).is_some() && auth.verify(&second).is_some());
        assert_eq!(auth.public_keys().len(), 2);
        assert_eq!(auth.public_keys()[0].0, id);
    }
    let restarted = Auth::load_or_create(folder.path(), clock.clone()).unwrap();
    assert!(restarted.verify(&first).is_some() && restarted.verify(&second).is_some());
    assert_eq!(restarted.seal(&[b"a cursor"]), cursor, "cursors outlive a rotation");

    // A third key ends the first.
    assert!(matches!(rotated(folder.path(), DAY / 2, false), Err(AuthError::TooSoon)));
    rotated(folder.path(), DAY * 2, false).unwrap();
    clock.advance(Duration::from_secs(2));
    let third = sign(&signs);
    for auth in [&signs, &only_verifies] {
        assert!(auth.verify(&third).is_some(), "taken over with the first token that shows it");
        assert!(auth.verify(&first).is_none() && auth.verify(&second).is_some());
    }
}

#[test]
fn whoever_makes_keys_up_does_not_make_us_look_for_each() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let auth = Auth::load_or_create(folder.path(), clock.clone()).unwrap();
    let strange = Auth::ephemeral(clock.clone()).unwrap().sign("ann", DAY).unwrap();
    assert_eq!(auth.verify(&strange), None);
    rotated(folder.path(), Duration::ZERO, true).unwrap();
    let other = Auth::load_or_create(folder.path(), clock.clone()).unwrap();
    let token = other.sign("ann", DAY).unwrap();
    assert_eq!(auth.verify(&token), None, "it has looked a moment ago");
    clock.advance(Duration::from_secs(1));
    assert!(auth.verify(&token).is_some());
}
