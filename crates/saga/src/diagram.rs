//! A saga that draws itself: as Mermaid for documents, and as SVG for a run that is looked at.
//!
//! The SVG carries classes, no colours and no styles, so that it takes the page's theme and passes a strict Content-Security-Policy.

use std::fmt::Write as _;

use crate::{Action, Definition, Instance, Outcome, Phase};

/// Width of a step and of the gap after it.
const STEP: usize = 150;
const GAP: usize = 40;
/// Height of a step, and where the two rows begin.
const HEIGHT: usize = 48;
const DO_ROW: usize = 20;
const UNDO_ROW: usize = 120;

impl<S> Definition<S> {
    /// The definition as a Mermaid state diagram.
    pub fn mermaid(&self) -> String {
        let mut text = String::from("stateDiagram-v2\n");
        let name = |step: usize| self.steps[step].name;
        let mut line = |from: &str, to: &str, label: &str| {
            let id = |state: &str| state.replace(' ', "_");
            let label = if label.is_empty() { String::new() } else { format!(" : {label}") };
            let _ = writeln!(text, "    {} --> {}{label}", id(from), id(to));
        };
        line("[*]", name(0), "");
        for step in 0..self.steps.len() {
            match self.steps.get(step + 1) {
                Some(next) => line(name(step), next.name, "done"),
                None => line(name(step), "completed", "done"),
            }
            let back = self.before(step);
            if step <= self.shape.pivot {
                line(name(step), &back, "refused");
            } else {
                line(name(step), "stuck", "refused");
            }
            if self.steps[step].undo.is_some() {
                line(&undo(name(step)), &back, "done");
                line(&undo(name(step)), "stuck", "refused");
            }
        }
        line("completed", "[*]", "");
        line("undone", "[*]", "");
        // Mermaid wants identifiers without spaces, and shows what they are described as.
        for step in self.steps.iter().filter(|step| step.undo.is_some()) {
            let _ =
                writeln!(text, "    {} : {}", undo(step.name).replace(' ', "_"), undo(step.name));
        }
        text
    }

    /// Where a refusal of this step, or its own undo, leads.
    fn before(&self, step: usize) -> String {
        match self.shape.undoable[..step].iter().rposition(|undoable| *undoable) {
            Some(step) => undo(self.steps[step].name),
            None => "undone".to_owned(),
        }
    }

    /// The steps with their undos below, each of a class that says how it stands in this run:
    /// `done`, `running`, `remaining`, `refused`, `undone`, `stuck`, `never`.
    pub fn svg(&self, run: Option<&Instance>) -> String {
        let count = self.steps.len();
        let (width, height) = (count * (STEP + GAP) + 20, UNDO_ROW + HEIGHT + 20);
        let mut svg = format!(
            "<svg class=\"saga\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
             xmlns=\"http://www.w3.org/2000/svg\"><title>Saga {}</title>",
            escape(self.name)
        );
        for (index, step) in self.steps.iter().enumerate() {
            let x = 10 + index * (STEP + GAP);
            let (state, undo_state) = self.standing(index, run);
            node(&mut svg, x, DO_ROW, step.name, state, index == self.shape.pivot);
            if index + 1 < count {
                let (from, to, y) = (x + STEP, x + STEP + GAP, DO_ROW + HEIGHT / 2);
                arrow(&mut svg, "forward", from, y, to, y);
            }
            if step.undo.is_some() {
                node(&mut svg, x, UNDO_ROW, &undo(step.name), undo_state, false);
                let middle = x + STEP / 2;
                arrow(&mut svg, "back", middle, DO_ROW + HEIGHT, middle, UNDO_ROW);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    /// How a step and its undo stand in a run.
    fn standing(&self, step: usize, run: Option<&Instance>) -> (&'static str, &'static str) {
        let Some(run) = run else { return ("remaining", "remaining") };
        let name = self.steps[step].name;
        let answer = |action| run.answers.get(&(name.to_owned(), action)).copied();
        let phase = run.state.phase;
        let turned = matches!(phase, Phase::Undoing(_) | Phase::Undone | Phase::Stuck { .. });
        let done = match (phase, answer(Action::Do)) {
            (Phase::Doing(at), _) if at == step => "running",
            (Phase::Stuck { step: at, undo: false }, _) if at == step => "stuck",
            (_, Some(Outcome::Done)) if answer(Action::Undo) == Some(Outcome::Done) => "undone",
            (_, Some(Outcome::Done)) => "done",
            (_, Some(_)) => "refused",
            (_, None) if turned || phase.is_final() => "never",
            (_, None) => "remaining",
        };
        let undone = match (phase, answer(Action::Undo)) {
            (Phase::Undoing(at), _) if at == step => "running",
            (Phase::Stuck { step: at, undo: true }, _) if at == step => "stuck",
            (_, Some(Outcome::Done)) => "done",
            _ if turned && done == "done" => "remaining",
            _ => "never",
        };
        (done, undone)
    }
}

fn undo(step: &str) -> String {
    format!("undo {step}")
}

fn node(svg: &mut String, x: usize, y: usize, name: &str, state: &str, is_pivot: bool) {
    let pivot = if is_pivot { " pivot" } else { "" };
    let (middle, base) = (x + STEP / 2, y + HEIGHT / 2);
    let _ = write!(
        svg,
        "<g class=\"step {state}{pivot}\"><title>{name}: {state}{pivot}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{STEP}\" height=\"{HEIGHT}\" rx=\"8\"/>\
         <text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\">{name}</text>\
         <text class=\"state\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{state}</text></g>",
        base + 16,
        name = escape(name),
    );
}

fn arrow(svg: &mut String, class: &str, x1: usize, y1: usize, x2: usize, y2: usize) {
    let _ = write!(
        svg,
        "<line class=\"arrow {class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>"
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
