//! The examples do what they say.

use std::process::Command;

#[test]
fn two_services_book_pay_and_undo() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--package", "switchboard", "--example", "two_services"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        [
            "trip rich: completed, room 101 booked: true",
            "trip poor: undone, room 102 booked: false"
        ]
    );
}
