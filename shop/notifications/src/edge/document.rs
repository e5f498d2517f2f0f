//! The service's part of the interface's document.

use serde_json::json;
use shop_edge::openapi::{Bodies, Operation, Part, operators};

use super::shapes::{
    Analytics, AnybodysLetter, EventRoute, Letter, Notification, RoutedGroup, SwitchGroup,
};

const OPERATOR: &str = "/api/v1/operator/notifications";

/// Every operation of the service.
pub fn openapi() -> Part {
    let part = Part::new("notifications", "What customers are told, in the shop and by letter.")
        .with(
            Operation::get("/api/v1/notifications", "listNotifications")
                .says(
                    "List notifications",
                    "One's own; everybody's for the operator. Newest first.",
                )
                .page_of::<Notification>("The notifications."),
        )
        .with(
            Operation::get("/api/v1/notifications/{id}", "getNotification")
                .at_id("id", "The notification. Others' notifications are hidden: 404.")
                .says("Show a notification", "One of one's own.")
                .ok::<Notification>("The notification."),
        )
        .with(
            Operation::get("/api/v1/mailbox", "listLetters")
                .says("List letters", "One's own; everybody's for the operator. Newest first.")
                .page_of::<Letter>("The letters."),
        )
        .with(
            Operation::get("/api/v1/mailbox/{id}", "getLetter")
                .at_id("id", "The letter. Others' letters are hidden: 404.")
                .says("Show a letter", "One of one's own.")
                .ok::<Letter>("The letter."),
        );
    let operated = [
        Operation::get(&format!("{OPERATOR}/routes"), "listEventRoutes")
            .says("Show the routing table", "Which event is passed on to which group.")
            .list_of::<EventRoute>("The table."),
        Operation::get(&format!("{OPERATOR}/groups"), "listRoutedGroups")
            .says("List the groups that events are passed on to", "Whether they run, and how.")
            .list_of::<RoutedGroup>("The groups."),
        at_group(Operation::get(&format!("{OPERATOR}/groups/{{name}}"), "getRoutedGroup"))
            .says("Show a group that events are passed on to", "Whether it runs, and how.")
            .ok::<RoutedGroup>("The group."),
        at_group(Operation::post(&format!("{OPERATOR}/groups/{{name}}"), "switchRoutedGroup"))
            .says("Stop or start a group, or begin a drill", "The others do not notice.")
            .body::<SwitchGroup>(Bodies::Json)
            .ok::<RoutedGroup>("The group as it is now."),
        Operation::get(&format!("{OPERATOR}/analytics"), "getAnalytics")
            .says("Show what was counted", "In all, and by the day on which it happened.")
            .ok::<Analytics>("The counters."),
        Operation::get(&format!("{OPERATOR}/mailbox"), "listAnybodysLetters")
            .says("List everybody's letters", "Newest first.")
            .page_of::<AnybodysLetter>("The letters."),
    ];
    let operated = operated.into_iter().map(|operation| operation.tagged("operator").operator());
    operators(operated.fold(part, Part::with), OPERATOR, "Notifications")
}

fn at_group(operation: Operation) -> Operation {
    let schema = json!({ "type": "string", "enum": ["email", "analytics", "notification"] });
    operation.at("name", "The group.", schema, "email")
}
